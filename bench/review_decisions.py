"""Bulk decisions over a large library: how long they take, and how long another curator waits meanwhile.

A part of bench/review.py.

So many photos that wait for review, with words, tags, bursts and history, in a database of their own. One process
approves them all as a job does, and then takes that back; another approves and edits photos of the same library all
the while, one by one, as a curator's pages do, losing some to the job. Prints the seconds of both (bound 15 each at
100,000) and the longest and the 95th percentile of the curator's waits (bound 0.2 s); and, as the baseline, a loop of
single decisions over a sample, in the seconds that it would take for all.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from many_photos import WAITING, fill
from testbed import SPAWN, services, set_up

PAUSE_SECONDS = 0.02  # between two of the curator's decisions
BOUND_SECONDS, BOUND_WAIT = 15, 0.2  # for 100,000 photos
DRAWN = 20_000  # photos that the curator takes from


class Waits(NamedTuple):
    """How long each of the curator's decisions took (seconds), and how many came too late."""

    seconds: list[float]
    lost: int

    def __str__(self) -> str:
        seconds = sorted(self.seconds)
        p95 = seconds[int(len(seconds) * 0.95)]
        longest = f"longest {seconds[-1]:.3f} s (bound {BOUND_WAIT})"
        return f"{len(seconds)} decisions, {self.lost} too late: p95 {p95:.3f} s, {longest}"


def decisions(photos: int, sample: int) -> bool:
    """Print the times of a bulk approval and its undo; whether both, and the waits, are within the bounds."""
    with services():
        account = library(photos)
        each = one_by_one(account, sample)
        print(f"one by one: {each * 1000:.1f} ms a photo, {each * photos:.0f} s for {photos:,}")
        _, alone = beside_a_curator(lambda: time.sleep(5))
        print(f"another curator, no job beside: {alone}")
        approving, beside = beside_a_curator(lambda: carry_out(account))
        faster = each * photos / approving
        print(f"{figures()}: {approving:.1f} s (bound {BOUND_SECONDS}), {faster:.0f} × as fast as a loop")
        print(f"another curator meanwhile: {beside}")
        undoing, beside_undo = beside_a_curator(take_back)
        print(f"{figures()}: {undoing:.1f} s (bound {BOUND_SECONDS})")
        print(f"another curator meanwhile: {beside_undo}")
    longest = max(*beside.seconds, *beside_undo.seconds)
    return max(approving, undoing) <= BOUND_SECONDS and longest <= BOUND_WAIT


def library(waiting: int) -> Any:
    from django.contrib.auth.models import User

    return fill(User.objects.create_user("bench"), "bench", waiting * 10 // WAITING)


def carry_out(account: Any) -> None:
    """Approve all that waits."""
    from metadata import bulk
    from metadata.queue import ReviewFilter

    decision = bulk.decide(account, by=account.owner, kind="approve", filter=ReviewFilter())
    work(decision)


def take_back() -> None:
    from metadata import bulk
    from metadata.models import Decision

    decision = Decision.objects.get(photo=None)
    work(bulk.undo(decision, by=decision.requested_by))


def work(decision: Any) -> None:
    from metadata import bulk

    while not bulk.carry_on(decision, seconds=300):
        decision.queue()
    assert decision.state == "succeeded", decision.state


def figures() -> str:
    from metadata.models import Decision

    decision = Decision.objects.get(photo=None)
    if decision.undo:
        return f"undo: {decision.undone:,} put back, {decision.undo_kept:,} kept"
    return f"approve with history: {decision.changed:,} written, {decision.passed_over:,} passed over"


def one_by_one(account: Any, count: int) -> float:
    """Seconds for each of the single decisions of a loop."""
    from metadata import workflow
    from metadata.models import AIMetadata

    rows = list(AIMetadata.objects.for_review().filter(account=account, stack=None).select_related("photo")[:count])
    began = time.perf_counter()
    for row in rows:
        workflow.approve(row, by=account.owner, version=row.version, changes={})
    return (time.perf_counter() - began) / len(rows)


# --- The other curator ------------------------------------------------------------------------------------------


def beside_a_curator(task: Callable[[], None]) -> tuple[float, Waits]:
    """Seconds for the task, and what the other curator had to wait meanwhile."""
    here, there = SPAWN.Pipe()
    process = SPAWN.Process(target=decide_until_told, args=(there,))
    process.start()
    there.close()
    here.recv()  # it has begun
    began = time.perf_counter()
    task()
    seconds = time.perf_counter() - began
    here.send("stop")
    waits: Waits = here.recv()
    process.join()
    return seconds, waits


def decide_until_told(told: Connection) -> None:
    """Approve, and now and then edit, photos at random, and keep how long each took."""
    set_up()
    from django.contrib.auth.models import User

    from metadata import workflow
    from metadata.models import AIMetadata

    curator, _ = User.objects.get_or_create(username="curator")
    pks = list(AIMetadata.objects.filter(stack=None).order_by("?").values_list("pk", flat=True)[:DRAWN])
    waits, lost = [], 0
    told.send("begun")
    while not told.poll(PAUSE_SECONDS) and pks:
        row = AIMetadata.objects.select_related("photo").get(pk=pks.pop())
        is_edit = random.random() < 0.3
        began = time.perf_counter()
        try:
            if is_edit:
                workflow.edit(row, by=curator, version=row.version, changes={"ai_title": "By hand"})
            else:
                workflow.approve(row, by=curator, version=row.version, changes={})
        except workflow.AlreadyDecided:
            lost += 1
        waits.append(time.perf_counter() - began)
    told.recv()
    told.send(Waits(waits, lost))
