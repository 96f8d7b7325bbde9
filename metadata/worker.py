"""The RQ worker: a stop is a stop, and what is slow to load is loaded before it forks."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from rq.exceptions import ShutDownImminentException
from rq.worker import HerokuWorker

from metadata.process import configured_describer
from targetvision.processes import follow_leader

if TYPE_CHECKING:
    from rq.job import Job
    from rq.queue import Queue

logger = logging.getLogger(__name__)


class Worker(HerokuWorker):
    # A job hears of a stop at once and has ended before honcho's five seconds are over.
    imminent_shutdown_delay = 0

    def work(self, *args: Any, **kwargs: Any) -> bool:
        configured_describer().warm_up()
        return bool(super().work(*args, **kwargs))

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """A job that is stopped with its worker is no mistake of anybody's: the reconciler takes its row up again."""
        if exc_info[0] is ShutDownImminentException:
            logger.info("job %s is stopped with its worker", job.id)
        else:
            super().handle_exception(job, *exc_info)

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        follow_leader()  # a fork has none of its parent's threads
        super().main_work_horse(job, queue)


# numpy's threads make the small model slower, and must be told before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
