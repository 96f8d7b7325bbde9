"""What becomes of a sync whose worker, or whose job in the queue, is gone: in the end the mirror is the library."""

import datetime

import django_rq
import pytest
from django.utils import timezone
from rq import SimpleWorker

from smugmug import jobs, oauth, sync
from smugmug.models import Album, AlbumPhoto, Photo, SyncRun
from smugmug.reading import Reading
from targetvision.models import RunState
from tests.smugmug.conftest import listings, sync_all
from tests.smugmug.equality import differences
from tests.smugmug.test_sync_runs import threaded


class Killed(BaseException):
    """SIGKILL, as far as a test can have it in its own process: nothing below is given time to tidy up."""


def fall_silent(run):
    """As if the last sign of life were an hour old."""
    SyncRun.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now() - datetime.timedelta(hours=1))


def snapshot():
    """Every row that a sync writes."""
    return [list(model.objects.order_by("pk").values()) for model in (SyncRun, Album, Photo, AlbumPhoto)]


# --- The queue


def work(*, jobs_at_most=None):
    """What a worker does with the jobs in the queue."""
    queue = django_rq.get_queue("smugmug")
    SimpleWorker([queue], connection=queue.connection).work(burst=True, max_jobs=jobs_at_most)


@pytest.mark.django_db(transaction=True)
def test_empty_the_queue_in_the_middle_of_a_sync_and_it_goes_on(own_account, own_smugmug, monkeypatch):
    queue = django_rq.get_queue("smugmug")
    run, _ = sync.start(own_account, by=None)
    jobs.sync_account.delay(str(run.pk))
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "SLICE_SECONDS", 0)  # time for the list of albums and no more
        work(jobs_at_most=1)
    run.refresh_from_db()
    assert (run.state, run.done, len(queue)) == (RunState.QUEUED, 0, 1)

    queue.connection.flushdb()
    work()
    assert SyncRun.objects.get().state == RunState.QUEUED  # nobody knows of it but the row
    jobs.resume_stalled_syncs()
    assert len(queue) == 0  # it has not been silent for long enough
    fall_silent(run)
    jobs.resume_stalled_syncs()
    jobs.resume_stalled_syncs()
    assert len(queue) == 1
    work()

    run.refresh_from_db()
    assert (run.state, run.errors, run.done) == (RunState.SUCCEEDED, [], len(own_smugmug.library.albums))
    assert differences(own_smugmug, own_account) == []
    assert len(queue) == 0


# --- The worker

MOMENTS = {
    "in the list": lambda run: run.requests_made == 1,
    "between list and images": lambda run: run.albums_listed_at is not None,
    "among the albums": lambda run: run.done == 3,
    "after the last album": lambda run: run.done == run.total,
    "while asking after lost photos": lambda run: run.photos_removed == 1,
}


@pytest.mark.django_db(transaction=True)  # so that what is not committed is lost with the worker
@pytest.mark.parametrize("moment", MOMENTS)
def test_kill_a_worker_at_any_moment_and_the_next_completes_its_sync(own_account, own_smugmug, enqueued, moment):
    sync_all(own_account)
    lost = own_smugmug.library.albums[1].photos[:3]
    for photo in lost:
        own_smugmug.library.remove_photo(photo.key)
    run, _ = sync.start(own_account, by=None)

    def kill(told):
        if MOMENTS[moment](told):
            raise Killed

    with pytest.raises(Killed):
        sync.carry_on(run, client=oauth.connect(own_account), seconds=60, tell=kill)
    left = SyncRun.objects.get(pk=run.pk)
    assert left.state == RunState.RUNNING
    jobs.resume_stalled_syncs()
    assert enqueued == []

    fall_silent(run)
    jobs.resume_stalled_syncs()
    assert [arguments for _, arguments in enqueued] == [(str(run.pk),)]
    assert sync.carry_on(left, client=oauth.connect(own_account), seconds=60)

    run.refresh_from_db()
    assert (run.state, run.errors) == (RunState.SUCCEEDED, [])
    assert run.done == run.total == len(own_smugmug.library.albums)
    assert run.photos_removed == len(lost)
    assert differences(own_smugmug, own_account) == []


def test_kill_a_worker_after_some_albums_and_those_are_not_read_again(own_account, own_smugmug):
    run, _ = sync.start(own_account, by=None)

    def kill(told):
        if told.done == 3:
            raise Killed

    with pytest.raises(Killed):
        sync.carry_on(run, client=oauth.connect(own_account), seconds=60, tell=kill)
    read = set(Album.objects.exclude(synced_at=None).values_list("album_key", flat=True))
    before = len(listings(own_smugmug))
    fall_silent(run)

    sync.carry_on(SyncRun.objects.get(), client=oauth.connect(own_account), seconds=60)

    assert 1 <= len(read) <= 3
    again = listings(own_smugmug)
    assert len(again) - before == len(own_smugmug.library.albums) - len(read)
    assert sum("!albums" in request.path for request in own_smugmug.requests) == 1


# --- Two workers


@pytest.mark.django_db(transaction=True)
def test_carry_on_after_another_took_the_run_writes_nothing(own_account, own_smugmug, monkeypatch):
    """The first is stopped with answers in its hands that are old by now, and wakes when the second has done it all."""
    sync_all(own_account)
    run, _ = sync.start(own_account, by=None)
    honest, after = Reading._album_is_read, []

    def sleepy(reading, album, *answer):
        if reading.run is run and not after:
            for each in own_smugmug.library.albums:
                own_smugmug.library.edit_photo(each.photos[0].key, caption="Said meanwhile")
            fall_silent(run)
            assert sync.carry_on(SyncRun.objects.get(pk=run.pk), client=oauth.connect(own_account), seconds=60)
            after.extend(snapshot())
        honest(reading, album, *answer)

    monkeypatch.setattr(Reading, "_album_is_read", sleepy)

    assert sync.carry_on(run, client=oauth.connect(own_account), seconds=60) is True

    assert after
    assert snapshot() == after
    assert SyncRun.objects.get(pk=run.pk).state == RunState.SUCCEEDED
    assert differences(own_smugmug, own_account) == []


@pytest.mark.django_db(transaction=True)
def test_carry_on_with_two_workers_at_once_works_once(own_account, own_smugmug):
    run, _ = sync.start(own_account, by=None)

    def take():
        mine = SyncRun.objects.get(pk=run.pk)
        return sync.carry_on(mine, client=oauth.connect(own_account), seconds=60)

    assert threaded(take) == [True, True]

    run.refresh_from_db()
    albums = len(own_smugmug.library.albums)
    assert (run.state, run.done) == (RunState.SUCCEEDED, albums)
    assert len(listings(own_smugmug)) == albums
    assert differences(own_smugmug, own_account) == []
