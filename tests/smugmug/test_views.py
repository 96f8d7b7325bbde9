import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from smugmug import oauth
from smugmug.client import SmugMugRefused, SmugMugUnavailable
from smugmug.models import Account, SyncRun
from targetvision.models import RunState
from tests.conftest import HTMX, signed_in
from tests.factories import AccountFactory, MembershipFactory, SyncRunFactory, UserFactory
from tests.smugmug.conftest import press

CONNECT = reverse("smugmug:connect")


def said(response):
    """The messages that the next page will show."""
    return [message.message for message in get_messages(response.wsgi_request)]


def begin(client):
    """Where SmugMug sends the browser after the person agreed to a handshake that `client` began."""
    return urlsplit(press(client.post(CONNECT)["Location"]).headers["Location"])


def code_of(page):
    """The six digits on SmugMug's page."""
    return re.search(r"\b\d{6}\b", page.partition("<main>")[2])[0]


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


# --- Connecting


def test_connect_page_with_a_key_offers_both_ways(owner_client):
    response = owner_client.get(CONNECT)

    assert response.status_code == 200
    assert "Continue to SmugMug" in response.text
    assert 'name="by_code"' in response.text
    assert "testserver" in response.text
    assert "SMUGMUG_API_KEY=" not in response.text
    assert "Connected libraries" not in response.text


@pytest.mark.parametrize("setting", ["SMUGMUG_API_KEY", "SMUGMUG_API_SECRET"])
def test_connect_page_without_a_key_says_how_to_get_one(owner_client, settings, setting):
    setattr(settings, setting, "")

    response = owner_client.get(CONNECT)

    assert "SMUGMUG_API_KEY=" in response.text
    assert "https://api.smugmug.com/api/developer/apply" in response.text
    assert "Continue to SmugMug" not in response.text


def test_connect_page_lists_the_libraries_of_the_person_only(ada, owner_client):
    for nickname in ("dunes", "harbour", "meadow"):
        AccountFactory(owner=ada, nickname=nickname)
    AccountFactory(nickname="elsewhere")

    response = owner_client.get(CONNECT)

    assert set(re.findall(r"<small>(\w+) · connected</small>", response.text)) == {"dunes", "harbour", "meadow"}
    assert "elsewhere" not in response.text


def test_connect_page_asks_as_often_for_three_libraries_as_for_one(ada, owner_client):
    AccountFactory(owner=ada)
    with CaptureQueriesContext(connection) as one:
        owner_client.get(CONNECT)
    AccountFactory(owner=ada)
    AccountFactory(owner=ada)
    with CaptureQueriesContext(connection) as three:
        owner_client.get(CONNECT)

    assert len(three) == len(one)


def test_begin_to_connect_goes_to_smugmug_with_our_callback(smugmug, owner_client):
    response = owner_client.post(CONNECT)

    assert response["Location"].startswith(f"{smugmug.oauth_url}/authorize?")
    back = press(response["Location"]).headers["Location"]
    assert back.startswith(f"http://testserver{reverse('smugmug:callback')}?")
    assert not Account.objects.exists()


def test_begin_to_connect_keeps_the_request_token_encrypted(smugmug, owner_client):
    response = owner_client.post(CONNECT)

    token = dict(parse_qsl(urlsplit(response["Location"]).query))["oauth_token"]
    assert list(owner_client.session.keys() - {"_auth_user_id", "_auth_user_backend", "_auth_user_hash"}) == [
        "smugmug_handshake"
    ]
    assert token not in owner_client.session["smugmug_handshake"]


def test_begin_to_connect_without_a_key_says_so(owner_client, settings):
    settings.SMUGMUG_API_KEY = ""

    response = owner_client.post(CONNECT)

    assert response["Location"] == CONNECT
    assert said(response) == [oauth.NotConfigured.advice]


def test_begin_to_connect_with_a_wrong_secret_says_so(smugmug, owner_client, settings):
    settings.SMUGMUG_API_SECRET = "wrong"

    response = owner_client.post(CONNECT)

    assert response["Location"] == CONNECT
    assert said(response) == [SmugMugRefused.advice]
    assert "smugmug_handshake" not in owner_client.session


def test_begin_to_connect_while_smugmug_is_down_says_so(owner_client):
    response = owner_client.post(CONNECT)  # nobody listens where the settings point

    assert response["Location"] == CONNECT
    assert said(response) == [SmugMugUnavailable.advice]


def test_callback_after_a_yes_connects_the_library(smugmug, ada, owner_client):
    back = begin(owner_client)

    response = owner_client.get(f"{back.path}?{back.query}")

    assert response["Location"] == reverse("dashboard")
    assert said(response) == ["demo is connected. Sync it to bring the library in."]
    account = Account.objects.get()
    assert (account.owner, account.nickname, account.is_connected) == (ada, "demo", True)
    assert "smugmug_handshake" not in owner_client.session


