"""Run TargetVision on this machine: web, workers, cron."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand

from targetvision import supervisor
from targetvision.embedded import leave_with_parent


class Command(BaseCommand):
    help = "Run the web server, the workers and cron until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--with-parent", action="store_true", help="stop when the process that started this ends")

    def handle(self, *, with_parent: bool, **_: Any) -> None:
        if with_parent:
            leave_with_parent()
        sys.exit(supervisor.run(self._greet))

    def _greet(self) -> None:
        first = "" if User.objects.exists() else ": open it on this machine to make the first user"
        self.stdout.write(f"TargetVision: {settings.SITE_URL}{first} (Ctrl-C stops it)")
