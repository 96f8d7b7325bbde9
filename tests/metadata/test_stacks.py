"""Bursts: what stands in one stack and what does not, and what a person took out."""

from __future__ import annotations

import datetime
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from metadata import jobs, process, stacks, workflow
from metadata.models import AIMetadata
from metadata.stacks import Frame
from smugmug import oauth, sync
from smugmug.models import Account, Album, Photo
from tests.conftest import FakeDescriber, together
from tests.factories import AIMetadataFactory, AlbumFactory, PhotoFactory

pytestmark = pytest.mark.django_db

NOON = datetime.datetime(2024, 5, 4, 12, 0, 0)
LOOK = 0x0123_4567_89AB_CDEF
Enqueued = list[tuple[str, tuple[Any, ...]]]


def flipped(bits: int, *, of: int = LOOK) -> int:
    """A picture's hash that differs from another in so many bits."""
    return of ^ ((1 << bits) - 1)


def frame(album: Album, seconds: float = 0, look: int | None = LOOK, **photo: Any) -> AIMetadata:
    taken = NOON + datetime.timedelta(seconds=seconds)
    fields = {"date_taken": taken, "perceptual_hash": look, **photo}
    return AIMetadataFactory(photo=PhotoFactory(album=album, **fields), described=True)


def stacked(album: Album) -> list[list[str]]:
    """The stacks of an album by the file names of their frames; each is named by its first."""
    found: dict[Any, list[AIMetadata]] = {}
    rows = AIMetadata.objects.filter(photo__album=album, stack__isnull=False).select_related("photo")
    for row in rows.order_by(*stacks.IN_TIME):
        found.setdefault(row.stack, []).append(row)
    assert all(stack == rows[0].pk for stack, rows in found.items())
    return [[row.photo.filename for row in rows] for rows in found.values()]


def names(*frames: AIMetadata) -> list[str]:
    return [each.photo.filename for each in frames]


@pytest.fixture
def album(library_of_ada: Account) -> Album:
    return AlbumFactory(account=library_of_ada)


# --- What is a burst ---------------------------------------------------------------------------------------


def test_restack_puts_frames_close_in_time_and_alike_into_one_stack(album: Album):
    burst = [frame(album, seconds) for seconds in (0, 10, 20)]
    frame(album, 30.5)
    frame(AlbumFactory(account=album.account), 20)

    changed = stacks.restack(album.pk)

    assert changed == 3
    assert stacked(album) == [names(*burst)]


def test_restack_sees_pictures_that_differ_in_ten_bits_as_one_burst_and_in_eleven_as_two_pictures(album: Album):
    burst = [frame(album, 0), frame(album, 1, flipped(10))]
    frame(album, 100)
    frame(album, 101, flipped(11))

    stacks.restack(album.pk)

    assert stacked(album) == [names(*burst)]


def test_restack_begins_anew_where_the_pictures_have_drifted_from_the_first(album: Album):
    first = [frame(album, 0), frame(album, 1, flipped(7)), frame(album, 2, flipped(14))]
    second = [frame(album, 3, flipped(21)), frame(album, 4, flipped(22))]

    stacks.restack(album.pk)

    assert stacked(album) == [names(*first), names(*second)]


def test_restack_of_a_camera_without_a_clock_makes_no_giant_stack(album: Album):
    taken = datetime.datetime(2000, 1, 1)
    pictures = [frame(album, look=flipped(step), date_taken=taken) for step in range(0, 64, 4)]
    pairs = [frame(album, look=~LOOK, date_taken=taken) for _ in range(2)]

    stacks.restack(album.pk)

    assert max(map(len, stacked(album))) == 4  # at most 14 bits from its first
    assert names(*pairs) in stacked(album)
    assert sum(map(len, stacked(album))) == len(pictures) + len(pairs)


def test_restack_puts_at_most_fifty_frames_into_a_stack(album: Album):
    for _ in range(53):
        frame(album)

    stacks.restack(album.pk)

    assert list(map(len, stacked(album))) == [50, 3]


