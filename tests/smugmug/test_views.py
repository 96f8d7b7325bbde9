import threading
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from smugmug import privacy
from smugmug.client import SmugMugUnavailable
from smugmug.models import Account, Album, AuditEntry, SyncRun
from smugmug.reading import ALBUM_LIST
from targetvision.models import RunState
from tests.conftest import HTMX, signed_in
from tests.factories import AccountFactory, AlbumFactory, MembershipFactory, SyncRunFactory

CONNECT = reverse("smugmug:connect")


def said(response):
    """The messages that the next page will show."""
    return [message.message for message in get_messages(response.wsgi_request)]


# --- Signing in


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("connect", []),
        ("callback", []),
        ("sync_run", ["00000000-0000-0000-0000-000000000000"]),
        ("image", ["token"]),
    ],
)
def test_get_without_signing_in_goes_to_the_sign_in_page(client, db, name, args):
    url = reverse(f"smugmug:{name}", args=args)

    response = client.get(url)

    assert response["Location"] == f"{reverse('login')}?next={url}"


def test_post_without_signing_in_starts_nothing(client, library_of_ada, enqueued):
    response = client.post(reverse("smugmug:sync", args=[library_of_ada.nickname]))

    assert response["Location"].startswith(reverse("login"))
    assert not SyncRun.objects.exists()
    assert enqueued == []


# --- Starting


def test_start_sync_as_owner_enqueues_one_run(owner_client, library_of_ada, ada, enqueued):
    response = owner_client.post(reverse("smugmug:sync", args=[library_of_ada.nickname]))

    assert response["Location"] == reverse("dashboard")
    run = SyncRun.objects.get()
    assert (run.account, run.requested_by, run.state) == (library_of_ada, ada, RunState.QUEUED)
    assert enqueued == [("sync_account", (str(run.pk),))]


def test_start_sync_as_curator_enqueues_one_run(curator_client, library_of_ada, enqueued):
    curator_client.post(reverse("smugmug:sync", args=[library_of_ada.nickname]))

    run = SyncRun.objects.get()
    assert run.requested_by.username == "grace"
    assert enqueued == [("sync_account", (str(run.pk),))]


def test_start_sync_as_viewer_is_forbidden(viewer_client, library_of_ada, enqueued):
    response = viewer_client.post(reverse("smugmug:sync", args=[library_of_ada.nickname]))

    assert response.status_code == 403
    assert (SyncRun.objects.count(), enqueued) == (0, [])


def test_start_sync_as_stranger_is_not_found(stranger_client, library_of_ada, enqueued):
    response = stranger_client.post(reverse("smugmug:sync", args=[library_of_ada.nickname]))
    unknown = stranger_client.post(reverse("smugmug:sync", args=["nobody"]))

    assert (response.status_code, unknown.status_code) == (404, 404)
    assert (SyncRun.objects.count(), enqueued) == (0, [])


def test_start_sync_by_get_is_not_allowed(owner_client, library_of_ada, enqueued):
    response = owner_client.get(reverse("smugmug:sync", args=[library_of_ada.nickname]))

    assert response.status_code == 405
    assert (SyncRun.objects.count(), enqueued) == (0, [])


def test_start_sync_twice_keeps_the_first(owner_client, library_of_ada, enqueued):
    url = reverse("smugmug:sync", args=[library_of_ada.nickname])
    owner_client.post(url)

    response = owner_client.post(url)

    assert "A sync of this library is already under way, begun by ada." in said(response)
    assert SyncRun.objects.count() == len(enqueued) == 1


@pytest.mark.parametrize("state", [Account.State.REFUSED, Account.State.DISCONNECTED])
def test_start_sync_of_a_library_without_access_asks_to_connect(owner_client, library_of_ada, enqueued, state):
    Account.objects.filter(pk=library_of_ada.pk).update(state=state)

    response = owner_client.post(reverse("smugmug:sync", args=[library_of_ada.nickname]))

    assert response["Location"] == CONNECT
    assert said(response) == [f"{library_of_ada.nickname} is not connected. Connect it again first."]
    assert (SyncRun.objects.count(), enqueued) == (0, [])


@pytest.mark.parametrize("kind", ["full", "incremental", "verify"])
def test_start_sync_of_a_kind_starts_that_kind(owner_client, library_of_ada, enqueued, kind):
    owner_client.post(reverse("smugmug:sync", args=[library_of_ada.nickname]), {"kind": kind})

    assert SyncRun.objects.get().kind == kind


