"""SIGKILL of any part in the middle of a demo: after a restart the run ends, nothing twice, nothing lost."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from targetvision.embedded import take_lease

from .programs import KINDS, MANAGE, START_SECONDS, Program, end_all, free_port, processes_of, wait_for

DEMO = [*MANAGE, "demo"]
PHOTOS = 58
KILLED = ("web", "worker", "postgres", "valkey", "guardian")  # the last leaves a worker that goes on for seconds
IN_FLIGHT = 2  # one call of the built-in model, and one that ended as it was killed
SOME = 3
DESCRIBED = "SELECT count(*) FROM ai_metadata WHERE processing_status = 'completed'"
# Short, so that what a dead worker held is soon taken up.
LEASES = {"CLAIM_SECONDS": "3", "HEARTBEAT_SECONDS": "1"}


@pytest.fixture
def home() -> Iterator[Path]:
    """Not below pytest's own folder: as root, Postgres is another user, and may not enter there."""
    with tempfile.TemporaryDirectory(prefix="a b ") as folder:
        yield Path(folder)
        end_all(Path(folder))


def ask(data_dir: Path, question: str) -> list[tuple[int, ...]]:
    """The rows of a query on the demo's database, [] as long as there is none."""
    lease = take_lease(data_dir)
    try:
        with psycopg.connect(host=socket_folder(lease.database_url), user="targetvision", dbname="targetvision") as db:
            return db.execute(question).fetchall()  # type: ignore[arg-type]
    except psycopg.Error:
        return []
    finally:
        lease.release()


def socket_folder(url: str) -> str:
    """postgres://targetvision@:5432//tmp/tv-…/targetvision → /tmp/tv-…"""
    return "/" + url.partition("5432//")[2].rpartition("/")[0]


def kill(kind: str, data_dir: Path) -> None:
    """SIGKILL to every process of that kind; of Postgres, to its first, whose death is a crash."""
    for pid, command in sorted(processes_of(data_dir).items()):
        if KINDS[kind] in command:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            if kind == "postgres":
                return


def is_quiet(data_dir: Path, killed: str) -> bool:
    """Whether nothing runs any more; who kills the guardian itself leaves its services for the next start."""
    left = {kind for kind, mark in KINDS.items() if any(mark in command for command in processes_of(data_dir).values())}
    return left <= ({"postgres", "valkey"} if killed == "guardian" else set())


def test_kill_any_part_in_the_middle_of_a_demo_loses_nothing_and_does_nothing_twice(home: Path) -> None:
    """One after the other, each in the middle of what the one before has left."""
    data_dir = home / "demo"
    changes = {"DATA_DIR": str(home), "PORT": str(free_port()), "WORKERS": "1", **LEASES}
    for kind in KILLED:
        kill_in_the_middle(kind, data_dir, Program(DEMO, home / f"{kind}.log", **changes))
    again = Program([*DEMO, "--once"], home / "again.log", **changes)

    assert again.status(100) == 0, again.output
    assert ask(data_dir, DESCRIBED) == [(PHOTOS,)]
    assert ask(data_dir, "SELECT count(*) FROM smugmug_photos WHERE removed_at IS NULL") == [(PHOTOS,)]
    assert ask(data_dir, "SELECT count(*), max(version) FROM metadata_history") == [(PHOTOS, 1)]
    assert ask(data_dir, "SELECT count(*) FROM photo_embedding") == [(PHOTOS,)]
    [(calls,)] = ask(data_dir, "SELECT count(*) FROM metadata_aicall WHERE kind = 'describe'")
    assert PHOTOS <= calls <= PHOTOS + IN_FLIGHT * len(KILLED)
    assert ask(data_dir, "SELECT count(*) FROM metadata_processingrun WHERE state IN ('queued', 'running')") == [(0,)]
    assert wait_for(lambda: not processes_of(data_dir)), processes_of(data_dir)


def kill_in_the_middle(kind: str, data_dir: Path, demo: Program) -> None:
    """Kill that part of the demo once it has described some photos more, and wait until all of it has ended."""

    def described() -> int:
        rows = ask(data_dir, DESCRIBED) if (data_dir / "postgres" / "PG_VERSION").exists() else []
        return rows[0][0] if rows else 0

    begin = described()
    assert wait_for(lambda: demo.has_ended() or described() >= begin + SOME, START_SECONDS, every=0.3), demo.output
    assert described() < PHOTOS, f"the demo was over before {kind} could be killed"
    kill(kind, data_dir)
    wait_for(demo.has_ended, 5)
    if not demo.has_ended():
        demo.send(signal.SIGTERM)
    assert wait_for(lambda: demo.has_ended() and is_quiet(data_dir, kind)), processes_of(data_dir)
