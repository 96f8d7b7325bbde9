"""Decisions over all that a filter finds, as people make, stop and undo them; and the undo of any decision.

`params` by kind: reject {"reason"}, add_tag and remove_tag {"tag"}, replace_tag {"tag", "to"}, replace_word
{"old", "new"}, approve nothing; what else stands in them is kept and plays no part. How it is carried out is in
chunks.py, what each kind is about in kinds.py, how it is taken back in undoing.py.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from metadata import bursts, chunks, jobs, kinds, queue, snapshots
from metadata.chunks import carry_on
from metadata.models import AIMetadata, Decision
from metadata.queue import ReviewFilter
from metadata.undoing import Kept, explain, kept
from smugmug.models import Account
from targetvision.models import RunState

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet

__all__ = [
    "AlreadyUndone",
    "Kept",
    "Preview",
    "cancel",
    "carry_on",
    "decide",
    "decide_page",
    "explain",
    "go_on",
    "kept",
    "preview",
    "undo",
]

logger = logging.getLogger(__name__)

SMALL = 200  # rows that are written at once, while the person waits
SMALL_SECONDS = 5

Kind = Decision.Kind
Undo = Decision.Undo


class AlreadyUndone(Exception):
    """Somebody has undone it before; str() says who."""


class Preview(NamedTuple):
    """How many words a filter finds, and in how many a decision would change anything: "beach: 31 of 40"."""

    matching: int
    changing: int


def preview(kind: str, filter: ReviewFilter, params: Mapping[str, Any], user: User) -> Preview:
    """What a decision would find just now, in all libraries that the filter is about and the person may change."""
    rows = kinds.described(queue.words(user, filter))
    return Preview(rows.count(), rows.filter(kinds.concerns(kind, params)).count())


# --- Deciding ----------------------------------------------------------------------------------------------------


def decide(
    account: Account,
    *,
    by: User,
    kind: str,
    filter: ReviewFilter,
    params: Mapping[str, Any] | None = None,
    among: QuerySet[AIMetadata] | None = None,
) -> Decision:
    """Decide on all in the account that the filter finds now (`among` some); by whom may change the account.

    What it finds is kept, each at its version: nothing is written into what comes to match later, or what anybody
    changes in between. A few rows are written at once, more by a job: the decision `is_active` until then. Its `total`
    may be 0. The same once more while the first is under way is the first.
    """
    wish = Decision(
        account=account, kind=kind, requested_by=by, filter=filter.to_json(), params=_checked(kind, params or {})
    )
    decision, is_new = _made(wish, among)
    if is_new:
        logger.info("decision %s: %s over %s rows by user:%s", decision.pk, kind, decision.total, by.get_username())
        _start(decision, decision.total)
    return decision


@transaction.atomic
def _made(wish: Decision, among: QuerySet[AIMetadata] | None) -> tuple[Decision, bool]:
    """The decision as a row, with what it found; or the same one that is under way, and False."""
    Account.objects.select_for_update(no_key=True).get(pk=wish.account_id)
    wished = {name: getattr(wish, name) for name in ("account", "kind", "requested_by", "filter", "params")}
    same: Decision | None = Decision.objects.active().filter(**wished, photo=None, undo=Undo.NO).first()
    if same:
        return same, False
    wish.created_at = timezone.now()
    found = kinds.affected(wish)
    wish.snapshot = snapshots.take(wish.account, found if among is None else found.filter(pk__in=among.values("pk")))
    wish.total = wish.snapshot.size
    wish.save(force_insert=True)
    return wish, True


@transaction.atomic
def decide_page(
    account: Account, *, by: User, kind: str, versions: Mapping[UUID, int], params: Mapping[str, Any] | None = None
) -> tuple[Decision, set[UUID]]:
    """Decide at once on the words that a page showed at these versions; and those that were changed since, and left.

    What is approved is approved with the burst that it stands for.
    """
    at = timezone.now()
    bursts.hold(versions, with_bursts=kind == Kind.APPROVE)
    rows = AIMetadata.objects.filter(account=account, pk__in=versions)
    as_seen = [pk for pk, version in rows.values_list("pk", "version") if versions[pk] == version]
    decision = Decision.objects.create(
        account=account,
        kind=kind,
        requested_by=by,
        params=_checked(kind, params or {}),
        state=RunState.SUCCEEDED,
        total=len(versions),
        done=len(versions),
        passed_over=len(versions) - len(as_seen),
        created_at=at,
        started_at=at,
        finished_at=at,
    )
    concerned = kinds.described(rows.filter(pk__in=as_seen)).filter(kinds.concerns(kind, decision.params))
    step = chunks.step_of(decision)
    written = chunks.carry_out(decision, list(concerned.values_list("pk", flat=True)), step)
    Decision.objects.filter(pk=decision.pk).update(changed=len(written))
    decision.refresh_from_db()
    if kind == Kind.APPROVE:
        bursts.follow(decision, [row.words for row in written], step)
    jobs.follow_up(decision)
    return decision, set(versions) - set(as_seen)


def _checked(kind: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The params, where they hold what the kind needs."""
    missing = [name for name in kinds.PARAMS[Kind(kind)] if not params.get(name)]
    if missing:
        raise ValueError(f"a decision to {kind} needs {', '.join(missing)}")
    return dict(params)


