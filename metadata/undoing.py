"""Decisions taken back: each field that a decision wrote, where it still holds what was written. Never the network.

The history says what a decision wrote, and what stood before; an undo is a step of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from metadata import kinds, lanes, steps
from metadata.models import WORDS, AIMetadata, Decision, MetadataHistory
from metadata.steps import Rewrite, Step, Written

Kind = Decision.Kind
Source = MetadataHistory.Source
FIELDS = tuple(name.replace("ai_", "", 1) for name in WORDS)
REVIEW = "review"  # state, reason and who approved, which go together

# `s` is the decision's step, `w` the row as it stands. LATERAL: row by row, since Postgres's statistics cannot know yet
# how many steps a decision has that was made a minute ago.
_STEP = """
    CROSS JOIN LATERAL (
        SELECT * FROM metadata_history
        WHERE metadata_id = w.id AND decision_id = %(decision)s AND source <> 'undo' LIMIT 1
    ) s
"""
_REVIEW_HOLDS = """
    (w.review_status = s.new_review_status AND w.rejection_reason = s.new_rejection_reason
     AND (w.review_status <> 'approved' OR w.approved_at = s.created_at))
"""
# What _moved_review says, in SQL.
_REVIEW_MOVED = """
    (s.new_review_status <> s.previous_review_status OR s.new_rejection_reason <> s.previous_rejection_reason
     OR s.new_review_status = 'approved')
"""
_REVIEW_BEFORE = {
    "review_status": "s.previous_review_status",
    "rejection_reason": "s.previous_rejection_reason",
    "approved_by": "s.previous_approved_by",
    "approved_at": "s.previous_approved_at",
}


class Undone(NamedTuple):
    """Of how many rows something was put back, and of how many something was left because it was changed since."""

    undone: int
    kept: int


class Kept(NamedTuple):
    """A step that could not be taken back wholly, and the names of the fields that were left ("review" among them)."""

    step: MetadataHistory
    fields: list[str]


def next_after(decision: Decision, cursor: UUID | None, count: int) -> list[UUID]:
    """The next rows that the decision has written, in the order of ids."""
    written = _steps(decision).order_by("metadata")
    written = written.filter(metadata__gt=cursor) if cursor else written
    return list(written.values_list("metadata", flat=True)[:count])


def _steps(decision: Decision) -> QuerySet[MetadataHistory]:
    return MetadataHistory.objects.filter(decision=decision).exclude(source=Source.UNDO)


def take_back(decision: Decision, pks: Collection[UUID]) -> Undone:
    """Put back what the decision wrote into these rows and still stands; the caller holds them."""
    kept = _count_kept(decision, pks)
    step = Step(
        decision.pk,
        decision.undone_by,
        timezone.now(),
        reason="'took back “' || s.change_reason || '”'",
        source=Source.UNDO.value,
    )
    if not may_reword(decision):
        return Undone(steps.write_many(pks, _rewrite(decision), step), kept)
    written = steps.write(pks, _rewrite(decision), step)
    _judge(decision, written)
    return Undone(len(written), kept)


def may_reword(decision: Decision) -> bool:
    """Whether the decision may have changed words, and not their review alone."""
    if decision.kind in (*kinds.REWORDS, Kind.EDIT) or not decision.is_bulk:
        return True
    return bool(decision.params.get("frames"))


def has_reworded(decision: Decision) -> bool:
    """Whether the decision, or its undo, has changed what vectors are made from."""
    if decision.is_bulk and not may_reword(decision):
        return False
    same = {f"new_{field}": F(f"previous_{field}") for field in ("title", "description", "tags")}
    return decision.steps.exclude(**same).exists()


def _rewrite(decision: Decision) -> Rewrite:
    columns = _review_back() if _is_review(decision) else {}
    if may_reword(decision):
        columns |= _words_back()
    changed = " OR ".join(f"w.{name} IS DISTINCT FROM {value}" for name, value in columns.items())
    if may_reword(decision):
        columns |= _undescribed_back(columns["ai_description"])
    was = {
        "processing_status": AIMetadata.Processing.PENDING.value,
        "error": "",
        **decision.params.get("undescribed", {}),
    }
    return Rewrite(columns, joined=_STEP, only=changed, params={"decision": decision.pk, **was})


def _undescribed_back(description: str) -> dict[str, str]:
    """A photo described by hand has no words again, for the reason that there was."""
    is_empty = f"w.processing_status = 'completed' AND {description} = ''"
    return {name: f"CASE WHEN {is_empty} THEN %({name})s ELSE w.{name} END" for name in ("processing_status", "error")}


def _words_back() -> dict[str, str]:
    return {
        name: f"CASE WHEN w.{name} = s.new_{field} THEN s.previous_{field} ELSE w.{name} END"
        for name, field in zip(WORDS, FIELDS, strict=True)
    }


def _review_back() -> dict[str, str]:
    return {
        name: f"CASE WHEN {_REVIEW_HOLDS} THEN {before} ELSE w.{name} END" for name, before in _REVIEW_BEFORE.items()
    }


def _is_review(decision: Decision) -> bool:
    return decision.kind in (Kind.APPROVE, Kind.REJECT)


def _count_kept(decision: Decision, pks: Collection[UUID]) -> int:
    """Rows in which a field holds something else by now than what the decision wrote into it."""
    others = [f"({_REVIEW_MOVED} AND NOT {_REVIEW_HOLDS})"] if _is_review(decision) else []
    if may_reword(decision):
        others += [
            f"(s.new_{field} <> s.previous_{field} AND w.{name} <> s.new_{field})"
            for name, field in zip(WORDS, FIELDS, strict=True)
        ]
    params: Any = {"decision": decision.pk, "pks": steps.array(pks)}
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM ai_metadata w {_STEP} WHERE w.id = ANY(%(pks)s::uuid[]) AND ({' OR '.join(others)})",
            params,
        )
        return int(cursor.fetchone()[0])


def _judge(decision: Decision, written: list[Written]) -> None:
    """Words that were put back stand in the lane that they deserve."""
    vocabulary = lanes.vocabulary_of(decision.account_id)
    rows = AIMetadata.objects.filter(pk__in=[row.words for row in written]).select_related("photo")
    for row in rows:
        row.lane, row.doubts = lanes.judge(row.words, row.confidence_score, row.photo.caption, vocabulary)
    AIMetadata.objects.bulk_update(rows, ["lane", "doubts"])


# --- What was kept -----------------------------------------------------------------------------------------------


def kept(decision: Decision) -> QuerySet[MetadataHistory]:
    """The decision's steps that its undo could not take back wholly, with their photos; see `explain`."""
    if not decision.undo:
        return MetadataHistory.objects.none()
    undo = MetadataHistory.objects.filter(decision=decision, source=Source.UNDO, metadata=OuterRef("metadata"))
    left = Q()
    for field in FIELDS:
        wrote = ~Q(**{f"new_{field}": F(f"previous_{field}")})
        left |= wrote & ~Q(Exists(undo.filter(**{f"previous_{field}": OuterRef(f"new_{field}")})))
    if _is_review(decision):
        stood = undo.filter(
            Q(previous_approved_at=OuterRef("created_at")) | ~Q(previous_review_status=AIMetadata.Review.APPROVED),
            previous_review_status=OuterRef("new_review_status"),
            previous_rejection_reason=OuterRef("new_rejection_reason"),
        )
        left |= _moved_review() & ~Q(Exists(stood))
    rows = _steps(decision).filter(left).select_related("metadata__photo").order_by("metadata")
    # What the undo has not come to yet is not kept.
    if decision.undo == Decision.Undo.DONE:
        return rows
    return rows.filter(metadata__lte=decision.undo_cursor) if decision.undo_cursor else rows.none()


