"""How lines look, and what never stands in them."""

from __future__ import annotations

import json
import logging
import logging.config
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from django.conf import settings as django_settings
from gunicorn.config import Config
from gunicorn.glogging import Logger

from metadata import process
from smugmug import oauth, sync
from smugmug.models import Account, Photo
from targetvision import logs


def record(message: str, level: int = logging.INFO, name: str = "app", **extra: Any) -> logging.LogRecord:
    return logging.getLogger(name).makeRecord(name, level, "file.py", 1, message, (), None, extra=extra)


@pytest.fixture
def _restored() -> Iterator[None]:
    """The loggers that a test configures are as new before, and as the settings want them afterwards."""
    for name in ("rq.worker", "rq.job", "rq.cron"):
        logging.getLogger(name).filters.clear()
    yield
    for name in ("rq.worker", "rq.job", "rq.cron"):
        logging.getLogger(name).filters.clear()
        logging.getLogger(name).setLevel(logging.NOTSET)
    logging.config.dictConfig(django_settings.LOGGING)
    for handler in list(logging.getLogger("gunicorn.error").handlers):
        logging.getLogger("gunicorn.error").removeHandler(handler)
    logging.getLogger("gunicorn.error").propagate = True


def test_format_json_gives_one_object_with_the_ids() -> None:
    with logs.about(run="r1", account=7), logs.about(photo="p1"):
        line = logs.JsonLine().format(record("done\nand done", photo="p2"))

    found = json.loads(line)
    assert "\n" not in line
    assert datetime.fromisoformat(found.pop("time")).tzinfo is not None
    assert found == {
        "level": "INFO",
        "logger": "app",
        "message": "done\nand done",
        "run": "r1",
        "account": "7",
        "photo": "p2",
    }


def test_format_json_after_the_work_has_no_ids() -> None:
    with logs.about(run="r1"):
        pass

    assert "run" not in json.loads(logs.JsonLine().format(record("later")))


def test_format_json_of_an_exception_keeps_the_traceback_in_the_line() -> None:
    trouble = record("broken", logging.ERROR)
    try:
        raise ValueError("no such thing")
    except ValueError:
        trouble.exc_info = sys.exc_info()

    line = logs.JsonLine().format(trouble)

    assert "\n" not in line
    assert "ValueError: no such thing" in json.loads(line)["traceback"]


def test_format_text_adds_only_the_ids_that_the_message_lacks() -> None:
    with logs.about(run="r1", photo="p1"):
        line = logs.TextLine().format(record("run r1 is over"))

    assert line.endswith(" INFO app: run r1 is over photo=p1")


@pytest.mark.parametrize("formatter", [logs.TextLine(), logs.JsonLine()])
def test_format_a_message_that_quotes_a_key_hides_it(formatter: logs.Line, monkeypatch: Any) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setenv("FIELD_ENCRYPTION_KEYS", "first-key-of-two, second-key-of-two")

    line = formatter.format(record("refused: sk-very-secret, second-key-of-two"))

    assert "refused: …, …" in line.replace("\\u2026", "…")
    assert "secret" not in line
    assert "second" not in line


@pytest.mark.usefixtures("_restored")
@pytest.mark.parametrize("debug", [False, True])
def test_configure_keeps_rqs_chatter_for_debugging(debug: bool, capsys: Any) -> None:
    logging.config.dictConfig(logs.config("text", debug=debug))
    worker = logging.getLogger("rq.worker")
    worker.setLevel(logging.INFO)  # as rqworker does

    worker.info("Job OK")
    worker.warning("Moving job to FailedJobRegistry")

    said = capsys.readouterr().err
    assert "Moving job to FailedJobRegistry" in said
    assert ("Job OK" in said) is debug


@pytest.mark.usefixtures("_restored")
def test_configure_gunicorn_gives_its_lines_the_same_format(capsys: Any) -> None:
    config = Config()
    config.set("logconfig_dict", logs.config("json", debug=False))

    Logger(config).info("Listening at: %s", "http://127.0.0.1:8000")

    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "Listening at: http://127.0.0.1:8000"


def test_work_on_a_library_logs_ids_and_no_secret(account: Account, describer: Any, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    formatter = logs.JsonLine()
    monitor = logging.Handler()
    lines: list[dict[str, Any]] = []
    monitor.emit = lambda record: lines.append(json.loads(formatter.format(record)))  # type: ignore[method-assign]
    logging.getLogger().addHandler(monitor)
    try:
        mirrored, _ = sync.start(account, by=None)
        sync.carry_on(mirrored, client=oauth.connect(account), seconds=60)
        run, _ = process.start(account, by=None, wish=process.Wish(limit=3), describer=describer)
        process.carry_on(run, describer=describer, client=oauth.connect(account), seconds=60)
    finally:
        logging.getLogger().removeHandler(monitor)

    described = [line for line in lines if "is described" in line["message"]]
    assert len(described) == 3
    assert {(line["run"], line["account"]) for line in described} == {(str(run.pk), str(account.pk))}
    assert {line["photo"] for line in described} <= {str(pk) for pk in Photo.objects.values_list("pk", flat=True)}
    everything = json.dumps(lines)
    for secret in (account.oauth_token, account.oauth_token_secret, "sandbox-secret", "oauth_signature", "JFIF"):
        assert secret not in everything
