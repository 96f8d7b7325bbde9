"""Transactions that Postgres broke off because two waited for each other: nothing of theirs was written, and a second
try finds the other one gone."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import OperationalError
from psycopg.errors import DeadlockDetected

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
TIMES = 3


def is_deadlock(exc: OperationalError) -> bool:
    """Whether it says that a transaction was broken off for another's sake."""
    return isinstance(exc.__cause__, DeadlockDetected)


def again_after_deadlock(work: Callable[P, T]) -> Callable[P, T]:
    """The same work, which is a transaction as a whole, tried up to TIMES times where it is broken off."""

    @functools.wraps(work)
    def tried(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(TIMES - 1):
            try:
                return work(*args, **kwargs)
            except OperationalError as exc:
                if not is_deadlock(exc):
                    raise
                logger.info("%s is tried again: it was broken off for another transaction", work.__name__)
        return work(*args, **kwargs)

    return tried
