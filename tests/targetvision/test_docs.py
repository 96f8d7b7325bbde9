"""What a reader is told is what there is: settings, commands, make targets, requirements."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from .programs import ROOT, settings_names

README = (ROOT / "README.md").read_text()
# Of targetvision/env.py.
READERS = {"text", "required", "flag", "words", "choice", "integer", "decimal", "usd", "url", "folder", "address"}
READERS |= {"hosts", "origins", "fernet_keys"}
PINNED = re.compile(r"[A-Za-z0-9_.-]+(\[[a-z,]+\])?==\S+ +# \S.*")


def variables_read() -> set[str]:
    """The variables that the code asks env.py for."""
    found: set[str] = set()
    for path in [ROOT / "gunicorn.conf.py", *(ROOT / "targetvision").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {f"env.{name}" for name in READERS}:
                first = node.args[0]
                found |= {first.value} if isinstance(first, ast.Constant) else set()
    return found


def variables_in_readme() -> set[str]:
    """Those of the first column of the settings table."""
    rows = re.findall(r"^\| (`[A-Z].*?) \|", README, flags=re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}


def make_targets() -> dict[str, str]:
    """Each target of the Makefile that a person may name, with its line of help."""
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert phony
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    told = dict(re.findall(r"^ +make ([a-z-]+) +(.+)$", listed, flags=re.MULTILINE))
    return {name: told.get(name, "") for name in phony[1].split()}


def test_env_example_lists_every_variable_that_is_read_and_no_other():
    assert set(settings_names()) == variables_read()
    assert len(settings_names()) == len(set(settings_names()))


def test_readme_explains_every_variable_that_is_read_and_no_other():
    assert variables_in_readme() == variables_read()


def test_readme_names_every_command():
    commands = {path.stem for path in ROOT.glob("*/management/commands/*.py") if not path.stem.startswith("_")}

    named = set(re.findall(r"`(?:\.venv/bin/python )?manage\.py (\w+)", README))

    assert {"up", "demo", "connect_smugmug", "sync_smugmug", "process_photos", "smugmug_sandbox"} <= commands
    assert commands - named == set()


def test_make_help_has_a_line_for_every_target():
    targets = make_targets()

    assert {"install", "demo", "run", "test", "check", "bench", "screenshots", "clean"} <= targets.keys()
    assert {name for name, line in targets.items() if not line} == set()


def test_readme_names_no_make_target_that_is_not_there():
    named = set(re.findall(r"`make ([a-z-]+)", README)) | set(re.findall(r"^    make ([a-z-]+)", README, re.MULTILINE))

    assert {"demo", "run", "test"} <= named
    assert named - make_targets().keys() == set()


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_requirements_are_all_pinned_and_say_what_for(name):
    lines = (ROOT / name).read_text().splitlines()

    wrong = [line for line in lines if not line.startswith(("#", "-r ")) and not PINNED.fullmatch(line)]

    assert len(lines) > 10
    assert wrong == []


def test_files_that_readme_names_are_there():
    named = re.findall(r"`([\w./-]+\.(?:md|txt|json|example|toml))`", README)
    named += re.findall(r"`((?:docs|smugmug|metadata|targetvision|bench|tests)/[\w./-]*)`", README)

    assert named
    assert [name for name in named if not Path(ROOT, name).exists()] == []
