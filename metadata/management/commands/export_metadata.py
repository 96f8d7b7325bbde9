"""Export the words of a library, for cron and for people."""

from __future__ import annotations

import errno
import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from metadata import export, export_formats, export_rows
from metadata.export_rows import Row
from metadata.forms_review import Status
from metadata.models import AIMetadata, Export
from metadata.queue import BadFilter, ReviewFilter
from smugmug import audit
from smugmug.management.commands.sync_smugmug import find_album
from smugmug.models import Account

STDOUT = "-"


class Command(BaseCommand):
    help = "Export the words of an account's photos, the approved ones unless told otherwise. Exit status: 0, or 1."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("nickname", help="the account's SmugMug nickname")
        parser.add_argument("--format", choices=Export.Format.values, required=True, help="xmp: a zip of sidecars")
        parser.add_argument(
            "--output", metavar="FILE", default=STDOUT, help="where to; without it, or with -, to standard output"
        )
        parser.add_argument("--force", action="store_true", help="replace the file where it is there")
        parser.add_argument("--status", choices=Status.values, default=Status.APPROVED.value, help="else approved")
        parser.add_argument("--album", metavar="KEY", help="only the photos of this album (SmugMug's key)")
        parser.add_argument("--after", metavar="DAY", default="", help="taken on that day or later: 2026-05-31")
        parser.add_argument("--before", metavar="DAY", default="", help="taken on that day or earlier")
        parser.add_argument("--lane", choices=AIMetadata.Lane.values, default="", help="only of this lane of review")
        for name in ("tag", "category", "model", "prompt", "text"):
            parser.add_argument(f"--{name}", default="", help=f"only with this {name}")

    def handle(self, *, nickname: str, format: str, output: str, force: bool, **options: Any) -> None:
        account = find_account(nickname)
        wanted = filter_of(account, options)
        total = export_rows.count(account, wanted)
        if not total:
            raise CommandError(f"No photo of {account} fits, so there is nothing to export.")
        if output == STDOUT:
            write(sys.stdout.buffer, account, wanted, format, total)
            return
        with new_file(Path(output), force=force) as file:
            write(file, account, wanted, format, total)
        self.stderr.write(f"{total:,} photos of {account} are in {output}.")


def write(file: BinaryIO, account: Account, wanted: ReviewFilter, format: str, total: int) -> None:
    """Into the file, with a progress bar where somebody sees it; what was done is in the audit trail."""
    with tqdm(total=total, unit="photo", leave=False, disable=None) as bar:
        rows = _told(export_rows.rows(account, wanted, format), bar)
        for piece in export_formats.encode(rows, account, wanted, format):
            file.write(piece)
    file.flush()
    detail = f"{Export.Format(format).label}, {total:,} photos, {wanted.status}"
    audit.record(account, who=audit.COMMAND, action="export", result="succeeded", detail=detail)


def _told(rows: Iterable[Row], bar: Any) -> Iterator[Row]:
    for row in rows:
        yield row
        bar.update()


@contextmanager
def new_file(path: Path, *, force: bool) -> Iterator[BinaryIO]:
    """The file, which is there when all of it is written, and not before; CommandError where it cannot be."""
    if path.exists() and not force:
        raise CommandError(f"{path} is there already. Choose another name, or add --force.")
    draft = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=export.MIB) as file:
            yield file
        draft.replace(path)
    except OSError as exc:
        why = "the disk is full" if exc.errno == errno.ENOSPC else (exc.strerror or str(exc)).lower()
        raise CommandError(f"{path} cannot be written: {why}.") from None
    finally:
        draft.unlink(missing_ok=True)


def find_account(nickname: str) -> Account:
    """The account of that nickname, connected or not; CommandError where there is none."""
    account = Account.objects.filter(nickname=nickname).first() if nickname.isprintable() else None
    if account is None:
        raise CommandError(f"There is no account {nickname!r} here.")
    return account


def filter_of(account: Account, options: dict[str, Any]) -> ReviewFilter:
    """What the options ask for; CommandError where any of it makes no sense."""
    names = ("status", "after", "before", "lane", "tag", "category", "model", "prompt", "text")
    album = str(find_album(account, options["album"]).pk) if options["album"] else ""
    asked = {name: options[name] for name in names} | {"account": account.nickname, "album": album}
    try:
        return ReviewFilter.from_json(asked)
    except BadFilter as exc:
        raise CommandError(str(exc)) from None
