"""Leases on rows: what is ours, for how long, and what may be written with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from metadata import claims, prompts, selection, workflow
from metadata.claims import Claim
from metadata.describe import Answer, Description, Usage
from metadata.models import AIMetadata, MetadataHistory, Note, PhotoEmbedding, ProcessingRun, Prompt
from smugmug.models import Account, Album, Photo
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
    return begun(run)


def begun(run: ProcessingRun) -> ProcessingRun:
    run.begin(alone=False)
    run.beat(prompt=prompts.active(run.account))
    selection.plan(run, sends=True)
    return run


def take(run: ProcessingRun, count: int, *, sends: bool = True) -> list[Claim]:
    return claims.claim(run, count, briefing=prompts.briefing(run), sends=sends)


def save(run: ProcessingRun, claim: Claim) -> bool:
    saved = claims.save_answer(run, claim, ANSWER, describer="fake", perceptual_hash=-5)
    run.refresh_from_db()
    return saved


def park(run: ProcessingRun, claim: Claim, sentence: str, *, for_good: bool) -> None:
    claims.save_failure(run, claim, sentence, for_good=for_good)
    run.refresh_from_db()


def taken(run: ProcessingRun) -> Claim:
    """One photo of the run, ours."""
    [claim] = take(run, 1)
    return claim


def row(claim: Claim) -> AIMetadata:
    return AIMetadata.objects.get(pk=claim.pk)


def test_claim_leases_each_photo_once(run: ProcessingRun, settings: Any):
    settings.CLAIM_SECONDS = 50

    first, second = take(run, 2), take(run, 2)

    assert len(first) == 2
    assert len(second) == 1
    assert len({claim.pk for claim in first + second}) == 3
    assert take(run, 2) == []
    leases = AIMetadata.objects.filter(processing_status="processing").values_list("claimed_until", flat=True)
    assert len(leases) == 3
    assert all(timedelta(seconds=40) < until - timezone.now() <= timedelta(seconds=50) for until in leases)


def test_claim_takes_those_that_failed_before_last(run: ProcessingRun):
    failed = AIMetadata.objects.get(photo__filename="b.jpg")
    AIMetadata.objects.filter(pk=failed.pk).update(attempts=1)

    order = [claim.pk for claim in take(run, 3)]

    assert order[-1] == failed.pk
    assert len(order) == 3


def test_claim_takes_nothing_of_another_run(run: ProcessingRun):
    other = ProcessingRunFactory()

    assert take(other, 5) == []
    assert not AIMetadata.objects.filter(processing_status="processing").exists()


def test_give_back_costs_no_attempt(run: ProcessingRun):
    ours = take(run, 3)

    claims.give_back(run, ours)

    rows = AIMetadata.objects.values_list("processing_status", "claimed_until", "attempts", "error")
    assert set(rows) == {("pending", None, 0, "")}


def test_give_back_what_somebody_else_has_by_now_leaves_it(run: ProcessingRun):
    ours = taken(run)
    until = timezone.now() + timedelta(minutes=9)
    AIMetadata.objects.filter(pk=ours.pk).update(claimed_until=until)

    claims.give_back(run, [ours])

    assert (row(ours).processing_status, row(ours).claimed_until) == ("processing", until)


def test_save_answer_writes_words_history_and_figures(run: ProcessingRun):
    ours = taken(run)

    assert save(run, ours) is True

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


def test_save_answer_judges_the_lane_by_the_caption_and_the_allowed_tags(run: ProcessingRun):
    Photo.objects.filter(account=run.account).update(caption="Leopard")
    ours = taken(run)
    Prompt.objects.filter(account=run.account).update(vocabulary=["a"])

    save(run, ours)

    assert (row(ours).lane, row(ours).doubts) == ("read", ["unsure", "short", "not_allowed", "caption_differs"])


def test_save_answer_over_older_words_keeps_those_in_history_and_drops_their_vector(run: ProcessingRun):
    ours = taken(run)
    AIMetadata.objects.filter(pk=ours.pk).update(ai_description="Older.")
    PhotoEmbedding.objects.create(photo_id=ours.photo_id, model="m", embedding=VECTOR)

    save(run, ours)

    step = MetadataHistory.objects.get()
    assert (step.previous_description, step.new_description) == ("Older.", "Words.")
    assert PhotoEmbedding.objects.count() == 0


@pytest.mark.parametrize(
    "decided",
    [
        {"review_status": "approved", "approved_by": "user:grace", "approved_at": datetime(2026, 1, 2, tzinfo=UTC)},
        {"review_status": "rejected", "rejection_reason": "Other"},
    ],
    ids=["approved", "rejected"],
)
def test_save_answer_over_decided_words_keeps_in_history_what_was_decided(run: ProcessingRun, decided: dict[str, Any]):
    ProcessingRun.objects.filter(pk=run.pk).update(also_decided=True)
    run.refresh_from_db()
    ours = taken(run)
    AIMetadata.objects.filter(pk=ours.pk).update(**decided)

    assert save(run, ours) is True

    step = MetadataHistory.objects.get()
    assert {name: getattr(step, f"previous_{name}") for name in decided} == decided
    assert (step.new_review_status, step.new_rejection_reason) == ("unreviewed", "")
    assert (row(ours).review_status, row(ours).approved_by, row(ours).approved_at) == ("unreviewed", "", None)


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

    assert save(run, ours) is False

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

    park(run, ours, "Damaged.", for_good=True)

    assert AIMetadata.objects.filter(pk=ours.pk).values().get() == before
    assert (run.done, run.failed) == (0, 0)


def test_save_failure_gives_three_attempts(run: ProcessingRun):
    AIMetadata.objects.exclude(photo__filename="a.jpg").update(processing_status="completed")
    seen = []

    for _ in range(3):
        ours = taken(run)
        park(run, ours, "No usable answer.", for_good=False)
        seen.append((row(ours).processing_status, row(ours).attempts, run.failed))

    assert seen == [("pending", 1, 0), ("pending", 2, 0), ("failed", 3, 1)]
    assert row(ours).error == "No usable answer."
    assert take(run, 1) == []


def test_save_failure_for_good_parks_at_once(run: ProcessingRun):
    ours = taken(run)

    park(run, ours, "Declined.", for_good=True)

    assert (row(ours).processing_status, row(ours).attempts, row(ours).error) == ("failed", 1, "Declined.")
    assert (run.done, run.failed) == (1, 1)


# --- What an answer carries ------------------------------------------------------------------------------------


def test_claim_carries_what_the_model_is_told_of_this_photo(run: ProcessingRun):
    album = Album.objects.get()
    Note.objects.create(account=run.account, album=album, text="The bride is Zoë.", updated_by="user:ada")

    ours = taken(run)

    assert "The bride is Zoë." in ours.brief.instructions
    assert ours.fingerprint == prompts.briefing(run).fingerprint(row(ours).photo)
    assert ours.prompt == "Default 1"


def test_save_answer_writes_from_what_and_how_it_looks(run: ProcessingRun):
    ours = taken(run)

    save(run, ours)

    words = row(ours)
    assert (words.fingerprint, words.prompt, words.describer) == (ours.fingerprint, "Default 1", "fake")
    assert words.photo.perceptual_hash == -5


def test_save_answer_after_the_run_is_cancelled_is_kept_and_counted(run: ProcessingRun):
    ours = taken(run)
    run.cancel()

    assert save(run, ours) is True

    assert row(ours).processing_status == "completed"
    assert (run.state, run.done, run.described) == ("cancelled", 1, 1)


# --- Words that a person decided on ----------------------------------------------------------------------------


@pytest.fixture
def approved() -> AIMetadata:
    return AIMetadataFactory(approved=True)


@pytest.fixture
def also_decided(approved: AIMetadata) -> ProcessingRun:
    """Under way over what people decided on too, as it was asked for by name."""
    return begun(ProcessingRunFactory(account=approved.photo.account, only="all", also_decided=True))


def test_save_answer_over_approved_words_makes_them_wait_for_review_and_keeps_the_old_ones_in_history(
    also_decided: ProcessingRun, approved: AIMetadata
):
    assert save(also_decided, taken(also_decided)) is True

    approved.refresh_from_db()
    assert (approved.ai_description, approved.review_status, approved.version) == ("Words.", "unreviewed", 3)
    assert (approved.approved, approved.approved_by, approved.approved_at) == (False, "", None)
    step = approved.history.get(version=3)
    assert (step.source, step.previous_description) == ("ai", "A grey cat on a wall.")
    assert (step.previous_review_status, step.new_review_status) == ("approved", "unreviewed")


def test_save_answer_over_words_that_are_approved_again_meanwhile_writes_nothing(
    also_decided: ProcessingRun, approved: AIMetadata, enqueued: list[Any]
):
    ours = taken(also_decided)
    person = UserFactory(username="grace")
    workflow.approve(row(ours), by=person, version=2, changes={"ai_description": "By hand."})

    assert save(also_decided, ours) is False

    approved.refresh_from_db()
    assert (approved.ai_description, approved.review_status, approved.version) == ("By hand.", "approved", 3)
    assert (approved.processing_status, also_decided.described) == ("completed", 0)


def test_save_failure_for_good_over_words_keeps_them_and_says_why(also_decided: ProcessingRun, approved: AIMetadata):
    park(also_decided, taken(also_decided), "Declined.", for_good=True)

    approved.refresh_from_db()
    assert (approved.processing_status, approved.review_status, approved.error) == (
        "completed",
        "approved",
        "Declined.",
    )
    assert approved.ai_description == "A grey cat on a wall."
    assert (also_decided.done, also_decided.failed) == (1, 1)


def test_give_back_after_the_run_is_over_leaves_words_described(also_decided: ProcessingRun, approved: AIMetadata):
    ours = taken(also_decided)
    also_decided.cancel()

    claims.give_back(also_decided, [ours])

    approved.refresh_from_db()
    assert (approved.processing_status, approved.review_status) == ("completed", "approved")


# --- What must not leave the house -----------------------------------------------------------------------------


def test_claim_after_the_library_was_marked_never_to_be_sent_takes_nothing(run: ProcessingRun):
    Account.objects.update(never_send=True)

    assert take(run, 5) == []

    run.refresh_from_db()
    assert set(AIMetadata.objects.values_list("processing_status", "error")) == {("skipped", selection.NOT_SENT)}
    assert (run.done, run.skipped) == (3, 3)


def test_claim_of_what_a_dead_worker_left_is_not_sent_either(run: ProcessingRun):
    left = taken(run)
    AIMetadata.objects.filter(pk=left.pk).update(claimed_until=timezone.now() - timedelta(seconds=1))
    Album.objects.update(never_send=True)

    assert take(run, 5) == []

    assert row(left).processing_status == "skipped"


def test_claim_for_a_model_in_the_house_takes_what_is_never_sent(run: ProcessingRun):
    Account.objects.update(never_send=True)

    assert len(take(run, 5, sends=False)) == 3
