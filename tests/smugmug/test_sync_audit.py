import datetime

import pytest
import time_machine
from django.utils import timezone

from smugmug import oauth, sync
from smugmug.models import AuditEntry, SyncRun
from targetvision.models import RunState
from tests.factories import AccountFactory, SyncRunFactory, UserFactory
from tests.smugmug.conftest import sync_all


def trail():
    return list(AuditEntry.objects.order_by("created_at", "pk").values_list("who", "action", "result"))


def test_sync_by_a_person_is_written_down_from_start_to_end(own_account, own_smugmug):
    run = sync_all(own_account)

    assert trail() == [("user:ada", "full", "started"), ("user:ada", "full", "succeeded")]
    assert set(AuditEntry.objects.values_list("account", "nickname", "run")) == {(own_account.pk, "demo", run.pk)}
    assert AuditEntry.objects.get(result="succeeded").detail == (
        f"{own_smugmug.library.count_photos()} new, 0 changed, 0 removed"
    )


def test_sync_by_the_clock_names_the_schedule_to_its_end(own_account):
    run, _ = sync.start(own_account, by=None, who="schedule")
    sync.carry_on(run, client=oauth.connect(own_account), seconds=60)

    assert trail() == [("schedule", "full", "started"), ("schedule", "full", "succeeded")]


def test_sync_that_fails_is_written_down_with_its_sentence(own_account, own_smugmug):
    own_smugmug.revoke()

    run = sync_all(own_account)

    assert trail()[-1] == ("user:ada", "full", "failed")
    assert AuditEntry.objects.get(result="failed").detail == run.waiting_for


def test_cancel_is_written_down_with_who_did_it(library_of_ada):
    grace = UserFactory(username="grace")
    run, _ = sync.start(library_of_ada, by=library_of_ada.owner)

    assert sync.cancel(run, by=grace) is True
    assert sync.cancel(run, by=library_of_ada.owner) is False

    assert trail() == [("user:ada", "full", "started"), ("user:grace", "full", "cancelled")]


def test_start_while_one_is_active_is_no_operation_of_its_own(library_of_ada, ada):
    sync.start(library_of_ada, by=ada)
    sync.start(library_of_ada, by=ada)

    assert trail() == [("user:ada", "full", "started")]


# --- How many


def test_start_beyond_the_limit_is_refused_until_the_first_is_an_hour_old(library_of_ada, ada, settings):
    settings.SYNC_STARTS_PER_HOUR = 2
    for minutes in (50, 10):
        run = SyncRunFactory(account=AccountFactory(), requested_by=ada, state=RunState.SUCCEEDED)
        moment = timezone.now() - datetime.timedelta(minutes=minutes)
        SyncRun.objects.filter(pk=run.pk).update(created_at=moment)

    with pytest.raises(sync.TooManyStarts) as refused:
        sync.start(library_of_ada, by=ada)

    assert 590 <= refused.value.retry_after <= 600
    assert "10 minutes" in str(refused.value)
    assert not SyncRun.objects.filter(account=library_of_ada).exists()
    assert trail() == [("user:ada", "full", "refused")]

    with time_machine.travel(timezone.now() + datetime.timedelta(minutes=11)):
        _, is_new = sync.start(library_of_ada, by=ada)
    assert is_new


def test_start_counts_each_person_alone_and_no_schedule(library_of_ada, ada, settings):
    settings.SYNC_STARTS_PER_HOUR = 1
    SyncRunFactory(requested_by=UserFactory(), state=RunState.SUCCEEDED)
    SyncRunFactory(requested_by=None, state=RunState.SUCCEEDED)

    run, is_new = sync.start(library_of_ada, by=ada)

    assert is_new
    run.cancel()
    assert sync.start(library_of_ada, by=None)[1]


def test_start_without_a_limit_is_never_refused(library_of_ada, ada, settings):
    settings.SYNC_STARTS_PER_HOUR = 0
    for _ in range(3):
        run, is_new = sync.start(library_of_ada, by=ada)
        assert is_new
        sync.cancel(run, by=ada)
