"""What was done to the libraries, and what came of it: runs of both kinds as one list, and the audit trail. Reads only;
the number of queries never grows with the number of rows."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Count, Q
from django.utils.dateparse import parse_datetime

from metadata.models import AIMetadata, ChangeSet, Export, ProcessingRun
from smugmug import audit
from smugmug.models import Account, Album, AuditEntry, SyncRun
from targetvision.models import ACTIVE, Run, RunState

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet

RUNS_A_PAGE = 30
ENTRIES_A_PAGE = 60

# What the runs can be narrowed to: name → label. `describe` are the processing runs, the others kinds of sync.
KINDS = {
    "": "Everything",
    SyncRun.Kind.INCREMENTAL.value: "Syncs of changes",
    SyncRun.Kind.FULL.value: "Full syncs",
    SyncRun.Kind.VERIFY.value: "Checks",
    SyncRun.Kind.ALBUMS.value: "Single albums",
    "describe": "Descriptions",
    "export": "Exports",
    "publish": "Publishing",
}
STATES: dict[str, tuple[str, tuple[RunState, ...]]] = {
    "": ("Any outcome", tuple(RunState)),
    "active": ("Under way", ACTIVE),
    "good": ("Finished", (RunState.SUCCEEDED,)),
    "trouble": ("With trouble", (RunState.PARTIAL, RunState.FAILED)),
    "cancelled": ("Cancelled", (RunState.CANCELLED,)),
}
WHO: dict[str, tuple[str, Q]] = {
    "": ("Everybody", Q()),
    "people": ("People", Q(who__startswith="user:")),
    "command": ("Commands", Q(who=audit.COMMAND)),
    "schedule": ("The schedule", Q(who=audit.SCHEDULE)),
}


@dataclass(frozen=True)
class Narrowing:
    """What of the activity is asked for; "" is everything. `before` is where the last page ended."""

    library: str = ""
    kind: str = ""
    state: str = ""
    who: str = ""
    before: str = ""


@dataclass(frozen=True)
class Reason:
    """Why something could not be done, and what: names with the album behind each, where there is one, or a count."""

    sentence: str
    things: list[tuple[str, UUID | None]] = field(default_factory=list)
    photos: int = 0
    is_skip: bool = False


def live(user: User, wish: Narrowing) -> list[Run]:
    """The runs that are not over, newest first."""
    found = [run for rows in _runs(user, wish) for run in rows.active()]  # type: ignore[attr-defined]
    return sorted(found, key=_order, reverse=True)


def past(user: User, wish: Narrowing) -> tuple[list[Run], str]:
    """A page of the runs that are over, newest first, and where the next page begins ("" at the end)."""
    found: list[Run] = []
    before = _position(wish.before, UUID)
    for rows in _runs(user, wish):
        found += _before(rows.exclude(state__in=ACTIVE), before)[: RUNS_A_PAGE + 1]
    found.sort(key=_order, reverse=True)
    return _page(found, RUNS_A_PAGE)


def entries(user: User, wish: Narrowing) -> tuple[list[AuditEntry], str]:
    """A page of the audit trail, newest first, and where the next page begins ("" at the end)."""
    rows = AuditEntry.objects.visible_to(user).filter(WHO[wish.who][1])
    if wish.library:
        rows = rows.filter(account__nickname=wish.library)
    return _page(list(_before(rows, _position(wish.before, int))[: ENTRIES_A_PAGE + 1]), ENTRIES_A_PAGE)


def _runs(user: User, wish: Narrowing) -> list[QuerySet[Any]]:
    """The runs that are asked for: one list for each model that has some."""
    accounts = Account.objects.visible_to(user)
    if wish.library:
        accounts = accounts.filter(nickname=wish.library)
    of_these = Q(account__in=list(accounts.values_list("pk", flat=True)), state__in=STATES[wish.state][1])
    found: list[QuerySet[Any]] = []
    if wish.kind in ("", *SyncRun.Kind.values):
        of_kind = Q(kind=wish.kind) if wish.kind else Q()
        found.append(SyncRun.objects.filter(of_these, of_kind).select_related("account", "requested_by"))
    if wish.kind in ("", "describe"):
        related = ("account", "requested_by", "album", "photo", "prompt")
        found.append(ProcessingRun.objects.filter(of_these).select_related(*related))
    if wish.kind in ("", "export"):
        found.append(Export.objects.filter(of_these).select_related("account", "requested_by"))
    if wish.kind in ("", "publish"):
        found.append(ChangeSet.objects.armed().filter(of_these).select_related("account", "requested_by"))
    return found


def _before(rows: QuerySet[Any], position: tuple[datetime.datetime, Any] | None) -> QuerySet[Any]:
    """The rows that were made before a position, newest first."""
    if position:
        at, pk = position
        rows = rows.filter(Q(created_at__lt=at) | Q(created_at=at, pk__lt=pk))
    return rows.order_by("-created_at", "-pk")


def _order(run: Run) -> tuple[datetime.datetime, UUID]:
    return run.created_at, run.pk


def _page(rows: list[Any], size: int) -> tuple[list[Any], str]:
    page = rows[:size]
    return page, f"{page[-1].created_at.isoformat()}_{page[-1].pk}" if len(rows) > size else ""


def _position(text: str, key: type) -> tuple[datetime.datetime, Any] | None:
    """Where a page begins; None, the newest, for a text that says no place."""
    at, _, pk = text.partition("_")
    try:
        moment = parse_datetime(at)
        return (moment, key(pk)) if moment and moment.tzinfo else None
    except ValueError:
        return None


def starters(runs: Iterable[Run]) -> dict[UUID, str]:
    """Who began each run, as the audit trail has it; by the run's id."""
    ids = [run.pk for run in runs]
    rows = AuditEntry.objects.filter(run__in=ids).order_by("run", "created_at", "pk").distinct("run")
    return {entry.run: entry.who for entry in rows if entry.run}


