"""Leaders and followers as real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from targetvision import processes

from .programs import ROOT, wait_for

LEADER = """
import os, sys, time
from pathlib import Path
from targetvision.processes import lead
file = lead(Path(sys.argv[1]))
if "fork" in sys.argv and os.fork() == 0:
    time.sleep(60)  # as honcho's helpers do, which stand between leader and followers
print("leads", flush=True)
time.sleep(60)
"""
FOLLOWER = """
import signal, sys, time
from targetvision import processes
processes.PATIENCE_SECONDS = 0.3
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, lambda *_: print("asked", flush=True))
processes.follow_leader()
print("follows", flush=True)
end = time.monotonic() + 60
while time.monotonic() < end:
    time.sleep(0.1)
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "a b" / "up.lock"


@pytest.fixture
def start(lock: Path) -> Iterator[Start]:
    """Starts a leader or follower of the lock, in a session of its own, and comes back when it has said that it is."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        assert process.stdout
        process.stdout.readline()
        return process

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with what it forked
        process.communicate()


@pytest.mark.parametrize("helper", [[], ["fork"]])
def test_follower_whose_leader_is_killed_leaves_within_seconds(start, lock, helper):
    leader = start(LEADER, str(lock), *helper)
    followers = [start(FOLLOWER, TARGETVISION_LEADER=str(lock)) for _ in range(2)]

    leader.send_signal(signal.SIGKILL)
    leader.wait(5)

    assert [follower.wait(5) for follower in followers] == [-signal.SIGTERM, -signal.SIGTERM]


def test_follower_that_does_not_listen_is_ended(start, lock):
    leader = start(LEADER, str(lock))
    follower = start(FOLLOWER, "deaf", TARGETVISION_LEADER=str(lock))

    leader.send_signal(signal.SIGKILL)
    leader.wait(5)

    assert follower.communicate(timeout=5)[0] == "asked\n"
    assert follower.returncode == 1


def test_followers_whose_leader_lives_stay(start, lock):
    leader = start(LEADER, str(lock))
    followers = [start(FOLLOWER, TARGETVISION_LEADER=str(lock)) for _ in range(2)]

    left = wait_for(lambda: any(follower.poll() is not None for follower in followers), seconds=2.5)

    assert not left
    assert leader.poll() is None


def test_follower_of_a_lock_that_is_gone_leaves(start, lock):
    follower = start(FOLLOWER, TARGETVISION_LEADER=str(lock))

    assert follower.wait(5) == -signal.SIGTERM


def test_follow_leader_without_one_does_nothing(start):
    alone = start(FOLLOWER, TARGETVISION_LEADER="")

    assert not wait_for(lambda: alone.poll() is not None, seconds=1.5)


def test_lead_where_there_is_a_leader_is_refused_until_it_ends(start, lock, monkeypatch):
    monkeypatch.setenv(processes.LEADER, "")
    leader = start(LEADER, str(lock))

    with pytest.raises(processes.AlreadyRunning):
        processes.lead(lock)
    assert os.environ[processes.LEADER] == ""

    leader.send_signal(signal.SIGKILL)
    leader.wait(5)
    with processes.lead(lock):
        assert os.environ[processes.LEADER] == str(lock)
