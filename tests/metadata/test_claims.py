"""Leases on rows: what is ours, for how long, and what may be written with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from metadata import claims, workflow
from metadata.claims import Call, Claim
from metadata.describe import Answer, BadAnswer, Description, Outage, Refused, Rejected, UnusablePicture, Usage, Vectors
from metadata.models import AICall, AIMetadata, MetadataHistory, PhotoEmbedding, ProcessingRun
from tests.factories import AIMetadataFactory, AlbumFactory, PhotoFactory, ProcessingRunFactory, UserFactory

pytestmark = pytest.mark.django_db

ANSWER = Answer(Description("Title", "Words.", "Alt", ("a", "b"), ("Animals",), 0.7), Usage(9, 0, 3), "model-7")
VECTOR = [1.0] + [0.0] * 1535


@pytest.fixture
def run() -> ProcessingRun:
    """Under way over three photos: c.jpg, b.jpg and a.jpg of one album."""
    run = ProcessingRunFactory()
    album = AlbumFactory(account=run.account)
    for name in ("c.jpg", "b.jpg", "a.jpg"):
        PhotoFactory(album=album, filename=name)
    run.begin(alone=False)
    claims.plan(run)
    return run


def taken(run: ProcessingRun) -> Claim:
    """One photo of the run, ours."""
    [claim] = claims.claim(run, 1)
    return claim


def row(claim: Claim) -> AIMetadata:
    return AIMetadata.objects.get(pk=claim.pk)


def test_plan_gives_each_photo_a_row_and_counts_them(run: ProcessingRun):
    assert (run.total, run.done, run.skipped) == (3, 0, 0)
    assert set(AIMetadata.objects.values_list("processing_status", "run")) == {("pending", run.pk)}
    assert AIMetadata.objects.count() == 3


def test_plan_a_second_time_adds_nothing(run: ProcessingRun):
    PhotoFactory(album=AlbumFactory(account=run.account))
    another = ProcessingRun.objects.get()

    claims.plan(another)

    assert another.total == 3
    assert AIMetadata.objects.count() == 3


def test_plan_with_a_limit_takes_photos_by_album_and_name():
    run = ProcessingRunFactory(limit=2)
    album = AlbumFactory(account=run.account)
    for name in ("c.jpg", "b.jpg", "a.jpg"):
        PhotoFactory(album=album, filename=name)
    run.begin(alone=False)

    claims.plan(run)

    assert set(AIMetadata.objects.of_run(run).values_list("photo__filename", flat=True)) == {"a.jpg", "b.jpg"}


def test_plan_leaves_alone_what_another_worker_has_in_hand():
    run = ProcessingRunFactory()
    photo = PhotoFactory(album=AlbumFactory(account=run.account))
    until = timezone.now() + timedelta(minutes=1)
    AIMetadataFactory(photo=photo, processing_status="processing", claimed_until=until)
    run.begin(alone=False)

    claims.plan(run)

    words = AIMetadata.objects.get()
    assert run.total == 0
    assert (words.run, words.processing_status, words.claimed_until) == (None, "processing", until)


def test_claim_leases_each_photo_once(run: ProcessingRun, settings: Any):
    settings.CLAIM_SECONDS = 50

    first, second = claims.claim(run, 2), claims.claim(run, 2)

    assert len(first) == 2
    assert len(second) == 1
    assert len({claim.pk for claim in first + second}) == 3
    assert claims.claim(run, 2) == []
    leases = AIMetadata.objects.filter(processing_status="processing").values_list("claimed_until", flat=True)
    assert len(leases) == 3
    assert all(timedelta(seconds=40) < until - timezone.now() <= timedelta(seconds=50) for until in leases)


def test_claim_takes_those_that_failed_before_last(run: ProcessingRun):
    failed = AIMetadata.objects.get(photo__filename="b.jpg")
    AIMetadata.objects.filter(pk=failed.pk).update(attempts=1)

    order = [claim.pk for claim in claims.claim(run, 3)]

    assert order[-1] == failed.pk
    assert len(order) == 3


def test_claim_takes_nothing_of_another_run(run: ProcessingRun):
    other = ProcessingRunFactory()

    assert claims.claim(other, 5) == []
    assert not AIMetadata.objects.filter(processing_status="processing").exists()


def test_give_back_costs_no_attempt(run: ProcessingRun):
    ours = claims.claim(run, 3)

    claims.give_back(ours)

    rows = AIMetadata.objects.values_list("processing_status", "claimed_until", "attempts", "error")
    assert set(rows) == {("pending", None, 0, "")}


def test_give_back_what_somebody_else_has_by_now_leaves_it(run: ProcessingRun):
    ours = taken(run)
    until = timezone.now() + timedelta(minutes=9)
    AIMetadata.objects.filter(pk=ours.pk).update(claimed_until=until)

    claims.give_back([ours])

    assert (row(ours).processing_status, row(ours).claimed_until) == ("processing", until)


def test_save_answer_writes_words_history_and_figures(run: ProcessingRun):
    ours = taken(run)

    assert claims.save_answer(run, ours, ANSWER, describer="fake") is True

    words, step = row(ours), MetadataHistory.objects.get()
    assert words.words == {
        "ai_title": "Title",
        "ai_description": "Words.",
        "ai_alt_text": "Alt",
        "ai_tags": ["a", "b"],
        "ai_categories": ["Animals"],
    }
    assert (words.processing_status, words.version, words.confidence_score) == ("completed", 1, 0.7)
    assert (words.claimed_until, words.ai_answer, words.model) == (None, step, "model-7")
    assert (step.changed_by, step.version, step.new_tags) == ("ai:model-7", 1, ["a", "b"])
    assert (run.done, run.described) == (1, 1)


def test_save_answer_over_older_words_keeps_those_in_history_and_drops_their_vector(run: ProcessingRun):
    ours = taken(run)
    AIMetadata.objects.filter(pk=ours.pk).update(ai_description="Older.")
    PhotoEmbedding.objects.create(photo_id=ours.photo_id, model="m", embedding=VECTOR)

    claims.save_answer(run, ours, ANSWER, describer="fake")

    step = MetadataHistory.objects.get()
    assert (step.previous_description, step.new_description) == ("Older.", "Words.")
    assert PhotoEmbedding.objects.count() == 0


def lose_lease(claim: Claim) -> None:
    AIMetadata.objects.filter(pk=claim.pk).update(claimed_until=timezone.now() + timedelta(minutes=9))


def lose_to_approval(claim: Claim) -> None:
    by_hand = {"ai_description": "By hand."}
    workflow.approve(row(claim), by=UserFactory(username="grace"), version=0, changes=by_hand)


def lose_to_edit(claim: Claim) -> None:
    workflow.edit(row(claim), by=UserFactory(username="grace"), version=0, changes={"ai_description": "By hand."})


def lose_to_finished(claim: Claim) -> None:
    AIMetadata.objects.filter(pk=claim.pk).update(processing_status="completed", claimed_until=None)


@pytest.mark.parametrize("lose", [lose_lease, lose_to_approval, lose_to_edit, lose_to_finished])
def test_save_answer_with_a_lost_claim_writes_nothing(
    run: ProcessingRun, enqueued: list[Any], lose: Callable[[Claim], None]
):
    ours = taken(run)
    lose(ours)
    before = AIMetadata.objects.filter(pk=ours.pk).values().get()

    assert claims.save_answer(run, ours, ANSWER, describer="fake") is False

    assert AIMetadata.objects.filter(pk=ours.pk).values().get() == before
    assert MetadataHistory.objects.filter(source="ai").count() == 0
    assert (run.done, run.described) == (0, 0)


@pytest.mark.parametrize("lose", [lose_lease, lose_to_approval, lose_to_edit, lose_to_finished])
def test_save_failure_with_a_lost_claim_writes_nothing(
    run: ProcessingRun, enqueued: list[Any], lose: Callable[[Claim], None]
):
    ours = taken(run)
    lose(ours)
    before = AIMetadata.objects.filter(pk=ours.pk).values().get()

    claims.save_failure(run, ours, "Damaged.", for_good=True)

    assert AIMetadata.objects.filter(pk=ours.pk).values().get() == before
    assert (run.done, run.failed) == (0, 0)


def test_save_failure_gives_three_attempts(run: ProcessingRun):
    AIMetadata.objects.exclude(photo__filename="a.jpg").update(processing_status="completed")
    seen = []

    for _ in range(3):
        ours = taken(run)
        claims.save_failure(run, ours, "No usable answer.", for_good=False)
        seen.append((row(ours).processing_status, row(ours).attempts, run.failed))

    assert seen == [("pending", 1, 0), ("pending", 2, 0), ("failed", 3, 1)]
    assert row(ours).error == "No usable answer."
    assert claims.claim(run, 1) == []


def test_save_failure_for_good_parks_at_once(run: ProcessingRun):
    ours = taken(run)

    claims.save_failure(run, ours, "Declined.", for_good=True)

    assert (row(ours).processing_status, row(ours).attempts, row(ours).error) == ("failed", 1, "Declined.")
    assert (run.done, run.failed) == (1, 1)


def test_save_vectors_of_words_that_changed_meanwhile_keeps_none_for_them(enqueued: list[Any]):
    same, changed = AIMetadataFactory(described=True), AIMetadataFactory(described=True)
    texts = claims.texts_of([same.photo_id, changed.photo_id])
    workflow.edit(changed, by=UserFactory(), version=1, changes={"ai_description": "Another."})

    claims.save_vectors(texts, Vectors([VECTOR, VECTOR], Usage(), "m"))

    assert list(PhotoEmbedding.objects.values_list("photo", flat=True)) == [same.photo_id]


def test_texts_of_leaves_out_what_is_not_described():
    described = AIMetadataFactory(described=True, ai_title="", ai_tags=[])
    waiting = AIMetadataFactory(ai_description="Half a thought")

    texts = claims.texts_of([described.photo_id, waiting.photo_id])

    assert texts == [(described.photo_id, 1, "A grey cat on a wall.")]


def test_photos_without_vector_are_those_of_the_run_that_have_words(run: ProcessingRun):
    ours = taken(run)
    claims.save_answer(run, ours, ANSWER, describer="fake")
    with_vector = taken(run)
    claims.save_answer(run, with_vector, ANSWER, describer="fake")
    PhotoEmbedding.objects.create(photo_id=with_vector.photo_id, model="m", embedding=VECTOR)
    AIMetadataFactory(described=True)

    assert claims.photos_without_vector(run) == [ours.photo_id]


@pytest.mark.parametrize(("is_free", "cost"), [(True, 0), (False, None)])
def test_record_writes_what_a_call_used(run: ProcessingRun, is_free: bool, cost: int | None):  # noqa: FBT001
    claims.record(run, Call("describe", "m", "ok", Usage(5, 4, 3), 120, is_free))

    call = AICall.objects.get()
    assert (call.run, call.photo, call.kind, call.model, call.outcome) == (run, None, "describe", "m", "ok")
    assert (call.tokens_in, call.tokens_cached, call.tokens_out, call.ms, call.cost) == (5, 4, 3, 120, cost)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (None, "ok"),
        (Outage("x"), "outage"),
        (Rejected("x"), "rejected"),
        (Refused("x"), "refused"),
        (BadAnswer("x"), "bad_answer"),
        (UnusablePicture("x"), "bad_answer"),
    ],
)
def test_outcome_is_a_word_of_the_ledger(error: Any, word: str):
    assert claims.outcome(error) == word
    assert word in AICall.Outcome.values
