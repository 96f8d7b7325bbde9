from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from targetvision.embedded import processes
from targetvision.embedded.processes import end_leftover

SIGNALS = (signal.SIGTERM, signal.SIGKILL)
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"


@pytest.fixture
def leftover(tmp_path):
    """A process that names the folder and does not heed SIGTERM, and its pid file."""
    process = subprocess.Popen([sys.executable, "-c", STUBBORN, str(tmp_path)], stdout=subprocess.PIPE)
    process.stdout.readline()
    (tmp_path / "pid").write_text(f"{process.pid}\nmore\n")
    yield process
    process.kill()
    process.communicate()


def test_end_leftover_that_does_not_listen_insists(leftover, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "PATIENCE_SECONDS", 0.2)

    end_leftover(tmp_path / "pid", tmp_path, SIGNALS)

    assert leftover.wait(5) == -signal.SIGKILL


def test_end_leftover_that_names_another_folder_leaves_it_alone(leftover, tmp_path):
    end_leftover(tmp_path / "pid", tmp_path / "other", SIGNALS)

    assert leftover.poll() is None


@pytest.mark.parametrize("text", [None, "", "no number\n", "999999999\n"])
def test_end_leftover_without_process_does_nothing(leftover, tmp_path, text):
    (tmp_path / "pid").unlink()
    if text is not None:
        (tmp_path / "pid").write_text(text)

    end_leftover(tmp_path / "pid", tmp_path, SIGNALS)

    assert leftover.poll() is None


def test_end_leftover_without_proc_asks_ps(leftover, tmp_path, monkeypatch):
    monkeypatch.setattr(processes.sys, "platform", "darwin")

    end_leftover(tmp_path / "pid", tmp_path / "other", SIGNALS)
    assert leftover.poll() is None

    end_leftover(tmp_path / "pid", tmp_path, SIGNALS[1:])
    assert leftover.wait(5) == -signal.SIGKILL
