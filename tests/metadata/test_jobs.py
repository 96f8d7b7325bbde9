"""Jobs: a second start does nothing, a stop gives back, and what the queue lost is found again."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import django_rq
import pytest
from django.db import OperationalError
from django.utils import timezone
from psycopg.errors import DeadlockDetected
from rq import Worker
from rq.cron import CronScheduler
from rq.exceptions import ShutDownImminentException

from metadata import chunks, jobs, process
from metadata.describe import Outage
from metadata.models import AICall, AIMetadata, Decision, PhotoEmbedding, ProcessingRun
from smugmug.models import Album
from targetvision.models import RunState
from tests.conftest import FakeDescriber
from tests.factories import AccountFactory, AIMetadataFactory, ProcessingRunFactory

pytestmark = pytest.mark.django_db

Enqueued = list[tuple[str, tuple[Any, ...]]]
NewRun = Callable[..., ProcessingRun]


@pytest.fixture(autouse=True)
def _configured(describer: FakeDescriber, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "configured_describer", lambda: describer)


def ago(**units: float) -> Any:
    return timezone.now() - timedelta(**units)


def test_process_photos_of_a_run_that_is_gone_does_nothing(describer: FakeDescriber, enqueued: Enqueued):
    jobs.process_photos(str(uuid.uuid4()))

    assert describer.pictures == []
    assert enqueued == []


def test_process_photos_finishes_and_enqueues_nothing(
    food: Album, describer: FakeDescriber, new_run: NewRun, enqueued: Enqueued
):
    run = new_run()

    jobs.process_photos(str(run.pk))

    run.refresh_from_db()
    assert (run.state, run.described) == (RunState.SUCCEEDED, 3)
    assert enqueued == []


def test_process_photos_twice_describes_once(
    food: Album, describer: FakeDescriber, new_run: NewRun, enqueued: Enqueued
):
    run = new_run()

    jobs.process_photos(str(run.pk))
    jobs.process_photos(str(run.pk))

    assert len(describer.pictures) == 3
    assert enqueued == []


def test_process_photos_when_its_slice_is_over_enqueues_the_rest(
    food: Album, describer: FakeDescriber, new_run: NewRun, enqueued: Enqueued, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(jobs, "SLICE_SECONDS", 0)
    run = new_run()

    jobs.process_photos(str(run.pk))

    run.refresh_from_db()
    assert run.state == RunState.RUNNING
    assert enqueued == [("process_photos", (str(run.pk),))]


def test_process_photos_when_the_worker_is_stopped_gives_everything_back(
    food: Album, describer: FakeDescriber, new_run: NewRun, enqueued: Enqueued
):
    describer.failures = [ShutDownImminentException("stop", {})]
    run = new_run()

    with pytest.raises(ShutDownImminentException):
        jobs.process_photos(str(run.pk))

    run.refresh_from_db()
    assert run.state == RunState.QUEUED
    assert set(AIMetadata.objects.values_list("processing_status", "claimed_until", "attempts")) == {
        ("pending", None, 0)
    }
    assert enqueued == [("process_photos", (str(run.pk),))]


@pytest.mark.parametrize(
    ("state", "times"),
    [
        ("running", {"heartbeat_at": ago(minutes=5)}),
        ("queued", {"heartbeat_at": ago(minutes=5)}),
        ("queued", {"created_at": ago(minutes=5)}),
    ],
)
def test_resume_stalled_processing_enqueues_a_run_that_nobody_works_on(
    enqueued: Enqueued, state: str, times: dict[str, Any]
):
    run = ProcessingRunFactory(state=state, **times)

    jobs.resume_stalled_processing()

    run.refresh_from_db()
    assert run.state == RunState.QUEUED
    assert timezone.now() - run.heartbeat_at < timedelta(minutes=1)
    assert enqueued == [("process_photos", (str(run.pk),))]


def test_resume_stalled_processing_a_second_time_enqueues_nothing_more(enqueued: Enqueued):
    ProcessingRunFactory(state="running", heartbeat_at=ago(minutes=5))

    jobs.resume_stalled_processing()
    jobs.resume_stalled_processing()

    assert len(enqueued) == 1


@pytest.mark.parametrize(
    ("state", "silent_for"),
    [("running", 5), ("queued", 5), ("paused", 9_999), ("succeeded", 9_999), ("cancelled", 9_999), ("failed", 9_999)],
)
def test_resume_stalled_processing_leaves_other_runs_alone(enqueued: Enqueued, state: str, silent_for: int):
    run = ProcessingRunFactory(state=state, heartbeat_at=ago(seconds=silent_for))

    jobs.resume_stalled_processing()

    run.refresh_from_db()
    assert run.state == state
    assert enqueued == []


def test_resume_stalled_processing_lets_a_run_go_on_whose_pause_is_over_with_one_worker(
    enqueued: Enqueued, settings: Any
):
    settings.WORKERS = 3
    run = ProcessingRunFactory(state="paused", pauses=2, resume_at=ago(seconds=1))

    jobs.resume_stalled_processing()
    jobs.resume_stalled_processing()

    run.refresh_from_db()
    assert (run.state, run.resume_at, run.pauses) == (RunState.QUEUED, None, 2)
    assert enqueued == [("process_photos", (str(run.pk),))]


@pytest.mark.parametrize("minutes", [None, 5])
def test_resume_stalled_processing_leaves_a_run_paused_that_is_not_due(enqueued: Enqueued, minutes: int | None):
    resume_at = minutes and timezone.now() + timedelta(minutes=minutes)
    run = ProcessingRunFactory(state="paused", resume_at=resume_at)

    jobs.resume_stalled_processing()

    run.refresh_from_db()
    assert (run.state, enqueued) == (RunState.PAUSED, [])


@pytest.fixture
def workers() -> Iterator[None]:
    """Of three workers one is busy, one is idle, and one listens to another queue."""
    connection = django_rq.get_connection("metadata")
    made = [Worker([queue], connection=connection) for queue in ("metadata", "metadata", "smugmug")]
    for worker, state in zip(made, ("busy", "idle", "idle"), strict=True):
        worker.register_birth()
        worker.set_state(state)
    yield
    for worker in made:
        worker.register_death()


@pytest.mark.usefixtures("workers")
def test_resume_stalled_processing_invites_workers_that_have_nothing_to_do(enqueued: Enqueued):
    run = ProcessingRunFactory(state="running", heartbeat_at=timezone.now())
    AIMetadataFactory(run=run)

    jobs.resume_stalled_processing()

    assert enqueued == [("process_photos", (str(run.pk),))] * 2  # the idle one, and the one that looks


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({"state": "running"}, {"processing_status": "processing", "claimed_until": timezone.now() + timedelta(1)}),
        ({"state": "running", "pauses": 1}, {}),  # one worker tries alone
        ({"state": "paused"}, {}),
        ({"state": "running"}, {"review_status": "rejected"}),
    ],
)
def test_resume_stalled_processing_with_nothing_for_others_invites_nobody(
    enqueued: Enqueued, run: dict[str, Any], words: dict[str, Any]
):
    AIMetadataFactory(run=ProcessingRunFactory(heartbeat_at=timezone.now(), **run), **words)

    jobs.resume_stalled_processing()

    assert enqueued == []


def test_process_photos_after_a_pause_calls_the_other_workers_when_there_is_an_answer(
    food: Album, describer: FakeDescriber, new_run: NewRun, enqueued: Enqueued, settings: Any
):
    settings.WORKERS = 3
    run = new_run()
    ProcessingRun.objects.update(pauses=1)

    jobs.process_photos(str(run.pk))

    run.refresh_from_db()
    assert (run.state, run.pauses) == (RunState.SUCCEEDED, 0)
    assert enqueued == [("process_photos", (str(run.pk),))] * 2


def test_process_photos_after_a_pause_that_was_too_short_calls_nobody(
    food: Album, describer: FakeDescriber, new_run: NewRun, enqueued: Enqueued, settings: Any
):
    settings.WORKERS = 3
    describer.failures = [Outage("HTTP 503")]
    run = new_run()
    ProcessingRun.objects.update(pauses=1)

    jobs.process_photos(str(run.pk))

    run.refresh_from_db()
    assert (run.state, run.pauses, len(describer.pictures), enqueued) == (RunState.PAUSED, 2, 1, [])


def test_embed_photo_makes_a_vector(describer: FakeDescriber):
    words = AIMetadataFactory(described=True)

    jobs.embed_photo(str(words.photo_id))

    assert PhotoEmbedding.objects.get().photo_id == words.photo_id
    assert describer.pictures == []


def test_enqueue_for_all_workers_enqueues_one_job_each(settings: Any, enqueued: Enqueued):
    settings.WORKERS = 3
    run = ProcessingRunFactory()

    jobs.enqueue_for_all_workers(run)

    assert enqueued == [("process_photos", (str(run.pk),))] * 3


def test_embed_left_makes_vectors_for_all_that_have_none_in_batches(
    describer: FakeDescriber, enqueued: Enqueued, settings: Any
):
    settings.AI_BATCH_SIZE = 2
    account = AccountFactory()
    rows = [AIMetadataFactory(described=True, photo__album__account=account) for _ in range(3)]
    elsewhere = AIMetadataFactory(described=True)

    jobs.embed_left(str(account.pk))

    assert set(PhotoEmbedding.objects.values_list("photo", flat=True)) == {row.photo_id for row in rows}
    assert AICall.objects.filter(kind="embed", account=account).count() == 2
    assert not PhotoEmbedding.objects.filter(photo=elsewhere.photo).exists()
    assert enqueued == []


def test_embed_left_when_its_slice_is_over_enqueues_the_rest(
    describer: FakeDescriber, enqueued: Enqueued, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(jobs, "SLICE_SECONDS", 0)
    words = AIMetadataFactory(described=True)

    jobs.embed_left(str(words.photo.account_id))

    assert describer.texts == []
    assert enqueued == [("embed_left", (str(words.photo.account_id),))]


def test_embed_left_leaves_it_to_a_run_that_is_at_work(describer: FakeDescriber, enqueued: Enqueued):
    words = AIMetadataFactory(described=True)
    ProcessingRunFactory(account=words.photo.account, state=RunState.RUNNING)

    jobs.embed_left(str(words.photo.account_id))

    assert describer.texts == []
    assert enqueued == []


def test_embed_left_of_a_library_that_is_gone_does_nothing(describer: FakeDescriber, enqueued: Enqueued):
    jobs.embed_left("0")

    assert describer.texts == []


@pytest.mark.parametrize(("state", "silent_for", "count"), [("queued", 60, 1), ("running", 60, 1), ("running", 5, 0)])
def test_resume_stalled_decisions_enqueues_those_that_nobody_works_on(
    enqueued: Enqueued, state: str, silent_for: int, count: int
):
    decision = Decision.objects.create(
        account=AccountFactory(), kind="approve", state=state, heartbeat_at=ago(seconds=silent_for)
    )
    Decision.objects.create(account=AccountFactory(), kind="approve", state="cancelled", heartbeat_at=ago(days=1))

    jobs.resume_stalled_decisions()
    jobs.resume_stalled_decisions()

    assert enqueued == [("carry_out_decision", (str(decision.pk),))] * count


def test_carry_out_decision_when_the_worker_is_told_to_stop_gives_it_back(
    enqueued: Enqueued, monkeypatch: pytest.MonkeyPatch
):
    account = AccountFactory()
    AIMetadataFactory(described=True, photo__album__account=account)
    decision = Decision.objects.create(account=account, kind="approve", requested_by=account.owner)

    def stop(*_: Any) -> None:
        raise ShutDownImminentException("warm", {})

    monkeypatch.setattr(chunks, "_chunk", stop)

    with pytest.raises(ShutDownImminentException):
        jobs.carry_out_decision(str(decision.pk))

    decision.refresh_from_db()
    assert (decision.state, decision.changed) == (RunState.QUEUED, 0)
    assert enqueued == [("carry_out_decision", (str(decision.pk),))]


@pytest.mark.parametrize(("cause", "is_raised"), [(DeadlockDetected("ring"), False), (ValueError("else"), True)])
def test_carry_out_decision_broken_off_for_another_transaction_is_taken_up_again(
    enqueued: Enqueued, monkeypatch: pytest.MonkeyPatch, cause: Exception, is_raised: bool
):
    account = AccountFactory()
    AIMetadataFactory(described=True, photo__album__account=account)
    decision = Decision.objects.create(account=account, kind="approve", requested_by=account.owner)

    def break_off(*_: Any) -> None:
        raise OperationalError("broken off") from cause

    with monkeypatch.context() as patch:
        patch.setattr(chunks, "_chunk", break_off)
        with pytest.raises(OperationalError) if is_raised else nullcontext():
            jobs.carry_out_decision(str(decision.pk))

    assert enqueued == ([] if is_raised else [("carry_out_decision", (str(decision.pk),))])
    if not is_raised:
        jobs.carry_out_decision(str(decision.pk))
        decision.refresh_from_db()
        assert (decision.state, decision.changed) == (RunState.SUCCEEDED, 1)


def test_cron_enqueues_both_reconcilers_every_few_seconds():
    scheduler = CronScheduler(connection=django_rq.get_connection("metadata"))

    scheduler.load_config_from_file("metadata.cron")

    found = {(job.func.__name__, job.queue_name, job.interval) for job in scheduler.get_jobs()}
    assert found >= {("resume_stalled_syncs", "smugmug", 15), ("resume_stalled_processing", "metadata", 15)}
    assert ("resume_stalled_decisions", "metadata", 15) in found
    assert ("start_due_syncs", "smugmug", 60) in found
    assert ("restack_all_behind", "metadata", 3600) in found
