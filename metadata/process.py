"""Photos → words and vectors, as people and jobs know it: begun, gone on with, paused, resumed, cancelled, ended; each
step in the audit trail.

Which photos is in selection.py, how calls stay in flight in engine.py, how an answer becomes rows in claims.py.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django_rq import get_connection

from metadata import calls, ledger, money, prompts, selection, vectors
from metadata.calls import Turns
from metadata.describe import Describer, Vectors, make_describer
from metadata.engine import TIMEOUT_SECONDS, Engine
from metadata.models import AICall, AIMetadata, ProcessingRun
from metadata.outages import Outages, Pause
from metadata.purse import USED_UP, Purse, call_of
from metadata.selection import Wish
from smugmug import audit
from smugmug.client import SmugMugClient
from smugmug.models import Account, Photo
from targetvision import logs
from targetvision.http import guarded_httpx_client
from targetvision.models import RunState

if TYPE_CHECKING:
    from django.contrib.auth.models import User

__all__ = [
    "Wish",
    "cancel",
    "carry_on",
    "configured_describer",
    "embed_left",
    "embed_photo",
    "pause",
    "resume",
    "set_budget",
    "start",
]

logger = logging.getLogger(__name__)

ACTION = "describe"  # in the audit trail


@functools.cache
def configured_describer() -> Describer:
    """The describer that the settings name, made once a process."""
    return make_describer(
        settings.AI_DESCRIBER,
        api_key=settings.OPENAI_API_KEY or None,
        base_url=settings.OPENAI_BASE_URL or None,
        model=settings.OPENAI_MODEL,
        embedding_model=settings.OPENAI_EMBEDDING_MODEL,
        reasoning_effort=settings.OPENAI_REASONING_EFFORT or None,
        timeout=TIMEOUT_SECONDS,
        http_client=guarded_httpx_client(TIMEOUT_SECONDS) if settings.AI_DESCRIBER == "openai" else None,
    )


# --- What people do ---------------------------------------------------------------------------------------------


def start(
    account: Account, *, by: User | None, wish: Wish | None = None, describer: Describer, who: str = ""
) -> tuple[ProcessingRun, bool]:
    """A new run over photos of the account, or the one that is active; and whether it is new.

    `who` is for the audit trail where nobody is signed in. money.UnknownPrice where a budget could not be kept.
    """
    wish = wish or Wish()
    budget = money.budget_for(wish.budget, describer.model, describer.embedding_model)
    try:
        with transaction.atomic():
            run = _new_run(account, by, wish, describer, budget)
            audit.record(account, who=_who(by, who), action=ACTION, run=run, result="started", detail=_asked(run))
            return run, True
    except IntegrityError:
        active = ProcessingRun.objects.active().filter(account=account).first()
        if active is None:  # it has ended since the constraint spoke
            return start(account, by=by, wish=wish, describer=describer, who=who)
        return active, False


def _new_run(
    account: Account, by: User | None, wish: Wish, describer: Describer, budget: Decimal | None
) -> ProcessingRun:
    prompt = prompts.active(account)
    prompts.mark_used(prompt)
    return ProcessingRun.objects.create(
        account=account,
        requested_by=by,
        album=wish.album,
        photo=wish.photo,
        only=wish.only,
        reason=wish.reason,
        also_decided=wish.also_decided,
        note=wish.note,
        limit=wish.limit,
        budget_usd=budget,
        prompt=prompt,
        describer=describer.name,
        model=describer.model,
    )


def _asked(run: ProcessingRun) -> str:
    """What the run was asked for, for the audit trail."""
    parts = (
        str(run.get_only_display()),
        f"album {run.album}" if run.album else "",
        f"photo {run.photo}" if run.photo else "",
        f"failed with “{run.reason}”" if run.reason else "",
        "also what people decided on" if run.also_decided else "",
        f"at most {run.limit:,}" if run.limit else "",
        f"for at most {money.dollars(run.budget_usd)}" if run.budget_usd is not None else "",
        f"told “{run.note}”" if run.note else "",
        f"with {run.model}",
    )
    return ", ".join(filter(None, parts))


@transaction.atomic
def pause(run: ProcessingRun, *, by: User | None, who: str = "") -> bool:
    """Stop for now; answers that are under way are kept. False where the run was not at work."""
    name = audit.name(_who(by, who))
    return _record(run.pause(f"Paused by {name}."), run, _who(by, who), "paused")


@transaction.atomic
def resume(run: ProcessingRun, *, by: User | None, who: str = "") -> bool:
    """Go on with a paused run, at once; False where it was not paused. The caller enqueues it."""
    return _record(run.resume(), run, _who(by, who), "resumed")


@transaction.atomic
def cancel(run: ProcessingRun, *, by: User | None, who: str = "") -> bool:
    """Stop for good; every answer stays. False where the run was over."""
    won = run.cancel()
    if won:
        selection.put_back(AIMetadata.objects.of_run(run))
    return _record(won, run, _who(by, who), "cancelled")


@transaction.atomic
def set_budget(run: ProcessingRun, budget: Decimal | None, *, by: User | None, goes_on: bool = True) -> bool:
    """What the run may spend from now on, None: no bound; a run that waited for it `goes_on`. False where it was over.

    The caller enqueues a run that is queued now. money.UnknownPrice where a budget could not be kept.
    """
    if budget is not None:
        budget = money.budget_for(budget, run.model, settings.OPENAI_EMBEDDING_MODEL)
    won = bool(ProcessingRun.objects.active().filter(pk=run.pk).update(budget_usd=budget))
    run.refresh_from_db()
    detail = "no bound" if budget is None else money.dollars(budget)
    _record(won, run, _who(by, ""), "budget", detail)
    if won and goes_on and run.state == RunState.PAUSED and run.waiting_for.startswith(USED_UP):
        run.resume()
    return won


def _record(won: bool, run: ProcessingRun, who: str, result: str, detail: str = "") -> bool:  # noqa: FBT001
    if won:
        audit.record(run.account, who=who, action=ACTION, run=run, result=result, detail=detail)
    return won


def _who(by: User | None, who: str) -> str:
    return audit.person(by) if by else who or audit.COMMAND


# --- What jobs do -----------------------------------------------------------------------------------------------


def carry_on(
    run: ProcessingRun,
    *,
    describer: Describer,
    client: SmugMugClient,
    seconds: float,
    tell: Callable[[ProcessingRun], None] = lambda run: None,
) -> bool:
    """Work on the run for about `seconds`, beside others; True when nothing is left for us.

    `tell` is called with the run whenever its figures have changed.
    """
    if not run.begin(alone=False):
        return True
    with logs.about(run=run.pk, account=run.account_id):
        return _carry_on(run, describer, client, seconds, tell)


def _carry_on(
    run: ProcessingRun,
    describer: Describer,
    client: SmugMugClient,
    seconds: float,
    tell: Callable[[ProcessingRun], None],
) -> bool:
    if (run.describer, run.model) != (describer.name, describer.model):  # the settings were mended meanwhile
        run.beat(describer=describer.name, model=describer.model)
    if run.prompt is None:
        run.beat(prompt=prompts.active(run.account))
    briefing = prompts.briefing(run)
    selection.plan(run, sends=bool(describer.sends_to))
    tell(run)
    engine = Engine(
        run=run,
        describer=describer,
        client=client,
        briefing=briefing,
        purse=Purse.of(run, describer, briefing.prompt),
        turns=Turns.of(describer, get_connection("metadata")),
        outages=Outages(run.pauses),
        tell=tell,
    )
    try:
        over = engine.work(time.monotonic() + seconds)
    except Pause as exc:
        _pause(run, exc)
        over = True
    if engine.is_the_last:
        _finish(run)
    tell(run)
    return over


def _pause(run: ProcessingRun, why: Pause) -> None:
    if run.pause(str(why), seconds=why.seconds):
        logger.warning("run %s pauses: %s", run.pk, why)
        audit.record(run.account, who=audit.starter(run), action=ACTION, run=run, result="paused", detail=str(why))


@transaction.atomic
def _finish(run: ProcessingRun) -> None:
    """Close the run: nothing of it is left, here or elsewhere."""
    state = RunState.SUCCEEDED
    if run.failed or run.errors:
        state = RunState.PARTIAL if run.described or run.skipped else RunState.FAILED
    if run.finish(state):
        selection.put_back(AIMetadata.objects.of_run(run))
        counts = f"{run.described:,} described, {run.skipped:,} skipped, {run.failed:,} failed"
        audit.record(run.account, who=audit.starter(run), action=ACTION, run=run, result=run.state, detail=counts)
        logger.info("run %s %s: %s", run.pk, state, counts)


def embed_photo(photo_id: str, *, describer: Describer) -> None:
    """Embed the words of one photo as they stand, where they may be sent; DescribeError where that cannot be."""
    photo = Photo.objects.select_related("account").filter(pk=photo_id).first()
    if photo is not None:
        _embed(photo.account, [photo.pk], describer)


def embed_left(account: Account, *, describer: Describer, seconds: float) -> bool:
    """Embed what of the library has words and no vector, for about so long; True when nothing is left for us.

    What a run is at work on it embeds itself. DescribeError as for `embed_photo`.
    """
    if ProcessingRun.objects.filter(account=account, state__in=(RunState.QUEUED, RunState.RUNNING)).exists():
        return True
    deadline = time.monotonic() + seconds
    left = vectors.missing(account, sends=bool(describer.sends_to))
    while left and time.monotonic() < deadline:
        batch, left = left[: settings.AI_BATCH_SIZE], left[settings.AI_BATCH_SIZE :]
        _embed(account, batch, describer)
    return not left


def _embed(account: Account, photos: Sequence[UUID], describer: Describer) -> None:
    texts = vectors.texts_of(account, photos, sends=bool(describer.sends_to))
    if not texts:
        return
    answer = calls.embed([text for _, _, text in texts], describer, Turns.of(describer, get_connection("metadata")))
    photo_id = photos[0] if len(photos) == 1 else None
    ledger.record(account, call_of(AICall.Kind.EMBED, answer, describer), photo_id=photo_id)
    if answer.error:
        raise answer.error
    if isinstance(answer.answer, Vectors):
        vectors.save(texts, answer.answer)
