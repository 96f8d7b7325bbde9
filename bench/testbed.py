"""What the benches of the mirror share: services of their own, stand-ins in a process of their own, connected accounts.

Nothing here loads Django before the environment is complete. Everything ends, and is gone, with the block.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from smugmug.sandbox import Sandbox, library  # noqa: E402
from smugmug.sandbox.faults import Faults  # noqa: E402

STOP_SECONDS = 20
SPAWN = multiprocessing.get_context("spawn")


class StandIn(NamedTuple):
    """One SmugMug that answers, and a token for it."""

    url: str
    nickname: str
    token: str
    secret: str


class Log(NamedTuple):
    """What came in at the stand-ins so far: when (seconds since 1970) and for what; and their processor time."""

    requests: list[tuple[float, str]]
    processor_seconds: float


@contextmanager
def services(*, kept: Path | None = None, **changes: str) -> Iterator[Path]:
    """A migrated database and a Redis in a new folder, Django set up for them; children inherit the environment.

    `kept` is a folder that stays, with what is in it.
    """
    from targetvision import keys
    from targetvision.embedded import take_lease
    from tests.targetvision.programs import settings_names

    # Empty is the same as absent, and neither the shell's nor the checkout's settings change what is measured.
    os.environ.update(dict.fromkeys(settings_names(), ""))
    with nullcontext(str(kept)) if kept else tempfile.TemporaryDirectory(prefix="bench") as folder:
        lease = take_lease(Path(folder))
        try:
            os.environ.update(
                DATA_DIR=folder,
                DATABASE_URL=lease.database_url,
                REDIS_URL=lease.redis_url,
                SMUGMUG_API_KEY=Sandbox.api_key,
                SMUGMUG_API_SECRET=Sandbox.api_secret,
                DJANGO_SETTINGS_MODULE="targetvision.settings",
                SECRET_KEY="only for this bench",
                FIELD_ENCRYPTION_KEYS=keys.make_key(),
                **changes,
            )
            set_up()
            _migrate()
            yield Path(folder)
        finally:
            _let_go()
            lease.release()
            _wait_until(lambda: not (Path(folder) / "postgres" / "postmaster.pid").exists())


def set_up() -> None:
    """Load Django, in this process or in a child; only errors are told."""
    import django

    django.setup()
    logging.disable(logging.WARNING)


def _migrate() -> None:
    from django.core.management import call_command

    call_command("migrate", interactive=False, verbosity=0)


def _let_go() -> None:
    from django.db import connection

    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


# --- SmugMug ----------------------------------------------------------------------------------------------------


@contextmanager
def stand_ins(albums: list[range], photos: int) -> Iterator[tuple[list[StandIn], Callable[[], Log]]]:
    """A slow SmugMug for each range of numbers of albums, all in one process; and a function that reads their log.

    An album's number makes its key and its photos' keys, which may be in one library only.
    """
    here, there = SPAWN.Pipe()
    process = SPAWN.Process(target=_serve, args=(albums, photos, there), daemon=True)
    process.start()
    there.close()
    try:
        found = here.recv()

        def log() -> Log:
            here.send("log")
            answer: Log = here.recv()
            return answer

        yield found, log
    finally:
        here.send("stop")
        process.join()


def _serve(albums: list[range], photos: int, pipe: Connection) -> None:
    sandboxes = []
    for numbers in albums:
        held = library(numbers.stop, photos)
        held.albums, held.nickname = held.albums[numbers.start :], f"library{numbers.start}"
        sandboxes.append(Sandbox(library=held, faults=Faults(is_slow=True)))
    for sandbox in sandboxes:
        sandbox.start()
    pipe.send([StandIn(sandbox.url, sandbox.nickname, *sandbox.grant()) for sandbox in sandboxes])
    while pipe.recv() != "stop":
        requests = [(request.time, request.path) for sandbox in sandboxes for request in sandbox.requests]
        pipe.send(Log(sorted(requests), time.process_time()))
    for sandbox in sandboxes:
        sandbox.stop()


# --- Syncing ----------------------------------------------------------------------------------------------------


def account_of(stand_in: StandIn) -> Any:
    """Its library, connected."""
    from django.contrib.auth.models import User

    from smugmug.models import Account

    owner, _ = User.objects.get_or_create(username="bench")
    return Account.objects.create(
        owner=owner, nickname=stand_in.nickname, oauth_token=stand_in.token, oauth_token_secret=stand_in.secret
    )


def sync(stand_in: StandIn, run_id: str) -> None:
    """Work on a run to its end, in a process of its own."""
    os.environ["SMUGMUG_API_URL"] = stand_in.url
    set_up()
    from smugmug import oauth
    from smugmug import sync as syncs
    from smugmug.models import SyncRun

    run = SyncRun.objects.select_related("account").get(pk=run_id)
    syncs.carry_on(run, client=oauth.connect(run.account), seconds=24 * 3600)
