"""The figures of reviewing: how fast it goes, and what becomes of the words."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from metadata import figures
from metadata.forms_samples import FiguresForm
from metadata.views.activity import Choice
from smugmug.models import Account
from targetvision.access import SignedInRequest


@require_GET
def page(request: SignedInRequest) -> HttpResponse:
    """Those of the person's libraries, over a period."""
    form = FiguresForm(request.GET)
    form.is_valid()
    wish = {name: form.cleaned_data.get(name) or "" for name in ("period", "library")}
    accounts = dict(
        Account.objects.visible_to(request.user).order_by("nickname").values_list("nickname", "pk").distinct()
    )
    chosen = [pk for name, pk in accounts.items() if wish["library"] in ("", name)]
    libraries = {"": "All libraries"} | {name: name for name in accounts} if len(accounts) > 1 else {}
    context = {
        "here": "review",
        "told": figures.figures(chosen, period=wish["period"]),
        "latest": figures.LATEST,
        "compared": figures.COMPARED,
        "choices": [
            _choices(wish, "period", {name: label for name, (label, _) in figures.PERIODS.items()}),
            _choices(wish, "library", libraries),
        ],
        "is_narrowed": wish["library"] or wish["period"] != "all",
    }
    return render(request, "metadata/figures.html", context)


def _choices(wish: dict[str, str], name: str, labels: dict[str, str]) -> list[Choice]:
    return [Choice(label, _query(wish | {name: value}), value == wish[name]) for value, label in labels.items()]


def _query(wish: dict[str, str]) -> str:
    return f"?{urlencode({name: value for name, value in wish.items() if value})}"
