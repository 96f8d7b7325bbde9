"""The environment, read and checked: a value that makes no sense is one sentence that names its variable.

Nothing here knows Django's settings; settings.py asks for each variable once and keeps what comes back.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import environ

T = TypeVar("T")

HOST = re.compile(r"\*|\.?[\w-]+(\.[\w-]+)*|\[[\d:a-fA-F.]+\]", re.ASCII)
ORIGIN = re.compile(r"https?://(\*\.)?([\w-]+(\.[\w-]+)*|\[[\d:a-fA-F.]+\])(:\d{1,5})?", re.ASCII)
FERNET_KEY_BYTES = 32


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


def folder(name: str, default: str, *, base: Path) -> Path:
    """A folder; a relative one lies in `base`, wherever the program is started."""
    return (base / text(name, default)).resolve()


def address(name: str, default: str) -> str:
    """An IP address, or localhost; IPv6 in brackets, as addresses of pages have it."""
    value = text(name, default)
    if value == "localhost":
        return value
    try:
        ip = ip_address(value.strip("[]"))
    except ValueError:
        return _wrong(name, f"is {value!r}; it takes an IP address of this machine, like 127.0.0.1 or 0.0.0.0")
    return f"[{ip}]" if ip.version == 6 else str(ip)  # noqa: PLR2004 - as IP counts them


def hosts(name: str) -> list[str]:
    """Hosts as Django compares them with what a browser asked for."""
    return _all_like(HOST, name, "hosts without http:// and port, like photos.example.org, with commas between")


def origins(name: str) -> list[str]:
    """Addresses of sites, without a path."""
    return _all_like(ORIGIN, name, "addresses without a path, like https://photos.example.org, with commas between")


def fernet_keys(name: str) -> list[str]:
    """One key or more; no message says what they are."""
    found = words(name)
    if not found:
        return _wrong(name, "is not set: a comma list of Fernet keys, the first encrypts")
    if all(map(_is_fernet_key, found)):
        return found
    return _wrong(name, "makes no sense; it takes a comma list of Fernet keys (32 bytes in base64)")


def _is_fernet_key(key: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(key)) == FERNET_KEY_BYTES
    except ValueError:
        return False


def _all_like(pattern: re.Pattern[str], name: str, what: str) -> list[str]:
    for word in words(name):
        if not pattern.fullmatch(word):
            return _wrong(name, f"is {text(name)!r}; it takes {what}")
    return words(name)


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
