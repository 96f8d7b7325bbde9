"""What people decide about words: each decision is one conditional UPDATE and one row of history. Never the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from metadata import jobs
from metadata.models import WORDS, AIMetadata, MetadataHistory, PhotoEmbedding

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class AlreadyDecided(Exception):
    """Somebody was faster; str() says who, and what stands now."""


class NothingToApprove(Exception):
    """There are no words yet; str() is the sentence for the person."""


@transaction.atomic
def approve(words: AIMetadata, *, by: User, version: int, changes: Mapping[str, Any]) -> None:
    """Approve the words as the person leaves them; AlreadyDecided where they are no longer those of `version`."""
    after = {**words.words, **changes}
    if not after["ai_description"]:
        raise NothingToApprove("There is no description to approve yet. Write one, or have the photo described first.")
    edited = any(after[name] != getattr(words, name) for name in WORDS)
    _decide(
        words,
        by=by,
        version=version,
        reason="edited and approved" if edited else "approved",
        **after,
        processing_status=AIMetadata.Processing.COMPLETED,  # by hand too; an answer under way comes too late
        claimed_until=None,
        error="",
        review_status=AIMetadata.Review.APPROVED,
        rejection_reason="",
        approved_by=f"user:{by.get_username()}",
        approved_at=timezone.now(),
    )


@transaction.atomic
def reject(words: AIMetadata, *, by: User, version: int, reason: str) -> None:
    """Reject the words; they stay as they are. AlreadyDecided as for `approve`."""
    _decide(
        words,
        by=by,
        version=version,
        reason=f"rejected: {reason}",
        review_status=AIMetadata.Review.REJECTED,
        rejection_reason=reason,
        approved_by="",
        approved_at=None,
    )


@transaction.atomic
def edit(words: AIMetadata, *, by: User, version: int, changes: Mapping[str, Any]) -> None:
    """Change words and leave their review as it is. AlreadyDecided as for `approve`."""
    _decide(words, by=by, version=version, reason="edited", **changes)


def _decide(words: AIMetadata, *, by: User, version: int, reason: str, **fields: Any) -> None:
    before = AIMetadata.objects.get(pk=words.pk)
    won = AIMetadata.objects.filter(pk=words.pk, version=version).update(
        **fields, version=version + 1, updated_at=timezone.now()
    )
    words.refresh_from_db()
    if not won or before.version != version:
        raise AlreadyDecided(_who_was_faster(words))
    MetadataHistory.objects.create(
        metadata=words,
        version=words.version,
        source=MetadataHistory.Source.PERSON,
        changed_by=f"user:{by.get_username()}",
        change_reason=reason,
        previous_review_status=before.review_status,
        new_review_status=words.review_status,
        **{name.replace("ai_", "previous_", 1): getattr(before, name) for name in WORDS},
        **{name.replace("ai_", "new_", 1): getattr(words, name) for name in WORDS},
    )
    if words.text_to_embed != before.text_to_embed:
        PhotoEmbedding.objects.filter(photo=words.photo_id).delete()  # the vector of other words
        jobs.embed_photo.delay(str(words.photo_id))  # enqueued on commit


def _who_was_faster(words: AIMetadata) -> str:
    last = words.history.order_by("-version").first()
    who = last.author if last else "Somebody"
    what = words.get_review_status_display().lower()
    return f"{who} was faster: the photo is now “{what}”, with “{words.ai_description}”. Your text was not saved."
