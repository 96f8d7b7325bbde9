"""A decision over many photos carried out, and taken back, chunk by chunk. Never the network.

A chunk is one transaction, and holds its rows for a moment only: how many those are follows from how long the last
ones took. Where it has come to stands in the decision's row and is written with it, so that whoever carries on after a
kill comes to every row exactly once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Self
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from metadata import bursts, kinds, lanes, rewording, snapshots, steps, undoing
from metadata.models import AIMetadata, Decision
from metadata.snapshots import Versions
from metadata.steps import Rewrite, Step, Written
from targetvision import logs
from targetvision.models import RunState

logger = logging.getLogger(__name__)

PICKED = 20_000  # ids that are looked up at a time
HELD_SECONDS = 0.07  # that a chunk holds its rows; another curator waits as long at most, and a little
FIRST, LEAST, MOST = 500, 50, 5_000  # rows in a chunk
NOBODY = "The account of the person who decided is gone."

Kind = Decision.Kind


class Lost(Exception):
    """The decision was stopped, or is in other hands: the chunk is not written."""


@dataclass
class Pace:
    """How many rows the next chunk has."""

    size: int = field(default_factory=lambda: FIRST)

    def learn(self, rows: int, seconds: float) -> None:
        """From the rows that the last one had, and for how long it held them."""
        if rows < self.size and seconds < HELD_SECONDS:
            return  # it was the rest
        wanted = round(rows * HELD_SECONDS / max(seconds, 0.001))
        self.size = max(LEAST, min(wanted, 2 * self.size, MOST))


def carry_on(decision: Decision, *, seconds: float) -> bool:
    """Carry the decision out, or take it back, for about so long; True when nothing is left for us."""
    if waits_for_another(decision) or not decision.begin(alone=True):
        return True
    with logs.about(decision=decision.pk, account=decision.account_id):
        if not decision.undo and decision.requested_by is None:
            decision.finish(RunState.FAILED, NOBODY)
            return True
        if not decision.undo and decision.snapshot_id is None:
            snapshot = snapshots.take(decision.account, kinds.affected(decision))
            decision.beat(snapshot=snapshot, total=decision.done + snapshot.size)
        return _work(decision, time.monotonic() + seconds)


def waits_for_another(decision: Decision) -> bool:
    """Whether one that was made before is not over yet: both are to be as if carried out one after the other."""
    if decision.undo:
        return False
    earlier = Decision.objects.active().filter(account=decision.account_id, created_at__lt=decision.created_at)
    return bool(earlier.exists())


def _work(decision: Decision, deadline: float) -> bool:
    pick: Callable[[Decision], list[Any]] = _undo_pick if decision.undo else _pick
    write: Callable[[list[Any]], None] = (
        partial(_undo_chunk, decision) if decision.undo else partial(_chunk, decision, _Task.of(decision))
    )
    finish = _undone if decision.undo else _done
    pace = Pace()
    while rows := pick(decision):
        while rows:
            if time.monotonic() >= deadline:
                return False
            chunk, rows = rows[: pace.size], rows[pace.size :]
            began = time.monotonic()
            try:
                write(chunk)
            except Lost:
                logger.info("decision %s is stopped or in other hands", decision.pk)
                return True
            pace.learn(len(chunk), time.monotonic() - began)
    finish(decision)
    return True


# --- Carrying out ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Task:
    """What is the same for all chunks of a decision that is carried out."""

    rows: QuerySet[AIMetadata]
    versions: Versions
    step: Step

    @classmethod
    def of(cls, decision: Decision) -> Self:
        rows = kinds.affected(decision)
        return cls(rows, snapshots.versions_of(rows), step_of(decision))


def _pick(decision: Decision) -> list[tuple[UUID, int]]:
    assert decision.snapshot_id is not None  # carry_on() sees to it
    return snapshots.after(decision.snapshot_id, decision.cursor, PICKED)


@transaction.atomic
def _chunk(decision: Decision, task: _Task, found: list[tuple[UUID, int]]) -> None:
    _commit_later()
    bursts.hold([pk for pk, _ in found])
    step = replace(task.step, at=timezone.now())
    written = _carry_out_many(decision, _as_found(decision, task, dict(found)), step)
    _beat(
        decision,
        cursor=found[-1][0],
        done=F("done") + len(found),
        changed=F("changed") + written,
        passed_over=F("passed_over") + len(found) - written,
    )


def _as_found(decision: Decision, task: _Task, found: dict[UUID, int]) -> list[UUID]:
    """Those that still match, and that nobody has changed since, but for decisions that this one had to wait for.

    Asked is for the others, which are few.
    """
    assert decision.snapshot_id is not None  # carry_on() sees to it
    moved = snapshots.moved(decision.snapshot_id, min(found), max(found), task.versions)
    if not moved:
        return list(found)
    earlier = Decision.objects.filter(account=decision.account_id, created_at__lt=decision.created_at)
    changed = snapshots.changed({pk: found[pk] for pk in moved}, but_by=earlier.exclude(filter={}))
    back = set(task.rows.filter(pk__in=moved - changed).values_list("pk", flat=True))
    return [pk for pk in found if pk not in moved or pk in back]


def step_of(decision: Decision) -> Step:
    """How the history tells of the decision, now."""
    by = decision.requested_by
    assert by is not None  # carry_on() sees to it
    sentence = kinds.sentence(decision.kind, decision.params)
    return Step(decision.pk, f"user:{by.get_username()}", timezone.now(), sentence=sentence)


def carry_out(decision: Decision, pks: list[UUID], step: Step) -> list[Written]:
    """Write the decision into those rows; the caller holds them."""
    if decision.kind in kinds.REWORDS:
        return _reword(decision, pks, step)
    return steps.write(pks, _reviewed(decision, step), step)


def _carry_out_many(decision: Decision, pks: list[UUID], step: Step) -> int:
    """The same; how many were written."""
    if decision.kind in kinds.REWORDS:
        return len(_reword(decision, pks, step))
    return steps.write_many(pks, _reviewed(decision, step), step)


def _reviewed(decision: Decision, step: Step) -> Rewrite:
    return Rewrite.to(_REVIEWS[Kind(decision.kind)](decision, step))


def _approved(_decision: Decision, step: Step) -> dict[str, Any]:
    return {
        "review_status": AIMetadata.Review.APPROVED.value,
        "rejection_reason": "",
        "approved_by": step.changed_by,
        "approved_at": step.at,
    }


def _rejected(decision: Decision, _step: Step) -> dict[str, Any]:
    return {
        "review_status": AIMetadata.Review.REJECTED.value,
        "rejection_reason": decision.params["reason"],
        "approved_by": "",
        "approved_at": None,
    }


_REVIEWS: dict[Kind, Callable[[Decision, Step], dict[str, Any]]] = {Kind.APPROVE: _approved, Kind.REJECT: _rejected}


def _reword(decision: Decision, pks: list[UUID], step: Step) -> list[Written]:
    names = rewording.columns(decision.kind)
    vocabulary = lanes.vocabulary_of(decision.account_id)
    found: dict[UUID, dict[str, Any]] = {}
    for row in AIMetadata.objects.filter(pk__in=pks).select_related("photo"):
        changes = rewording.reword(decision.kind, decision.params, row.words)
        if changes:
            words = {**row.words, **changes}
            verdict = lanes.judge(words, row.confidence_score, row.photo.caption, vocabulary)
            found[row.pk] = {**{name: words[name] for name in names}, **verdict._asdict()}
    return steps.write(list(found), Rewrite.of_each(found, (*names, "lane", "doubts")), step) if found else []


def _done(decision: Decision) -> None:
    """What was found and is not written has been changed by others meanwhile."""
    left = max((decision.total or 0) - decision.changed, 0)
    decision.beat(done=decision.changed + left, passed_over=left)
    if decision.finish(RunState.SUCCEEDED):
        snapshots.forget(decision.snapshot_id)
        logger.info("decision %s is carried out: %s changed, %s passed over", decision.pk, decision.changed, left)


# --- Taking back -------------------------------------------------------------------------------------------------


def _undo_pick(decision: Decision) -> list[UUID]:
    return undoing.next_after(decision, decision.undo_cursor, PICKED)


@transaction.atomic
def _undo_chunk(decision: Decision, pks: list[UUID]) -> None:
    _commit_later()
    bursts.hold(pks)
    came_of = undoing.take_back(decision, pks)
    _beat(
        decision,
        undo_cursor=pks[-1],
        undone=F("undone") + came_of.undone,
        undo_kept=F("undo_kept") + came_of.kept,
    )


def _undone(decision: Decision) -> None:
    decision.beat(undo=Decision.Undo.DONE, undone_at=timezone.now())
    is_whole = decision.done >= (decision.total or 0)
    if decision.finish(RunState.SUCCEEDED if is_whole else RunState.CANCELLED):
        snapshots.forget(decision.snapshot_id)
        logger.info("decision %s is undone: %s put back, %s kept", decision.pk, decision.undone, decision.undo_kept)


def _commit_later() -> None:
    """Let nobody wait for the disk: a chunk that a crash takes back is done again, since its cursor goes with it."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit TO OFF")


def _beat(decision: Decision, **changes: Any) -> None:
    if not decision.beat(**changes):
        raise Lost