@pytest.mark.parametrize("read", [False, True])
def test_start_sync_without_a_choice_reads_what_changed_once_the_library_has_been_read(
    owner_client, library_of_ada, enqueued, read
):
    AlbumFactory(account=library_of_ada, synced_at=timezone.now() if read else None)
    AlbumFactory(synced_at=timezone.now())

    owner_client.post(reverse("smugmug:sync", args=[library_of_ada.nickname]))

    assert SyncRun.objects.get().kind == ("incremental" if read else "full")


@pytest.mark.parametrize("kind", ["albums", "everything", "FULL", "\x00"])
def test_start_sync_of_no_known_kind_is_422_and_starts_nothing(owner_client, library_of_ada, enqueued, kind):
    response = owner_client.post(reverse("smugmug:sync", args=[library_of_ada.nickname]), {"kind": kind})

    assert response.status_code == 422
    assert "There is no such sync. Nothing was started." in response.text
    assert (SyncRun.objects.count(), enqueued) == (0, [])


def test_start_sync_too_often_is_429_and_says_when(owner_client, library_of_ada, ada, enqueued, settings):
    settings.SYNC_STARTS_PER_HOUR = 2
    for minutes in (50, 10):
        made = timezone.now() - timedelta(minutes=minutes)
        SyncRunFactory(account=library_of_ada, state="succeeded", requested_by=ada, created_at=made)

    response = owner_client.post(reverse("smugmug:sync", args=[library_of_ada.nickname]))

    assert response.status_code == 429
    assert 500 < int(response["Retry-After"]) <= 600
    assert "You have started many syncs in the last hour. The next is possible in 10 minutes." in response.text
    assert "Nothing was started." in response.text
    assert (SyncRun.objects.active().count(), enqueued) == (0, [])


def test_start_sync_from_a_page_comes_back_to_it_and_never_leaves_the_house(owner_client, library_of_ada, enqueued):
    url = reverse("smugmug:sync", args=[library_of_ada.nickname])

    near = owner_client.post(url, headers={"referer": "http://testserver/activity/?kind=full"})
    far = owner_client.post(url, headers={"referer": "https://evil.example/activity/"})

    assert near["Location"] == "http://testserver/activity/?kind=full"
    assert far["Location"] == "/"


# --- Starting with one album


def test_sync_album_reads_that_album_alone(curator_client, library_of_ada, enqueued):
    album = AlbumFactory(account=library_of_ada, album_key="AK1")

    response = curator_client.post(reverse("smugmug:sync_album", args=[album.pk]))

    run = SyncRun.objects.get()
    assert response.status_code == 302
    assert (run.account, run.kind, run.album_keys) == (library_of_ada, "albums", ["AK1"])
    assert enqueued == [("sync_account", (str(run.pk),))]


@pytest.mark.parametrize(("person", "status"), [("viewer_client", 403), ("stranger_client", 404)])
def test_sync_album_without_the_right_starts_nothing(request, library_of_ada, enqueued, person, status):
    album = AlbumFactory(account=library_of_ada)

    response = request.getfixturevalue(person).post(reverse("smugmug:sync_album", args=[album.pk]))

    assert response.status_code == status
    assert (SyncRun.objects.count(), enqueued) == (0, [])


# --- Starting again


FAILED = [
    {"key": "AK1", "title": "Summer", "sentence": SmugMugUnavailable.advice},
    {"key": "AK2", "title": "Winter", "sentence": SmugMugUnavailable.advice},
]


def retry(client, run):
    return client.post(reverse("smugmug:retry_sync", args=[run.pk]))


def test_retry_reads_just_the_albums_that_failed(curator_client, library_of_ada, enqueued):
    run = SyncRunFactory(account=library_of_ada, state="partial", errors=FAILED)

    retry(curator_client, run)

    again = SyncRun.objects.active().get()
    assert (again.kind, again.album_keys, again.requested_by.username) == ("albums", ["AK1", "AK2"], "grace")
    assert enqueued == [("sync_account", (str(again.pk),))]
    run.refresh_from_db()
    assert run.state == "partial"


def test_retry_a_run_that_failed_as_a_whole_starts_the_same_again(owner_client, library_of_ada, enqueued):
    retry(owner_client, SyncRunFactory(account=library_of_ada, kind="verify", state="failed"))

    assert SyncRun.objects.active().get().kind == "verify"


@pytest.mark.parametrize("state", ["running", "paused", "succeeded", "cancelled"])
def test_retry_a_run_that_left_nothing_over_starts_nothing(owner_client, library_of_ada, enqueued, state):
    run = SyncRunFactory(account=library_of_ada, state=state)

    response = retry(owner_client, run)

    assert said(response) == ["That sync has left nothing over, so nothing was started."]
    assert (SyncRun.objects.count(), enqueued) == (1, [])


