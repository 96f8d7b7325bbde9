"""Whatever people decide and take back, in whatever order: what stands is what a plain model of it says.

UNDO_SEQUENCES says how many sequences are tried, 50 without it.
"""

from __future__ import annotations

import os
from copy import deepcopy
from typing import Any

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metadata import bulk, workflow
from metadata.models import AIMetadata, Decision, MetadataHistory
from metadata.queue import ReviewFilter
from tests.factories import AccountFactory, AIMetadataFactory, AlbumFactory, PhotoFactory, UserFactory

pytestmark = pytest.mark.django_db

ROWS = 4
SEQUENCES = int(os.environ.get("UNDO_SEQUENCES", "50"))

row = st.integers(0, ROWS - 1)
person = st.integers(0, 1)
title = st.sampled_from(["A cat", "Tom", "Tim"])
tag = st.sampled_from(["cat", "Cat", "grey", "wall"])
reason = st.sampled_from(["Other", "Too vague"])
decisions = st.one_of(
    st.tuples(st.just("approve"), person, row, title),
    st.tuples(st.just("edit"), person, row, title),
    st.tuples(st.just("reject"), person, row, reason),
    st.tuples(st.just("approve_all"), person, st.sampled_from(["waiting", "rejected", "all"])),
    st.tuples(st.just("reject_all"), person, st.sampled_from(["waiting", "approved", "all"]), reason),
    st.tuples(st.just("add_tag"), person, st.sampled_from(["waiting", "all"]), tag),
    st.tuples(st.just("remove_tag"), person, st.sampled_from(["waiting", "all"]), tag),
)
undos = st.tuples(st.just("undo"), person, st.integers(0, 9))

Review = tuple[str, str, str, int]  # state, reason, by whom and by which decision it is approved
UNREVIEWED: Review = ("unreviewed", "", "", -1)


class Model:
    """Rows as dicts, and for each decision what it wrote: before and after, by row and field."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = [
            {"title": "A cat", "tags": ["cat", "grey"], "review": UNREVIEWED} for _ in range(ROWS)
        ]
        self.wrote: list[dict[tuple[int, str], tuple[Any, Any]]] = []
        self.undone: set[int] = set()

    def decide(self, changes: dict[int, dict[str, Any]]) -> None:
        wrote = {}
        for number, values in changes.items():
            for name, value in values.items():
                before = self.rows[number][name]
                if before != value:
                    wrote[number, name] = (deepcopy(before), value)
                self.rows[number][name] = value
        self.wrote.append(wrote)

    def undo(self, decision: int) -> tuple[int, int]:
        """How many rows were put back, and in how many something was left."""
        self.undone.add(decision)
        back, left = set(), set()
        for (number, name), (before, after) in self.wrote[decision].items():
            if self.rows[number][name] == after:
                self.rows[number][name] = deepcopy(before)
                back.add(number)
            else:
                left.add(number)
        return len(back), len(left)

    def found(self, status: str) -> list[int]:
        states = {"waiting": "unreviewed"}
        wanted = states.get(status, status)
        return [n for n, each in enumerate(self.rows) if wanted in ("all", each["review"][0])]

    def decide_as(self, kind: str, who: str, *given: Any) -> None:
        number = len(self.wrote)
        approved, rejected = ("approved", "", who, number), ("rejected", given[-1], "", -1)
        match kind:
            case "approve":
                self.decide({given[0]: {"title": given[1], "review": approved}})
            case "edit":
                self.decide({given[0]: {"title": given[1]}})
            case "reject":
                self.decide({given[0]: {"review": rejected}})
            case "approve_all":
                rows = [n for n in self.found(given[0]) if self.rows[n]["review"][0] != "approved"]
                self.decide({n: {"review": approved} for n in rows})
            case "reject_all":
                rows = [n for n in self.found(given[0]) if self.rows[n]["review"][0] != "rejected"]
                self.decide({n: {"review": rejected} for n in rows})
            case _:
                self.decide({n: {"tags": self.tagged(kind, n, given[1])} for n in self.found(given[0])})

    def tagged(self, kind: str, number: int, tag: str) -> list[str]:
        tags = self.rows[number]["tags"]
        others = [each for each in tags if each.lower() != tag.lower()]
        if kind == "remove_tag":
            return others
        return [*tags, tag] if others == tags else tags


class Real:
    """The same in the database."""

    def __init__(self) -> None:
        self.account = AccountFactory()
        album = AlbumFactory(account=self.account)
        self.rows = [AIMetadataFactory(photo=PhotoFactory(album=album), described=True).pk for _ in range(ROWS)]
        self.made: list[Decision] = []

    def decide_as(self, kind: str, who: User, *given: Any) -> None:
        if kind.endswith("_all") or kind.endswith("_tag"):
            name = kind.removesuffix("_all")
            params = {"reason": given[-1], "tag": given[-1]}
            wanted = ReviewFilter(status=given[0])
            self.made.append(bulk.decide(self.account, by=who, kind=name, filter=wanted, params=params))
            return
        words = AIMetadata.objects.get(pk=self.rows[given[0]])
        if kind == "reject":
            self.made.append(workflow.reject(words, by=who, version=words.version, reason=given[1]))
        else:
            decide = workflow.approve if kind == "approve" else workflow.edit
            self.made.append(decide(words, by=who, version=words.version, changes={"ai_title": given[1]}))

    def undo(self, decision: int, who: User) -> tuple[int, int]:
        undone = bulk.undo(self.made[decision], by=who)
        assert undone.undo == Decision.Undo.DONE
        assert bulk.kept(undone).count() == undone.undo_kept
        return undone.undone, undone.undo_kept

    @property
    def standing(self) -> list[Any]:
        rows = AIMetadata.objects.in_bulk(self.rows)
        return [
            (each.ai_title, each.ai_tags, each.review_status, each.rejection_reason, each.approved_by)
            for each in (rows[pk] for pk in self.rows)
        ]


@pytest.mark.usefixtures("enqueued")  # no argument: Hypothesis would write down all of it each time
@settings(max_examples=SEQUENCES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sequence=st.lists(st.one_of(decisions, decisions, undos), min_size=2, max_size=12))
def test_decisions_and_undos_in_any_order_leave_what_a_plain_model_says(sequence: list[Any]):
    people = [User.objects.filter(username=name).first() or UserFactory(username=name) for name in ("p0", "p1")]
    model, real = Model(), Real()

    for kind, who, *details in sequence:
        if kind != "undo":
            model.decide_as(kind, f"user:p{who}", *details)
            real.decide_as(kind, people[who], *details)
        elif details[0] in model.undone:
            with pytest.raises(bulk.AlreadyUndone):
                bulk.undo(real.made[details[0]], by=people[who])
        elif details[0] < len(model.wrote):
            assert real.undo(details[0], people[who]) == model.undo(details[0])
        expected = [(each["title"], each["tags"], *each["review"][:3]) for each in model.rows]
        assert real.standing == expected

    for pk, version in AIMetadata.objects.filter(pk__in=real.rows).values_list("pk", "version"):
        steps = list(MetadataHistory.objects.filter(metadata=pk).order_by("version"))
        assert [step.version for step in steps] == list(range(1, version + 1))
        for earlier, later in zip(steps, steps[1:], strict=False):
            assert (later.previous_title, later.previous_tags) == (earlier.new_title, earlier.new_tags)
            assert later.previous_review_status == earlier.new_review_status
