"""The OAuth 1.0a handshake with SmugMug, and the client of a connected account."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode

import requests
from django.conf import settings
from django.db import transaction
from django_rq import get_connection
from requests_oauthlib import OAuth1

from smugmug.client import (
    ATTEMPTS,
    PATIENCE,
    TIMEOUT,
    RefusedHere,
    SmugMugClient,
    SmugMugError,
    SmugMugRefused,
    SmugMugUnavailable,
)
from smugmug.models import Account, Membership
from smugmug.pacing import Pacer
from smugmug.records import RemoteUser
from smugmug.wire import clock_off
from targetvision.http import Session

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ACCESS = "Full"  # private and passworded albums too
READ, MODIFY = "Read", "Modify"
OUT_OF_BAND = "oob"
PAGE_PATIENCE = 10  # seconds that a person waits for a slot in the budget
CHANGE_PATIENCE = 30


class NotConfigured(SmugMugError):
    """There is no SMUGMUG_API_KEY."""

    advice = "SMUGMUG_API_KEY and SMUGMUG_API_SECRET are not set; the connect page says how to get them."

    def __init__(self) -> None:
        super().__init__(self.advice)


class TokensUnreadable(RefusedHere):
    """The account's tokens are encrypted under a key that is not here, or were forgotten.

    Without them SmugMug would take us for anybody, and show a public library where a private one is mirrored.
    """

    advice = (
        "The tokens of this library cannot be read. Connect the account again, or put back the keys under which it was "
        "connected (keys.env, or FIELD_ENCRYPTION_KEYS)."
    )

    def __init__(self) -> None:
        super().__init__("there are no tokens that can be read")


class HandshakeRefused(Exception):
    """SmugMug, or the person there, said no; str() is the sentence for the person."""


class AccountTaken(Exception):
    """The library is connected by somebody else; str() is the sentence for the person."""


@dataclass(frozen=True, slots=True)
class Token:
    token: str
    secret: str


def is_configured() -> bool:
    return bool(settings.SMUGMUG_API_KEY and settings.SMUGMUG_API_SECRET)


def request_token(callback: str) -> Token:
    """Begin: a token that lives five minutes. `callback` is our address, or OUT_OF_BAND for a 6-digit code."""
    return _token_call("getRequestToken", OAuth1(*_key(), callback_uri=callback))


def authorize_url(token: Token, *, permissions: str = READ) -> str:
    """Where the person says yes. A grant that stands already is not raised by it."""
    query = urlencode({"oauth_token": token.token, "Access": ACCESS, "Permissions": permissions})
    return f"{settings.SMUGMUG_OAUTH_URL}/authorize?{query}"


def access_token(token: Token, verifier: str) -> Token:
    """End: a token that lives until it is revoked."""
    auth = OAuth1(*_key(), resource_owner_key=token.token, resource_owner_secret=token.secret, verifier=verifier)
    return _token_call("getAccessToken", auth)


def connect(account: Account) -> SmugMugClient:
    """The client that speaks for the account."""
    return client(Token(account.oauth_token, account.oauth_token_secret))


def connect_for_changes(account: Account) -> SmugMugClient:
    """The same for changes: one that would have to wait long is not sent, so that a pause or a stop still finds it."""
    return client(Token(account.oauth_token, account.oauth_token_secret), patience=CHANGE_PATIENCE)


def connect_for_page(account: Account) -> SmugMugClient:
    """The same for a page, where a person waits: it asks once and waits little; its connections are kept."""
    return _page_client(Token(account.oauth_token, account.oauth_token_secret), settings.SMUGMUG_API_URL)


@functools.lru_cache(maxsize=32)
def _page_client(token: Token, api_url: str) -> SmugMugClient:
    return client(token, attempts=1, patience=PAGE_PATIENCE)


@functools.lru_cache(maxsize=4)
def _pacer(rate: float) -> Pacer:
    """One for all clients of the process, so that their threads queue up in one line."""
    return Pacer(get_connection("smugmug"), rate)


def client(token: Token, *, attempts: int = ATTEMPTS, patience: float = PATIENCE) -> SmugMugClient:
    """The client that speaks with the token; where that is empty, TokensUnreadable comes out of every request."""

    def new_session() -> Session:
        if not (token.token and token.secret):
            raise TokensUnreadable
        session = Session()
        session.auth = OAuth1(*_key(), resource_owner_key=token.token, resource_owner_secret=token.secret)
        return session

    return SmugMugClient(
        new_session=new_session,
        api_url=settings.SMUGMUG_API_URL,
        pacer=_pacer(settings.SMUGMUG_REQUESTS_PER_SECOND),
        attempts=attempts,
        patience=patience,
    )


def save_account(token: Token, *, owner: User, permissions: str = READ) -> Account:
    """Ask SmugMug whose token it is and keep it; AccountTaken where another person connected that library.

    `permissions` is what was asked for; less may stand there from before, which shows at the first change.
    """
    remote = client(token).authenticated_user()
    return _keep(remote, token, owner=owner, permissions=permissions)


@transaction.atomic
def _keep(remote: RemoteUser, token: Token, *, owner: User, permissions: str) -> Account:
    account, made = Account.objects.select_for_update().get_or_create(
        nickname=remote.nickname,
        defaults={"owner": owner, "oauth_token": token.token, "oauth_token_secret": token.secret},
    )
    if not made and account.owner_id != owner.pk:
        raise AccountTaken(f"{remote.nickname} is connected by {account.owner}; only {account.owner} can renew it.")
    account.name, account.web_url = remote.name, remote.web_url
    account.oauth_token, account.oauth_token_secret = token.token, token.secret
    account.granted_access, account.granted_permissions = ACCESS, permissions
    account.state = Account.State.CONNECTED
    account.save()
    Membership.objects.update_or_create(user=owner, account=account, defaults={"role": Membership.Role.OWNER})
    return account


def _key() -> tuple[str, str]:
    if not is_configured():
        raise NotConfigured
    return settings.SMUGMUG_API_KEY, settings.SMUGMUG_API_SECRET


def _token_call(name: str, auth: OAuth1) -> Token:
    with Session() as session:
        try:
            response = session.get(
                f"{settings.SMUGMUG_OAUTH_URL}/{name}", auth=auth, timeout=TIMEOUT, allow_redirects=False
            )
        except requests.RequestException as exc:
            raise SmugMugUnavailable(f"{name}: {type(exc).__name__}") from exc
    if response.status_code >= requests.codes.server_error:
        raise SmugMugUnavailable(f"{name} answered {response.status_code}")
    fields = parse_qs(response.text)
    if response.status_code != requests.codes.ok or not {"oauth_token", "oauth_token_secret"} <= fields.keys():
        raise _refusal(name, response)
    return Token(fields["oauth_token"][0], fields["oauth_token_secret"][0])


def _refusal(name: str, response: requests.Response) -> Exception:
    """Why a token call failed: our key is wrong, or this handshake is over."""
    text = response.text[:400]
    if problem := clock_off(response, text):
        return problem
    if "consumer_key" in text or "signature_invalid" in text or "API key" in text:
        return SmugMugRefused(f"{name} answered {response.status_code}")
    return HandshakeRefused("SmugMug did not accept the code or its five minutes were over. Start again.")
