"""Describe: start it, follow it, stop it, pay for more of it."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from metadata import jobs, process
from metadata.cards import card
from metadata.forms_run import BudgetForm, WishForm
from metadata.models import ProcessingRun
from metadata.selection import Wish
from metadata.views import estimate
from smugmug.models import Account, Album
from targetvision import progress
from targetvision.access import SignedInRequest, changeable, visible
from targetvision.models import RunState

LOCAL_NOTE = (
    "Built-in model, for trying out: it names things, not scenes or moods. "
    "Connect OpenAI or any OpenAI-compatible server for real descriptions."
)


@require_POST
def process_account(request: SignedInRequest, nickname: str) -> HttpResponse:
    """Describe photos of a library: those not described yet, unless others are asked for."""
    return _start(request, changeable(request, Account.objects.all(), nickname=nickname), {})


@require_POST
def process_album(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """The same in one album."""
    album = changeable(request, Album.objects.select_related("account"), pk=pk)
    return _start(request, album.account, {"album": str(pk)})


def _start(request: SignedInRequest, account: Account, fixed: dict[str, str]) -> HttpResponse:
    form = WishForm(request.POST.dict() | fixed, account=account)
    if not form.is_valid():
        return estimate.answer(request, account, form, status=422)
    wish = form.wish()
    if not account.is_connected:
        messages.error(
            request, f"{account} is not connected, so its pictures cannot be fetched. Connect it again first."
        )
        return _back_to(wish)
    run, is_new = process.start(account, by=request.user, wish=wish, describer=process.configured_describer())
    if is_new:
        jobs.enqueue_for_all_workers(run)
    else:
        messages.info(request, "Photos of this library are already being described. Wait for that, or cancel it.")
    return _back_to(wish)


def _back_to(wish: Wish) -> HttpResponse:
    """Where the photos are that were meant."""
    if wish.photo:
        return redirect("metadata:photo", wish.photo.pk)
    return redirect("metadata:album", wish.album.pk) if wish.album else redirect("dashboard")


@require_GET
def processing_run(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """How far a run is, as a fragment that asks again until it is over."""
    run = visible(request, ProcessingRun.objects.select_related("album"), pk=pk)
    may_change = ProcessingRun.objects.changeable_by(request.user).filter(pk=pk).exists()
    return progress.fragment(request, card(run, may_change=may_change))


@require_POST
def cancel_processing(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Stop a run; every answer that has come stays."""
    if process.cancel(_run(request, pk), by=request.user):
        messages.info(request, "Describing was cancelled. Every answer that had come stays.")
    return redirect("dashboard")


@require_POST
def pause_processing(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Stop a run until somebody lets it go on."""
    process.pause(_run(request, pk), by=request.user)
    return redirect("dashboard")


@require_POST
def continue_processing(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Go on with a paused run."""
    run = _run(request, pk)
    if process.resume(run, by=request.user):
        jobs.enqueue_for_all_workers(run)
    return redirect("dashboard")


def budget(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """What a run may spend: GET shows it, POST changes it, and lets a run go on that waited for that."""
    run = _run(request, pk)
    initial = {"budget_usd": f"{run.budget_usd:.2f}" if run.budget_usd is not None else ""}
    form = BudgetForm(request.POST if request.method == "POST" else None, run=run, initial=initial)
    if request.method == "POST" and form.is_valid():
        if not process.set_budget(run, form.cleaned_data["budget_usd"], by=request.user):
            messages.info(request, "That run is over; its budget was left as it is.")
        elif run.state == RunState.QUEUED:
            jobs.enqueue_for_all_workers(run)
        return redirect("dashboard")
    context = {"here": "library", "run": card(run, may_change=False), "form": form, "url": _budget_url(run)}
    return render(request, "metadata/budget.html", context, status=422 if request.method == "POST" else 200)


def _budget_url(run: ProcessingRun) -> str:
    return reverse("metadata:budget", args=[run.pk])


def _run(request: SignedInRequest, pk: UUID) -> ProcessingRun:
    run: ProcessingRun = changeable(request, ProcessingRun.objects.select_related("account", "album"), pk=pk)
    return run
