"""Where HTTP sessions come from: each refuses to speak while its thread holds a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from django.db import connection

if TYPE_CHECKING:
    import httpx2


class NetworkInTransaction(RuntimeError):
    """Our own mistake: whoever holds a transaction never holds the network."""


def refuse_in_transaction() -> None:
    """Raise NetworkInTransaction inside `atomic()`; the transaction that wraps a test does not count."""
    if any(not block._from_testcase for block in connection.atomic_blocks):  # type: ignore[attr-defined]
        raise NetworkInTransaction("the network was asked for inside a database transaction")


class Session(requests.Session):
    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False  # no ~/.netrc: its password would replace our signature

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        refuse_in_transaction()
        return super().send(request, **kwargs)


def guarded_httpx_client(timeout: float) -> httpx2.Client:
    """A client for the OpenAI SDK under the same rule; `timeout` in seconds."""
    import httpx2  # noqa: PLC0415 - only those who use an OpenAI-compatible server need it

    return httpx2.Client(timeout=timeout, event_hooks={"request": [lambda _request: refuse_in_transaction()]})
