"""Jobs of the mirror. Arguments are ids; a second start of the same job does nothing."""

from __future__ import annotations

import logging

from django.conf import settings
from django_rq import job
from rq.exceptions import ShutDownImminentException

from smugmug import audit, images, schedule, sync
from smugmug.models import Account, SyncRun
from smugmug.oauth import connect

logger = logging.getLogger(__name__)

SLICE_SECONDS = 300


# Albums begun within a slice are read to their end: 16 of 5,000 photos take 200 s, more where runs share the budget.
@job("smugmug", timeout=6 * SLICE_SECONDS)
def sync_account(run_id: str) -> None:
    """Carry a sync on for one slice, and enqueue what is left."""
    run = SyncRun.objects.select_related("account").filter(pk=run_id).first()
    if run is None:
        logger.info("sync %s is gone", run_id)
        return
    try:
        over = sync.carry_on(run, client=connect(run.account), seconds=SLICE_SECONDS)
    except ShutDownImminentException:
        run.queue()
        sync_account.delay(run_id)
        raise
    if not over:
        sync_account.delay(run_id)


@job("smugmug", timeout=300)
def trim_images() -> None:
    """Keep the pictures on disk below their bound."""
    images.trim(settings.IMAGE_CACHE_MB * 2**20)


@job("smugmug", timeout=60)
def resume_stalled_syncs() -> None:
    """Enqueue again the syncs that nobody works on: their worker died, the queue lost them, or their pause is over."""
    for run in SyncRun.objects.stalled():
        if run.queue():
            logger.warning("sync %s stood still and is taken up again", run.pk)
            sync_account.delay(str(run.pk))
    for run in SyncRun.objects.due():
        if run.resume():
            logger.info("sync %s goes on after its pause", run.pk)
            sync_account.delay(str(run.pk))


@job("smugmug", timeout=60)
def start_due_syncs() -> None:
    """Begin the syncs whose time has come: what changed, every SYNC_INCREMENTAL_MINUTES; a check, every
    SYNC_VERIFY_DAYS. A library that was never read completely waits for its owner.
    """
    for account in Account.objects.connected():
        kind = schedule.due(account)
        if kind is None:
            continue
        run, is_new = sync.start(account, by=None, kind=kind, who=audit.SCHEDULE)
        if is_new:
            sync_account.delay(str(run.pk))
