"""Describing as people and jobs know it: begun, gone on with, paused, paid for, cancelled, ended; and in the trail."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from metadata import process, prompts
from metadata.describe import BadAnswer, Outage, Usage
from metadata.models import AICall, AIMetadata, MetadataHistory, PhotoEmbedding, ProcessingRun
from metadata.money import UnknownPrice
from metadata.process import Wish
from metadata.purse import USED_UP
from smugmug.models import Account, Album, AuditEntry, Photo
from targetvision.models import RunState
from tests.conftest import FakeDescriber
from tests.factories import AIMetadataFactory, PhotoFactory, ProcessingRunFactory, UserFactory
from tests.metadata.conftest import NewRun, Work, calls, statuses

pytestmark = pytest.mark.django_db


# --- Each photo once ---------------------------------------------------------------------------------------


def test_carry_on_with_photos_describes_each_once(food: Album, describer: FakeDescriber, new_run: NewRun, work: Work):
    run = new_run()

    over = work(run)

    assert over is True
    assert (run.state, run.total, run.done, run.described, run.failed) == (RunState.SUCCEEDED, 3, 3, 3, 0)
    assert len(describer.pictures) == len(set(describer.pictures)) == 3
    words = AIMetadata.objects.get(photo__title="Cocktail")
    assert words.processing_status == "completed"
    assert words.ai_description == "A description."
    assert (words.describer, words.model, words.confidence_score) == ("fake", "fake-1", 0.9)
    assert (words.version, words.review_status, words.claimed_until) == (1, "unreviewed", None)
    assert words.processed_at is not None
    assert words.ai_answer == words.history.get()


def test_carry_on_after_a_run_over_everything_describes_nothing(
    food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    work(new_run())
    again = new_run()

    work(again)

    assert (again.state, again.total) == (RunState.SUCCEEDED, 0)
    assert len(describer.pictures) == 3
    assert MetadataHistory.objects.count() == 3


def test_carry_on_writes_history_that_names_the_model(food: Album, new_run: NewRun, work: Work):
    work(new_run(limit=1))

    step = MetadataHistory.objects.get()
    assert (step.source, step.changed_by, step.version) == ("ai", "ai:fake-1", 1)
    assert (step.previous_description, step.new_description) == ("", "A description.")
    assert step.new_tags == ["one", "two"]


def test_carry_on_writes_a_ledger_row_for_each_call_and_embeds_in_batches(
    mirror: Callable[..., Album], settings: Any, new_run: NewRun, work: Work
):
    settings.AI_BATCH_SIZE = 4
    mirror("Food")

    run = new_run()
    work(run)

    assert calls(run=run) == {("describe", "ok"): 6, ("embed", "ok"): 2}
    described = AICall.objects.filter(kind="describe").first()
    assert (described.model, described.tokens_in, described.tokens_out) == ("fake-1", 900, 60)
    assert described.cost is None  # what an unknown price comes to is not nothing
    assert AICall.objects.filter(kind="describe", photo=None).count() == 0
    assert AICall.objects.filter(kind="embed").first().model == "fake-embedding"
    assert PhotoEmbedding.objects.count() == 6


def test_carry_on_with_several_calls_in_flight_describes_each_once(
    mirror: Callable[..., Album], settings: Any, describer: FakeDescriber, new_run: NewRun, work: Work
):
    settings.AI_CONCURRENCY, settings.AI_BATCH_SIZE = 4, 2
    mirror("Food")

    work(new_run())

    assert len(set(describer.pictures)) == len(describer.pictures) == 6
    assert statuses() == {"completed": 6}


def test_carry_on_with_a_failed_call_keeps_it_in_the_ledger(
    food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    describer.failures = [BadAnswer("nonsense", usage=Usage(5, None, 2))]

    run = new_run()
    work(run)

    assert run.state == RunState.SUCCEEDED
    assert calls() == {("describe", "bad_answer"): 1, ("describe", "ok"): 3, ("embed", "ok"): 1}
    failed = AICall.objects.get(outcome="bad_answer")
    assert (failed.model, failed.tokens_in, failed.tokens_out) == ("fake-1", 5, 2)


def test_carry_on_with_the_built_in_model_costs_nothing(
    food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    describer.sends_to = ""

    work(new_run(limit=1))

    assert set(AICall.objects.values_list("cost", flat=True)) == {0}


def test_carry_on_tells_how_far_it_is(food: Album, new_run: NewRun, work: Work):
    told: list[tuple[int, int | None]] = []

    work(new_run(), tell=lambda run: told.append((run.done, run.total)))

    assert told[0] == (0, 3)
    assert told[-1] == (3, 3)
    assert (2, 3) in told


# --- Which photos ------------------------------------------------------------------------------------------


def test_carry_on_with_a_video_skips_it_and_says_why(
    food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    Photo.objects.filter(title="Cocktail").update(is_video=True)

    run = new_run()
    work(run)

    film = AIMetadata.objects.get(photo__title="Cocktail")
    assert (film.processing_status, film.error) == ("skipped", "This is a video; only pictures are described.")
    assert (run.state, run.skipped, run.described, run.done, run.total) == (RunState.SUCCEEDED, 1, 2, 3, 3)
    assert len(describer.pictures) == 2
    assert film.history.count() == 0


def test_carry_on_with_a_limit_describes_so_many(food: Album, describer: FakeDescriber, new_run: NewRun, work: Work):
    run = new_run(limit=2)

    work(run)

    assert (run.state, run.total, run.described) == (RunState.SUCCEEDED, 2, 2)
    assert len(describer.pictures) == 2
    assert statuses() == {"completed": 2}


def test_carry_on_with_an_album_leaves_the_others_alone(
    food: Album, mirror: Callable[..., Album], new_run: NewRun, work: Work
):
    mirror("Places", count=2)

    run = new_run(album=food)
    work(run)

    assert run.described == 3
    assert set(AIMetadata.objects.values_list("photo__album__title", flat=True)) == {"Food"}


def test_carry_on_leaves_other_accounts_and_removed_photos_alone(
    food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    Photo.objects.filter(title="Cocktail").update(removed_at=timezone.now())
    strange = PhotoFactory()

    run = new_run()
    work(run)

    assert run.total == 2
    assert not AIMetadata.objects.filter(photo__title="Cocktail").exists()
    assert not AIMetadata.objects.filter(photo=strange).exists()


# --- Begun -------------------------------------------------------------------------------------------------


def trail() -> list[tuple[str, str, str]]:
    return list(AuditEntry.objects.order_by("pk").values_list("who", "action", "result"))


def test_start_keeps_what_was_asked_for(account: Account, describer: FakeDescriber):
    photo = PhotoFactory(album__account=account)
    wish = Wish(photo=photo, only="failed", reason="Damaged.", also_decided=True, note="By night.", limit=7)

    run, is_new = process.start(account, by=account.owner, wish=wish, describer=describer)

    assert is_new is True
    assert Wish.of(run) == wish
    assert (run.describer, run.model, run.prompt) == ("fake", "fake-1", prompts.active(account))
    assert run.prompt.used_at is not None
    assert trail() == [("user:ada", "describe", "started")]
    detail = AuditEntry.objects.get().detail
    assert "failed with “Damaged.”" in detail
    assert "also what people decided on" in detail
    assert "told “By night.”" in detail


def test_start_while_a_run_is_active_gives_that_run(account: Account, describer: FakeDescriber):
    first, is_new = process.start(account, by=None, describer=describer)

    second, is_second_new = process.start(account, by=None, wish=Wish(limit=1), describer=describer)

    assert (is_new, is_second_new) == (True, False)
    assert second == first
    assert ProcessingRun.objects.count() == 1
    assert trail() == [("command", "describe", "started")]


def test_start_with_a_budget_that_nobody_could_keep_makes_no_run(
    account: Account, describer: FakeDescriber, settings: Any
):
    settings.AI_DESCRIBER = "openai"  # of which the prices of these models are not known

    with pytest.raises(UnknownPrice, match="A budget cannot be kept"):
        process.start(account, by=None, wish=Wish(budget=Decimal(1)), describer=describer)

    assert ProcessingRun.objects.count() == AuditEntry.objects.count() == 0


# --- Paused, resumed, cancelled, ended ---------------------------------------------------------------------


@pytest.fixture
def run(library_of_ada: Account) -> ProcessingRun:
    return ProcessingRunFactory(account=library_of_ada, state="running", total=9)


def test_pause_says_who_and_waits_for_a_person(run: ProcessingRun):
    assert process.pause(run, by=run.account.owner) is True

    assert (run.state, run.waiting_for, run.resume_at) == (RunState.PAUSED, "Paused by ada.", None)
    assert trail() == [("user:ada", "describe", "paused")]


def test_resume_queues_the_run(run: ProcessingRun):
    run.pause("Because.", seconds=900)

    assert process.resume(run, by=run.account.owner) is True

    assert (run.state, run.resume_at) == (RunState.QUEUED, None)
    assert trail() == [("user:ada", "describe", "resumed")]


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (process.pause, "paused"),
        (process.pause, "cancelled"),
        (process.resume, "running"),
        (process.resume, "succeeded"),
        (process.cancel, "succeeded"),
        (process.cancel, "cancelled"),
    ],
)
def test_change_of_a_run_that_is_elsewhere_by_now_does_nothing(run: ProcessingRun, change: Any, state: str):
    ProcessingRun.objects.update(state=state)

    assert change(run, by=run.account.owner) is False

    run.refresh_from_db()
    assert (run.state, trail()) == (state, [])


def test_cancel_keeps_the_words_of_photos_that_waited_for_others(run: ProcessingRun):
    words = AIMetadataFactory(approved=True, run=run, photo__album__account=run.account, processing_status="pending")

    assert process.cancel(run, by=None) is True

    words.refresh_from_db()
    assert (words.processing_status, words.review_status) == ("completed", "approved")
    assert trail() == [("command", "describe", "cancelled")]


def test_carry_on_writes_its_end_into_the_trail(food: Album, new_run: NewRun, work: Work):
    work(new_run())

    assert trail() == [("user:ada", "describe", "started"), ("user:ada", "describe", "succeeded")]
    assert AuditEntry.objects.last().detail == "3 described, 0 skipped, 0 failed"


def test_carry_on_writes_its_pause_into_the_trail(food: Album, describer: FakeDescriber, new_run: NewRun, work: Work):
    describer.failures = [Outage("HTTP 503")] * 5

    work(new_run())

    assert trail()[1:] == [("user:ada", "describe", "paused")]
    assert AuditEntry.objects.last().detail == Outage.advice


def test_carry_on_after_the_settings_were_mended_uses_the_new_model(
    food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    run = new_run()
    describer.model = "fake-2"

    work(run)

    assert (run.state, run.model) == (RunState.SUCCEEDED, "fake-2")
    assert set(AIMetadata.objects.values_list("model", flat=True)) == {"fake-2"}
    assert prompts.stale(run.account, run.prompt, "fake-2").count() == 0
    assert prompts.stale(run.account, run.prompt, "fake-1").count() == 3


# --- The budget --------------------------------------------------------------------------------------------


def test_set_budget_lets_a_run_go_on_that_waited_for_it(run: ProcessingRun):
    run.pause(f"{USED_UP}: $1.00 of $1.00 spent.")

    assert process.set_budget(run, Decimal("2.50"), by=run.account.owner) is True

    assert (run.state, run.budget_usd) == (RunState.QUEUED, Decimal("2.5000"))
    assert trail() == [("user:ada", "describe", "budget")]
    assert AuditEntry.objects.get().detail == "$2.50"


def test_set_budget_of_a_run_that_a_person_paused_leaves_it_paused(run: ProcessingRun):
    process.pause(run, by=run.account.owner)

    assert process.set_budget(run, None, by=run.account.owner) is True

    assert (run.state, run.budget_usd) == (RunState.PAUSED, None)


def test_set_budget_of_a_run_that_is_over_changes_nothing(run: ProcessingRun):
    run.cancel()

    assert process.set_budget(run, Decimal(5), by=UserFactory()) is False

    assert (run.budget_usd, trail()) == (None, [])


# --- One photo's vector ------------------------------------------------------------------------------------


def test_embed_photo_with_words_replaces_the_vector_and_writes_the_ledger(describer: FakeDescriber):
    words = AIMetadataFactory(described=True)
    PhotoEmbedding.objects.create(photo=words.photo, model="old", embedding=[0.5] * 1536)

    process.embed_photo(str(words.photo_id), describer=describer)

    vector = PhotoEmbedding.objects.get()
    assert (vector.model, vector.embedding[0], vector.embedding[1]) == ("fake-embedding", 1, 0)
    assert describer.texts == ["A cat\nA grey cat on a wall.\ncat, grey"]
    assert calls(photo=words.photo) == {("embed", "ok"): 1}


def test_embed_photo_without_words_asks_nobody(describer: FakeDescriber):
    words = AIMetadataFactory()

    process.embed_photo(str(words.photo_id), describer=describer)

    assert describer.texts == []
    assert PhotoEmbedding.objects.count() == AICall.objects.count() == 0


def test_configured_describer_is_what_the_settings_name(settings: Any):
    settings.AI_DESCRIBER, settings.OPENAI_BASE_URL, settings.OPENAI_MODEL = "openai", "http://127.0.0.1:9/v1", "m"
    process.configured_describer.cache_clear()

    made = process.configured_describer()

    assert (made.name, made.model) == ("openai", "m")
    assert process.configured_describer() is made
    process.configured_describer.cache_clear()