def test_callback_a_second_time_connects_nothing_more(smugmug, owner_client):
    back = begin(owner_client)
    owner_client.get(f"{back.path}?{back.query}")
    Account.objects.update(state=Account.State.REFUSED)

    response = owner_client.get(f"{back.path}?{back.query}")

    assert response["Location"] == CONNECT
    assert any("belongs to no connection begun here" in message for message in said(response))
    assert Account.objects.get().state == Account.State.REFUSED


def test_callback_with_another_token_connects_nothing_and_keeps_the_handshake(smugmug, owner_client):
    back = begin(owner_client)

    response = owner_client.get(f"{back.path}?oauth_token=other&oauth_verifier=123456")

    assert response["Location"] == CONNECT
    assert "belongs to no connection begun here" in said(response)[0]
    assert not Account.objects.exists()
    assert owner_client.get(f"{back.path}?{back.query}")["Location"] == reverse("dashboard")


def test_callback_in_the_browser_of_somebody_else_connects_nothing(smugmug, owner_client):
    back = begin(owner_client)
    victim = signed_in(UserFactory(username="victim"))

    response = victim.get(f"{back.path}?{back.query}")

    assert "belongs to no connection begun here" in said(response)[0]
    assert not Account.objects.exists()


def test_callback_with_a_wrong_verifier_connects_nothing(smugmug, owner_client):
    back = begin(owner_client)
    token = dict(parse_qsl(back.query))["oauth_token"]

    response = owner_client.get(f"{back.path}?oauth_token={token}&oauth_verifier=wrong")

    assert said(response) == ["SmugMug did not accept the code or its five minutes were over. Start again."]
    assert not Account.objects.exists()
    assert "smugmug_handshake" not in owner_client.session


def test_callback_after_a_no_connects_nothing(smugmug, owner_client):
    authorize_url = owner_client.post(CONNECT)["Location"]
    back = urlsplit(press(authorize_url, "deny").headers["Location"])

    response = owner_client.get(f"{back.path}?{back.query}", follow=True)

    assert "You did not allow it on SmugMug, so nothing was connected." in response.text
    assert not Account.objects.exists()
    assert "smugmug_handshake" not in owner_client.session


def test_callback_for_a_library_of_somebody_else_says_whose_it_is(smugmug, owner_client):
    theirs = AccountFactory(owner__username="grace", nickname="demo", oauth_token="theirs")
    back = begin(owner_client)

    response = owner_client.get(f"{back.path}?{back.query}")

    assert said(response) == ["demo is connected by grace; only grace can renew it."]
    theirs.refresh_from_db()
    assert theirs.oauth_token == "theirs"
    assert not theirs.memberships.filter(user__username="ada").exists()


def test_callback_takes_no_post(owner_client):
    assert owner_client.post(reverse("smugmug:callback")).status_code == 405


def test_connect_by_code_connects_the_library(smugmug, ada, owner_client):
    page = owner_client.post(CONNECT, {"by_code": "1"})
    assert page.status_code == 200
    authorize_url = page.context["authorize_url"]
    assert 'name="code"' in page.text
    code = code_of(press(authorize_url).text)

    response = owner_client.post(reverse("smugmug:verify"), {"code": f" {code} "})

    assert response["Location"] == reverse("dashboard")
    assert Account.objects.get().owner == ada


def test_connect_by_a_wrong_code_connects_nothing(smugmug, owner_client):
    page = owner_client.post(CONNECT, {"by_code": "1"})
    code = code_of(press(page.context["authorize_url"]).text)

    response = owner_client.post(reverse("smugmug:verify"), {"code": f"{(int(code) + 1) % 1_000_000:06d}"})

    assert response["Location"] == CONNECT
    assert said(response) == ["SmugMug did not accept the code or its five minutes were over. Start again."]
    assert not Account.objects.exists()


@pytest.mark.parametrize(
    ("code", "sentence"),
    [("", "Type the code that SmugMug shows."), ("12345", "The code has six digits."), ("abcdef", "six digits")],
)
def test_verify_something_that_is_no_code_is_422_and_may_be_tried_again(smugmug, owner_client, code, sentence):
    page = owner_client.post(CONNECT, {"by_code": "1"})
    authorize_url = page.context["authorize_url"]

    response = owner_client.post(reverse("smugmug:verify"), {"code": code})

    assert response.status_code == 422
    assert sentence in response.text
    assert response.context["authorize_url"] == authorize_url
    assert not Account.objects.exists()
    right = owner_client.post(reverse("smugmug:verify"), {"code": code_of(press(authorize_url).text)})
    assert right["Location"] == reverse("dashboard")


def test_verify_without_a_handshake_connects_nothing(smugmug, owner_client):
    response = owner_client.post(reverse("smugmug:verify"), {"code": "123456"})

    assert response["Location"] == CONNECT
    assert said(response) == ["No connection was begun here. Start again."]
    assert not Account.objects.exists()


def test_post_without_csrf_token_is_refused(library_of_ada, ada, enqueued):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)

    for url in (CONNECT, reverse("smugmug:verify"), reverse("smugmug:sync", args=[library_of_ada.nickname])):
        assert client.post(url).status_code == 403
    assert (SyncRun.objects.count(), enqueued) == (0, [])


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
