"""Jobs of the describer. Arguments are ids; a second start of the same job does nothing."""

from __future__ import annotations

import logging

from django.conf import settings
from django_rq import job
from rq.exceptions import ShutDownImminentException

from metadata import process
from metadata.models import ProcessingRun
from smugmug.oauth import connect

logger = logging.getLogger(__name__)

SLICE_SECONDS = 300


@job("metadata", timeout=2 * SLICE_SECONDS)
def process_photos(run_id: str) -> None:
    """Describe photos of the run for one slice, and enqueue what is left."""
    run = ProcessingRun.objects.select_related("account").filter(pk=run_id).first()
    if run is None:
        logger.info("processing %s is gone", run_id)
        return
    try:
        over = process.carry_on(
            run, describer=process.configured_describer(), client=connect(run.account), seconds=SLICE_SECONDS
        )
    except ShutDownImminentException:
        run.queue()
        process_photos.delay(run_id)
        raise
    if not over:
        process_photos.delay(run_id)


@job("metadata", timeout=60)
def resume_stalled_processing() -> None:
    """Enqueue again the runs that nobody works on: their worker died, or the queue lost them."""
    for run in ProcessingRun.objects.stalled():
        if run.queue():
            logger.warning("processing %s stood still and is taken up again", run.pk)
            process_photos.delay(str(run.pk))


@job("metadata", timeout=300)
def embed_photo(photo_id: str) -> None:
    """A new vector for words that a person has changed."""
    process.embed_photo(photo_id, describer=process.configured_describer())


def enqueue_for_all_workers(run: ProcessingRun) -> None:
    """As many jobs of the run as there are workers; each takes what the others left."""
    for _ in range(settings.WORKERS):
        process_photos.delay(str(run.pk))
