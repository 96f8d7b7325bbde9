"""SIGKILL of real workers in the middle of a run, as bench/describe_kills.py does it at length."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.targetvision.programs import Program, end_all

SECONDS = 200
KILLS, PHOTOS = 3, 100
PATIENCE = 3  # other tests run beside it


@pytest.fixture
def home() -> Iterator[Path]:
    """Not below pytest's own folder: as root, Postgres is another user, and may not enter there."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
        end_all(Path(folder))


def test_kill_workers_three_times_and_every_photo_is_described_once_in_the_end(home: Path, tmp_path: Path) -> None:
    asked = [f"--kills={KILLS}", f"--photos={PHOTOS}", f"--patience={PATIENCE}"]

    trial = Program([sys.executable, "bench/describe_kills.py", *asked], tmp_path / "output", TMPDIR=str(home))

    assert trial.status(SECONDS) == 0, trial.output
    assert f"{KILLS} kills in " in trial.output
    assert f"rows by (state, version): {{('completed', 1): {PHOTOS}}}" in trial.output
    assert f"answers in history: {PHOTOS}, vectors: {PHOTOS}" in trial.output
    paid, most = map(int, re.search(r"calls paid: (\d+), at most (\d+)", trial.output).groups())  # type: ignore[union-attr]
    assert PHOTOS <= paid <= most < PHOTOS + KILLS * 20
