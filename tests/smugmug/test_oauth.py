import logging
import re
import time
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.db import connection

from smugmug import oauth
from smugmug.client import ClockOff, SmugMugRefused, SmugMugUnavailable
from smugmug.models import Account, Membership
from smugmug.oauth import AccountTaken, HandshakeRefused, NotConfigured, Token, TokensUnreadable
from smugmug.sandbox.messages import Reply, text_reply
from tests.factories import UserFactory
from tests.smugmug.conftest import press

CALLBACK = "http://testserver/smugmug/callback"


def query_of(url):
    return dict(parse_qsl(urlsplit(url).query))


def handshake():
    """An access token, got as a browser and a person get it."""
    token = oauth.request_token(CALLBACK)
    back = press(oauth.authorize_url(token)).headers["Location"]
    return oauth.access_token(token, query_of(back)["oauth_verifier"])


def test_handshake_by_callback_gives_a_token_that_works(smugmug):
    token = oauth.request_token(CALLBACK)
    back = press(oauth.authorize_url(token)).headers["Location"]

    assert back.startswith(CALLBACK)
    assert query_of(back)["oauth_token"] == token.token
    access = oauth.access_token(token, query_of(back)["oauth_verifier"])
    assert access != token
    assert oauth.client(access).authenticated_user().nickname == "demo"


def test_handshake_by_code_gives_a_token_that_works(smugmug):
    token = oauth.request_token(oauth.OUT_OF_BAND)
    page = press(oauth.authorize_url(token)).text

    [code] = re.findall(r"\b\d{6}\b", page.partition("<main>")[2])
    access = oauth.access_token(token, code)
    assert oauth.client(access).authenticated_user().nickname == "demo"


def test_authorize_url_asks_for_everything_to_be_read_and_nothing_changed(smugmug):
    url = oauth.authorize_url(Token("t/k+n", "secret"))

    assert url.startswith(f"{smugmug.oauth_url}/authorize?")
    assert query_of(url) == {"oauth_token": "t/k+n", "Access": "Full", "Permissions": "Read"}


@pytest.mark.parametrize("setting", ["SMUGMUG_API_KEY", "SMUGMUG_API_SECRET"])
def test_request_token_with_a_wrong_key_or_secret_is_refused(smugmug, settings, setting):
    setattr(settings, setting, "wrong")

    with pytest.raises(SmugMugRefused, match="getRequestToken answered 401"):
        oauth.request_token(CALLBACK)


@pytest.mark.parametrize("setting", ["SMUGMUG_API_KEY", "SMUGMUG_API_SECRET"])
def test_request_token_without_a_key_or_secret_says_so(smugmug, settings, setting):
    setattr(settings, setting, "")

    assert not oauth.is_configured()
    with pytest.raises(NotConfigured) as caught:
        oauth.request_token(CALLBACK)
    assert "SMUGMUG_API_KEY" in caught.value.advice


def test_access_token_after_a_no_is_refused(smugmug):
    token = oauth.request_token(CALLBACK)
    back = press(oauth.authorize_url(token), "deny").headers["Location"]

    assert "oauth_verifier" not in query_of(back)
    with pytest.raises(HandshakeRefused, match="Start again"):
        oauth.access_token(token, "123456")


def test_access_token_before_anybody_agreed_is_refused(smugmug):
    with pytest.raises(HandshakeRefused):
        oauth.access_token(oauth.request_token(CALLBACK), "123456")


def test_access_token_with_a_wrong_verifier_is_refused(smugmug):
    token = oauth.request_token(CALLBACK)
    verifier = query_of(press(oauth.authorize_url(token)).headers["Location"])["oauth_verifier"]

    with pytest.raises(HandshakeRefused):
        oauth.access_token(token, f"{(int(verifier) + 1) % 1_000_000:06d}")


def test_access_token_with_a_used_verifier_is_refused(smugmug):
    token = oauth.request_token(CALLBACK)
    verifier = query_of(press(oauth.authorize_url(token)).headers["Location"])["oauth_verifier"]
    oauth.access_token(token, verifier)

    with pytest.raises(HandshakeRefused):
        oauth.access_token(token, verifier)


def test_access_token_with_the_secret_of_another_handshake_is_refused(smugmug):
    token, other = oauth.request_token(CALLBACK), oauth.request_token(CALLBACK)
    verifier = query_of(press(oauth.authorize_url(token)).headers["Location"])["oauth_verifier"]

    with pytest.raises(SmugMugRefused):
        oauth.access_token(Token(token.token, other.secret), verifier)


def test_access_token_after_five_minutes_is_refused(smugmug, monkeypatch):
    monkeypatch.setattr("smugmug.sandbox.oauth.REQUEST_TOKEN_LIFE", -1)
    token = oauth.request_token(CALLBACK)

    with pytest.raises(HandshakeRefused, match="five minutes"):
        oauth.access_token(token, "123456")


@pytest.mark.parametrize(
    ("reply", "exception"),
    [
        (Reply(503), SmugMugUnavailable),
        (text_reply(200, "what?"), HandshakeRefused),
        (text_reply(200, "oauth_token=&oauth_token_secret="), HandshakeRefused),
        (Reply(302, b"", {"Location": "https://elsewhere.example/"}), HandshakeRefused),
    ],
)
def test_request_token_with_an_odd_answer_is_no_token(faults, reply, exception):
    faults.reply("getRequestToken", reply)

    with pytest.raises(exception):
        oauth.request_token(CALLBACK)


