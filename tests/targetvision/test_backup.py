"""A database into a file and back, by the commands that people type."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import environ
import psycopg
import pytest

from targetvision.embedded import Lease, take_lease
from tests.targetvision.programs import MANAGE, ROOT, environment

USERS = "SELECT username FROM auth_user ORDER BY username"


@dataclass
class Home:
    """A DATA_DIR whose services run as long as the tests."""

    folder: Path
    lease: Lease

    @property
    def data_dir(self) -> Path:
        return self.folder / "var"

    def manage(self, *words: str, answer: str = "", **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*MANAGE, *words],
            cwd=ROOT,
            env=environment(DATA_DIR=str(self.data_dir), **changes),
            input=answer,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def sql(self, text: str, database: str = "targetvision") -> list[str]:
        server = environ.Env.db_url_config(self.lease.database_url)
        with psycopg.connect(
            host=server["HOST"], port=server["PORT"], user=server["USER"], dbname=database, autocommit=True
        ) as connection:
            cursor = connection.execute(text)  # type: ignore[call-overload]
            return [row[0] for row in cursor] if cursor.description else []

    def add_user(self, name: str) -> None:
        self.sql(
            "INSERT INTO auth_user (username, password, is_superuser, is_staff, is_active, first_name, last_name,"
            f" email, date_joined) VALUES ('{name}', '', false, false, true, '', '', '', now())"
        )


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """Not below pytest's own folder, which is closed to the user as whom Postgres runs for root."""
    with tempfile.TemporaryDirectory(prefix="a backup ") as folder:
        lease = take_lease(Path(folder) / "var")
        home = Home(Path(folder), lease)
        try:
            migrated = home.manage("migrate", "-v0")
            assert migrated.returncode == 0, migrated.stderr
            home.add_user("ada")
            yield home
        finally:
            lease.release()


