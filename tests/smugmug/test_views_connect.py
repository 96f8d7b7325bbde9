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
from tests.conftest import signed_in
from tests.factories import AccountFactory, UserFactory
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


def test_connect_that_asks_for_modify_keeps_that_it_was_granted(smugmug, owner_client):
    response = owner_client.post(CONNECT, {"modify": "1"})
    assert dict(parse_qsl(urlsplit(response["Location"]).query))["Permissions"] == "Modify"

    back = urlsplit(press(response["Location"]).headers["Location"])
    owner_client.get(f"{back.path}?{back.query}")

    assert Account.objects.get().granted_permissions == "Modify"
    assert "smugmug_permissions" not in owner_client.session
