"""An armed change-set on its way: each picture read, compared, written once and read back; or put back as carefully.

A picture goes in two steps. It is read, and what is to be sent is settled from what stands there; that intent is
stored; then it is sent, read back and recorded. Whoever dies in between leaves a row that is being written, and the
next look tells whether it was. A few pictures are under way at once; requests go in threads, rows are written here.
"""

from __future__ import annotations

import datetime
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case, F, PositiveIntegerField, When
from django.db.models.functions import Now
from django.utils import timezone

from metadata import change_rules
from metadata.change_rules import Verdict
from metadata.models import AIMetadata, Change, ChangeSet
from metadata.publish import PUBLISH, REVERT
from smugmug import audit, grants, mirror
from smugmug.client import (
    RefusedHere,
    SmugMugClient,
    SmugMugError,
    SmugMugNotGranted,
    SmugMugRefused,
    SmugMugUnavailable,
    SmugMugUnchanged,
    Wording,
)
from smugmug.flight import Flight
from smugmug.models import Account
from smugmug.reading import waiting
from smugmug.records import RemoteImage
from targetvision import logs
from targetvision.models import RunState, pause_seconds

logger = logging.getLogger(__name__)

IN_FLIGHT = 4  # pictures; at four requests a second each is under way for about four seconds
FEED = 64  # rows read ahead
BEAT_SECONDS = 1.0
OUTAGE = 3  # changes in a row that SmugMug did not take are its trouble, and no picture's
ATTEMPTS = 3  # of a picture while others are taken; then it is given up, and it is known that nothing was written
LONG = 3  # pauses in a row, after which a picture that is not taken counts as tried all the same
LOCK_SECONDS = 10  # that whoever was told to stop needs to finish the pictures under way
REWORDED = "Its words were changed here, or are approved no longer, since the preview; nothing was written."
NOT_TAKEN = "SmugMug answered with errors each time, so it was given up. Try it again in another change-set."
NOT_BACK = "SmugMug answered with errors each time, so it was given up. Take it back again later."
HALF = "It was stopped in the middle: a part of it was written, and can be taken back."
State, Stage = Change.State, ChangeSet.Stage
COUNTERS = {
    State.WRITTEN: "written",
    State.UNCHANGED: "unchanged",
    State.CONFLICT: "conflicts",
    State.FAILED: "failed",
    State.REVERTED: "reverted",
    State.REVERT_CONFLICT: "revert_conflicts",
    State.REVERT_FAILED: "revert_failed",
}


def carry_on(
    change_set: ChangeSet,
    *,
    client: SmugMugClient,
    seconds: float,
    tell: Callable[[ChangeSet], None] = lambda change_set: None,
) -> bool:
    """Work on an armed change-set for about `seconds`; True when there is nothing more to do, by us or at all."""
    with _alone(change_set) as is_ours, logs.about(run=change_set.pk, account=change_set.account_id):
        if not is_ours or not change_set.begin(alone=True):
            return True
        try:
            is_over = _Work(change_set, client, tell).until(time.monotonic() + seconds)
        except SmugMugUnavailable as exc:
            _pause_for_a_while(change_set, exc)
            return True
        except SmugMugError as exc:
            _pause_for_a_person(change_set, exc)
            return True
        if is_over:
            _end(change_set)
            tell(change_set)
        return is_over or not change_set.queue()


@contextmanager
def _alone(change_set: ChangeSet) -> Iterator[bool]:
    """Whether nobody else has pictures of it under way. Postgres ends the lock with the connection, so with whoever
    died; one who was paused has a moment to finish.
    """
    key = int.from_bytes(change_set.pk.bytes[:8], signed=True)
    deadline = time.monotonic() + LOCK_SECONDS
    while not (is_ours := _ask("pg_try_advisory_lock", key)) and time.monotonic() < deadline:
        time.sleep(0.1)
    try:
        yield is_ours
    finally:
        if is_ours:
            _ask("pg_advisory_unlock", key)


def _ask(function: str, key: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [key])
        return bool(cursor.fetchone()[0])


