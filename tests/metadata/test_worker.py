"""The RQ worker."""

from __future__ import annotations

import threading
from typing import Any

import django_rq
import pytest
from rq import Worker as AnyWorker
from rq.exceptions import ShutDownImminentException
from rq.job import Job
from rq.worker import HerokuWorker

from metadata import worker
from metadata.worker import Worker
from tests.conftest import FakeDescriber


@pytest.fixture
def connection() -> Any:
    return django_rq.get_connection("metadata")


def test_work_warms_up_before_the_worker_says_it_is_there(connection: Any, monkeypatch: pytest.MonkeyPatch):
    seen: list[int] = []

    class Warm(FakeDescriber):
        def warm_up(self) -> None:
            seen.append(AnyWorker.count(connection=connection))

    born: list[int] = []
    monkeypatch.setattr(worker, "configured_describer", Warm)
    monkeypatch.setattr(HerokuWorker, "register_birth", lambda self: born.append(len(seen)))

    did_work = Worker(["metadata"], connection=connection).work(burst=True)

    assert did_work is False
    assert seen == [0]
    assert born == [1]


def test_stop_is_passed_on_to_the_job_at_once():
    assert Worker.imminent_shutdown_delay == 0
    assert issubclass(Worker, HerokuWorker)  # raises ShutDownImminentException inside the job


def test_horse_follows_the_leader_before_it_works(connection: Any, monkeypatch: pytest.MonkeyPatch):
    order: list[str] = []
    monkeypatch.setattr(worker, "follow_leader", lambda: order.append("follow"))
    monkeypatch.setattr(HerokuWorker, "main_work_horse", lambda *_: order.append(threading.current_thread().name))

    Worker(["metadata"], connection=connection).main_work_horse(None, None)  # type: ignore[arg-type]

    assert order == ["follow", "MainThread"]


def test_stop_in_mid_job_is_one_line_in_the_log_and_no_mistake(connection: Any, caplog: pytest.LogCaptureFixture):
    job = Job.create("metadata.jobs.judge_unjudged", connection=connection)
    stopped = ShutDownImminentException("shut down imminent", {})
    broken = ValueError("broken")

    with caplog.at_level("INFO"):
        for exc in (stopped, broken):
            Worker(["metadata"], connection=connection).handle_exception(job, type(exc), exc, None)

    quiet, loud = caplog.records[-2:]
    assert (quiet.levelname, quiet.getMessage()) == ("INFO", f"job {job.id} is stopped with its worker")
    assert (loud.levelname, "ValueError: broken" in loud.getMessage()) == ("ERROR", True)
