from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from targetvision import env
from targetvision.env import WrongSetting

from .programs import run

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
# A database and a queue that nobody has to start, for starts that end before they are asked for.
NOWHERE = {"DATABASE_URL": "postgres:///none", "REDIS_URL": "unix:///none", "FIELD_ENCRYPTION_KEYS": KEY}


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda: env.flag("THE_ONE", default=True), "maybe"),
        (lambda: env.choice("THE_ONE", "local", ("openai", "local")), "OpenAI"),
        (lambda: env.integer("THE_ONE", 5, low=1, high=9), "five"),
        (lambda: env.integer("THE_ONE", 5, low=1, high=9), "2.5"),
        (lambda: env.integer("THE_ONE", 5, low=1, high=9), "0"),
        (lambda: env.integer("THE_ONE", 5, low=1, high=9), "10"),
        (lambda: env.decimal("THE_ONE", 4, low=0.1, high=10), "fast"),
        (lambda: env.decimal("THE_ONE", 4, low=0.1, high=10), "nan"),
        (lambda: env.decimal("THE_ONE", 4, low=0.1, high=10), "inf"),
        (lambda: env.usd("THE_ONE"), "five"),
        (lambda: env.usd("THE_ONE"), "-1"),
        (lambda: env.usd("THE_ONE"), "NaN"),
        (lambda: env.usd("THE_ONE"), "1e99"),
        (lambda: env.usd("THE_ONE"), "0.00001"),
        (lambda: env.url("THE_ONE"), "photos.example.org"),
        (lambda: env.url("THE_ONE"), "ftp://photos.example.org"),
        (lambda: env.url("THE_ONE"), "https://"),
        (lambda: env.url("THE_ONE"), "https:photos.example.org"),
        (lambda: env.url("THE_ONE"), "https://:8000"),
        (lambda: env.url("THE_ONE"), "https://photos.example.org:port"),
        (lambda: env.url("THE_ONE"), "https://photos.example.org:99999"),
        (lambda: env.url("THE_ONE"), "https://[::1"),
        (lambda: env.required("THE_ONE", "set it"), " "),
        (lambda: env.address("THE_ONE", "127.0.0.1"), "photos.example.org"),
        (lambda: env.address("THE_ONE", "127.0.0.1"), "127.0.0.1:8000"),
        (lambda: env.hosts("THE_ONE"), "http://photos.example.org"),
        (lambda: env.hosts("THE_ONE"), "photos.example.org:8000"),
        (lambda: env.hosts("THE_ONE"), "photos.example.org, a b"),
        (lambda: env.hosts("THE_ONE"), "::1"),
        (lambda: env.origins("THE_ONE"), "photos.example.org"),
        (lambda: env.origins("THE_ONE"), "https://photos.example.org/photos"),
        (lambda: env.origins("THE_ONE"), "https://"),
    ],
)
def test_read_a_wrong_value_is_a_sentence_that_names_the_variable(monkeypatch, read, value):
    monkeypatch.setenv("THE_ONE", value)

    with pytest.raises(WrongSetting) as caught:
        read()

    assert re.fullmatch(r"THE_ONE is .+\.", str(caught.value))
    assert value.strip() in str(caught.value)
    assert isinstance(caught.value, SystemExit)


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (lambda: env.text("THE_ONE", "x"), " some words ", "some words"),
        (lambda: env.flag("THE_ONE", default=False), "Yes", True),
        (lambda: env.flag("THE_ONE", default=True), "off", False),
        (lambda: env.words("THE_ONE", "x"), "a, b,,c ,", ["a", "b", "c"]),
        (lambda: env.choice("THE_ONE", "local", ("openai", "local")), "openai", "openai"),
        (lambda: env.integer("THE_ONE", 5, low=1, high=9), "9", 9),
        (lambda: env.decimal("THE_ONE", 4, low=0.1, high=10), "0.5", 0.5),
        (lambda: env.usd("THE_ONE"), "2.50", Decimal("2.50")),
        (lambda: env.usd("THE_ONE"), " ", None),
        (lambda: env.url("THE_ONE"), "https://photos.example.org:8443/", "https://photos.example.org:8443"),
        (lambda: env.url("THE_ONE"), "http://[::1]:8000", "http://[::1]:8000"),
        (lambda: env.required("THE_ONE", "set it"), "here", "here"),
        (lambda: env.address("THE_ONE", "127.0.0.1"), "0.0.0.0", "0.0.0.0"),
        (lambda: env.address("THE_ONE", "127.0.0.1"), "::", "[::]"),
        (lambda: env.address("THE_ONE", "127.0.0.1"), "[::1]", "[::1]"),
        (lambda: env.address("THE_ONE", "127.0.0.1"), "localhost", "localhost"),
        (
            lambda: env.hosts("THE_ONE"),
            "a.example.org, .b-c.example,*,[::1]",
            ["a.example.org", ".b-c.example", "*", "[::1]"],
        ),
        (
            lambda: env.origins("THE_ONE"),
            "https://*.example.org,http://[::1]:8000",
            ["https://*.example.org", "http://[::1]:8000"],
        ),
        (lambda: env.fernet_keys("THE_ONE"), f"{KEY}, {KEY}", [KEY, KEY]),
        (lambda: env.folder("THE_ONE", "var", base=Path("/srv/tv")), "data", Path("/srv/tv/data")),
        (lambda: env.folder("THE_ONE", "var", base=Path("/srv/tv")), "/data", Path("/data")),
    ],
)
def test_read_a_good_value_gives_it(monkeypatch, read, value, expected):
    monkeypatch.setenv("THE_ONE", value)

    assert read() == expected


