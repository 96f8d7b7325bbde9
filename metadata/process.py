"""Photos → words and vectors: the engine that keeps calls in flight. Pictures are fetched and described in threads that
hold no connection; rows are written by claims.py, each answer when it arrives.

What ails the server pauses the run and costs no attempt; what ails a photo costs it one of three.
"""

from __future__ import annotations

import contextlib
import contextvars
import datetime
import functools
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from metadata import claims
from metadata.claims import Call, Claim
from metadata.describe import (
    Answer,
    DescribeError,
    Describer,
    Outage,
    Refused,
    Rejected,
    UnusablePicture,
    Usage,
    Vectors,
    make_describer,
)
from metadata.describe.picture import prepare
from metadata.models import AIMetadata, ProcessingRun
from smugmug.client import SmugMugClient, SmugMugError, SmugMugGone, SmugMugRefused, SmugMugUnavailable
from smugmug.models import Account, Album
from smugmug.records import LARGE_PIXELS, smallest
from targetvision import logs
from targetvision.http import guarded_httpx_client
from targetvision.models import RunError, RunState

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 60.0  # for one answer of a model
NO_PICTURE = "SmugMug has no picture of this photo yet. Try again when it has been processed there."
OUTAGE_FETCHES = 5  # so many pictures in a row that cannot be had are SmugMug's fault, not theirs


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


def start(  # noqa: PLR0913 - one keyword for each choice a person has
    account: Account,
    *,
    by: User | None,
    album: Album | None = None,
    only: str = ProcessingRun.Only.PENDING,
    limit: int | None = None,
    describer: Describer,
) -> tuple[ProcessingRun, bool]:
    """A new run over photos of the account, or the one that is active; and whether it is new."""
    wish = {"album": album, "only": only, "limit": limit, "describer": describer.name, "model": describer.model}
    try:
        with transaction.atomic():
            return ProcessingRun.objects.create(account=account, requested_by=by, **wish), True
    except IntegrityError:
        active = ProcessingRun.objects.active().filter(account=account).first()
        if active:
            return active, False
        return start(account, by=by, album=album, only=only, limit=limit, describer=describer)


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
        return _carry_on(run, Engine(run, describer, client, tell), seconds)


def _carry_on(run: ProcessingRun, engine: Engine, seconds: float) -> bool:
    claims.plan(run)
    engine.tell(run)
    try:
        over = engine.work(time.monotonic() + seconds)
    except (DescribeError, SmugMugError) as exc:
        logger.warning("run %s pauses: %s", run.pk, exc)
        run.pause(exc.advice)
        engine.tell(run)
        return True
    if over:
        _finish(run)
        engine.tell(run)
    return over


