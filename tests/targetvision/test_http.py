"""Whoever holds a transaction never holds the network."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openai
import pytest
from django.db import transaction

from targetvision.http import NetworkInTransaction, Session, guarded_httpx_client


@dataclass
class Server:
    """Answers {} to everything and keeps what it was asked."""

    url: str
    asked: list[tuple[str, Any]] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known.asked.append((self.path, dict(self.headers)))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        known = Server(f"http://127.0.0.1:{running.server_port}")
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield known
        running.shutdown()
        thread.join()


@pytest.mark.django_db
def test_session_outside_a_transaction_asks(server):
    with Session() as session:
        assert session.get(f"{server.url}/here", timeout=5).json() == {}

    assert [path for path, _ in server.asked] == ["/here"]


@pytest.mark.django_db
def test_session_inside_a_transaction_refuses_and_asks_nobody(server):
    with Session() as session, transaction.atomic():
        with pytest.raises(NetworkInTransaction):
            session.get(f"{server.url}/here", timeout=5)
        with transaction.atomic(), pytest.raises(NetworkInTransaction):
            session.get(f"{server.url}/here", timeout=5)

    assert server.asked == []


@pytest.mark.django_db(transaction=True)
def test_session_in_a_real_transaction_refuses_and_afterwards_asks(server):
    with Session() as session:
        with transaction.atomic(), pytest.raises(NetworkInTransaction):
            session.get(f"{server.url}/inside", timeout=5)
        session.get(f"{server.url}/after", timeout=5)

    assert [path for path, _ in server.asked] == ["/after"]


@pytest.mark.django_db
def test_session_in_a_thread_beside_a_transaction_asks(server):
    """A thread has a connection of its own: describing goes on while another thread writes."""
    statuses: list[int] = []

    def ask() -> None:
        with Session() as session:
            statuses.append(session.get(f"{server.url}/here", timeout=5).status_code)

    with transaction.atomic():
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()

    assert statuses == [200]


def test_session_with_a_netrc_does_not_send_its_password(server, tmp_path: Path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ada password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    with Session() as session:
        session.get(f"{server.url}/here", timeout=5)

    [(_, headers)] = server.asked
    assert "Authorization" not in headers


@pytest.mark.django_db
def test_httpx_client_outside_a_transaction_asks(server):
    with guarded_httpx_client(5) as client:
        assert client.get(f"{server.url}/here").json() == {}

    assert [path for path, _ in server.asked] == ["/here"]


@pytest.mark.django_db
def test_httpx_client_inside_a_transaction_refuses_and_asks_nobody(server):
    with guarded_httpx_client(5) as client, transaction.atomic(), pytest.raises(NetworkInTransaction):
        client.get(f"{server.url}/here")

    assert server.asked == []


@pytest.mark.django_db
def test_openai_sdk_inside_a_transaction_refuses_and_asks_nobody(server):
    with guarded_httpx_client(5) as client:
        sdk = openai.OpenAI(api_key="k", base_url=f"{server.url}/v1", max_retries=0, http_client=client)
        with transaction.atomic(), pytest.raises((NetworkInTransaction, openai.APIConnectionError)) as caught:
            sdk.embeddings.create(model="m", input="x")

    assert isinstance(caught.value, NetworkInTransaction) or isinstance(caught.value.__cause__, NetworkInTransaction)
    assert server.asked == []
