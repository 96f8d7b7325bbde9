"""A sync as pages show it: sentences, figures, and the buttons of those who may press them."""

from __future__ import annotations

from django.conf import settings
from django.urls import reverse

from smugmug.models import SyncRun
from smugmug.reading import ALBUM_LIST
from targetvision import progress
from targetvision.models import RunState
from targetvision.progress import RunCard, count

UNDER_WAY = {
    SyncRun.Kind.FULL: "Syncing all of {}",
    SyncRun.Kind.INCREMENTAL: "Syncing what changed in {}",
    SyncRun.Kind.VERIFY: "Checking everything in {}",
}
RETRIED = (RunState.PARTIAL, RunState.FAILED)
NOUNS = {
    SyncRun.Kind.FULL: "Full sync",
    SyncRun.Kind.INCREMENTAL: "Sync of changes",
    SyncRun.Kind.VERIFY: "Check of everything",
}


def card(run: SyncRun, *, may_change: bool) -> RunCard:
    """The sync as a page shows it, with its buttons where the person may press them."""
    may_press = may_change and run.is_active
    may_retry = may_change and run.state in RETRIED
    return RunCard(
        run,
        title=_title(run),
        figures=(_figures_so_far(run) if run.is_active else _figures_in_the_end(run)) if run.started_at else "",
        detail=_budget() if run.is_being_worked_on else "",
        poll_url=reverse("smugmug:sync_run", args=[run.pk]),
        cancel_url=reverse("smugmug:cancel_sync", args=[run.pk]) if may_press else "",
        continue_url=reverse("smugmug:continue_sync", args=[run.pk]) if may_press else "",
        retry_url=reverse("smugmug:retry_sync", args=[run.pk]) if may_retry else "",
        retry_label=_retry_label(run),
        queue="smugmug",
        errors=run.errors,
    )


def failed_albums(run: SyncRun) -> list[str]:
    """The keys of the albums that the sync could not read; none where it was the list of them."""
    keys = [error["key"] for error in run.errors]
    return [] if ALBUM_LIST in keys else keys


def _retry_label(run: SyncRun) -> str:
    failed = len(failed_albums(run))
    return f"Read {count(failed, 'album')} again" if failed else "Start it again"


def facts(run: SyncRun) -> list[tuple[str, str]]:
    """What there is to know of a sync, as (what, how much)."""
    read = f"{run.done:,} of {run.total:,}" if run.total is not None else f"{run.done:,}"
    return [
        ("Requests made", progress.figures(f"{run.requests_made:,}", _pace(run))),
        ("Albums read", read),
        ("Albums locked", f"{run.albums_locked:,}"),
        ("Photos seen", f"{run.photos_seen:,}"),
        ("New, changed, removed", f"{run.photos_new:,}, {run.photos_changed:,}, {run.photos_removed:,}"),
    ]


def _title(run: SyncRun) -> str:
    if run.is_active:
        return UNDER_WAY.get(SyncRun.Kind(run.kind), f"Syncing {_albums(run)} of {{}}").format(run.account)
    noun = NOUNS.get(SyncRun.Kind(run.kind), f"Sync of {_albums(run)}")
    return {
        RunState.PARTIAL: f"{noun} finished, {_trouble(run)}",
        RunState.FAILED: f"{noun} failed",
        RunState.CANCELLED: f"{noun} cancelled",
    }.get(RunState(run.state), f"{noun} finished")


def _trouble(run: SyncRun) -> str:
    failed = len(failed_albums(run))
    return f"{count(failed, 'album')} could not be read" if failed else "but not all of it"


def _albums(run: SyncRun) -> str:
    return count(len(run.album_keys), "album")


def _budget() -> str:
    return f"All syncs together may ask SmugMug {settings.SMUGMUG_REQUESTS_PER_SECOND:g} times a second."


def _pace(run: SyncRun) -> str:
    seconds = run.seconds or 0
    return f"{run.requests_made / seconds:.1f} a second" if seconds >= 1 else ""


def _figures_so_far(run: SyncRun) -> str:
    return progress.figures(
        f"album {run.done:,} of {run.total:,}" if run.total is not None else "reading the list of albums",
        f"{count(run.photos_seen, 'photo')} seen",
        *_changes(run),
        ", ".join(filter(None, [count(run.requests_made, "request"), _pace(run)])),
        progress.time_left(run),
    )


def _figures_in_the_end(run: SyncRun) -> str:
    is_quiet = run.kind == SyncRun.Kind.INCREMENTAL and run.state == RunState.SUCCEEDED and not run.done
    read = f"{count(run.photos_seen, 'photo')} in {count(run.done, 'album')}" if run.done else ""
    return progress.figures(
        "nothing had changed" if is_quiet else read,
        *_changes(run),
        count(run.requests_made, "request"),
    )


def _changes(run: SyncRun) -> list[str]:
    """What the sync has changed in the mirror so far; nothing of what it has not."""
    numbers = {"new": run.photos_new, "changed": run.photos_changed, "removed": run.photos_removed}
    changes = [f"{number:,} {what}" for what, number in numbers.items() if number]
    return changes + ([f"{count(run.albums_locked, 'album')} locked"] if run.albums_locked else [])
