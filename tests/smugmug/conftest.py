"""A stand-in that can be told to fail, a person at its consent page, and waits that take no time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import django_rq
import pytest
import requests
from requests_oauthlib import OAuth1

from smugmug import oauth, sync
from smugmug import wire as wire_module
from smugmug.client import SmugMugClient
from smugmug.models import Account, Album, Photo, SyncRun
from smugmug.pacing import Pacer
from smugmug.sandbox import Sandbox, odd_library
from smugmug.sandbox.messages import Call, Reply
from targetvision import keys
from tests.conftest import use_sandbox

Change = Callable[[dict[str, Any]], None]


class Faults:
    """Takes calls away from a stand-in: those whose address contains a text get another answer."""

    def __init__(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[Call] = []  # all that came in
        self._rules: list[tuple[str, Any, list[int]]] = []
        self._answer = sandbox.answer
        monkeypatch.setattr(sandbox, "answer", self._decide)

    def reply(self, part: str, reply: Reply, *, times: int = 10_000) -> None:
        """Answer the next `times` calls whose address contains `part` with `reply`."""
        self._rules.append((part, lambda call: reply, [times]))

    def change(self, part: str, change: Change) -> None:
        """Let `change` work on the JSON that the stand-in answers where the address contains `part`."""

        def changed(call: Call) -> Reply:
            honest = self._answer(call)
            body = json.loads(honest.body)
            change(body)
            return Reply(honest.status, json.dumps(body).encode(), honest.headers)

        self._rules.append((part, changed, [10_000]))

    def clear(self) -> None:
        self._rules.clear()

    def _decide(self, call: Call) -> Reply:
        self.calls.append(call)
        for part, answer, left in self._rules:
            if part in call.target and left[0] > 0:
                left[0] -= 1
                return answer(call)
        return self._answer(call)


@pytest.fixture
def faults(own_smugmug: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Faults:
    """The faults of the test's own stand-in."""
    return Faults(own_smugmug, monkeypatch)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between the client's attempts, in seconds; they take no time."""
    pauses: list[float] = []
    monkeypatch.setattr(wire_module, "time", SimpleNamespace(time=time.time, sleep=pauses.append))
    return pauses


@pytest.fixture
def own_account(own_smugmug: Sandbox, ada: Any) -> Account:
    """The library of the test's own stand-in, connected by ada."""
    return oauth.save_account(oauth.Token(*own_smugmug.grant()), owner=ada)


@pytest.fixture
def odd(settings: Any, ada: Any) -> Iterator[tuple[Sandbox, Account]]:
    """A stand-in that holds what clients trip over, and the account that mirrors it."""
    with Sandbox(library=odd_library()) as running:
        use_sandbox(running, settings)
        account = oauth.save_account(oauth.Token(*running.grant()), owner=ada)
        sync_all(account)
        yield running, account


@pytest.fixture
def lose_keys(settings: Any) -> Callable[[], None]:
    """Put another key in the place of those under which tokens were kept."""

    def lose() -> None:
        settings.FIELD_ENCRYPTION_KEYS = [keys.make_key()]

    return lose


def press(authorize_url: str, answer: str = "authorize") -> requests.Response:
    """What SmugMug answers when the person presses a button of its consent page."""
    address, _, query = authorize_url.partition("?")
    return requests.post(address, {**dict(parse_qsl(query)), "answer": answer}, allow_redirects=False, timeout=10)


def sync_all(account: Account, client: SmugMugClient | None = None, **options: Any) -> SyncRun:
    """A whole sync, done here and now."""
    run, _ = sync.start(account, by=account.owner)
    assert sync.carry_on(run, client=client or oauth.connect(account), seconds=60, **options)
    return run


def keys_of(photos: Iterable[Any]) -> list[str]:
    return [photo.key for photo in photos]


def mirrored(album: Any) -> list[str]:
    """The keys of the photos that stand in an album of the stand-in's, as the mirror has them."""
    rows = Photo.objects.in_album(Album.objects.get(album_key=album.key))
    return [row.image_key for row in rows]


def listings(sandbox: Sandbox) -> list[str]:
    """How often the images of each album were asked for."""
    paths = [request.path.partition("?")[0] for request in sandbox.requests]
    return sorted(path for path in paths if path.endswith("!images"))


def connected(sandbox, **options):
    """A client with a token of the stand-in's, and no database behind it; its budget is practically endless."""
    token, secret = sandbox.grant()

    def new_session():
        session = requests.Session()
        session.trust_env = False
        session.auth = OAuth1(sandbox.api_key, sandbox.api_secret, token, secret)
        return session

    options.setdefault("pacer", Pacer(django_rq.get_connection("smugmug"), 1000))
    return SmugMugClient(new_session=new_session, api_url=sandbox.url, **options)
