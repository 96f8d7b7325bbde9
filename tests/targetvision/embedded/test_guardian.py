"""What happens when something dies that should not."""

from __future__ import annotations

import os
import signal

import pytest

from targetvision.embedded.guardian import MAX_RESTARTS
from targetvision.embedded.places import Places

from .conftest import GUARDIAN, connect, is_working, queue, wait_for


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
