"""One approval for a burst: which frames it takes along, and whose words it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from metadata import bulk, workflow
from metadata.models import AIMetadata, Decision, MetadataHistory
from metadata.queue import ReviewFilter
from smugmug.models import Account, Album
from tests.factories import AIMetadataFactory, AlbumFactory, PhotoFactory, UserFactory

pytestmark = pytest.mark.django_db

Enqueued = list[tuple[str, tuple[Any, ...]]]


@pytest.fixture
def album(library_of_ada: Account) -> Album:
    return AlbumFactory(account=library_of_ada)


@pytest.fixture
def grace(db: None) -> User:
    return UserFactory(username="grace")


def burst(album: Album, count: int = 2, **fields: Any) -> list[AIMetadata]:
    """Frames in one stack; the first has a title of its own, so that the others' words are not its."""
    titles = [{"ai_title": "The first"}, *([{}] * (count - 1))]
    frames = [
        AIMetadataFactory(photo=PhotoFactory(album=album), described=True, **{**title, **fields}) for title in titles
    ]
    AIMetadata.objects.filter(pk__in=[frame.pk for frame in frames]).update(stack=frames[0].pk)
    return [now(frame) for frame in frames]


def now(words: AIMetadata) -> AIMetadata:
    return AIMetadata.objects.select_related("photo").get(pk=words.pk)


def tag(frames: list[AIMetadata], name: str, by: User) -> Decision:
    """A tag added on the grid to these frames alone."""
    versions = {frame.pk: now(frame).version for frame in frames}
    account = frames[0].photo.account
    return bulk.decide_page(account, by=by, kind="add_tag", versions=versions, params={"tag": name})[0]


def approve(frame: AIMetadata, by: User, **changes: Any) -> Decision:
    frame = now(frame)
    return workflow.approve(frame, by=by, version=frame.version, changes=changes)


def counts(decision: Decision) -> tuple[int | None, int, int, int]:
    return decision.total, decision.done, decision.changed, decision.passed_over


# --- What somebody wrote -----------------------------------------------------------------------------------------


def test_approve_a_burst_leaves_the_frame_that_got_a_tag_of_its_own(
    album: Album, ada: User, grace: User, enqueued: Enqueued
):
    first, second, third = burst(album, 3)
    tag([second], "winner", ada)

    decision = approve(first, grace)

    assert counts(decision) == (3, 3, 2, 1)
    assert (now(second).ai_tags, now(second).review_status) == (["cat", "grey", "winner"], "unreviewed")
    assert (now(third).ai_title, now(third).review_status) == ("The first", "approved")
    assert not MetadataHistory.objects.filter(metadata=second, came_from__isnull=False).exists()


def test_approve_a_burst_leaves_the_frame_in_which_a_word_was_replaced(
    album: Album, ada: User, grace: User, enqueued: Enqueued
):
    first, second = burst(album)
    AIMetadata.objects.filter(pk=second.pk).update(ai_description="A leopard on a wall.")
    word = {"old": "leopard", "new": "cheetah"}
    bulk.decide(album.account, by=ada, kind="replace_word", filter=ReviewFilter(), params=word)

    decision = approve(first, grace)

    assert counts(decision) == (2, 2, 1, 1)
    assert (now(second).ai_description, now(second).review_status) == ("A cheetah on a wall.", "unreviewed")


def test_approve_a_burst_leaves_what_an_undo_had_to_keep(album: Album, ada: User, grace: User, enqueued: Enqueued):
    first, second = burst(album)
    edited = workflow.edit(second, by=ada, version=1, changes={"ai_tags": ["hers"]})
    tag([second], "his", grace)
    assert bulk.undo(edited, by=ada).undo_kept == 1

    decision = approve(first, grace)

    assert counts(decision) == (2, 2, 1, 1)
    assert (now(second).ai_tags, now(second).review_status) == (["hers", "his"], "unreviewed")


def test_approve_a_burst_leaves_what_a_decision_wrote_into_the_first_before_the_ai_answered_anew(
    album: Album, ada: User, grace: User, enqueued: Enqueued
):
    first, second = burst(album)
    tag([first, second], "winner", ada)
    answer = MetadataHistory.objects.create(metadata=first, version=3, source="ai", changed_by="ai:fake-1")
    AIMetadata.objects.filter(pk=first.pk).update(ai_tags=["cat"], ai_answer=answer, version=3)

    decision = approve(first, grace)

    assert counts(decision) == (2, 2, 1, 1)
    assert "winner" in now(second).ai_tags


# --- What may be written -----------------------------------------------------------------------------------------


def test_approve_a_burst_takes_along_what_came_of_decisions_that_wrote_the_first_too(
    album: Album, ada: User, grace: User, enqueued: Enqueued
):
    first, second = burst(album)
    tag([first, second], "winner", ada)

    decision = approve(first, grace)

    assert counts(decision) == (2, 2, 2, 0)
    assert (now(second).ai_title, now(second).ai_tags) == ("The first", ["cat", "grey", "winner"])


