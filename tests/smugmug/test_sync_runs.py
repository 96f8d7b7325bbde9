import datetime
import threading
import uuid
from types import SimpleNamespace

import pytest
from django.db import connection, transaction
from django.utils import timezone

from smugmug import oauth, reading, sync
from smugmug.models import Album, Photo, SyncRun
from smugmug.sandbox.messages import html_reply
from targetvision.http import NetworkInTransaction
from targetvision.models import RunState
from tests.factories import AccountFactory, SyncRunFactory, UserFactory
from tests.smugmug.conftest import keys_of, listings, sync_all

# --- Slices, continuation, cancelling


def stopped_clock(monkeypatch):
    """What the run takes for the time; it stands still until it is set."""
    clock = [0.0]
    for module in (sync, reading):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    return clock


def test_carry_on_without_time_gives_the_run_back_and_the_next_slice_completes_it(own_account, own_smugmug):
    before = len(own_smugmug.requests)
    run, _ = sync.start(own_account, by=None)
    client = oauth.connect(own_account)

    assert sync.carry_on(run, client=client, seconds=0) is False

    assert (run.state, run.done, run.finished_at) == (RunState.QUEUED, 0, None)
    assert len(own_smugmug.requests) == before
    started_at = run.started_at

    assert sync.carry_on(SyncRun.objects.get(), client=client, seconds=60) is True

    run.refresh_from_db()
    assert (run.state, run.started_at) == (RunState.SUCCEEDED, started_at)
    assert run.done == run.total == len(own_smugmug.library.albums)
    assert Photo.objects.count() == own_smugmug.library.count_photos()
    assert run.requests_made == len(own_smugmug.requests) - before


def test_carry_on_after_a_slice_reads_only_what_is_left(own_account, own_smugmug, monkeypatch):
    clock = stopped_clock(monkeypatch)
    monkeypatch.setattr(reading, "IN_FLIGHT", 1)
    run, _ = sync.start(own_account, by=None)

    def time_passes(run):
        clock[0] = 100.0 if run.done == 2 else clock[0]

    over = sync.carry_on(run, client=oauth.connect(own_account), seconds=50, tell=time_passes)

    assert over is False
    assert (run.state, run.done) == (RunState.QUEUED, 2)
    assert len(listings(own_smugmug)) == 2

    assert sync.carry_on(SyncRun.objects.get(), client=oauth.connect(own_account), seconds=50) is True

    assert SyncRun.objects.get().state == RunState.SUCCEEDED
    assert listings(own_smugmug) == sorted(f"/api/v2/album/{album.key}!images" for album in own_smugmug.library.albums)
    assert Photo.objects.count() == own_smugmug.library.count_photos()


def test_carry_on_after_a_slice_with_an_error_still_ends_partial(own_account, own_smugmug, faults, monkeypatch):
    clock = stopped_clock(monkeypatch)
    monkeypatch.setattr(reading, "IN_FLIGHT", 1)
    first = min(own_smugmug.library.albums, key=lambda album: album.key)
    faults.reply(f"/album/{first.key}!images", html_reply(200, "?"), times=2)
    run, _ = sync.start(own_account, by=None)

    def time_passes(run):
        clock[0] = 100.0 if run.errors else clock[0]

    assert sync.carry_on(run, client=oauth.connect(own_account), seconds=50, tell=time_passes) is False
    assert sync.carry_on(SyncRun.objects.get(), client=oauth.connect(own_account), seconds=50) is True

    run.refresh_from_db()
    assert (run.state, run.done) == (RunState.PARTIAL, run.total - 1)
    asked = [call for call in faults.calls if f"/album/{first.key}!images" in call.target]
    assert len(asked) == 2  # a second chance, but not in the same run again


