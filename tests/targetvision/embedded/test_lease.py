from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import stat
import sys
from pathlib import Path

import pytest

from targetvision.embedded import EmbeddedError, lease, postgres, take_lease, valkey
from targetvision.embedded.places import Places, make_private

from .conftest import GUARDIAN, connect, is_working, queue, wait_for


def test_take_lease_on_empty_folder_gives_database_with_vector(shared_lease):
    with connect(shared_lease) as connection:
        answer = connection.execute("SELECT lower('ÄЖË'), '[1,2]'::vector <-> '[1,4]'").fetchone()
        encoding = connection.execute("SHOW server_encoding").fetchone()

    assert answer == ("äжë", 2.0)
    assert encoding == ("UTF8",)


def test_take_lease_on_empty_folder_lets_tests_make_databases_with_vector(shared_lease):
    with connect(shared_lease, "postgres") as connection:
        connection.execute("CREATE DATABASE test_targetvision")

    with connect(shared_lease, "test_targetvision") as connection:
        assert connection.execute("SELECT '[1]'::vector::text").fetchone() == ("[1]",)


def test_take_lease_on_empty_folder_gives_queue_that_keeps_every_write(shared_lease):
    with queue(shared_lease) as client:
        client.set("name", "ä")

        assert client.get("name") == "ä".encode()
        assert client.config_get("appendonly") == {"appendonly": "yes"}


def test_take_lease_listens_on_sockets_only(shared_machine, shared_lease):
    assert len(shared_machine.pids()) > 2
    assert listening_inodes() & socket_inodes(shared_machine.pids()) == set()
    with connect(shared_lease) as connection:
        assert connection.execute("SELECT inet_server_addr()").fetchone() == (None,)


def listening_inodes() -> set[str]:
    tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    rows = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    return {row[9] for row in rows if row[3] == "0A"}


def socket_inodes(pids: list[int]) -> set[str]:
    targets = [os.readlink(fd) for pid in pids for fd in Path(f"/proc/{pid}/fd").iterdir()]
    return {target[len("socket:[") : -1] for target in targets if target.startswith("socket:[")}


def test_take_lease_keeps_everything_private(shared_machine, shared_lease):
    places = Places(shared_machine.data_dir)
    folders = [places.run_dir, places.postgres_run_dir, places.postgres_data, places.valkey_data]

    assert {stat.S_IMODE(folder.lstat().st_mode) for folder in folders} == {0o700}
    assert {stat.S_IMODE(file.stat().st_mode) for file in (places.lock, places.log)} == {0o600}
    assert stat.S_IMODE(places.valkey_socket.stat().st_mode) == 0o700
    assert len(os.fsencode(places.postgres_run_dir / ".s.PGSQL.5432.lock")) < 104
    assert shared_lease.run_dir == places.run_dir


