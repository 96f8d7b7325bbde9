"""For a process that must not outlive the one that started it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

PARENT = os.getppid()  # looked up at once: it may have ended before somebody asks to leave with it
LAST_SECONDS = 8.0  # between asking the process to leave and ending it; under the ten that a restart may wait


def _ask_to_leave() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def leave_with_parent(callback: Callable[[], None] = _ask_to_leave, interval: float = 1.0) -> None:
    """Call back once the parent process has ended (a look every `interval` s); end this one 8 s later.

    The parent is the one that this process had when the module was loaded, so not for use after a fork.
    """
    threading.Thread(target=_watch, args=(PARENT, callback, interval), name="leave-with-parent", daemon=True).start()


def _watch(parent: int, callback: Callable[[], None], interval: float) -> None:
    while os.getppid() == parent:
        time.sleep(interval)
    callback()
    time.sleep(LAST_SECONDS)
    os._exit(128 + signal.SIGTERM)
