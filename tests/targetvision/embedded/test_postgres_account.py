from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

import pytest

from targetvision.embedded import EmbeddedError, account
from targetvision.embedded.processes import Account

from .conftest import connect, is_working

SOMEBODY = Account(54321, 54321)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needed only where root starts the program")


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_for_postgres_on_data_of_an_ordinary_user_is_that_user_without_roots_group(tmp_path):
    nobody = pwd.getpwnam("nobody")
    os.chown(tmp_path, nobody.pw_uid, 0)

    assert account.for_postgres(tmp_path) == Account(nobody.pw_uid, nobody.pw_gid)


def test_for_postgres_on_data_of_a_nameless_user_is_that_user(tmp_path):
    os.chown(tmp_path, SOMEBODY.uid, 0)

    assert account.for_postgres(tmp_path) == SOMEBODY


def test_for_postgres_without_data_is_never_root(tmp_path):
    user = account.for_postgres(tmp_path / "none")

    assert user.uid != 0
    assert user.gid != 0


def test_for_postgres_where_no_user_can_be_made_says_so(tmp_path, monkeypatch, is_sentence):
    monkeypatch.setattr(account, "USER", "no such user: the name is not allowed")

    with pytest.raises(EmbeddedError, match="could not be made") as error:
        account.for_postgres(tmp_path / "none")

    assert is_sentence(error.value)


def test_open_way_adds_the_right_to_pass_and_nothing_else(tmp_path):
    closed, open_already = tmp_path / "closed", tmp_path / "closed" / "open"
    open_already.mkdir(parents=True)
    closed.chmod(0o700)
    open_already.chmod(0o755)

    account.open_way(SOMEBODY, open_already)

    assert (mode(closed), mode(open_already)) == (0o701, 0o755)


def test_open_way_to_own_folder_leaves_it_as_it_is(tmp_path):
    own = tmp_path / "own"
    own.mkdir(mode=0o700)
    os.chown(own, SOMEBODY.uid, SOMEBODY.gid)

    account.open_way(SOMEBODY, own)

    assert mode(own) == 0o700


def test_open_way_that_stays_closed_says_what_would_do(tmp_path, is_sentence):
    shut = tmp_path / "shut"
    (shut / "data").mkdir(parents=True)
    os.chown(shut, -1, SOMEBODY.gid)
    shut.chmod(0o705)  # the group's lack of rights counts for its members, whatever others may

    with pytest.raises(EmbeddedError, match="cannot reach .*: start the program as an ordinary user") as error:
        account.open_way(SOMEBODY, shut / "data")

    assert is_sentence(error.value)


def test_take_lease_as_root_runs_postgres_as_ordinary_user(machine):
    lease = machine.lease()
    [server] = machine.pids("postgres -D")

    process, data = Path(f"/proc/{server}").stat(), (machine.data_dir / "postgres").stat()
    assert process.st_uid == data.st_uid != 0
    assert process.st_gid != 0
    assert is_working(lease)
    with connect(lease) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("targetvision",)
