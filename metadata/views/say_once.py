"""Say it once: what a person replaced in one photo's words is offered for all others that wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from metadata import bulk, say_once
from metadata.forms_say_once import SayOnceForm
from metadata.models import AIMetadata
from metadata.say_once import Offer
from smugmug.models import Account
from targetvision.access import SignedInRequest, changeable
from targetvision.templates import template_for

KEPT = "say_once"  # in the session, until it is taken or put away


def remember(request: SignedInRequest, words: AIMetadata, before: Mapping[str, Any]) -> None:
    """After an edit that replaced one word, pages of review offer to do so elsewhere; `before` is what stood there."""
    found = say_once.replaced_word(before, words.words)
    if found:
        old, new = found
        address = urlencode({"account": words.account.nickname, "old": old, "new": new})
        request.session[KEPT] = {"old": old, "new": new, "url": f"{reverse('metadata:say_once_offer')}?{address}"}


@require_GET
def offer(request: SignedInRequest) -> HttpResponse:
    """How many other photos hold the word; as a page, or as the line that pages of review show."""
    form = SayOnceForm(request.GET)
    if not form.is_valid():
        return _page(request, form=form, status=422)
    found = _offer(request, form)
    if not found.count:
        request.session.pop(KEPT, None)
    return _page(request, form=form, offer=found)


@require_POST
def say_it(request: SignedInRequest) -> HttpResponse:
    """Replace the word wherever it waits for review, as one decision."""
    form = SayOnceForm(request.POST)
    if not form.is_valid():
        return _page(request, form=form, status=422)
    found = _offer(request, form)
    decision = bulk.decide(
        found.account,
        by=request.user,
        kind=say_once.REPLACE,
        filter=say_once.everywhere(found.account),
        params={"old": found.old, "new": found.new},
    )
    request.session.pop(KEPT, None)
    messages.success(request, f"“{found.old}” becomes “{found.new}” in all that waits. It can be undone.")
    return redirect("metadata:decision", decision.pk)


@require_POST
def dismiss(request: SignedInRequest) -> HttpResponse:
    """Offer it no more."""
    request.session.pop(KEPT, None)
    return HttpResponse() if getattr(request, "htmx", False) else redirect("metadata:review")


def _offer(request: SignedInRequest, form: SayOnceForm) -> Offer:
    account = changeable(request, Account.objects.all(), nickname=form.cleaned_data["account"])
    return say_once.offer(account, form.cleaned_data["old"], form.cleaned_data["new"])


def _page(
    request: SignedInRequest, *, form: SayOnceForm, offer: Offer | None = None, status: int = 200
) -> HttpResponse:
    template = template_for(request, "metadata/say_once.html", partial="offer")
    return render(request, template, {"here": "review", "form": form, "offer": offer}, status=status)
