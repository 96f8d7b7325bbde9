"""A run as a page shows it: sentences and figures, and where to ask for news."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import django_rq
from django.shortcuts import render
from redis.exceptions import ConnectionError as QueueAway
from rq import Worker

from targetvision.models import Run, RunError, RunState

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

MARKS = {RunState.SUCCEEDED: "good", RunState.PARTIAL: "wait", RunState.FAILED: "bad"}


@dataclass(frozen=True)
class RunCard:
    """What `_run.html` needs."""

    run: Run
    title: str
    figures: str
    detail: str = ""
    poll_url: str = ""
    cancel_url: str = ""
    continue_url: str = ""
    queue: str = ""
    errors: list[RunError] = field(default_factory=list)

    @property
    def id_attr(self) -> str:
        return f"run-{self.run.pk}"

    @property
    def value(self) -> int:
        return self.run.done

    @property
    def maximum(self) -> int | None:
        """None as long as nobody knows how much there is."""
        return self.run.total

    @property
    def is_active(self) -> bool:
        return self.run.is_active

    @property
    def is_paused(self) -> bool:
        return self.run.state == RunState.PAUSED

    @property
    def mark(self) -> str:
        return MARKS.get(RunState(self.run.state), "idle")

    @property
    def waiting(self) -> str:
        """What the run waits for, or why it stopped."""
        if self.run.waiting_for or self.run.state != RunState.QUEUED:
            return self.run.waiting_for
        if not workers_alive(self.queue):
            return "Waiting for a worker, and none is running. Start one with “make run” or “manage.py rqworker”."
        return "Waiting for a free worker."


def workers_alive(queue: str) -> int:
    """How many workers listen to the queue now; none where the queue itself cannot be reached."""
    try:
        count: int = Worker.count(queue=django_rq.get_queue(queue))
    except QueueAway:
        return 0
    return count


def figures(*parts: str) -> str:
    return " · ".join(filter(None, parts))


def time_left(run: Run) -> str:
    """`6 s left`, or nothing as long as that cannot be told."""
    seconds = run.seconds_left if run.is_active else None
    if seconds is None:
        return ""
    return f"{seconds:.0f} s left" if seconds < 90 else f"{seconds / 60:,.0f} min left"


def fragment(request: HttpRequest, card: RunCard) -> HttpResponse:
    """The run alone, for polling; when it is over, the page around it is asked to show its new figures."""
    response = render(request, "_run.html", {"run": card})
    if not card.is_active:
        response["HX-Refresh"] = "true"
    return response
