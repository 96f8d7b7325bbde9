"""Runs Postgres and Valkey for as long as anybody holds a connection to its socket.

`python -m targetvision.embedded.guardian DATA_DIR` is started by `take_lease()` and inherits the locked
lock file: the lock is free when the process ends, so there is never a second guardian of the same data. The
kernel closes a holder's connection however the holder ends, SIGKILL included. GRACE_SECONDS after the last
one, both services are stopped.

A service that dies by itself is started again, MAX_RESTARTS times in ten minutes; then everything is
stopped, and the holders learn it from their next query. Only a SIGKILL of the guardian itself leaves
services behind: they serve on, and the next guardian ends and restarts them.
"""

from __future__ import annotations

import logging
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from targetvision.embedded.places import READY, EmbeddedError, Places
from targetvision.embedded.postgres import Postgres
from targetvision.embedded.processes import wait_until_gone
from targetvision.embedded.valkey import Valkey

GRACE_SECONDS = 2.0
FIRST_GRACE_SECONDS = 5.0  # before the first holder, and before whoever waits for an error
TICK_SECONDS = 0.25  # how soon a dead service is noticed
STOP_SECONDS = (3.5, 5.0)  # after being asked to stop: when a service is told again, more firmly each time
MAX_RESTARTS = 3  # of both together, within
RESTARTS_SECONDS = 600

logger = logging.getLogger("targetvision.embedded.guardian")


class Guardian:
    """The two services, and the holders who need them."""

    def __init__(self, places: Places, listener: socket.socket) -> None:
        self._places = places
        self._listener = listener
        self._running: list[tuple[Postgres | Valkey, subprocess.Popen[bytes]]] = []
        self._deaths: list[float] = []
        self._selector = selectors.DefaultSelector()
        self._holders = 0

    def start(self) -> None:
        """Start both; EmbeddedError where that fails."""
        postgres, valkey = Postgres(self._places), Valkey(self._places)
        for service in (postgres, valkey):
            service.prepare()
            self._running.append((service, service.start()))
        postgres.make_database()

    def serve(self) -> None:
        """Come back when there has been no holder for a while, or when a service cannot be kept alive."""
        self._selector.register(self._listener, selectors.EVENT_READ)
        leave_at = time.monotonic() + FIRST_GRACE_SECONDS
        while self._holders or time.monotonic() < leave_at:
            for key, _ in self._selector.select(TICK_SECONDS):
                if key.fileobj is self._listener:
                    self._welcome()
                elif isinstance(key.fileobj, socket.socket) and self._has_left(key.fileobj):
                    leave_at = time.monotonic() + GRACE_SECONDS
            if not self._keep_alive():
                return

    def stop(self) -> None:
        """Ask both at once, then insist."""
        asked = time.monotonic()
        for service, process in self._running:
            process.send_signal(service.stop_signals[0])
        for service, process in self._running:
            for number, seconds in zip(service.stop_signals[1:], STOP_SECONDS, strict=False):
                if not wait_until_gone(process, asked + seconds):
                    logger.warning("%s did not stop in %s s and gets %s", service.name, seconds, number.name)
                    process.send_signal(number)
            process.wait()

    def _welcome(self) -> None:
        holder, _ = self._listener.accept()
        try:
            holder.sendall(f"{READY}\n".encode())
        except OSError:  # gone before it was welcome
            holder.close()
            return
        self._selector.register(holder, selectors.EVENT_READ)
        self._holders += 1

    def _has_left(self, holder: socket.socket) -> bool:
        """Whether this was the end of a connection; nothing else is expected of a holder."""
        try:
            if holder.recv(64):
                return False
        except ConnectionError:
            logger.info("a holder's connection broke")
        self._selector.unregister(holder)
        holder.close()
        self._holders -= 1
        return True

    def _keep_alive(self) -> bool:
        """Start again what died; False where that was too often."""
        for index, (service, process) in enumerate(self._running):
            if process.poll() is None:
                continue
            logger.error("%s ended by itself (status %s)", service.name, process.returncode)
            self._deaths = [then for then in self._deaths if time.monotonic() - then < RESTARTS_SECONDS]
            self._deaths.append(time.monotonic())
            if len(self._deaths) > MAX_RESTARTS:
                logger.error("too often: stopping everything")
                return False
            try:
                self._running[index] = (service, service.start())
            except EmbeddedError as exc:
                logger.warning("%s", exc)
                time.sleep(1)  # then again, as often as is allowed
        return True


def main() -> None:
    """Listen, let the starter go on (who then knows that somebody listens), and guard."""
    places = Places(Path(sys.argv[1]))
    _prepare_process()
    listener = _listen(places.guardian_socket)
    if os.fork():
        os._exit(0)  # nobody's child leaves no zombie with whoever started it
    guard(places, listener)


def guard(places: Places, listener: socket.socket) -> None:
    """Start the services, come back when nobody needs them any more, and leave nothing running."""
    guardian = Guardian(places, listener)
    try:
        if _starts(guardian, listener):
            guardian.serve()
    finally:
        # First nobody can come in any more, then the services stop, and with the process goes the lock.
        listener.close()
        places.guardian_socket.unlink(missing_ok=True)
        guardian.stop()
        _remove_folders(places)
        logger.info("stopped")


def _prepare_process() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s guardian: %(message)s")
    os.umask(0o077)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # unlike SIG_IGN, this is not inherited by the services
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]  # PGOPTIONS and others would change our own connections


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)  # a killed guardian's: the lock is ours
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(64)
    return listener


def _starts(guardian: Guardian, listener: socket.socket) -> bool:
    """Whether the services started; where they did not, those who wait have been told why."""
    try:
        guardian.start()
    except EmbeddedError as exc:
        _refuse(listener, str(exc))
        return False
    except (OSError, psycopg.Error, subprocess.SubprocessError) as exc:
        logger.exception("not started")
        _refuse(listener, f"The embedded services did not start: {exc}.")
        return False
    logger.info("ready")
    return True


def _refuse(listener: socket.socket, reason: str) -> None:
    """Tell everybody who waits, and in any case the one who started this."""
    logger.error("%s", reason)
    listener.settimeout(FIRST_GRACE_SECONDS)
    try:
        while True:
            with listener.accept()[0] as holder:
                holder.sendall(f"{' '.join(reason.split())}\n".encode())
            listener.settimeout(0)
    except OSError:
        return  # nobody waits any more


def _remove_folders(places: Places) -> None:
    """With the socket that a killed service leaves behind."""
    for folder in {places.run_dir, places.postgres_run_dir}:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
