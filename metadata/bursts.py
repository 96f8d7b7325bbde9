"""Pages show a burst once: what is approved for one frame is approved for the others that wait. Never the network.

What people wrote into one of the others is not to be lost: such a frame is passed over, and waits on.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from uuid import UUID

from django.db import connection
from django.db.models import F

from metadata import lanes, steps
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


def _words(table: str, prefix: str) -> str:
    """The words as one value in SQL: a row's own, or those of a step."""
    return f"({', '.join(table + '.' + name.replace('ai_', prefix, 1) for name in WORDS)})"


_JOINED = """
    JOIN ai_metadata frame ON frame.stack = w.stack AND frame.id = ANY(%(frames)s)
    LEFT JOIN LATERAL (
        SELECT * FROM metadata_history WHERE metadata_id = w.id AND source = 'ai' ORDER BY version DESC LIMIT 1
    ) answer ON true
    LEFT JOIN LATERAL (
        SELECT version FROM metadata_history
        WHERE metadata_id = frame.id AND source = 'ai' ORDER BY version DESC LIMIT 1
    ) answer_for_frame ON true
"""
# The words are the AI's, or the frame's; or whatever decision has changed them since the AI's newest answer wrote the
# frame as well, so that whoever approved the frame had it before them.
_LOSES_NOTHING = f"""
    {_words("w", "ai_")} = {_words("answer", "new_")} OR {_words("w", "ai_")} = {_words("frame", "ai_")} OR NOT EXISTS (
        SELECT FROM metadata_history s
        WHERE s.metadata_id = w.id AND s.version > coalesce(answer.version, 0)
            AND {_words("s", "new_")} <> {_words("s", "previous_")}
            AND NOT EXISTS (
                SELECT FROM metadata_history f
                WHERE f.metadata_id = frame.id AND f.version > coalesce(answer_for_frame.version, 0)
                    AND f.decision_id = s.decision_id
            )
    )
"""


def hold(pks: Collection[UUID], *, with_bursts: bool = False) -> None:
    """Keep the rows, and the frames beside them, until the transaction is over.

    In the order of ids, as all do who hold several, so that nobody waits in a ring.
    """
    stacks: list[UUID | None] = []
    if with_bursts:
        stacks += AIMetadata.objects.filter(pk__in=pks, stack__isnull=False).values_list("stack", flat=True).distinct()
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, {"pks": steps.array(pks), "stacks": stacks})


def follow(decision: Decision, approved: Collection[UUID], step: Step) -> list[Written]:
    """Approve the frames beside those that the decision has just approved, with the same words, and count them in.

    Each step names the frame that it came from. Passed over is what holds words that would be lost. The frames beside
    what did not wait for review stay as they are: nobody was told of them. The caller holds the bursts.
    """
    written, passed_over = _follow(decision, approved, step)
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


def _follow(decision: Decision, frames: Collection[UUID], step: Step) -> tuple[list[Written], int]:
    approved = MetadataHistory.objects.filter(
        decision=decision,
        metadata__in=frames,
        metadata__stack__isnull=False,
        previous_review_status=AIMetadata.Review.UNREVIEWED,
    )
    shown = dict(approved.values_list("metadata__stack", "metadata"))
    waiting = _waiting(shown, frames) if shown else []
    if not waiting:
        return [], 0
    rewrite = Rewrite(
        {name: f"frame.{name}" for name in SAME},
        joined=_JOINED,
        only=_LOSES_NOTHING,
        params={"frames": list(shown.values())},
    )
    written = steps.write(waiting, rewrite, replace(step, came_from="frame.id"))
    lanes.judge_rows([row.words for row in written])
    return written, len(waiting) - len(written)


def _waiting(stacks: Collection[UUID | None], frames: Collection[UUID]) -> list[UUID]:
    """The frames beside these that wait for review.

    They are held already, but where somebody stacked the album anew while `hold` waited. Whoever has one of those in
    hand is not waited for, since that could end in a ring: it is left to them.
    """
    rows = AIMetadata.objects.for_review().filter(stack__in=stacks).exclude(pk__in=frames)
    return list(rows.select_for_update(of=("self",), no_key=True, skip_locked=True).values_list("pk", flat=True))
