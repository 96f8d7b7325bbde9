from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from targetvision import env, start
from targetvision.embedded import EmbeddedError, Lease

from .programs import Program, end_all, environment, processes_of, wait_for

PREPARE = """
import os
from targetvision import start
start.prepare(command="check")
print(os.environ["SECRET_KEY"], os.environ["FIELD_ENCRYPTION_KEYS"])
"""


@pytest.fixture
def prepare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., dict[str, str]]]:
    """prepare() with lent services and no migrations; gives what the environment has become."""
    lease = Lease("postgres:///lent", "unix:///lent", tmp_path, -1)
    monkeypatch.setattr(start, "take_lease", lambda data_dir: data_dir.mkdir(parents=True, exist_ok=True) or lease)
    monkeypatch.setattr(start, "_migrate", lambda: None)
    monkeypatch.setattr(start, "BASE_DIR", tmp_path)

    def prepared(command: str = "", **changes: str) -> dict[str, str]:
        with mock.patch.dict(os.environ, environment(**changes), clear=True):
            start.prepare(command=command)
            return dict(os.environ)

    return prepared


def test_prepare_without_services_lends_them_and_makes_the_keys_once(prepare, tmp_path):
    first = prepare(DATA_DIR=str(tmp_path / "var"))
    again = prepare(DATA_DIR=str(tmp_path / "var"))

    assert (first["DATABASE_URL"], first["REDIS_URL"]) == ("postgres:///lent", "unix:///lent")
    assert first["DATA_DIR"] == str(tmp_path / "var")
    assert len(first["SECRET_KEY"]) > 50
    assert {name: again[name] for name in ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS")} == {
        name: first[name] for name in ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS")
    }
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["keys.env"]
    assert stat.S_IMODE((tmp_path / "var" / "keys.env").stat().st_mode) == 0o600


def test_prepare_with_keys_of_ones_own_makes_none(prepare, tmp_path):
    prepared = prepare(DATA_DIR=str(tmp_path / "var"), SECRET_KEY="mine", FIELD_ENCRYPTION_KEYS="mine too")

    assert (prepared["SECRET_KEY"], prepared["FIELD_ENCRYPTION_KEYS"]) == ("mine", "mine too")
    assert list((tmp_path / "var").iterdir()) == []


def test_prepare_with_one_key_of_ones_own_keeps_it_and_makes_the_other(prepare, tmp_path):
    prepared = prepare(DATA_DIR=str(tmp_path / "var"), SECRET_KEY="mine")

    assert prepared["SECRET_KEY"] == "mine"
    assert prepared["FIELD_ENCRYPTION_KEYS"] in (tmp_path / "var" / "keys.env").read_text()


def test_prepare_with_services_of_ones_own_takes_no_lease_and_makes_no_keys(prepare, monkeypatch, tmp_path):
    monkeypatch.setattr(start, "take_lease", lambda data_dir: pytest.fail("a lease was taken"))
    own = {"DATABASE_URL": "postgres://db.example.org/photos", "REDIS_URL": "redis://queue.example.org:6379/0"}

    prepared = prepare(DATA_DIR=str(tmp_path / "var"), **own)

    assert {name: prepared[name] for name in own} == own
    assert (prepared["SECRET_KEY"], prepared["FIELD_ENCRYPTION_KEYS"]) == ("", "")
    assert not (tmp_path / "var").exists()


def test_prepare_reads_dot_env_and_the_shell_has_the_last_word(prepare, tmp_path):
    (tmp_path / ".env").write_text("LATE_ONE=from the file\nSECRET_KEY=from the file\n")

    prepared = prepare(DATA_DIR=str(tmp_path / "var"), SECRET_KEY="from the shell")

    assert prepared["LATE_ONE"] == "from the file"
    assert prepared["SECRET_KEY"] == "from the shell"


def test_prepare_the_demo_takes_neither_key_nor_data_of_the_shell(prepare, tmp_path):
    demo = prepare(
        "demo",
        OPENAI_API_KEY="costs money",
        DATABASE_URL="postgres://db.example.org/photos",
        REDIS_URL="redis://queue.example.org:6379/0",
        SMUGMUG_API_KEY="a real one",
        SMUGMUG_API_SECRET="a real one",
        SMUGMUG_API_URL="https://api.smugmug.com",
        PORT="8100",
    )

    assert demo["AI_DESCRIBER"] == "local"
    assert demo["DATA_DIR"] == str(tmp_path / "var" / "demo")
    assert (demo["DATABASE_URL"], demo["REDIS_URL"]) == ("postgres:///lent", "unix:///lent")
    assert (demo["SMUGMUG_API_KEY"], demo["SMUGMUG_API_SECRET"]) == ("sandbox-key", "sandbox-secret")
    assert demo["SMUGMUG_API_URL"] == "http://127.0.0.1:8101"
    assert demo["SMUGMUG_OAUTH_URL"] == "http://127.0.0.1:8101/services/oauth/1.0a"


def test_prepare_the_demo_with_a_describer_that_is_asked_for_takes_it(prepare):
    demo = prepare("demo", AI_DESCRIBER="openai", OPENAI_BASE_URL="http://localhost:11434/v1")

    assert demo["AI_DESCRIBER"] == "openai"


@pytest.mark.parametrize("port", ["abc", "65535", "0"])
def test_prepare_the_demo_with_a_wrong_port_is_a_sentence(prepare, port):
    with pytest.raises(env.WrongSetting, match=f"^PORT is '{port}'; it takes a number from 1 to 65534.$"):
        prepare("demo", PORT=port)


def test_prepare_where_services_cannot_be_had_is_a_sentence(prepare, monkeypatch):
    def refuse(data_dir: Path) -> Lease:
        raise EmbeddedError("The disk is full.")

    monkeypatch.setattr(start, "take_lease", refuse)

    with pytest.raises(env.WrongSetting, match=r"^The disk is full\.$"):
        prepare("check")


@pytest.mark.parametrize("command", ["help", "smugmug_sandbox"])
def test_prepare_a_command_without_need_of_services_starts_none(prepare, monkeypatch, tmp_path, command):
    monkeypatch.setattr(start, "take_lease", lambda data_dir: pytest.fail("a lease was taken"))

    prepared = prepare(command, DATA_DIR=str(tmp_path / "var"))

    assert prepared["DATABASE_URL"]
    assert prepared["SECRET_KEY"]
    assert not (tmp_path / "var").exists()


def test_prepare_twice_at_once_on_new_data_gives_both_the_same_keys():
    """Real services, which both start and migrate at once; not below pytest's folder, where Postgres may not enter."""
    with tempfile.TemporaryDirectory(prefix="a b ") as name:
        folder = Path(name)
        starts = [
            Program([sys.executable, "-c", PREPARE], folder / f"{number}.log", DATA_DIR=str(folder / "var"))
            for number in range(2)
        ]
        statuses = [program.status(60) for program in starts]
        said = [program.output for program in starts]
        gone = wait_for(lambda: not processes_of(folder))
        keys = dict(line.split("=", 1) for line in (folder / "var" / "keys.env").read_text().splitlines())
        end_all(folder)

    assert statuses == [0, 0], said
    assert said == [f"{keys['SECRET_KEY']} {keys['FIELD_ENCRYPTION_KEYS']}\n"] * 2
    assert gone
