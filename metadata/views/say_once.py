"""Say it once: what a person replaced in one photo's words is offered for all others that wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from metadata import bulk, say_once
from metadata.forms_say_once import SayOnceForm, SayTagOnceForm
from metadata.models import AIMetadata
from metadata.say_once import Offer
from smugmug.models import Account
from targetvision.access import SignedInRequest, changeable
from targetvision.back import back
from targetvision.templates import template_for

Form = SayOnceForm | SayTagOnceForm
KEPT = "say_once"  # in the session, until it is taken or put away


def remember(request: SignedInRequest, words: AIMetadata, before: Mapping[str, Any]) -> None:
    """After an edit that replaced one word, or one tag, pages of review offer to do so elsewhere; `before` is what
    stood there."""
    word = say_once.replaced_word(before, words.words)
    found = word or say_once.replaced_tag(before, words.words)
    if found:
        old, new = found
        what = {} if word else {"what": SayTagOnceForm.what}
        address = urlencode({"account": words.account.nickname, **what, "old": old, "new": new})
        request.session[KEPT] = {"old": old, "new": new, "url": f"{reverse('metadata:say_once_offer')}?{address}"}


@require_GET
def offer(request: SignedInRequest) -> HttpResponse:
    """How many other photos hold the word; as a page, or as the line that pages of review show."""
    form = _form(request.GET)
    if not form.is_valid():
        return _page(request, form=form, status=422)
    found = _offer(request, form)
    if not found.count:
        request.session.pop(KEPT, None)
    return _page(request, form=form, offer=found)


@require_POST
def say_it(request: SignedInRequest) -> HttpResponse:
    """Replace the word or the tag wherever it waits for review, as one decision."""
    form = _form(request.POST)
    if not form.is_valid():
        return _page(request, form=form, status=422)
    found = _offer(request, form)
    decision = bulk.decide(
        found.account,
        by=request.user,
        kind=found.kind,
        filter=say_once.everywhere(found.account),
        params=say_once.params(found.kind, found.old, found.new),
    )
    request.session.pop(KEPT, None)
    messages.success(
        request, f"“{found.old}” becomes “{found.new}” in all that waits. It can be undone under Decisions."
    )
    stood_on = urlsplit(request.headers.get("Referer", "")).path
    if stood_on == reverse("metadata:say_once_offer"):
        return redirect("metadata:decision", decision.pk)
    return back(request, "metadata:decision", decision.pk)


@require_POST
def dismiss(request: SignedInRequest) -> HttpResponse:
    """Offer it no more."""
    request.session.pop(KEPT, None)
    return HttpResponse() if getattr(request, "htmx", False) else redirect("metadata:review")


def _form(data: QueryDict) -> Form:
    return SayTagOnceForm(data) if data.get("what") == SayTagOnceForm.what else SayOnceForm(data)


def _offer(request: SignedInRequest, form: Form) -> Offer:
    account = changeable(request, Account.objects.all(), nickname=form.cleaned_data["account"])
    return say_once.offer(account, form.kind, form.cleaned_data["old"], form.cleaned_data["new"])


def _page(request: SignedInRequest, *, form: Form, offer: Offer | None = None, status: int = 200) -> HttpResponse:
    template = template_for(request, "metadata/say_once.html", partial="offer")
    return render(request, template, {"here": "review", "form": form, "offer": offer}, status=status)
