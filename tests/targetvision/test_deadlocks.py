"""What Postgres broke off for another's sake is tried again, and nothing else is."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from psycopg.errors import DeadlockDetected

from targetvision.deadlocks import TIMES, again_after_deadlock


@pytest.mark.parametrize(
    ("failures", "cause", "tries"),
    [(0, None, 1), (2, DeadlockDetected(), 3), (9, DeadlockDetected(), TIMES), (1, None, 1)],
)
def test_work_is_tried_again_only_after_a_deadlock_and_not_for_ever(
    failures: int, cause: Exception | None, tries: int
) -> None:
    tried: list[str] = []

    @again_after_deadlock
    def work(word: str) -> str:
        tried.append(word)
        if len(tried) <= failures:
            raise OperationalError("broken off") from cause
        return word

    if failures >= tries:
        with pytest.raises(OperationalError):
            work("words")
    else:
        assert work("words") == "words"
    assert tried == ["words"] * tries
