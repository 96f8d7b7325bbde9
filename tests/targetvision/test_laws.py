"""The laws that hold over the whole tree, read from its source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("targetvision", "smugmug", "metadata")
SOURCES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text())
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if "migrations" not in path.parts
}
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))


@dataclass(frozen=True)
class Law:
    """Modules of `where` import nothing of `never`; `but` says which modules are free, `save` what is allowed."""

    where: str
    never: tuple[str, ...]
    but: tuple[str, ...] = ()
    save: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.where} never imports {', '.join(self.never)}"


NETWORK = ("requests", "urllib.request", "http", "httpx2", "openai", "socket", "targetvision.http", "smugmug.client",
           "smugmug.oauth", "smugmug.images", "smugmug.sync", "metadata.process")  # fmt: skip
LAWS = [
    Law(
        "targetvision/*",
        ("smugmug", "metadata"),
        but=("targetvision/urls.py", "targetvision/api.py", "targetvision/management/commands/demo.py"),
    ),
    Law("targetvision/embedded/*", ("django", "targetvision"), save=("targetvision.embedded",)),
    Law("targetvision/env.py", ("django", "targetvision")),
    Law("smugmug/*", ("metadata",)),
    Law("smugmug/sandbox/*", ("django", "targetvision", "smugmug"), save=("smugmug.sandbox",)),
    Law("smugmug/*", ("smugmug.sandbox",), but=("smugmug/sandbox/*", "smugmug/management/commands/smugmug_sandbox.py")),
    Law("metadata/*", ("smugmug.sandbox",)),
    Law("smugmug/client.py", ("django", "targetvision")),
    Law("smugmug/errors.py", ("django", "targetvision")),
    Law("smugmug/wire.py", ("django", "targetvision")),
    Law("smugmug/writing.py", ("django", "targetvision")),
    Law("smugmug/records.py", ("django", "targetvision")),
    Law("smugmug/pacing.py", ("django", "targetvision")),
    Law("metadata/describe/*", ("django", "targetvision", "smugmug")),
    Law("metadata/workflow.py", NETWORK),
    Law("metadata/steps.py", NETWORK),
    Law("metadata/bursts.py", NETWORK),
    Law("metadata/chunks.py", NETWORK),
    Law("metadata/undoing.py", NETWORK),
    Law("metadata/bulk.py", NETWORK),
    Law("metadata/claims.py", NETWORK),
    Law("metadata/selection.py", NETWORK),
    Law("metadata/vectors.py", NETWORK),
    Law("metadata/publish.py", NETWORK),
    Law("metadata/change_plan.py", NETWORK),
    Law("metadata/change_rules.py", NETWORK),
]
# Within an app: a module imports from its own layer and those before it.
LAYERS = (
    {"client", "errors", "records", "pacing", "wire", "writing", "models", "describe"},
    {"oauth", "sync", "images", "members", "claims", "process", "library", "history", "search", "export", "publish"}
    | {"facts", "prompts", "notes", "preview", "audit", "privacy", "activity", "cards"}
    | {"selection", "vectors", "calls", "outages", "money", "ledger", "purse", "engine"},
    {"steps", "rewording", "kinds", "bursts", "undoing", "chunks"},
    {"jobs", "workflow", "bulk"},
    {"forms"},
    {"views", "account_views", "api", "admin", "urls", "management"},
)


def imports(path: str, tree: ast.AST) -> Iterator[str]:
    """The full name of everything that a module imports, wherever in it."""
    package = path.split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def is_of(name: str, modules: tuple[str, ...]) -> bool:
    return any(f"{name}.".startswith(f"{module}.") for module in modules)


def broken_by(law: Law, path: str, tree: ast.AST) -> list[str]:
    """What the module imports against the law."""
    if not fnmatch(path, law.where) or any(fnmatch(path, free) for free in law.but):
        return []
    return [f"{path}: {name}" for name in imports(path, tree) if is_of(name, law.never) and not is_of(name, law.save)]


def functions(path_like: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    for path, tree in SOURCES.items():
        if fnmatch(path, path_like):
            yield from ((path, node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def layer(name: str) -> int | None:
    """Of `smugmug.sync.start` or `metadata/views/runs.py`; None for modules outside the layers."""
    parts = re.split(r"[./]", name)
    found = [number for number, names in enumerate(LAYERS) if len(parts) > 1 and parts[1] in names]
    return found[0] if found else None


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_import_against_the_direction_is_found_nowhere(law):
    concerned = [path for path in SOURCES if fnmatch(path, law.where)]

    broken = [line for path, tree in SOURCES.items() for line in broken_by(law, path, tree)]

    assert concerned
    assert broken == []


def test_import_of_a_later_layer_is_found_nowhere():
    upward = [
        f"{path}: {name}"
        for path, tree in SOURCES.items()
        for name in imports(path, tree)
        if path.split("/")[0] in {"smugmug", "metadata"} and name.split(".")[0] == path.split("/")[0]
        if (mine := layer(path)) is not None and (its := layer(name)) is not None and its > mine
    ]

    assert upward == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("smugmug/sync.py", "from metadata import jobs"),
        ("smugmug/sync.py", "import metadata.jobs"),
        ("smugmug/sync.py", "def late():\n    from metadata.jobs import process_photos"),
        ("smugmug/sandbox/api.py", "from ..client import SmugMugClient"),
        ("smugmug/sandbox/api.py", "from .. import client"),
        ("smugmug/client.py", "from django.conf import settings"),
        ("smugmug/oauth.py", "from .sandbox import Sandbox"),
        ("targetvision/views.py", "from smugmug.models import Account"),
        ("metadata/workflow.py", "from smugmug import oauth"),
    ],
)
def test_laws_when_one_is_broken_say_so(path, source):
    assert [line for law in LAWS for line in broken_by(law, path, ast.parse(source))]


def is_job(function: ast.FunctionDef) -> bool:
    return any(isinstance(mark, ast.Call) and ast.unparse(mark.func) == "job" for mark in function.decorator_list)


def test_jobs_take_ids_as_strings_and_return_nothing():
    jobs = [function for path in ("*/jobs.py", "*/jobs/*.py") for _, function in functions(path) if is_job(function)]

    wrong = [
        ast.unparse(job.args)
        for job in jobs
        if job.args.vararg
        or job.args.kwarg
        or any(
            argument.annotation is None or ast.unparse(argument.annotation) not in {"str", "list[str]"}
            for argument in [*job.args.args, *job.args.kwonlyargs]
        )
    ]

    assert {job.name for job in jobs} >= {"sync_account", "process_photos", "embed_photo"}
    assert wrong == []
    assert [job.name for job in jobs if job.returns is None or ast.unparse(job.returns) != "None"] == []


def test_jobs_stand_in_jobs_modules_alone():
    elsewhere = [path for path, function in functions("*") if is_job(function) and "jobs" not in Path(path).stem]

    assert elsewhere == []


def test_views_and_jobs_say_what_they_do():
    silent = [
        f"{path}: {function.name}"
        for pattern in ("*/views.py", "*/views/*.py", "*_views.py", "*/jobs.py")
        for path, function in functions(pattern)
        if function.col_offset == 0 and not function.name.startswith("_") and not ast.get_docstring(function)
    ]

    assert silent == []


def test_print_is_used_nowhere():
    printing = [
        f"{path}:{node.lineno}"
        for path, tree in SOURCES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
    ]

    assert printing == []


def test_every_exception_is_caught_nowhere():
    caught = {
        f"{path}:{node.lineno}": ast.unparse(node.type) if node.type else "everything"
        for path, tree in SOURCES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
    }

    broad = {where: what for where, what in caught.items() if re.search(r"everything|\b(Base)?Exception\b", what)}

    assert len(caught) > 20
    assert broad == {}


# What a strict Content-Security-Policy would refuse, and addresses of other servers.
INLINE = re.compile(
    r"""<script(?![^>]*\ssrc=)|<style\b|\sstyle\s*=|\son[a-z]+\s*=|\shx-on|javascript:"""
    r"""|<(?:script|link|img|source|iframe)\b[^>]*\s(?:src|href)\s*=\s*["']?(?:https?:)?//""",
    flags=re.IGNORECASE,
)


def test_templates_hold_nothing_inline_and_load_nothing_from_elsewhere():
    found = {path.relative_to(ROOT).as_posix(): INLINE.findall(path.read_text()) for path in TEMPLATES}

    assert len(found) > 10
    assert {path: hits for path, hits in found.items() if hits} == {}


@pytest.mark.parametrize(
    "text",
    [
        "<script>go()</script>",
        '<script type="module">go()</script>',
        "<style>p {}</style>",
        '<p style="color: red">',
        '<button onclick="go()">',
        '<button hx-on:click="go()">',
        '<a href="javascript:go()">',
        '<script src="https://cdn.example.org/x.js"></script>',
        '<link rel="stylesheet" href="//cdn.example.org/x.css">',
    ],
)
def test_template_law_when_it_is_broken_says_so(text):
    assert INLINE.search(text)


@pytest.mark.parametrize("text", ['<script type="module" src="{% static \'x.js\' %}"></script>', "<p>on = off</p>"])
def test_template_law_lets_ordinary_markup_pass(text):
    assert not INLINE.search(text)
