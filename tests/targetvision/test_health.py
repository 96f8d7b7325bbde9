"""What a proxy and a monitor ask, with the real Postgres and Valkey."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import django_rq
import pytest
from django.db import connection
from django.test import Client
from rq import Queue, Worker

from targetvision import health

ALL_WELL = {"database": "ok", "queue": "ok", "worker": "ok", "migrations": "ok"}


@pytest.fixture
def worker() -> Iterator[Worker]:
    """One that RQ knows and that listens, as a running one does."""
    redis = django_rq.get_connection("smugmug")
    worker = Worker([Queue("smugmug", connection=redis)], connection=redis)
    worker.register_birth()
    worker.subscribe()
    yield worker
    if worker.pubsub_thread:
        worker.unsubscribe()


def test_ask_healthz_as_a_stranger_says_ok_without_the_database() -> None:
    response = Client().get("/healthz")

    assert (response.status_code, response.content) == (200, b"ok")
    assert "no-store" in response["Cache-Control"]
    assert not response.cookies


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_ask_under_a_foreign_host_is_refused(path: str, caplog: Any) -> None:
    response = Client(headers={"host": "evil.example.org"}).get(path)

    assert response.status_code == 400


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.django_db
def test_ask_without_https_behind_a_proxy_is_not_redirected(path: str, settings: Any, worker: Worker) -> None:
    settings.SECURE_SSL_REDIRECT = True

    assert Client().get(path).status_code == 200
    assert Client().get("/sign-in/").status_code == 301


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_post_is_refused(path: str) -> None:
    assert Client().post(path).status_code == 405


@pytest.mark.django_db
def test_ask_readyz_when_all_is_well_says_so(worker: Worker) -> None:
    response = Client().get("/readyz")

    assert (response.status_code, response.json()) == (200, ALL_WELL)


@pytest.mark.django_db
def test_ask_readyz_with_a_killed_worker_names_it_at_once(worker: Worker) -> None:
    worker.unsubscribe()  # as the kernel does when it closes a killed worker's connection

    response = Client().get("/readyz")

    assert Worker.count(connection=worker.connection) == 1
    assert (response.status_code, response.json()) == (503, ALL_WELL | {"worker": "No worker is running."})


@pytest.mark.django_db
def test_ask_readyz_with_a_migration_to_come_says_how_to_apply_it(worker: Worker, monkeypatch: Any) -> None:
    known = health.known_migrations()
    monkeypatch.setattr(health, "known_migrations", lambda: known | {("smugmug", "9999_to_come")})

    response = Client().get("/readyz")

    sentence = "1 migrations have not been applied: run manage.py migrate."
    assert (response.status_code, response.json()) == (503, ALL_WELL | {"migrations": sentence})


@pytest.mark.django_db
def test_ask_readyz_without_database_tells_no_details(worker: Worker, monkeypatch: Any) -> None:
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nonexistent")

    response = Client().get("/readyz")

    assert response.status_code == 503
    assert response.json() == ALL_WELL | {
        "database": "The database does not answer.",
        "migrations": "Nobody can tell without the database.",
    }


@pytest.mark.django_db
def test_ask_readyz_without_queue_tells_no_details(settings: Any) -> None:
    settings.REDIS_URL = "unix:///nonexistent/valkey.sock"

    response = Client().get("/readyz")

    assert response.status_code == 503
    assert response.json() == ALL_WELL | {
        "queue": "The queue does not answer.",
        "worker": "Nobody can tell without the queue.",
    }
