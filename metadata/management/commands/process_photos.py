"""Describe photos, for cron and for people."""

from __future__ import annotations

import contextlib
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from decimal import Decimal, InvalidOperation
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from metadata import jobs, money, process, prompts, selection, stacks
from metadata.models import AIMetadata, ProcessingRun
from metadata.process import Wish
from smugmug import oauth
from smugmug.management.commands.sync_smugmug import find_account, find_album
from smugmug.models import Account, Photo
from targetvision import runs

LOOK_AGAIN_SECONDS = 2
MOST_USD = Decimal("99999999.99")


class Command(BaseCommand):
    help = (
        "Describe an account's photos. Exit status: 0 succeeded, 3 partial, 1 failed or paused. A paused run goes on "
        "at the next call, or by itself where it says so and cron runs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("nickname", help="the account's SmugMug nickname")
        parser.add_argument("--album", metavar="KEY", help="only the photos of this album (SmugMug's key)")
        parser.add_argument("--photo", metavar="KEY", help="only this photo (SmugMug's image key)")
        parser.add_argument(
            "--only",
            choices=ProcessingRun.Only.values,
            default=ProcessingRun.Only.PENDING,
            help="pending: not described yet (unless told otherwise); stale: described from something else than would "
            "be sent now",
        )
        parser.add_argument("--reason", default="", help="with --only failed: those that failed with this sentence")
        parser.add_argument("--also-decided", action="store_true", help="also photos whose words a person decided on")
        parser.add_argument("--limit", type=positive, metavar="N", help="at most N photos")
        parser.add_argument("--budget", type=dollars, metavar="USD", help="pause when so much is spent; 5.00, say")
        parser.add_argument("--estimate", action="store_true", help="say what it would cost, and do nothing")
        parser.add_argument("--enqueue", action="store_true", help="leave the work to the workers")

    def handle(self, *, nickname: str, enqueue: bool, **options: Any) -> None:
        account = find_account(nickname)
        wish = wish_of(account, options)
        if options["estimate"]:
            self.stdout.write(estimate(account, wish))
            return
        run = self._run(account, wish)
        if run is None:
            return
        if enqueue:
            jobs.enqueue_for_all_workers(run)
            self.stdout.write(f"Enqueued: run {run.pk}.")
        else:
            self._work(run)
            stacks.catch_up(run.account)
            self.stdout.write(summary(run))
            sys.exit(runs.status(run))

    def _run(self, account: Account, wish: Wish) -> ProcessingRun | None:
        """A new run, or a paused one that goes on; None where one is under way."""
        try:
            run, is_new = process.start(account, by=None, wish=wish, describer=process.configured_describer())
            if not is_new and wish.budget is not None:
                process.set_budget(run, wish.budget, by=None, goes_on=False)
        except money.UnknownPrice as exc:
            raise CommandError(str(exc)) from None
        if not is_new and not process.resume(run, by=None):
            self.stdout.write(f"Photos of {account} are already being described (run {run.pk}).")
            return None
        return run

    def _work(self, run: ProcessingRun) -> None:
        describer = process.configured_describer()
        try:
            with runs.bar("photo") as tell, contextlib.closing(oauth.connect(run.account)) as client:
                while (
                    not process.carry_on(run, describer=describer, client=client, seconds=runs.SLICE_SECONDS, tell=tell)
                    or run.is_being_worked_on
                ):
                    time.sleep(LOOK_AGAIN_SECONDS)  # photos are in other hands, until those or their lease are done
        except KeyboardInterrupt:
            process.cancel(run, by=None)
            raise CommandError("Cancelled. Every answer that had come stays.") from None


def wish_of(account: Account, options: dict[str, Any]) -> Wish:
    """What the options ask for; CommandError where there is no such album or photo."""
    if options["reason"] and options["only"] != ProcessingRun.Only.FAILED:
        raise CommandError("--reason is about photos that failed: add --only failed.")
    return Wish(
        album=find_album(account, options["album"]) if options["album"] else None,
        photo=find_photo(account, options["photo"]) if options["photo"] else None,
        only=options["only"],
        reason=options["reason"],
        also_decided=options["also_decided"],
        limit=options["limit"],
        budget=options["budget"],
    )


def positive(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or not 0 < int(text) < 2**31:
        raise ArgumentTypeError(f"{text!r} is not a number of photos")
    return int(text)


def dollars(text: str) -> Decimal:
    """An amount of USD, with at most four decimal places."""
    try:
        amount = Decimal(text)
        is_amount = 0 <= amount <= MOST_USD and amount == round(amount, 4)
    except InvalidOperation:
        is_amount = False
    if not is_amount:
        raise ArgumentTypeError(f"{text!r} is not an amount of USD, such as 5.00")
    return amount


def find_photo(account: Account, key: str) -> Photo:
    """The account's photo with that key; CommandError where there is none."""
    photos = Photo.objects.present().filter(account=account)
    photo = photos.filter(image_key=key).first() if key.isprintable() else None
    if photo is None:
        raise CommandError(f"{account} has no photo {key!r} here. Sync first, or look its key up on SmugMug.")
    return photo


def estimate(account: Account, wish: Wish) -> str:
    """How many photos are meant, and what describing them would cost."""
    describer = process.configured_describer()
    photos = selection.to_describe(account, wish, describer=describer).count()
    found = money.estimate(
        account,
        photos=photos,
        prompt=prompts.active(account),
        model=describer.model,
        embedding_model=describer.embedding_model,
        pixels=settings.AI_IMAGE_PIXELS,
    )
    return f"{photos:,} photo{'s' * (photos != 1)} with {describer.model}: {found.range}. {found.sentence}"


def summary(run: ProcessingRun) -> str:
    """What came of the run, for a terminal."""
    spent = f" {money.dollars(run.spent_usd)} spent." if run.spent_usd else ""
    head = (
        f"{run.get_state_display()}: {run.described:,} described, {run.skipped:,} skipped, {run.failed:,} failed "
        f"of {run.total or 0:,}, in {run.seconds or 0:.1f} s with {run.model}.{spent}"
    )
    return "\n".join([head, *reasons(run), *filter(None, [run.waiting_for])])


def reasons(run: ProcessingRun) -> list[str]:
    """Why photos of the run were skipped or failed: a line each reason, with how many."""
    rows = AIMetadata.objects.of_run(run).without_words().reasons()
    return [f"  {status}: {count:,} × {error}" for status, error, count in rows]
