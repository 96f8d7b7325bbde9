"""Describe photos, for cron and for people."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from metadata import jobs, process
from metadata.models import AIMetadata, ProcessingRun
from smugmug import oauth
from smugmug.management.commands.sync_smugmug import find_account
from smugmug.models import Account, Album
from targetvision import runs

LOOK_AGAIN_SECONDS = 2


class Command(BaseCommand):
    help = "Describe an account's photos. Exit status: 0 succeeded, 3 partial, 1 failed or paused."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("nickname", help="the account's SmugMug nickname")
        parser.add_argument("--album", metavar="KEY", help="only the photos of this album (SmugMug's key)")
        parser.add_argument("--only", choices=ProcessingRun.Only.values, default=ProcessingRun.Only.PENDING)
        parser.add_argument("--limit", type=positive, metavar="N", help="at most N photos")
        parser.add_argument("--enqueue", action="store_true", help="leave the work to the workers")

    def handle(self, *, nickname: str, album: str | None, enqueue: bool, **options: Any) -> None:
        account = find_account(nickname)
        run, is_new = process.start(
            account,
            by=None,
            album=find_album(account, album) if album else None,
            only=options["only"],
            limit=options["limit"],
            describer=process.configured_describer(),
        )
        if not is_new and not run.resume():
            self.stdout.write(f"Photos of {account} are already being described (run {run.pk}).")
        elif enqueue:
            jobs.enqueue_for_all_workers(run)
            self.stdout.write(f"Enqueued: run {run.pk}.")
        else:
            self._work(run)
            self.stdout.write(summary(run))
            sys.exit(runs.status(run))

    def _work(self, run: ProcessingRun) -> None:
        describer, client = process.configured_describer(), oauth.connect(run.account)
        try:
            with runs.bar("photo") as tell:
                while (
                    not process.carry_on(run, describer=describer, client=client, seconds=runs.SLICE_SECONDS, tell=tell)
                    or run.is_being_worked_on
                ):
                    time.sleep(LOOK_AGAIN_SECONDS)  # photos are in other hands, until those or their lease are done
        except KeyboardInterrupt:
            run.cancel()
            raise CommandError("Cancelled. Every answer that had come stays.") from None


def positive(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or not 0 < int(text) < 2**31:
        raise ArgumentTypeError(f"{text!r} is not a number of photos")
    return int(text)


def find_album(account: Account, key: str) -> Album:
    """The account's album with that key; CommandError where there is none."""
    album = Album.objects.present().filter(account=account, album_key=key).first()
    if album is None:
        raise CommandError(f"{account} has no album {key!r} here. Sync first, or look its key up on SmugMug.")
    return album


def summary(run: ProcessingRun) -> str:
    """What came of the run, for a terminal."""
    head = (
        f"{run.get_state_display()}: {run.described:,} described, {run.skipped:,} skipped, {run.failed:,} failed "
        f"of {run.total or 0:,}, in {run.seconds or 0:.1f} s with {run.model}."
    )
    return "\n".join([head, *reasons(run), *filter(None, [run.waiting_for])])


def reasons(run: ProcessingRun) -> list[str]:
    """Why photos of the run were skipped or failed: a line each reason, with how many."""
    rows = AIMetadata.objects.of_run(run).without_words().reasons()
    return [f"  {status}: {count:,} × {error}" for status, error, count in rows]
