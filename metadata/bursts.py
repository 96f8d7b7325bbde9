"""Pages show a burst once: what is approved for one frame is approved for the others that wait. Never the network."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from uuid import UUID

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.functions import Coalesce

from metadata import steps
from metadata.models import WORDS, AIMetadata, Decision, MetadataHistory
from metadata.steps import Rewrite, Step, Written

# Two lists rather than a subquery, so that each is looked up in an index of its own.
_HOLD = """
    SELECT count(*) FROM (
        SELECT FROM ai_metadata WHERE id = ANY(%(pks)s::uuid[]) OR stack = ANY(%(stacks)s::uuid[])
        ORDER BY id FOR NO KEY UPDATE
    ) held
"""
SAME = (*WORDS, "review_status", "rejection_reason", "approved_by", "approved_at")


def hold(pks: Collection[UUID], *, with_bursts: bool = False) -> None:
    """Keep the rows, and the frames beside them, until the transaction is over.

    In the order of ids, as all do who hold several, so that nobody waits in a ring.
    """
    stacks: list[UUID | None] = []
    if with_bursts:
        stacks += AIMetadata.objects.filter(pk__in=pks, stack__isnull=False).values_list("stack", flat=True).distinct()
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, {"pks": list(pks), "stacks": stacks})


def follow(decision: Decision, approved: Collection[UUID], step: Step) -> list[Written]:
    """Approve the frames beside those that the decision has just approved, with the same words, and count them in.

    Each step names the frame that it came from. Passed over is what holds words by hand: they are not to be lost. The
    caller holds the bursts.
    """
    written, passed_over = _follow(approved, step)
    if written or passed_over:
        Decision.objects.filter(pk=decision.pk).update(
            params={**decision.params, "frames": len(written)},
            total=F("total") + len(written) + passed_over,
            done=F("done") + len(written) + passed_over,
            changed=F("changed") + len(written),
            passed_over=F("passed_over") + passed_over,
        )
        decision.refresh_from_db()
    return written


def _follow(frames: Collection[UUID], step: Step) -> tuple[list[Written], int]:
    shown = dict(AIMetadata.objects.filter(pk__in=frames, stack__isnull=False).values_list("stack", "pk"))
    if not shown:
        return [], 0
    waiting = AIMetadata.objects.for_review().filter(stack__in=shown).exclude(pk__in=frames)
    free = list(waiting.exclude(_has_words_by_hand()).values_list("pk", flat=True))
    count = waiting.count()
    rewrite = Rewrite(
        {name: f"frame.{name}" for name in SAME},
        joined="JOIN ai_metadata frame ON frame.stack = w.stack AND frame.id = ANY(%(frames)s)",
        params={"frames": list(shown.values())},
    )
    written = steps.write(free, rewrite, replace(step, came_from="frame.id")) if free else []
    return written, count - len(written)


def _has_words_by_hand() -> Exists:
    """Whether a person wrote into the words since the AI's newest answer."""
    edits = Q(decision__kind=Decision.Kind.EDIT, decision__undo=Decision.Undo.NO)
    by_hand = MetadataHistory.objects.filter(
        edits | Q(decision=None),  # older steps name no decision
        metadata=OuterRef("pk"),
        version__gt=Coalesce(OuterRef("ai_answer__version"), Value(0)),
        source=MetadataHistory.Source.PERSON,
    )
    return Exists(by_hand)
