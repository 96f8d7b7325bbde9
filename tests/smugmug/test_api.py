"""Syncs, accounts and albums for programs."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from smugmug.models import Account, AuditEntry, SyncRun
from smugmug.reading import ALBUM_LIST
from targetvision.models import RunState
from tests.conftest import signed_in
from tests.factories import AccountFactory, AlbumFactory, MembershipFactory, SyncRunFactory, UserFactory
from tests.targetvision.test_api import post, problem

API = "/api/smugmug"
NO_RUN = "00000000-0000-0000-0000-000000000000"


def count_queries(client: Any, url: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    return len(queries)


# --- Starting


@pytest.mark.parametrize("body", ["", "{}", "null"])
def test_start_sync_by_the_owner_of_one_library_needs_no_body(body, owner_client, ada, library_of_ada, enqueued):
    response = owner_client.post(f"{API}/sync", body, "application/json")

    run = SyncRun.objects.get()
    assert response.status_code == 202
    assert response.json() == {
        "job": str(run.pk),
        "state": "queued",
        "kind": "full",
        "account": library_of_ada.nickname,
        "is_new": True,
        "status_url": f"{API}/sync/status?job={run.pk}",
    }
    assert (run.account, run.requested_by, run.kind) == (library_of_ada, ada, SyncRun.Kind.FULL)
    assert enqueued == [("sync_account", (str(run.pk),))]
    assert AuditEntry.objects.get().who == "user:ada"


@pytest.mark.parametrize("kind", ["full", "incremental", "verify"])
def test_start_sync_is_of_the_kind_that_was_asked_for(kind, curator_client, library_of_ada, enqueued):
    response = post(curator_client, f"{API}/sync", {"account": library_of_ada.nickname, "kind": kind})

    assert response.json()["kind"] == kind
    assert SyncRun.objects.get().kind == kind


def test_start_sync_while_one_runs_answers_with_that(owner_client, library_of_ada, enqueued):
    under_way = SyncRunFactory(account=library_of_ada, state=RunState.RUNNING, kind="verify")

    answer = post(owner_client, f"{API}/sync").json()

    assert (answer["job"], answer["is_new"], answer["kind"]) == (str(under_way.pk), False, "verify")
    assert (SyncRun.objects.count(), enqueued) == (1, [])


@pytest.mark.parametrize(
    ("nickname", "hint"),
    [("nobody", ""), ("", ""), ("ada@example.com", "e-mail"), ("<script>", ""), ("' OR 1=1 --", "")],
)
def test_start_sync_of_an_unknown_nickname_is_404(nickname, hint, owner_client, library_of_ada, enqueued):
    sentence = problem(post(owner_client, f"{API}/sync", {"account": nickname}), 404)

    assert f"You are in no library called “{nickname}”." in sentence
    assert ("e-mail" in sentence) == bool(hint)
    assert (SyncRun.objects.count(), enqueued) == (0, [])


def test_start_sync_of_a_strangers_library_is_404(stranger_client, library_of_ada, enqueued):
    problem(post(stranger_client, f"{API}/sync", {"account": library_of_ada.nickname}), 404)

    assert (SyncRun.objects.count(), enqueued) == (0, [])


def test_start_sync_by_a_viewer_is_403(viewer_client, library_of_ada, enqueued):
    for body in ({}, {"account": library_of_ada.nickname}):
        assert "curator" in problem(post(viewer_client, f"{API}/sync", body), 403)

    assert (SyncRun.objects.count(), enqueued) == (0, [])


def test_start_sync_by_somebody_without_a_library_is_404(db, enqueued):
    problem(post(signed_in(UserFactory()), f"{API}/sync"), 404)

    assert enqueued == []


def test_start_sync_by_the_owner_of_several_must_say_which(owner_client, ada, library_of_ada, enqueued):
    second = AccountFactory(owner=ada, nickname="second")

    sentence = problem(post(owner_client, f"{API}/sync"), 422)

    assert library_of_ada.nickname in sentence
    assert "second" in sentence
    assert enqueued == []
    assert post(owner_client, f"{API}/sync", {"account": "second"}).json()["account"] == second.nickname


def test_start_sync_counts_only_libraries_that_one_may_change(owner_client, ada, library_of_ada, enqueued):
    MembershipFactory(user=ada, role="viewer")

    assert post(owner_client, f"{API}/sync").json()["account"] == library_of_ada.nickname


def test_start_sync_of_a_disconnected_library_is_409(owner_client, library_of_ada, enqueued):
    Account.objects.update(state=Account.State.REFUSED)

    assert "not connected" in problem(post(owner_client, f"{API}/sync"), 409)
    assert (SyncRun.objects.count(), enqueued) == (0, [])


def test_start_sync_too_often_is_429_and_says_when(owner_client, ada, library_of_ada, enqueued, settings):
    settings.SYNC_STARTS_PER_HOUR = 1
    SyncRunFactory(account=library_of_ada, requested_by=ada, state=RunState.SUCCEEDED)

    response = post(owner_client, f"{API}/sync")

    assert "next is possible" in problem(response, 429)
    assert 3_500 < int(response["Retry-After"]) <= 3_600
    assert (SyncRun.objects.count(), enqueued) == (1, [])


def test_start_album_sync_is_of_that_album_alone(curator_client, library_of_ada, enqueued):
    album = AlbumFactory(account=library_of_ada)

    answer = post(curator_client, f"{API}/sync/album/{album.album_key}").json()

    run = SyncRun.objects.get()
    assert (answer["job"], answer["kind"], run.album_keys) == (str(run.pk), "albums", [album.album_key])
    assert enqueued == [("sync_account", (str(run.pk),))]


def test_start_album_sync_of_what_is_not_yours_starts_nothing(
    stranger_client, viewer_client, owner_client, library_of_ada, enqueued
):
    album = AlbumFactory(account=library_of_ada)

    problem(post(stranger_client, f"{API}/sync/album/{album.album_key}"), 404)
    problem(post(viewer_client, f"{API}/sync/album/{album.album_key}"), 403)
    problem(post(owner_client, f"{API}/sync/album/nowhere"), 404)
    problem(post(owner_client, f"{API}/sync/album/{album.pk}"), 404)
    problem(post(owner_client, f"{API}/sync/album/{album.album_key}%00"), 422)
    assert (SyncRun.objects.count(), enqueued) == (0, [])


# --- Following


def test_sync_status_tells_all_that_the_card_shows(viewer_client, ada, library_of_ada):
    begun = timezone.now() - datetime.timedelta(seconds=100)
    errors = [
        {"key": "AK1", "title": "Cats", "sentence": "SmugMug did not answer."},
        {"key": ALBUM_LIST, "title": "The list", "sentence": "It was cut short."},
    ]
    run = SyncRunFactory(
        account=library_of_ada, requested_by=ada, state=RunState.RUNNING, kind="verify", total=50, done=10,
        started_at=begun, heartbeat_at=timezone.now(), errors=errors, requests_made=40,
        photos_seen=700, photos_new=7, photos_changed=5, photos_removed=3,
        albums_locked=2, waiting_for="Waiting for SmugMug until 14:03:00 UTC.",
    )  # fmt: skip

    answer = viewer_client.get(f"{API}/sync/status?job={run.pk}").json()

    assert answer["rate"] == pytest.approx(0.1, rel=0.1)
    assert answer["seconds"] == pytest.approx(100, abs=10)
    assert answer["seconds_left"] == pytest.approx(400, rel=0.1)
    assert answer["started_at"] == begun.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert answer["errors"] == [
        {"album_key": "AK1", "title": "Cats", "sentence": "SmugMug did not answer."},
        {"album_key": None, "title": "The list", "sentence": "It was cut short."},
    ]
    assert (
        answer.items()
        >= {
            "job": str(run.pk),
            "account": library_of_ada.nickname,
            "state": "running",
            "is_active": True,
            "kind": "verify",
            "album_keys": [],
            "requests_made": 40,
            "waiting_for": "Waiting for SmugMug until 14:03:00 UTC.",
            "requested_by": "ada",
            "finished_at": None,
            "resume_at": None,
        }.items()
    )
    assert answer["albums"] == {"done": 10, "total": 50, "locked": 2}
    assert answer["photos"] == {"seen": 700, "new": 7, "changed": 5, "removed": 3}


def test_sync_status_of_a_run_that_no_worker_takes_says_so(owner_client, library_of_ada):
    SyncRunFactory(account=library_of_ada)

    answer = owner_client.get(f"{API}/sync/status").json()

    assert "worker" in answer["waiting_for"]
    assert (answer["rate"], answer["seconds_left"], answer["requested_by"]) == (None, None, None)


def test_sync_status_without_a_job_is_the_newest_that_one_may_see(owner_client, ada, library_of_ada):
    second = AccountFactory(owner=ada, nickname="second")
    runs = [
        SyncRunFactory(
            account=account, state=RunState.SUCCEEDED, created_at=timezone.now() - datetime.timedelta(hours=age)
        )
        for account, age in ((library_of_ada, 3), (library_of_ada, 2), (second, 1))
    ]
    SyncRunFactory()  # of others

    def newest(query: str = "") -> str:
        return owner_client.get(f"{API}/sync/status{query}").json()["job"]

    assert newest() == str(runs[2].pk)
    assert newest(f"?account={library_of_ada.nickname}") == str(runs[1].pk)


def test_sync_status_where_there_is_none_is_404(owner_client, stranger_client, library_of_ada):
    assert problem(owner_client.get(f"{API}/sync/status"), 404) == "There has been no such run yet."
    run = SyncRunFactory(account=library_of_ada)

    for query in (f"?job={run.pk}", "", f"?account={library_of_ada.nickname}", f"?job={NO_RUN}"):
        problem(stranger_client.get(f"{API}/sync/status{query}"), 404)
    assert problem(stranger_client.get(f"{API}/sync/status?job=7"), 422) == "job should be a UUID."


# --- Stopping and repeating


def test_cancel_sync_ends_it_once(curator_client, library_of_ada):
    run = SyncRunFactory(account=library_of_ada, state=RunState.RUNNING)

    first, second = (post(curator_client, f"{API}/sync/{run.pk}/cancel") for _ in range(2))

    assert (first.json()["state"], first.json()["is_active"]) == ("cancelled", False)
    assert problem(second, 409) == "This sync is over: cancelled."
    assert [entry.result for entry in AuditEntry.objects.all()] == ["cancelled"]


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_change_of_a_sync_that_is_not_yours_is_refused(
    verb, stranger_client, viewer_client, owner_client, library_of_ada, enqueued
):
    run = SyncRunFactory(account=library_of_ada, state=RunState.RUNNING)

    problem(post(stranger_client, f"{API}/sync/{run.pk}/{verb}"), 404)
    problem(post(viewer_client, f"{API}/sync/{run.pk}/{verb}"), 403)
    for nobodys in (NO_RUN, "7", "%00"):
        problem(post(owner_client, f"{API}/sync/{nobodys}/{verb}"), 404)
    run.refresh_from_db()
    assert (run.state, SyncRun.objects.count(), enqueued) == (RunState.RUNNING, 1, [])


def test_retry_sync_reads_just_what_failed(curator_client, library_of_ada, enqueued):
    errors = [{"key": key, "title": key, "sentence": "No."} for key in ("AK1", "AK2")]
    run = SyncRunFactory(account=library_of_ada, state=RunState.PARTIAL, errors=errors)

    answer = post(curator_client, f"{API}/sync/{run.pk}/retry")

    again = SyncRun.objects.active().get()
    assert (answer.status_code, answer.json()["job"], answer.json()["kind"]) == (202, str(again.pk), "albums")
    assert again.album_keys == ["AK1", "AK2"]
    assert enqueued == [("sync_account", (str(again.pk),))]


def test_retry_sync_with_nothing_to_retry_is_409(owner_client, library_of_ada, enqueued):
    run = SyncRunFactory(
        account=library_of_ada, state=RunState.RUNNING, errors=[{"key": "A", "title": "", "sentence": ""}]
    )

    for state in ("running", "succeeded"):
        SyncRun.objects.update(state=state)
        assert problem(post(owner_client, f"{API}/sync/{run.pk}/retry"), 409).endswith(f": {state}.")
    assert (SyncRun.objects.count(), enqueued) == (1, [])


# --- Accounts and albums


def test_accounts_are_those_one_is_in_with_the_role(viewer_client, ada, library_of_ada):
    AccountFactory(owner=ada)

    answer = viewer_client.get(f"{API}/accounts").json()

    assert [(each["nickname"], each["role"]) for each in answer["items"]] == [(library_of_ada.nickname, "viewer")]
    assert "oauth" not in json.dumps(answer)


def test_accounts_ask_no_more_for_more_of_them(owner_client, ada, library_of_ada):
    one = count_queries(owner_client, f"{API}/accounts")
    for _ in range(2):
        MembershipFactory(account=AccountFactory(owner=ada))
    AccountFactory()

    assert count_queries(owner_client, f"{API}/accounts") == one
    assert owner_client.get(f"{API}/accounts").json()["total"] == 3


def test_albums_are_told_with_all_that_is_known(viewer_client, library_of_ada):
    moved = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    album = AlbumFactory(
        account=library_of_ada,
        title="Zoë’s cats",
        image_count=12,
        images_last_updated=moved,
        is_locked=True,
        privacy="Private",
    )

    [told] = viewer_client.get(f"{API}/albums").json()["items"]

    assert (
        told.items()
        >= {
            "id": str(album.pk),
            "account": library_of_ada.nickname,
            "album_key": album.album_key,
            "title": "Zoë’s cats",
            "image_count": 12,
            "images_last_updated": "2026-01-02T03:04:05Z",
            "is_locked": True,
            "privacy": "Private",
            "synced_at": None,
            "photos_url": f"{API}/photos/{album.pk}",
        }.items()
    )


def test_albums_are_those_of_ones_libraries_newest_first(owner_client, ada, library_of_ada):
    second = AccountFactory(owner=ada, nickname="second")
    old, new = (
        AlbumFactory(
            account=account, title=f"Cats {year}", images_last_updated=timezone.now().replace(year=year, day=1)
        )
        for account, year in ((library_of_ada, 2020), (second, 2025))
    )
    never = AlbumFactory(account=library_of_ada, title="Dogs")
    AlbumFactory(account=library_of_ada, removed_at=timezone.now())
    AlbumFactory(title="Cats of others")

    def keys(query: str = "") -> list[str]:
        return [each["album_key"] for each in owner_client.get(f"{API}/albums{query}").json()["items"]]

    assert keys() == [new.album_key, old.album_key, never.album_key]
    assert keys("?q=cATS") == [new.album_key, old.album_key]
    assert keys("?account=second") == [new.album_key]
    assert keys("?account=second&q=dogs") == []


def test_albums_of_a_strangers_library_are_404(stranger_client, library_of_ada):
    AlbumFactory(account=library_of_ada)

    problem(stranger_client.get(f"{API}/albums?account={library_of_ada.nickname}"), 404)
    assert stranger_client.get(f"{API}/albums").json()["total"] == 0


def test_albums_ask_no_more_for_more_of_them(owner_client, ada, library_of_ada):
    AlbumFactory(account=library_of_ada)
    one = count_queries(owner_client, f"{API}/albums")
    for account in (library_of_ada, AccountFactory(owner=ada)):
        AlbumFactory(account=account)
    AlbumFactory()

    assert count_queries(owner_client, f"{API}/albums") == one
    assert owner_client.get(f"{API}/albums").json()["total"] == 3