@pytest.fixture(scope="module")
def backup(home: Home) -> Path:
    """The state with ada alone."""
    file = home.folder / "the backup"
    done = home.manage("backup", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert "keys.env too" in done.stdout
    return file


@contextmanager
def leader(home: Home) -> Iterator[None]:
    """Somebody holds the lock that `up` holds."""
    code = "import sys; from pathlib import Path; from targetvision.processes import lead; "
    code += "lock = lead(Path(sys.argv[1])); print('leading', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(home.data_dir / "up.lock")]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield
    finally:
        process.communicate()


def databases(home: Home) -> set[str]:
    return set(home.sql("SELECT datname FROM pg_database"))


def test_backup_is_for_its_owner_alone_and_leaves_no_draft(backup: Path) -> None:
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert backup.read_bytes().startswith(b"PGDMP")
    assert [path.name for path in backup.parent.iterdir() if "backup" in path.name] == [backup.name]


def test_backup_over_a_file_wants_force(home: Home, backup: Path) -> None:
    other = backup.with_name("other")
    other.write_text("somebody's")

    refused = home.manage("backup", str(other))
    kept = other.read_text()
    forced = home.manage("backup", str(other), "--force")

    assert (refused.returncode, kept) == (1, "somebody's")
    assert "--force" in refused.stderr
    assert (forced.returncode, other.read_bytes()[:5]) == (0, b"PGDMP")


def test_restore_brings_the_old_state_back_and_nothing_of_the_new(home: Home, backup: Path) -> None:
    home.add_user("eve")

    done = home.manage("restore", str(backup), answer="yes\n")

    assert (done.returncode, done.stderr) == (0, "")
    assert home.sql(USERS) == ["ada"]
    assert home.sql("SELECT extname FROM pg_extension WHERE extname = 'vector'") == ["vector"]
    assert databases(home) == {"postgres", "targetvision", "template0", "template1"}


def test_restore_an_older_state_applies_what_was_added_since(home: Home, backup: Path) -> None:
    home.sql("DELETE FROM django_migrations WHERE app = 'targetvision'")
    home.sql("DROP TABLE targetvision_apitoken, targetvision_preference")
    older = backup.with_name("older")
    assert home.manage("backup", str(older)).returncode == 0

    done = home.manage("restore", str(older), "--yes")

    assert (done.returncode, done.stderr) == (0, "")
    assert home.sql("SELECT count(*) FROM targetvision_preference") == [0]


@pytest.mark.parametrize("answer", ["", "no\n", "y\n"])
def test_restore_without_a_yes_changes_nothing(home: Home, backup: Path, answer: str) -> None:
    home.add_user("eve")

    done = home.manage("restore", str(backup), answer=answer)

    assert done.returncode == 1
    assert "Nothing was changed." in done.stderr
    assert home.sql(USERS) == ["ada", "eve"]
    home.sql("DELETE FROM auth_user WHERE username = 'eve'")


def test_restore_a_broken_file_changes_nothing(home: Home, backup: Path) -> None:
    broken = backup.with_name("broken")
    broken.write_bytes(backup.read_bytes()[: backup.stat().st_size // 2])

    done = home.manage("restore", str(broken), "--yes")

    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: pg_restore: error")
    assert home.sql(USERS) == ["ada"]
    assert databases(home) == {"postgres", "targetvision", "template0", "template1"}


def test_restore_of_a_newer_release_is_refused(home: Home, backup: Path) -> None:
    home.sql("INSERT INTO django_migrations (app, name, applied) VALUES ('smugmug', '9999_to_come', now())")
    newer = backup.with_name("newer")
    made = home.manage("backup", str(newer))
    home.sql("DELETE FROM django_migrations WHERE name = '9999_to_come'")

    done = home.manage("restore", str(newer), "--yes")

    assert made.returncode == 0
    assert done.returncode == 1
    assert "newer release" in done.stderr
    assert home.sql(USERS) == ["ada"]


def test_restore_while_it_runs_is_refused(home: Home, backup: Path) -> None:
    with leader(home):
        done = home.manage("restore", str(backup), "--yes")

    assert done.returncode == 1
    assert "stop it first" in done.stderr


def test_restore_while_something_uses_the_database_changes_nothing(home: Home, backup: Path) -> None:
    server = environ.Env.db_url_config(home.lease.database_url)
    with psycopg.connect(host=server["HOST"], port=server["PORT"], user=server["USER"], dbname=server["NAME"]):
        done = home.manage("restore", str(backup), "--yes")

    assert done.returncode == 1
    assert "Something still uses the database" in done.stderr
    assert databases(home) == {"postgres", "targetvision", "template0", "template1"}


def test_restore_without_the_keys_of_the_backup_says_so(home: Home, backup: Path) -> None:
    home.sql(
        "INSERT INTO smugmug_account (owner_id, nickname, name, web_url, oauth_token, oauth_token_secret,"
        " granted_access, granted_permissions, state)"
        " SELECT id, 'lib', '', '', 'not', 'readable', '', '', 'connected' FROM auth_user LIMIT 1"
    )
    with_secrets = backup.with_name("with secrets")
    assert home.manage("backup", str(with_secrets)).returncode == 0

    done = home.manage("restore", str(with_secrets), "--yes")

    assert done.returncode == 1
    assert "2 secrets in it were encrypted with keys that are not here" in done.stderr
    assert home.sql("SELECT nickname FROM smugmug_account") == ["lib"]


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_backup_of_a_database_of_ones_own_names_the_tool(home: Home, backup: Path, command: str) -> None:
    own = {"DATABASE_URL": home.lease.database_url, "REDIS_URL": home.lease.redis_url, "SECRET_KEY": "x"}
    copy = backup.with_name("copy")
    shutil.copy(backup, copy)

    done = home.manage(command, str(copy), **own, FIELD_ENCRYPTION_KEYS="MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")

    assert done.returncode == 1
    assert "a database of your own: use pg_" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert copy.read_bytes() == backup.read_bytes()
