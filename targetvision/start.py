"""What happens before Django loads: the .env file, the embedded services, the keys, the migrations.

Every process comes through `prepare()`: manage.py calls it, gunicorn through gunicorn.conf.py. What it finds or
makes it leaves in the environment, so that settings.py stays pure and children inherit it.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import environ
from django.db import DatabaseError
from psycopg.errors import DiskFull
from psycopg_pool import PoolTimeout

from targetvision import env, keys
from targetvision.embedded import EmbeddedError, Lease, take_lease
from targetvision.processes import LEADER, follow_leader

BASE_DIR = Path(__file__).resolve().parent.parent
# Set by the process that made the lease, for its children: which variables are ours, so that they take one too.
LEASED = "TARGETVISION_LEASED"
# These need neither database nor queue, and must work where nothing can be started.
SERVICELESS = {"help", "version", "--help", "--version", "smugmug_sandbox"}
# These must find the database as it is.
MIGRATELESS = {"backup", "restore"}

_held: Lease | None = None  # the connection lives as long as the process


def prepare(*, command: str = "") -> None:
    """Make the environment complete; WrongSetting (one sentence) where that cannot be."""
    environ.Env.read_env(BASE_DIR / ".env")
    if command == "demo":
        _demo_environment()
    data_dir = env.folder("DATA_DIR", "var", base=BASE_DIR)
    follow_leader()
    embedded = env.text(LEASED).split(",") if env.text(LEASED) else _absent("DATABASE_URL", "REDIS_URL")
    if command in SERVICELESS:
        embedded = []
        nowhere = {"DATABASE_URL": "postgres:///none", "REDIS_URL": "unix:///none"}
        os.environ.update({name: nowhere[name] for name in _absent(*nowhere)})
    if embedded:
        _lease(data_dir, embedded)
    if embedded or command in SERVICELESS:
        _keys(data_dir, keep=bool(embedded))
    if "DATABASE_URL" in embedded and command not in MIGRATELESS and not os.environ.get(LEADER):
        _migrate()


@contextmanager
def trouble_in_a_sentence() -> Iterator[None]:
    """End with one sentence instead of a traceback where there is no room on a disk, or no way to the database."""
    try:
        yield
    except (OSError, DatabaseError) as exc:
        if _is_disk_full(exc):
            raise SystemExit("The disk is full. Nothing is damaged: make room, then start this again.") from None
        if isinstance(exc.__cause__, PoolTimeout):
            raise SystemExit(
                "The database could not be reached within ten seconds: look whether it runs, and at DATABASE_URL."
            ) from None
        raise


def _is_disk_full(exc: BaseException | None) -> bool:
    if exc is None:
        return False
    known = isinstance(exc, DiskFull) or getattr(exc, "errno", None) == errno.ENOSPC
    return known or _is_disk_full(exc.__cause__)


def is_embedded(name: str) -> bool:
    """Whether the variable (DATABASE_URL, REDIS_URL) names a service of TargetVision's own."""
    return name in env.text(LEASED).split(",")


def _absent(*names: str) -> list[str]:
    return [name for name in names if not env.text(name)]


def _demo_environment() -> None:
    """The demo's data lie apart, its SmugMug is the stand-in, and a key in the shell must not spend money."""
    if os.environ.get(LEADER):
        return  # the demo's own child has all of this
    port = env.integer("PORT", 8000, low=1, high=65534)
    stand_in = f"http://127.0.0.1:{port + 1}"
    os.environ.update(
        DATA_DIR=str(env.folder("DATA_DIR", "var", base=BASE_DIR) / "demo"),
        SMUGMUG_API_URL=stand_in,
        SMUGMUG_OAUTH_URL=f"{stand_in}/services/oauth/1.0a",
        SMUGMUG_API_KEY="sandbox-key",
        SMUGMUG_API_SECRET="sandbox-secret",  # noqa: S106 - the stand-in's own, in its documentation
    )
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    os.environ["AI_DESCRIBER"] = env.text("AI_DESCRIBER", "local")


def _lease(data_dir: Path, names: list[str]) -> None:
    global _held
    try:
        _held = take_lease(data_dir)
    except EmbeddedError as exc:
        raise env.WrongSetting(str(exc)) from exc
    urls = {"DATABASE_URL": _held.database_url, "REDIS_URL": _held.redis_url}
    os.environ.update({name: urls[name] for name in names}, **{LEASED: ",".join(names), "DATA_DIR": str(data_dir)})


def _keys(data_dir: Path, *, keep: bool) -> None:
    """Set the keys that are absent, from DATA_DIR/keys.env, which is made at the first start (mode 0600)."""
    path = data_dir / keys.FILE
    absent = _absent("SECRET_KEY", "FIELD_ENCRYPTION_KEYS")
    if not absent:
        return
    for name in absent:
        os.environ.pop(name, None)  # read_env would keep an empty one
    if keep:
        if not path.exists():
            keys.make_file(path)
        environ.Env.read_env(path)
    else:
        os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
        os.environ.setdefault("FIELD_ENCRYPTION_KEYS", keys.make_key())


def _migrate() -> None:
    """Bring an empty or older embedded database up to date; a database of one's own is migrated by its owner."""
    import django  # noqa: PLC0415 - needs the environment that was just made
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415
    from django.db.migrations.executor import MigrationExecutor  # noqa: PLC0415

    django.setup()
    with connection.cursor() as cursor:
        # Two processes that start at once migrate one after the other.
        cursor.execute("SELECT pg_advisory_lock(hashtext('targetvision.migrate'))")
        try:
            executor = MigrationExecutor(connection)
            if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                call_command("migrate", interactive=False, verbosity=0)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtext('targetvision.migrate'))")
    connection.close()
    # The pool's threads would not survive the fork of a server or worker.
    connection.close_pool()  # type: ignore[attr-defined]
