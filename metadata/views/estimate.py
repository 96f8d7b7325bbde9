"""What a run would do and cost, before its button is pressed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from metadata import money, process, prompts, selection
from metadata.describe import Describer
from metadata.forms_run import Only, WishForm
from metadata.selection import Wish
from smugmug.models import Account
from targetvision.access import SignedInRequest, changeable

LABELS = {Only.PENDING: "Not described yet", Only.FAILED: "Failed", Only.STALE: "Stale", Only.ALL: "All"}


@dataclass(frozen=True)
class Choice:
    """Which photos could be meant, and how many those are."""

    label: str
    count: int
    url: str
    is_current: bool


@require_GET
def page(request: SignedInRequest, nickname: str) -> HttpResponse:
    """How many photos the address asks for, and what describing them will cost."""
    account = changeable(request, Account.objects.all(), nickname=nickname)
    budget = settings.AI_RUN_BUDGET_USD
    given = {"budget_usd": "" if budget is None else str(budget), **request.GET.dict()}
    form = WishForm(given, account=account)
    # A budget that stands in the settings and cannot be kept is said beside its field, but is nobody's bad input.
    is_bad = bool(set(form.errors) - {"budget_usd"})
    return answer(request, account, form, status=422 if is_bad or "budget_usd" in request.GET and form.errors else 200)


def answer(request: SignedInRequest, account: Account, form: WishForm, *, status: int = 200) -> HttpResponse:
    """The page for what a form asks, with what is wrong with it beside its fields."""
    form.is_valid()
    wish, describer = form.wish(), process.configured_describer()
    choices = [_choice(account, wish, only, describer) for only in LABELS]
    found = next(choice.count for choice in choices if choice.is_current)
    photos = min(found, wish.limit) if wish.limit else found
    prompt = prompts.active(account)
    context = {
        "here": "library",
        "account": account,
        "form": form,
        "wish": wish,
        "carried": _carried(wish),
        "choices": choices,
        "describer": describer,
        "prompt": prompt,
        "pixels": settings.AI_IMAGE_PIXELS,
        "estimate": money.estimate(
            account,
            photos=photos,
            prompt=prompt,
            model=describer.model,
            embedding_model=describer.embedding_model,
            pixels=settings.AI_IMAGE_PIXELS,
        ),
        "pilot_photos": money.PILOT,
        "is_kept_back": bool(describer.sends_to and (account.never_send or wish.album and wish.album.never_send)),
        "start_url": _start_url(account, wish),
        "back_url": _back_url(wish),
    }
    return render(request, "metadata/estimate.html", context, status=status)


def _choice(account: Account, wish: Wish, only: str, describer: Describer) -> Choice:
    other = replace(wish, only=only, limit=None, reason=wish.reason if only == wish.only else "")
    count = selection.to_describe(account, other, describer=describer).order_by().count()
    url = "?" + urlencode(_carried(replace(other, limit=wish.limit), with_choices=True))
    return Choice(LABELS[Only(only)], count, url, only == wish.only)


def _carried(wish: Wish, *, with_choices: bool = False) -> dict[str, Any]:
    """What the page's forms carry along unseen; and what a person chose on it, for links."""
    values: dict[str, Any] = {
        "only": wish.only,
        "album": wish.album and wish.album.pk,
        "photo": wish.photo and wish.photo.pk,
        "reason": wish.reason,
    }
    if with_choices:
        values |= {"limit": wish.limit, "also_decided": "on" if wish.also_decided else ""}
    return {name: value for name, value in values.items() if value}


def _start_url(account: Account, wish: Wish) -> str:
    if wish.album:
        return reverse("metadata:process_album", args=[wish.album.pk])
    return reverse("metadata:process", args=[account.nickname])


def _back_url(wish: Wish) -> str:
    if wish.photo:
        return reverse("metadata:photo", args=[wish.photo.pk])
    return reverse("metadata:album", args=[wish.album.pk]) if wish.album else reverse("dashboard")
