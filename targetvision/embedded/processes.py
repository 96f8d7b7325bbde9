"""Service processes: starting one, waiting for it, and ending one that a killed guardian left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

POLL_SECONDS = 0.05
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class Account:
    """Another user, as whom a process runs."""

    uid: int
    gid: int


def spawn(command: list[str], *, account: Account | None = None) -> subprocess.Popen[bytes]:
    """Start the command as `account` or as the caller; what it says goes where the caller's own words go.

    It gets no environment but this: PGPORT and LC_ALL must not change a server, and keys are none of its
    business.
    """
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        cwd="/",
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )


def wait_until(answers: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether the started process answers within the time; where it does not, it is ended."""
    deadline = time.monotonic() + seconds
    while not answers():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            return False
        time.sleep(POLL_SECONDS)
    return True


def wait_until_gone(process: subprocess.Popen[bytes], deadline: float) -> bool:
    """Whether the process ended before the deadline (time.monotonic())."""
    try:
        process.wait(max(deadline - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        return False
    return True


def end_leftover(pid_file: Path, folder: Path, signals: tuple[signal.Signals, ...]) -> None:
    """End the process of the pid file, if its command names the folder: the signals in turn, 5 s apart.

    After a restart of the machine the number may be another process's, hence the look at the command.
    """
    pid = _read_pid(pid_file)
    for number in signals:
        if pid is None or not _names(pid, folder):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while _names(pid, folder) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)


def _read_pid(path: Path) -> int | None:
    try:
        return int(path.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def _names(pid: int, folder: Path) -> bool:
    return os.fsencode(folder) in _command(pid)


def _command(pid: int) -> bytes:
    """The command line of a process, empty where it has ended."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return b""
    ps = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(ps, capture_output=True, check=False).stdout
