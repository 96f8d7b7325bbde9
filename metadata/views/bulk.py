"""One decision over all that a filter finds: what it would do, and the press that does it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from metadata import bulk, decided, kinds, outlook, queue
from metadata.forms_grid import AllForm, ReasonForm, TagForm
from metadata.outlook import ACTS
from metadata.queue import ReviewFilter
from metadata.views.grid import LOOK_ONLY
from smugmug.models import Account, Album
from targetvision.access import SignedInRequest
from targetvision.progress import count

PEEK = 12
LOST_RACE = 409
What = ReasonForm | TagForm


@require_GET
def confirm(request: SignedInRequest) -> HttpResponse:
    """What would happen to all that match, before it does."""
    wanted, sentences = ReviewFilter.read(request.GET)
    act = request.GET.get("do", "")
    act = act if act in ACTS else "approve"
    if sentences:
        return _page(request, wanted, act, trouble=f"{' '.join(sentences.values())} Shown is what the rest finds.")
    return _page(request, wanted, act)


@require_POST
def decide(request: SignedInRequest) -> HttpResponse:
    """Decide on all that match, as one decision for each library; a job carries it out."""
    form = AllForm(request.POST)
    if not form.is_valid():
        return _page(request, ReviewFilter(), "approve", trouble=form.trouble, status=422)
    wanted, act, seen = form.cleaned_data["filter"], form.cleaned_data["act"], form.cleaned_data["seen"]
    what = _what(act, request.POST)
    accounts = _accounts(request, wanted)
    if what and not what.is_valid():
        return _page(request, wanted, act, what=what, trouble=what.trouble, status=422)
    found = kinds.described(queue.matching([account.pk for account in accounts], wanted)).count()
    if found > seen:
        trouble = f"{count(found - seen, 'more photo')} matched since you looked, so nothing was done. Look again."
        return _page(request, wanted, act, what=what, trouble=trouble, status=LOST_RACE)
    if not found:
        return _page(request, wanted, act, what=what, trouble="Nothing matches any more.", status=422)
    _decide(request, accounts, wanted, what)
    return redirect(_address("grid", wanted))


@transaction.atomic
def _decide(request: SignedInRequest, accounts: list[Account], wanted: ReviewFilter, what: What | None) -> None:
    kind, params = (what.kind, what.params) if what else (bulk.Kind.APPROVE, {})
    for account in accounts:
        its_own = replace(wanted, account=account.nickname)
        bulk.decide(account, by=request.user, kind=kind, filter=its_own, params=params)
    messages.info(request, "It is being carried out in the background, and can be undone as a whole.")


def _what(act: str, data: Any = None) -> What | None:
    """The form for what the act needs to know; approving needs nothing."""
    if act == "approve":
        return None
    return ReasonForm(data) if act == "reject" else TagForm(data)


def _accounts(request: SignedInRequest, wanted: ReviewFilter) -> list[Account]:
    """The libraries that it is about: Http404 where the filter names one that is not the person's to see."""
    changeable = queue.accounts_of(request.user, wanted)
    if not changeable and queue.accounts_of(request.user, wanted, to_change=False):
        raise PermissionDenied(LOOK_ONLY)
    if not changeable and wanted.account:
        raise Http404
    return list(Account.objects.filter(pk__in=changeable).order_by("nickname"))


def _page(
    request: SignedInRequest,
    wanted: ReviewFilter,
    act: str,
    *,
    what: What | None = None,
    trouble: str = "",
    status: int = 200,
) -> HttpResponse:
    accounts = _accounts(request, wanted)
    looked = outlook.look(accounts, wanted, act, user=request.user)
    first = queue.page([account.pk for account in accounts], wanted, "", PEEK).rows
    named = Album.objects.visible_to(request.user).filter(pk=wanted.album) if wanted.album else []
    albums = {str(album.pk): str(album) for album in named}
    context = {
        "here": "review",
        "heading": looked.heading,
        "over": decided.in_words(wanted, albums),
        "libraries": [str(account) for account in accounts],
        "acts": [(label, _address("confirm_all", wanted, do=name), name == act) for name, label in ACTS.items()],
        "act": act,
        "outlook": looked,
        "peek": [(row.photo, row.ai_title or row.photo.name) for row in first],
        "form": what or _what(act),
        "filter_text": wanted.text_form(),
        "trouble": trouble,
        "back_url": _address("grid", wanted),
    }
    return render(request, "metadata/bulk_confirm.html", context, status=status)


def _address(name: str, wanted: ReviewFilter, **more: str) -> str:
    query = urlencode(wanted.query() | more)
    return reverse(f"metadata:{name}") + (f"?{query}" if query else "")
