"""A pytest plugin, loaded before Django: real Postgres and Valkey for the tests, and an environment of their own.

Each of the processes that run tests holds a lease; the services end with the last of them.
"""

import os
import re
import sys
from pathlib import Path

import environ
import psycopg
import pytest

from targetvision.embedded import take_lease

ROOT = Path(__file__).resolve().parent.parent

# The many processes that tests start would each compile all of it again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# No variable of the person's shell may change what is tested: all that .env.example lists are taken out first.
for name in re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), flags=re.MULTILINE):
    os.environ.pop(name, None)


def _hasten(database_url: str) -> None:
    """Let no test wait for the disk: this cluster holds nothing that is to outlive a power cut."""
    where = environ.Env.db_url_config(database_url)
    with psycopg.connect(
        host=where["HOST"], user=where["USER"], dbname=where["NAME"], port=where["PORT"] or None, autocommit=True
    ) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(f"ALTER SYSTEM SET {setting} TO off")
        connection.execute("SELECT pg_reload_conf()")


worker = os.environ.get("PYTEST_XDIST_WORKER", "")
lease = take_lease(ROOT / "var" / "test")
_hasten(lease.database_url)
os.environ.update(
    DATA_DIR=str(ROOT / "var" / "test" / (worker or "main")),
    DATABASE_URL=lease.database_url,
    REDIS_URL=f"{lease.redis_url.partition('?')[0]}?db={int(worker.removeprefix('gw') or 0) + 1}",
    SECRET_KEY="only for tests",
    FIELD_ENCRYPTION_KEYS="MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    SMUGMUG_API_KEY="sandbox-key",
    SMUGMUG_API_SECRET="sandbox-secret",
    SMUGMUG_API_URL="http://127.0.0.1:9",  # nobody listens on discard; the `smugmug` fixture names a stand-in
    SMUGMUG_OAUTH_URL="http://127.0.0.1:9/services/oauth/1.0a",
    SMUGMUG_REQUESTS_PER_SECOND="1000",
    AI_DESCRIBER="local",
    OPENBLAS_NUM_THREADS="1",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Here and not beside the browser tests, whose conftest is read too late for an option."""
    parser.addoption("--screenshots", metavar="DIR", help="photograph every page into DIR (with -m screenshots)")
