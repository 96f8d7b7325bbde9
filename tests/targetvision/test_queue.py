"""The queue may be away: what was asked for stands in the database, and nobody is shown an error."""

from __future__ import annotations

from typing import Any

import pytest
from django_rq.queues import DjangoRQ, get_queue
from redis import exceptions


@pytest.mark.parametrize("away", [exceptions.ConnectionError, exceptions.TimeoutError])
def test_enqueue_while_redis_is_away_is_told_and_not_raised(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, away: type[Exception]
):
    def fail(*_: Any, **__: Any) -> None:
        raise away

    monkeypatch.setattr(DjangoRQ, "original_enqueue_call", fail)

    assert get_queue("metadata").original_enqueue_call(len) is None
    assert "the queue cannot be reached" in caplog.text


def test_enqueue_with_a_mistake_of_ours_is_raised(monkeypatch: pytest.MonkeyPatch):
    def fail(*_: Any, **__: Any) -> None:
        raise exceptions.DataError

    monkeypatch.setattr(DjangoRQ, "original_enqueue_call", fail)

    with pytest.raises(exceptions.DataError):
        get_queue("metadata").original_enqueue_call(len)
