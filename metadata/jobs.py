"""Jobs of the describer. Arguments are ids; a second start of the same job does nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.conf import settings
from django_rq import job
from rq.exceptions import ShutDownImminentException

from metadata import process
from metadata.models import ProcessingRun
from smugmug.oauth import connect
from targetvision.models import RunState

logger = logging.getLogger(__name__)

SLICE_SECONDS = 300


@job("metadata", timeout=2 * SLICE_SECONDS)
def process_photos(run_id: str) -> None:
    """Describe photos of the run for one slice, and enqueue what is left."""
    run = ProcessingRun.objects.select_related("account").filter(pk=run_id).first()
    if run is None:
        logger.info("processing %s is gone", run_id)
        return
    describer, client, tell = process.configured_describer(), connect(run.account), _call_the_others(run)
    try:
        over = process.carry_on(run, describer=describer, client=client, seconds=SLICE_SECONDS, tell=tell)
    except ShutDownImminentException:
        run.queue()
        process_photos.delay(run_id)
        raise
    finally:
        client.close()
    if not over:
        process_photos.delay(run_id)


def _call_the_others(run: ProcessingRun) -> Callable[[ProcessingRun], None]:
    """After a pause one worker tries alone; when it gets an answer, the others are called."""
    alone = run.pauses > 0

    def tell(run: ProcessingRun) -> None:
        nonlocal alone
        if alone and run.pauses == 0 and run.state == RunState.RUNNING:
            alone = False
            _enqueue(run, settings.WORKERS - 1)

    return tell


@job("metadata", timeout=60)
def resume_stalled_processing() -> None:
    """Enqueue again the runs that nobody works on: their worker died, the queue lost them, or their pause is over."""
    for run in ProcessingRun.objects.stalled():
        if run.queue():
            logger.warning("processing %s stood still and is taken up again", run.pk)
            process_photos.delay(str(run.pk))
    for run in ProcessingRun.objects.due():
        if run.resume():
            logger.info("processing %s goes on after its pause", run.pk)
            process_photos.delay(str(run.pk))


@job("metadata", timeout=300)
def embed_photo(photo_id: str) -> None:
    """A new vector for words that a person has changed."""
    process.embed_photo(photo_id, describer=process.configured_describer())


def enqueue_for_all_workers(run: ProcessingRun) -> None:
    """As many jobs of the run as there are workers; each takes what the others left."""
    _enqueue(run, settings.WORKERS)


def _enqueue(run: ProcessingRun, times: int) -> None:
    for _ in range(times):
        process_photos.delay(str(run.pk))
