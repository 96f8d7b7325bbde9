import datetime
import inspect
import typing
import uuid

import pytest
from django.utils import timezone
from rq.exceptions import ShutDownImminentException

from smugmug import jobs, sync
from smugmug.flight import Flight
from smugmug.models import Photo, SyncRun
from targetvision.models import RunState
from tests.factories import SyncRunFactory


def test_declare_jobs_takes_ids_only():
    found = [job for _, job in inspect.getmembers(jobs, lambda value: hasattr(value, "delay"))]

    assert jobs.sync_account in found
    for job in found:
        hints = typing.get_type_hints(job)
        assert hints.pop("return") is type(None)
        assert set(hints.values()) <= {str, list[str]}


def test_sync_account_of_a_gone_run_does_nothing(db, smugmug, enqueued):
    before = len(smugmug.requests)

    jobs.sync_account(str(uuid.uuid4()))

    assert enqueued == []
    assert len(smugmug.requests) == before


def test_sync_account_in_one_slice_completes_and_enqueues_nothing(account, smugmug, enqueued):
    run, _ = sync.start(account, by=None)

    jobs.sync_account(str(run.pk))

    assert SyncRun.objects.get().state == RunState.SUCCEEDED
    assert Photo.objects.count() == smugmug.library.count_photos()
    assert enqueued == []


def test_sync_account_a_second_time_does_nothing(account, smugmug, enqueued):
    run, _ = sync.start(account, by=None)
    jobs.sync_account(str(run.pk))
    before = len(smugmug.requests)

    jobs.sync_account(str(run.pk))

    assert len(smugmug.requests) == before
    assert enqueued == []


def test_sync_account_with_work_left_enqueues_its_continuation(account, enqueued, monkeypatch):
    monkeypatch.setattr(jobs, "SLICE_SECONDS", 0)
    run, _ = sync.start(account, by=None)

    jobs.sync_account(str(run.pk))

    assert SyncRun.objects.get().state == RunState.QUEUED
    assert enqueued == [("sync_account", (str(run.pk),))]


def test_sync_account_while_its_worker_shuts_down_gives_the_run_back(account, enqueued, monkeypatch):
    def stop(self, timeout):
        raise ShutDownImminentException("shut down", {})

    monkeypatch.setattr(Flight, "land", stop)
    run, _ = sync.start(account, by=None)

    with pytest.raises(ShutDownImminentException):
        jobs.sync_account(str(run.pk))

    run = SyncRun.objects.get()
    assert (run.state, run.finished_at) == (RunState.QUEUED, None)
    assert enqueued == [("sync_account", (str(run.pk),))]


def test_sync_account_shut_down_after_it_was_cancelled_stays_cancelled(account, enqueued, monkeypatch):
    def cancel_and_stop(self, timeout):
        SyncRun.objects.get().cancel()
        raise ShutDownImminentException("shut down", {})

    monkeypatch.setattr(Flight, "land", cancel_and_stop)
    run, _ = sync.start(account, by=None)

    with pytest.raises(ShutDownImminentException):
        jobs.sync_account(str(run.pk))

    assert SyncRun.objects.get().state == RunState.CANCELLED


def test_resume_stalled_syncs_enqueues_those_that_nobody_works_on(db, enqueued):
    now, old = timezone.now(), timezone.now() - datetime.timedelta(hours=1)
    stalled = [
        SyncRunFactory(state=RunState.QUEUED, created_at=old),  # the queue lost it
        SyncRunFactory(state=RunState.RUNNING, heartbeat_at=old),  # its worker died
        SyncRunFactory(state=RunState.QUEUED, heartbeat_at=old),  # its continuation was lost
    ]
    others = [
        SyncRunFactory(state=RunState.RUNNING, created_at=old, heartbeat_at=now),
        SyncRunFactory(state=RunState.QUEUED),
        SyncRunFactory(state=RunState.PAUSED, heartbeat_at=old),
        SyncRunFactory(state=RunState.FAILED, heartbeat_at=old),
    ]
    states = [run.state for run in others]

    jobs.resume_stalled_syncs()

    assert sorted(enqueued) == sorted(("sync_account", (str(run.pk),)) for run in stalled)
    for run in (*stalled, *others):
        run.refresh_from_db()
    assert {run.state for run in stalled} == {RunState.QUEUED}
    assert [run.state for run in others] == states


def test_resume_stalled_syncs_twice_enqueues_once(db, enqueued):
    SyncRunFactory(created_at=timezone.now() - datetime.timedelta(hours=1))

    jobs.resume_stalled_syncs()
    jobs.resume_stalled_syncs()

    assert len(enqueued) == 1


def test_resume_stalled_syncs_leaves_one_that_was_cancelled_meanwhile(db, enqueued, monkeypatch):
    run = SyncRunFactory(created_at=timezone.now() - datetime.timedelta(hours=1))
    seen = list(SyncRun.objects.stalled())
    run.cancel()
    monkeypatch.setattr(type(SyncRun.objects.all()), "stalled", lambda rows: seen)

    jobs.resume_stalled_syncs()

    assert enqueued == []
    assert SyncRun.objects.get().state == RunState.CANCELLED
