"""The environment, read and checked: a value that makes no sense is one sentence that names its variable.

Nothing here knows Django's settings; settings.py asks for each variable once and keeps what comes back.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TypeVar
from urllib.parse import urlsplit

import environ

T = TypeVar("T")


class WrongSetting(SystemExit):
    """A variable is missing or makes no sense; str() is the sentence for the person who starts the program.

    A SystemExit, so that every way of starting (manage.py, gunicorn, a worker) ends with that sentence
    and status 1 instead of a traceback.
    """


_env = environ.Env()


def text(name: str, default: str = "") -> str:
    """The variable without surrounding white space, or `default` where it is absent or empty."""
    return _env.str(name, default="").strip() or default


def required(name: str, why: str) -> str:
    """The variable; WrongSetting where it is absent."""
    return text(name) or _wrong(name, f"is not set: {why}")


def flag(name: str, *, default: bool) -> bool:
    """True for 1, true, yes, on; False for 0, false, no, off (any case)."""
    value = text(name, str(default)).lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    return _wrong(name, f"is {value!r}; it takes true or false")


def words(name: str, default: str = "") -> list[str]:
    """The entries of a comma-separated list, without empty ones."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    """One of `choices`."""
    value = text(name, default)
    return value if value in choices else _wrong(name, f"is {value!r}; it takes one of {', '.join(choices)}")


def integer(name: str, default: int, *, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    return _number(name, default, int, low, high)


def decimal(name: str, default: float, *, low: float, high: float) -> float:
    """A number from `low` to `high`."""
    return _number(name, default, float, low, high)


def usd(name: str) -> Decimal | None:
    """An amount from 0 to a million, of whole hundredths of a cent; None where the variable is absent or empty."""
    value = text(name)
    if not value:
        return None
    try:
        amount = Decimal(value)
    except InvalidOperation:
        amount = Decimal("NaN")
    if amount.is_finite() and 0 <= amount <= 1_000_000 and amount == amount.quantize(Decimal("0.0001")):
        return amount
    return _wrong(name, f"is {value!r}; it takes an amount in USD, like 5 or 2.50")


def url(name: str, default: str = "", *, schemes: tuple[str, ...] = ("http", "https")) -> str:
    """An address with one of `schemes`, without a slash at its end."""
    value = text(name, default)
    if not value:
        return value
    try:
        parts = urlsplit(value)
        complete = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        complete = False
    if complete:
        return value.rstrip("/")
    return _wrong(name, f"is {value!r}; it takes an address that begins with {schemes[0]}://")


def _number(name: str, default: T, cast: Callable[[str], T], low: T, high: T) -> T:
    value = text(name, str(default))
    try:
        number = cast(value)
    except ValueError:
        number = None
    if number is not None and low <= number <= high:  # type: ignore[operator]
        return number
    return _wrong(name, f"is {value!r}; it takes a number from {low} to {high}")


def _wrong(name: str, problem: str) -> T:  # type: ignore[type-var]
    raise WrongSetting(f"{name} {problem}.")
