"""SIGKILL of the worker at random points of syncs, while the library changes: in the end the mirror is the library.

    python bench/sync_kills.py [--kills 30] [--albums 200] [--photos 12] [--seed N]

Workers as the Procfile starts them, with heartbeats of a second. Photos and albums come, go, move, are edited,
replaced, collected, locked, hidden and renamed all the while. After the last kill the run that was hit goes on to its
end, and one verify follows. Prints every difference between mirror and library, row by row; status 1 if there is one.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from testbed import ROOT, StandIn, account_of, services

from smugmug.sandbox import Sandbox, library
from smugmug.sandbox.collection import Place

WORKER = ["manage.py", "rqworker", "smugmug", "metadata", "--worker-class", "metadata.worker.Worker"]
RATE = 40  # requests a second: a sync of 200 albums takes five, and a worker lives at most half of that
BETWEEN_CHANGES = 0.1  # seconds
PATIENCE = 60  # seconds until something is taken for stuck


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--albums", type=int, default=200)
    parser.add_argument("--photos", type=int, default=12, help="in each album, at first")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    chance = random.Random(options.seed)
    with ExitStack() as stack:
        smugmug = stack.enter_context(Sandbox(library=library(options.albums, options.photos)))
        folder = stack.enter_context(
            services(HEARTBEAT_SECONDS="1", SMUGMUG_REQUESTS_PER_SECOND=str(RATE), SMUGMUG_API_URL=smugmug.url)
        )
        trial = Trial(smugmug, folder, chance)
        found = trial.run(options.kills)
    for line in (*trial.report(), *found):
        print(line)
    print("The mirror is NOT the library." if found else "The mirror equals the library, row by row.")
    sys.exit(bool(found))


class Trial:
    def __init__(self, smugmug: Sandbox, folder: Path, chance: random.Random) -> None:
        self.smugmug, self.folder, self.chance = smugmug, folder, chance
        self.account = account_of(StandIn(smugmug.url, smugmug.nickname, *smugmug.grant()))
        self.kinds = itertools.cycle(("full", "incremental", "verify"))
        self.changes: Counter[str] = Counter()
        self.hits: Counter[str] = Counter()
        self.runs = 0

    def run(self, kills: int) -> list[str]:
        """Kill that often, let what is left be done, check everything once; the differences that remain."""
        from tests.smugmug.equality import differences

        with changing(self.smugmug, random.Random(self.chance.random()), self.changes):
            while self.hits.total() < kills:
                self.kill_one()
        with worker(self.folder):
            self.until_ended(self.active() or self.start(next(self.kinds)))
            last = self.until_ended(self.start("verify"))
        if last.state != "succeeded":
            return [f"the last verify ended {last.state}: {last.waiting_for} {last.errors}"]
        return differences(self.smugmug, self.account)

    def report(self) -> list[str]:
        """What happened."""
        library = self.smugmug.library
        changes = ", ".join(f"{times} × {name}" for name, times in sorted(self.changes.items()))
        hits = ", ".join(f"{times} × {phase}" for phase, times in sorted(self.hits.items()))
        return [
            f"{self.hits.total()} kills in {self.runs} syncs ({hits})",
            f"{self.changes.total():,} changes meanwhile ({changes})",
            f"in the end {len(library.albums):,} albums, {library.count_photos():,} photos",
        ]

    def kill_one(self) -> None:
        """A new worker; when it has taken the run, its death a random moment later."""
        run = self.active() or self.start(next(self.kinds))
        with worker(self.folder) as process:
            before = run.holder
            self.wait(lambda: self.changed(run, before))
            time.sleep(self.chance.uniform(0, len(self.smugmug.library.albums) / RATE / 2))
            self.kill(process)
        run.refresh_from_db()
        if run.state == "running":  # else the sync was over faster
            self.hits[_phase(run)] += 1

    def changed(self, run: Any, holder: Any) -> bool:
        """Whether a new worker has taken the run, or it is over; what cron does is done on the way."""
        from smugmug import jobs

        jobs.resume_stalled_syncs()
        run.refresh_from_db()
        return run.holder != holder or not run.is_active

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """The worker with its child, as when a machine goes; or the child alone, which does the work."""
        horses = children_of(process)
        if horses and self.chance.random() < 0.5:
            kill_all(horses)
            time.sleep(0.2)
            horses = children_of(process)  # it may have begun anew
        kill_all([process.pid, *horses])

    def start(self, kind: str) -> Any:
        from smugmug import jobs, sync

        run, is_new = sync.start(self.account, by=None, kind=kind)
        assert is_new
        jobs.sync_account.delay(str(run.pk))
        self.runs += 1
        return run

    def active(self) -> Any:
        from smugmug.models import SyncRun

        return SyncRun.objects.active().filter(account=self.account).first()

    def until_ended(self, run: Any) -> Any:
        self.wait(lambda: self.changed(run, run.holder) and not run.is_active)
        return run

    def wait(self, condition: Any) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                log = (self.folder / "worker.log").read_text(errors="replace")
                raise SystemExit(f"nothing moves any more; the workers' log ends with:\n{log[-3000:]}")
            time.sleep(0.1)


def _phase(run: Any) -> str:
    """Where in a sync the worker was hit."""
    if run.albums_listed_at is None:
        return "in the list"
    return "among the albums" if run.done < run.total else "among what is lost"


@contextmanager
def worker(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One that works until the block ends."""
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, *WORKER], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        kill_all([process.pid, *children_of(process)])
        process.wait()


