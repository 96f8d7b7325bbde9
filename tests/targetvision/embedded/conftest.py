"""Real servers, each test with a DATA_DIR of its own whose name has a space and an umlaut."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import environ
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from targetvision.embedded import Lease, take_lease

ROOT = Path(__file__).resolve().parents[3]
HOLDER = """
import sys
from pathlib import Path
from targetvision.embedded import take_lease
lease = take_lease(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.read()
"""
GUARDIAN = "targetvision.embedded.guardian"


@dataclass
class Machine:
    """What runs for one DATA_DIR, seen from outside."""

    data_dir: Path
    _leases: list[Lease] = field(default_factory=list)
    _holders: list[subprocess.Popen[str]] = field(default_factory=list)

    def lease(self) -> Lease:
        """A lease of this process, released when the test is over at the latest."""
        self._leases.append(take_lease(self.data_dir))
        return self._leases[-1]

    def hold(self, **environment: str) -> subprocess.Popen[str]:
        """Start another process that takes a lease and keeps it until it is killed."""
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(self.data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), **environment},
        )
        self._holders.append(holder)
        return holder

    def kill(self, holder: subprocess.Popen[str]) -> None:
        holder.kill()
        holder.communicate()

    def let_go(self) -> None:
        for holder in self._holders:
            self.kill(holder)
        for lease in self._leases:
            lease.release()

    def pids(self, name: str = "") -> list[int]:
        """Processes that name DATA_DIR in their command or work below it, and whose command holds `name`."""
        return [pid for pid, command in _processes(self.data_dir) if name in command]

    def is_gone(self) -> bool:
        return not self.pids()


def _processes(folder: Path) -> Iterator[tuple[int, str]]:
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if command and (str(folder) in command or (entry / "cwd").readlink().is_relative_to(folder)):
                yield int(entry.name), command


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether the condition holds within the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def connect(lease: Lease, database: str | None = None) -> psycopg.Connection[Any]:
    """As Django connects, from the same reading of the URL."""
    config = environ.Env.db_url_config(lease.database_url)
    return psycopg.connect(
        host=config["HOST"],
        port=config["PORT"],
        user=config["USER"],
        dbname=database or config["NAME"],
        autocommit=True,
    )


def queue(lease: Lease) -> redis.Redis:
    return redis.Redis.from_url(lease.redis_url, retry=Retry(NoBackoff(), 0))


def is_working(lease: Lease) -> bool:
    """Whether both services answer; False while one of them is being restarted."""
    try:
        with connect(lease) as connection, queue(lease) as client:
            return connection.execute("SELECT 1").fetchone() == (1,) and bool(client.ping())
    except (psycopg.OperationalError, redis.ConnectionError):
        return False


@pytest.fixture(scope="module")
def new_machine() -> Iterator[Callable[[], Machine]]:
    """Makes machines with an empty DATA_DIR; nothing of them runs when the module's tests are over.

    Not below pytest's own folder: another session closes that to others, and as root Postgres is one of them.
    """
    machines: list[Machine] = []
    with tempfile.TemporaryDirectory(prefix="a b ä ") as folder:

        def new() -> Machine:
            machines.append(Machine(Path(folder, str(len(machines)), "var")))
            return machines[-1]

        yield new
        all_of_them = Machine(Path(folder))
        gone = wait_for(all_of_them.is_gone)
        for pid in all_of_them.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert gone, "processes were left running"


@pytest.fixture
def machine(new_machine: Callable[[], Machine]) -> Iterator[Machine]:
    """An empty DATA_DIR; nobody holds its services when the test is over."""
    machine = new_machine()
    yield machine
    machine.let_go()


@pytest.fixture(scope="module")
def shared_machine(new_machine: Callable[[], Machine]) -> Iterator[Machine]:
    """For tests that only look."""
    machine = new_machine()
    yield machine
    machine.let_go()


@pytest.fixture(scope="module")
def shared_lease(shared_machine: Machine) -> Lease:
    return shared_machine.lease()


@pytest.fixture
def is_sentence() -> Callable[[BaseException], bool]:
    """Whether an error reads like one: a single line, a capital or a path first, a full stop last."""
    return lambda error: bool(re.fullmatch(r"[A-Z/].+\.", str(error)))
