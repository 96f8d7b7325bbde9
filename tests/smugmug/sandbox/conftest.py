from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from requests_oauthlib import OAuth1

from smugmug.sandbox import Sandbox, odd_library

JSON = {"Accept": "application/json"}


class Caller:
    """Calls the API of one stand-in, signed with one token or, without one, with the key alone."""

    def __init__(self, sandbox: Sandbox, access: str | None = "Full", permissions: str = "Read") -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.headers.update(JSON)
        if access:
            token, secret = sandbox.grant(access, permissions)
            self.session.auth = OAuth1(sandbox.api_key, sandbox.api_secret, token, secret)
        else:
            self.session.params = {"APIKey": sandbox.api_key}

    def fetch(self, path: str, **params: Any) -> requests.Response:
        return self.session.get(f"{self.sandbox.url}{path}", params=params, allow_redirects=False, timeout=10)

    def send(self, method: str, path: str, **body: Any) -> requests.Response:
        """A write, with `json` or `data` as its body."""
        url = f"{self.sandbox.url}{path}"
        return self.session.request(method, url, allow_redirects=False, timeout=10, **body)

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """The whole answer; a call that fails fails the test."""
        response = self.fetch(path, **params)
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        assert body["Code"] == 200
        return body

    def read(self, path: str, **params: Any) -> Any:
        """The object or list itself."""
        response = self.get(path, **params)["Response"]
        return response[response["Locator"]]


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """One stand-in for all tests that leave it as it was."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def fresh() -> Iterator[Sandbox]:
    """A stand-in of the test's own, whose library it may change."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def calling() -> Iterator[Callable[..., Caller]]:
    callers: list[Caller] = []

    def call(sandbox: Sandbox, access: str | None = "Full", permissions: str = "Read") -> Caller:
        callers.append(Caller(sandbox, access, permissions))
        return callers[-1]

    yield call
    for caller in callers:
        caller.session.close()


@pytest.fixture
def editor(fresh: Sandbox, calling: Callable[..., Caller]) -> Caller:
    """May change the library of `fresh`."""
    return calling(fresh, "Full", "Modify")


@pytest.fixture(scope="module")
def odd() -> Iterator[Sandbox]:
    """A stand-in that holds everything a client trips over, for tests that leave it as it was."""
    with Sandbox(library=odd_library()) as running:
        yield running


@pytest.fixture
def owner(sandbox: Sandbox, calling: Callable[..., Caller]) -> Caller:
    return calling(sandbox)


@pytest.fixture
def stranger(sandbox: Sandbox, calling: Callable[..., Caller]) -> Caller:
    return calling(sandbox, None)
