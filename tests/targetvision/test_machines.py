"""Machines that are not like the one it was written on."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import environ
import psycopg
import pytest
from django.db import OperationalError

from targetvision import start
from targetvision.embedded import Lease, take_lease
from tests.targetvision.programs import (
    MANAGE,
    ROOT,
    Program,
    end_all,
    free_port,
    kinds_of,
    processes_of,
    run,
    wait_for,
)

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below pytest's own folder, which is closed to the user as whom Postgres runs for root."""
    with tempfile.TemporaryDirectory(prefix="machine ä ", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture
def own(folder: Path) -> Iterator[Lease]:
    """A Postgres and a Valkey that run anyway: for a program that is given their addresses they are somebody's own."""
    lease = take_lease(folder / "own")
    yield lease
    lease.release()


def tables(lease: Lease) -> int:
    server = environ.Env.db_url_config(lease.database_url)
    with psycopg.connect(host=server["HOST"], port=server["PORT"], user=server["USER"], dbname=server["NAME"]) as db:
        row = db.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert row
    return int(row[0])


def test_start_below_a_long_path_in_the_c_locale_works(folder: Path) -> None:
    data_dir = folder / ("long" * 30) / "var"

    done = run("manage.py", "shell", "-v0", "-c", "print('ü')", DATA_DIR=str(data_dir), LC_ALL="C", XDG_RUNTIME_DIR="")

    assert len(str(data_dir)) > 130
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == "ü"


def test_start_with_services_of_ones_own_wants_keys_of_ones_own(own: Lease, folder: Path) -> None:
    urls = {"DATABASE_URL": own.database_url, "REDIS_URL": own.redis_url, "DATA_DIR": str(folder / "var")}

    without = run("manage.py", "check", **urls)
    with_one = run("manage.py", "check", **urls, SECRET_KEY="long and random")

    assert without.returncode == with_one.returncode == 1
    assert without.stderr.startswith("SECRET_KEY is not set")
    assert with_one.stderr.startswith("FIELD_ENCRYPTION_KEYS is not set")
    assert len(without.stderr.splitlines()) == len(with_one.stderr.splitlines()) == 1
    assert not (folder / "var").exists()


def test_start_with_services_of_ones_own_leaves_migrating_to_the_person(own: Lease, folder: Path) -> None:
    settings = {
        "DATABASE_URL": own.database_url,
        "REDIS_URL": own.redis_url,
        "DATA_DIR": str(folder / "var"),
        "SECRET_KEY": "long and random",
        "FIELD_ENCRYPTION_KEYS": KEY,
    }

    checked = run("manage.py", "check", **settings)
    before = tables(own)
    migrated = run("manage.py", "migrate", "-v0", **settings)

    assert (checked.returncode, before) == (0, 0)
    assert (migrated.returncode, migrated.stderr) == (0, "")
    assert tables(own) > 20
    assert not (folder / "var" / "keys.env").exists()


def test_start_on_a_disk_without_room_says_so_and_works_once_there_is(folder: Path) -> None:
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", folder], check=False).returncode
    ):
        pytest.skip("needs the right to mount a small disk")
    try:
        full = run("manage.py", "check", DATA_DIR=str(folder / "var"))
        subprocess.run(["mount", "-o", "remount,size=200m", folder], check=True)
        roomy = run("manage.py", "check", DATA_DIR=str(folder / "var"))
    finally:
        unmounted = wait_for(lambda: not subprocess.run(["umount", folder], stderr=subprocess.DEVNULL).returncode)

    assert full.returncode == 1
    assert full.stderr == f"There is too little room on the disk of {folder / 'var'}: a new database takes 100 MB.\n"
    assert roomy.returncode == 0, roomy.stderr
    assert unmounted


def test_run_into_a_full_disk_ends_in_a_sentence() -> None:
    sentence = "The disk is full. Nothing is damaged: make room, then start this again."
    of_the_database = OperationalError("could not extend file")
    of_the_database.__cause__ = psycopg.errors.DiskFull()

    for trouble in (OSError(errno.ENOSPC, "No space left on device"), of_the_database):
        with pytest.raises(SystemExit, match=f"^{sentence}$"), start.trouble_in_a_sentence():
            raise trouble


def test_start_where_no_database_answers_ends_in_a_sentence_that_names_the_variable() -> None:
    nobody = {"DATABASE_URL": f"postgres://ada@127.0.0.1:{free_port()}/photos", "REDIS_URL": "unix:///none"}

    ended = run("manage.py", "migrate", **nobody, SECRET_KEY="s", FIELD_ENCRYPTION_KEYS=KEY)

    assert ended.returncode == 1
    assert "could not be reached within ten seconds: look whether it runs, and at DATABASE_URL.\n" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_run_into_another_trouble_stays_what_it_is() -> None:
    with pytest.raises(OperationalError), start.trouble_in_a_sentence():
        raise OperationalError("server closed the connection")


def test_kill_the_demo_outright_leaves_nothing_running(folder: Path) -> None:
    settings = {"DATA_DIR": str(folder / "var"), "PORT": str(free_port())}
    demo = Program([*MANAGE, "demo"], folder / "demo.log", **settings)
    try:
        assert wait_for(lambda: "stand-in" in kinds_of(folder) and "web" in kinds_of(folder), 40), demo.output

        demo.send(signal.SIGKILL)
        demo.status()

        assert wait_for(lambda: not processes_of(folder), 12), processes_of(folder)
    finally:
        end_all(folder)


@pytest.mark.parametrize(
    ("data_dir", "expected"), [("", ROOT / "var/demo"), ("data", ROOT / "data/demo"), ("/srv/tv", Path("/srv/tv/demo"))]
)
def test_prepare_the_demo_puts_its_data_below_data_dir(data_dir: str, expected: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(os, "environ", {**os.environ, "DATA_DIR": data_dir})
    monkeypatch.setattr(environ.Env, "ENVIRON", os.environ)

    start._demo_environment()
    os.environ["TARGETVISION_LEADER"] = "/srv/tv/demo/up.lock"
    start._demo_environment()  # the demo's own child

    assert Path(os.environ["DATA_DIR"]) == expected
