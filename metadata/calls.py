"""One claim → what came of it: the picture fetched, made small, and described. Runs in threads, touches no database."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from metadata.claims import Claim
from metadata.describe import Answer, DescribeError, Describer, Outage, UnusablePicture, Vectors
from metadata.describe.picture import Picture, prepare
from smugmug.client import SmugMugClient, SmugMugError, SmugMugGone
from smugmug.pacing import Pacer
from smugmug.records import LARGE_PIXELS, smallest

logger = logging.getLogger(__name__)

NO_PICTURE = "SmugMug has no picture of this photo yet. Try again when it has been processed there."
PATIENCE_SECONDS = 2.0  # for a slot; then a look whether anybody still wants the answer
SHORTEST_HOLD = 0.2  # seconds, where a server says 0
LONGEST_HOLD = 60  # seconds that a server may have its callers wait in place; longer ones pause the run


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one call: an answer, or why there is none. Nothing of both where it was not its turn any more.

    `ms` is how long the model took, None where it was not reached; `bytes_sent` is the size of what it got.
    """

    answer: Answer | Vectors | None = None
    error: DescribeError | SmugMugError | None = None
    ms: int | None = None
    bytes_sent: int = 0
    perceptual_hash: int = 0


@dataclass
class Turns:
    """When calls may be made: AI_REQUESTS_PER_MINUTE, and what the server itself asks for, over all processes; and
    AI_CONCURRENCY descriptions at a time in this one.
    """

    pacer: Pacer | None
    in_flight: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(settings.AI_CONCURRENCY))
    _over: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def of(cls, describer: Describer, redis: Any) -> Turns:
        """The built-in model needs none."""
        a_minute = settings.AI_REQUESTS_PER_MINUTE
        rate = a_minute / 60 if a_minute else None
        return cls(Pacer(redis, rate, key="ai") if describer.sends_to else None)

    def wait(self) -> bool:
        """True when our turn has come; False when nobody waits for the answer any more."""
        while self.pacer and not self._over.is_set() and not self.pacer.wait(PATIENCE_SECONDS):
            self._over.wait(PATIENCE_SECONDS / 2)
        return not self._over.is_set()

    def end(self) -> None:
        """Let those go who still wait for their turn."""
        self._over.set()

    def hold(self, error: DescribeError) -> None:
        """Everybody waits for as long as the server asks for."""
        if self.pacer and isinstance(error, Outage) and error.retry_after is not None:
            self.pacer.hold(min(max(error.retry_after, SHORTEST_HOLD), LONGEST_HOLD))

    def held_until(self) -> float | None:
        """Until when the server has us wait, in seconds since 1970."""
        return self.pacer.held_until() if self.pacer else None


def describe(claim: Claim, describer: Describer, client: SmugMugClient, turns: Turns) -> Outcome:
    """Fetch the picture and describe it; never without the picture."""
    try:
        picture = prepare(fetch(claim, client), pixels=settings.AI_IMAGE_PIXELS)
    except (SmugMugError, UnusablePicture) as exc:
        return Outcome(error=exc)
    with turns.in_flight:
        return ask(claim, picture, describer, turns) if turns.wait() else Outcome()


def ask(claim: Claim, picture: Picture, describer: Describer, turns: Turns) -> Outcome:
    """What the model says to the picture, in one call."""
    started = time.monotonic()
    size, look = len(picture.jpeg), picture.perceptual_hash
    try:
        answer = describer.describe(picture.jpeg, claim.brief)
    except DescribeError as exc:
        turns.hold(exc)
        return Outcome(error=exc, ms=milliseconds_since(started), bytes_sent=size)
    return Outcome(answer, ms=milliseconds_since(started), bytes_sent=size, perceptual_hash=look)


def embed(texts: list[str], describer: Describer, turns: Turns) -> Outcome:
    """One vector for each text, in one call."""
    if not turns.wait():
        return Outcome()
    started = time.monotonic()
    size = sum(len(text.encode()) for text in texts)
    try:
        answer = describer.embed(texts)
    except DescribeError as exc:
        turns.hold(exc)
        return Outcome(error=exc, ms=milliseconds_since(started), bytes_sent=size)
    return Outcome(answer, ms=milliseconds_since(started), bytes_sent=size)


def fetch(claim: Claim, client: SmugMugClient) -> bytes:
    """The bytes of the smallest rendition of at least AI_IMAGE_PIXELS, or of the largest there is.

    The stored address is used where it is of that size, and asked for anew where it is no longer good.
    """
    if claim.large_url and settings.AI_IMAGE_PIXELS == LARGE_PIXELS:
        try:
            return client.image_bytes(claim.large_url)
        except SmugMugGone:
            logger.info("photo %s: its address has moved", claim.photo_id, extra={"photo": claim.photo_id})
    rendition = smallest(client.renditions(claim.image_id), settings.AI_IMAGE_PIXELS)
    if rendition is None:
        raise UnusablePicture(f"{claim.image_id} has no rendition", advice=NO_PICTURE)
    return client.image_bytes(rendition.url)


def milliseconds_since(started: float) -> int:
    """Of time.monotonic()."""
    return round((time.monotonic() - started) * 1000)
