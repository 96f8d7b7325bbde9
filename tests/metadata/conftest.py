"""A mirrored piece of the stand-in's library, and runs over it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from metadata import process
from metadata.models import ProcessingRun
from smugmug import oauth, sync
from smugmug.models import Account, Album
from tests.conftest import FakeDescriber
from tests.factories import AlbumFactory

Work = Callable[..., bool]


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
        remote = next(album for page in client.albums(account.nickname) for album in page if album.title == title)
        album = AlbumFactory(account=account, album_key=remote.key, title=title, image_count=remote.image_count)
        images = [image for page in client.images(remote.key) for image in page]
        sync.save_listing(album, images[:count])
        return album

    return mirror


@pytest.fixture
def food(mirror: Callable[..., Album]) -> Album:
    """An album of three photos."""
    return mirror("Food", count=3)


@pytest.fixture
def work(account: Account, describer: FakeDescriber) -> Work:
    """Carries a run on as a worker does: with a client of its own, for a minute unless told otherwise."""

    def work(run: ProcessingRun, *, by: Any = None, seconds: float = 60, **kwargs: Any) -> bool:
        client = oauth.connect(account)
        return process.carry_on(run, describer=by or describer, client=client, seconds=seconds, **kwargs)

    return work


@pytest.fixture
def new_run(account: Account, describer: FakeDescriber) -> Callable[..., ProcessingRun]:
    """Starts a run over the account, as a person's press of the button does."""

    def new_run(**wish: Any) -> ProcessingRun:
        return process.start(account, by=account.owner, describer=describer, **wish)[0]

    return new_run
