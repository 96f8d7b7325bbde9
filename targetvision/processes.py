"""One leader (`up`, `demo`) and the processes that follow it: web, workers, cron, the stand-in.

The leader holds a lock that the kernel lets go however it ends; each follower looks at it once a second and
leaves when it is free. A parent's pid would not do: honcho stands between leader and followers, and outlives both.
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
import time
from pathlib import Path
from typing import IO

LEADER = "TARGETVISION_LEADER"  # the path of the lock, for the followers
PATIENCE_SECONDS = 6  # between being asked to stop and being ended; under the ten that a restart may wait


class AlreadyRunning(Exception):
    """Another leader works on the same data."""


def lead(lock: Path) -> IO[str]:
    """Become the leader for as long as the returned file stays open; AlreadyRunning where there is one.

    A POSIX lock, because it belongs to this process alone: honcho's forked helpers must not hold it too.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    file = lock.open("a")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        file.close()
        raise AlreadyRunning(str(lock)) from exc
    os.environ[LEADER] = str(lock)
    return file


def follow_leader() -> None:
    """End this process soon after its leader ended; nothing where there is no leader."""
    path = os.environ.get(LEADER)
    if path:
        threading.Thread(target=_follow, args=(Path(path),), name="follow", daemon=True).start()


def _follow(lock: Path) -> None:
    while _is_led(lock):
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE_SECONDS)
    os._exit(1)


def _is_led(lock: Path) -> bool:
    """Whether somebody holds the lock. A shared lock is tried, so that followers do not mistake one another."""
    try:
        with lock.open() as file:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