def reasons(runs: Sequence[Run]) -> dict[UUID, list[Reason]]:
    """Why not everything was done, for each run by its id: albums by the sentence, photos by theirs, with how many."""
    found: dict[UUID, list[Reason]] = {}
    keys = {error["key"] for run in runs if isinstance(run, SyncRun) for error in run.errors}
    accounts = {run.account_id for run in runs}  # type: ignore[attr-defined]
    albums = dict(Album.objects.filter(account__in=accounts, album_key__in=keys).values_list("album_key", "pk"))
    for run in runs:
        by_sentence: dict[str, list[tuple[str, UUID | None]]] = {}
        for error in run.errors:
            thing = (error["title"] or error["key"], albums.get(error["key"]))
            by_sentence.setdefault(error["sentence"], []).append(thing)
        found[run.pk] = [Reason(sentence, things) for sentence, things in by_sentence.items()]
    for run_id, status, sentence, photos in _photo_reasons(runs):
        is_skip = status == AIMetadata.Processing.SKIPPED
        found[run_id].append(Reason(sentence, photos=photos, is_skip=is_skip))
    return found


def _photo_reasons(runs: Iterable[Run]) -> Any:
    """(run, status, sentence, how many photos), the most frequent first."""
    ids = [run.pk for run in runs if isinstance(run, ProcessingRun)]
    rows = AIMetadata.objects.filter(run__in=ids).without_words().order_by()  # type: ignore[attr-defined]
    counted = rows.values_list("run", "processing_status", "error").annotate(photos=Count("pk"))
    return counted.order_by("-photos", "error")


def album_titles(runs: Iterable[Run]) -> dict[str, str]:
    """The titles of the albums that syncs of single albums are about, by SmugMug's key."""
    syncs = [run for run in runs if isinstance(run, SyncRun) and run.album_keys]
    accounts, keys = {run.account_id for run in syncs}, {key for run in syncs for key in run.album_keys}
    rows = Album.objects.filter(account__in=accounts, album_key__in=keys)
    return dict(rows.values_list("album_key", "title"))
