"""Search for programs: the same question and the same list as on the page."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from django.http import Http404
from django.urls import reverse
from ninja import Field, Query, Router, Schema
from pydantic import BaseModel

from metadata import search
from metadata.search import Asked, hits
from metadata.search.asked import LONGEST
from smugmug import images
from smugmug.models import Photo
from targetvision.access import SignedInRequest, visible
from targetvision.schemas import READS, Page, PlainText, answers

router = Router(tags=["Search"])


class Question(BaseModel):
    """What is looked for, and which page of what is found."""

    q: PlainText = Field(
        default="",
        max_length=LONGEST,
        description='Words, "phrases", -word, tag:, album:, status:, before:, after:, camera:, library:. The last word '
        "may be the beginning of one.",
        examples=["dog in the snow tag:winter before:2019"],
    )
    like: UUID | None = Field(default=None, description="Our id of a photo: those like it, which q may narrow.")
    page: int = Field(default=1, ge=1, le=1_000, description="Counted from 1; 404 beyond the last.")
    page_size: int = Field(default=50, ge=1, le=100)


class HitOut(Schema):
    """A photo that was found."""

    id: UUID
    album: UUID = Field(description="Its home album.")
    image_key: str
    filename: str
    title: str
    description: str
    date_taken: str | None = Field(description="What the camera's clock said: ISO 8601 without a time zone.")
    status: Literal["approved", "waiting", "rejected", "undescribed"]
    why: str = Field(description="Where it matches.", examples=["title, tag “fog” and meaning"])
    by_words: bool
    by_meaning: bool
    thumbnail_url: str
    page_url: str


class SearchPage(Page):
    items: list[HitOut]
    is_capped: bool = Field(description="There are more photos with these words than are listed.")
    sentences: list[str] = Field(description="What of the question made no sense, or could not be done.")
    milliseconds: int


@router.get("", response=answers({200: SearchPage}, *READS), summary="Search photos")
def search_photos(request: SignedInRequest, question: Query[Question]) -> dict[str, Any]:
    """Photos of your libraries by their words and their meaning, the best first. Nothing asked for finds nothing."""
    like: Any = None
    if question.like:
        like = visible(request, Photo.objects.present(), pk=question.like)
    asked = Asked.read(question.q)
    find = search.find if question.page == 1 else search.again
    found = find(request.user, asked, like)
    pages = max(1, -(-len(found) // question.page_size))
    if question.page > pages:
        raise Http404(f"There is no such page: this list has {pages} page{'s' * (pages != 1)}.")
    start = (question.page - 1) * question.page_size
    shown = hits.matches(request.user, found, found.hits(start, question.page_size))
    return {
        "page": question.page,
        "page_size": question.page_size,
        "pages": pages,
        "total": len(found),
        "next": _address(request, question.page + 1) if question.page < pages else None,
        "previous": _address(request, question.page - 1) if question.page > 1 else None,
        "items": [_out(match) for match in shown],
        "is_capped": found.is_capped,
        "sentences": [*asked.sentences, *found.sentences, *filter(None, [found.sentence])],
        "milliseconds": found.milliseconds,
    }


def _address(request: SignedInRequest, page: int) -> str:
    query = request.GET.copy()
    query["page"] = str(page)
    return f"{request.path}?{query.urlencode()}"


def _out(match: hits.Match) -> dict[str, Any]:
    photo, words = match.photo, match.photo.words
    return {
        "id": photo.pk,
        "album": photo.album_id,
        "image_key": photo.image_key,
        "filename": photo.filename,
        "title": (words.ai_title if words else "") or photo.title,
        "description": words.ai_description if words else "",
        "date_taken": photo.date_taken.isoformat() if photo.date_taken else None,
        "status": match.status,
        "why": match.why,
        "by_words": match.by_words,
        "by_meaning": match.by_meaning,
        "thumbnail_url": images.address(photo, "thumb"),
        "page_url": reverse("metadata:photo", args=[photo.pk]),
    }
