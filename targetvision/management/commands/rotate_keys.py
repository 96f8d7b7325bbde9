"""Encrypt every secret in the database anew, under the first of FIELD_ENCRYPTION_KEYS."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from contextlib import nullcontext
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from targetvision import encryption, keys
from targetvision.processes import AlreadyRunning, lead

ELSEWHERE = (
    "FIELD_ENCRYPTION_KEYS is not from {path} but from your environment or .env: put a new key before the others there "
    "(or take old ones away, once rotate_keys has run), restart everything, and run rotate_keys again."
)


class Command(BaseCommand):
    help = "Encrypt every secret in the database anew, under the first of FIELD_ENCRYPTION_KEYS."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--new-key", action="store_true", help="first make a new key, in DATA_DIR/keys.env")
        parser.add_argument("--drop-old", action="store_true", help="then take the other keys out of DATA_DIR/keys.env")

    def handle(self, *, new_key: bool, drop_old: bool, **_: Any) -> None:
        path = settings.DATA_DIR / keys.FILE
        chain = list(settings.FIELD_ENCRYPTION_KEYS)
        changes_file = new_key or drop_old
        if changes_file and keys.field_keys(path) != chain:
            raise CommandError(ELSEWHERE.format(path=path))
        with self._alone() if changes_file else nullcontext():
            if new_key:
                chain.insert(0, keys.make_key())
                keys.set_field_keys(path, chain)  # before the first row, so that no row is ever unreadable
            done, unreadable = encryption.reencrypt(chain)
            self.stdout.write(f"Encrypted {done} values under the first of {len(chain)} keys.")
            if unreadable:
                self._name(unreadable, drop_old=drop_old)
                sys.exit(1)
            if drop_old:
                keys.set_field_keys(path, chain[:1])
                self.stdout.write("The other keys are gone. An older backup can no longer be read without them.")

    def _alone(self) -> Any:
        """Running processes know the keys of their start only, and would take a new token for an unreadable one."""
        try:
            return lead(settings.DATA_DIR / "up.lock")
        except AlreadyRunning:
            raise CommandError("TargetVision is running: stop it first. Nothing was changed.") from None

    def _name(self, unreadable: list[str], *, drop_old: bool) -> None:
        self.stderr.write("No key reads these, which were left as they are; connect the account again:")
        for name in unreadable:
            self.stderr.write(f"  {name}")
        if drop_old:
            self.stderr.write("No key was dropped.")
