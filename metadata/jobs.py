"""Jobs of the describer. Arguments are ids; a second start of the same job does nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from uuid import UUID

import django_rq
from django.conf import settings
from django.db import OperationalError
from django_rq import job
from rq import Worker
from rq.exceptions import ShutDownImminentException
from rq.worker import WorkerStatus

from metadata import change_work, chunks, export, lanes, process, selection, stacks, undoing
from metadata.models import ChangeSet, Decision, Export, ProcessingRun
from smugmug.client import SmugMugError
from smugmug.models import Account
from smugmug.oauth import connect, connect_for_changes
from targetvision.deadlocks import is_deadlock
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
    restack_behind(run.account)
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
    _invite_idle_workers()


def _invite_idle_workers() -> None:
    """Enqueue a run for workers that have nothing to do: they came later, or in the place of one that died."""
    queue = django_rq.get_queue("metadata")
    if queue.count:
        return
    idle = sum(worker.get_state() == WorkerStatus.IDLE for worker in Worker.all(queue=queue))
    for run in ProcessingRun.objects.filter(state=RunState.RUNNING, pauses=0):
        if selection.unfinished(run).claimable().exists():
            _enqueue(run, idle + 1)  # and the one that looks, which is free in a moment
            return


@job("metadata", timeout=300)
def restack_album(album_id: str) -> None:
    """Find the bursts of an album anew."""
    changed = stacks.restack(UUID(album_id))
    logger.info("album %s is stacked anew: %s rows changed", album_id, changed)


@job("metadata", timeout=300)
def restack_all_behind() -> None:
    """Look in every library for bursts that no run has stacked: of older versions, or of pictures changed since."""
    for account in Account.objects.order_by("pk"):
        restack_behind(account)


def restack_behind(account: Account) -> None:
    """Enqueue the albums of the library whose bursts are not all found."""
    for album in stacks.behind(account):
        restack_album.delay(str(album))


@job("metadata", timeout=2 * SLICE_SECONDS)
def judge_anew(account_id: str, after: str = "") -> None:
    """Judge the lanes of a library's words anew for one slice, beyond the id `after`, and enqueue what is left."""
    account = Account.objects.filter(pk=account_id).first()
    if account is None:
        logger.info("library %s is gone", account_id)
        return
    last = lanes.recompute(account, seconds=SLICE_SECONDS, after=UUID(after) if after else None)
    if last:
        judge_anew.delay(account_id, str(last))


@job("metadata", timeout=60)
def judge_unjudged() -> None:
    """Give a lane to waiting words that have none: of older versions, or written by other programs; and another one
    where SmugMug's caption has changed."""
    lanes.judge_unjudged(seconds=25)
    lanes.judge_read_since(seconds=15)


@job("metadata", timeout=300)
def embed_photo(photo_id: str) -> None:
    """A new vector for words that a person has changed."""
    process.embed_photo(photo_id, describer=process.configured_describer())


@job("metadata", timeout=2 * SLICE_SECONDS)
def embed_left(account_id: str) -> None:
    """Vectors for a library's words that have none, for one slice, and enqueue what is left."""
    account = Account.objects.filter(pk=account_id).first()
    if account is None:
        logger.info("library %s is gone", account_id)
    elif not process.embed_left(account, describer=process.configured_describer(), seconds=SLICE_SECONDS):
        embed_left.delay(account_id)


@job("metadata", timeout=2 * SLICE_SECONDS)
def carry_out_decision(decision_id: str) -> None:
    """Carry a decision over many photos out, or take it back, for one slice, and enqueue what is left."""
    decision = Decision.objects.select_related("account", "requested_by").filter(pk=decision_id).first()
    if decision is None:
        logger.info("decision %s is gone", decision_id)
        return
    try:
        over = chunks.carry_on(decision, seconds=SLICE_SECONDS)
    except ShutDownImminentException:
        decision.queue()
        carry_out_decision.delay(decision_id)
        raise
    except OperationalError as exc:
        if not is_deadlock(exc):
            raise
        logger.info("decision %s is taken up again: a chunk was broken off for another transaction", decision_id)
        over = False  # the chunk is done again, since its cursor went with it
    if over:
        follow_up(decision)
    elif decision.queue():
        carry_out_decision.delay(decision_id)