def test_carry_on_cancelled_in_the_middle_stops_and_keeps_what_came(own_account, own_smugmug, monkeypatch):
    monkeypatch.setattr(reading, "IN_FLIGHT", 1)
    run, _ = sync.start(own_account, by=None)

    def cancel(told):
        if told.done == 2:
            assert SyncRun.objects.get().cancel()

    assert sync.carry_on(run, client=oauth.connect(own_account), seconds=60, tell=cancel) is True

    run.refresh_from_db()
    assert (run.state, run.done) == (RunState.CANCELLED, 2)
    assert run.finished_at is not None
    assert len(listings(own_smugmug)) <= 3  # one may have been on its way
    assert Album.objects.exclude(synced_at=None).count() == 2
    assert Photo.objects.exists()


def test_carry_on_cancelled_removes_nothing(own_account, own_smugmug, monkeypatch):
    sync_all(own_account)
    photo = own_smugmug.library.albums[0].photos.pop(0)
    albums = len(own_smugmug.library.albums)
    run, _ = sync.start(own_account, by=None)

    def cancel(told):
        if told.done == albums:
            SyncRun.objects.get(pk=run.pk).cancel()

    sync.carry_on(run, client=oauth.connect(own_account), seconds=60, tell=cancel)

    assert SyncRun.objects.get(pk=run.pk).state == RunState.CANCELLED
    assert Photo.objects.get(image_key=photo.key).removed_at is None


def test_carry_on_cancelled_while_it_asks_for_lost_photos_removes_no_more(own_account, own_smugmug):
    sync_all(own_account)
    lost = [own_smugmug.library.albums[0].photos.pop(0) for _ in range(3)]
    run, _ = sync.start(own_account, by=None)

    def cancel(told):
        if told.photos_removed == 1:
            SyncRun.objects.get(pk=run.pk).cancel()

    assert sync.carry_on(run, client=oauth.connect(own_account), seconds=60, tell=cancel) is True

    ended = SyncRun.objects.get(pk=run.pk)
    assert (ended.state, ended.photos_removed) == (RunState.CANCELLED, 1)
    assert Photo.objects.filter(image_key__in=keys_of(lost)).exclude(removed_at=None).count() == 1


def test_carry_on_taken_by_another_worker_writes_nothing_more(own_account, own_smugmug):
    run, _ = sync.start(own_account, by=None)

    def lose(told):
        if told.done == 1:
            SyncRun.objects.filter(pk=run.pk).update(holder=uuid.uuid4())

    assert sync.carry_on(run, client=oauth.connect(own_account), seconds=60, tell=lose) is True

    left = SyncRun.objects.get(pk=run.pk)
    assert (left.state, left.done) == (RunState.RUNNING, 1)
    assert Album.objects.exclude(synced_at=None).count() == 1


@pytest.mark.parametrize("state", [RunState.CANCELLED, RunState.SUCCEEDED, RunState.FAILED, RunState.PAUSED])
def test_carry_on_a_run_that_is_over_or_paused_asks_smugmug_nothing(account, smugmug, state):
    run = SyncRunFactory(account=account, state=state)
    before = len(smugmug.requests)

    assert sync.carry_on(run, client=oauth.connect(account), seconds=60) is True

    assert len(smugmug.requests) == before
    assert SyncRun.objects.get().state == state


def test_carry_on_a_run_in_other_hands_asks_smugmug_nothing(account, smugmug):
    run = SyncRunFactory(account=account, state=RunState.RUNNING, heartbeat_at=timezone.now())
    before = len(smugmug.requests)

    assert sync.carry_on(run, client=oauth.connect(account), seconds=60) is True

    assert len(smugmug.requests) == before
    assert SyncRun.objects.get().state == RunState.RUNNING


def test_carry_on_a_run_whose_worker_died_takes_it_over(account, smugmug):
    long_ago = timezone.now() - datetime.timedelta(hours=1)
    run = SyncRunFactory(account=account, state=RunState.RUNNING, started_at=long_ago, heartbeat_at=long_ago)

    assert sync.carry_on(run, client=oauth.connect(account), seconds=60) is True

    run.refresh_from_db()
    assert (run.state, run.started_at) == (RunState.SUCCEEDED, long_ago)
    assert Photo.objects.count() == smugmug.library.count_photos()


# --- Starting


