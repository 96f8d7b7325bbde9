"""What to do when a call fails: whose fault it is, whether it costs the photo an attempt, when the run pauses.

A single failure of a server is nothing. Several in a row are an outage, and the run tries again after a minute, then
less and less often. What only a person can mend is tried again every quarter of an hour.
"""

from __future__ import annotations

import enum
import time
from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID

from metadata.calls import LONGEST_HOLD
from metadata.describe import DescribeError, Outage, Refused, Rejected, UnusablePicture
from smugmug.client import SmugMugError, SmugMugRefused, SmugMugUnavailable
from smugmug.oauth import NotConfigured
from targetvision.models import pause_seconds

IN_A_ROW = 5  # failures of a server without an answer between them
OF_ONE_PHOTO = 3  # failures at one photo while others are answered: then it is the photo's doing
LIMITED_FOR = 120  # seconds of being told to wait, and no answer
MENDED_BY_PEOPLE = 900  # seconds until a key, a quota or a setting is tried again
AT_THIS_PHOTO = (
    "The AI server answered for other photos, but failed at this one again and again. "
    "Try again, or describe it by hand."
)

Trouble = DescribeError | SmugMugError


def reason(error: Trouble) -> str:
    """What a person reads beside a photo that was parked for it."""
    return AT_THIS_PHOTO if isinstance(error, Outage) else error.advice


class Pause(Exception):
    """The run is to stop for a while; str() is the sentence for people, `seconds` until the next try, None: never.

    `costs_attempt` says that the photo at which it came up has had one.
    """

    def __init__(self, sentence: str, seconds: float | None, *, costs_attempt: bool = False) -> None:
        super().__init__(sentence)
        self.seconds = seconds
        self.costs_attempt = costs_attempt


class Cost(enum.Enum):
    """What a failure costs the photo."""

    NOTHING = enum.auto()
    ATTEMPT = enum.auto()
    ALL = enum.auto()


@dataclass
class Outages:
    """What failed since the last answer, seen by one process."""

    pauses: int  # of the run, in a row, in which nothing got done
    in_a_row: int = 0
    limited_since: float | None = None  # by time.monotonic()
    of_photo: Counter[UUID] = field(default_factory=Counter)
    failed_since: set[UUID] = field(default_factory=set)
    suspects: set[UUID] = field(default_factory=set)  # photos that failed before another was answered

    @property
    def is_careful(self) -> bool:
        """After a pause one call goes ahead, and the others follow when it is answered."""
        return self.pauses > 0

    def answered(self) -> None:
        """A server has answered, whatever it said: what it failed at before that was not because it was away."""
        self.suspects |= self.failed_since
        self.failed_since.clear()
        self.in_a_row = self.pauses = 0
        self.limited_since = None

    def weigh(self, photo: UUID, error: Trouble, *, attempts: int = 0) -> Cost:
        """What the failure costs the photo, which has had `attempts`; Pause where the run is to stop."""
        if isinstance(error, Rejected | SmugMugRefused | NotConfigured):
            raise Pause(error.advice, MENDED_BY_PEOPLE)
        if isinstance(error, Outage | SmugMugUnavailable):
            return self._weigh_outage(photo, error, attempts)
        if isinstance(error, DescribeError) and not isinstance(error, UnusablePicture):
            self.answered()
        return Cost.ALL if isinstance(error, Refused | UnusablePicture) else Cost.ATTEMPT

    def _weigh_outage(self, photo: UUID, error: Outage | SmugMugUnavailable, attempts: int) -> Cost:
        if error.retry_after is not None:  # about how often we call, not about the photo
            return self._weigh_limit(error, error.retry_after)
        self.in_a_row += 1
        if self.in_a_row >= (1 if self.is_careful else IN_A_ROW):
            # Photos that were suspected before come last: when one of them alone keeps the run, it is parked in time.
            raise Pause(error.advice, self._next_pause, costs_attempt=self.is_careful and attempts > 0)
        self.failed_since.add(photo)
        self.of_photo[photo] += 1
        if photo not in self.suspects or self.of_photo[photo] < OF_ONE_PHOTO:
            return Cost.NOTHING
        del self.of_photo[photo]
        self.suspects.discard(photo)
        self.failed_since.discard(photo)
        return Cost.ATTEMPT

    def _weigh_limit(self, error: Trouble, retry_after: float) -> Cost:
        now = time.monotonic()
        self.limited_since = self.limited_since or now
        if retry_after > LONGEST_HOLD:
            raise Pause(error.advice, retry_after)
        if now - self.limited_since > LIMITED_FOR:
            raise Pause(error.advice, self._next_pause)
        return Cost.NOTHING

    @property
    def _next_pause(self) -> float:
        return pause_seconds(self.pauses)
