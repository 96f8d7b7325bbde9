"""The real `manage.py up`: real processes, looked for in /proc."""

from __future__ import annotations

import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from .programs import (
    MANAGE,
    START_SECONDS,
    Program,
    answers,
    end_all,
    free_port,
    kinds_of,
    processes_of,
    wait_for,
)

EVERYTHING = {"postgres", "valkey", "guardian", "web", "worker", "cron"}
UP = [*MANAGE, "up"]
# One worker, and none that loads the built-in model: nothing is described here.
SMALL = {"WORKERS": "1", "AI_DESCRIBER": "openai", "OPENAI_API_KEY": "a key that is not used"}
# As make does: start it, wait for it, and be gone without a word when killed.
LIKE_MAKE = [sys.executable, "-c", "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"]


class Home:
    """A DATA_DIR in a folder with a space, and what is started on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data_dir = folder / "var"
        self.port = free_port()
        self._programs: list[Program] = []

    def start(self, command: list[str], **changes: str) -> Program:
        settings = {"DATA_DIR": str(self.data_dir), "PORT": str(self.port), **SMALL, **changes}
        self._programs.append(Program(command, self.folder / f"{len(self._programs)}.log", **settings))
        return self._programs[-1]

    def up(self, command: list[str] = UP) -> Program:
        """Start and wait until every part is there."""
        program = self.start(command)
        assert wait_for(lambda: answers(self.port) or program.has_ended(), START_SECONDS), program.output
        assert wait_for(lambda: kinds_of(self.data_dir) == EVERYTHING), (program.output, self.processes)
        return program

    @property
    def processes(self) -> dict[int, str]:
        return processes_of(self.data_dir)

    def gets_quiet(self) -> bool:
        """Whether nothing of it runs any more ten seconds from now."""
        return wait_for(lambda: all(program.has_ended() for program in self._programs) and not self.processes)


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """Not below pytest's own folder: as root, Postgres is another user, and may not enter there."""
    with tempfile.TemporaryDirectory(prefix="a b ") as folder:
        yield Home(Path(folder))
        end_all(Path(folder))


def submit(port: int, path: str, **fields: str) -> requests.Response:
    """The answer to a form of a page, as a browser sends it."""
    with requests.Session() as browser:
        page = browser.get(f"http://127.0.0.1:{port}{path}", timeout=10)
        [token] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        return browser.post(page.url, data={"csrfmiddlewaretoken": token, **fields}, timeout=10, allow_redirects=False)


def test_up_that_is_killed_leaves_nothing_but_the_data(home):
    program = home.up()
    made = submit(home.port, "/first-run/", username="ada", password1="a long one 1", password2="a long one 1")
    assert made.status_code == 302, made.text

    program.send(signal.SIGKILL)

    assert home.gets_quiet(), home.processes
    again = home.up()
    assert submit(home.port, "/sign-in/", username="ada", password="a long one 1").status_code == 302
    assert submit(home.port, "/sign-in/", username="ada", password="another one").status_code == 422
    again.send(signal.SIGTERM)
    assert home.gets_quiet(), home.processes
    assert again.status() == 0, again.output


def test_up_whose_parent_is_killed_leaves_nothing(home):
    make = home.up([*LIKE_MAKE, *UP, "--with-parent"])

    make.send(signal.SIGKILL)

    assert home.gets_quiet(), home.processes


def test_up_whose_parent_is_killed_while_it_starts_leaves_nothing(home):
    make = home.start([*LIKE_MAKE, *UP, "--with-parent"])
    assert wait_for(lambda: "postgres" in kinds_of(home.data_dir), START_SECONDS), make.output

    make.send(signal.SIGKILL)

    assert home.gets_quiet(), home.processes


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("192.0.2.1", "CommandError: BIND is 192.0.2.1, which is no address of this machine."),
        ("foo", "BIND is 'foo'; .+"),
    ],
)
def test_up_on_an_address_that_is_not_this_machines_starts_nothing_and_says_so(home, address, sentence):
    up = home.start(UP, BIND=address)

    assert up.status(START_SECONDS) == 1
    assert re.fullmatch(rf"{sentence}\n", up.output)
    assert home.gets_quiet(), home.processes


def test_up_where_another_runs_is_refused_and_the_other_stays_until_it_is_interrupted(home):
    first = home.up()
    running = home.processes
    time.sleep(1)  # a worker's fork lives for one job
    running = running.keys() & home.processes.keys()

    on_its_data = home.start(UP, PORT=str(free_port()))
    assert on_its_data.status(START_SECONDS) == 1
    assert on_its_data.output == f"CommandError: TargetVision already runs on the data in {home.data_dir}.\n"

    with tempfile.TemporaryDirectory(prefix="a b ") as folder:
        other = Home(Path(folder))
        on_its_port = other.start(UP, PORT=str(home.port))
        assert on_its_port.status(START_SECONDS) == 1
        assert re.fullmatch(rf"CommandError: Port {home.port} is taken. [^\n]+\n", on_its_port.output)
        assert other.gets_quiet(), other.processes
        assert not (other.data_dir / "processes.log").exists()

    assert answers(home.port)
    assert running <= home.processes.keys()
    first.send(signal.SIGINT)
    assert home.gets_quiet(), home.processes
    assert first.status() == 0, first.output
    assert "Traceback" not in first.output