def _moved_review() -> Q:
    """Steps after which the review stood otherwise than before: to reject again for the same reason moves nothing."""
    same = Q(new_review_status=F("previous_review_status"), new_rejection_reason=F("previous_rejection_reason"))
    return ~same | Q(new_review_status=AIMetadata.Review.APPROVED)


def explain(found: Iterable[MetadataHistory]) -> list[Kept]:
    """Which fields of those steps of one decision were left: one query."""
    found = list(found)
    undos = MetadataHistory.objects.filter(
        decision__in={step.decision_id for step in found},
        source=Source.UNDO,
        metadata__in=[step.metadata_id for step in found],
    ).select_related("decision")
    by_row = {undo.metadata_id: undo for undo in undos}
    return [Kept(step, _left(step, by_row.get(step.metadata_id))) for step in found]


def _left(step: MetadataHistory, undo: MetadataHistory | None) -> list[str]:
    wrote = [field for field in FIELDS if getattr(step, f"new_{field}") != getattr(step, f"previous_{field}")]
    left = [field for field in wrote if not undo or getattr(undo, f"previous_{field}") != getattr(step, f"new_{field}")]
    assert step.decision is not None
    if not _is_review(step.decision) or not _has_moved_review(step) or (undo and _review_stood(step, undo)):
        return left
    return [*left, REVIEW]


def _has_moved_review(step: MetadataHistory) -> bool:
    """See _moved_review."""
    then = (step.previous_review_status, step.previous_rejection_reason)
    now = (step.new_review_status, step.new_rejection_reason)
    return then != now or step.new_review_status == AIMetadata.Review.APPROVED


def _review_stood(step: MetadataHistory, undo: MetadataHistory) -> bool:
    """Whether the undo found the review as the step had left it."""
    then = (step.new_review_status, step.new_rejection_reason)
    if then != (undo.previous_review_status, undo.previous_rejection_reason):
        return False
    return step.new_review_status != AIMetadata.Review.APPROVED or undo.previous_approved_at == step.created_at
