"""A run of the describer as pages show it: sentences, figures, and the buttons of those who may press them."""

from __future__ import annotations

from django.conf import settings
from django.urls import reverse

from metadata import money
from metadata.models import ProcessingRun
from targetvision import progress
from targetvision.models import RunState
from targetvision.progress import RunCard, count


def card(run: ProcessingRun, *, may_change: bool) -> RunCard:
    """The run as a page shows it, with its buttons where the person may press them."""
    may_press = may_change and run.is_active
    return RunCard(
        run,
        title=_title(run),
        figures=_figures(run) if run.started_at else "",
        detail=_detail(run),
        poll_url=_url("processing_run", run),
        cancel_url=_url("cancel_processing", run) if may_press else "",
        pause_url=_url("pause_processing", run) if may_press else "",
        continue_url=_url("continue_processing", run) if may_press else "",
        budget_url=_url("budget", run) if may_press and run.budget_usd is not None else "",
        queue="metadata",
        errors=run.errors,
    )


def _url(name: str, run: ProcessingRun) -> str:
    return reverse(f"metadata:{name}", args=[run.pk])


def _title(run: ProcessingRun) -> str:
    where = f" in {run.album}" if run.album else ""
    number = run.total if run.is_active else run.described
    photos = count(number, "photo") if number is not None else "photos"
    titles = {
        RunState.SUCCEEDED: f"{photos} described{where}" if run.described else f"Nothing was left to describe{where}",
        RunState.PARTIAL: f"{run.described:,} described{where}, {run.failed:,} could not be",
        RunState.FAILED: f"Describing{where} failed",
        RunState.CANCELLED: f"Describing{where} cancelled",
        RunState.PAUSED: f"Describing{where} is paused",
    }
    return titles.get(RunState(run.state), f"Describing {photos}{where}")


def _figures(run: ProcessingRun) -> str:
    goes_on = run.is_active and run.state != RunState.PAUSED
    return progress.figures(
        f"{run.done:,} of {run.total:,}" if run.total and run.state != RunState.SUCCEEDED else "",
        f"{run.rate:.1f} a second" if run.rate and goes_on else "",
        progress.time_left(run) if goes_on else "",
        f"{run.skipped:,} skipped" if run.skipped else "",
        f"{run.failed:,} failed" if run.failed else "",
        _money(run),
    )


def _money(run: ProcessingRun) -> str:
    """`$0.12 of $5.00 spent`; nothing where nothing is known to be spent."""
    if run.budget_usd is not None:
        return f"{money.dollars(run.spent_usd)} of {money.dollars(run.budget_usd)} spent"
    return f"{money.dollars(run.spent_usd)} spent" if run.spent_usd else ""


def _detail(run: ProcessingRun) -> str:
    """By which model; and how fast, while that bounds the run."""
    limit = settings.AI_REQUESTS_PER_MINUTE
    is_bound = limit and run.is_being_worked_on and run.describer != "local"
    return progress.figures(
        run.model if run.described or run.is_active else "",
        f"at most {count(limit, 'call')} a minute" if is_bound else "",
    )
