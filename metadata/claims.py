"""Who works on which photo of a run, and how an answer becomes rows. Nothing here talks to the network.

A claim is a lease on a row, by the database's clock. What comes of it is written only while the lease is still ours
and no person has touched the words meanwhile.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from django.conf import settings
from django.db import models, transaction
from django.db.models import Case, F, Value, When
from django.utils import timezone

from metadata import lanes, selection
from metadata.describe import Answer, Brief
from metadata.models import WORDS, AIMetadata, MetadataHistory, PhotoEmbedding, ProcessingRun
from metadata.prompts import Briefing
from smugmug.models import Photo
from targetvision.models import database_time

logger = logging.getLogger(__name__)

ATTEMPTS = 3
# Who has words keeps them when new ones cannot be had.
PARKED = Case(
    When(ai_description="", then=Value(AIMetadata.Processing.FAILED)), default=Value(AIMetadata.Processing.COMPLETED)
)


@dataclass(frozen=True, slots=True)
class Claim:
    """One photo in our hands until `until`: what is needed to fetch and describe it without the database."""

    pk: UUID
    photo_id: UUID
    image_id: str
    large_url: str
    version: int
    attempts: int
    until: datetime.datetime
    brief: Brief
    fingerprint: str
    prompt: str  # its name and version
    caption: str = ""  # that people gave the photo on SmugMug


@transaction.atomic
def claim(run: ProcessingRun, count: int, *, briefing: Briefing, sends: bool) -> list[Claim]:
    """At most `count` photos of the run, ours for CLAIM_SECONDS; those that failed before come last.

    `sends` says that pictures leave this machine: what must not, by now, is skipped.
    """
    held_back = selection.hold_back(run) if sends else 0
    if held_back:
        count_in(run, done=held_back, skipped=held_back)
    until = _lease_end()
    rows = list(
        selection.unfinished(run)
        .claimable()
        .select_related("photo__album")
        .order_by("attempts", "pk")
        .select_for_update(of=("self",), skip_locked=True)[:count]
    )
    AIMetadata.objects.filter(pk__in=[row.pk for row in rows]).update(
        processing_status=AIMetadata.Processing.PROCESSING, claimed_until=until
    )
    return [_claim(row, until, briefing) for row in rows]


def _claim(row: AIMetadata, until: datetime.datetime, briefing: Briefing) -> Claim:
    photo = row.photo
    return Claim(
        pk=row.pk,
        photo_id=photo.pk,
        image_id=photo.image_id,
        large_url=photo.large_url,
        version=row.version,
        attempts=row.attempts,
        until=until,
        brief=briefing.brief(photo, photo.album),
        fingerprint=briefing.fingerprint(photo),
        prompt=str(briefing.prompt),
        caption=photo.caption,
    )


def _lease_end() -> datetime.datetime:
    """CLAIM_SECONDS from now by the database's clock, which is the same for all machines."""
    return database_time() + datetime.timedelta(seconds=settings.CLAIM_SECONDS)


def renew(claims: Sequence[Claim]) -> dict[UUID, Claim]:
    """The claims that are still ours, by row, each with its full time before it again."""
    until = _lease_end()
    rows = AIMetadata.objects.filter(pk__in=[claim.pk for claim in claims])
    for old in {claim.until for claim in claims}:
        rows.filter(claimed_until=old, processing_status=AIMetadata.Processing.PROCESSING).update(claimed_until=until)
    ours = set(rows.filter(claimed_until=until).values_list("pk", flat=True))
    return {claim.pk: replace(claim, until=until) for claim in claims if claim.pk in ours}


def give_back(run: ProcessingRun, claims: Sequence[Claim]) -> None:
    """Let go of photos that were not described, without cost to them."""
    for until in {claim.until for claim in claims}:
        AIMetadata.objects.filter(pk__in=[claim.pk for claim in claims], claimed_until=until).update(
            processing_status=AIMetadata.Processing.PENDING, claimed_until=None
        )
    if claims and not ProcessingRun.objects.active().filter(pk=run.pk).exists():
        selection.put_back(AIMetadata.objects.of_run(run))


