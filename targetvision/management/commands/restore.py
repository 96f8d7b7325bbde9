"""Put a backup in the place of the embedded database."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from targetvision import backups, encryption
from targetvision.processes import AlreadyRunning, lead


class Command(BaseCommand):
    help = "Put what FILE holds (made by backup) in the place of the embedded database, and bring it up to date."
    requires_system_checks: list[str] = []  # whatever may be wrong with the pages

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *, file: Path, yes: bool, **_: Any) -> None:
        try:
            with lead(settings.DATA_DIR / "up.lock"):  # nor can it be started meanwhile
                self._restore(file, yes=yes)
        except AlreadyRunning:
            raise CommandError("TargetVision is running: stop it first. Nothing was changed.") from None
        except backups.BackupError as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write(f"Restored {file}.")
        lost = encryption.unreadable()
        if lost:
            self.stderr.write(
                f"{len(lost)} secrets in it were encrypted with keys that are not here: put the keys.env that belongs "
                f"to the backup into {settings.DATA_DIR}, or connect the accounts again."
            )
            sys.exit(1)

    def _restore(self, file: Path, *, yes: bool) -> None:
        backups.require_embedded("pg_restore")
        if not yes and not self._is_wanted():
            raise CommandError("Nothing was changed.")
        backups.restore(file)

    def _is_wanted(self) -> bool:
        self.stdout.write(f"All that is now in the database of {settings.DATA_DIR} will be replaced.")
        try:
            return input("Type yes to go on: ").strip() == "yes"
        except EOFError:
            return False
