"""The database side of describing: which photos a run takes, who works on them, and how an answer becomes rows.

Nothing here talks to the network. A claim is a lease on a row; what comes of it is written only while the lease is
still ours and no person has touched the words meanwhile.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from django.conf import settings
from django.db import models, transaction
from django.db.models import F
from django.utils import timezone

from metadata.describe import Answer, BadAnswer, DescribeError, Outage, Refused, Rejected, Usage, Vectors
from metadata.models import WORDS, AICall, AIMetadata, MetadataHistory, PhotoEmbedding, ProcessingRun
from smugmug.models import Photo

logger = logging.getLogger(__name__)

ATTEMPTS = 3
ROWS_A_STATEMENT = 1_000
IS_VIDEO = "This is a video; only pictures are described."
OUTCOMES = {Outage: "outage", Rejected: "rejected", BadAnswer: "bad_answer", Refused: "refused"}


@dataclass(frozen=True, slots=True)
class Claim:
    """One photo in our hands until `until`: what is needed to fetch and describe it without the database."""

    pk: UUID
    photo_id: UUID
    image_id: str
    large_url: str
    name: str
    version: int
    attempts: int
    until: datetime.datetime


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a model, for the ledger."""

    kind: str
    model: str
    outcome: str
    usage: Usage
    ms: int
    is_free: bool


@transaction.atomic
def plan(run: ProcessingRun) -> None:
    """Once a run: give each photo its row, put the run's name on those it is to describe, and count them."""
    locked = ProcessingRun.objects.select_for_update().get(pk=run.pk)
    if locked.total is not None:
        run.refresh_from_db()
        return
    _make_rows(run)
    now = timezone.now()
    rows = AIMetadata.objects.filter(pk__in=_wanted(run, now).values("pk")[: run.limit])
    total = rows.update(
        run=run, processing_status=AIMetadata.Processing.PENDING, attempts=0, error="", claimed_until=None
    )
    films = AIMetadata.objects.of_run(run).filter(photo__is_video=True)
    skipped = films.update(processing_status=AIMetadata.Processing.SKIPPED, error=IS_VIDEO)
    run.beat(total=total, done=skipped, skipped=skipped)


def _make_rows(run: ProcessingRun) -> None:
    photos = _photos(run).filter(ai_metadata=None).values_list("pk", flat=True)
    AIMetadata.objects.bulk_create(
        [AIMetadata(photo_id=pk) for pk in photos], ignore_conflicts=True, batch_size=ROWS_A_STATEMENT
    )


def _photos(run: ProcessingRun) -> models.QuerySet[Photo]:
    photos = Photo.objects.present().filter(account=run.account_id)
    return photos.filter(standings__album=run.album_id) if run.album_id else photos


def _wanted(run: ProcessingRun, now: datetime.datetime) -> models.QuerySet[AIMetadata]:
    """Rows that nobody has decided on and that are as the run asks for."""
    rows = AIMetadata.objects.filter(
        photo__in=_photos(run).values("pk"), review_status=AIMetadata.Review.UNREVIEWED
    ).order_by("photo__album", "photo__filename", "pk")
    if run.only == ProcessingRun.Only.FAILED:
        return rows.filter(processing_status=AIMetadata.Processing.FAILED)
    return rows.claimable(now)


@transaction.atomic
def claim(run: ProcessingRun, count: int) -> list[Claim]:
    """At most `count` photos of the run, ours for CLAIM_SECONDS; those that failed before come last."""
    now = timezone.now()
    until = now + datetime.timedelta(seconds=settings.CLAIM_SECONDS)
    rows = list(
        AIMetadata.objects.of_run(run)
        .claimable(now)
        .select_related("photo")
        .order_by("attempts", "pk")
        .select_for_update(of=("self",), skip_locked=True)[:count]
    )
    AIMetadata.objects.filter(pk__in=[row.pk for row in rows]).update(
        processing_status=AIMetadata.Processing.PROCESSING, claimed_until=until
    )
    return [
        Claim(
            pk=row.pk,
            photo_id=row.photo_id,
            image_id=row.photo.image_id,
            large_url=row.photo.large_url,
            name=row.photo.name,
            version=row.version,
            attempts=row.attempts,
            until=until,
        )
        for row in rows
    ]


def renew(claims: Sequence[Claim]) -> dict[UUID, Claim]:
    """The claims that are still ours, by row, each with its full time before it again."""
    until = timezone.now() + datetime.timedelta(seconds=settings.CLAIM_SECONDS)
    rows = AIMetadata.objects.filter(pk__in=[claim.pk for claim in claims])
    for old in {claim.until for claim in claims}:
        rows.filter(claimed_until=old, processing_status=AIMetadata.Processing.PROCESSING).update(claimed_until=until)
    ours = set(rows.filter(claimed_until=until).values_list("pk", flat=True))
    return {claim.pk: replace(claim, until=until) for claim in claims if claim.pk in ours}


def give_back(claims: Sequence[Claim]) -> None:
    """Let go of photos that were not described, without cost to them."""
    for until in {claim.until for claim in claims}:
        AIMetadata.objects.filter(pk__in=[claim.pk for claim in claims], claimed_until=until).update(
            processing_status=AIMetadata.Processing.PENDING, claimed_until=None
        )