@pytest.mark.parametrize(("person", "status"), [("viewer_client", 403), ("stranger_client", 404)])
def test_retry_without_the_right_starts_nothing(request, library_of_ada, enqueued, person, status):
    run = SyncRunFactory(account=library_of_ada, state="partial", errors=FAILED)

    assert retry(request.getfixturevalue(person), run).status_code == status
    assert (SyncRun.objects.count(), enqueued) == (1, [])


# --- Going on


def test_continue_a_paused_sync_enqueues_it_and_writes_down_who(curator_client, library_of_ada, enqueued):
    run = SyncRunFactory(account=library_of_ada, state="paused", resume_at=timezone.now() + timedelta(hours=1))

    curator_client.post(reverse("smugmug:continue_sync", args=[run.pk]))

    run.refresh_from_db()
    assert (run.state, run.resume_at) == ("queued", None)
    assert enqueued == [("sync_account", (str(run.pk),))]
    entry = AuditEntry.objects.get()
    assert (entry.who, entry.action, entry.run) == ("user:grace", "continue", run.pk)


@pytest.mark.parametrize("state", ["running", "succeeded"])
def test_continue_a_sync_that_is_not_paused_changes_nothing(owner_client, library_of_ada, enqueued, state):
    run = SyncRunFactory(account=library_of_ada, state=state)

    owner_client.post(reverse("smugmug:continue_sync", args=[run.pk]))

    run.refresh_from_db()
    assert (run.state, enqueued, AuditEntry.objects.count()) == (state, [], 0)


# --- Watching


def fragment(client, run):
    return client.get(reverse("smugmug:sync_run", args=[run.pk]), headers=HTMX)


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING])
def test_watch_an_active_run_asks_again(owner_client, library_of_ada, state):
    run = SyncRunFactory(account=library_of_ada, state=state, total=6, done=2)

    response = fragment(owner_client, run)

    assert f'hx-get="{reverse("smugmug:sync_run", args=[run.pk])}"' in response.text
    assert "hx-trigger" in response.text
    assert "HX-Refresh" not in response
    assert 'value="2" max="6"' in response.text
    assert reverse("smugmug:cancel_sync", args=[run.pk]) in response.text


@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.PARTIAL, RunState.FAILED, RunState.CANCELLED])
def test_watch_a_run_that_is_over_stops_asking_and_refreshes_the_page(owner_client, library_of_ada, state):
    run = SyncRunFactory(account=library_of_ada, state=state)

    response = fragment(owner_client, run)

    assert response["HX-Refresh"] == "true"
    assert "hx-get" not in response.text
    assert "<progress" not in response.text
    assert "cancel" not in response.text.replace("Full sync cancelled", "").replace("/retry", "")


def test_watch_a_run_before_the_list_of_albums_is_read_knows_no_total(owner_client, library_of_ada):
    run = SyncRunFactory(account=library_of_ada)
    run.begin(alone=True)

    response = fragment(owner_client, run)

    assert "reading the list of albums" in response.text
    assert "max=" not in response.text


def test_watch_a_queued_run_without_workers_says_so(owner_client, library_of_ada):
    response = fragment(owner_client, SyncRunFactory(account=library_of_ada))

    assert "Waiting for a worker, and none is running." in response.text


def test_watch_a_waiting_run_says_why(owner_client, library_of_ada):
    run = SyncRunFactory(account=library_of_ada, state=RunState.RUNNING, waiting_for="Waiting for SmugMug & rain.")

    assert "Waiting for SmugMug &amp; rain." in fragment(owner_client, run).text


def test_watch_a_partial_run_names_what_failed(owner_client, library_of_ada):
    errors = [{"key": "AK1", "title": "<Summer>", "sentence": SmugMugUnavailable.advice}]
    run = SyncRunFactory(account=library_of_ada, state=RunState.PARTIAL, errors=errors, total=3, done=2)

    response = fragment(owner_client, run)

    assert "Full sync finished, 1 album could not be read" in response.text
    assert "&lt;Summer&gt;" in response.text
    assert SmugMugUnavailable.advice in response.text