@pytest.mark.parametrize(
    "photo",
    [
        {"is_video": True},
        {"removed_at": datetime.datetime(2024, 6, 1, tzinfo=datetime.UTC)},
        {"look": None},
        {"date_taken": None},
    ],
    ids=lambda photo: next(iter(photo)),
)
def test_restack_leaves_out_what_can_be_no_frame(album: Album, photo: dict[str, Any]):
    burst = [frame(album, 0), frame(album, 2)]
    frame(album, 1, **photo)

    stacks.restack(album.pk)

    assert stacked(album) == [names(*burst)]


def test_restack_takes_frames_whatever_was_decided_on_them(album: Album):
    burst = [frame(album, 0), frame(album, 1)]
    approved = {
        "review_status": "approved",
        "approved_by": "user:ada",
        "approved_at": NOON.replace(tzinfo=datetime.UTC),
    }
    AIMetadata.objects.filter(pk=burst[1].pk).update(**approved)

    stacks.restack(album.pk)

    assert stacked(album) == [names(*burst)]


def test_restack_of_an_album_that_is_gone_does_nothing():
    assert stacks.restack(uuid.uuid4()) == 0


# --- Again -------------------------------------------------------------------------------------------------


def test_restack_again_writes_nothing(album: Album):
    for seconds in range(5):
        frame(album, seconds)
    stacks.restack(album.pk)

    with CaptureQueriesContext(connection) as queries:
        assert stacks.restack(album.pk) == 0

    assert not [query["sql"] for query in queries if query["sql"].startswith("UPDATE")]


def test_restack_writes_nothing_but_the_stack(album: Album):
    words = frame(album, 0)
    frame(album, 1)
    before = AIMetadata.objects.values().get(pk=words.pk)

    stacks.restack(album.pk)

    assert AIMetadata.objects.values().get(pk=words.pk) == {**before, "stack": words.pk}


def test_restack_after_an_earlier_frame_came_names_the_stack_by_it(album: Album):
    later = [frame(album, 5), frame(album, 6)]
    stacks.restack(album.pk)
    first = frame(album, 4)

    assert stacks.restack(album.pk) == 3
    assert stacked(album) == [names(first, *later)]


def test_restack_after_frames_were_removed_dissolves_the_stack(album: Album):
    burst = [frame(album, 0), frame(album, 1)]
    stacks.restack(album.pk)
    Photo.objects.filter(pk=burst[0].photo_id).update(removed_at=datetime.datetime.now(datetime.UTC))

    stacks.restack(album.pk)

    assert not AIMetadata.objects.filter(stack__isnull=False).exists()


def test_restack_takes_as_many_queries_for_many_bursts_as_for_one(album: Album):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert stacks.restack(album.pk)
        return len(captured)

    frame(album, 0), frame(album, 1)
    few = queries()
    for burst in range(1, 20):
        frame(album, 100 * burst), frame(album, 100 * burst + 1)

    assert queries() == few


def test_stacks_of_goes_along_the_frames_in_one_pass():
    frames = [Frame(uuid.UUID(int=n), NOON + datetime.timedelta(seconds=n), LOOK) for n in range(100_000)]

    found = stacks.stacks_of(iter(frames))

    assert len(found) == 100_000
    assert len(set(found.values())) == 2_000


# --- A person's word ---------------------------------------------------------------------------------------


def test_take_out_leaves_the_frame_alone_however_often_the_album_is_stacked(album: Album, ada: Any):
    first, second, third = (frame(album, seconds) for seconds in range(3))
    stacks.restack(album.pk)
    first.refresh_from_db()

    assert stacks.take_out(first, by=ada)

    assert (first.stack, first.unstacked) == (None, True)
    assert stacked(album) == [names(second, third)]
    assert stacks.restack(album.pk) == 0


def test_take_out_changes_no_words_and_no_version(album: Album, ada: Any):
    words = frame(album, 0)
    frame(album, 1)
    stacks.restack(album.pk)
    before = AIMetadata.objects.values().get(pk=words.pk)

    stacks.take_out(words, by=ada)

    assert AIMetadata.objects.values().get(pk=words.pk) == {**before, "stack": None, "unstacked": True}
    assert words.history.count() == 1


