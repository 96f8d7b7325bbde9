"""Prepare a change-set, or work on one that a person has armed."""

from __future__ import annotations

import contextlib
import sys
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.urls import reverse

from metadata import change_cards, change_plan, change_work, publish
from metadata.models import Change, ChangeSet
from metadata.queue import BadFilter, ReviewFilter
from smugmug import oauth
from smugmug.management.commands.sync_smugmug import find_account, find_album
from targetvision import runs

RULES = [rule.value for rule in ChangeSet.Rule if rule]
FIELDS = ("caption", "title", "keywords")
MOST_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Write approved words to SmugMug. Nothing is written before a person has armed it: without --run a change-set "
        "is prepared, and its page, where it can be looked through and armed, is named. With --run one that is armed "
        "is worked on here. Exit status: 0 succeeded, 3 partial, 1 failed or paused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("nickname", help="the account's SmugMug nickname")
        parser.add_argument("--album", metavar="KEY", help="only the photos of this album (SmugMug's key)")
        parser.add_argument(
            "--filter", default="", metavar="QUERY", help="as in a page's address: tag=beach&category=…"
        )
        for name in FIELDS:
            parser.add_argument(f"--{name}", choices=RULES, default="", help="left alone unless a rule is given")
        parser.add_argument("--dry-run", action="store_true", help="say what would be written, and keep nothing of it")
        parser.add_argument("--run", metavar="ID", help="work on this change-set, which a person has armed")

    def handle(self, *, nickname: str, **options: Any) -> None:
        account = find_account(nickname)
        if options["run"]:
            self._work(_armed(account.pk, options["run"]))
            return
        rules = {name: options[name] for name in FIELDS}
        if not any(rules.values()):
            raise CommandError("Say what is to be written: --caption, --title or --keywords, each with a rule.")
        wanted = _filter(options["filter"], find_album(account, options["album"]).pk if options["album"] else None)
        with transaction.atomic():
            change_set = publish.prepare(account, by=None, filter=wanted, rules=rules)
            self._tell(change_set)
            if options["dry_run"] or not change_set.total:
                transaction.set_rollback(True)
        if options["dry_run"]:
            self.stdout.write("A dry run: nothing was written, and nothing kept.")
        elif not change_set.total:
            self.stdout.write("There is nothing to write, so nothing was prepared.")
        else:
            self.stdout.write(f"Nothing is written yet. Look it through and arm it: {_address(change_set)}")

    def _tell(self, change_set: ChangeSet) -> None:
        counts = change_plan.count(change_set)
        self.stdout.write(f"{counts.pictures:,} of {change_set.found:,} approved pictures would change.")
        for sentence in change_cards.sentences(change_set, counts):
            self.stdout.write(f"  {sentence}")
        rows = Change.objects.filter(change_set=change_set).beyond(0).select_related("photo")
        for change in rows[:MOST_SHOWN]:
            self.stdout.write(f"{change.photo.image_key} {change.photo.name}")
            for line in _lines(change):
                self.stdout.write(f"    {line}")
        if counts.pictures > MOST_SHOWN:
            self.stdout.write(f"… and {counts.pictures - MOST_SHOWN:,} more.")

    def _work(self, change_set: ChangeSet) -> None:
        try:
            with (
                runs.bar("picture") as tell,
                contextlib.closing(oauth.connect_for_changes(change_set.account)) as client,
            ):
                while not change_work.carry_on(change_set, client=client, seconds=runs.SLICE_SECONDS, tell=tell):
                    pass
        except KeyboardInterrupt:
            change_set.queue()
            raise CommandError("Left where it is: the workers go on with it. Pause or stop it on its page.") from None
        self.stdout.write(f"{change_set.get_state_display()}: {change_cards.card(change_set, may_change=False).title}.")
        for what, value in change_cards.facts(change_set):
            self.stdout.write(f"  {what}: {value}")
        if change_set.waiting_for:
            self.stdout.write(change_set.waiting_for)
        sys.exit(runs.status(change_set))


def _armed(account: int, text: str) -> ChangeSet:
    """The account's change-set with that id; CommandError where nobody has armed it."""
    try:
        found = ChangeSet.objects.select_related("account").filter(account=account, pk=UUID(text)).first()
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"There is no change-set {text!r} in this library.")
    if not found.is_active or found.stage == ChangeSet.Stage.PREPARED:
        raise CommandError(
            f"Nobody has armed this change-set, or it is over. A person arms it on its page: {_address(found)}"
        )
    return found  # type: ignore[no-any-return]


def _address(change_set: ChangeSet) -> str:
    """The page of the change-set, as a browser takes it."""
    return f"{settings.SITE_URL}{reverse('metadata:change_set', args=[change_set.pk])}"


def _filter(text: str, album: UUID | None) -> ReviewFilter:
    try:
        wanted = ReviewFilter.read_text(text)
        return ReviewFilter.from_json(wanted.to_json() | ({"album": str(album)} if album else {}))
    except BadFilter as exc:
        raise CommandError(str(exc)) from None


def _lines(change: Change) -> list[str]:
    """What one picture would get."""
    texts = [
        f"{name}: {getattr(change, name)!r}, was {change.seen[name]!r}" for name in FIELDS[:2] if getattr(change, name)
    ]
    keywords = [f"+{keyword}" for keyword in change.add] + [f"-{keyword}" for keyword in change.remove]
    return [*texts, *(["keywords: " + ", ".join(keywords)] if keywords else [])]
