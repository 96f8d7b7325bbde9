"""Exports for programs: make one, follow it, fetch its file, delete it."""

from __future__ import annotations

import datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponseBase
from django.urls import reverse
from ninja import Field, Query, Router, Schema, Status

from metadata import downloads, export, jobs
from metadata.api_filters import FilterWish
from metadata.forms_review import Status as State
from metadata.models import Export
from smugmug.api import LONGEST_NICKNAME, RunStatus, StatusQuery, asked_for, chosen_account, named_account, run_status
from smugmug.models import Account, Album
from targetvision.access import SignedInRequest, changeable, visible
from targetvision.models import RunState
from targetvision.problems import ProblemError
from targetvision.schemas import CHANGES, READS, Page, Paging, PlainText, answers, page_of

router = Router(tags=["Exports"])

EXPORTS = Export.objects.select_related("account", "requested_by")


class ExportWish(FilterWish):
    """Which words are to be exported, and as what."""

    format: Export.Format = Field(description="xmp: a zip of sidecars, with a folder for each album.", examples=["csv"])
    status: State = Field(default=State.APPROVED, description="What became of the words.")


class ExportsQuery(Paging):
    """Which exports are asked for."""

    account: PlainText | None = Field(default=None, max_length=LONGEST_NICKNAME, description="Of this library alone.")


class ExportStarted(Schema):
    """An export that was started, or was under way already; a small one is finished by now."""

    job: UUID
    state: RunState
    account: str
    photos: int
    is_new: bool = Field(description="False: the same was under way already, and nothing was started.")
    status_url: str


class ExportStatus(RunStatus):
    """How far an export is, and where its file is."""

    format: Export.Format
    filter: dict[str, str]
    total: int | None = Field(description="Photos.")
    done: int
    size_bytes: int | None
    download_url: str | None = Field(description="null as long as there is no file, and when it was deleted.")
    kept_until: datetime.datetime | None


class ExportPage(Page):
    items: list[ExportStatus]


@router.post("", response=answers({202: ExportStarted}, *CHANGES), summary="Export words")
def start_export(request: SignedInRequest, wish: ExportWish) -> Status[dict[str, Any]]:
    """Write the words that the filter finds into a file; without a status, the approved ones."""
    account = _account(request, wish)
    try:
        found, is_new = export.start(account, by=request.user, format=wish.format, filter=wish.wanted(account))
    except export.NotPossible as exc:
        raise ProblemError(422, str(exc)) from None
    if is_new:
        jobs.begin_export(found)
    started = {
        "job": found.pk,
        "state": found.state,
        "account": account.nickname,
        "photos": found.total,
        "is_new": is_new,
        "status_url": f"{reverse('api:export_status')}?job={found.pk}",
    }
    return Status(202, started)


def _account(request: SignedInRequest, wish: ExportWish) -> Account:
    """The library that is meant; 404 and 403 where it, or the album, is not the person's to export from."""
    if wish.album is None:
        return chosen_account(request, wish.account or None)
    album: Album = changeable(request, Album.objects.select_related("account"), pk=wish.album)
    if wish.account and named_account(request, wish.account) != album.account:
        raise ProblemError(422, f"That album is not in the library {wish.account}.")
    return album.account


@router.get("", response=answers({200: ExportPage}, *READS), summary="Exports")
def list_exports(request: SignedInRequest, which: Query[ExportsQuery]) -> dict[str, Any]:
    """The exports of your libraries, newest first, also those whose files are deleted."""
    rows = EXPORTS.visible_to(request.user).order_by("-created_at", "-pk")
    if which.account:
        rows = rows.filter(account=named_account(request, which.account))
    page = page_of(request, rows, which)
    return {**page, "items": [_status(found) for found in page["items"]]}


@router.get("/status", response=answers({200: ExportStatus}, *READS), summary="How far an export is")
def export_status(request: SignedInRequest, which: Query[StatusQuery]) -> dict[str, Any]:
    """The export that is asked for, else the newest that you may see; 404 where there is none."""
    return _status(asked_for(request, EXPORTS, which))


FILE = {
    "responses": {
        200: {
            "description": "The file.",
            "content": {
                media_type.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}}
                for media_type in downloads.MEDIA_TYPES.values()
            },
        }
    }
}


@router.get("/{uuid:job}/download", response=answers({200: None}, *READS), openapi_extra=FILE, summary="The file")
def download_export(request: SignedInRequest, job: UUID) -> HttpResponseBase:
    """The file of an export, to those who may see its library now. 404 where there is none, or not any more."""
    return downloads.answer(visible(request, EXPORTS, pk=job))


@router.post("/{uuid:job}/cancel", response=answers({200: ExportStatus}, *CHANGES, 409), summary="Cancel an export")
def cancel_export(request: SignedInRequest, job: UUID) -> dict[str, Any]:
    """Stop an export; nothing of it stays. 409 where it is over."""
    found = changeable(request, EXPORTS, pk=job)
    if not export.cancel(found, by=request.user):
        raise ProblemError(409, f"This export is over: {found.get_state_display().lower()}.")
    return _status(found)


@router.delete("/{uuid:job}", response=answers({200: ExportStatus}, *CHANGES, 409), summary="Delete a file")
def delete_export(request: SignedInRequest, job: UUID) -> dict[str, Any]:
    """Delete the file of an export; that it was there stays known. 409 where there is no file."""
    found = changeable(request, EXPORTS, pk=job)
    if not export.delete(found, by=request.user):
        raise ProblemError(409, "This export has no file.")
    return _status(found)


def _status(found: Export) -> dict[str, Any]:
    same = ("format", "filter", "total", "done", "size_bytes", "kept_until")
    return run_status(found, queue="metadata") | {
        **{name: getattr(found, name) for name in same},
        "download_url": reverse("api:download_export", args=[found.pk]) if found.has_file else None,
    }
