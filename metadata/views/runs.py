"""Describe: start it, follow it, stop it."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from metadata import jobs, process
from metadata.models import ProcessingRun
from smugmug import views as smugmug_views
from smugmug.models import Account, Album
from targetvision import progress
from targetvision.access import SignedInRequest, changeable, visible
from targetvision.models import RunState
from targetvision.progress import RunCard

LOCAL_NOTE = (
    "Built-in model, for trying out: it names things, not scenes or moods. "
    "Connect OpenAI or any OpenAI-compatible server for real descriptions."
)


@require_POST
def process_account(request: SignedInRequest, nickname: str) -> HttpResponse:
    """Describe what is not described yet, in the whole library."""
    _start(request, changeable(request, Account.objects.all(), nickname=nickname), None)
    return redirect("dashboard")


@require_POST
def process_album(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Describe what is not described yet, in one album."""
    album = changeable(request, Album.objects.select_related("account"), pk=pk)
    _start(request, album.account, album)
    return redirect("metadata:album", pk)


def _start(request: SignedInRequest, account: Account, album: Album | None) -> None:
    if not account.is_connected:
        messages.error(
            request, f"{account} is not connected, so its pictures cannot be fetched. Connect it again first."
        )
        return
    run, is_new = process.start(
        account, by=request.user, album=album, only=_only(request), describer=process.configured_describer()
    )
    if is_new:
        jobs.enqueue_for_all_workers(run)
    else:
        messages.info(request, "Photos of this library are already being described. Wait for that, or cancel it.")


def _only(request: HttpRequest) -> str:
    only = request.POST.get("only")
    return only if only in ProcessingRun.Only.values else ProcessingRun.Only.PENDING


@require_GET
def processing_run(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """How far a run is, as a fragment that asks again until it is over."""
    run = visible(request, ProcessingRun.objects.select_related("album"), pk=pk)
    return progress.fragment(request, card(run, may_change=smugmug_views.may_change(request, run)))


@require_POST
def cancel_processing(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Stop a run; every answer that has come stays."""
    if changeable(request, ProcessingRun.objects.all(), pk=pk).cancel():
        messages.info(request, "Describing was cancelled. Every answer that had come stays.")
    return redirect("dashboard")


@require_POST
def continue_processing(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Go on with a paused run."""
    run = changeable(request, ProcessingRun.objects.all(), pk=pk)
    if run.resume():
        jobs.enqueue_for_all_workers(run)
    return redirect("dashboard")


def card(run: ProcessingRun, *, may_change: bool) -> RunCard:
    """The run as a page shows it, with its buttons where the person may press them."""
    where = f" in {run.album}" if run.album else ""
    number = run.total if run.is_active else run.described
    count = f"{number:,} photo{'s' * (number != 1)}" if number is not None else "photos"
    titles = {
        RunState.SUCCEEDED: f"{count} described{where}" if run.described else f"Nothing was left to describe{where}",
        RunState.PARTIAL: f"{run.described:,} described{where}, {run.failed:,} could not be",
        RunState.FAILED: f"Describing{where} failed",
        RunState.CANCELLED: f"Describing{where} cancelled",
        RunState.PAUSED: f"Describing{where} is paused",
    }
    figures = progress.figures(
        f"{run.done:,} of {run.total:,}" if run.total and run.state != RunState.SUCCEEDED else "",
        f"{run.rate:.1f} a second" if run.rate and run.is_active else "",
        progress.time_left(run),
        f"{run.skipped:,} skipped" if run.skipped else "",
        f"{run.failed:,} failed" if run.failed else "",
    )
    paused = run.state == RunState.PAUSED
    return RunCard(
        run,
        title=titles.get(RunState(run.state), f"Describing {count}{where}"),
        figures=figures if run.started_at else "",
        detail=run.model if run.described or run.is_active else "",
        poll_url=reverse("metadata:processing_run", args=[run.pk]),
        cancel_url=reverse("metadata:cancel_processing", args=[run.pk]) if run.is_active and may_change else "",
        continue_url=reverse("metadata:continue_processing", args=[run.pk]) if paused and may_change else "",
        queue="metadata",
        errors=run.errors,
    )
