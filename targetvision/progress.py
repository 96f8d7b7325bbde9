"""A run as a page shows it: sentences and figures, and where to ask for news."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import django_rq
from django.conf import settings
from django.shortcuts import render
from django.utils import timezone
from redis.exceptions import ConnectionError as QueueAway
from rq import Worker

from targetvision.models import Run, RunError, RunState

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

LIVE_SECONDS, PAUSED_SECONDS = 1, 10
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
    pause_url: str = ""
    continue_url: str = ""
    retry_url: str = ""
    retry_label: str = ""
    budget_url: str = ""
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
    def asks_again_after(self) -> int | None:
        """Seconds after which the page asks for news; None where nothing will change by itself."""
        if not self.is_active or (self.is_paused and self.run.resume_at is None):
            return None
        return PAUSED_SECONDS if self.is_paused else LIVE_SECONDS

    @property
    def next_try(self) -> str:
        """`Next try in 4 min.` for a run that goes on by itself."""
        if not self.is_paused or self.run.resume_at is None:
            return ""
        seconds = (self.run.resume_at - timezone.now()).total_seconds()
        return f"Next try in {seconds / 60:.0f} min." if seconds >= 90 else f"Next try in {max(seconds, 0):.0f} s."

    @property
    def mark(self) -> str:
        return MARKS.get(RunState(self.run.state), "idle")

    @property
    def waiting(self) -> str:
        """What the run waits for, or why it stopped."""
        lost = self.run.is_being_worked_on and _is_silent(self.run)
        if self.run.state != RunState.QUEUED and not lost:
            return self.run.waiting_for
        if not workers_alive(self.queue):
            return "Waiting for a worker, and none is running. Start one with “make run” or “manage.py rqworker”."
        if lost:
            return "The worker that had it shows no sign of life. Another one takes it up within seconds."
        return self.run.waiting_for or "Waiting for a free worker."


def _is_silent(run: Run) -> bool:
    """Whether nobody has shown a sign of life for so long that the run is to be taken up by others."""
    if run.heartbeat_at is None:
        return False
    return timezone.now() - run.heartbeat_at > datetime.timedelta(seconds=3 * settings.HEARTBEAT_SECONDS)


def workers_alive(queue: str) -> int:
    """How many workers listen to the queue now; none where the queue itself cannot be reached."""
    try:
        count: int = Worker.count(queue=django_rq.get_queue(queue))
    except QueueAway:
        return 0
    return count


def figures(*parts: str) -> str:
    return " · ".join(filter(None, parts))


def count(number: int, noun: str) -> str:
    """`1 album`, `2,345 albums`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


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