@job("metadata", timeout=60)
def resume_stalled_decisions() -> None:
    """Enqueue again the decisions that nobody works on: their worker died, or the queue lost them."""
    for decision in Decision.objects.stalled():
        if decision.queue():
            logger.warning("decision %s stood still and is taken up again", decision.pk)
            carry_out_decision.delay(str(decision.pk))


def follow_up(decision: Decision) -> None:
    """After a decision that is over, or stopped: the library's next one, and vectors for words that have changed."""
    if decision.is_active:
        return
    if following := Decision.objects.active().filter(account=decision.account_id).order_by("created_at").first():
        carry_out_decision.delay(str(following.pk))
    if decision.changed and undoing.has_reworded(decision):
        embed_left.delay(str(decision.account_id))


@job("metadata", timeout=3_600)
def write_export(export_id: str) -> None:
    """Write an export's file, from its beginning to its end."""
    found = Export.objects.select_related("account").filter(pk=export_id).first()
    if found is None:
        logger.info("export %s is gone", export_id)
        return
    try:
        export.carry_on(found)
    except ShutDownImminentException:
        found.queue()
        write_export.delay(export_id)
        raise


def begin_export(started: Export) -> None:
    """Write a small export at once, while the person waits; leave another one to the workers."""
    if (started.total or 0) <= export.SMALL:
        export.carry_on(started)
    else:
        write_export.delay(str(started.pk))


@job("metadata", timeout=60)
def resume_stalled_exports() -> None:
    """Enqueue again the exports that nobody works on: their worker died, or the queue lost them."""
    for stalled in Export.objects.stalled():
        if stalled.queue():
            logger.warning("export %s stood still and is begun anew", stalled.pk)
            write_export.delay(str(stalled.pk))


@job("metadata", timeout=300)
def sweep_exports() -> None:
    """Delete the files of exports that were kept for a week."""
    gone = export.sweep()
    logger.info("%s files of exports deleted", gone)


@job("smugmug", timeout=2 * SLICE_SECONDS)
def publish_changes(change_set_id: str) -> None:
    """Write an armed change-set to SmugMug, or take it back, for one slice; and enqueue what is left."""
    found = ChangeSet.objects.select_related("account").filter(pk=change_set_id).first()
    if found is None:
        logger.info("change-set %s is gone", change_set_id)
        return
    client = connect_for_changes(found.account)
    try:
        over = change_work.carry_on(found, client=client, seconds=SLICE_SECONDS)
    except ShutDownImminentException:
        found.queue()  # and not enqueued: what is under way may still arrive there, and the reconciler looks later
        raise
    finally:
        client.close()
    if not over:
        publish_changes.delay(change_set_id)


@job("smugmug", timeout=SLICE_SECONDS)
def look_at_stopped_changes(change_set_id: str) -> None:
    """Find out what became of the pictures that the stop of a change-set left halfway. Nothing is written."""
    found = ChangeSet.objects.left_halfway().select_related("account").filter(pk=change_set_id).first()
    if found is None:
        logger.info("nothing of change-set %s is left halfway", change_set_id)
        return
    client = connect_for_changes(found.account)
    try:
        change_work.look_again(found, client=client)
    except SmugMugError as exc:
        logger.warning("change-set %s was not looked at: %s", found.pk, exc)
        change_work.heed(found, exc)
    finally:
        client.close()


@job("smugmug", timeout=60)
def resume_stalled_change_sets() -> None:
    """Enqueue again the armed change-sets that nobody works on: their worker died, or their pause is over.

    Of those that were stopped, what was under way then is looked at.
    """
    for stopped in ChangeSet.objects.left_halfway().filter(account__in=Account.objects.connected()):
        look_at_stopped_changes.delay(str(stopped.pk))
    for stalled in ChangeSet.objects.armed().stalled():
        if stalled.queue():
            logger.warning("change-set %s stood still and is taken up again", stalled.pk)
            publish_changes.delay(str(stalled.pk))
    for due in ChangeSet.objects.armed().due():
        if due.resume():
            logger.info("change-set %s goes on after its pause", due.pk)
            publish_changes.delay(str(due.pk))


def enqueue_for_all_workers(run: ProcessingRun) -> None:
    """As many jobs of the run as there are workers; each takes what the others left."""
    _enqueue(run, settings.WORKERS)


def _enqueue(run: ProcessingRun, times: int) -> None:
    for _ in range(times):
        process_photos.delay(str(run.pk))
