"""Syncs as people and cron know them: begun, gone on with, retried, cancelled, ended; each step in the audit trail.

How a library is read is in reading.py, what becomes of it in mirror.py.
"""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.utils import timezone

from smugmug import audit
from smugmug.client import RefusedHere, SmugMugClient, SmugMugError, SmugMugRefused, SmugMugUnavailable
from smugmug.models import Account, SyncRun
from smugmug.reading import ALBUM_LIST, Lost, Reading
from targetvision import logs
from targetvision.models import RunState, pause_seconds

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = logging.getLogger(__name__)

HOUR = datetime.timedelta(hours=1)


class TooManyStarts(Exception):
    """The person has started enough for this hour; str() is the sentence, `retry_after` in seconds."""

    def __init__(self, retry_after: int) -> None:
        minutes = max(1, round(retry_after / 60))
        super().__init__(f"You have started many syncs in the last hour. The next is possible in {minutes} minutes.")
        self.retry_after = retry_after


def start(
    account: Account,
    *,
    by: User | None,
    kind: str = SyncRun.Kind.FULL,
    album_keys: Sequence[str] = (),
    who: str = "",
) -> tuple[SyncRun, bool]:
    """A new run of the account, or the one that is active; and whether it is to be enqueued.

    `who` is for the audit trail where nobody is signed in. A paused run goes on at once. TooManyStarts where the
    person has started more than SYNC_STARTS_PER_HOUR.
    """
    who = audit.person(by) if by else who or audit.COMMAND
    try:
        with transaction.atomic():
            if by:
                _limit(by)
            run = SyncRun.objects.create(account=account, requested_by=by, kind=kind, album_keys=list(album_keys))
            audit.record(account, who=who, action=kind, run=run, result="started", detail=", ".join(album_keys))
            return run, True
    except TooManyStarts as exc:
        audit.record(account, who=who, action=kind, result="refused", detail=str(exc))
        raise
    except IntegrityError:
        active = SyncRun.objects.active().filter(account=account).first()
        if active is None:  # it has ended since the constraint spoke
            return start(account, by=by, kind=kind, album_keys=album_keys, who=who)
        return active, active.resume()


def _limit(person: User) -> None:
    """TooManyStarts where this would be one too many; the person's row is locked, so that two at once are counted."""
    if not settings.SYNC_STARTS_PER_HOUR:
        return
    get_user_model().objects.select_for_update().get(pk=person.pk)
    begun = SyncRun.objects.filter(requested_by=person, created_at__gt=timezone.now() - HOUR)
    times = list(begun.order_by("-created_at").values_list("created_at", flat=True)[: settings.SYNC_STARTS_PER_HOUR])
    if len(times) >= settings.SYNC_STARTS_PER_HOUR:
        raise TooManyStarts(max(1, int((times[-1] + HOUR - timezone.now()).total_seconds())))


def retry(run: SyncRun, *, by: User | None, who: str = "") -> tuple[SyncRun, bool]:
    """Read again what this run could not read; a run like it where the list of albums itself had failed."""
    keys = [error["key"] for error in run.errors]
    if not keys or ALBUM_LIST in keys:
        return start(run.account, by=by, kind=run.kind, album_keys=run.album_keys, who=who)
    return start(run.account, by=by, kind=SyncRun.Kind.ALBUMS, album_keys=keys, who=who)


@transaction.atomic
def cancel(run: SyncRun, *, by: User | None, who: str = "") -> bool:
    """Stop a run; False where it was over. What it has brought in stays."""
    won = run.cancel()
    if won:
        who = audit.person(by) if by else who or audit.COMMAND
        audit.record(run.account, who=who, action=run.kind, run=run, result="cancelled")
    return won


def carry_on(
    run: SyncRun, *, client: SmugMugClient, seconds: float, tell: Callable[[SyncRun], None] = lambda run: None
) -> bool:
    """Work on the run for about `seconds`; True when there is nothing more to do, by us or at all.

    `tell` is called with the run whenever its figures have changed.
    """
    if not run.begin(alone=True):
        return True
    with logs.about(run=run.pk, account=run.account_id):
        try:
            is_over = Reading(run, client, tell).work(time.monotonic() + seconds)
        except Lost:
            logger.info("sync %s is over or in other hands", run.pk)
            return True
        except SmugMugUnavailable as exc:
            _pause(run, exc)
            return True
        except SmugMugError as exc:
            _fail(run, exc)
            return True
        if is_over:
            _end(run, RunState.PARTIAL if run.errors else RunState.SUCCEEDED)
            tell(run)
        else:
            run.queue()
        return is_over


@transaction.atomic
def _end(run: SyncRun, state: RunState, why: str = "") -> None:
    """Close the run, and write down what came of it."""
    if not run.finish(state, why):
        return
    figures = f"{run.photos_new:,} new, {run.photos_changed:,} changed, {run.photos_removed:,} removed"
    detail = why or (f"{figures}; {run.error_count:,} albums not read" if run.errors else figures)
    audit.record(run.account, who=audit.starter(run), action=run.kind, run=run, result=state, detail=detail)
    logger.info("sync %s %s: %s photos in %s albums", run.pk, run.state, run.photos_seen, run.done)


def _fail(run: SyncRun, exc: SmugMugError) -> None:
    logger.warning("sync %s failed: %s", run.pk, exc)
    if isinstance(exc, SmugMugRefused) and not isinstance(exc, RefusedHere):
        Account.objects.connected().filter(pk=run.account_id).update(state=Account.State.REFUSED)
    _end(run, RunState.FAILED, exc.advice)


def _pause(run: SyncRun, exc: SmugMugUnavailable) -> None:
    """SmugMug does not answer at all: the run goes on later, by itself."""
    seconds = max(pause_seconds(run.pauses), exc.retry_after or 0)
    at = timezone.now() + datetime.timedelta(seconds=seconds)
    logger.warning("sync %s pauses for %.0f s: %s", run.pk, seconds, exc)
    run.pause(f"SmugMug does not answer. The sync goes on by itself at {at:%H:%M} UTC.", seconds=seconds)