class _Work:
    """One process's work on a change-set."""

    def __init__(self, change_set: ChangeSet, client: SmugMugClient, tell: Callable[[ChangeSet], None]) -> None:
        self.change_set, self.client, self.tell = change_set, client, tell
        # As it was begun: where it is stopped, it may be armed to be taken back while pictures are under way here.
        self.is_reverting = change_set.is_reverting
        self.judge = change_rules.to_put_back if self.is_reverting else change_rules.to_write
        self.flight = Flight(IN_FLIGHT)
        self.feed: deque[Change] = deque()
        self.open: set[int] = set()  # rows about which something is under way
        self.is_ours = True
        self.trouble: SmugMugError | None = None
        # Rows that could not be read, and rows that were not taken, while no other one was.
        self.unread: list[int] = []
        self.unsent: list[int] = []
        self.beaten_at = 0.0

    def until(self, deadline: float) -> bool:
        """Work until nothing is left, or the time is over; True in the first case, or where it was taken from us.

        What has been sent is always waited for and recorded.
        """
        with self.flight:
            while self._fill(may_begin=time.monotonic() < deadline):
                self.flight.land(min(settings.HEARTBEAT_SECONDS, BEAT_SECONDS))
                self._beat()
        if self.trouble:
            raise self.trouble
        return not self.is_ours or not self._left().exists()

    def _fill(self, *, may_begin: bool) -> bool:
        while may_begin and self.is_going_on and self.flight.has_room and (change := self._next()):
            self.open.add(change.pk)
            self.flight.ask(partial(self.client.image, change.photo.image_id), partial(self._is_read, change))
        return self.flight.is_busy

    @property
    def is_going_on(self) -> bool:
        return self.is_ours and self.trouble is None

    def _left(self) -> Any:
        return Change.objects.unfinished(self.change_set, reverting=self.is_reverting)

    def _next(self) -> Change | None:
        if not self.feed:
            rows = self._left().exclude(pk__in=self.open).select_related("photo").order_by("pk")
            self.feed.extend(rows[:FEED])
        return self.feed.popleft() if self.feed else None

    def _beat(self) -> None:
        """A sign of life; where the run was paused, stopped or taken, nothing more is begun."""
        if not self.is_ours or time.monotonic() - self.beaten_at < BEAT_SECONDS:
            return
        self.is_ours = self.change_set.beat(waiting_for=waiting(self.client))
        self.beaten_at = time.monotonic()
        self.tell(self.change_set)

    # --- one picture ------------------------------------------------------------------------------------------

    def _is_read(self, change: Change, answer: Future[RemoteImage]) -> None:
        """Settle what is to be sent, from what stands there now."""
        try:
            image = answer.result()
        except SmugMugError as exc:
            self._not_read(change, exc)
            return
        _blame(self.unread)
        now = change_rules.words_of(image)
        verdict = self.judge(change, now)
        if not verdict.has_something_to_send or (verdict.changed and not self.is_reverting):
            self._settle(change, *self._as_it_is(change, verdict), image=image)
        elif change.attempts >= ATTEMPTS:
            self._settle(change, self._failed, self._given_up, image=image)
        elif not self.is_reverting and change.before is None and not _still_stands(change):
            self._settle(change, State.CONFLICT, REWORDED, image=image)
        elif self._intend(change, now):
            self._send(change, image, verdict)
        else:
            self.open.discard(change.pk)

    def _not_read(self, change: Change, exc: SmugMugError) -> None:
        if isinstance(exc, SmugMugUnavailable) and change.attempts >= ATTEMPTS:
            self._settle(change, self._failed, self._given_up)
        elif isinstance(exc, SmugMugUnavailable):
            self._not_taken(change, exc, self.unread)
        elif isinstance(exc, SmugMugRefused | SmugMugNotGranted):
            self._stop_for(change, exc)
        else:
            self._settle(change, self._failed, exc.advice)

    def _stop_for(self, change: Change, exc: SmugMugError) -> None:
        """What no picture is to blame for."""
        self.open.discard(change.pk)
        self.trouble = self.trouble or exc

    def _as_it_is(self, change: Change, verdict: Verdict) -> tuple[str, str]:
        """The end of a picture to which nothing is sent, and why."""
        if self.is_reverting:
            return self._put_back(verdict)
        if verdict.changed:
            return State.CONFLICT, change_rules.sentence(verdict.changed, has_begun=change.before is not None)
        return (State.UNCHANGED if change.before is None else State.WRITTEN), ""

    def _put_back(self, verdict: Verdict) -> tuple[str, str]:
        if not verdict.changed:
            return State.REVERTED, ""
        kept = " and ".join(verdict.changed)
        return State.REVERT_CONFLICT, f"Somebody has changed its {kept} on SmugMug since, so that stays."

    @property
    def _failed(self) -> str:
        return State.REVERT_FAILED if self.is_reverting else State.FAILED

    @property
    def _given_up(self) -> str:
        return NOT_BACK if self.is_reverting else NOT_TAKEN

    def _intend(self, change: Change, now: dict[str, Any]) -> bool:
        """Store that it is about to be sent, and what stood there; False where that is not to be any more."""
        self.beaten_at = 0.0
        self._beat()
        if not self.is_going_on:
            return False
        if self.is_reverting:
            Change.objects.filter(pk=change.pk).touched().update(state=State.REVERTING, changed_at=Now())
            return True
        change.before = change.before or now
        rows = Change.objects.filter(pk=change.pk, state__in=Change.OPEN)
        return bool(rows.update(state=State.WRITING, before=change.before, changed_at=Now()))

    def _send(self, change: Change, image: RemoteImage, verdict: Verdict) -> None:
        request = partial(_reword, self.client, image.image_uri, verdict.wording)
        self.flight.ask(request, partial(self._is_sent, change, verdict))

    def _is_sent(
        self, change: Change, verdict: Verdict, answer: Future[tuple[RemoteImage, SmugMugError | None]]
    ) -> None:
        """Record what stands there now."""
        try:
            image, error = answer.result()
        except SmugMugUnavailable as exc:
            self._not_taken(change, exc, self.unsent)
        except (SmugMugRefused, SmugMugNotGranted) as exc:
            self._stop_for(change, exc)
        except SmugMugError as exc:
            self._settle(change, self._failed, exc.advice)
        else:
            _blame(self.unsent)
            if error:
                self._settle(change, self._failed, error.advice, image=image)
            elif self.is_reverting:
                self._settle(change, *self._put_back(verdict), image=image)
            else:
                self._settle(change, State.WRITTEN, "", image=image)

    def _not_taken(self, change: Change, exc: SmugMugUnavailable, suspects: list[int]) -> None:
        """It is looked up again in its turn. Where SmugMug says when, or takes nothing at all, everything waits."""
        self.open.discard(change.pk)
        if exc.retry_after is None:
            suspects.append(change.pk)
        if exc.retry_after is not None or len(suspects) >= OUTAGE:
            self.trouble = self.trouble or exc
            # Where nothing at all can be read, SmugMug is away, for however long.
            if self.change_set.pauses >= LONG and (suspects is self.unsent or len(set(suspects)) < OUTAGE):
                _blame(suspects)

    def look_again(self, change: Change) -> None:
        """Settle a picture to which something was to be sent, from what stands there; nothing is sent."""
        try:
            image = self.client.image(change.photo.image_id)
        except (SmugMugUnavailable, SmugMugRefused, SmugMugNotGranted):
            raise
        except SmugMugError as exc:
            self._settle(change, self._failed, exc.advice)
            return
        now = change_rules.words_of(image)
        verdict = self.judge(change, now)
        rows = Change.objects.filter(pk=change.pk, state=change.state)
        if not verdict.has_something_to_send or (verdict.changed and not self.is_reverting):
            self._settle(change, *self._as_it_is(change, verdict), image=image)
        elif self.is_reverting:
            rows.update(state=State.WRITTEN, changed_at=Now())
        elif now == change.before:
            rows.update(state=State.WAITING, before=None, changed_at=Now())
        else:
            self._settle(change, State.FAILED, HALF, image=image)

    @transaction.atomic
    def _settle(self, change: Change, state: str, sentence: str, *, image: RemoteImage | None = None) -> None:
        """The end of a picture's turn, counted once; the mirror learns what was read."""
        self.open.discard(change.pk)
        column = "put_back" if self.is_reverting else "after"
        words = {column: change_rules.words_of(image)} if image else {}
        rows = self._left().filter(pk=change.pk)
        if not rows.update(state=state, sentence=sentence, changed_at=Now(), **words):
            return
        counter = COUNTERS[State(state)]
        ours = Stage.REVERTING if self.is_reverting else Stage.WRITING
        done = F("done") + Case(When(stage=ours, then=1), default=0, output_field=PositiveIntegerField())
        ChangeSet.objects.filter(pk=self.change_set.pk).update(pauses=0, done=done, **{counter: F(counter) + 1})
        if image:
            mirror.save_words(change.photo_id, image)


