"""The bar above the pages of review: what is asked for, how many that finds, and a form to ask for something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_GET

from metadata import queue
from metadata.describe import CATEGORIES
from metadata.forms_review import FilterForm, Order, Status
from metadata.models import AIMetadata, ProcessingRun, Prompt
from metadata.queue import ReviewFilter
from smugmug.models import Account, Album
from targetvision.access import SignedInRequest

PAGES = {"focus": "metadata:review", "grid": "metadata:grid"}  # that show what a filter finds
MOST_CHOICES = 1_000
ORDER = ("text", "album", "tag", "category", "lane", "status", "after", "before", "model", "prompt", "order", "account")
LABELS = {
    "account": "Library",
    "album": "Album",
    "after": "From",
    "before": "Until",
    "tag": "Tag",
    "category": "Category",
    "model": "Model",
    "prompt": "Prompt",
    "text": "Text",
}


@dataclass(frozen=True)
class Lane:
    """A lane to choose, or all of them; `count` is "" as long as nobody counted."""

    label: str
    url: str
    is_current: bool
    count: str = ""


@dataclass(frozen=True)
class Part:
    """A part of the filter in words, and the address without it."""

    label: str
    value: str
    url: str


def bar(request: HttpRequest, wanted: ReviewFilter, sentences: dict[str, str], *, page: str) -> dict[str, Any]:
    """What `metadata/_filters.html` needs; `page` is one of PAGES. At most one query, for the name of an album."""
    query = wanted.text_form()
    return {
        "page": page,
        "query": query,
        "parts": _parts(request, wanted, page),
        "lanes": _lanes(wanted, page, {}),
        "sentences": list(sentences.values()),
        "pages": {name: _address(name, wanted) for name in PAGES},
        "counts_url": f"{reverse('metadata:review_counts')}?{_joined(query, page)}",
        "form_url": f"{reverse('metadata:review_filters')}?{_joined(query, page)}",
        "is_narrow": wanted.is_narrow,
    }


@require_GET
def counts(request: SignedInRequest) -> HttpResponse:
    """How many photos the filter finds, by lane; as a fragment that comes after the page."""
    wanted, _ = ReviewFilter.read(request.GET)
    page = _page(request)
    lanes = {lane: _text(*found) for lane, found in queue.count_lanes(request.user, wanted).items()}
    lanes[""] = _text(*queue.count(request.user, replace(wanted, lane="")))
    return render(request, "metadata/_filters.html#lanes", {"filters": {"lanes": _lanes(wanted, page, lanes)}})


@require_GET
def choose(request: SignedInRequest) -> HttpResponse:
    """The form with every filter there is: a page of its own, or what unfolds in the bar."""
    wanted, sentences = ReviewFilter.read(request.GET)
    page = _page(request)
    form = form_of(request, wanted)
    context = {
        "here": "review",
        "form": form,
        "action": _address(page, ReviewFilter()),
        "reset_url": _address(page, ReviewFilter()),
        "sentences": list(sentences.values()),
    }
    is_part = bool(getattr(request, "htmx", False))
    return render(request, "metadata/filters.html#form" if is_part else "metadata/filters.html", context)


def _page(request: HttpRequest) -> str:
    page = request.GET.get("page", "")
    return page if page in PAGES else "focus"


def _address(page: str, wanted: ReviewFilter) -> str:
    """The page with the filter; "" where the project has no such page."""
    try:
        address = reverse(PAGES[page])
    except NoReverseMatch:
        return ""
    query = wanted.text_form()
    return f"{address}?{query}" if query else address


def _joined(query: str, page: str) -> str:
    return "&".join(filter(None, (query, urlencode({"page": page}))))


def _text(count: int, is_capped: bool) -> str:  # noqa: FBT001
    return f"{count:,}{'+' * is_capped}"


def _lanes(wanted: ReviewFilter, page: str, counts: dict[str, str]) -> list[Lane]:
    choices = [("", "All"), *AIMetadata.Lane.choices]
    return [
        Lane(str(label), _address(page, replace(wanted, lane=lane)), lane == wanted.lane, counts.get(lane, ""))
        for lane, label in choices
    ]


def _parts(request: HttpRequest, wanted: ReviewFilter, page: str) -> list[Part]:
    """What the filter narrows beside the lane, which has its own place."""
    values = {name: str(getattr(wanted, name) or "") for name in LABELS}
    if wanted.album:
        album = Album.objects.visible_to(request.user).filter(pk=wanted.album).values_list("title", flat=True).first()
        values["album"] = album or "unknown"
    parts = [Part(LABELS[name], value, _address(page, wanted.without(name))) for name, value in values.items() if value]
    if wanted.status != Status.WAITING:
        label = str(Status(wanted.status).label)
        parts.insert(0, Part("State", label, _address(page, wanted.without("status"))))
    return parts


def form_of(request: SignedInRequest, wanted: ReviewFilter) -> FilterForm:
    """Filled with the filter; what there is to choose from is chosen from."""
    form = FilterForm(initial=wanted.to_json())
    form.order_fields(ORDER)
    accounts = Account.objects.visible_to(request.user).order_by("nickname")
    chosen = accounts.filter(nickname=wanted.account) if wanted.account else accounts
    ids = list(chosen.values_list("pk", flat=True))
    albums = Album.objects.present().filter(account__in=ids).order_by("title", "pk")
    runs = ProcessingRun.objects.filter(account__in=ids).exclude(model="")
    prompts = Prompt.objects.filter(account__in=ids, used_at__isnull=False).order_by("name", "-version")
    _offer(form, "account", [(name, name) for name in accounts.values_list("nickname", flat=True)])
    if accounts.count() < 2 and not wanted.account:
        del form.fields["account"]
    _offer(form, "album", [(str(pk), title) for pk, title in albums.values_list("pk", "title")[:MOST_CHOICES]])
    _offer(form, "category", [(name, name) for name in CATEGORIES])
    models = runs.order_by("model").values_list("model", flat=True).distinct()
    _offer(form, "model", [(name, name) for name in models])
    _offer(form, "prompt", [(str(prompt), str(prompt)) for prompt in prompts[:MOST_CHOICES]])
    _offer(form, "lane", AIMetadata.Lane.choices)
    form.fields["status"].widget = forms.Select(choices=Status.choices, attrs={"class": "select"})
    order = [("", "The page’s own"), *Order.choices]
    form.fields["order"].widget = forms.Select(choices=order, attrs={"class": "select"})
    return form


def _offer(form: FilterForm, name: str, choices: Sequence[tuple[str, Any]]) -> None:
    """Let the person choose; what the address asks for stays among the choices, whatever it is."""
    asked = str((form.initial or {}).get(name) or "")
    missing = [(asked, asked)] if asked and asked not in dict(choices) else []
    form.fields[name].widget = forms.Select(choices=[("", "Any"), *choices, *missing], attrs={"class": "select"})
