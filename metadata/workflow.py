"""What people decide about one photo's words: a row for the decision, conditional on the version they saw, and a step
of history for each row it writes. Never the network.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from metadata import bursts, jobs, lanes, steps
from metadata.models import WORDS, AIMetadata, Decision
from metadata.steps import Rewrite, Step, Written
from targetvision.models import RunState

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Kind = Decision.Kind


class AlreadyDecided(Exception):
    """Somebody was faster; str() says who, and what stands now."""


class NothingToApprove(Exception):
    """There are no words yet; str() is the sentence for the person."""


@transaction.atomic
def approve(words: AIMetadata, *, by: User, version: int, changes: Mapping[str, Any], members: bool = True) -> Decision:
    """Approve the words as the person leaves them; AlreadyDecided where they are no longer those of `version`.

    Where they wait for review, the same words go to all `members` of their stack that do so too. Passed over, and
    counted, are those that hold words which a person wrote.
    """
    if not changes.get("ai_description", words.ai_description):
        raise NothingToApprove("There is no description to approve yet. Write one, or have the photo described first.")
    members = members and words.waits_for_review
    bursts.hold([words.pk], with_bursts=members)
    at = timezone.now()
    edited = _edited(words, changes)
    reviewed = {
        **changes,
        **(_judged(words, changes) if edited else {}),
        "processing_status": AIMetadata.Processing.COMPLETED.value,  # by hand too; an answer under way comes too late
        "claimed_until": None,
        "error": "",
        "review_status": AIMetadata.Review.APPROVED.value,
        "rejection_reason": "",
        "approved_by": f"user:{by.get_username()}",
        "approved_at": at,
    }
    decision = _new(words, Kind.APPROVE, by, at, edited=edited, undescribed=_undescribed(words))
    step = _step(decision, "edited and approved" if edited else "approved")
    _write(words, reviewed, step, version)
    if members:
        _embed(bursts.follow(decision, [words.pk], step))
    return decision


@transaction.atomic
def reject(words: AIMetadata, *, by: User, version: int, reason: str) -> Decision:
    """Reject the words; they stay as they are. AlreadyDecided as for `approve`."""
    decision = _new(words, Kind.REJECT, by, timezone.now(), reason=reason)
    values = {
        "review_status": AIMetadata.Review.REJECTED.value,
        "rejection_reason": reason,
        "approved_by": "",
        "approved_at": None,
    }
    _write(words, values, _step(decision, f"rejected: {reason}"), version)
    return decision


@transaction.atomic
def edit(words: AIMetadata, *, by: User, version: int, changes: Mapping[str, Any]) -> Decision:
    """Change words and leave their review as it is. AlreadyDecided as for `approve`."""
    decision = _new(words, Kind.EDIT, by, timezone.now(), edited=_edited(words, changes))
    _write(words, {**changes, **_judged(words, changes)}, _step(decision, "edited"), version)
    return decision


def _edited(words: AIMetadata, changes: Mapping[str, Any]) -> list[str]:
    return [name for name in WORDS if name in changes and changes[name] != getattr(words, name)]


def _undescribed(words: AIMetadata) -> dict[str, str]:
    """Why there are no words but those that a person wrote, for an undo to put back; nothing where there are others."""
    if words.processing_status not in (AIMetadata.Processing.FAILED, AIMetadata.Processing.SKIPPED):
        return {}
    return {"processing_status": words.processing_status, "error": words.error}


def _judged(words: AIMetadata, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The lane that the words deserve after the changes."""
    vocabulary = lanes.vocabulary_of(words.photo.account_id)
    after = {**words.words, **changes}
    return lanes.judge(after, words.confidence_score, words.photo.caption, vocabulary)._asdict()


def _new(words: AIMetadata, kind: str, by: User, at: datetime.datetime, **params: Any) -> Decision:
    """The decision's row, which goes again with the transaction where somebody was faster."""
    return Decision.objects.create(
        account_id=words.photo.account_id,
        kind=kind,
        photo=words,
        requested_by=by,
        params={name: value for name, value in params.items() if value},
        state=RunState.SUCCEEDED,
        total=1,
        done=1,
        changed=1,
        created_at=at,
        started_at=at,
        finished_at=at,
    )


def _step(decision: Decision, sentence: str) -> Step:
    by = decision.requested_by
    assert by is not None  # just made
    return Step(decision.pk, f"user:{by.get_username()}", decision.created_at, sentence=sentence)


def _write(words: AIMetadata, values: Mapping[str, Any], step: Step, version: int) -> None:
    written = steps.write([words.pk], Rewrite.to(values, version=version), step)
    words.refresh_from_db()
    if not written:
        raise AlreadyDecided(_who_was_faster(words, step.changed_by))
    _embed(written)


def _embed(written: list[Written]) -> None:
    """New vectors for the rows whose text has changed."""
    for row in written:
        if row.is_reworded:
            jobs.embed_photo.delay(str(row.photo))  # enqueued on commit


def _who_was_faster(words: AIMetadata, by: str) -> str:
    last = words.history.order_by("-version").first()
    who = last.author if last else "Somebody"
    whose = "You have decided already, elsewhere" if last and last.changed_by == by else f"{who} was faster"
    what = words.get_review_status_display().lower()
    stop = "." * (not words.ai_description.endswith((".", "!", "?", "…")))
    return f"{whose}: the photo is now “{what}”, with “{words.ai_description}”{stop} Your text was not saved."