def _blame(suspects: list[int]) -> None:
    """SmugMug takes others, or has been asked for long: it is these pictures' own trouble."""
    if suspects:
        Change.objects.filter(pk__in=suspects).update(attempts=F("attempts") + 1)
        suspects.clear()


def _reword(client: SmugMugClient, image_uri: str, wording: Wording) -> tuple[RemoteImage, SmugMugError | None]:
    """The picture afterwards; with the trouble where SmugMug kept only a part."""
    try:
        return client.reword(image_uri, wording), None
    except SmugMugUnchanged as exc:
        return client.image(image_uri.rpartition("/")[2]), exc


def look_again(change_set: ChangeSet, *, client: SmugMugClient) -> None:
    """Find out, by reading alone, what became of the pictures that a stop left halfway; SmugMugError: not yet."""
    with _alone(change_set) as is_ours:
        change_set.refresh_from_db()
        if not is_ours or change_set.is_active:
            return
        work = _Work(change_set, client, lambda change_set: None)
        for change in Change.objects.filter(change_set=change_set).halfway().select_related("photo"):
            work.look_again(change)


def _still_stands(change: Change) -> bool:
    """Whether the words that were previewed are still the approved ones."""
    rows = AIMetadata.objects.filter(photo=change.photo_id, version=change.words_version)
    return bool(rows.filter(review_status=AIMetadata.Review.APPROVED).exists())


