"""The real `manage.py demo --once`, in a fresh copy of the checkout whose path has a space."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .programs import ROOT, end_all, environment, free_port, processes_of, wait_for

CODE = ("targetvision", "smugmug", "metadata", "templates", "static", "manage.py", "gunicorn.conf.py", "Procfile")
KEEPERS = {"keys.env", "stand-in.json", "demo-password"}  # the files whose purpose is to keep a secret


@pytest.fixture
def checkout() -> Iterator[Path]:
    """Not below pytest's own folder: as root, Postgres is another user, and may not enter there."""
    with tempfile.TemporaryDirectory(prefix="a b ") as folder:
        copy = Path(folder, "TargetVision")
        copy.mkdir()
        for name in CODE:
            source, no_caches = ROOT / name, shutil.ignore_patterns("__pycache__")
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=no_caches)
            else:
                shutil.copy(source, copy / name)
        yield copy
        end_all(Path(folder))


def demo(checkout: Path, port: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "demo", "--once"],
        cwd=checkout,
        env=environment(PORT=str(port), OPENAI_API_KEY="a key that must not be used"),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def figures(output: str) -> dict[str, str]:
    """The summary: `Albums     6` and so on."""
    return dict(re.findall(r"^(Albums|Photos|Described|Skipped|Failed|Seconds) +(\S.*)$", output, flags=re.MULTILINE))


def secrets(data_dir: Path) -> list[str]:
    """The installation's keys, the demo's password, and the token and secret that the stand-in granted."""
    keys = dict(line.split("=", 1) for line in (data_dir / "keys.env").read_text().splitlines())
    [(token, granted)] = json.loads((data_dir / "stand-in.json").read_text())["tokens"].items()
    return [keys["SECRET_KEY"], keys["FIELD_ENCRYPTION_KEYS"], token, granted["secret"],
            (data_dir / "demo-password").read_text()]  # fmt: skip


def test_demo_once_shows_the_whole_way_twice_and_keeps_its_secrets(checkout):
    port = free_port()
    data_dir = checkout / "var" / "demo"

    first = demo(checkout, port)
    again = demo(checkout, port)

    assert first.returncode == 0, (first.stdout, first.stderr)
    assert first.stderr == ""
    seconds = figures(first.stdout).pop("Seconds")
    assert re.fullmatch(r"start [\d.]+, connect [\d.]+, sync [\d.]+, describe [\d.]+", seconds)
    assert figures(first.stdout) == {
        "Albums": "6",
        "Photos": "58",
        "Described": "58 now, with efficientnet-lite0",
        "Skipped": "0",
        "Failed": "0",
        "Seconds": seconds,
    }
    assert f"http://localhost:{port}" in first.stdout

    assert again.returncode == 0, (again.stdout, again.stderr)
    assert figures(again.stdout)["Photos"] == "58"
    assert figures(again.stdout)["Described"].startswith("0 now")

    assert wait_for(lambda: not processes_of(checkout)), processes_of(checkout)
    password = (data_dir / "demo-password").read_text()
    assert password in first.stdout
    assert password in again.stdout
    found = [
        (path.relative_to(data_dir), secret)
        for path in data_dir.rglob("*")
        if path.is_file() and path.name not in KEEPERS
        for secret in secrets(data_dir)
        if secret.encode() in path.read_bytes()
    ]
    assert found == []
    assert {path.name for path in data_dir.iterdir() if path.stat().st_mode & 0o077} & KEEPERS == set()
