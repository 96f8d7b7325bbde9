"""Two curators in two browsers decide on the same photos at the same moment: who wins, and what becomes of the rest.

    python bench/review_race.py [--photos 200]

A database, gunicorn and a Chromium of its own; both browsers press at the same millisecond, each after writing a text
of its own, every fifth time one of them rejects. Prints who won how often, and every photo that has not exactly one
winner, whose loser did not get the typed text back, or whose history is not complete (bound: none).
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from many_photos import fill
from testbed import ROOT, services

START_SECONDS = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=200, help="on which both decide")
    options = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with services(PORT=str(port)) as folder, server(folder, f"http://127.0.0.1:{port}") as address:
        sys.exit(0 if compete(address, options.photos) else 1)


def compete(address: str, photos: int) -> bool:
    """Whether no fault was found in so many races."""
    from metadata.models import AIMetadata
    from tests.browser.race import faults, race

    people = library(photos)
    rows = list(AIMetadata.objects.for_review().filter(stack=None).order_by("sort_at", "pk")[:photos])
    started = time.monotonic()
    with pages(address, people) as opened:
        outcomes = []
        for number, row in enumerate(rows):
            outcomes.append(race(opened, row, number))
            if number % 50 == 49:
                print(f"{number + 1} photos, {time.monotonic() - started:.0f} s", flush=True)
    wins = Counter(outcome.winner.who for outcome in outcomes)
    texts = sum(bool(outcome.loser.text) for outcome in outcomes)
    found = faults(rows, outcomes)
    print(f"{len(rows)} photos, two decisions on each, in {time.monotonic() - started:.0f} s")
    print(f"won by {', '.join(f'{who}: {count}' for who, count in sorted(wins.items()))}")
    print(f"{texts} texts given back to who was slower; {len(found)} faults (bound 0)")
    print(*found, sep="\n")
    return not found


def library(photos: int) -> list[Any]:
    """ada's library, and grace who may decide in it."""
    from django.contrib.auth.models import User

    from smugmug.models import Membership

    ada, grace = (User.objects.create_user(name) for name in ("ada", "grace"))
    account = fill(ada, "race", 3 * photos)  # some are decided on, some stand in bursts
    Membership.objects.create(user=grace, account=account, role=Membership.Role.CURATOR)
    return [ada, grace]


@contextmanager
def pages(address: str, people: list[Any]) -> Iterator[dict[str, Any]]:
    """A page in a context of their own for each person, signed in; by their names."""
    from django.conf import settings
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import ARGUMENTS
    from tests.browser.install import chromium_path
    from tests.conftest import signed_in

    path = chromium_path()
    # Playwright's event loop runs in this thread, and Django would take what is read here for work inside a coroutine.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        opened = {}
        for user in people:
            cookie = signed_in(user).cookies[settings.SESSION_COOKIE_NAME]
            context = browser.new_context(base_url=address, reduced_motion="reduce")
            context.route("**/images/**", lambda route: route.abort())  # SmugMug is not there to be asked for them
            context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": address}])
            opened[user.username] = context.new_page()
        yield opened
        browser.close()


@contextmanager
def server(folder: Path, address: str) -> Iterator[str]:
    """gunicorn as the Procfile starts it."""
    from django.core.management import call_command

    call_command("collectstatic", interactive=False, verbosity=0)
    command = [sys.executable, "-m", "gunicorn", "targetvision.wsgi"]
    with (folder / "web.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        _wait_for(f"{address}/healthz")
        yield address
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=2)
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


if __name__ == "__main__":
    main()
