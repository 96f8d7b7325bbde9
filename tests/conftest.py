"""People, fakes and stand-ins that tests share."""

from __future__ import annotations

import gc
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import django_rq
import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client, TransactionTestCase
from django_rq.queues import DjangoRQ
from xdist.scheduler import LoadScopeScheduling

from metadata.describe import Answer, Brief, Description, Usage, Vectors
from smugmug import oauth
from smugmug.models import Account
from smugmug.sandbox import Sandbox, library
from tests import all_rows
from tests.factories import AccountFactory, MembershipFactory, UserFactory

HTMX = {"HX-Request": "true"}
# Whole installations, started and killed: one after the other, since two at once are too much for two cores, and begun
# first, so that they do not keep one worker busy when the other has nothing left to do.
INSTALLATIONS = {
    "test_kills.py",
    "test_demo.py",
    "test_up.py",
    "test_machines.py",
    "test_describe_kills.py",
    "test_sync_kills.py",
}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    """After the installations, for the other worker, what mostly waits and leaves the cores to them."""
    if item.path.name in INSTALLATIONS:
        return 0
    return 1 if item.path.parent.name == "embedded" else 2


def pytest_collection_finish() -> None:
    """What was collected stays to the end, and need not be looked through each time that garbage is."""
    gc.collect()
    gc.freeze()


class ByModule(LoadScopeScheduling):
    """The tests of a module go to one worker, which makes what they share once; so do all INSTALLATIONS."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return "installations" if Path(module).name in INSTALLATIONS else module


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByModule:
    return ByModule(config, log)


@pytest.fixture(scope="session", autouse=True)
def _plain_static_files() -> None:
    """Templates name static files without a manifest, which only collectstatic makes."""
    django_settings.STORAGES = {
        **django_settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    django_settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # whitenoise warns where there is none
    django_settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session", autouse=True)
def _quick_flush() -> Iterator[None]:
    """A test with transactions of its own leaves the database as with Django's flush, in a fraction of its time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _: all_rows.remove())
        yield


@pytest.fixture(autouse=True)
def _empty_redis() -> None:
    django_rq.get_connection("smugmug").flushdb()


@pytest.fixture(autouse=True)
def _empty_disk() -> Iterator[None]:
    yield
    shutil.rmtree(django_settings.DATA_DIR / "images", ignore_errors=True)


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...]]]:
    """What is enqueued from now on, as (job's name, arguments); nothing reaches the queue."""
    calls: list[tuple[str, tuple[Any, ...]]] = []

    def record(self: DjangoRQ, func: Any, args: Any = None, **_: Any) -> None:
        calls.append((func if isinstance(func, str) else func.__name__, tuple(args or ())))

    monkeypatch.setattr(DjangoRQ, "enqueue_call", record)
    return calls


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """One stand-in SmugMug for the session; tests that change its library make their own."""
    with Sandbox(library=library()) as running:
        yield running


@pytest.fixture
def smugmug(sandbox: Sandbox, settings: Any) -> Sandbox:
    """The settings name the stand-in."""
    return use_sandbox(sandbox, settings)


@pytest.fixture
def own_smugmug(settings: Any) -> Iterator[Sandbox]:
    """A stand-in of the test's own, to change while it runs."""
    with Sandbox(library=library()) as running:
        yield use_sandbox(running, settings)


def use_sandbox(sandbox: Sandbox, settings: Any) -> Sandbox:
    settings.SMUGMUG_API_URL = sandbox.url
    settings.SMUGMUG_OAUTH_URL = sandbox.oauth_url
    return sandbox


@pytest.fixture
def account(smugmug: Sandbox, ada: Any) -> Account:
    """The stand-in's library, connected by ada."""
    return oauth.save_account(oauth.Token(*smugmug.grant()), owner=ada)


@pytest.fixture
def ada(db: None) -> Any:
    return UserFactory(username="ada")


@pytest.fixture
def library_of_ada(ada: Any) -> Account:
    """An account without any SmugMug behind it, owned by ada."""
    return AccountFactory(owner=ada)


@pytest.fixture
def owner_client(ada: Any) -> Client:
    return signed_in(ada)


@pytest.fixture
def curator_client(library_of_ada: Account) -> Client:
    """Grace may decide in ada's library."""
    return signed_in(MembershipFactory(user__username="grace", account=library_of_ada, role="curator").user)


@pytest.fixture
def viewer_client(library_of_ada: Account) -> Client:
    """Vera may look at ada's library."""
    return signed_in(MembershipFactory(user__username="vera", account=library_of_ada, role="viewer").user)


@pytest.fixture
def stranger_client(db: None) -> Client:
    """Mallory is signed in, and has a library of her own, but nothing to do with ada's."""
    return signed_in(AccountFactory(owner__username="mallory").owner)


def together(*tasks: Callable[[], None]) -> None:
    """Run the tasks at the same time, each in a thread of its own, to their ends; the first failure is raised."""

    start = threading.Barrier(len(tasks))

    def run(task: Callable[[], None]) -> None:
        start.wait(timeout=10)
        try:
            task()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(tasks)) as pool:
        for future in [pool.submit(run, task) for task in tasks]:
            future.result(timeout=60)


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


class FakeDescriber:
    """Says what the test wants said, at once; keeps what it was given."""

    name, model, embedding_model, sends_to = "fake", "fake-1", "fake-embedding", "fake.test"

    def __init__(self) -> None:
        self.pictures: list[bytes] = []
        self.briefs: list[Brief] = []
        self.texts: list[str] = []
        self.failures: list[Exception] = []  # raised one a call, before anything is said

    def describe(self, jpeg: bytes, brief: Brief) -> Answer:
        self.pictures.append(jpeg)
        self.briefs.append(brief)
        if self.failures:
            raise self.failures.pop(0)
        words = Description("A title", "A description.", "An alt text", ("one", "two"), ("Animals",), 0.9)
        return Answer(words, Usage(900, 0, 60), self.model)

    def embed(self, texts: Any) -> Vectors:
        self.texts += texts
        return Vectors([[1.0] + [0.0] * 1535 for _ in texts], Usage(7, None, None), self.embedding_model)

    def warm_up(self) -> None:
        pass


@pytest.fixture
def describer() -> FakeDescriber:
    return FakeDescriber()
