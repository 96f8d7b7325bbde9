"""How long the server takes for the pages of review, and whether that grows with the library.

A part of bench/review.py.

Two libraries of described photos, one a tenth of the other, each in a process and a database of its own and with
nobody else at work. Fetches the next photo in focus, pages of the grid (24 and 100, from the beginning to deep in the
list) and pages of the gallery of an album of 5,000 through Django's test client, from the one library and the other in
turns: the time is all that the server does. Prints the 95th percentile of each (bound 50 ms), that ÷ the same in the
small library (bound 1.3), and the queries a page takes in both.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Iterator
from itertools import cycle
from multiprocessing.connection import Connection
from typing import Any, Self

from many_photos import BIG_ALBUM, fill
from testbed import SPAWN, services

FOCUS, GRID, WIDE_GRID, GALLERY = "next in focus", "grid of 24", "grid of 100", "gallery of 5,000"
BOUND, GROWTH = 0.050, 1.3  # seconds, times
DEPTH = 20  # different places in each list


class Library:
    """A library of so many photos, in a process and a database of its own: queries and times (seconds) by page."""

    def __init__(self, photos: int) -> None:
        self._pipe, theirs = SPAWN.Pipe()
        self._process = SPAWN.Process(target=_serve, args=(photos, theirs))
        self._process.start()
        theirs.close()
        self.queries: dict[str, int] = self._pipe.recv()
        self.times: dict[str, list[float]] = {page: [] for page in self.queries}

    def fetch_each(self) -> None:
        """Every page once."""
        self._pipe.send("next")
        for page, seconds in self._pipe.recv().items():
            self.times[page].append(seconds)

    def p95(self, page: str) -> float:
        return statistics.quantiles(self.times[page], n=20, method="inclusive")[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.send("stop")
        self._process.join()


def pages(photos: int, sample: int) -> bool:
    """Print the times of each page, `sample` requests for each; whether all are within the bounds."""
    with Library(photos // 10) as small, Library(photos) as large:
        for _ in range(sample):
            small.fetch_each()
            large.fetch_each()
        for page, seconds in large.times.items():
            print(
                f"{page}: median {statistics.median(seconds) * 1_000:.1f} ms, p95 {large.p95(page) * 1_000:.1f} ms "
                f"(bound {BOUND * 1_000:.0f}); ÷ with a tenth of the photos {large.p95(page) / small.p95(page):.2f} "
                f"(bound {GROWTH}); {large.queries[page]} queries (with a tenth {small.queries[page]})"
            )
        return all(large.p95(page) <= min(BOUND, GROWTH * small.p95(page)) for page in large.times)


def _serve(photos: int, pipe: Connection) -> None:
    with services(DEBUG="false", ALLOWED_HOSTS="testserver", AI_DESCRIBER="local") as folder:
        from django.conf import settings
        from django.contrib.auth.models import User
        from django.test import Client

        settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
        settings.STATIC_ROOT = folder
        user = User.objects.create_user("bench")
        account = fill(user, "bench", photos)
        client = Client()
        client.force_login(user)
        addresses = _addresses(user, account)
        pipe.send(_warm(client, addresses))
        gc.collect()
        gc.freeze()  # as gunicorn.conf.py has it
        turns = {page: cycle(urls) for page, urls in addresses.items()}
        while pipe.recv() == "next":
            pipe.send({page: _seconds(client, *next(urls)) for page, urls in turns.items()})


def _addresses(user: Any, account: Any) -> dict[str, list[tuple[str, dict[str, str]]]]:
    """For each page its addresses, with headers; the first few are where a person begins."""
    from smugmug.models import Album

    album = Album.objects.get(account=account, title="Album 0")
    places = [BIG_ALBUM * n // DEPTH for n in range(DEPTH)]
    return {
        FOCUS: [("/review/", {})],
        GRID: [(f"/review/grid/?size=24&cursor={cursor}", {}) for cursor in _cursors(user, account, 24)],
        WIDE_GRID: [(f"/review/grid/?size=100&cursor={cursor}", {}) for cursor in _cursors(user, account, 100)],
        GALLERY: [(f"/albums/{album.pk}/?after={place}", {"HX-Request": "true"} if place else {}) for place in places],
    }


def _cursors(user: Any, account: Any, size: int) -> Iterator[str]:
    """Where pages begin, from the first to one deep in the list."""
    from urllib.parse import quote

    from metadata import queue

    wanted = queue.ReviewFilter()
    rows = queue.in_order(queue.matching([account.pk], wanted), queue.order_of_page(wanted))
    total = rows.count()
    yield ""
    for n in range(1, DEPTH):
        row = rows[max(total * n // DEPTH - size, 0)]
        yield quote(str(queue.Cursor((row.confidence_score, row.pk))))


def _warm(client: Any, addresses: dict[str, list[tuple[str, dict[str, str]]]]) -> dict[str, int]:
    """Fetch all of them once; how many queries each page takes."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    queries = {}
    for page, urls in addresses.items():
        for url, headers in urls:
            _seconds(client, url, headers)
        with CaptureQueriesContext(connection) as captured:
            _seconds(client, *urls[0])
        queries[page] = len(captured)
    return queries


def _seconds(client: Any, url: str, headers: dict[str, str]) -> float:
    began = time.perf_counter()
    response = client.get(url, headers=headers)
    took = time.perf_counter() - began
    assert response.status_code == 200, (url, response.status_code)
    return took
