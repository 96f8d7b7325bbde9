"""When a library is synced by itself. The runs' rows say when it last was; no clock of its own is kept."""

from __future__ import annotations

import datetime

from django.conf import settings
from django.db.models import Max, Q
from django.utils import timezone

from smugmug.models import Account, SyncRun
from targetvision.models import RunState

COMPLETE = (SyncRun.Kind.FULL, SyncRun.Kind.VERIFY)
ENDED_WELL = (RunState.SUCCEEDED, RunState.PARTIAL)


def due(account: Account) -> str | None:
    """The kind of sync whose time has come; None while one is active, or none is due."""
    runs = SyncRun.objects.filter(account=account).exclude(kind=SyncRun.Kind.ALBUMS)
    if SyncRun.objects.active().filter(account=account).exists():
        return None
    times = runs.aggregate(
        any=Max("created_at"),
        complete=Max("created_at", filter=Q(kind__in=COMPLETE, state__in=ENDED_WELL)),
        tried=Max("created_at", filter=Q(kind__in=COMPLETE)),
    )
    if times["complete"] is None:
        return None
    if _is_over(times["tried"], datetime.timedelta(days=settings.SYNC_VERIFY_DAYS)):
        return SyncRun.Kind.VERIFY
    if _is_over(times["any"], datetime.timedelta(minutes=settings.SYNC_INCREMENTAL_MINUTES)):
        return SyncRun.Kind.INCREMENTAL
    return None


def _is_over(begun: datetime.datetime, every: datetime.timedelta) -> bool:
    """Whether `every` has passed; never where it is nought."""
    return bool(every) and timezone.now() - begun >= every
