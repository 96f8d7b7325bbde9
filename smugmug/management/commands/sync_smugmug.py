"""Bring a SmugMug library into the mirror, for cron and for people."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from smugmug import jobs, oauth, sync
from smugmug.models import Account, SyncRun
from targetvision import runs


class Command(BaseCommand):
    help = "Sync a SmugMug library. Exit status: 0 succeeded, 3 partial, 1 failed. A locked album is no failure."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("nickname", help="the account's SmugMug nickname")
        parser.add_argument("--enqueue", action="store_true", help="leave the work to the workers")

    def handle(self, *, nickname: str, enqueue: bool, **_: Any) -> None:
        account = find_account(nickname)
        run, is_new = sync.start(account, by=None)
        if not is_new:
            self.stdout.write(f"A sync of {account} is already under way, begun by {run.requested_by or 'a command'}.")
        elif enqueue:
            jobs.sync_account.delay(str(run.pk))
            self.stdout.write(f"Enqueued: run {run.pk}.")
        else:
            self._work(run)
            self.stdout.write(summary(run))
            sys.exit(runs.status(run))

    def _work(self, run: SyncRun) -> None:
        try:
            client = oauth.connect(run.account)
            with runs.bar("album") as tell:
                while not sync.carry_on(run, client=client, seconds=runs.SLICE_SECONDS, tell=tell):
                    pass
        except KeyboardInterrupt:
            run.cancel()
            raise CommandError("Cancelled. What the sync had brought in stays.") from None


def find_account(nickname: str) -> Account:
    """The connected account of that nickname; CommandError where there is none."""
    account = Account.objects.filter(nickname=nickname).first()
    if account is None:
        raise CommandError(f"There is no account {nickname!r}. Connect it with: python manage.py connect_smugmug")
    if not account.is_connected:
        raise CommandError(f"{account} is not connected. Connect it again with: python manage.py connect_smugmug")
    return account


def summary(run: SyncRun) -> str:
    """What came of the sync, for a terminal."""
    lines = [
        f"Sync of {run.account} {run.get_state_display().lower()}: {run.photos_seen:,} photos in {run.done:,} albums, "
        f"{run.photos_new:,} new, {run.photos_removed:,} removed, {run.albums_locked:,} albums locked, "
        f"{run.requests_made:,} requests in {run.seconds or 0:.1f} s."
    ]
    lines += [f"  {error['title'] or error['key']}: {error['sentence']}" for error in run.errors]
    return "\n".join([*lines, run.waiting_for] if run.waiting_for else lines)