@transaction.atomic
def save_answer(run: ProcessingRun, claim: Claim, answer: Answer, *, describer: str) -> bool:
    """The answer becomes the photo's words and a step of its history; False where the claim is no longer ours."""
    said = answer.description
    words = {
        "ai_title": said.title,
        "ai_description": said.description,
        "ai_alt_text": said.alt_text,
        "ai_tags": list(said.tags),
        "ai_categories": list(said.categories),
    }
    before = _ours(claim).select_for_update().first()
    if before is None:
        logger.info("run %s: the answer for photo %s came too late", run.pk, claim.photo_id)
        return False
    step = MetadataHistory.objects.create(
        metadata=before,
        version=before.version + 1,
        source=MetadataHistory.Source.AI,
        changed_by=f"ai:{answer.model}",
        previous_review_status=before.review_status,
        new_review_status=before.review_status,
        **{name.replace("ai_", "previous_", 1): getattr(before, name) for name in WORDS},
        **{name.replace("ai_", "new_", 1): words[name] for name in WORDS},
    )
    now = timezone.now()
    AIMetadata.objects.filter(pk=claim.pk).update(
        **words,
        confidence_score=said.confidence,
        processing_status=AIMetadata.Processing.COMPLETED,
        ai_answer=step,
        describer=describer,
        model=answer.model,
        version=before.version + 1,
        error="",
        claimed_until=None,
        processed_at=now,
        updated_at=now,
    )
    PhotoEmbedding.objects.filter(photo=claim.photo_id).delete()  # the vector of other words
    run.beat(done=F("done") + 1, described=F("described") + 1)
    logger.info("run %s: photo %s is described by %s", run.pk, claim.photo_id, answer.model)
    return True


@transaction.atomic
def save_failure(run: ProcessingRun, claim: Claim, sentence: str, *, for_good: bool) -> None:
    """An attempt failed: the photo waits for its next one, or is parked with the sentence after the third."""
    parked = for_good or claim.attempts + 1 >= ATTEMPTS
    status = AIMetadata.Processing.FAILED if parked else AIMetadata.Processing.PENDING
    changed = _ours(claim).update(
        processing_status=status, attempts=F("attempts") + 1, error=sentence, claimed_until=None
    )
    if changed and parked:
        logger.warning("run %s: photo %s is parked: %s", run.pk, claim.photo_id, sentence)
        run.beat(done=F("done") + 1, failed=F("failed") + 1)
    elif changed:
        logger.info("run %s: photo %s will be tried again: %s", run.pk, claim.photo_id, sentence)


def _ours(claim: Claim) -> models.QuerySet[AIMetadata]:
    return AIMetadata.objects.filter(
        pk=claim.pk,
        version=claim.version,
        claimed_until=claim.until,
        processing_status=AIMetadata.Processing.PROCESSING,
        review_status=AIMetadata.Review.UNREVIEWED,
    )


def photos_without_vector(run: ProcessingRun) -> list[UUID]:
    """The photos of the run's account that have words and no vector: a worker died, or the queue lost an edit."""
    rows = AIMetadata.objects.filter(photo__account=run.account_id).without_vector().order_by("pk")
    return list(rows.values_list("photo_id", flat=True))


def texts_of(photos: Sequence[UUID]) -> list[tuple[UUID, int, str]]:
    """(photo, version, text to embed) of the photos that have words."""
    rows = AIMetadata.objects.filter(photo__in=photos, processing_status=AIMetadata.Processing.COMPLETED)
    return [(row.photo_id, row.version, row.text_to_embed) for row in rows.order_by("pk")]


@transaction.atomic
def save_vectors(texts: Sequence[tuple[UUID, int, str]], answer: Vectors) -> None:
    """One vector for each text, unless its words have changed since they were read."""
    versions = dict(
        AIMetadata.objects.select_for_update()
        .filter(photo__in=[photo for photo, _, _ in texts])
        .order_by("pk")
        .values_list("photo", "version")
    )
    PhotoEmbedding.objects.bulk_create(
        [
            PhotoEmbedding(photo_id=photo, model=answer.model, embedding=vector)
            for (photo, version, _), vector in zip(texts, answer.vectors, strict=True)
            if versions.get(photo) == version
        ],
        update_conflicts=True,
        unique_fields=["photo"],
        update_fields=["model", "embedding"],
    )


def record(run: ProcessingRun | None, call: Call, photo_id: UUID | None = None) -> None:
    """One row in the ledger. What an unknown price comes to is unknown, not nothing."""
    AICall.objects.create(
        run=run,
        photo_id=photo_id,
        kind=call.kind,
        model=call.model,
        outcome=call.outcome,
        tokens_in=call.usage.tokens_in,
        tokens_cached=call.usage.tokens_cached,
        tokens_out=call.usage.tokens_out,
        cost=0 if call.is_free else None,
        ms=call.ms,
    )


def outcome(error: DescribeError | None) -> str:
    """The ledger's word for how a call ended."""
    return OUTCOMES.get(type(error), "bad_answer") if error else "ok"