# --- The end, and pauses -----------------------------------------------------------------------------------------


@transaction.atomic
def _end(change_set: ChangeSet) -> None:
    """Close it, and write down what came of it."""
    change_set.refresh_from_db()
    if change_set.is_reverting:
        left = change_set.revert_conflicts + change_set.revert_failed
        detail = f"{change_set.reverted:,} put back, {change_set.revert_conflicts:,} kept, "
        detail += f"{change_set.revert_failed:,} failed"
    else:
        left = change_set.conflicts + change_set.failed
        detail = f"{change_set.written:,} written, {change_set.unchanged:,} had it already, "
        detail += f"{change_set.conflicts:,} changed on SmugMug, {change_set.failed:,} failed"
    if change_set.finish(RunState.PARTIAL if left else RunState.SUCCEEDED):
        action = REVERT if change_set.is_reverting else PUBLISH
        who = change_set.revert_armed_by if change_set.is_reverting else change_set.armed_by
        audit.record(change_set.account, who=who, action=action, run=change_set, result=change_set.state, detail=detail)
        logger.info("change-set %s %s: %s", change_set.pk, change_set.state, detail)


def _pause_for_a_while(change_set: ChangeSet, exc: SmugMugUnavailable) -> None:
    """SmugMug does not answer, or wants us to wait: it goes on later, by itself."""
    seconds = max(pause_seconds(change_set.pauses), exc.retry_after or 0)
    at = timezone.now() + datetime.timedelta(seconds=seconds)
    logger.warning("change-set %s pauses for %.0f s: %s", change_set.pk, seconds, exc)
    change_set.pause(f"SmugMug does not answer. Writing goes on by itself at {at:%H:%M} UTC.", seconds=seconds)


def _pause_for_a_person(change_set: ChangeSet, exc: SmugMugError) -> None:
    """SmugMug refuses us: nothing moves before somebody has seen to it."""
    logger.warning("change-set %s waits for a person: %s", change_set.pk, exc)
    heed(change_set, exc)
    change_set.pause(exc.advice)


def heed(change_set: ChangeSet, exc: SmugMugError) -> None:
    """Remember of the account what the refusal says of it."""
    if isinstance(exc, SmugMugNotGranted):
        grants.keep(change_set.account, may_change=False)
    elif isinstance(exc, SmugMugRefused) and not isinstance(exc, RefusedHere):
        Account.objects.connected().filter(pk=change_set.account_id).update(state=Account.State.REFUSED)
