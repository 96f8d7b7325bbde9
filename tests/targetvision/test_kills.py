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
IN_FLIGHT = 2  # two workers, one call of the built-in model each
SOME = 5
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


@pytest.mark.parametrize("kind", ["web", "worker", "guardian", "postgres", "valkey"])
def test_kill_in_the_middle_of_a_demo_loses_nothing_and_does_nothing_twice(kind: str, home: Path) -> None:
    data_dir = home / "demo"
    workers = "2" if kind == "worker" else "1"
    changes = {"DATA_DIR": str(home), "PORT": str(free_port()), "WORKERS": workers, **LEASES}
    first = Program(DEMO, home / "first.log", **changes)

    def is_in_the_middle() -> bool:
        rows = ask(data_dir, DESCRIBED) if (data_dir / "postgres" / "PG_VERSION").exists() else []
        return bool(rows) and rows[0][0] >= SOME

    assert wait_for(lambda: first.has_ended() or is_in_the_middle(), START_SECONDS), first.output
    before = ask(data_dir, DESCRIBED)[0][0]
    assert before < PHOTOS, "the demo was over before it could be disturbed"

    kill(kind, data_dir)
    wait_for(first.has_ended, 5)
    if not first.has_ended():
        first.send(signal.SIGTERM)
    assert wait_for(lambda: first.has_ended() and is_quiet(data_dir, kind)), processes_of(data_dir)
    again = Program([*DEMO, "--once"], home / "again.log", **changes)

    assert again.status(100) == 0, again.output
    assert ask(data_dir, DESCRIBED) == [(PHOTOS,)]
    assert ask(data_dir, "SELECT count(*) FROM smugmug_photos WHERE removed_at IS NULL") == [(PHOTOS,)]
    assert ask(data_dir, "SELECT count(*), max(version) FROM metadata_history") == [(PHOTOS, 1)]
    assert ask(data_dir, "SELECT count(*) FROM photo_embedding") == [(PHOTOS,)]
    [(calls,)] = ask(data_dir, "SELECT count(*) FROM metadata_aicall WHERE kind = 'describe'")
    assert PHOTOS <= calls <= PHOTOS + IN_FLIGHT
    assert ask(data_dir, "SELECT count(*) FROM metadata_processingrun WHERE state IN ('queued', 'running')") == [(0,)]
    assert wait_for(lambda: not processes_of(data_dir)), processes_of(data_dir)
