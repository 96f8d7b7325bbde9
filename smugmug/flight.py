"""Requests in flight: a few at once, so that SmugMug's latency does not eat the budget of requests a second.

Requests run in threads that hold no database connection; what they bring is handled in the caller's thread, one at a
time, in the order in which it comes.
"""

from __future__ import annotations

import contextvars
import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Generic, Self, TypeVar

from smugmug.client import Page, SmugMugError

# Seconds for which a thread that works keeps others from their turn (else 5 ms). Whoever is given a slot
# must send at once, while others read a long answer: else requests come too close to each other.
TURN = 0.0005

T = TypeVar("T")
Handler = Callable[["Future[Any]"], None]


class Flight:
    """At most `size` requests at once; what is asked for beyond that waits for its turn."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="smugmug")
        self._waiting: deque[tuple[Callable[[], Any], Handler]] = deque()
        self._under_way: dict[Future[Any], Handler] = {}

    def __enter__(self) -> Self:
        self._turn_before = sys.getswitchinterval()
        sys.setswitchinterval(TURN)
        return self

    def __exit__(self, *_: object) -> None:
        """What is still under way is left to itself: its answer would come too late."""
        sys.setswitchinterval(self._turn_before)
        self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def is_busy(self) -> bool:
        return bool(self._under_way or self._waiting)

    @property
    def has_room(self) -> bool:
        return len(self._under_way) + len(self._waiting) < self.size

    def ask(self, request: Callable[[], T], then: Callable[[Future[T]], None]) -> None:
        """Have the request made; `then` gets its finished future, in this thread."""
        self._waiting.append((request, then))
        self._launch()

    def land(self, timeout: float) -> None:
        """Handle what has come, waiting for it at most `timeout` seconds."""
        ready, _ = wait(self._under_way, timeout=timeout, return_when=FIRST_COMPLETED)
        for future in ready:
            then = self._under_way.pop(future)
            self._launch()
            then(future)

    def _launch(self) -> None:
        while self._waiting and len(self._under_way) < self.size:
            request, then = self._waiting.popleft()
            context = contextvars.copy_context()  # for the thread's lines in the log
            self._under_way[self._pool.submit(context.run, request)] = then


class PagedList(Generic[T]):
    """A list on its way, page by page: the first page says how many there are, the others are asked for side by side.

    `on_end` gets the list when all pages are there, or the first error. Order may move while SmugMug is paging, so
    items are told apart by `key`; `is_complete` says whether as many came as SmugMug counts.
    """

    def __init__(  # noqa: PLR0913 - what to ask, and whom to tell
        self,
        flight: Flight,
        ask: Callable[[int], Page[T]],
        *,
        key: Callable[[T], str],
        on_end: Callable[[PagedList[T]], None],
        on_page: Callable[[list[T]], None] = lambda items: None,
    ) -> None:
        self.error: SmugMugError | None = None
        self.total = 0
        self._flight, self._ask, self._key = flight, ask, key
        self._on_end, self._on_page = on_end, on_page
        self._asked: set[int] = set()
        self._pages: dict[int, list[T]] = {}
        self._request(1)

    @property
    def items(self) -> list[T]:
        """Each item once, in SmugMug's order."""
        return list({self._key(item): item for start in sorted(self._pages) for item in self._pages[start]}.values())

    @property
    def is_complete(self) -> bool:
        return self.error is None and len(self.items) >= self.total

    def _request(self, start: int) -> None:
        if start not in self._asked:
            self._asked.add(start)
            self._flight.ask(lambda: self._ask(start), lambda future: self._arrived(start, future))

    def _arrived(self, start: int, future: Future[Page[T]]) -> None:
        if self.error:
            return
        try:
            page = future.result()
        except SmugMugError as exc:
            self.error = exc
            self._on_end(self)
            return
        self._pages[start], self.total = page.items, max(self.total, page.total)
        self._on_page(page.items)
        if not page.is_last and page.count:
            # By what came, not by what was asked for: SmugMug clamps counts silently.
            last = page.total if start == 1 else start
            for following in (start + page.count, *range(start + page.count, last + 1, page.count)):
                self._request(following)
        if len(self._pages) == len(self._asked):
            self._on_end(self)
