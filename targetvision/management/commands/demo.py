"""The whole way once, on real photographs: a stand-in SmugMug, the handshake, a sync, every photo described."""

from __future__ import annotations

import html.parser
import os
import secrets
import shlex
import socket
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import parse_qs, urljoin, urlsplit

import requests
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from metadata import jobs as metadata_jobs
from metadata import process
from metadata.management.commands.process_photos import reasons
from smugmug import jobs as smugmug_jobs
from smugmug import oauth, sync
from smugmug.models import Account, Album, Photo
from targetvision import supervisor
from targetvision.embedded import leave_with_parent
from targetvision.models import Run, RunState
from targetvision.people import FIRST_USER

T = TypeVar("T")

CALLBACK = "http://localhost/"  # never opened: the demo reads the code from the address it is sent to
START_SECONDS = 60
LOOK_AGAIN_SECONDS = 0.2
NEWS_SECONDS = 5
GOOD = (RunState.SUCCEEDED,)


class Command(BaseCommand):
    help = "Try TargetVision with a stand-in SmugMug and real photographs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="stop after the summary")
        parser.add_argument("--with-parent", action="store_true", help="stop when the process that started this ends")
        parser.add_argument("--tour", action="store_true", help="(for the demo itself) walk the way and report")

    def handle(self, *, once: bool, with_parent: bool, tour: bool, **_: Any) -> None:
        if tour:
            sys.exit(Tour(self.stdout.write).walk(stay=not once))
        if with_parent:
            leave_with_parent()
        state = shlex.quote(str(settings.DATA_DIR / "stand-in.json"))
        port = urlsplit(settings.SMUGMUG_API_URL).port
        extra = {
            "stand-in.1": f"python manage.py smugmug_sandbox --port {port} --state {state}",
            "tour.1": "python manage.py demo --skip-checks --tour" + (" --once" if once else ""),
        }
        sys.exit(supervisor.run(self._greet, extra, spoken={"tour"}))

    def _greet(self) -> None:
        self.stdout.write("Starting Postgres, Valkey, a stand-in SmugMug, two workers and the web server …")


class Tour:
    """Walks the whole way as a newcomer would, and says what it sees."""

    def __init__(self, say: Callable[[str], Any]) -> None:
        self.say = say
        self.seconds: dict[str, float] = {}

    def walk(self, *, stay: bool) -> int:
        """0 when every photo was mirrored, and described or skipped for a named reason; else 1."""
        self.seconds["start"] = time.time() - float(os.environ.get(supervisor.STARTED, time.time()))
        self._timed("start", self._wait_for_servers)
        password = self._password()
        account = self._timed("connect", self._connect)
        mirrored = self._timed("sync", lambda: self._sync(account))
        described = self._timed("describe", lambda: self._describe(account))
        self._report(account, mirrored, described, password)
        good = mirrored.state in GOOD and described.state in GOOD
        if stay:
            self.say("Ctrl-C stops everything.\n")
            while True:
                time.sleep(3_600)
        return 0 if good else 1

    def _timed(self, name: str, step: Callable[[], T]) -> T:
        started = time.monotonic()
        result = step()
        self.seconds[name] = self.seconds.get(name, 0) + time.monotonic() - started
        return result

    def _wait_for_servers(self) -> None:
        give_up = time.monotonic() + START_SECONDS
        for port in (urlsplit(settings.SMUGMUG_API_URL).port, settings.PORT):
            while not _listens(port):
                if time.monotonic() > give_up:
                    raise CommandError(f"Nothing listens on port {port}; {settings.DATA_DIR}/processes.log says why.")
                time.sleep(LOOK_AGAIN_SECONDS)

    def _password(self) -> str:
        """The demo user's password, the same at every start."""
        path = settings.DATA_DIR / "demo-password"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(9))
        password = path.read_text()
        user, is_new = User.objects.get_or_create(
            username=FIRST_USER, defaults={"is_staff": True, "is_superuser": True, "first_name": "Demo"}
        )
        if is_new:
            user.set_password(password)
            user.save()
        return password

    def _connect(self) -> Account:
        """The real handshake; on the consent page the demo presses the button that a person would press."""
        account = Account.objects.connected().filter(owner__username=FIRST_USER).first()
        if account:
            return account
        token = oauth.request_token(CALLBACK)
        with requests.Session() as browser:
            url = oauth.authorize_url(token)
            form = ConsentForm(browser.get(url, timeout=30).text)
            sent_to = browser.post(
                urljoin(url, form.action),
                data={**form.fields, "answer": "authorize"},
                timeout=30,
                allow_redirects=False,
            ).headers["Location"]
        verifier = parse_qs(urlsplit(sent_to).query)["oauth_verifier"][0]
        return oauth.save_account(oauth.access_token(token, verifier), owner=User.objects.get(username=FIRST_USER))

    def _sync(self, account: Account) -> Run:
        run, _ = sync.start(account, by=account.owner)
        smugmug_jobs.sync_account.delay(str(run.pk))
        return self._watch(run, "Syncing", "albums")

    def _describe(self, account: Account) -> Run:
        run, _ = process.start(account, by=account.owner, describer=process.configured_describer())
        run.resume()
        metadata_jobs.enqueue_for_all_workers(run)
        return self._watch(run, "Describing", "photos")

    def _watch(self, run: Run, doing: str, what: str) -> Run:
        """Wait until workers have brought the run to its end, with news every few seconds."""
        told = 0.0
        while run.is_active and run.state != RunState.PAUSED:
            if time.monotonic() - told > NEWS_SECONDS and run.total:
                self.say(f"{doing}: {run.done} of {run.total} {what}\n")
                told = time.monotonic()
            time.sleep(LOOK_AGAIN_SECONDS)
            run.refresh_from_db()
        return run

    def _report(self, account: Account, mirrored: Any, described: Any, password: str) -> None:
        albums = Album.objects.present().filter(account=account).count()
        photos = Photo.objects.present().filter(account=account).count()
        lines = [
            "",
            f"Albums     {albums}",
            f"Photos     {photos}",
            f"Described  {described.described} now, with {described.model}",
            f"Skipped    {described.skipped}",
            f"Failed     {described.failed}",
            *reasons(described),
            *(error["title"] + ": " + error["sentence"] for error in [*mirrored.errors, *described.errors]),
            *filter(None, [mirrored.waiting_for, described.waiting_for]),
            "Seconds    " + ", ".join(f"{name} {seconds:.1f}" for name, seconds in self.seconds.items()),
            "",
            f"Look at    http://localhost:{settings.PORT}  as  {FIRST_USER}  with  {password}",
            "",
        ]
        self.say("\n".join(lines) + "\n")


class ConsentForm(html.parser.HTMLParser):
    """The hidden fields and the target of the only form of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "form":
            self.action = found.get("action") or ""
        if tag == "input" and found.get("type") == "hidden":
            self.fields[found.get("name") or ""] = found.get("value") or ""


def _listens(port: int | None) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port or 80)) == 0
