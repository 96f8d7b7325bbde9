"""RQ's queue as the pages use it: transport, which may be away for a while."""

from __future__ import annotations

import logging
from typing import Any

from django_rq.queues import DjangoRQ
from redis.exceptions import ConnectionError, TimeoutError

logger = logging.getLogger(__name__)


class Queue(DjangoRQ):
    """Where Redis cannot be reached, nothing is lost: the run is a row, and the reconciler enqueues it later."""

    def original_enqueue_call(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().original_enqueue_call(*args, **kwargs)
        except (ConnectionError, TimeoutError):  # redis's own
            logger.warning("the queue cannot be reached; what was asked for is done when it can be")
            return None