@transaction.atomic
def save_answer(run: ProcessingRun, claim: Claim, answer: Answer, *, describer: str, perceptual_hash: int) -> bool:
    """The answer becomes the photo's words and a step of its history; False where the claim is no longer ours.

    Words that a person had decided on wait for review again; what they were stands in the history.
    """
    before = _ours(run, claim).select_for_update().first()
    if before is None:
        logger.info("run %s: the answer for photo %s came too late", run.pk, claim.photo_id)
        return False
    said = answer.description
    words = {
        "ai_title": said.title,
        "ai_description": said.description,
        "ai_alt_text": said.alt_text,
        "ai_tags": list(said.tags),
        "ai_categories": list(said.categories),
    }
    verdict = lanes.judge(words, said.confidence, claim.caption, lanes.vocabulary_of(before.account_id))
    step = _add_step(before, words, f"ai:{answer.model}")
    now = timezone.now()
    _ours(run, claim).update(
        **words,
        confidence_score=said.confidence,
        lane=verdict.lane,
        doubts=verdict.doubts,
        processing_status=AIMetadata.Processing.COMPLETED,
        review_status=AIMetadata.Review.UNREVIEWED,
        rejection_reason="",
        approved_by="",
        approved_at=None,
        ai_answer=step,
        describer=describer,
        model=answer.model,
        prompt=claim.prompt,
        fingerprint=claim.fingerprint,
        version=before.version + 1,
        error="",
        claimed_until=None,
        processed_at=now,
        updated_at=now,
    )
    Photo.objects.filter(pk=claim.photo_id).exclude(perceptual_hash=perceptual_hash).update(
        perceptual_hash=perceptual_hash
    )
    PhotoEmbedding.objects.filter(photo=claim.photo_id).delete()  # the vector of other words
    count_in(run, done=1, described=1)
    logger.info("run %s: photo %s is described by %s", run.pk, claim.photo_id, answer.model)
    return True


def _add_step(before: AIMetadata, words: Mapping[str, object], who: str) -> MetadataHistory:
    return MetadataHistory.objects.create(
        metadata=before,
        version=before.version + 1,
        source=MetadataHistory.Source.AI,
        changed_by=who,
        previous_review_status=before.review_status,
        previous_rejection_reason=before.rejection_reason,
        previous_approved_by=before.approved_by,
        previous_approved_at=before.approved_at,
        new_review_status=AIMetadata.Review.UNREVIEWED,
        **{name.replace("ai_", "previous_", 1): getattr(before, name) for name in WORDS},
        **{name.replace("ai_", "new_", 1): words[name] for name in WORDS},
    )


@transaction.atomic
def save_failure(run: ProcessingRun, claim: Claim, sentence: str, *, for_good: bool) -> None:
    """An attempt failed: the photo waits for its next one, or is parked with the sentence after the third."""
    parked = for_good or claim.attempts + 1 >= ATTEMPTS
    status = PARKED if parked else AIMetadata.Processing.PENDING
    changed = _ours(run, claim).update(
        processing_status=status, attempts=F("attempts") + 1, error=sentence, claimed_until=None
    )
    if changed and parked:
        logger.warning("run %s: photo %s is parked: %s", run.pk, claim.photo_id, sentence)
        count_in(run, done=1, failed=1)
    elif changed:
        logger.info("run %s: photo %s will be tried again: %s", run.pk, claim.photo_id, sentence)


def _ours(run: ProcessingRun, claim: Claim) -> models.QuerySet[AIMetadata]:
    rows = AIMetadata.objects.filter(
        pk=claim.pk,
        version=claim.version,
        claimed_until=claim.until,
        processing_status=AIMetadata.Processing.PROCESSING,
    )
    return rows if run.also_decided else rows.filter(review_status=AIMetadata.Review.UNREVIEWED)


def count_in(run: ProcessingRun, **more: int) -> None:
    """Add to the run's counts, whatever its state: an answer that comes after a pause has come all the same.

    The caller's `run` learns of it at its next sign of life.
    """
    ProcessingRun.objects.filter(pk=run.pk).update(**{name: F(name) + number for name, number in more.items()})
