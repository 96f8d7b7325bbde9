"""Words out of the house: all that a filter finds in a library as one file. Never the network.

An export is begun anew after a kill: its rows are read as they stand at one moment, and a hundred thousand take some
seconds. Who works on it writes a file of their own; which one counts, the row says, when it has succeeded.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from metadata import export_formats, export_rows
from metadata.export_rows import Row
from metadata.models import Export
from metadata.models.exports import KEPT
from metadata.queue import BadFilter, ReviewFilter
from smugmug import audit
from smugmug.models import Account
from targetvision import logs
from targetvision.models import ACTIVE, RunState

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = logging.getLogger(__name__)

SMALL = 1_000  # photos that are written at once, while the person waits
BEAT_SECONDS = 1.0
ATTEMPTS = 5
ROW_BYTES = 4_000  # at most, of a photo with many words
KEPT_FREE = 256 * 2**20  # bytes that stay free for the database, which may lie on the same disk
STRAY_SECONDS = 86_400  # after which a file that belongs to no export is deleted
FULL = "The disk of this server is full. Nothing is lost: delete old exports, or make room, and export again."
OFTEN = "It was begun {} times and never came to its end. The log of the workers says more."
UNKNOWN = "Its filter is of another version. Export again."
MIB = 2**20

Format = Export.Format


class NotPossible(Exception):
    """Nothing is exported; str() is a sentence for the person."""


class Lost(Exception):
    """The export was stopped, or is in other hands."""


def start(account: Account, *, by: User | None, format: str, filter: ReviewFilter) -> tuple[Export, bool]:
    """A new export, to be carried on; or the same one that is under way, and False. NotPossible where none can be."""
    total = export_rows.count(account, filter)
    if not total:
        raise NotPossible("No photo fits, so there is nothing to export.")
    check_room(total)
    kept = replace(filter, account=account.nickname, order="").to_json()
    try:
        with transaction.atomic():
            export = Export.objects.create(
                account=account, requested_by=by, format=format, filter=kept, total=total, created_at=timezone.now()
            )
            who = audit.person(by) if by else audit.COMMAND
            audit.record(account, who=who, action="export", run=export, result="started", detail=_detail(export))
    except IntegrityError:
        same = Export.objects.active().filter(account=account, format=format, filter=kept).first()
        return (same, False) if same else start(account, by=by, format=format, filter=filter)  # it is over by now
    logger.info("export %s: %s photos as %s", export.pk, total, format)
    return export, True


def _detail(export: Export) -> str:
    return f"{export.get_format_display()}, {export.total:,} photos, {export.filter['status']}"


def check_room(photos: int) -> None:
    """NotPossible where the disk has too little room for so many."""
    need, free = photos * ROW_BYTES + KEPT_FREE, _free()
    if free < need:
        raise NotPossible(
            f"There is too little room on the disk of this server: about {need // MIB:,} MB are needed, "
            f"{free // MIB:,} MB are free. Delete old exports, or make room."
        )


def _free() -> int:
    return shutil.disk_usage(folder()).free


# --- Writing -----------------------------------------------------------------------------------------------------


def carry_on(export: Export) -> None:
    """Write the file from its beginning to its end; nothing where the export is over or in other hands."""
    if not export.begin(alone=True):
        return
    export.beat(attempts=F("attempts") + 1, done=0)
    with logs.about(export=export.pk, account=export.account_id):
        if export.attempts > ATTEMPTS:
            export.finish(RunState.FAILED, OFTEN.format(ATTEMPTS))
            return
        try:
            _write(export)
        except Lost:
            logger.info("export %s is stopped or in other hands", export.pk)
        except BadFilter:
            export.finish(RunState.FAILED, UNKNOWN)
        except OSError as exc:
            if exc.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            logger.warning("export %s: the disk is full", export.pk)
            export.finish(RunState.FAILED, FULL)


def _write(export: Export) -> None:
    wanted = ReviewFilter.from_json(export.filter)
    with _draft(path(export)) as file:
        rows = _counted(export, export_rows.rows(export.account, wanted, export.format))
        for piece in export_formats.encode(rows, export.account, wanted, export.format):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
        if not export.beat(size_bytes=file.tell(), total=export.done) or not export.finish(RunState.SUCCEEDED):
            raise Lost
    logger.info("export %s is done: %s photos, %s bytes", export.pk, export.done, export.size_bytes)


def _counted(export: Export, rows: Iterable[Row]) -> Iterator[Row]:
    """The rows, while the export tells how far it is; Lost where it is stopped, OSError where the disk runs full."""
    number, next_beat = 0, time.monotonic() + BEAT_SECONDS
    for number, row in enumerate(rows, start=1):
        yield row
        if time.monotonic() >= next_beat:
            next_beat = time.monotonic() + BEAT_SECONDS
            _beat(export, number)
    _beat(export, number)


def _beat(export: Export, done: int) -> None:
    if not export.beat(done=done):
        raise Lost
    if _free() < KEPT_FREE // 2:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def _draft(path: Path) -> Iterator[BinaryIO]:
    """A new file that nobody else on the machine can read; gone where anything goes wrong."""
    with ExitStack() as undo:
        undo.callback(path.unlink, missing_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=MIB) as file:
            yield file
        undo.pop_all()


# --- The files ---------------------------------------------------------------------------------------------------


def folder() -> Path:
    """Where the files are; made where it is not there."""
    found: Path = settings.DATA_DIR / "exports"
    found.mkdir(mode=0o700, parents=True, exist_ok=True)
    return found


def path(export: Export) -> Path:
    """The file of the export: no part of its name can be guessed."""
    assert export.holder is not None  # somebody works on it, or did to the end
    return folder() / f"{export.pk.hex}-{export.holder.hex}"


def download_name(export: Export) -> str:
    """What the file is called where somebody saves it: `library-approved-2026-11-22.csv`."""
    ending = "xmp.zip" if export.format == Format.XMP else export.format
    stem = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in export.account.nickname)
    return f"{stem}-{export.filter['status']}-{export.created_at:%Y-%m-%d}.{ending}"


def cancel(export: Export, *, by: User) -> bool:
    """Stop it; nothing of it stays. False where it was over."""
    won = export.cancel()
    if won:
        _record(export, by, "export", "cancelled")
    return won


def delete(export: Export, *, by: User) -> bool:
    """Delete its file; that it was there stays known. False where there is none."""
    won = _remove(export)
    if won:
        _record(export, by, "delete an export", "done")
    return won


def _record(export: Export, by: User, action: str, result: str) -> None:
    audit.record(export.account, who=audit.person(by), action=action, run=export, result=result)


def _remove(export: Export) -> bool:
    there = Export.objects.filter(pk=export.pk, state=RunState.SUCCEEDED, removed_at=None)
    won = bool(there.update(removed_at=timezone.now()))
    if won:
        path(export).unlink(missing_ok=True)
    export.refresh_from_db()
    return won


def sweep() -> int:
    """Delete the files that were kept for a week, and those that belong to no export any more; how many went."""
    old = Export.objects.filter(state=RunState.SUCCEEDED, removed_at=None, finished_at__lt=timezone.now() - KEPT)
    gone = sum(_remove(export) for export in old)
    may_have_one = Q(state=RunState.SUCCEEDED, removed_at=None) | Q(state__in=ACTIVE)
    wanted = {path(export).name for export in Export.objects.filter(may_have_one, holder__isnull=False)}
    for stray in folder().iterdir():
        with suppress(FileNotFoundError):
            if stray.name not in wanted and time.time() - stray.stat().st_mtime > STRAY_SECONDS:
                stray.unlink()
                gone += 1
    return gone
