"""manage.py smugmug_sandbox: a stand-in SmugMug on this machine."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from smugmug.sandbox.commandline import add_arguments, serve


class Command(BaseCommand):
    help = "Run a stand-in SmugMug on this machine, with real photographs or a library for load work."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            serve(argparse.Namespace(**options), say=self._say)
        except ValueError as exc:
            raise CommandError(str(exc)) from exc

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
