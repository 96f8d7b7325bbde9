"""Write the embedded database into a file."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from targetvision import backups, keys


class Command(BaseCommand):
    help = "Write the embedded database into FILE (pg_dump's custom format), also while TargetVision runs."
    requires_system_checks: list[str] = []  # whatever may be wrong with the pages

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--force", action="store_true", help="replace FILE where it exists")

    def handle(self, *, file: Path, force: bool, **_: Any) -> None:
        try:
            backups.dump(file, force=force)
        except backups.BackupError as exc:
            raise CommandError(str(exc)) from exc
        path = settings.DATA_DIR / keys.FILE
        secret = path if keys.field_keys(path) == settings.FIELD_ENCRYPTION_KEYS else "FIELD_ENCRYPTION_KEYS"
        self.stdout.write(f"Wrote {file} ({file.stat().st_size / 1e6:,.1f} MB).")
        self.stdout.write(f"Keep {secret} too, apart from it: nobody can read the tokens in the backup without it.")
