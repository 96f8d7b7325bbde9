"""The Procfile's processes under one leader, as `up` and `demo` run them."""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from honcho.environ import parse_procfile
from honcho.manager import SIGNALS, Manager
from honcho.printer import Message, Printer

from targetvision.embedded.places import Places
from targetvision.models import Run, RunState
from targetvision.processes import AlreadyRunning, lead
from targetvision.start import is_embedded

logger = logging.getLogger(__name__)

STARTED = "TARGETVISION_STARTED"  # epoch seconds at which the leader began, for the demo's report
STOPPED_BY_SIGNAL = {signal["rc"] for signal in SIGNALS.values()}


class Console(Printer):  # type: ignore[misc]
    """Shows what the named processes print, as it is; keeps what the others print in a file."""

    def __init__(self, spoken: set[str], log: IO[bytes]) -> None:
        super().__init__(sys.stdout)
        self.spoken, self.log = spoken, log

    def write(self, message: Message) -> None:
        text = message.data.decode("utf-8", "replace") if isinstance(message.data, bytes) else message.data
        name = (message.name or "").partition(".")[0]
        if name in self.spoken:
            self.output.write(text)
            self.output.flush()
        else:
            with suppress(OSError):  # a full disk must not stop what runs
                self.log.write(f"{datetime.now():%H:%M:%S} {message.name}| {text.rstrip()}\n".encode())


class JsonConsole(Printer):  # type: ignore[misc]
    """Shows what the processes log as it is, and makes JSON of what they or the manager say otherwise."""

    def write(self, message: Message) -> None:
        text = message.data.decode("utf-8", "replace") if isinstance(message.data, bytes) else message.data
        if text.startswith("{"):
            self.output.write(text)
            self.output.flush()
        elif text.strip():
            logger.info("%s: %s", message.name, text.rstrip())


def run(greet: Callable[[], object], extra: dict[str, str] | None = None, *, spoken: set[str] | None = None) -> int:
    """Run the Procfile's processes and `extra` until a signal or until one of them ends; returns the exit status.

    `greet` is called once nothing stands in the way. With `spoken`, only those processes speak on the console, and
    the rest into DATA_DIR/processes.log.
    """
    _refuse_taken_port(settings.BIND, settings.PORT)
    try:
        lock = lead(settings.DATA_DIR / "up.lock")
    except AlreadyRunning:
        raise CommandError(f"TargetVision already runs on the data in {settings.DATA_DIR}.") from None
    greet()
    _take_up_runs()
    os.environ.setdefault(STARTED, str(time.time()))
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    os.environ["PYTHONUNBUFFERED"] = "1"
    os.environ["PORT"] = str(settings.PORT)
    call_command("collectstatic", interactive=False, verbosity=0)
    with lock, (settings.DATA_DIR / "processes.log").open("ab", buffering=0) as log:
        manager = Manager(_printer(spoken, log))
        for name, command in {**_procfile(), **(extra or {})}.items():
            manager.add_process(name, f"exec {command}", env=dict(os.environ), cwd=str(settings.BASE_DIR))
        manager.loop()
    status: int = manager.returncode or 0
    if status in STOPPED_BY_SIGNAL:
        return 0
    if status and Places(settings.DATA_DIR).is_disk_full:
        sys.stderr.write(
            f"There is no room left on the disk of {settings.DATA_DIR}: make room, then start this again.\n"
        )
    elif status and spoken:
        sys.stderr.write(f"Not everything went well; {log.name} says what.\n")
    return status


def _take_up_runs() -> None:
    """What the last leader's workers left: with a database of our own, nobody else can be working on it."""
    if not is_embedded("DATABASE_URL"):
        return
    for model in apps.get_models():
        if issubclass(model, Run):
            for run in model.objects.filter(state=RunState.RUNNING):
                run.release()


def _printer(spoken: set[str] | None, log: IO[bytes]) -> Printer:
    if spoken:
        return Console(spoken, log)
    return JsonConsole(sys.stdout) if settings.LOG_FORMAT == "json" else Printer(sys.stdout)


def _procfile() -> dict[str, str]:
    """The commands of the Procfile, each under a name of its own: worker.1, worker.2."""
    counts = {"worker": settings.WORKERS}
    commands = parse_procfile((settings.BASE_DIR / "Procfile").read_text()).processes
    return {
        f"{name}.{number}": command
        for name, command in commands.items()
        for number in range(1, counts.get(name, 1) + 1)
    }


def _refuse_taken_port(host: str, port: int) -> None:
    """CommandError where the web server could not listen there: it would try for long, and name no setting."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as exc:
            if exc.errno == errno.EADDRNOTAVAIL:
                raise CommandError(f"BIND is {host}, which is no address of this machine.") from None
            raise CommandError(f"Port {port} is taken. Choose another: PORT={port + 10} make …") from None
