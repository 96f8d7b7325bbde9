from __future__ import annotations

import signal
import subprocess
import sys

from .conftest import ROOT

# Starts a child that says its pid, and leaves when told to; the child writes how it ended.
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=sys.stdout)
sys.stdin.readline()
"""
CHILD = """
import signal, sys, time
from targetvision.embedded import leave_with_parent, parent
parent.LAST_SECONDS = 0.3
def leave(*_):
    print("asked", flush=True)
    {on_term}
signal.signal(signal.SIGTERM, leave)
leave_with_parent(interval=0.05)
print("up", flush=True)
time.sleep(30)
print("never", flush=True)
"""


def start(on_term: str) -> subprocess.Popen[str]:
    child = CHILD.format(on_term=on_term)
    return subprocess.Popen(
        [sys.executable, "-c", PARENT, child],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def test_leave_with_parent_asks_and_the_child_leaves():
    parent = start("sys.exit()")
    assert parent.stdout.readline() == "up\n"

    parent.send_signal(signal.SIGKILL)

    assert parent.communicate(timeout=5)[0] == "asked\n"  # the output ends when the child has ended


def test_leave_with_parent_ends_a_child_that_does_not_listen():
    parent = start("pass")
    assert parent.stdout.readline() == "up\n"

    parent.send_signal(signal.SIGKILL)

    assert parent.communicate(timeout=5)[0] == "asked\n"


def test_leave_with_parent_while_it_lives_does_nothing():
    parent = start("pass")
    assert parent.stdout.readline() == "up\n"

    try:
        parent.wait(0.5)
    except subprocess.TimeoutExpired:
        still_there = True
    else:
        still_there = False
    parent.kill()

    assert still_there
    parent.communicate(timeout=5)
