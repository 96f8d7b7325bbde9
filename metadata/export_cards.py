"""An export as pages show it: sentences, figures, how far it is, and the buttons of those who may press them."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone

from metadata import decided
from metadata.models import Export
from metadata.queue import BadFilter, ReviewFilter
from smugmug.models import Account, Album
from targetvision import progress
from targetvision.models import ACTIVE, RunState
from targetvision.progress import RunCard, count

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST = 100  # on the page; the files of older ones are deleted first
NEWS = datetime.timedelta(days=1)  # so long one that came to nothing is still shown


@dataclass(frozen=True)
class ExportCard(RunCard):
    """What `metadata/_export.html` needs."""

    over: str = ""
    who: str = ""
    download_url: str = ""
    delete_url: str = ""
    kept_until: datetime.datetime | None = None


def shown_to(user: User) -> QuerySet[Export]:
    """What the page lists, newest first: what is under way, what has a file, what came to nothing lately."""
    lately = Q(state__in=(RunState.FAILED, RunState.CANCELLED), finished_at__gte=timezone.now() - NEWS)
    of_use = Q(state__in=ACTIVE) | Q(state=RunState.SUCCEEDED, removed_at=None) | lately
    rows = Export.objects.visible_to(user).filter(of_use).select_related("account", "requested_by")
    return rows.order_by("-created_at", "-pk")[:MOST]  # type: ignore[no-any-return]


def cards(exports: Iterable[Export], *, user: User) -> list[ExportCard]:
    """The exports as a page shows them: two queries, however many there are."""
    rows = list(exports)
    changeable = set(Account.objects.changeable_by(user).values_list("pk", flat=True))
    wanted = {row.filter.get("album") for row in rows} - {None, ""}
    named = Album.objects.visible_to(user).filter(pk__in=wanted) if wanted else []
    albums = {str(album.pk): str(album) for album in named}
    return [card(row, may_change=row.account_id in changeable, albums=albums) for row in rows]


def card(export: Export, *, may_change: bool, albums: dict[str, str] | None = None) -> ExportCard:
    """The export as a page shows it, with its buttons where the person may press them."""
    return ExportCard(
        export,
        title=title(export),
        figures=_figures(export),
        poll_url=reverse("metadata:export", args=[export.pk]),
        cancel_url=reverse("metadata:cancel_export", args=[export.pk]) if may_change and export.is_active else "",
        queue="metadata",
        over=_over(export, albums) if albums is not None else "",
        who=export.requested_by.get_username() if export.requested_by else "",
        download_url=reverse("metadata:download_export", args=[export.pk]) if export.has_file else "",
        delete_url=reverse("metadata:delete_export", args=[export.pk]) if may_change and export.has_file else "",
        kept_until=export.kept_until,
    )


def title(export: Export) -> str:
    """`12,480 photos as CSV`, `Exporting 12,480 photos as CSV`."""
    photos, format = count(export.total or 0, "photo"), export.get_format_display()
    titles = {
        RunState.SUCCEEDED: f"{photos} as {format}",
        RunState.FAILED: f"Export as {format} failed",
        RunState.CANCELLED: f"Export as {format} cancelled",
    }
    return titles.get(RunState(export.state), f"Exporting {photos} as {format}")


def _figures(export: Export) -> str:
    is_moving = export.state == RunState.RUNNING
    return progress.figures(
        f"{export.done:,} of {export.total:,}" if export.total and is_moving else "",
        f"{export.rate:,.0f} a second" if export.rate and is_moving else "",
        progress.time_left(export) if is_moving else "",
        filesizeformat(export.size_bytes) if export.has_file and export.size_bytes else "",
        "the file is deleted" if export.removed_at else "",
    )


def _over(export: Export, albums: dict[str, str]) -> str:
    try:
        return decided.in_words(ReviewFilter.from_json(export.filter), albums)
    except BadFilter:
        return "A filter of another version"


def facts(export: Export) -> list[tuple[str, str]]:
    """What there is to know of an export, as (what, how much)."""
    wanted = {name: value for name, value in export.filter.items() if value and name not in ("account", "album")}
    pairs = [
        ("Format", export.get_format_display()),
        ("Filter", ", ".join(f"{name} {value}" for name, value in wanted.items())),
        ("Photos", f"{export.done:,}"),
        ("Size", filesizeformat(export.size_bytes).replace("\xa0", " ") if export.size_bytes else ""),
        ("File deleted (UTC)", f"{export.removed_at:%-d %b %Y %H:%M}" if export.removed_at else ""),
    ]
    return [(what, value) for what, value in pairs if value]
