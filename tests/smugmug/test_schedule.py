import datetime

import pytest
from django.utils import timezone

from smugmug import jobs, schedule
from smugmug.models import Account, AuditEntry, SyncRun
from targetvision.models import RunState
from tests.factories import AccountFactory, SyncRunFactory


def ran(account, kind, *, ago, state=RunState.SUCCEEDED):
    run = SyncRunFactory(account=account, kind=kind, state=state)
    SyncRun.objects.filter(pk=run.pk).update(created_at=timezone.now() - datetime.timedelta(**ago))
    return run


def test_due_for_a_library_never_read_completely_is_nothing(library_of_ada):
    ran(library_of_ada, "full", ago={"days": 30}, state=RunState.FAILED)
    ran(library_of_ada, "albums", ago={"days": 30})

    assert schedule.due(library_of_ada) is None


@pytest.mark.parametrize(("minutes", "kind"), [(59, None), (61, "incremental")])
def test_due_after_an_hour_is_what_changed(library_of_ada, minutes, kind):
    ran(library_of_ada, "full", ago={"minutes": minutes})

    assert schedule.due(library_of_ada) == kind


@pytest.mark.parametrize(("days", "kind"), [(6.9, None), (7.1, "verify")])
def test_due_after_a_week_is_a_check_of_everything(library_of_ada, days, kind):
    ran(library_of_ada, "full", ago={"days": days})
    ran(library_of_ada, "incremental", ago={"minutes": 5})

    assert schedule.due(library_of_ada) == kind


def test_due_counts_from_runs_of_all_kinds_but_single_albums(library_of_ada):
    ran(library_of_ada, "full", ago={"hours": 3})
    ran(library_of_ada, "albums", ago={"minutes": 5})

    assert schedule.due(library_of_ada) == "incremental"


def test_due_after_a_failed_check_does_not_try_again_at_once(library_of_ada):
    ran(library_of_ada, "full", ago={"days": 8})
    ran(library_of_ada, "verify", ago={"minutes": 5}, state=RunState.FAILED)

    assert schedule.due(library_of_ada) is None


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING, RunState.PAUSED])
def test_due_while_a_run_is_active_is_nothing(library_of_ada, state):
    ran(library_of_ada, "full", ago={"days": 30})
    ran(library_of_ada, "albums", ago={"hours": 2}, state=state)

    assert schedule.due(library_of_ada) is None


def test_due_is_switched_off_by_nought(library_of_ada, settings):
    settings.SYNC_INCREMENTAL_MINUTES = settings.SYNC_VERIFY_DAYS = 0
    ran(library_of_ada, "full", ago={"days": 30})

    assert schedule.due(library_of_ada) is None


def test_start_due_syncs_begins_and_enqueues_each_that_is_due(library_of_ada, enqueued):
    fresh, cut_off = AccountFactory(), AccountFactory(state=Account.State.DISCONNECTED)
    for account, ago in ((library_of_ada, {"hours": 2}), (fresh, {"minutes": 2}), (cut_off, {"hours": 2})):
        ran(account, "full", ago=ago)

    jobs.start_due_syncs()
    jobs.start_due_syncs()

    [run] = SyncRun.objects.active()
    assert (run.account, run.kind, run.requested_by) == (library_of_ada, "incremental", None)
    assert enqueued == [("sync_account", (str(run.pk),))]
    [entry] = AuditEntry.objects.all()
    assert (entry.who, entry.action, entry.result, entry.run) == ("schedule", "incremental", "started", run.pk)