def test_take_out_of_two_dissolves_the_stack(album: Album, ada: Any):
    first, _ = frame(album, 0), frame(album, 1)
    stacks.restack(album.pk)

    stacks.take_out(first, by=ada)

    assert stacked(album) == []


def test_take_out_twice_or_of_no_stack_does_nothing(album: Album, ada: Any):
    first, _, alone = frame(album, 0), frame(album, 1), frame(album, 500)
    stacks.restack(album.pk)

    assert [stacks.take_out(first, by=ada) for _ in range(2)] == [True, False]
    assert not stacks.take_out(alone, by=ada)
    assert not alone.unstacked


def test_put_back_restores_the_stack(album: Album, ada: Any):
    burst = [frame(album, seconds) for seconds in range(3)]
    stacks.restack(album.pk)
    stacks.take_out(burst[0], by=ada)

    assert [stacks.put_back(burst[0], by=ada) for _ in range(2)] == [True, False]

    assert stacked(album) == [names(*burst)]
    assert burst[0].stack == burst[0].pk


@pytest.mark.django_db(transaction=True)
def test_restack_while_a_frame_is_taken_out_does_not_put_it_back(album: Album, ada: Any):
    burst = [frame(album, seconds) for seconds in range(3)]
    stacks.restack(album.pk)
    other = threading.Thread(target=in_a_connection_of_its_own, args=(lambda: stacks.restack(album.pk),))

    with transaction.atomic():
        stacks.take_out(burst[1], by=ada)
        other.start()
        other.join(0.3)
        assert other.is_alive()  # it waits for the person
    other.join(10)

    assert stacked(album) == [names(burst[0], burst[2])]


@pytest.mark.django_db(transaction=True)
def test_take_out_the_first_frame_while_its_burst_is_approved_lets_both_be_done(
    album: Album, ada: Any, enqueued: Enqueued, monkeypatch: pytest.MonkeyPatch
):
    last, middle, first = sorted(
        (frame(album) for _ in range(3)), key=lambda each: each.pk
    )  # the first has the last id
    for seconds, words in enumerate((first, middle, last)):
        Photo.objects.filter(pk=words.photo_id).update(date_taken=NOON + datetime.timedelta(seconds=seconds))
    stacks.restack(album.pk)
    write, begun = stacks._write, threading.Event()

    def write_slowly(moved: Any) -> None:
        begun.set()
        time.sleep(0.5)  # the other one asks for the burst now
        write(moved)

    def approve() -> None:
        assert begun.wait(10)
        workflow.approve(now(last), by=ada, version=1, changes={"ai_title": "Seen once"})

    monkeypatch.setattr(stacks, "_write", write_slowly)
    together(lambda: stacks.take_out(now(first), by=ada), approve)

    assert stacked(album) == [names(middle, last)]
    assert [now(each).ai_title for each in (first, middle, last)] == ["A cat", "Seen once", "Seen once"]
    assert now(first).review_status == "unreviewed"


def now(words: AIMetadata) -> AIMetadata:
    return AIMetadata.objects.select_related("photo").get(pk=words.pk)


def in_a_connection_of_its_own(work: Callable[[], Any]) -> None:
    try:
        work()
    finally:
        connection.close()


# --- For pages ---------------------------------------------------------------------------------------------


def test_members_are_the_frames_of_the_stack_in_time(album: Album):
    second, first, alone = frame(album, 1), frame(album, 0), frame(album, 99)
    stacks.restack(album.pk)
    for words in (first, second, alone):
        words.refresh_from_db()

    assert list(stacks.members(second)) == [first, second]
    assert list(stacks.members(alone)) == []


