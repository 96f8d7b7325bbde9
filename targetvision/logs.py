"""How a line of the log looks, for Django, RQ and gunicorn alike: one line of text, or one JSON object.

The ids of what is being worked on come from `about(…)` around the work, or from `extra=` of the one call.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

FORMATS = ("text", "json")
IDS = ("run", "photo", "account")
# What must never be read in a log, though a server's error message may quote it.
SECRETS = ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "SMUGMUG_API_SECRET", "OPENAI_API_KEY")
TOKEN = re.compile(r"tv_[0-9a-f]{64}")  # as tokens.py makes them
SHORTEST_SECRET = 8  # shorter ones are stand-ins' and words of ordinary lines

_about: ContextVar[dict[str, str]] = ContextVar("about", default={})  # noqa: B039 - replaced, never changed


@contextlib.contextmanager
def about(**ids: object) -> Iterator[None]:
    """Lines that are logged inside carry these ids; nests. A thread begins with none."""
    token = _about.set({**_about.get(), **{name: str(value) for name, value in ids.items()}})
    try:
        yield
    finally:
        _about.reset(token)


def config(log_format: str, *, debug: bool) -> dict[str, Any]:
    """The logging configuration; RQ's six lines a job only while debugging."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"troubles": {"()": Troubles}},
        "formatters": {"line": {"()": JsonLine if log_format == "json" else TextLine}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": "INFO"},
        "loggers": {
            # Both write signed headers and signature bases at DEBUG: tokens never reach a log.
            "oauthlib": {"level": "INFO"},
            "requests_oauthlib": {"level": "INFO"},
            "httpx2": {"level": "WARNING"},
            "openai": {"level": "WARNING"},
            "django": {"handlers": []},  # else each line twice with DEBUG
            "gunicorn.error": {"handlers": ["console"], "propagate": False},
            # rqworker and rqcron set the level themselves, so a filter has to do it.
            **{name: {"filters": [] if debug else ["troubles"]} for name in ("rq.worker", "rq.job", "rq.cron")},
        },
    }


class Troubles(logging.Filter):
    """Warnings and worse."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING


class Line(logging.Formatter):
    """What both formats share."""

    def ids(self, record: logging.LogRecord) -> dict[str, str]:
        """The ids of the work, and of this call."""
        given = {name: str(getattr(record, name)) for name in IDS if hasattr(record, name)}
        return {**_about.get(), **given}

    def format(self, record: logging.LogRecord) -> str:
        return _without_secrets(self.whole(record))

    def whole(self, record: logging.LogRecord) -> str:
        raise NotImplementedError


class TextLine(Line):
    """`time LEVEL logger: message`, and the ids that the message does not name."""

    def whole(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        more = [f" {name}={value}" for name, value in self.ids(record).items() if value not in message]
        line = f"{_time(record)} {record.levelname} {record.name}: {message}{''.join(more)}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonLine(Line):
    """An object with time, level, logger, message, the ids, and a traceback where there is one."""

    def whole(self, record: logging.LogRecord) -> str:
        line = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **self.ids(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _without_secrets(line: str) -> str:
    line = TOKEN.sub("tv_…", line)
    for name in SECRETS:
        for secret in os.environ.get(name, "").split(","):
            if len(secret.strip()) >= SHORTEST_SECRET:
                line = line.replace(secret.strip(), "…")
    return line
