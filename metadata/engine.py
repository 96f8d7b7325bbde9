"""One process's share of a run: calls stay in flight, across batches, until nothing is left or the time is over.

Pictures are fetched and described in threads that hold no connection; rows are written here, each answer when it
arrives. Any number of processes, on any number of machines, work on a run beside each other.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings
from django.db import transaction

from metadata import calls, claims, selection, vectors
from metadata.calls import Outcome, Turns
from metadata.claims import Claim
from metadata.describe import Answer, DescribeError, Describer, Vectors
from metadata.models import AICall, ProcessingRun
from metadata.outages import Cost, Outages, Pause, Trouble, reason
from metadata.prompts import Briefing
from metadata.purse import Purse
from metadata.vectors import Text
from smugmug.client import SmugMugClient
from targetvision import logs
from targetvision.models import RunError

TIMEOUT_SECONDS = 60.0  # for one answer of a model
AHEAD = 0.5  # share: SmugMug gives a picture in half the time in which a model describes it
SHARES = 8  # of what is left of a run, that one worker takes at most one of
LEAST = 4  # photos at a time


@dataclass
class Engine:
    """What one process has in its hands of a run."""

    run: ProcessingRun
    describer: Describer
    client: SmugMugClient
    briefing: Briefing
    purse: Purse
    turns: Turns
    outages: Outages
    tell: Callable[[ProcessingRun], None]
    waiting: deque[Claim] = field(default_factory=deque)
    under_way: dict[Future[Outcome], Claim] = field(default_factory=dict)
    embedding: dict[Future[Outcome], list[Text]] = field(default_factory=dict)
    in_hand: list[Claim] = field(default_factory=list)  # what is being written just now
    fresh: list[UUID] = field(default_factory=list)  # photos described and not yet embedded
    renewed: float = field(default_factory=time.monotonic)
    is_the_last: bool = False  # nothing is left of the run, here or elsewhere: it can be closed

    @property
    def sends(self) -> bool:
        """Whether pictures and texts leave this machine."""
        return bool(self.describer.sends_to)

    def work(self, deadline: float) -> bool:
        """Describe and embed until nothing is left for us, or the time is over; True in the first case.

        Pause where not a photo but a server ails, or the budget is spent.
        """
        pool = ThreadPoolExecutor(settings.AI_CONCURRENCY + _ahead() + 1, thread_name_prefix="describe")
        try:
            while self._fill(pool, deadline):
                if not self._go_round(deadline):
                    self._save_what_is_under_way()
                    return True
            return self._end(pool, deadline)
        except Pause:
            self._save_what_is_under_way()
            raise
        finally:
            self.turns.end()
            pool.shutdown(wait=False, cancel_futures=True)
            claims.give_back(self.run, [*self.waiting, *self.under_way.values(), *self.in_hand])

    def _fill(self, pool: ThreadPoolExecutor, deadline: float) -> bool:
        """Keep AI_CONCURRENCY calls in flight, across batches, and pictures at hand for the next; False when nothing is
        in flight any more.
        """
        width = 1 if self.outages.is_careful else settings.AI_CONCURRENCY + _ahead()
        while len(self.under_way) < width and time.monotonic() < deadline and self._has_next():
            if not self.purse.take(AICall.Kind.DESCRIBE):
                if not self.under_way:  # else what they leave of theirs may be enough
                    raise self.purse.spent()
                break
            claim = self.waiting.popleft()
            self.under_way[_submit(pool, calls.describe, claim, self.describer, self.client, self.turns)] = claim
        while len(self.fresh) >= settings.AI_BATCH_SIZE:
            self._start_embedding(pool)
        return bool(self.under_way or self.embedding)

    def _has_next(self) -> bool:
        if not self.waiting:
            self.waiting.extend(claims.claim(self.run, self._share(), briefing=self.briefing, sends=self.sends))
        return bool(self.waiting)

    def _share(self) -> int:
        """How many photos to claim: a batch, and less towards the end, so that no worker is left with them alone."""
        left = (self.run.total or 0) - self.run.done
        return min(settings.AI_BATCH_SIZE, max(LEAST, left // SHARES))

    def _go_round(self, deadline: float) -> bool:
        """Wait for what comes next, and write it; False where the run is not to be worked on any more."""
        in_flight = [*self.under_way, *self.embedding]
        ready, _ = wait(in_flight, timeout=_patience(deadline), return_when=FIRST_COMPLETED)
        if time.monotonic() >= deadline:
            self.turns.end()
        self._renew()
        for future in ready:
            self._settle(future)
        goes_on = self.run.beat(waiting_for=self._waits_for(), pauses=self.outages.pauses)
        self.tell(self.run)
        return goes_on

    def _waits_for(self) -> str:
        """A sentence where another server has us wait."""
        for name, until in (("The AI server", self.turns.held_until()), ("SmugMug", self.client.waiting_until)):
            if until and until - time.time() > 1:
                return f"{name} has us wait for {until - time.time():.0f} s more."
        return ""

    def _renew(self) -> None:
        """Keep what is in our hands ours, also where a slow model works longer than a lease lasts."""
        held = [*self.waiting, *self.under_way.values()]
        if not held or time.monotonic() - self.renewed < settings.CLAIM_SECONDS / 2:
            return
        self.renewed = time.monotonic()
        ours = claims.renew(held)
        self.waiting = deque(ours[claim.pk] for claim in self.waiting if claim.pk in ours)
        # What was lost while under way keeps its old time, so that its answer is not written.
        self.under_way = {future: ours.get(claim.pk, claim) for future, claim in self.under_way.items()}

    def _save_what_is_under_way(self) -> None:
        """Before the run stops: answers that are being given are paid for, and kept."""
        self.turns.end()
        ready, _ = wait([*self.under_way, *self.embedding], timeout=TIMEOUT_SECONDS)
        for future in ready:
            with contextlib.suppress(Pause):
                self._settle(future)

    def _settle(self, future: Future[Outcome]) -> None:
        """Write what came of a call; Pause where it is no fault of the photo's."""
        if future in self.embedding:
            self._write_vectors(self.embedding.pop(future), future.result())
            return
        claim = self.under_way.pop(future)
        self.in_hand.append(claim)
        with logs.about(photo=claim.photo_id):
            self._write_words(claim, future.result())
        self.in_hand.remove(claim)

    def _write_words(self, claim: Claim, outcome: Outcome) -> None:
        if isinstance(outcome.answer, Answer):
            self.outages.answered()
            name, look = self.describer.name, outcome.perceptual_hash
            with transaction.atomic():  # who dies here leaves neither words without their cost nor a cost without words
                is_ours = claims.save_answer(self.run, claim, outcome.answer, describer=name, perceptual_hash=look)
                self.purse.enter(AICall.Kind.DESCRIBE, outcome, photo_id=claim.photo_id)
            if is_ours:
                self.fresh.append(claim.photo_id)
            return
        self.purse.enter(AICall.Kind.DESCRIBE, outcome, photo_id=claim.photo_id)
        if outcome.error:
            self._write_failure(claim, outcome.error)
        else:
            claims.give_back(self.run, [claim])

    def _write_failure(self, claim: Claim, error: Trouble) -> None:
        try:
            cost = self.outages.weigh(claim.photo_id, error, attempts=claim.attempts)
        except Pause as pause:
            if pause.costs_attempt:
                claims.save_failure(self.run, claim, reason(error), for_good=False)
            raise
        if cost == Cost.NOTHING:
            self.waiting.append(claim)
        else:
            claims.save_failure(self.run, claim, reason(error), for_good=cost == Cost.ALL)

    # --- Vectors ---------------------------------------------------------------------------------------------

    def _start_embedding(self, pool: ThreadPoolExecutor) -> None:
        """One call for the texts of a batch."""
        batch, self.fresh = self.fresh[: settings.AI_BATCH_SIZE], self.fresh[settings.AI_BATCH_SIZE :]
        texts = vectors.texts_of(self.run.account, batch, sends=self.sends)
        if texts and not self.purse.take(AICall.Kind.EMBED):
            raise self.purse.spent()
        if texts:
            words = [text for _, _, text in texts]
            self.embedding[_submit(pool, calls.embed, words, self.describer, self.turns)] = texts

    def _write_vectors(self, texts: list[Text], outcome: Outcome) -> None:
        self.purse.enter(AICall.Kind.EMBED, outcome)
        if isinstance(outcome.answer, Vectors):
            self.outages.answered()
            vectors.save(texts, outcome.answer)
        elif isinstance(outcome.error, DescribeError):
            if self.outages.weigh(texts[0][0], outcome.error) == Cost.NOTHING:
                self.fresh += [photo for photo, _, _ in texts]
                return
            error = RunError(key="embedding", title="Embeddings", sentence=outcome.error.advice)
            self.run.beat(errors=[each for each in self.run.errors if each != error] + [error])

    def _end(self, pool: ThreadPoolExecutor, deadline: float) -> bool:
        """Embed what has words and no vector, be it from a worker that died; the last of us does it for all."""
        if time.monotonic() >= deadline:
            return False
        if selection.unfinished(self.run).exists():
            return True  # photos are in other hands, which will do it
        with vectors.alone(self.run) as is_ours:
            if is_ours:
                self.fresh = vectors.missing(self.run.account, sends=self.sends)
                self.is_the_last = self._embed_all(pool)
        return True

    def _embed_all(self, pool: ThreadPoolExecutor) -> bool:
        """False where the run is not to be worked on any more."""
        while self.fresh or self.embedding:
            while self.fresh and not self.embedding:
                self._start_embedding(pool)
            if self.embedding and not self._go_round(time.monotonic() + TIMEOUT_SECONDS):
                return False
        return True


def _submit(pool: ThreadPoolExecutor, task: Callable[..., Outcome], *arguments: object) -> Future[Outcome]:
    """The task in a thread whose lines in the log bear the same ids as ours."""
    return pool.submit(functools.partial(contextvars.copy_context().run, task), *arguments)


def _ahead() -> int:
    """How many pictures are fetched while all calls are in flight, so that no call waits for SmugMug."""
    return math.ceil(settings.AI_CONCURRENCY * AHEAD)


def _patience(deadline: float) -> float:
    """Seconds until a sign of life is due, a look at the leases, or the end."""
    patience: float = min(settings.HEARTBEAT_SECONDS, settings.CLAIM_SECONDS / 4)
    left = deadline - time.monotonic()
    return min(patience, left) if left > 0 else patience
