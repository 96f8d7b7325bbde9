"""A mirrored piece of the stand-in's library, and runs over it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from metadata import bulk, chunks, engine, process
from metadata.describe import Answer, BadAnswer, Brief, Usage, Vectors
from metadata.models import AICall, AIMetadata, ProcessingRun
from smugmug import mirror as mirroring
from smugmug import oauth
from smugmug.models import Account, Album
from tests.conftest import FakeDescriber
from tests.factories import AlbumFactory

NewRun = Callable[..., ProcessingRun]
Work = Callable[..., bool]


def calls(**condition: Any) -> Counter[tuple[str, str]]:
    return Counter(AICall.objects.filter(**condition).values_list("kind", "outcome"))


def statuses() -> Counter[str]:
    return Counter(AIMetadata.objects.values_list("processing_status", flat=True))


class BadAboutOne(FakeDescriber):
    """Never has a usable answer for the picture it sees first."""

    def describe(self, jpeg: bytes, brief: Brief) -> Answer:
        answer = super().describe(jpeg, brief)
        if jpeg == self.pictures[0]:
            raise BadAnswer("nonsense", usage=Usage(800, 0, 3))
        return answer


class Slow(FakeDescriber):
    """Takes its time for each picture."""

    seconds = 0.03

    def describe(self, jpeg: bytes, brief: Brief) -> Answer:
        time.sleep(self.seconds)
        return super().describe(jpeg, brief)


class NoVectors(FakeDescriber):
    """Describes, and fails to embed as long as there are `troubles`."""

    def __init__(self, *troubles: Exception) -> None:
        super().__init__()
        self.troubles = list(troubles)

    def embed(self, texts: Sequence[str]) -> Vectors:
        if self.troubles:
            raise self.troubles.pop(0)
        return super().embed(texts)


def count_queries(client: Client, url: str) -> int:
    """How many queries a page takes."""
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    return len(queries)


@pytest.fixture
def mirror(account: Account) -> Callable[..., Album]:
    """Mirrors the first `count` photos of an album of the stand-in: `mirror("Food", count=3)`."""

    def mirror(title: str, *, count: int | None = None) -> Album:
        client = oauth.connect(account)
        remote = next(album for album in client.albums_page(account.nickname).items if album.title == title)
        album = AlbumFactory(account=account, album_key=remote.key, title=title, image_count=remote.image_count)
        images = client.images_page(remote.key).items[:count]
        mirroring.save_listing(album, images, as_of=timezone.now(), is_complete=True)
        return album

    return mirror


@pytest.fixture
def food(mirror: Callable[..., Album]) -> Album:
    """An album of three photos."""
    return mirror("Food", count=3)


@pytest.fixture
def work(account: Account, describer: FakeDescriber, monkeypatch: pytest.MonkeyPatch) -> Work:
    """Carries a run on as a worker does: with a client of its own, for a minute unless told otherwise.

    In step: no picture is fetched before there is a call for it, so that a test knows which answers have come.
    """
    monkeypatch.setattr(engine, "AHEAD", 0)

    def work(run: ProcessingRun, *, by: Any = None, seconds: float = 60, **kwargs: Any) -> bool:
        client = oauth.connect(account)
        return process.carry_on(run, describer=by or describer, client=client, seconds=seconds, **kwargs)

    return work


@pytest.fixture
def new_run(account: Account, describer: FakeDescriber) -> Callable[..., ProcessingRun]:
    """Starts a run over the account, as a person's press of the button does."""

    def new_run(**wish: Any) -> ProcessingRun:
        return process.start(account, by=account.owner, wish=process.Wish(**wish), describer=describer)[0]

    return new_run


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows are too many to be written at once, and a chunk has two."""
    monkeypatch.setattr(bulk, "SMALL", 2)
    monkeypatch.setattr(chunks, "PICKED", 3)
    for name in ("FIRST", "LEAST", "MOST"):
        monkeypatch.setattr(chunks, name, 2)