def _finish(run: ProcessingRun) -> None:
    """Close the run, unless photos of it are in other hands: then those close it."""
    if AIMetadata.objects.of_run(run).unfinished().exists():
        return
    state = RunState.SUCCEEDED
    if run.failed or run.errors:
        state = RunState.PARTIAL if run.described or run.skipped else RunState.FAILED
    if run.finish(state):
        counts = run.described, run.skipped, run.failed
        logger.info("run %s %s: %s described, %s skipped, %s failed", run.pk, state, *counts)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one claim: an answer, or why there is none."""

    answer: Answer | None = None
    error: DescribeError | SmugMugError | None = None
    ms: int | None = None  # of the model's call; None where it was not reached


@dataclass
class Engine:
    """One process's share of a run."""

    run: ProcessingRun
    describer: Describer
    client: SmugMugClient
    tell: Callable[[ProcessingRun], None]
    waiting: deque[Claim] = field(default_factory=deque)
    under_way: dict[Future[Outcome], Claim] = field(default_factory=dict)
    in_hand: list[Claim] = field(default_factory=list)  # what is being written just now
    fresh: list[UUID] = field(default_factory=list)  # photos described here and not yet embedded
    unfetched: int = 0  # pictures in a row that SmugMug did not give

    def work(self, deadline: float) -> bool:
        """Describe and embed until nothing is left to claim, or the time is over; True in the first case.

        DescribeError and SmugMugError where not a photo but the server ails.
        """
        pool = ThreadPoolExecutor(settings.AI_CONCURRENCY, thread_name_prefix="describe")
        try:
            while self._fill(pool, deadline):
                ready, _ = wait(self.under_way, timeout=_patience(), return_when=FIRST_COMPLETED)
                self._renew()
                for future in ready:
                    self._settle(future)
                if not self.run.beat():
                    return True
            self._embed(self.fresh)
            if time.monotonic() >= deadline:
                return False
            self._embed_leftovers()
            return True
        except (DescribeError, SmugMugError):
            self._save_what_is_under_way()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            claims.give_back([*self.waiting, *self.under_way.values(), *self.in_hand])

    def _fill(self, pool: ThreadPoolExecutor, deadline: float) -> bool:
        """Keep AI_CONCURRENCY calls in flight, across batches; False when nothing is in flight any more."""
        while len(self.under_way) < settings.AI_CONCURRENCY and time.monotonic() < deadline:
            if not self.waiting:
                self.waiting.extend(claims.claim(self.run, settings.AI_BATCH_SIZE))
            if not self.waiting:
                break
            claim = self.waiting.popleft()
            context = contextvars.copy_context()  # for the thread's lines in the log
            self.under_way[pool.submit(context.run, describe, claim, self.describer, self.client)] = claim
        return bool(self.under_way)

    def _renew(self) -> None:
        """Keep what is in our hands ours, also where a slow model works longer than a lease lasts."""
        held = [*self.waiting, *self.under_way.values()]
        if min(claim.until for claim in held) - timezone.now() > datetime.timedelta(seconds=settings.CLAIM_SECONDS / 2):
            return
        ours = claims.renew(held)
        self.waiting = deque(ours[claim.pk] for claim in self.waiting if claim.pk in ours)
        # What was lost while under way keeps its old time, so that its answer is not written.
        self.under_way = {future: ours.get(claim.pk, claim) for future, claim in self.under_way.items()}

    def _save_what_is_under_way(self) -> None:
        """Before the run pauses: answers that are being given are paid for, and kept."""
        ready, _ = wait(self.under_way, timeout=TIMEOUT_SECONDS)
        for future in ready:
            with contextlib.suppress(DescribeError, SmugMugError):
                self._settle(future)

    def _settle(self, future: Future[Outcome]) -> None:
        """Write what came of a claim; what is no fault of the photo's is raised, for the run to pause."""
        claim = self.under_way.pop(future)
        self.in_hand = [claim]
        with logs.about(photo=claim.photo_id):
            self._write(claim, future.result())
        self.in_hand = []
        self.tell(self.run)
        if len(self.fresh) >= settings.AI_BATCH_SIZE:
            self._embed(self.fresh)

    def _write(self, claim: Claim, outcome: Outcome) -> None:
        error = outcome.error
        if outcome.ms is not None:
            self._record("describe", outcome.ms, outcome.answer or error, claim.photo_id)
        self._raise_outage(claim, error)
        if error:
            claims.save_failure(self.run, claim, error.advice, for_good=isinstance(error, UnusablePicture | Refused))
        elif outcome.answer and claims.save_answer(self.run, claim, outcome.answer, describer=self.describer.name):
            self.fresh.append(claim.photo_id)

    def _raise_outage(self, claim: Claim, error: DescribeError | SmugMugError | None) -> None:
        """Raise what ails the server: at once where it says so, or when SmugMug has failed at several pictures."""
        self.unfetched = self.unfetched + 1 if isinstance(error, SmugMugUnavailable) else 0
        if error and (isinstance(error, Outage | Rejected | SmugMugRefused) or self.unfetched >= OUTAGE_FETCHES):
            self.waiting.append(claim)  # to be given back
            raise error

    def _embed(self, photos: list[UUID]) -> None:
        """One call for the texts of these photos."""
        texts = claims.texts_of(photos)
        photos.clear()
        if not texts:
            return
        started = time.monotonic()
        try:
            answer = self.describer.embed([text for _, _, text in texts])
        except DescribeError as exc:
            self._record("embed", _ms(started), exc)
            if isinstance(exc, Outage | Rejected):
                raise
            error = RunError(key="embedding", title="Embeddings", sentence=exc.advice)
            self.run.beat(errors=[each for each in self.run.errors if each != error] + [error])
            return
        self._record("embed", _ms(started), answer)
        claims.save_vectors(texts, answer)

    def _embed_leftovers(self) -> None:
        """Embed what a worker described before it died; where photos are still in other hands, they will do it."""
        if AIMetadata.objects.of_run(self.run).unfinished().exists():
            return
        left = claims.photos_without_vector(self.run)
        while left:
            batch, left = left[: settings.AI_BATCH_SIZE], left[settings.AI_BATCH_SIZE :]
            self._embed(batch)

    def _record(
        self, kind: str, ms: int, result: Answer | Vectors | Exception | None, photo_id: UUID | None = None
    ) -> None:
        embeds = kind == "embed"
        call = Call(
            kind=kind,
            model=getattr(result, "model", "") or (self.describer.embedding_model if embeds else self.describer.model),
            outcome=claims.outcome(result if isinstance(result, DescribeError) else None),
            usage=getattr(result, "usage", Usage()),
            ms=ms,
            is_free=self.describer.name == "local",
        )
        claims.record(self.run, call, photo_id)


def embed_photo(photo_id: str, *, describer: Describer) -> None:
    """Embed the words of one photo as they stand; DescribeError where that cannot be."""
    texts = claims.texts_of([UUID(photo_id)])
    if not texts:
        return
    started = time.monotonic()
    answer = describer.embed([text for _, _, text in texts])
    is_free = describer.name == "local"
    claims.record(None, Call("embed", answer.model, "ok", answer.usage, _ms(started), is_free), UUID(photo_id))
    claims.save_vectors(texts, answer)


def describe(claim: Claim, describer: Describer, client: SmugMugClient) -> Outcome:
    """Fetch the picture and describe it; never without the picture. Runs in a thread, touches no database."""
    try:
        picture = prepare(fetch(claim, client), pixels=settings.AI_IMAGE_PIXELS)
    except (SmugMugError, UnusablePicture) as exc:
        return Outcome(error=exc)
    started = time.monotonic()
    try:
        return Outcome(answer=describer.describe(picture), ms=_ms(started))
    except DescribeError as exc:
        return Outcome(error=exc, ms=_ms(started))


def fetch(claim: Claim, client: SmugMugClient) -> bytes:
    """The bytes of the smallest rendition of at least AI_IMAGE_PIXELS, or of the largest there is.

    The stored address is used where it is of that size, and asked for anew where it is no longer good.
    """
    if claim.large_url and settings.AI_IMAGE_PIXELS == LARGE_PIXELS:
        try:
            return client.image_bytes(claim.large_url)
        except SmugMugGone:
            logger.info("photo %s: its address has moved", claim.photo_id, extra={"photo": claim.photo_id})
    rendition = smallest(client.renditions(claim.image_id), settings.AI_IMAGE_PIXELS)
    if rendition is None:
        raise UnusablePicture(f"{claim.image_id} has no rendition", advice=NO_PICTURE)
    return client.image_bytes(rendition.url)


def _patience() -> float:
    """Seconds until a sign of life is due, or a look at the leases."""
    return min(settings.HEARTBEAT_SECONDS, settings.CLAIM_SECONDS / 4)


def _ms(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
