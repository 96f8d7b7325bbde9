"""The RQ worker: a stop is a stop, and what is slow to load is loaded before it forks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from rq.worker import HerokuWorker

from metadata.process import configured_describer
from targetvision.processes import follow_leader

if TYPE_CHECKING:
    from rq.job import Job
    from rq.queue import Queue


class Worker(HerokuWorker):
    # A job hears of a stop at once and has ended before honcho's five seconds are over.
    imminent_shutdown_delay = 0

    def work(self, *args: Any, **kwargs: Any) -> bool:
        configured_describer().warm_up()
        return bool(super().work(*args, **kwargs))

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        follow_leader()  # a fork has none of its parent's threads
        super().main_work_horse(job, queue)


# numpy's threads make the small model slower, and must be told before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