def test_approve_a_burst_takes_along_the_frame_that_has_the_same_words(
    album: Album, ada: User, grace: User, enqueued: Enqueued
):
    first, second = burst(album, ai_title="One title")
    tag([second], "winner", ada)

    decision = approve(first, grace, ai_tags=["cat", "grey", "winner"])

    assert counts(decision) == (2, 2, 2, 0)
    assert (now(second).review_status, now(second).ai_tags) == ("approved", ["cat", "grey", "winner"])


def test_approve_a_burst_takes_along_the_frame_whose_edit_was_taken_back(
    album: Album, ada: User, grace: User, enqueued: Enqueued
):
    first, second = burst(album)
    bulk.undo(workflow.edit(second, by=ada, version=1, changes={"ai_title": "Hers"}), by=ada)

    decision = approve(first, grace)

    assert counts(decision) == (2, 2, 2, 0)
    assert (now(second).review_status, now(second).ai_title) == ("approved", "The first")


def test_approve_a_burst_takes_along_what_the_ai_answered_after_an_edit(
    album: Album, ada: User, grace: User, enqueued: Enqueued
):
    first, second = burst(album)
    workflow.edit(second, by=ada, version=1, changes={"ai_title": "Hers"})
    MetadataHistory.objects.create(
        metadata=second, version=3, source="ai", changed_by="ai:fake-1", new_title="Anew", new_tags=["new"]
    )
    AIMetadata.objects.filter(pk=second.pk).update(ai_title="Anew", ai_tags=["new"], version=3)

    assert counts(approve(first, grace)) == (2, 2, 2, 0)


def test_approve_a_burst_judges_each_frame_by_the_words_it_got(album: Album, grace: User, enqueued: Enqueued):
    first, second = burst(album)
    AIMetadata.objects.filter(pk=second.pk).update(ai_title="", lane="read", doubts=["no_title"])

    approve(first, grace)

    assert (now(second).ai_title, now(second).lane, now(second).doubts) == ("The first", "glance", [])


# --- Without history ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_edited", [True, False])
def test_approve_a_burst_with_a_frame_that_no_ai_answered_goes_by_what_people_wrote(
    album: Album, ada: User, grace: User, enqueued: Enqueued, is_edited: bool
):
    first, second = burst(album)
    second.history.all().delete()
    if is_edited:
        workflow.edit(second, by=ada, version=1, changes={"ai_title": "Hers"})

    decision = approve(first, grace)

    assert decision.passed_over == is_edited
    assert now(second).ai_title == ("Hers" if is_edited else "The first")


# --- Whose bursts are followed -----------------------------------------------------------------------------------


def test_approve_again_leaves_the_frames_that_wait(album: Album, ada: User, grace: User, enqueued: Enqueued):
    first, second = burst(album)
    workflow.approve(first, by=ada, version=1, changes={}, members=False)

    decision = approve(first, grace, ai_title="Better")

    assert counts(decision) == (1, 1, 1, 0)
    assert (now(first).ai_title, now(first).approved_by) == ("Better", "user:grace")
    assert (now(second).review_status, now(second).ai_title) == ("unreviewed", "A cat")


def test_approve_a_photo_without_a_description_leaves_the_frames_that_wait(
    album: Album, grace: User, enqueued: Enqueued
):
    _, second = burst(album)
    failed = AIMetadataFactory(photo=PhotoFactory(album=album), failed=True, stack=second.stack)

    decision = workflow.approve(failed, by=grace, version=0, changes={"ai_description": "By hand."})

    assert counts(decision) == (1, 1, 1, 0)
    assert now(second).review_status == "unreviewed"


def test_approve_a_page_of_rejected_words_leaves_the_frames_that_wait(
    album: Album, ada: User, grace: User, enqueued: Enqueued
):
    first, second = burst(album)
    workflow.reject(first, by=ada, version=1, reason="Other")

    decision, _ = bulk.decide_page(album.account, by=grace, kind="approve", versions={first.pk: 2})

    assert counts(decision) == (1, 1, 1, 0)
    assert [now(each).review_status for each in (first, second)] == ["approved", "unreviewed"]


def test_approve_a_page_takes_as_many_statements_for_many_bursts_as_for_one(
    album: Album, ada: User, grace: User, enqueued: Enqueued
):
    def statements(bursts: list[list[AIMetadata]]) -> int:
        for _, second, _ in bursts:
            tag([second], "winner", ada)
        versions = {first.pk: 1 for first, *_ in bursts}
        with CaptureQueriesContext(connection) as queries:
            decision, _ = bulk.decide_page(album.account, by=grace, kind="approve", versions=versions)
        assert (decision.changed, decision.passed_over) == (2 * len(bursts), len(bursts))
        return len(queries)

    few = statements([burst(album, 3)])

    assert statements([burst(album, 3) for _ in range(6)]) == few