def test_bursts_of_many_rows_take_one_query(album: Album):
    for burst in range(3):
        frame(album, 100 * burst), frame(album, 100 * burst + 1)
    frame(album, 999)
    stacks.restack(album.pk)
    rows = list(AIMetadata.objects.select_related("photo").order_by(*stacks.IN_TIME))

    with CaptureQueriesContext(connection) as queries:
        found = stacks.bursts(rows)
        assert [[each.photo.name for each in found[row.pk].frames] for row in rows[:6:2]] == [
            names(*rows[start : start + 2]) for start in (0, 2, 4)
        ]

    assert len(queries) == 1
    assert rows[6].pk not in found
    assert [len(found[row.pk].waiting) for row in rows[:6]] == [2] * 6


def test_taken_out_near_a_burst_are_those_of_its_time(album: Album, ada: Any):
    near, kept, also, far, far_too = (frame(album, seconds) for seconds in (0, 1, 2, 500, 501))
    stacks.restack(album.pk)
    stacks.take_out(near, by=ada)
    stacks.take_out(far, by=ada)

    assert stacks.taken_out_near(kept, [kept, also]) == [near]
    assert stacks.taken_out_near(far_too, []) == [far]


# --- Behind ------------------------------------------------------------------------------------------------


def test_behind_names_albums_with_a_burst_that_is_not_stacked(album: Album):
    unseen, single = AlbumFactory(account=album.account), AlbumFactory(account=album.account)
    for each in (album, unseen):
        frame(each, 0), frame(each, 1)
    frame(single, 0), frame(single, 1, flipped(30)), frame(single, 60)
    strange = AlbumFactory()
    frame(strange, 0), frame(strange, 1)
    stacks.restack(album.pk)

    assert stacks.behind(album.account) == [unseen.pk]


def test_behind_names_albums_whose_stacks_have_lost_or_won_a_frame(album: Album):
    lost, won, whole = (AlbumFactory(account=album.account) for _ in range(3))
    for each in (lost, won, whole):
        frame(each, 1), frame(each, 2)
        stacks.restack(each.pk)
    Photo.objects.filter(pk=Photo.objects.filter(album=lost)[0].pk).update(perceptual_hash=None)
    frame(won, 0)

    assert set(stacks.behind(album.account)) == {lost.pk, won.pk}


def test_behind_leaves_what_a_person_took_out_alone(album: Album, ada: Any):
    first, _ = frame(album, 0), frame(album, 1)
    stacks.restack(album.pk)
    stacks.take_out(first, by=ada)

    assert stacks.behind(album.account) == []


def test_restack_all_behind_enqueues_the_albums_of_every_library(album: Album, enqueued: Enqueued):
    strange = AlbumFactory()
    for each in (album, strange):
        frame(each, 0), frame(each, 1)

    jobs.restack_all_behind()

    assert sorted(enqueued) == sorted(("restack_album", (str(each.pk),)) for each in (album, strange))


def test_process_photos_enqueues_the_albums_in_which_it_described_a_burst(
    mirror: Callable[..., Album], new_run: Any, describer: FakeDescriber, enqueued: Enqueued, monkeypatch: Any
):
    monkeypatch.setattr(process, "configured_describer", lambda: describer)
    space = mirror("Flight and Space")
    mirror("Food")

    jobs.process_photos(str(new_run().pk))
    assert enqueued == [("restack_album", (str(space.pk),))]
    jobs.restack_album(str(space.pk))

    assert list(map(len, stacked(space))) == [5]


def test_restack_of_the_demo_finds_its_three_bursts_and_nothing_else(account: Account, new_run: Any, work: Any):
    run, _ = sync.start(account, by=account.owner)
    assert sync.carry_on(run, client=oauth.connect(account), seconds=60)
    assert work(new_run())

    stacks.catch_up(account)

    found = {album.title: list(map(len, stacked(album))) for album in account.albums.all()}
    assert found == {"Flight and Space": [5], "Animals": [6], "Outdoors": [6], "Food": [], "Studio": [], "Places": []}
    bursts = AIMetadata.objects.filter(stack__isnull=False).select_related("photo").order_by(*stacks.IN_TIME)
    titles = [row.photo.title for row in bursts if row.pk == row.stack]
    assert len(titles) == 3
    assert all("burst frame" in row.photo.caption for row in bursts if row.pk != row.stack)
    assert stacks.behind(account) == []
