"""What goes wrong at SmugMug, to be switched on while the stand-in runs. All of it is off at first."""

import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from . import pages
from .messages import Call, Reply, html_reply, problem

BASE_PAUSE = 0.2  # seconds a call takes at SmugMug
PAUSE_AN_OBJECT = 0.03  # seconds more for each object in a list
WORDS = {"429": "too_many", "500": "empty_error", "504": "timeout_but_applied", "drop": "drop", "404": "page_not_found"}


class Dropped(Exception):
    """The connection is to be closed without an answer."""


@dataclass
class Faults:
    """Attributes may be set at any time, from any thread. 0, "" and False are off.

    A number N spoils every Nth call, counted from the last `clear`. Of several faults that fall on one call the
    first happens, in the order of the attributes. A spoiled call has changed nothing, but for timeout_but_applied.
    Calls to the API are spoiled; pictures too, but never with a 429, if `on_pictures`.
    """

    page_not_found: str = ""  # a regular expression: 404 with HTML where it is found in path and query
    drop: int = 0  # the connection is closed without an answer
    too_many: int = 0  # 429, to come again after `retry_after` seconds
    empty_error: int = 0  # 500, empty, said to be HTML
    timeout_but_applied: int = 0  # 504 after a change was made; counts writes only
    largest_page: int = 0  # a longer list takes so long that SmugMug repeats the call inside, and says: nonce_used
    is_slow: bool = False  # as slow as SmugMug
    clock_ahead: int = 0  # seconds by which SmugMug's clock is ahead of the caller's; may be negative
    retry_after: int = 1
    on_pictures: bool = False
    given: Counter[str] = field(default_factory=Counter)  # how often each has happened, by attribute
    _calls: int = field(default=0, repr=False)
    _writes: int = field(default=0, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @classmethod
    def parse(cls, text: str, *, is_slow: bool = False) -> "Faults":
        """From "429=7,500=11,drop=13,504=3,404=/album/x", where the last is text. Raises ValueError with a sentence."""
        values: dict[str, Any] = {}
        for part in filter(None, text.split(",")):
            word, _is, value = part.partition("=")
            if word not in WORDS or not re.fullmatch(".+" if word == "404" else r"[1-9]\d*", value):
                raise ValueError(f"{part} is no fault. Write them like 429=7,500=11,drop=13,504=3,404=/album/.")
            values[WORDS[word]] = re.escape(value) if word == "404" else int(value)
        return cls(**values, is_slow=is_slow)

    def clear(self) -> None:
        """Switch everything off and count from the start."""
        with self._lock:
            for name, value in vars(Faults()).items():
                if name != "_lock":
                    setattr(self, name, value)

    def before(self, call: Call, *, is_picture: bool = False) -> Reply | None:
        """What happens instead of an answer, or None. Raises Dropped."""
        if is_picture and not self.on_pictures:
            return None
        with self._lock:
            name = self._choose(call, is_picture=is_picture)
            if name:
                self.given[name] += 1
        if name == "drop":
            raise Dropped
        replies = {
            "page_not_found": html_reply(404, pages.not_found()),
            "too_many": problem(429, "Too Many Requests", headers=self._limit_headers()),
            "empty_error": html_reply(500, ""),
        }
        return replies[name] if name else None

    def after(self, call: Call, reply: Reply) -> Reply:
        """The answer, late or lost if that is switched on."""
        if self.is_slow:
            with self._lock:
                self.given["is_slow"] += 1
            time.sleep(BASE_PAUSE + PAUSE_AN_OBJECT * reply.objects)
        if 0 < self.largest_page < reply.objects:
            with self._lock:
                self.given["largest_page"] += 1
            return problem(401, "oauth_problem=nonce_used")
        if call.method not in ("POST", "PATCH") or reply.status not in (200, 202):
            return reply
        with self._lock:
            self._writes += 1
            if not _is_due(self._writes, self.timeout_but_applied):
                return reply
            self.given["timeout_but_applied"] += 1
        return html_reply(504, "<html><body><h1>504 Gateway Time-out</h1></body></html>")

    def _limit_headers(self) -> dict[str, str]:
        reset = int(time.time()) + self.clock_ahead + self.retry_after
        return {
            "Retry-After": str(self.retry_after),
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": str(reset),
        }

    def _choose(self, call: Call, *, is_picture: bool) -> str:
        self._calls += 1
        if self.page_not_found and re.search(self.page_not_found, call.target):
            return "page_not_found"
        if _is_due(self._calls, self.drop):
            return "drop"
        if _is_due(self._calls, self.too_many) and not is_picture:
            return "too_many"
        return "empty_error" if _is_due(self._calls, self.empty_error) else ""


def _is_due(number: int, every: int) -> bool:
    return every > 0 and number % every == 0