def children_of(process: subprocess.Popen[bytes]) -> list[int]:
    """What the worker has forked: each in a process group of its own, and alive after its parent's death."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(pid) for pid in children.read_text().split()] if children.exists() else []


def kill_all(pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def changing(smugmug: Sandbox, chance: random.Random, done: Counter[str]) -> Iterator[None]:
    """The library changes all the while, by a thread of its own."""
    over = threading.Event()

    def change() -> None:
        changes = Changes(smugmug, chance)
        while not over.wait(BETWEEN_CHANGES):
            done[changes.make_one()] += 1

    thread = threading.Thread(target=change, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Changes:
    """What a photographer does to a library."""

    def __init__(self, smugmug: Sandbox, chance: random.Random) -> None:
        self.library, self.chance = smugmug.library, chance
        self.number = 0
        self.kinds = (
            *[self.add] * 6,
            *[self.caption, self.keywords, self.replace, self.move, self.remove, self.collect] * 3,
            *[self.place, self.hide, self.lock, self.unlock, self.rename_album, self.add_album, self.remove_album],
        )

    def make_one(self) -> str:
        """Its name; a change that finds nothing to be made to is passed over."""
        self.number += 1
        kind = self.chance.choice(self.kinds)
        with self.library.lock, suppress(IndexError):  # a choice among none
            kind()
        return kind.__name__.replace("_", " ")

    def album(self, *, is_locked: bool = False) -> str:
        return self.chance.choice([album.key for album in self.library.albums if album.is_locked == is_locked])

    def photo(self) -> str:
        photos = self.chance.choice([album.photos for album in self.library.albums if album.photos])
        return photos[self.chance.randrange(len(photos))].key

    def add(self) -> None:
        self.library.add_photo(self.album())

    def caption(self) -> None:
        self.library.edit_photo(
            self.photo(), caption=f"Said {self.number} times, 夜明け 🌅", title=f"No. {self.number}"
        )

    def keywords(self) -> None:
        self.library.edit_photo(self.photo(), keywords=("changed", f"no. {self.number}"))

    def replace(self) -> None:
        self.library.replace_photo(self.photo())

    def move(self) -> None:
        self.library.move_photo(self.photo(), self.album())

    def remove(self) -> None:
        self.library.remove_photo(self.photo())

    def collect(self) -> None:
        self.library.collect_photo(self.photo(), self.album())

    def place(self) -> None:
        self.library.edit_photo(self.photo(), place=Place(43.3 + self.number / 1000, -1.98, 12, "Donostia", "Spain"))

    def hide(self) -> None:
        self.library.edit_photo(self.photo(), is_hidden=self.chance.random() < 0.5)

    def lock(self) -> None:
        self.library.lock_album(self.album())

    def unlock(self) -> None:
        self.library.unlock_album(self.album(is_locked=True))

    def rename_album(self) -> None:
        self.library.rename_album(self.album(), f"Album named {self.number}")

    def add_album(self) -> None:
        self.library.add_album(f"Album added {self.number}")

    def remove_album(self) -> None:
        if len(self.library.albums) > 5:
            self.library.remove_album(self.album())


if __name__ == "__main__":
    main()
