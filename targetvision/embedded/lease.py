"""What a process does that needs the embedded services: take a lease and keep it."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from targetvision.embedded.places import READY, EmbeddedError, Places, make_private

FIND_SECONDS = 20.0  # until a guardian listens; one that is just stopping takes eight at most
START_SECONDS = 60.0  # until its services work: one as a rule, two the first time, more after a crash
POLL_SECONDS = 0.05
MAX_STARTS = 3
LOG_BYTES = 1_000_000  # a longer log is put aside at the next start

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Lease:
    """The services run until release(), or until this process and its forked children end, in any way."""

    database_url: str
    redis_url: str
    run_dir: Path
    _connection: int = field(repr=False)  # a file descriptor, because a forgotten socket object would close

    def release(self) -> None:
        """Let the services go; twice is harmless."""
        if self._connection >= 0:
            os.close(self._connection)
            self._connection = -1


def take_lease(data_dir: Path) -> Lease:
    """A lease on running services, started if need be; EmbeddedError where they cannot be had."""
    places = Places(data_dir.resolve())
    give_up = time.monotonic() + FIND_SECONDS
    starts = 0
    while starts < MAX_STARTS and time.monotonic() < give_up:
        connection = _connect(places.guardian_socket)
        if connection is None:
            starts += _start_guardian(places)
            time.sleep(POLL_SECONDS)
            continue
        answer = _answer(connection)
        if answer == READY:
            return Lease(places.database_url, places.redis_url, places.run_dir, connection.detach())
        connection.close()
        if answer:
            raise EmbeddedError(answer)
    raise EmbeddedError(
        "The embedded Postgres and Valkey could not be reached: "
        f"another user may be using {places.data_dir}, or {places.log.name} there says why."
    )


def _connect(path: Path) -> socket.socket | None:
    """A connection to the guardian, None where nobody listens."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(START_SECONDS)
    try:
        connection.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    except OSError as exc:
        connection.close()
        raise EmbeddedError(f"{path} cannot be used: {exc.strerror}.") from exc
    return connection


def _answer(connection: socket.socket) -> str:
    """READY, or why the services did not start, or nothing where the guardian was just leaving."""
    try:
        with connection.makefile("r", encoding="utf-8") as lines:
            return lines.readline().strip()
    except TimeoutError:
        return f"The embedded services took more than {START_SECONDS:.0f} seconds to start; please try again."
    except ConnectionError:
        return ""


def _start_guardian(places: Places) -> bool:
    """Start one and come back when it listens; False where another's is just starting or stopping.

    Whoever has the lock may start one. It inherits the lock, which the kernel frees when the guardian ends.
    """
    lock = -1
    try:
        places.data_dir.mkdir(parents=True, exist_ok=True)
        lock = os.open(places.lock, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        make_private(places.run_dir)
        _run_guardian(places, lock)
    except BlockingIOError:
        return False
    except OSError as exc:
        raise EmbeddedError(f"{places.data_dir} cannot be used as DATA_DIR: {exc.strerror} ({exc.filename}).") from exc
    finally:
        if lock >= 0:
            os.close(lock)
    return True


def _run_guardian(places: Places, lock: int) -> None:
    """It goes into the background by itself, so this comes back as soon as it listens."""
    log = _open_log(places.log)
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    started = subprocess.run(
        [sys.executable, "-m", "targetvision.embedded.guardian", str(places.data_dir)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd="/",
        env={**os.environ, "PYTHONPATH": path},
        pass_fds=[lock],
        start_new_session=True,
        check=False,
    )
    os.close(log)
    if started.returncode != 0:
        shutil.rmtree(places.run_dir, ignore_errors=True)
        raise EmbeddedError(f"The guardian of the embedded services did not start; {places.log} says why.")


def _open_log(path: Path) -> int:
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