def test_watch_a_run_tells_kind_figures_and_budget(owner_client, library_of_ada, settings):
    settings.SMUGMUG_REQUESTS_PER_SECOND = 4
    run = SyncRunFactory(
        account=library_of_ada, kind="incremental", state="running", total=6, done=3, requests_made=35,
        started_at=timezone.now() - timedelta(seconds=10), heartbeat_at=timezone.now(),
        photos_seen=1234, photos_new=3, photos_changed=2, photos_removed=1, albums_locked=4,
    )  # fmt: skip

    page = fragment(owner_client, run).text

    assert f"Syncing what changed in {library_of_ada}" in page
    assert "album 3 of 6 · 1,234 photos seen · 3 new · 2 changed · 1 removed · 4 albums locked" in page
    assert "35 requests, 3.5 a second · 10 s left" in page
    assert "All syncs together may ask SmugMug 4 times a second." in page


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({"kind": "full"}, "Full sync finished"),
        ({"kind": "incremental"}, "Sync of changes finished"),
        ({"kind": "verify"}, "Check of everything finished"),
        ({"kind": "albums", "album_keys": ["A", "B"]}, "Sync of 2 albums finished"),
        ({"kind": "full", "state": "partial", "errors": FAILED}, "Full sync finished, 2 albums could not be read"),
        (
            {"state": "partial", "errors": [{"key": ALBUM_LIST, "title": "", "sentence": ""}]},
            "Full sync finished, but not all of it",
        ),
        ({"kind": "verify", "state": "failed"}, "Check of everything failed"),
    ],
)
def test_watch_a_run_that_is_over_names_its_kind(owner_client, library_of_ada, fields, title):
    run = SyncRunFactory(**{"account": library_of_ada, "state": "succeeded", "finished_at": timezone.now(), **fields})

    assert f"<b>{title}</b>" in fragment(owner_client, run).text


def test_watch_a_sync_that_found_nothing_new_says_so(owner_client, library_of_ada):
    ended = timezone.now() - timedelta(minutes=4)
    run = SyncRunFactory(
        account=library_of_ada,
        kind="incremental",
        state="succeeded",
        requests_made=2,
        started_at=ended,
        finished_at=ended,
    )

    assert "nothing had changed · 2 requests · <time" in fragment(owner_client, run).text


def test_watch_a_run_whose_worker_died_says_so(owner_client, library_of_ada, settings, monkeypatch):
    silence = timezone.now() - timedelta(seconds=3 * settings.HEARTBEAT_SECONDS + 1)
    run = SyncRunFactory(account=library_of_ada, state="running", heartbeat_at=silence)

    alone = fragment(owner_client, run).text
    monkeypatch.setattr("targetvision.progress.workers_alive", lambda queue: 1)
    with_others = fragment(owner_client, run).text

    assert "Waiting for a worker, and none is running." in alone
    assert "The worker that had it shows no sign of life." in with_others


def test_watch_a_paused_run_that_goes_on_by_itself_asks_again_more_slowly(owner_client, library_of_ada):
    run = SyncRunFactory(account=library_of_ada, state="paused", waiting_for="SmugMug does not answer. Until 14:03.")
    forever = fragment(owner_client, run).text
    SyncRun.objects.update(resume_at=timezone.now() + timedelta(minutes=1))

    page = fragment(owner_client, run).text

    assert "hx-get" not in forever
    assert 'hx-trigger="load delay:10s"' in page
    assert "SmugMug does not answer. Until 14:03." in page
    assert reverse("smugmug:continue_sync", args=[run.pk]) in page


@pytest.mark.parametrize(
    ("person", "state", "errors", "label"),
    [
        ("curator_client", "partial", FAILED, "Read 2 albums again"),
        ("curator_client", "partial", FAILED[:1], "Read 1 album again"),
        ("curator_client", "failed", [], "Start it again"),
        ("curator_client", "succeeded", [], None),
        ("viewer_client", "partial", FAILED, None),
    ],
)
def test_watch_a_run_offers_to_retry_where_that_is_possible(request, library_of_ada, person, state, errors, label):
    run = SyncRunFactory(account=library_of_ada, state=state, errors=errors)

    page = fragment(request.getfixturevalue(person), run).text

    assert (reverse("smugmug:retry_sync", args=[run.pk]) in page) is (label is not None)
    assert label is None or f">{label}</button>" in page


def test_watch_an_active_run_as_viewer_shows_no_cancel_button(viewer_client, library_of_ada):
    run = SyncRunFactory(account=library_of_ada, state=RunState.RUNNING)

    response = fragment(viewer_client, run)

    assert response.status_code == 200
    assert reverse("smugmug:cancel_sync", args=[run.pk]) not in response.text


def test_watch_a_run_as_stranger_is_not_found(stranger_client, library_of_ada):
    assert fragment(stranger_client, SyncRunFactory(account=library_of_ada)).status_code == 404


