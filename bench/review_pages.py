"""How long the server takes for the pages of review, and whether that grows with the library.

A part of bench/review.py.

Two libraries of described photos, one a tenth of the other, each in a database of its own and with nobody else at
work. Fetches the next photo in focus, pages of the grid (24 and 100, from the beginning to deep in the list) and pages
of the gallery of an album of 5,000 through Django's test client, in turns: the time is all that the server does.
Prints the 95th percentile of each (bound 50 ms), that ÷ the same in the small library (bound 1.3), and the queries a
page takes in both.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from itertools import cycle, islice
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from many_photos import BIG_ALBUM, fill
from testbed import SPAWN, services

FOCUS, GRID, WIDE_GRID, GALLERY = "next in focus", "grid of 24", "grid of 100", "gallery of 5,000"
BOUND, GROWTH = 0.050, 1.3  # seconds, times
DEPTH = 20  # different places in each list


class Times(NamedTuple):
    """Of one page: what each request took (seconds), and how many queries one takes."""

    seconds: list[float]
    queries: int

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.seconds, n=20, method="inclusive")[-1]


def pages(photos: int, sample: int) -> bool:
    """Print the times of each page, `sample` requests for each; whether all are within the bounds."""
    small, large = (measured(count, sample) for count in (photos // 10, photos))
    for page, times in large.items():
        ratio = times.p95 / small[page].p95
        print(
            f"{page}: median {statistics.median(times.seconds) * 1_000:.1f} ms, p95 {times.p95 * 1_000:.1f} ms "
            f"(bound {BOUND * 1_000:.0f}); ÷ with a tenth of the photos {ratio:.2f} (bound {GROWTH}); "
            f"{times.queries} queries (with a tenth {small[page].queries})"
        )
    return all(times.p95 <= BOUND and times.p95 <= GROWTH * small[page].p95 for page, times in large.items())


def measured(photos: int, sample: int) -> dict[str, Times]:
    """The times of each page in a library of so many photos, in a process and a database of its own."""
    here, there = SPAWN.Pipe()
    process = SPAWN.Process(target=_measure, args=(photos, sample, there))
    process.start()
    there.close()
    found: dict[str, Times] = here.recv()
    process.join()
    return found


def _measure(photos: int, sample: int, pipe: Connection) -> None:
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
        pipe.send(_timed(client, addresses, sample))


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


def _timed(client: Any, addresses: dict[str, list[tuple[str, dict[str, str]]]], sample: int) -> dict[str, Times]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    seconds: dict[str, list[float]] = {page: [] for page in addresses}
    queries = {}
    for page, urls in addresses.items():
        for url, headers in urls:  # and so everything is warm
            _get(client, url, headers)
        with CaptureQueriesContext(connection) as captured:
            _get(client, *urls[0])
        queries[page] = len(captured)
    turns = {page: cycle(urls) for page, urls in addresses.items()}
    for _ in range(sample):
        for page, urls in turns.items():
            [(url, headers)] = islice(urls, 1)
            began = time.perf_counter()
            _get(client, url, headers)
            seconds[page].append(time.perf_counter() - began)
    return {page: Times(seconds[page], queries[page]) for page in addresses}


def _get(client: Any, url: str, headers: dict[str, str]) -> None:
    response = client.get(url, headers=headers)
    assert response.status_code == 200, (url, response.status_code)