def threaded(work, times=2):
    """What `work` returns in each of several threads that begin it at the same moment."""
    barrier, results = threading.Barrier(times), []

    def do():
        barrier.wait()
        try:
            results.append(work())
        finally:
            connection.close()

    threads = [threading.Thread(target=do) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_start_makes_a_queued_run_for_the_person(library_of_ada, ada):
    run, is_new = sync.start(library_of_ada, by=ada)

    assert is_new
    assert (run.account, run.requested_by, run.state, run.kind) == (library_of_ada, ada, RunState.QUEUED, "full")


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING, RunState.PAUSED])
def test_start_while_one_is_active_gives_that_one(library_of_ada, ada, state):
    active = SyncRunFactory(account=library_of_ada, state=state)

    run, is_new = sync.start(library_of_ada, by=ada)

    assert (run, is_new) == (active, state == RunState.PAUSED)  # a paused one goes on, and is to be enqueued
    assert run.state == (RunState.RUNNING if state == RunState.RUNNING else RunState.QUEUED)
    assert SyncRun.objects.count() == 1


@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.PARTIAL, RunState.FAILED, RunState.CANCELLED])
def test_start_after_one_is_over_makes_another(library_of_ada, ada, state):
    SyncRunFactory(account=library_of_ada, state=state)

    run, is_new = sync.start(library_of_ada, by=ada)

    assert is_new
    assert run.state == RunState.QUEUED
    assert SyncRun.objects.count() == 2


def test_start_when_the_active_one_ends_meanwhile_makes_another(library_of_ada, monkeypatch):
    ended = SyncRunFactory(account=library_of_ada)
    active = type(SyncRun.objects.all()).active

    def ends(rows):
        SyncRun.objects.filter(pk=ended.pk).update(state=RunState.SUCCEEDED)
        return active(rows)

    monkeypatch.setattr(type(SyncRun.objects.all()), "active", ends)

    run, is_new = sync.start(library_of_ada, by=None)

    assert is_new
    assert run.pk != ended.pk


@pytest.mark.django_db(transaction=True)
def test_start_twice_at_once_makes_one_run():
    account, ada = AccountFactory(), UserFactory()

    results = threaded(lambda: sync.start(account, by=ada), times=4)

    assert sorted(is_new for _, is_new in results) == [False, False, False, True]
    assert {run.pk for run, _ in results} == {SyncRun.objects.get().pk}


@pytest.mark.django_db(transaction=True)
def test_begin_twice_at_once_lets_one_in():
    run = SyncRunFactory()

    results = threaded(lambda: SyncRun.objects.get(pk=run.pk).begin(alone=True), times=4)

    assert sorted(results) == [False, False, False, True]
    assert SyncRun.objects.get().state == RunState.RUNNING


# --- Whoever holds a transaction never holds the network


@pytest.mark.django_db(transaction=True)
def test_ask_smugmug_inside_a_transaction_is_refused_before_anything_is_sent(account, smugmug):
    client = oauth.connect(account)
    photo = smugmug.library.albums[0].photos[0]
    [url, *_] = [rendition.url for rendition in client.renditions(f"{photo.key}-{photo.serial}")]
    requests, downloads = len(smugmug.requests), len(smugmug.downloads)

    with transaction.atomic():
        for ask in (client.authenticated_user, lambda: client.image_bytes(url), lambda: oauth.request_token("oob")):
            with pytest.raises(NetworkInTransaction):
                ask()

    assert (len(smugmug.requests), len(smugmug.downloads)) == (requests, downloads)
    assert client.authenticated_user().nickname == "demo"


@pytest.mark.django_db(transaction=True)
def test_sync_with_real_transactions_never_asks_inside_one(own_account, own_smugmug):
    sync_all(own_account)
    own_smugmug.library.albums.pop(0)
    own_smugmug.library.albums[0].photos.pop(0)

    run = sync_all(own_account)

    assert run.state == RunState.SUCCEEDED
    assert run.photos_removed > 1
    assert Photo.objects.present().count() == own_smugmug.library.count_photos()