# --- Cancelling


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING, RunState.PAUSED])
def test_cancel_an_active_run_ends_it(owner_client, library_of_ada, state):
    run = SyncRunFactory(account=library_of_ada, state=state)
    other = SyncRunFactory(state=state)

    response = owner_client.post(reverse("smugmug:cancel_sync", args=[run.pk]))

    assert response["Location"] == reverse("dashboard")
    assert said(response) == ["The sync was cancelled. What it had brought in stays."]
    run.refresh_from_db()
    other.refresh_from_db()
    assert (run.state, other.state) == (RunState.CANCELLED, state)
    assert run.finished_at is not None


def test_cancel_a_run_that_is_over_changes_nothing(owner_client, library_of_ada):
    run = SyncRunFactory(account=library_of_ada, state=RunState.SUCCEEDED)

    response = owner_client.post(reverse("smugmug:cancel_sync", args=[run.pk]))

    assert said(response) == []
    assert SyncRun.objects.get().state == RunState.SUCCEEDED


def test_cancel_as_curator_ends_it(curator_client, library_of_ada):
    run = SyncRunFactory(account=library_of_ada)

    curator_client.post(reverse("smugmug:cancel_sync", args=[run.pk]))

    assert SyncRun.objects.get().state == RunState.CANCELLED


def test_cancel_as_viewer_or_stranger_changes_nothing(viewer_client, stranger_client, library_of_ada):
    run = SyncRunFactory(account=library_of_ada)
    url = reverse("smugmug:cancel_sync", args=[run.pk])

    assert viewer_client.post(url).status_code == 403
    assert stranger_client.post(url).status_code == 404
    assert SyncRun.objects.get().state == RunState.QUEUED


def test_cancel_of_a_library_one_only_views_is_forbidden_though_one_owns_another(library_of_ada):
    mallory = AccountFactory(owner__username="mallory").owner
    MembershipFactory(user=mallory, account=library_of_ada, role="viewer")
    run = SyncRunFactory(account=library_of_ada)

    response = signed_in(mallory).post(reverse("smugmug:cancel_sync", args=[run.pk]))

    assert response.status_code == 403
    assert SyncRun.objects.get().state == RunState.QUEUED


def test_cancel_writes_down_who(curator_client, library_of_ada):
    run = SyncRunFactory(account=library_of_ada)

    curator_client.post(reverse("smugmug:cancel_sync", args=[run.pk]))

    entry = AuditEntry.objects.get()
    assert (entry.account, entry.who, entry.result, entry.run) == (library_of_ada, "user:grace", "cancelled", run.pk)


# --- What no AI server may have


def never_send(client, album, **data):
    return client.post(reverse("smugmug:never_send_album", args=[album.pk]), data)


def test_never_send_album_keeps_it_back_and_allows_it_again(curator_client, library_of_ada):
    album, other = AlbumFactory.create_batch(2, account=library_of_ada, title="Family")

    response = never_send(curator_client, album, never_send="on")

    assert said(response) == ["From now on nothing of “Family” is sent to an AI server. The words that are here stay."]
    kept = Album.objects.filter(never_send=True)
    assert [each.pk for each in kept] == [album.pk]
    never_send(curator_client, album, never_send="off")
    assert not kept.all().exists()
    trail = [(entry.who, entry.action, entry.detail) for entry in AuditEntry.objects.order_by("pk")]
    assert trail == [
        ("user:grace", "never send", "The album “Family”"),
        ("user:grace", "may send", "The album “Family”"),
    ]


@pytest.mark.parametrize("data", [{}, {"never_send": ""}, {"never_send": "true"}])
def test_never_send_album_without_a_clear_wish_is_422_and_changes_nothing(curator_client, library_of_ada, data):
    album = AlbumFactory(account=library_of_ada, never_send=True)

    response = never_send(curator_client, album, **data)

    assert response.status_code == 422
    assert "Shall it be sent or not? Nothing was changed." in response.text
    album.refresh_from_db()
    assert album.never_send
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(("person", "status"), [("viewer_client", 403), ("stranger_client", 404)])
def test_never_send_album_without_the_right_changes_nothing(request, library_of_ada, person, status):
    album = AlbumFactory(account=library_of_ada, never_send=True)

    assert never_send(request.getfixturevalue(person), album, never_send="off").status_code == status
    album.refresh_from_db()
    assert album.never_send


@pytest.mark.django_db(transaction=True)
def test_never_send_by_two_at_once_is_written_down_once():
    album = AlbumFactory()
    won = []

    def switch():
        won.append(privacy.switch(album, never_send=True, by=album.account.owner))
        connection.close()

    threads = [threading.Thread(target=switch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(won) == [False, True]
    assert AuditEntry.objects.count() == 1
