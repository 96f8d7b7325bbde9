"""Albums, galleries, one photo."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from metadata import history, library, money, notes, selection
from metadata.forms import NoteForm
from metadata.models import ProcessingRun
from metadata.views.dashboard import run_card
from smugmug.models import Album, Photo
from targetvision.access import SignedInRequest, visible
from targetvision.templates import template_for

ALBUMS_A_PAGE = 60


@require_GET
def albums(request: SignedInRequest) -> HttpResponse:
    """All albums of the person's libraries, newest first."""
    query = request.GET.get("q", "").replace("\x00", "").strip()[:200]
    rows = Album.objects.visible_to(request.user).present().named_like(query).newest_first().select_related("account")
    page = Paginator(rows, ALBUMS_A_PAGE).get_page(request.GET.get("page"))
    photos = Photo.objects.visible_to(request.user).present().count()
    context = {
        "here": "albums",
        "page": page,
        "albums": library.dress_albums(page.object_list),
        "totals": {"albums": page.paginator.count, "photos": photos},
        "query": query,
    }
    return render(request, "metadata/albums.html", context)


@require_GET
def album(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """One album's photos, fifty at a time. A big one's are counted after the page, by an address of its own."""
    found = visible(request, Album.objects.select_related("account"), pk=pk)
    show = request.GET.get("show", "all")
    show = show if show in library.SHOWS else "all"
    after = request.GET.get("after", "")
    photos, position = library.gallery(found, show=show, after=int(after) if _is_small_number(after) else 0)
    url = reverse("metadata:album", args=[pk])
    is_later = "counts" in request.GET
    counts = library.gallery_counts(found) if is_later or found.image_count <= library.QUICKLY_COUNTED else {}
    may_change = Album.objects.changeable_by(request.user).filter(pk=pk).exists()
    active = ProcessingRun.objects.active().filter(album=found).select_related("album")
    context = {
        "here": "albums",
        "album": found,
        "photos": photos,
        "next_url": f"{url}?{urlencode({'show': show, 'after': position})}" if position else "",
        "show": show,
        "shows": [
            (name, label, counts.get(name, 0), f"{url}?show={name}", name == show)
            for name, (label, _) in library.SHOWS.items()
        ],
        "counts": counts,
        "counts_url": f"{url}?{urlencode({'show': show, 'counts': 1})}",
        "is_later": is_later,
        "undescribed": counts.get("undescribed"),
        "failures": library.failures_in(found) if show == "failed" else [],
        "is_free": money.is_local(),
        "waiting": counts.get("waiting"),
        "may_change": may_change,
        "note_form": NoteForm.of(notes.of(found)),
        "note_url": reverse("metadata:album_note", args=[pk]),
        "runs": [run_card(run, may_change) for run in [*active, *library.syncs_of(found, timezone.now())]],
    }
    part = "counted" if is_later else "tiles"
    return render(request, template_for(request, "metadata/album.html", partial=part), context)


def _is_small_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


@require_GET
def photo(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """One photo: the AI's words beside SmugMug's own, the camera's data, and the history."""
    found: Any = visible(request, Photo.objects.select_related("ai_metadata", "album", "account"), pk=pk)
    library.dress_photo(found)
    standings = list(Album.objects.visible_to(request.user).filter(standings__photo=found).present().order_by("title"))
    here = next((album for album in standings if str(album.pk) == request.GET.get("album")), found.album)
    before, after = library.neighbours(found, here)
    may_change = Photo.objects.changeable_by(request.user).filter(pk=pk).exists()
    active = ProcessingRun.objects.active().filter(photo=found).select_related("album")
    context = {
        "here": "albums",
        "photo": found,
        "words": found.words,
        "mark": found.mark,
        "mark_title": found.mark_title,
        "history": history.steps(found.words),
        "albums": standings,
        "album": here,
        "previous_url": _photo_url(before, here),
        "next_url": _photo_url(after, here),
        "may_change": may_change,
        "can_be_described": may_change and selection.is_describable(found, sends=not money.is_local()),
        "runs": [run_card(run, may_change) for run in active],
    }
    return render(request, "metadata/photo.html", context)


def _photo_url(photo: Photo | None, album: Album) -> str:
    return f"{reverse('metadata:photo', args=[photo.pk])}?album={album.pk}" if photo else ""
