"""The settings as a process sees them that starts with an environment of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .programs import ROOT, run

COMPLETE = {
    "SECRET_KEY": "a long random text",
    "FIELD_ENCRYPTION_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "DATABASE_URL": "postgres://ada:secret@db.example.org/photos",
    "REDIS_URL": "redis://queue.example.org:6379/0",
}
SHOW = """
import json, sys
from targetvision import settings
print(json.dumps({name: getattr(settings, name) for name in sys.argv[1:]}))
"""
HTTPS = (
    "SESSION_COOKIE_SECURE",
    "CSRF_COOKIE_SECURE",
    "SECURE_SSL_REDIRECT",
    "SECURE_HSTS_SECONDS",
    "SECURE_HSTS_PRELOAD",
    "SECURE_PROXY_SSL_HEADER",
)


def load(*names: str, **changes: str) -> dict[str, Any]:
    """These settings under an environment of COMPLETE and the changes."""
    loaded = run("-c", SHOW, *names, **{**COMPLETE, **changes})
    assert loaded.returncode == 0, loaded.stderr
    return json.loads(loaded.stdout)


@pytest.mark.parametrize("name", COMPLETE)
def test_settings_without_what_they_need_are_one_sentence(name):
    loaded = run("-c", "import targetvision.settings", **{**COMPLETE, name: ""})

    assert loaded.returncode == 1
    assert loaded.stderr.startswith(f"{name} is not set: ")
    assert loaded.stderr.count("\n") == 1


def test_start_with_services_of_ones_own_but_no_key_is_one_sentence_and_makes_none(tmp_path):
    ended = run("manage.py", "check", **{**COMPLETE, "SECRET_KEY": "", "DATA_DIR": str(tmp_path)})

    assert ended.returncode == 1
    assert ended.stderr.startswith("SECRET_KEY is not set: ")
    assert ended.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "postgres://host:port/name"),
        ("DATABASE_URL", "mysql://host/name"),
        ("REDIS_URL", "nonsense"),
        ("REDIS_URL", "http://host"),
        ("SITE_URL", "photos.example.org"),
        ("SMUGMUG_API_URL", "api.smugmug.com"),
        ("AI_DESCRIBER", "clever"),
        ("AI_IMAGE_PIXELS", "1"),
        ("WORKERS", "0"),
        ("DEBUG", "perhaps"),
        ("ALLOWED_HOSTS", "http://photos.example.org"),
        ("CSRF_TRUSTED_ORIGINS", "photos.example.org"),
        ("BIND", "photos"),
        ("FIELD_ENCRYPTION_KEYS", "too short"),
    ],
)
def test_settings_with_nonsense_are_one_sentence_that_names_the_variable(name, value):
    loaded = run("-c", "import targetvision.settings", **{**COMPLETE, name: value})

    assert loaded.returncode == 1
    assert loaded.stderr.startswith(f"{name} ")
    assert loaded.stderr.count("\n") == 1


def test_settings_with_https_address_switch_on_what_protects_it():
    assert load(*HTTPS, "ALLOWED_HOSTS", SITE_URL="https://photos.example.org") == {
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "SECURE_SSL_REDIRECT": True,
        "SECURE_HSTS_SECONDS": 31_536_000,
        "SECURE_HSTS_PRELOAD": False,
        "SECURE_PROXY_SSL_HEADER": ["HTTP_X_FORWARDED_PROTO", "https"],
        "ALLOWED_HOSTS": ["localhost", "127.0.0.1", "[::1]", "photos.example.org"],
    }


def test_settings_without_https_address_leave_it_off():
    assert load(*HTTPS) == {
        "SESSION_COOKIE_SECURE": False,
        "CSRF_COOKIE_SECURE": False,
        "SECURE_SSL_REDIRECT": False,
        "SECURE_HSTS_SECONDS": 0,
        "SECURE_HSTS_PRELOAD": False,
        "SECURE_PROXY_SSL_HEADER": None,
    }


def test_settings_with_a_relative_data_dir_take_it_from_the_checkout_wherever_they_are_read(tmp_path):
    show = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from targetvision import settings; print(settings.DATA_DIR)"

    loaded = run("-c", show, cwd=tmp_path, **COMPLETE, DATA_DIR="some/where")

    assert loaded.stdout == f"{ROOT / 'some/where'}\n"


@pytest.mark.parametrize(
    ("changes", "describer", "effort"),
    [
        ({}, "local", "none"),
        ({"OPENAI_API_KEY": "k"}, "openai", "none"),
        ({"OPENAI_BASE_URL": "http://localhost:11434/v1"}, "openai", ""),
        ({"OPENAI_API_KEY": "k", "AI_DESCRIBER": "local"}, "local", "none"),
    ],
)
def test_settings_choose_the_describer_by_what_is_there(changes, describer, effort):
    names = ("AI_DESCRIBER", "OPENAI_REASONING_EFFORT", "AI_CONCURRENCY")

    assert load(*names, **changes) == {
        "AI_DESCRIBER": describer,
        "OPENAI_REASONING_EFFORT": effort,
        "AI_CONCURRENCY": 1 if describer == "local" else 8,
    }


def test_check_deploy_with_https_address_has_nothing_to_say():
    changes = {"SECRET_KEY": "k3y-" * 20 + "abcdef", "SITE_URL": "https://photos.example.org"}

    done = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", **{**COMPLETE, **changes})

    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout
