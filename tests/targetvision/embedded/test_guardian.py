"""The guardian's whole life in this process, and what happens when something dies that should not."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Iterator
from threading import Thread

import pytest

from targetvision.embedded import Lease
from targetvision.embedded.guardian import MAX_RESTARTS, guard
from targetvision.embedded.places import Places, make_private

from .conftest import GUARDIAN, connect, is_working, queue, wait_for


@pytest.fixture
def listener(machine) -> Iterator[socket.socket]:
    """What take_lease() prepares for a guardian."""
    places = Places(machine.data_dir)
    places.data_dir.mkdir(parents=True)
    places.log.touch()
    make_private(places.run_dir)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(places.guardian_socket))
        listener.listen()
        yield listener


def test_guard_serves_until_the_last_holder_has_left(machine, listener):
    places = Places(machine.data_dir)
    seen = []

    def hold() -> None:
        with socket.socket(socket.AF_UNIX) as holder:
            holder.connect(str(places.guardian_socket))
            seen.append(holder.recv(64))
            seen.append(is_working(Lease(places.database_url, places.redis_url, places.run_dir, -1)))

    gone_early = socket.socket(socket.AF_UNIX)
    gone_early.connect(str(places.guardian_socket))
    gone_early.close()
    holder = Thread(target=hold)
    holder.start()

    guard(places, listener)

    holder.join()
    assert seen == [b"ready\n", True]
    assert machine.pids() == []
    assert not places.run_dir.exists()
    assert not places.postgres_run_dir.exists()


@pytest.mark.parametrize(
    ("in_the_way", "reason"),
    [("valkey", "it should be a folder"), ("postgres.new", "did not start: .*postgres.new")],
)
def test_guard_that_cannot_start_tells_all_who_wait_and_leaves_nothing(
    machine, listener, in_the_way, reason, is_sentence
):
    places = Places(machine.data_dir)
    (machine.data_dir / in_the_way).touch()
    waiting = [socket.socket(socket.AF_UNIX) for _ in range(2)]
    for holder in waiting:
        holder.connect(str(places.guardian_socket))

    guard(places, listener)

    answers = [holder.recv(1000).decode() for holder in waiting]
    for holder in waiting:
        holder.close()
    assert answers[0] == answers[1]
    assert re.search(reason, answers[0])
    assert is_sentence(answers[0].rstrip("\n"))
    assert machine.pids() == []
    assert not places.run_dir.exists()


def test_kill_guardian_then_take_lease_gives_one_set_of_services_with_data(machine):
    lease = machine.lease()
    with connect(lease) as connection, queue(lease) as client:
        connection.execute("CREATE TABLE kept AS SELECT 'letter' AS what")
        client.rpush("queue", "job")
    orphans = set(machine.pids("postgres -D") + machine.pids("valkey-server"))
    [guardian] = machine.pids(GUARDIAN)
    os.kill(guardian, signal.SIGKILL)
    lease.release()

    lease = machine.lease()

    with connect(lease) as connection, queue(lease) as client:
        assert connection.execute("SELECT what FROM kept").fetchall() == [("letter",)]
        assert client.lrange("queue", 0, -1) == [b"job"]
    assert len(orphans) == 2
    assert orphans.isdisjoint(machine.pids())
    assert len(machine.pids("postgres -D")) == len(machine.pids("valkey-server")) == 1


@pytest.mark.parametrize("service", ["postgres -D", "valkey-server"])
def test_kill_service_starts_it_again_at_the_same_address(machine, service):
    lease = machine.lease()
    [victim] = machine.pids(service)

    os.kill(victim, signal.SIGKILL)

    assert wait_for(lambda: victim not in machine.pids(service) and is_working(lease))
    assert len(machine.pids(GUARDIAN)) == 1


def test_kill_service_too_often_stops_everything_though_it_is_held(machine):
    lease = machine.lease()

    for _ in range(MAX_RESTARTS + 1):
        assert wait_for(lambda: is_working(lease))
        [victim] = machine.pids("valkey-server")
        os.kill(victim, signal.SIGKILL)
        assert wait_for(lambda gone=victim: gone not in machine.pids())

    assert wait_for(machine.is_gone)
    assert "too often" in Places(machine.data_dir).log.read_text()


def test_stop_with_service_that_hangs_still_ends_in_time(machine):
    lease = machine.lease()
    for name in ("postgres -D", "valkey-server"):
        [victim] = machine.pids(name)
        os.kill(victim, signal.SIGSTOP)

    lease.release()

    assert wait_for(machine.is_gone, seconds=10)
    assert not lease.run_dir.exists()
    assert is_working(machine.lease())
