"""Jobs of the mirror. Arguments are ids; a second start of the same job does nothing."""

from __future__ import annotations

import logging

from django.conf import settings
from django_rq import job
from rq.exceptions import ShutDownImminentException

from smugmug import images, sync
from smugmug.models import SyncRun
from smugmug.oauth import connect

logger = logging.getLogger(__name__)

SLICE_SECONDS = 300


@job("smugmug", timeout=2 * SLICE_SECONDS)
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
    """Enqueue again the syncs that nobody works on: their worker died, or the queue lost them."""
    for run in SyncRun.objects.stalled():
        if run.queue():
            logger.warning("sync %s stood still and is taken up again", run.pk)
            sync_account.delay(str(run.pk))
