import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from smugmug.client import SmugMugUnavailable
from smugmug.models import Account, SyncRun
from targetvision.models import RunState
from tests.conftest import HTMX, signed_in
from tests.factories import AccountFactory, MembershipFactory, SyncRunFactory

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

    assert "A sync of this library is already under way." in said(response)
    assert SyncRun.objects.count() == len(enqueued) == 1


@pytest.mark.parametrize("state", [Account.State.REFUSED, Account.State.DISCONNECTED])
def test_start_sync_of_a_library_without_access_asks_to_connect(owner_client, library_of_ada, enqueued, state):
    Account.objects.filter(pk=library_of_ada.pk).update(state=state)

    response = owner_client.post(reverse("smugmug:sync", args=[library_of_ada.nickname]))

    assert response["Location"] == CONNECT
    assert said(response) == [f"{library_of_ada.nickname} is not connected. Connect it again first."]
    assert (SyncRun.objects.count(), enqueued) == (0, [])


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
    assert "cancel" not in response.text.replace("Sync cancelled", "")


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

    assert "Sync finished, 1 album could not be read" in response.text
    assert "&lt;Summer&gt;" in response.text
    assert SmugMugUnavailable.advice in response.text


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
