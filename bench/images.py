"""Fifty cold pictures at 0.3 s each must slow no other page; a warm one must cost next to nothing.

Times the album page alone and while fifty thumbnails are fetched cold, from one gunicorn as `make run` starts it, and
prints the ratio of the two 95th percentiles. Then warm thumbnails, against the smallest page the server has (a redirect
for a stranger), which is what any answer costs.
"""

from __future__ import annotations

import http.client
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from smugmug.sandbox import Sandbox, library  # noqa: E402

COLD = 50
COLD_SECONDS = 0.3
PAGES = 200
WAVES = 6


class SlowPictures(Sandbox):
    """A SmugMug whose pictures take their time, and no processor time."""

    def answer_at_once(self, address: str) -> None:
        self.hurry = True
        urllib.request.urlopen(address).read()
        self.hurry = False

    hurry = False

    def _answer_picture(self, call):  # type: ignore[no-untyped-def]
        time.sleep(0 if self.hurry else COLD_SECONDS)
        return super()._answer_picture(call)


def main() -> None:
    slow = SlowPictures(library=library(albums=1, photos=WAVES * COLD))
    with tempfile.TemporaryDirectory() as folder, slow, serving(Path(folder), slow) as (port, cookie, pictures, page):
        with Watch(port, cookie, page) as alone:
            time.sleep(PAGES * 0.03)
        with Watch(port, cookie, page) as during:
            for wave in range(WAVES):
                cold(port, cookie, pictures[wave * COLD :][:COLD])
        timings(port, cookie, pictures[0], 20)
        warm = timings(port, cookie, pictures[0], PAGES)
        least = timings(port, "", "/", PAGES)
    print(f"album page alone: median {ms(alone, 50)}, 95th percentile {ms(alone, 95)}")
    print(f"while {COLD} pictures are fetched cold ({len(during)} pages): {ms(during, 50)}, {ms(during, 95)}")
    print(f"warm thumbnail: median {ms(warm, 50)}, 95th percentile {ms(warm, 95)}; a bare redirect: {ms(least, 50)}")
    print(f"page during ÷ alone, 95th percentile: {percentile(during, 95) / percentile(alone, 95):.2f}")
    print(f"warm thumbnail ÷ bare redirect, median: {percentile(warm, 50) / percentile(least, 50):.2f}")


class Watch(list[float]):
    """The seconds of a page asked for again and again, by a process of its own: this one is busy being fifty browsers
    and SmugMug."""

    def __init__(self, *what: object) -> None:
        super().__init__()
        context = multiprocessing.get_context("spawn")
        self.go, self.stop, self.told = context.Event(), context.Event(), context.Queue()
        self.process = context.Process(target=watch, args=(*what, self.go, self.stop, self.told))

    def __enter__(self) -> Watch:
        self.process.start()
        self.go.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self += self.told.get(timeout=60)
        self.process.join()


def watch(port: int, cookie: str, page: str, go: Event, stop: Event, told: Queue[list[float]]) -> None:
    timings(port, cookie, page, 20)
    go.set()
    seconds: list[float] = []
    while not stop.is_set():
        seconds += timings(port, cookie, page, 1)
    told.put(seconds)


def cold(port: int, cookie: str, pictures: list[str]) -> None:
    """Ask for all the pictures at once, and wait until they are there."""
    threads = [threading.Thread(target=timings, args=(port, cookie, url, 1)) for url in pictures]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def timings(port: int, cookie: str, path: str, times: int) -> list[float]:
    """Seconds of each of several requests over one connection, from the first byte sent to the last received."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        connection.request("GET", path, headers={"Cookie": cookie})
        answer = connection.getresponse()
        answer.read()
        seconds.append(time.perf_counter() - started)
        assert answer.status == (200 if cookie else 302), (path, answer.status, answer.headers["Location"])
    return seconds


def percentile(seconds: list[float], share: int) -> float:
    return statistics.quantiles(seconds, n=100)[share - 1]


def ms(seconds: list[float], share: int) -> str:
    return f"{1000 * percentile(seconds, share):.1f} ms"


@contextmanager
def serving(folder: Path, smugmug: SlowPictures) -> Iterator[tuple[int, str, list[str], str]]:
    """(port, session cookie, addresses of all thumbnails, address of the album) of a server with a synced library."""
    os.environ.update(
        DATA_DIR=str(folder),
        SMUGMUG_API_URL=smugmug.url,
        SMUGMUG_OAUTH_URL=smugmug.oauth_url,
        SMUGMUG_API_KEY=smugmug.api_key,
        SMUGMUG_API_SECRET=smugmug.api_secret,
        SMUGMUG_REQUESTS_PER_SECOND="100",
        PORT=str(free_port()),
        DJANGO_SETTINGS_MODULE="targetvision.settings",
    )
    from targetvision import start

    start.prepare()
    prepared = prepare(smugmug)
    python = Path(sys.executable).parent
    server = subprocess.Popen([str(python / "gunicorn"), "targetvision.wsgi"], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        wait_for(int(os.environ["PORT"]))
        yield int(os.environ["PORT"]), *prepared
    finally:
        server.terminate()
        server.wait(timeout=20)


def prepare(smugmug: SlowPictures) -> tuple[str, list[str], str]:
    import django
    from django.core.management import call_command

    django.setup()
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client

    from smugmug import images, oauth, sync
    from smugmug.models import Album, Photo

    call_command("collectstatic", interactive=False, verbosity=0)
    user = User.objects.create_superuser("bench", password="bench")
    account = oauth.save_account(oauth.Token(*smugmug.grant()), owner=user)
    run, _ = sync.start(account, by=user)
    sync.carry_on(run, client=oauth.connect(account), seconds=600)
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    for address in Photo.objects.values_list("thumbnail_url", flat=True):
        smugmug.answer_at_once(address)  # what a picture costs the stand-in is none of our business
    pictures = [images.address(photo, "thumb") for photo in Photo.objects.all()]
    return f"{name}={client.cookies[name].value}", pictures, f"/albums/{Album.objects.get().pk}/"


def wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the server did not start")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
