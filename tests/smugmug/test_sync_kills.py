"""SIGKILL of real workers in the middle of real syncs, as bench/sync_kills.py does it at length."""

import re
import sys
import tempfile
from pathlib import Path

import pytest

from tests.targetvision.programs import Program, end_all

SECONDS = 150
KILLS = 3


@pytest.fixture
def home():
    """Not below pytest's own folder: as root, Postgres is another user, and may not enter there."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
        end_all(Path(folder))


def test_kill_the_worker_three_times_and_the_mirror_is_the_library_in_the_end(home, tmp_path):
    command = [sys.executable, "bench/sync_kills.py", "--kills", str(KILLS), "--albums", "60", "--photos", "5"]

    trial = Program(command, tmp_path / "output", TMPDIR=str(home))

    assert trial.status(SECONDS) == 0, trial.output
    assert f"{KILLS} kills in " in trial.output
    assert int(re.search(r"([\d,]+) changes meanwhile", trial.output)[1].replace(",", "")) > 20
    assert "The mirror equals the library, row by row." in trial.output