def test_take_lease_through_link_finds_same_services(shared_machine, shared_lease, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(shared_machine.data_dir)

    lease = take_lease(link)
    lease.release()

    assert lease.database_url == shared_lease.database_url
    assert len(shared_machine.pids(GUARDIAN)) == 1


def test_take_lease_in_odd_environment_gives_the_same_services(machine):
    holder = machine.hold(
        LC_ALL="C", LANG="C", PGPORT="1", PGDATABASE="no", PGOPTIONS="-c no=1", PYTHONWARNINGS="error"
    )
    assert holder.stdout.readline() == "ready\n"

    lease = machine.lease()

    with connect(lease) as connection:
        assert connection.execute("SELECT lower('Ä'), current_database()").fetchone() == ("ä", "targetvision")


def test_kill_one_of_two_holders_keeps_services_for_the_other(machine):
    first, second = machine.hold(), machine.hold()
    assert [first.stdout.readline(), second.stdout.readline()] == ["ready\n", "ready\n"]
    servers = machine.pids("postgres -D")
    assert len(machine.pids(GUARDIAN)) == 1
    assert len(servers) == 1

    machine.kill(first)

    assert not wait_for(lambda: machine.pids("postgres -D") != servers, seconds=3)
    lease = machine.lease()
    assert is_working(lease)


def test_kill_last_holder_leaves_data_and_no_process(machine):
    holder = machine.hold()
    assert holder.stdout.readline() == "ready\n"
    lease = machine.lease()
    with connect(lease) as connection, queue(lease) as client:
        connection.execute("CREATE TABLE kept AS SELECT 'letter' AS what")
        client.rpush("queue", "job")
    lease.release()

    machine.kill(holder)

    assert wait_for(machine.is_gone, seconds=10)
    assert not lease.run_dir.exists()
    assert not Places(machine.data_dir).postgres_run_dir.exists()
    lease = machine.lease()
    with connect(lease) as connection, queue(lease) as client:
        assert connection.execute("SELECT what FROM kept").fetchall() == [("letter",)]
        assert client.lrange("queue", 0, -1) == [b"job"]


def test_take_lease_twice_at_once_starts_one_guardian(machine):
    holders = [machine.hold() for _ in range(3)]

    assert [holder.stdout.readline() for holder in holders] == ["ready\n"] * 3
    assert len(machine.pids(GUARDIAN)) == 1
    assert len(machine.pids("postgres -D")) == 1
    assert len(machine.pids("valkey-server")) == 1


def test_take_lease_while_guardian_is_leaving_gives_working_services(machine):
    lease = machine.lease()
    [leaving] = machine.pids(GUARDIAN)
    lease.release()
    assert wait_for(lambda: not Places(machine.data_dir).guardian_socket.exists())

    lease = machine.lease()

    assert is_working(lease)
    assert leaving not in machine.pids(GUARDIAN)


def test_release_twice_harms_nobody_else(shared_machine, shared_lease):
    lease = shared_machine.lease()
    lease.release()
    read_end, write_end = os.pipe()  # takes the number that the lease had

    lease.release()

    os.close(write_end)
    os.close(read_end)
    assert is_working(shared_lease)


def test_take_lease_below_a_file_names_the_folder(tmp_path, is_sentence):
    (tmp_path / "file").touch()

    with pytest.raises(EmbeddedError) as error:
        take_lease(tmp_path / "file" / "var")

    assert is_sentence(error.value)
    assert str(tmp_path / "file" / "var") in str(error.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_take_lease_where_nothing_can_be_written_names_the_folder(tmp_path, is_sentence):
    tmp_path.chmod(0o500)

    with pytest.raises(EmbeddedError, match="Permission denied") as error:
        take_lease(tmp_path / "var")

    assert is_sentence(error.value)
    assert not (tmp_path / "var").exists()


def test_take_lease_on_data_of_newer_postgres_says_so_and_leaves_them(machine, is_sentence):
    data = machine.data_dir / "postgres"
    data.mkdir(parents=True, mode=0o700)
    (data / "PG_VERSION").write_text("99\n")

    with pytest.raises(EmbeddedError, match="made by Postgres 99, but this program brings 18") as error:
        machine.lease()

    assert is_sentence(error.value)
    assert [path.name for path in data.iterdir()] == ["PG_VERSION"]
    assert wait_for(machine.is_gone, seconds=3)


def test_take_lease_on_broken_data_tells_what_postgres_said(machine, is_sentence):
    machine.lease().release()
    assert wait_for(machine.is_gone)
    (machine.data_dir / "postgres" / "global" / "pg_control").unlink()

    with pytest.raises(EmbeddedError, match="^Postgres did not start: could not find the database") as error:
        machine.lease()

    assert is_sentence(error.value)
    assert wait_for(machine.is_gone, seconds=3)


def test_take_lease_after_killed_first_start_begins_anew(machine):
    half_made = machine.data_dir / "postgres.new"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")

    lease = machine.lease()

    assert is_working(lease)
    assert not half_made.exists()


def test_take_lease_where_socket_folder_is_a_link_refuses_it(machine, tmp_path, is_sentence):
    run_dir = Places(machine.data_dir).run_dir
    run_dir.symlink_to(tmp_path)

    try:
        with pytest.raises(EmbeddedError, match="is a link") as error:
            machine.lease()
    finally:
        run_dir.unlink()

    assert is_sentence(error.value)
    assert machine.is_gone()


def test_interrupt_at_the_terminal_reaches_holder_only(machine):
    holder = machine.hold()
    assert holder.stdout.readline() == "ready\n"
    [guardian] = machine.pids(GUARDIAN)

    assert os.getsid(guardian) != os.getsid(holder.pid)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(guardian, number)

    assert not wait_for(lambda: guardian not in machine.pids(GUARDIAN), seconds=1)


def test_take_lease_where_guardian_does_not_answer_gives_up(machine, monkeypatch, is_sentence):
    places = Places(machine.data_dir)
    make_private(places.run_dir)
    monkeypatch.setattr(lease, "START_SECONDS", 0.2)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(places.guardian_socket))
        silent.listen()

        with pytest.raises(EmbeddedError, match="seconds to start") as error:
            machine.lease()

    shutil.rmtree(places.run_dir)
    assert is_sentence(error.value)


def test_take_lease_where_another_guardian_cannot_be_found_gives_up(machine, monkeypatch, is_sentence):
    places = Places(machine.data_dir)
    places.data_dir.mkdir(parents=True)
    monkeypatch.setattr(lease, "FIND_SECONDS", 0.3)
    with places.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        with pytest.raises(EmbeddedError, match="another user may be using") as error:
            machine.lease()

    assert is_sentence(error.value)
    assert not places.run_dir.exists()


def test_take_lease_where_python_does_not_start_points_to_the_log(machine, monkeypatch, is_sentence):
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with pytest.raises(EmbeddedError, match="did not start; .*embedded.log says why") as error:
        machine.lease()

    assert is_sentence(error.value)
    assert not Places(machine.data_dir).run_dir.exists()


def test_take_lease_where_a_file_is_the_socket_folder_says_so(machine, is_sentence):
    run_dir = Places(machine.data_dir).run_dir
    run_dir.touch()

    with pytest.raises(EmbeddedError, match=f"{run_dir}.*cannot be used") as error:
        machine.lease()

    run_dir.unlink()
    assert is_sentence(error.value)


def test_take_lease_with_a_long_log_puts_it_aside(machine, monkeypatch):
    places = Places(machine.data_dir)
    places.postgres_data.mkdir(parents=True)
    places.log.write_text("long")
    monkeypatch.setattr(lease, "LOG_BYTES", 3)

    with pytest.raises(EmbeddedError, match="holds no Postgres data"):
        machine.lease()

    assert places.log.with_name("embedded.log.1").read_text() == "long"
    assert "long" not in places.log.read_text()


@pytest.mark.parametrize(("service", "find"), [(postgres, "find_binaries"), (valkey, "find_binary")])
def test_find_binaries_without_package_names_it_and_the_variable(service, find, monkeypatch, is_sentence):
    monkeypatch.setattr(service, "find_spec", lambda name: None)

    with pytest.raises(EmbeddedError, match="is missing: install it, or set (DATABASE|REDIS)_URL") as error:
        getattr(service, find)()

    assert is_sentence(error.value)
