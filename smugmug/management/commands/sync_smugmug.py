"""Bring SmugMug libraries into the mirror, for cron and for people."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from smugmug import audit, jobs, oauth, sync
from smugmug.models import Account, Album, SyncRun
from targetvision import runs
from targetvision.progress import count

BAD_TO_GOOD = (1, 3, 0)


class Command(BaseCommand):
    help = (
        "Sync a SmugMug library, or with --all every connected one. Exit status: 0 succeeded or already under way, "
        "3 partial, 1 failed or paused; of several the worst. A locked album is no failure."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("nickname", nargs="?", help="the account's SmugMug nickname")
        parser.add_argument("--all", action="store_true", help="every connected account, one after the other")
        kinds = parser.add_mutually_exclusive_group()
        choice = partial(kinds.add_argument, action="store_const", dest="kind")
        choice("--full", const=SyncRun.Kind.FULL, help="read every album again (unless told otherwise)")
        choice("--incremental", const=SyncRun.Kind.INCREMENTAL, help="only the albums that SmugMug says have moved")
        choice("--verify", const=SyncRun.Kind.VERIFY, help="compare everything: edits of captions move no album")
        kinds.add_argument("--album", metavar="KEY", help="only this album (SmugMug's key)")
        parser.add_argument("--enqueue", action="store_true", help="leave the work to the workers")

    def handle(self, *, nickname: str | None, album: str | None, enqueue: bool, **options: Any) -> None:
        if bool(nickname) == options["all"]:
            raise CommandError("Say which library: its nickname, or --all.")
        if album and options["all"]:
            raise CommandError("--album is about one library: say which, instead of --all.")
        accounts, statuses = ([find_account(nickname)], []) if nickname else self._connected()
        wish: dict[str, Any] = {"kind": options["kind"] or SyncRun.Kind.FULL}
        if album:
            wish = {"kind": SyncRun.Kind.ALBUMS, "album_keys": [find_album(accounts[0], album).album_key]}
        statuses += [self._sync(account, wish, enqueue=enqueue) for account in accounts]
        if worst := min(statuses, key=BAD_TO_GOOD.index):
            sys.exit(worst)

    def _connected(self) -> tuple[list[Account], list[int]]:
        """All connected accounts, and a status of 1 for each that SmugMug no longer lets us into."""
        refused = Account.objects.filter(state=Account.State.REFUSED).order_by("nickname")
        for account in refused:
            self.stderr.write(f"{account} is refused by SmugMug. Connect it again: python manage.py connect_smugmug")
        accounts = list(Account.objects.connected().order_by("nickname"))
        if not accounts and not refused:
            raise CommandError("There is no connected account. Connect one with: python manage.py connect_smugmug")
        return accounts, [1] * len(refused)

    def _sync(self, account: Account, wish: dict[str, Any], *, enqueue: bool) -> int:
        """The exit status of one account's sync; 0 where somebody else's is under way."""
        run, is_ours = sync.start(account, by=None, who=audit.COMMAND, **wish)
        if not is_ours:
            who = audit.name(audit.starter(run))
            self.stdout.write(f"A sync of {account} is already under way, begun by {who}.")
            return 0
        if enqueue:
            jobs.sync_account.delay(str(run.pk))
            self.stdout.write(f"Enqueued: run {run.pk}.")
            return 0
        self._work(run)
        self.stdout.write(summary(run))
        return runs.status(run)

    def _work(self, run: SyncRun) -> None:
        try:
            client = oauth.connect(run.account)
            with runs.bar("album") as tell:
                while not sync.carry_on(run, client=client, seconds=runs.SLICE_SECONDS, tell=tell):
                    pass
        except KeyboardInterrupt:
            sync.cancel(run, by=None, who=audit.COMMAND)
            raise CommandError("Cancelled. What the sync had brought in stays.") from None


def find_account(nickname: str) -> Account:
    """The connected account of that nickname; CommandError where there is none."""
    # What is not printable is in no nickname, and some of it no database takes.
    account = Account.objects.filter(nickname=nickname).first() if nickname.isprintable() else None
    if account is None and "@" in nickname:
        raise CommandError(
            f"{nickname!r} is an e-mail address. The nickname is the first part of your address at SmugMug: "
            "NICKNAME.smugmug.com"
        )
    if account is None:
        raise CommandError(f"There is no account {nickname!r}. Connect it with: python manage.py connect_smugmug")
    if not account.is_connected:
        raise CommandError(f"{account} is not connected. Connect it again with: python manage.py connect_smugmug")
    return account


def find_album(account: Account, key: str) -> Album:
    """The account's album with that key; CommandError where there is none."""
    albums = Album.objects.present().filter(account=account)
    album = albums.filter(album_key=key).first() if key.isprintable() else None
    if album is None:
        raise CommandError(f"{account} has no album {key!r} here. Sync first, or look its key up on SmugMug.")
    return album


def summary(run: SyncRun) -> str:
    """What came of the sync, for a terminal."""
    lines = [
        f"{run.get_kind_display()} of {run.account} {run.get_state_display().lower()}: "
        f"{count(run.photos_seen, 'photo')} in {count(run.done, 'album')}, "
        f"{run.photos_new:,} new, {run.photos_changed:,} changed, {run.photos_removed:,} removed, "
        f"{count(run.albums_locked, 'album')} locked, "
        f"{count(run.requests_made, 'request')} in {run.seconds or 0:.1f} s."
    ]
    lines += [f"  {error['title'] or error['key']}: {error['sentence']}" for error in run.errors]
    return "\n".join([*lines, run.waiting_for] if run.waiting_for else lines)