def test_request_token_with_a_clock_that_is_off_says_how_far(own_smugmug):
    own_smugmug.faults.clock_ahead = -840

    with pytest.raises(ClockOff, match="timestamp_refused") as caught:
        oauth.request_token(CALLBACK)

    assert "14 minutes ahead of SmugMug's" in caught.value.advice


def test_request_token_where_nobody_listens_is_unavailable(settings):
    settings.SMUGMUG_OAUTH_URL = "http://127.0.0.1:9/services/oauth/1.0a"

    with pytest.raises(SmugMugUnavailable, match="getRequestToken: ConnectionError"):
        oauth.request_token(CALLBACK)


def test_save_account_keeps_whose_token_it_is(smugmug, ada):
    access = handshake()

    account = oauth.save_account(access, owner=ada)

    account = Account.objects.get(pk=account.pk)
    assert (account.nickname, account.name, account.web_url) == ("demo", "Demo Photographer", smugmug.url)
    assert Token(account.oauth_token, account.oauth_token_secret) == access
    assert (account.granted_access, account.granted_permissions) == ("Full", "Read")
    assert (account.owner, account.is_connected) == (ada, True)
    membership = Membership.objects.get()
    assert (membership.user, membership.account, membership.role) == (ada, account, Membership.Role.OWNER)


def test_save_account_with_a_worthless_token_keeps_nothing(smugmug, ada):
    with pytest.raises(SmugMugRefused):
        oauth.save_account(Token("made", "up"), owner=ada)

    assert not Account.objects.exists()


def test_save_account_again_renews_the_token_of_a_refused_one(account, smugmug, ada):
    Account.objects.update(state=Account.State.REFUSED)
    access = Token(*smugmug.grant())

    renewed = oauth.save_account(access, owner=ada)

    assert renewed.pk == account.pk
    renewed.refresh_from_db()
    assert renewed.is_connected
    assert Token(renewed.oauth_token, renewed.oauth_token_secret) == access
    assert Membership.objects.count() == 1


def test_save_account_of_another_owner_keeps_theirs(account, smugmug):
    mallory = UserFactory(username="mallory")
    kept = Token(account.oauth_token, account.oauth_token_secret)

    with pytest.raises(AccountTaken, match="demo is connected by ada"):
        oauth.save_account(Token(*smugmug.grant()), owner=mallory)

    account = Account.objects.get()
    assert (account.owner.username, Token(account.oauth_token, account.oauth_token_secret)) == ("ada", kept)
    assert not mallory.memberships.exists()


def test_save_account_encrypts_the_token_at_rest(smugmug, ada):
    token, secret = smugmug.grant()

    oauth.save_account(Token(token, secret), owner=ada)

    with connection.cursor() as cursor:
        cursor.execute("SELECT oauth_token, oauth_token_secret, accounts::text FROM smugmug_account AS accounts")
        [(raw_token, raw_secret, row)] = cursor.fetchall()
    assert raw_token.startswith("gAAAA")
    assert raw_secret.startswith("gAAAA")
    assert raw_token != raw_secret
    assert token not in row
    assert secret not in row


def test_connect_for_a_page_waits_little_and_asks_once(own_account, faults):
    client = oauth.connect_for_page(own_account)
    faults.reply("!authuser", Reply(503))

    with pytest.raises(SmugMugUnavailable, match="503"):
        client.authenticated_user()
    assert client.requests_made == 1

    oauth.connect(own_account).wire.pacer.hold(60)
    started = time.monotonic()
    with pytest.raises(SmugMugUnavailable, match="budget"):
        client.authenticated_user()
    assert time.monotonic() - started < 5
    assert client.requests_made == 1


def test_connect_for_a_page_twice_is_one_client_with_the_budget_of_all(own_account):
    client = oauth.connect_for_page(own_account)

    assert oauth.connect_for_page(own_account) is client
    assert oauth.connect(own_account) is not client
    assert oauth.connect(own_account).wire.pacer is client.wire.pacer


def test_connect_speaks_with_the_kept_token(account, smugmug):
    assert oauth.connect(Account.objects.get()).authenticated_user().nickname == smugmug.nickname


@pytest.mark.parametrize("connect", [oauth.connect, oauth.connect_for_changes, oauth.connect_for_page])
@pytest.mark.parametrize("lost", ["oauth_token", "oauth_token_secret"])
def test_connect_with_a_token_that_cannot_be_read_asks_nothing(account, smugmug, connect, lost):
    setattr(account, lost, "")
    before = len(smugmug.requests)
    client = connect(account)

    with pytest.raises(TokensUnreadable, match="no tokens"):
        client.authenticated_user()
    with pytest.raises(TokensUnreadable):
        client.image_bytes(f"{smugmug.url}/photos/any.jpg")
    assert len(smugmug.requests) == before


def test_handshake_and_calls_log_neither_tokens_nor_secrets(own_smugmug, ada, caplog):
    caplog.set_level(logging.DEBUG)
    token = oauth.request_token(CALLBACK)
    verifier = query_of(press(oauth.authorize_url(token)).headers["Location"])["oauth_verifier"]
    access = oauth.access_token(token, verifier)
    account = oauth.save_account(access, owner=ada)
    own_smugmug.revoke()
    with pytest.raises(SmugMugRefused) as caught:
        oauth.connect(account).authenticated_user()
    logging.getLogger("test").error("why", exc_info=caught.value)

    assert "getRequestToken" in caplog.text  # something is logged at all
    for word in (token.secret, access.token, access.secret, "sandbox-secret", "oauth_signature"):
        assert word not in caplog.text
