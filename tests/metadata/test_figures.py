"""How fast, and how good: from decisions and the history they wrote."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from metadata import bulk, figures, workflow
from metadata.models import AIMetadata, Decision, MetadataHistory
from metadata.queue import ReviewFilter
from smugmug.models import Account
from tests.factories import AIMetadataFactory, AlbumFactory, MembershipFactory, PhotoFactory

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "left", "expected"),
    [
        ("A grey cat on a wall.", "A grey cat on a wall.", 0),
        ("A grey cat on a wall.", "A ginger cat on a wall.", 1),  # replaced
        ("A grey cat on a wall.", "A grey cat on a low wall.", 1),  # put in
        ("A grey cat on a wall.", "A cat on a wall!", 1),  # taken out; marks are no words
        ("A cat", "Two grey dogs asleep", 4),
        ("", "A cat", 2),
        ("a b a b", "b a b a", 2),
        ("one two three four", "four two three one", 2),
    ],
)
def test_words_edited_counts_each_word_once(said: str, left: str, expected: int):
    assert figures.words_edited([said], [left]) == expected


def test_words_edited_counts_each_tag_as_one_word():
    assert figures.words_edited([["cat", "big wall"], "x"], [["big stone wall", "cat", "sea"], "x"]) == 2


@pytest.fixture
def described(db: None, library_of_ada: Account, enqueued: list[Any]) -> Any:
    """Makes words that wait for review."""
    album = AlbumFactory(account=library_of_ada)

    def described(**words: Any) -> AIMetadata:
        return AIMetadataFactory(photo=PhotoFactory(album=album), described=True, **{"prompt": "Default 1", **words})

    return described


def approve(words: AIMetadata, by: Any, **changes: Any) -> Decision:
    return workflow.approve(words, by=by, version=words.version, changes=changes)


def told(account: Account, period: str = "all") -> figures.Figures:
    return figures.figures([account.pk], period=period)


class TestShares:
    def test_figures_count_as_untouched_what_was_approved_as_the_ai_said_it(
        self, library_of_ada: Account, ada: Any, described: Any
    ):
        approve(described(), ada)
        approve(described(), ada)
        approve(described(), ada, ai_description="A ginger cat on a low wall.")
        approve(described(), ada, ai_tags=["cat", "grey", "wall"])

        whole = told(library_of_ada).whole

        assert (whole.approved, whole.untouched, whole.untouched_share) == (4, 2, 50)
        assert sorted(whole.edits) == [1, 2]
        assert whole.words_edited == 1.5

    def test_figures_of_words_edited_before_they_were_approved_count_them_as_edited(
        self, library_of_ada: Account, ada: Any, described: Any
    ):
        words = described()
        workflow.edit(words, by=ada, version=1, changes={"ai_description": "A ginger cat on a wall."})
        approve(AIMetadata.objects.get(), ada)

        whole = told(library_of_ada).whole

        assert (whole.approved, whole.untouched, whole.edits) == (1, 0, [1])

    def test_figures_by_prompt_and_by_model_keep_them_apart(self, library_of_ada: Account, ada: Any, described: Any):
        approve(described(prompt="Default 2"), ada)
        approve(described(), ada, ai_title="Another")
        workflow.reject(described(), by=ada, version=1, reason="Wrong subject: it is a dog")
        other = described()
        MetadataHistory.objects.filter(metadata=other).update(changed_by="ai:other-9")
        workflow.reject(other, by=ada, version=1, reason="Too vague")

        found = told(library_of_ada)

        assert [(line.name, line.approved, line.untouched, line.why) for line in found.prompts] == [
            ("Default 1", 1, 0, [("Too vague", 1), ("Wrong subject", 1)]),
            ("Default 2", 1, 1, []),
        ]
        assert [(line.name, line.decided, line.rejected) for line in found.models] == [
            ("fake-1", 3, 1),
            ("other-9", 1, 1),
        ]
        assert (found.whole.decided, found.whole.rejected, found.whole.untouched_share) == (4, 2, 50)

    def test_figures_of_words_that_were_described_again_keep_the_model_and_not_the_prompt(
        self, library_of_ada: Account, ada: Any, described: Any
    ):
        words = described()
        workflow.reject(words, by=ada, version=1, reason="Too vague")
        answer = MetadataHistory.objects.create(metadata=words, version=3, source="ai", changed_by="ai:other-9")
        AIMetadata.objects.update(version=3, ai_answer=answer, prompt="Default 2", model="other-9")

        found = told(library_of_ada)

        assert [line.name for line in found.prompts] == [figures.UNKNOWN]
        assert [line.name for line in found.models] == ["fake-1"]

    def test_figures_leave_out_what_was_undone_and_what_nobody_looked_at(
        self, library_of_ada: Account, ada: Any, described: Any
    ):
        bulk.undo(approve(described(ai_tags=["dog"]), ada), by=ada)
        for _ in range(3):
            described()
        bulk.decide(library_of_ada, by=ada, kind="approve", filter=ReviewFilter(tag="cat"))

        found = told(library_of_ada)

        assert found.whole.decided == 0
        assert (found.decisions, found.photos, found.bulk_photos) == (2, 4, 3)

    def test_figures_count_each_photo_of_a_page_of_the_grid_and_no_frame_that_followed_it(
        self, library_of_ada: Account, ada: Any, described: Any
    ):
        rows = [described() for _ in range(5)]
        AIMetadata.objects.filter(pk__in=[row.pk for row in rows[:2]]).update(stack=rows[0].pk)
        workflow.edit(rows[2], by=ada, version=1, changes={"ai_description": "A ginger cat on a wall."})
        bulk.decide_page(library_of_ada, by=ada, kind="approve", versions={rows[0].pk: 1, rows[2].pk: 2})
        wrong = {"reason": "Too vague: all"}
        bulk.decide_page(library_of_ada, by=ada, kind="reject", versions={row.pk: 1 for row in rows[3:]}, params=wrong)

        whole = told(library_of_ada).whole

        assert (whole.approved, whole.untouched, whole.edits) == (2, 1, [1])
        assert (whole.rejected, whole.why) == (2, [("Too vague", 2)])
        assert AIMetadata.objects.get(pk=rows[1].pk).review_status == "approved"

    def test_figures_of_other_libraries_stay_out(self, library_of_ada: Account, ada: Any, described: Any):
        theirs = AIMetadataFactory(described=True)
        approve(theirs, theirs.photo.account.owner)

        assert told(library_of_ada).paces == []
        assert figures.figures([], period="all").paces == []


def at(decision: Decision, moment: datetime) -> None:
    Decision.objects.filter(pk=decision.pk).update(created_at=moment)


class TestPace:
    def test_pace_leaves_out_pauses(self, library_of_ada: Account, ada: Any, described: Any):
        for seconds in (0, 10, 20, 40, 4_000, 4_020):
            at(approve(described(), ada), NOON + timedelta(seconds=seconds))

        [pace] = told(library_of_ada).paces

        assert (pace.who, pace.decisions, pace.photos, pace.paced, pace.seconds) == ("ada", 6, 6, 4, 60)
        assert pace.an_hour == 240

    def test_pace_is_of_each_person_for_themselves(self, library_of_ada: Account, ada: Any, described: Any):
        grace = MembershipFactory(account=library_of_ada, user__username="grace", role="curator").user
        for place in range(3):
            at(approve(described(), ada), NOON + timedelta(seconds=20 * place))
            at(approve(described(), grace), NOON + timedelta(seconds=5 * place + 1))

        paces = told(library_of_ada).paces

        assert [(pace.who, pace.an_hour) for pace in paces] == [("ada", 180), ("grace", 720)]

    def test_pace_of_one_decision_cannot_be_told(self, library_of_ada: Account, ada: Any, described: Any):
        approve(described(), ada)

        assert told(library_of_ada).paces[0].an_hour is None

    def test_pace_counts_a_decision_over_many_photos_once(self, library_of_ada: Account, ada: Any, described: Any):
        for _ in range(3):
            described()
        bulk.decide(library_of_ada, by=ada, kind="approve", filter=ReviewFilter())

        [pace] = told(library_of_ada).paces

        assert (pace.decisions, pace.photos, pace.bulk, pace.bulk_photos) == (1, 3, 1, 3)

    def test_pace_of_a_period_leaves_out_what_is_older(self, library_of_ada: Account, ada: Any, described: Any):
        for days in (1, 50, 200, 900):
            at(approve(described(), ada), timezone.now() - timedelta(days=days))

        found = {period: told(library_of_ada, period) for period in figures.PERIODS}

        assert {period: each.decisions for period, each in found.items()} == {"": 1, "quarter": 2, "year": 3, "all": 4}
        assert {period: each.whole.approved for period, each in found.items()} == {
            "": 1,
            "quarter": 2,
            "year": 3,
            "all": 4,
        }


def test_figures_are_told_from_the_newest_decisions_in_three_queries(
    library_of_ada: Account, ada: Any, described: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(figures, "LATEST", 3)
    monkeypatch.setattr(figures, "COMPARED", 2)
    monkeypatch.setattr(figures, "EDITED", 1)
    at(approve(described(), ada), NOON)
    for place in range(3):
        at(approve(described(), ada, ai_title=f"Title {place}"), NOON + timedelta(days=1 + place))

    with CaptureQueriesContext(connection) as queries:
        found = told(library_of_ada)

    assert len(queries) == 3
    assert (found.decisions, found.whole.approved, found.whole.untouched, found.is_cut) == (3, 2, 0, True)
    assert len(found.whole.edits) == 1
