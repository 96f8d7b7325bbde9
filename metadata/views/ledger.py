"""The ledger: what calls of models cost, and what left the house."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from metadata import ledger
from metadata.forms import LedgerForm
from metadata.views.activity import Choice
from smugmug.models import Account
from targetvision.access import SignedInRequest

LINES_A_PAGE = 60


@require_GET
def page(request: SignedInRequest) -> HttpResponse:
    """The calls for the person's libraries, taken together by day, model or prompt."""
    form = LedgerForm(request.GET)
    form.is_valid()
    wish = {name: form.cleaned_data.get(name) or "" for name in ("by", "period", "library")}
    calls = ledger.calls_of(request.user, library=wish["library"], period=wish["period"])
    lines = ledger.lines(calls, by=wish["by"])
    shown = Paginator(lines, LINES_A_PAGE).get_page(form.cleaned_data.get("page"))
    context = {
        "here": "activity",
        "tabs": _tabs(wish["library"]),
        "choices": [
            _choices(wish, "by", {name: label for name, (label, _) in ledger.GROUPINGS.items()}),
            _choices(wish, "period", {name: label for name, (label, _) in ledger.PERIODS.items()}),
            _libraries(request, wish),
        ],
        "by": wish["by"],
        "page": shown,
        "whole": ledger.total(lines),
        "is_narrowed": wish["library"] or wish["period"] != "all",
        "previous_url": _query(wish, page=shown.number - 1) if shown.has_previous() else "",
        "next_url": _query(wish, page=shown.number + 1) if shown.has_next() else "",
    }
    return render(request, "metadata/ledger.html", context)


def _tabs(library: str) -> list[Choice]:
    """Those of the activity; each shows the same library."""
    query = _query({"library": library})
    names = {"metadata:activity": "Runs", "metadata:trail": "Audit trail", "metadata:ledger": "Ledger"}
    return [Choice(label, reverse(name) + query, name == "metadata:ledger") for name, label in names.items()]


def _choices(wish: dict[str, str], name: str, labels: dict[str, str]) -> list[Choice]:
    return [Choice(label, _query(wish | {name: value}) or "?", value == wish[name]) for value, label in labels.items()]


def _libraries(request: SignedInRequest, wish: dict[str, str]) -> list[Choice]:
    """Nothing to choose from where there is only one."""
    names = Account.objects.visible_to(request.user).order_by("nickname").values_list("nickname", flat=True)
    return _choices(wish, "library", {"": "All libraries"} | {name: name for name in names}) if len(names) > 1 else []


def _query(wish: dict[str, str], **more: Any) -> str:
    chosen = {name: value for name, value in (wish | more).items() if value}
    return f"?{urlencode(chosen)}" if chosen else ""
