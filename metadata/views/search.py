"""The page of search: one box, what it finds, and by what that can be narrowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from metadata import library, search
from metadata.search import Asked, hits
from metadata.search.asked import STATUSES, typed
from smugmug.models import Photo
from targetvision.access import SignedInRequest, visible
from targetvision.templates import template_for

PAGE = 40
TITLES = {"status": "Status", "library": "Library", "album": "Album", "tag": "Tag", "camera": "Camera"}
EXAMPLES = (
    ("dog in the snow", "words, or what they mean"),
    ('"golden hour"', "these words side by side"),
    ("beach -people", "without a word"),
    ("tag:snow before:2019", "a tag or keyword, taken before 2019"),
    ("album:Picos status:waiting", "in an album, not reviewed yet"),
    ("camera:canon after:2024-05", "taken with it, from May 2024 on"),
)


@dataclass(frozen=True)
class Choice:
    """A value to narrow by, or to take away again; `count` is None for any value, as long as one is chosen."""

    label: str
    count: int | None
    url: str
    is_current: bool
    is_any: bool = False


@dataclass(frozen=True)
class Facet:
    title: str
    choices: list[Choice]


@require_GET
def page(request: SignedInRequest) -> HttpResponse:
    """What was asked for, the best first; with `from` what comes behind so many, as a fragment for htmx."""
    asked, like = _asked(request)
    start = _number(request.GET.get("from", ""))
    found = search.again(request.user, asked, like) if start else search.find(request.user, asked, like)
    part = found.hits(start, PAGE)
    rest = start + PAGE
    context = {
        "here": "search",
        "asked": asked,
        "like": like,
        "found": found,
        "has_asked": bool(like) or not asked.is_empty,
        "is_narrowed": bool(asked.filters),
        "wide_url": _url(asked.text_without(), like),
        "matches": hits.matches(request.user, found, part),
        "next_url": _url(asked.text, like, start=rest) if rest < len(found) else "",
        "facets_url": f"{reverse('metadata:search_facets')}?{_query(asked.text, like)}",
        "examples": [(example, what, _url(example, None)) for example, what in EXAMPLES],
    }
    return render(request, template_for(request, "metadata/search.html", partial="hits"), context)


@require_GET
def facets(request: SignedInRequest) -> HttpResponse:
    """By what the found can be narrowed, with how many each leaves, as a fragment that comes after the page."""
    asked, like = _asked(request)
    found = search.again(request.user, asked, like)
    context = {
        "here": "search",
        "asked": asked,
        "like": like,
        "found": found,
        "facets": _facets(hits.counts(request.user, found), asked, like),
        "share": hits.share(request.user),
        "page_url": _url(asked.text, like),
    }
    name = template_for(request, "metadata/search_facets.html", partial="facets")
    return render(request, name, context)


def _asked(request: SignedInRequest) -> tuple[Asked, Any]:
    """The question, and the photo that others are to be like."""
    asked = Asked.read(request.GET.get("q", ""))
    if not (key := request.GET.get("like")):
        return asked, None
    try:
        pk = UUID(key)
    except ValueError:
        raise Http404 from None
    photo: Any = visible(request, Photo.objects.present().select_related("ai_metadata"), pk=pk)
    library.dress_photo(photo)
    return asked, photo


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0  # noqa: PLR2004


def _query(text: str, like: Photo | None, start: int = 0) -> str:
    values = {"q": text, "like": like.pk if like else "", "from": start or ""}
    return urlencode({name: value for name, value in values.items() if value})


def _url(text: str, like: Photo | None, start: int = 0) -> str:
    return f"{reverse('metadata:search')}?{_query(text, like, start)}"


def _facets(counted: dict[str, list[tuple[str, int]]], asked: Asked, like: Photo | None) -> list[Facet]:
    """Those in which there is something to choose; the libraries where there are several."""
    shown = []
    for name, title in TITLES.items():
        values = counted[name]
        if values and (name != "library" or len(values) > 1 or asked.values(name)):
            shown.append(Facet(title, [_choice(name, *value, asked, like) for value in values]))
    if shown and counted["status"]:
        shown[0].choices.insert(0, _any_status(sum(count for _, count in counted["status"]), asked, like))
    return shown


def _any_status(count: int, asked: Asked, like: Photo | None) -> Choice:
    is_current = not any(one.name == "status" for one in asked.filters)
    return Choice(
        "Any", count if is_current else None, _url(asked.text_without("status"), like), is_current, is_any=True
    )


def _choice(name: str, value: str, count: int, asked: Asked, like: Photo | None) -> Choice:
    bare = typed(name, value).lower()
    current = next((one for one in asked.values(name) if typed(name, one).lower() == bare), "")
    text = asked.text_without(name, current) if current else asked.text_with(name, value)
    label = STATUSES[value] if name == "status" else value
    return Choice(label, count, _url(text, like), bool(current))
