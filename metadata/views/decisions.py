"""Decisions: the last ones of the person's libraries, each one with what it wrote, and the way back."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from metadata import bulk, decided, decision_cards
from metadata.models import Decision
from smugmug.models import Account
from targetvision.access import SignedInRequest, changeable, visible


@require_GET
def decisions(request: SignedInRequest) -> HttpResponse:
    """The last decisions, newest first, a page at a time."""
    show = request.GET.get("show", "")
    show = show if show in decided.SHOWS else ""
    before = request.GET.get("before", "").replace("\x00", "")[:120]
    rows, position = decided.page(request.user, show, before)
    context = {
        "here": "review",
        "decisions": decided.told(rows, user=request.user),
        "shows": [(label, _address(show=name), name == show) for name, label in decided.SHOWS.items()],
        "is_narrow": bool(show),
        "many_libraries": Account.objects.visible_to(request.user).count() > 1,
        "newest_url": _address(show=show) if before else "",
        "next_url": _address(show=show, before=position) if position else "",
    }
    return render(request, "metadata/decisions.html", context)


def _address(**query: str) -> str:
    chosen = urlencode({name: value for name, value in query.items() if value})
    return reverse("metadata:decisions") + (f"?{chosen}" if chosen else "")


@require_GET
def decision(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """One decision: how far it is, what it wrote, and after an undo what was kept, and why; its card alone for htmx."""
    found: Decision = visible(request, Decision.objects.select_related(*decided.RELATED), pk=pk)
    [told] = decided.told([found], user=request.user)
    if getattr(request, "htmx", False):
        return _card(request, told.card)
    context: dict[str, Any] = {
        "here": "review",
        "told": told,
        "steps": decided.steps(found),
        "kept": decided.kept(found),
    }
    return render(request, "metadata/decision.html", context)


def _card(request: SignedInRequest, card: decision_cards.DecisionCard) -> HttpResponse:
    """For polling. When nothing moves any more, a page about decisions is asked to show its new lists."""
    response = render(request, "metadata/_decision.html", {"decision": card})
    path = request.htmx.current_url_abs_path or ""  # type: ignore[attr-defined]
    if not card.is_moving and path.startswith(reverse("metadata:decisions")):
        response["HX-Refresh"] = "true"
    return response


@require_POST
def undo(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Take back what a decision wrote, as far as it still stands."""
    found = _decision(request, pk)
    try:
        bulk.undo(found, by=request.user)
    except bulk.AlreadyUndone as exc:
        messages.info(request, str(exc))
    else:
        _tell_of_undo(request, found)
    return _back(request, found)


def _tell_of_undo(request: SignedInRequest, found: Decision) -> None:
    title = decided.told([found], user=request.user)[0].title
    if found.undo != Decision.Undo.DONE:
        messages.success(request, "It is being taken back, from the first photo to the last.")
    elif found.undo_kept:
        messages.warning(request, f"{title}, but for {found.undo_kept:,}: somebody has changed the words since.")
    else:
        messages.success(request, f"{title}.")


@require_POST
def cancel(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Stop a decision under way; what was written stays, and can be undone or gone on with."""
    found = _decision(request, pk)
    if not bulk.cancel(found):
        messages.info(request, "It was over already.")
    return _back(request, found)


@require_POST
def go_on(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Go on with a decision that was stopped, with the next photo."""
    found = _decision(request, pk)
    if not bulk.go_on(found):
        messages.info(request, "It cannot go on: it is over, or undone.")
    return _back(request, found)


def _decision(request: SignedInRequest, pk: UUID) -> Decision:
    found: Decision = changeable(request, Decision.objects.select_related(*decided.RELATED), pk=pk)
    return found


def _back(request: SignedInRequest, found: Decision) -> HttpResponse:
    """To the page that the button was on, else to the decision's own."""
    wanted = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return redirect(wanted)
    return redirect("metadata:decision", found.pk)
