"""manage.py and its like as processes of their own, seen from outside."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[2]
MANAGE = [sys.executable, "manage.py"]
STOP_SECONDS = 10  # a restart may wait that long for everything to be gone
START_SECONDS = 40
# What each process of a running installation is recognised by, in its command line.
KINDS = {
    "postgres": "bin/postgres -D",
    "valkey": "valkey-server",
    "guardian": "targetvision.embedded.guardian",
    "web": "gunicorn targetvision.wsgi",
    "worker": "manage.py rqworker",
    "cron": "manage.py rqcron",
    "stand-in": "manage.py smugmug_sandbox",
}


def settings_names() -> list[str]:
    """Every variable that TargetVision reads."""
    return re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), flags=re.MULTILINE)


def environment(**changes: str) -> dict[str, str]:
    """This process's environment with only these settings.

    The others are empty, which is the same as absent, so that no .env of this checkout fills them.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TARGETVISION_")}
    return {**kept, **dict.fromkeys(settings_names(), ""), **changes}


def run(*command: str, cwd: Path = ROOT, seconds: float = 60, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run a Python command to its end."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


class Program:
    """One that stays: started in a session of its own, its output in a file."""

    def __init__(self, command: list[str], output: Path, **changes: str) -> None:
        self._output = output
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment(**changes),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._output.read_text(errors="replace")

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def status(self, seconds: float = STOP_SECONDS) -> int:
        """How it ended, which must be within the time."""
        return self._process.wait(seconds)


def processes_of(folder: Path) -> dict[int, str]:
    """Processes that name the folder in their environment or command or work below it: pid → command."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            command = (entry / "cmdline").read_bytes()
            names_it = os.fsencode(folder) in (entry / "environ").read_bytes() + command
            if command and (names_it or (entry / "cwd").readlink().is_relative_to(folder)):
                found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


def kinds_of(folder: Path) -> set[str]:
    """Which KINDS run for the folder."""
    commands = processes_of(folder).values()
    return {kind for kind, mark in KINDS.items() if any(mark in command for command in commands)}


def end_all(folder: Path) -> None:
    """What a failed test left running for its folder."""
    for pid in processes_of(folder):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def wait_for(condition: Callable[[], Any], seconds: float = STOP_SECONDS, *, every: float = 0.1) -> bool:
    """Whether the condition holds within the time; looking at it takes time from what is waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


def answers(port: int) -> bool:
    """Whether a stranger is shown a page of TargetVision's."""
    try:
        page = requests.get(f"http://127.0.0.1:{port}/sign-in/", timeout=5)
        return page.status_code == requests.codes.ok and "· TargetVision</title>" in page.text
    except (requests.ConnectionError, requests.Timeout):  # not there yet, or busy starting
        return False


def free_port() -> int:
    """A free port of this machine, the next one free too: the demo's stand-in takes that."""
    while True:
        with ExitStack() as stack:
            first, second = (stack.enter_context(socket.socket()) for _ in range(2))
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            with suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                return port