@pytest.mark.parametrize("value", ["too short", "ключ", f"{KEY},MDEyMzQ1"])
def test_read_keys_that_are_none_is_a_sentence_that_does_not_say_what_they_are(monkeypatch, value):
    monkeypatch.setenv("THE_ONE", value)

    with pytest.raises(WrongSetting) as caught:
        env.fernet_keys("THE_ONE")

    assert str(caught.value) == "THE_ONE makes no sense; it takes a comma list of Fernet keys (32 bytes in base64)."


@pytest.mark.parametrize("value", [None, "", "  "])
def test_read_what_is_absent_or_empty_gives_the_default(monkeypatch, value):
    monkeypatch.delenv("THE_ONE", raising=False)
    if value is not None:
        monkeypatch.setenv("THE_ONE", value)

    assert env.text("THE_ONE", "x") == "x"
    assert env.flag("THE_ONE", default=True) is True
    assert env.words("THE_ONE", "a,b") == ["a", "b"]
    assert env.choice("THE_ONE", "local", ("openai", "local")) == "local"
    assert env.integer("THE_ONE", 5, low=1, high=9) == 5
    assert env.decimal("THE_ONE", 0.5, low=0.1, high=9) == 0.5
    assert env.address("THE_ONE", "127.0.0.1") == "127.0.0.1"
    assert (env.hosts("THE_ONE"), env.origins("THE_ONE")) == ([], [])
    assert env.folder("THE_ONE", "var", base=Path("/srv/tv")) == Path("/srv/tv/var")
    assert env.url("THE_ONE", "https://api.smugmug.com") == "https://api.smugmug.com"


@pytest.mark.parametrize("command", [["manage.py", "check"], ["-m", "gunicorn", "targetvision.wsgi"]])
@pytest.mark.parametrize("name", ["BIND", "CSRF_TRUSTED_ORIGINS", "FIELD_ENCRYPTION_KEYS"])
def test_start_with_a_wrong_value_ends_with_one_sentence_that_names_it(command, name):
    ended = run(*command, SECRET_KEY="s", **{**NOWHERE, name: "foo"})

    assert ended.returncode == 1
    assert re.fullmatch(rf"{name} (is 'foo'|makes no sense); it takes .+\.\n", ended.stderr)
    assert ended.stdout == ""


@pytest.mark.parametrize("command", [["manage.py", "check"], ["-m", "gunicorn", "targetvision.wsgi"]])
def test_start_with_a_wrong_port_ends_with_one_sentence(command):
    ended = run(*command, SECRET_KEY="s", PORT="abc", **NOWHERE)

    assert ended.returncode == 1
    assert ended.stderr == "PORT is 'abc'; it takes a number from 1 to 65535.\n"
    assert ended.stdout == ""


def test_start_of_gunicorn_with_an_empty_bind_listens_on_this_machine_only():
    said = run("-m", "gunicorn", "--print-config", "targetvision.wsgi", SECRET_KEY="s", BIND="", PORT="8123", **NOWHERE)

    assert re.search(r"^bind += \['127\.0\.0\.1:8123'\]$", said.stdout, flags=re.MULTILINE), said
