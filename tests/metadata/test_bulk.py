"""Decisions over many photos: what they write, what they leave, and that a stop or a kill costs nothing."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from django.contrib.auth.models import User

from metadata import bulk, chunks, jobs, workflow
from metadata.models import AIMetadata, Decision, MetadataHistory, PhotoEmbedding
from metadata.queue import ReviewFilter
from smugmug.models import Account, Album
from targetvision.models import RunState
from tests.conftest import together
from tests.factories import AIMetadataFactory, AlbumFactory, PhotoFactory, UserFactory

pytestmark = pytest.mark.django_db

Enqueued = list[tuple[str, tuple[Any, ...]]]
ALL_WAITING = ReviewFilter()


@pytest.fixture
def album(library_of_ada: Account) -> Album:
    return AlbumFactory(account=library_of_ada)


def described(album: Album, count: int = 1, **fields: Any) -> list[AIMetadata]:
    rows = [AIMetadataFactory(photo=PhotoFactory(album=album), **{"described": True, **fields}) for _ in range(count)]
    return sorted(rows, key=lambda row: row.pk)


def states(album: Album) -> list[str]:
    return list(AIMetadata.objects.filter(photo__album=album).order_by("pk").values_list("review_status", flat=True))


def tags(album: Album) -> list[list[str]]:
    return list(AIMetadata.objects.filter(photo__album=album).order_by("pk").values_list("ai_tags", flat=True))


def steps_of(decision: Decision) -> list[MetadataHistory]:
    return list(decision.steps.order_by("metadata", "version"))


def figures(decision: Decision) -> tuple[int | None, int, int, int]:
    decision.refresh_from_db()
    return decision.total, decision.done, decision.changed, decision.passed_over


# --- What each kind writes ---------------------------------------------------------------------------------------


def test_decide_to_approve_writes_each_row_with_its_step(album: Album, ada: User, enqueued: Enqueued):
    rows = described(album, 3)
    elsewhere = AIMetadataFactory(described=True)
    AIMetadataFactory(photo=PhotoFactory(album=album))

    decision = bulk.decide(album.account, by=ada, kind="approve", filter=ALL_WAITING)

    assert (decision.state, decision.is_bulk, decision.requested_by) == (RunState.SUCCEEDED, True, ada)
    assert figures(decision) == (3, 3, 3, 0)
    steps = steps_of(decision)
    assert [step.metadata_id for step in steps] == [row.pk for row in rows]
    for row, step in zip(
        AIMetadata.objects.filter(photo__album=album).exclude(version=0).order_by("pk"), steps, strict=True
    ):
        assert (row.review_status, row.approved, row.approved_by, row.version) == ("approved", True, "user:ada", 2)
        assert (row.approved_at, row.updated_at) == (step.created_at, step.created_at)
        assert (step.version, step.source, step.changed_by, step.change_reason) == (2, "person", "user:ada", "approved")
        assert (step.previous_review_status, step.new_review_status) == ("unreviewed", "approved")
        assert (step.previous_description, step.new_description) == ("A grey cat on a wall.", "A grey cat on a wall.")
        assert (step.previous_tags, step.new_tags, step.new_categories) == (
            ["cat", "grey"],
            ["cat", "grey"],
            ["Animals"],
        )
    elsewhere.refresh_from_db()
    assert (elsewhere.review_status, elsewhere.version) == ("unreviewed", 1)
    assert enqueued == []


def test_decide_to_approve_leaves_words_without_a_description(album: Album, ada: User, enqueued: Enqueued):
    described(album, 1, ai_description="")

    decision = bulk.decide(album.account, by=ada, kind="approve", filter=ALL_WAITING)

    assert figures(decision) == (0, 0, 0, 0)
    assert decision.state == RunState.SUCCEEDED
    assert states(album) == ["unreviewed"]


def test_decide_to_reject_takes_the_approval_away_and_keeps_the_reason(album: Album, ada: User, enqueued: Enqueued):
    [row] = described(album, 1, approved=True)

    decision = bulk.decide(
        album.account, by=ada, kind="reject", filter=ReviewFilter(status="approved"), params={"reason": "Too vague"}
    )

    row.refresh_from_db()
    assert (row.review_status, row.rejection_reason, row.approved_by, row.approved_at) == (
        "rejected",
        "Too vague",
        "",
        None,
    )
    [step] = steps_of(decision)
    assert step.change_reason == "rejected: Too vague"
    assert (step.previous_approved_by, step.new_rejection_reason) == ("user:grace", "Too vague")


@pytest.mark.parametrize(
    ("kind", "params", "after", "reason"),
    [
        ("add_tag", {"tag": "wall"}, [["cat", "grey", "wall"], ["Wall"]], "added the tag “wall”"),
        ("remove_tag", {"tag": "CAT"}, [["grey"], ["Wall"]], "removed the tag “CAT”"),
        ("replace_tag", {"tag": "Cat", "to": "tom"}, [["tom", "grey"], ["Wall"]], "replaced the tag “Cat” by “tom”"),
        ("replace_word", {"old": "CAT", "new": "TOM"}, [["tOM", "grey"], ["Wall"]], "replaced “CAT” by “TOM”"),
    ],
)
def test_decide_on_tags_writes_those_it_concerns(
    album: Album, ada: User, enqueued: Enqueued, kind: str, params: dict[str, str], after: Any, reason: str
):
    [holding] = described(album)
    [other] = described(album, 1, ai_tags=["Wall"], ai_title="", ai_description="A wall.", ai_alt_text="")
    for row in (holding, other):
        PhotoEmbedding.objects.create(photo=row.photo, model="m", embedding=[1.0] + [0.0] * 1535)

    decision = bulk.decide(album.account, by=ada, kind=kind, filter=ALL_WAITING, params=params)

    holding.refresh_from_db()
    other.refresh_from_db()
    assert [holding.ai_tags, other.ai_tags] == after
    assert figures(decision) == (1, 1, 1, 0)
    [step] = steps_of(decision)
    assert (step.metadata_id, step.previous_tags, step.new_tags) == (holding.pk, ["cat", "grey"], after[0])
    assert step.change_reason == reason
    assert holding.review_status == "unreviewed"
    assert list(PhotoEmbedding.objects.values_list("photo", flat=True)) == [other.photo_id]
    assert enqueued == [("embed_left", (str(album.account_id),))]


def test_decide_to_replace_a_word_leaves_what_people_decided_on(album: Album, ada: User, enqueued: Enqueued):
    described(album, 1, approved=True)
    [waiting] = described(album)

    decision = bulk.decide(
        album.account,
        by=ada,
        kind="replace_word",
        filter=ReviewFilter(status="all"),
        params={"old": "cat", "new": "tiger"},
    )

    assert [step.metadata_id for step in steps_of(decision)] == [waiting.pk]
    waiting.refresh_from_db()
    assert (waiting.ai_title, waiting.ai_description) == ("A tiger", "A grey tiger on a wall.")


def test_decide_on_tags_judges_the_lane_anew(album: Album, ada: User, enqueued: Enqueued):
    [row] = described(album, 1, lane="glance", ai_description="Perhaps a cat that sits on a wall.")

    bulk.decide(album.account, by=ada, kind="add_tag", filter=ALL_WAITING, params={"tag": "wall"})

    row.refresh_from_db()
    assert (row.lane, row.doubts) == ("read", ["guesses"])


def test_decide_among_some_leaves_the_others_and_what_the_filter_does_not_find(
    album: Album, ada: User, enqueued: Enqueued
):
    rows = described(album, 3)
    described(album, 1, lane="read")
    some = AIMetadata.objects.exclude(pk=rows[1].pk)

    decision = bulk.decide(album.account, by=ada, kind="approve", filter=ReviewFilter(lane="glance"), among=some)

    assert figures(decision) == (0, 0, 0, 0)
    decision = bulk.decide(album.account, by=ada, kind="approve", filter=ALL_WAITING, among=some)
    assert figures(decision) == (3, 3, 3, 0)
    rows[1].refresh_from_db()
    assert rows[1].review_status == "unreviewed"


@pytest.mark.parametrize(("kind", "params"), [("reject", {}), ("replace_tag", {"tag": "a"}), ("replace_word", None)])
def test_decide_without_what_the_kind_needs_writes_nothing(album: Album, ada: User, kind: str, params: Any):
    described(album)

    with pytest.raises(ValueError, match="needs"):
        bulk.decide(album.account, by=ada, kind=kind, filter=ALL_WAITING, params=params)

    assert states(album) == ["unreviewed"]
    assert not Decision.objects.exists()


def test_preview_counts_what_matches_and_what_would_change(album: Album, ada: User):
    described(album, 2)
    described(album, 1, ai_tags=["Wall"])
    AIMetadataFactory(described=True)

    assert bulk.preview("add_tag", ALL_WAITING, {"tag": "wall"}, ada) == (3, 2)
    assert bulk.preview("remove_tag", ALL_WAITING, {"tag": "wall"}, ada) == (3, 1)
    assert bulk.preview("approve", ALL_WAITING, {}, UserFactory()) == (0, 0)


# --- The words of a page ------------------------------------------------------------------------------------------


def test_decide_page_leaves_what_was_changed_since_and_names_it(album: Album, ada: User, enqueued: Enqueued):
    first, second, third = described(album, 3)
    workflow.edit(second, by=UserFactory(), version=1, changes={"ai_title": "Tom"})

    decision, missed = bulk.decide_page(
        album.account, by=ada, kind="approve", versions={first.pk: 1, second.pk: 1, third.pk: 1}
    )

    assert missed == {second.pk}
    assert figures(decision) == (3, 3, 2, 1)
    assert states(album) == ["approved", "unreviewed", "approved"]
    assert [step.metadata_id for step in steps_of(decision)] == [first.pk, third.pk]


def test_decide_page_to_approve_takes_the_bursts_along(album: Album, ada: User, enqueued: Enqueued):
    first, second = described(album, 2)
    AIMetadata.objects.filter(pk__in=[first.pk, second.pk]).update(stack=first.pk)
    AIMetadata.objects.filter(pk=second.pk).update(ai_title="Its own")

    decision, missed = bulk.decide_page(album.account, by=ada, kind="approve", versions={first.pk: 1})

    assert missed == set()
    assert figures(decision) == (2, 2, 2, 0)
    second.refresh_from_db()
    assert (second.review_status, second.ai_title) == ("approved", "A cat")
    assert [(step.metadata_id, step.came_from_id) for step in steps_of(decision)] == [
        (first.pk, None),
        (second.pk, first.pk),
    ]
    assert enqueued == [("embed_left", (str(album.account_id),))]


def test_decide_page_of_another_library_writes_nothing(album: Album, ada: User, enqueued: Enqueued):
    [row] = described(AlbumFactory())

    decision, missed = bulk.decide_page(album.account, by=ada, kind="approve", versions={row.pk: 1})

    assert missed == {row.pk}
    assert decision.changed == 0
    row.refresh_from_db()
    assert row.review_status == "unreviewed"


# --- Chunk by chunk ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("many")
def test_decide_on_many_leaves_them_to_a_job(album: Album, ada: User, enqueued: Enqueued):
    described(album, 5)

    decision = bulk.decide(album.account, by=ada, kind="approve", filter=ALL_WAITING)

    assert (decision.state, decision.total, decision.changed) == (RunState.QUEUED, 5, 0)
    assert enqueued == [("carry_out_decision", (str(decision.pk),))]
    jobs.carry_out_decision(str(decision.pk))
    assert figures(decision) == (5, 5, 5, 0)
    assert decision.state == RunState.SUCCEEDED
    assert states(album) == ["approved"] * 5


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("at", ["before the cursor is written", "after the chunk"])
def test_carry_on_after_a_kill_comes_to_every_row_once(
    album: Album, ada: User, enqueued: Enqueued, monkeypatch: pytest.MonkeyPatch, at: str
):
    described(album, 7)
    decision = bulk.decide(album.account, by=ada, kind="add_tag", filter=ALL_WAITING, params={"tag": "wall"})
    beat, chunk = chunks._beat, chunks._chunk

    class Killed(BaseException):
        pass

    def killed(*args: Any, **kwargs: Any) -> None:
        if decision.changed >= 2:
            raise Killed
        (beat if at.startswith("before") else chunk)(*args, **kwargs)

    monkeypatch.setattr(chunks, "_beat" if at.startswith("before") else "_chunk", killed)
    with pytest.raises(Killed):
        chunks.carry_on(decision, seconds=60)
    monkeypatch.undo()
    assert figures(decision) == (7, 2, 2, 0)
    assert sum("wall" in each for each in tags(album)) == 2
    Decision.objects.update(heartbeat_at="2020-01-01T00:00Z")  # long ago

    jobs.resume_stalled_decisions()
    jobs.carry_out_decision(str(decision.pk))

    assert ("carry_out_decision", (str(decision.pk),)) in enqueued
    assert figures(decision) == (7, 7, 7, 0)
    assert tags(album) == [["cat", "grey", "wall"]] * 7
    assert [step.version for step in steps_of(decision)] == [2] * 7


@pytest.mark.usefixtures("many")
def test_carry_on_when_its_time_is_over_goes_on_in_the_next_slice(
    album: Album, ada: User, enqueued: Enqueued, monkeypatch: pytest.MonkeyPatch
):
    described(album, 3)
    decision = bulk.decide(album.account, by=ada, kind="approve", filter=ALL_WAITING)
    monkeypatch.setattr(jobs, "SLICE_SECONDS", 0)
    enqueued.clear()

    jobs.carry_out_decision(str(decision.pk))

    decision.refresh_from_db()
    assert (decision.state, decision.changed) == (RunState.QUEUED, 0)
    assert enqueued == [("carry_out_decision", (str(decision.pk),))]


@pytest.mark.usefixtures("many")
def test_carry_on_leaves_what_was_changed_or_came_since(album: Album, ada: User, enqueued: Enqueued):
    first, second, third = described(album, 3)
    decision = bulk.decide(album.account, by=ada, kind="approve", filter=ALL_WAITING)
    grace = UserFactory(username="grace")
    workflow.reject(first, by=grace, version=1, reason="Other")
    workflow.edit(second, by=grace, version=1, changes={"ai_title": "By hand"})
    [newcomer] = described(album)

    jobs.carry_out_decision(str(decision.pk))

    assert figures(decision) == (3, 3, 1, 2)
    found = dict(AIMetadata.objects.values_list("pk", "review_status"))
    assert found == {first.pk: "rejected", second.pk: "unreviewed", third.pk: "approved", newcomer.pk: "unreviewed"}
    second.refresh_from_db()
    assert second.ai_title == "By hand"


@pytest.mark.usefixtures("many")
def test_carry_on_passes_over_what_has_nothing_to_change(album: Album, ada: User, enqueued: Enqueued):
    described(album, 3)
    described(album, 1, ai_tags=["CAT"])

    decision = bulk.decide(
        album.account, by=ada, kind="replace_tag", filter=ALL_WAITING, params={"tag": "cat", "to": "cat"}
    )
    jobs.carry_out_decision(str(decision.pk))

    assert figures(decision) == (4, 4, 1, 3)
    assert decision.state == RunState.SUCCEEDED
    assert sorted(tags(album)) == [["cat"], *[["cat", "grey"]] * 3]


@pytest.mark.usefixtures("many")
def test_decisions_made_one_after_the_other_are_carried_out_so(album: Album, ada: User, enqueued: Enqueued):
    described(album, 3)
    tag = bulk.decide(album.account, by=ada, kind="add_tag", filter=ALL_WAITING, params={"tag": "wall"})
    approve = bulk.decide(album.account, by=ada, kind="approve", filter=ALL_WAITING)
    enqueued.clear()

    jobs.carry_out_decision(str(approve.pk))
    assert states(album) == ["unreviewed"] * 3
    assert enqueued == []

    jobs.carry_out_decision(str(tag.pk))
    assert enqueued[0] == ("carry_out_decision", (str(approve.pk),))
    jobs.carry_out_decision(str(approve.pk))

    assert (figures(tag), figures(approve)) == ((3, 3, 3, 0), (3, 3, 3, 0))
    assert states(album) == ["approved"] * 3
    assert tags(album) == [["cat", "grey", "wall"]] * 3


@pytest.mark.usefixtures("many")
def test_cancel_keeps_what_was_done_and_it_can_go_on(
    album: Album, ada: User, enqueued: Enqueued, monkeypatch: pytest.MonkeyPatch
):
    described(album, 5)
    decision = bulk.decide(album.account, by=ada, kind="approve", filter=ALL_WAITING)
    chunk = chunks._chunk

    def stopped_after_one(mine: Decision, *rest: Any) -> None:
        chunk(mine, *rest)
        bulk.cancel(Decision.objects.get(pk=decision.pk))

    monkeypatch.setattr(chunks, "_chunk", stopped_after_one)
    jobs.carry_out_decision(str(decision.pk))
    monkeypatch.undo()

    assert figures(decision) == (5, 2, 2, 0)
    assert decision.state == RunState.CANCELLED
    assert states(album).count("approved") == 2
    assert bulk.cancel(decision) is False
    jobs.carry_out_decision(str(decision.pk))
    assert states(album).count("approved") == 2

    assert bulk.go_on(decision) is True
    jobs.carry_out_decision(str(decision.pk))

    assert figures(decision) == (5, 5, 5, 0)
    assert decision.state == RunState.SUCCEEDED
    assert bulk.go_on(decision) is False


@pytest.mark.usefixtures("many")
def test_carry_on_of_somebody_who_is_gone_fails_with_a_sentence(album: Album, enqueued: Enqueued):
    described(album, 3)
    decision = bulk.decide(album.account, by=UserFactory(), kind="approve", filter=ALL_WAITING)
    User.objects.filter(pk=decision.requested_by_id).delete()

    jobs.carry_out_decision(str(decision.pk))

    decision.refresh_from_db()
    assert (decision.state, decision.waiting_for) == (RunState.FAILED, chunks.NOBODY)
    assert states(album) == ["unreviewed"] * 3


def test_carry_out_decision_that_is_gone_does_nothing(enqueued: Enqueued):
    jobs.carry_out_decision("00000000-0000-0000-0000-000000000000")

    assert enqueued == []


def test_pace_follows_how_long_rows_were_held():
    pace = chunks.Pace()
    pace.learn(500, chunks.HELD_SECONDS / 4)
    assert pace.size == 1_000  # at most twice as many
    pace.learn(1_000, chunks.HELD_SECONDS * 2)
    assert pace.size == 500
    pace.learn(3, 0.001)  # the rest says nothing
    assert pace.size == 500
    pace.learn(500, 60)
    assert pace.size == chunks.LEAST


# --- Two at once --------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_curators_and_a_bulk_decision_have_one_winner_for_every_photo(
    album: Album, enqueued: Enqueued, monkeypatch: pytest.MonkeyPatch
):
    described(album, 40)
    people = [UserFactory(username=name) for name in ("bulk", "one", "two")]
    for name in ("FIRST", "MOST"):
        monkeypatch.setattr(chunks, name, 5)
    won = {person.username: 0 for person in people}

    def at_once() -> None:
        decision = bulk.decide(album.account, by=people[0], kind="approve", filter=ALL_WAITING)
        won["bulk"] = decision.changed
        assert decision.state == RunState.SUCCEEDED

    def one_by_one(person: User, mine: list[AIMetadata]) -> None:
        for row in mine:
            with contextlib.suppress(workflow.AlreadyDecided):
                workflow.approve(row, by=person, version=1, changes={"ai_title": f"By {person}"})
                won[person.username] += 1

    backwards, anyhow = (list(AIMetadata.objects.order_by(order)) for order in ("-pk", "?"))
    together(at_once, lambda: one_by_one(people[1], backwards), lambda: one_by_one(people[2], anyhow))

    assert sum(won.values()) == 40
    for row in AIMetadata.objects.filter(photo__album=album):
        [step] = row.history.filter(source="person")
        assert (row.review_status, row.version, row.approved_by) == ("approved", 2, step.changed_by)
        assert (step.new_title, step.new_review_status) == (row.ai_title, "approved")
        assert row.ai_title == ("A cat" if step.changed_by == "user:bulk" else f"By {step.author}")
