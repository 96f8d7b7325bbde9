"""What a filter found when a decision was made, and nothing that comes to match or is rewritten before its job runs."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from metadata import bulk, jobs, steps, workflow
from metadata.models import AIMetadata, Decision, Found, Snapshot
from metadata.queue import ReviewFilter
from metadata.steps import Rewrite, Step
from smugmug.models import Account, Album, AlbumPhoto
from tests.factories import AIMetadataFactory, AlbumFactory, PhotoFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("many")]
EVERYTHING = ReviewFilter()
Enqueued = list[Any]


@pytest.fixture
def album(library_of_ada: Account) -> Album:
    return AlbumFactory(account=library_of_ada)


def described(album: Album, count: int = 1, **fields: Any) -> list[AIMetadata]:
    return [AIMetadataFactory(photo=PhotoFactory(album=album), described=True, **fields) for _ in range(count)]


def approve(album: Album, by: User, wanted: ReviewFilter = EVERYTHING) -> Decision:
    return bulk.decide(album.account, by=by, kind="approve", filter=wanted)


def carried_out(decision: Decision) -> Decision:
    jobs.carry_out_decision(str(decision.pk))
    decision.refresh_from_db()
    return decision


def approved() -> set[Any]:
    return set(AIMetadata.objects.filter(review_status="approved").values_list("pk", flat=True))


def test_decide_over_a_lane_leaves_what_comes_into_it_later(album: Album, ada: User, enqueued: Enqueued):
    glance = described(album, 3, lane="glance")
    [look] = described(album, lane="look")
    decision = approve(album, ada, ReviewFilter(lane="glance"))
    AIMetadata.objects.filter(pk=look.pk).update(lane="glance")

    carried_out(decision)

    assert (decision.total, decision.changed, decision.passed_over) == (3, 3, 0)
    assert approved() == {row.pk for row in glance}


def test_decide_over_an_album_leaves_what_is_moved_into_it_later(album: Album, ada: User, enqueued: Enqueued):
    inside = described(album, 3)
    [outside] = described(AlbumFactory(account=album.account))
    decision = approve(album, ada, ReviewFilter(album=album.pk))
    AlbumPhoto.objects.create(album=album, photo=outside.photo, position=9, origin="Album")

    carried_out(decision)

    assert approved() == {row.pk for row in inside}


def test_decide_leaves_what_left_the_filter_before_it_was_come_to(album: Album, ada: User, enqueued: Enqueued):
    first, *others = described(album, 3, lane="glance")
    decision = approve(album, ada, ReviewFilter(lane="glance"))
    AIMetadata.objects.filter(pk=first.pk).update(lane="look")

    carried_out(decision)

    assert (decision.changed, decision.passed_over) == (2, 1)
    assert approved() == {row.pk for row in others}


def test_decide_after_an_earlier_one_takes_what_that_one_has_moved_and_nobody_else(
    album: Album, ada: User, enqueued: Enqueued
):
    first, *others = described(album, 3)
    tag = bulk.decide(album.account, by=ada, kind="add_tag", filter=EVERYTHING, params={"tag": "wall"})
    decision = approve(album, ada)
    workflow.edit(first, by=UserFactory(), version=1, changes={"ai_title": "By hand"})

    carried_out(tag)
    carried_out(decision)

    assert (tag.changed, tag.passed_over) == (2, 1)
    assert (decision.changed, decision.passed_over) == (2, 1)
    assert approved() == {row.pk for row in others}


def test_decide_after_an_earlier_one_was_undone_meanwhile_takes_its_rows(album: Album, ada: User, enqueued: Enqueued):
    rows = described(album, 3)
    tag = bulk.decide(album.account, by=ada, kind="add_tag", filter=EVERYTHING, params={"tag": "wall"})
    decision = approve(album, ada)
    carried_out(tag)
    bulk.undo(tag, by=ada)
    carried_out(tag)

    carried_out(decision)

    assert (decision.changed, decision.passed_over) == (3, 0)
    assert approved() == {row.pk for row in rows}
    assert set(AIMetadata.objects.values_list("ai_tags__len", flat=True)) == {2}


def test_decide_the_same_twice_while_it_is_under_way_is_one_decision(album: Album, ada: User, enqueued: Enqueued):
    described(album, 3)

    first, second = approve(album, ada), approve(album, ada)

    assert first == second
    assert Decision.objects.count() == 1
    assert approve(album, UserFactory()) != first
    assert approve(album, ada, ReviewFilter(lane="glance")) != first


def test_what_was_found_is_forgotten_when_the_decision_is_over_and_kept_while_it_is_stopped(
    album: Album, ada: User, enqueued: Enqueued
):
    described(album, 3)
    decision = approve(album, ada)
    bulk.cancel(decision)
    assert Found.objects.count() == 3
    bulk.go_on(decision)

    carried_out(decision)

    assert len(approved()) == 3
    assert not Found.objects.exists()
    assert not Snapshot.objects.exists()
    bulk.undo(decision, by=ada)
    carried_out(decision)
    assert approved() == set()


def test_decide_made_before_anything_was_kept_finds_it_when_it_is_carried_out(
    album: Album, ada: User, enqueued: Enqueued
):
    described(album, 3)
    decision = approve(album, ada)
    Decision.objects.update(snapshot=None, total=None)

    carried_out(decision)

    assert (decision.total, decision.changed) == (3, 3)


@pytest.mark.django_db(transaction=True)
def test_decide_while_somebodys_edit_is_not_committed_yet_leaves_those_words(
    album: Album, ada: User, enqueued: Enqueued
):
    first, *_ = described(album, 3)
    bob = UserFactory(username="bob")
    written, decided = threading.Event(), threading.Event()

    def edit() -> None:
        with transaction.atomic():
            workflow.edit(AIMetadata.objects.get(pk=first.pk), by=bob, version=1, changes={"ai_title": "Bob's"})
            written.set()
            decided.wait(10)
        connection.close()

    thread = threading.Thread(target=edit)
    thread.start()
    written.wait(10)
    decision = approve(album, ada)
    decided.set()
    thread.join()

    carried_out(decision)

    first.refresh_from_db()
    assert (first.ai_title, first.review_status) == ("Bob's", "unreviewed")
    assert (decision.changed, decision.passed_over) == (2, 1)


@pytest.mark.django_db(transaction=True)
def test_decide_the_same_at_once_from_two_windows_is_one_decision(album: Album, ada: User, enqueued: Enqueued):
    described(album, 3)
    barrier = threading.Barrier(3)

    def press() -> None:
        barrier.wait()
        approve(album, ada)
        connection.close()

    threads = [threading.Thread(target=press) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Decision.objects.count() == 1
    assert Found.objects.count() == 3


def test_rows_that_are_rewritten_by_a_program_without_a_decision_are_left(album: Album, ada: User, enqueued: Enqueued):
    first, *others = described(album, 3)
    decision = approve(album, ada)
    step = Step(None, "ai:m", decision.created_at, source="ai")  # type: ignore[arg-type]
    steps.write([first.pk], Rewrite.to({"ai_title": "Anew"}), step)

    carried_out(decision)

    assert approved() == {row.pk for row in others}