def _start(decision: Decision, rows: int | None) -> None:
    is_small = (rows or 0) <= SMALL and not chunks.waits_for_another(decision)
    if not (is_small and carry_on(decision, seconds=SMALL_SECONDS)):
        decision.queue()
        jobs.carry_out_decision.delay(str(decision.pk))  # enqueued on commit
    else:
        jobs.follow_up(decision)
    decision.refresh_from_db()


def cancel(decision: Decision) -> bool:
    """Stop it; what was done stays. It can go on, or be undone. False where it was over, or is being undone."""
    stoppable = Decision.objects.active().filter(pk=decision.pk, undo=Undo.NO)
    won = bool(stoppable.update(state=RunState.CANCELLED, finished_at=timezone.now()))
    decision.refresh_from_db()
    if won:
        jobs.follow_up(decision)
    return won


def go_on(decision: Decision) -> bool:
    """Carry on with one that was stopped, where it had come to; False where there is nothing to go on with."""
    stopped = Decision.objects.filter(pk=decision.pk, state__in=(RunState.CANCELLED, RunState.FAILED), undo=Undo.NO)
    won = bool(stopped.update(state=RunState.QUEUED, heartbeat_at=timezone.now(), finished_at=None))
    decision.refresh_from_db()
    if won:
        jobs.carry_out_decision.delay(str(decision.pk))
    return won


# --- Undoing -----------------------------------------------------------------------------------------------------


def undo(decision: Decision, *, by: User) -> Decision:
    """Take the decision back: each field that it wrote, where that still stands. AlreadyUndone where somebody did.

    One that is under way is stopped first. A few rows are put back at once, more by a job. There is no undo of an
    undo. What was kept, because it was changed since, is counted, and named by `kept`.
    """
    now = timezone.now()
    won = Decision.objects.filter(pk=decision.pk, undo=Undo.NO).update(
        undo=Undo.UNDER_WAY, undone_by=f"user:{by.get_username()}", state=RunState.QUEUED, heartbeat_at=now, holder=None
    )
    decision.refresh_from_db()
    if not won:
        raise AlreadyUndone(_who_undid(decision, by))
    logger.info("decision %s is undone by user:%s", decision.pk, by.get_username())
    _start(decision, decision.changed)
    return decision


def _who_undid(decision: Decision, by: User) -> str:
    if decision.undone_by == f"user:{by.get_username()}":
        return "You have undone this already." if decision.undo == Undo.DONE else "You are undoing this already."
    who = decision.undone_by.partition(":")[2] or "Somebody"
    what = "has undone this" if decision.undo == Undo.DONE else "is undoing this"
    return f"{who} {what} already."
