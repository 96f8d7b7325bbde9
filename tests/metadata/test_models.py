"""What the database itself refuses, and the view for other tools."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from metadata.models import AICall, AIMetadata, MetadataHistory, PhotoEmbedding, ProcessingRun
from targetvision.models import ACTIVE, RunState
from tests.factories import AIMetadataFactory, MembershipFactory, ProcessingRunFactory

pytestmark = pytest.mark.django_db

VECTOR = [1.0] + [0.0] * 1535
NOW = timezone.now()


def refused_by(constraint: str, **fields: Any) -> bool:
    """Whether the database refuses the update, and for that reason."""
    words = AIMetadataFactory(described=True)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        AIMetadata.objects.filter(pk=words.pk).update(**fields)
    return True


@pytest.mark.parametrize("score", [-0.01, 1.01, float("nan"), float("inf")])
def test_confidence_outside_0_to_1_is_refused(score: float):
    assert refused_by("metadata_confidence_from_0_to_1", confidence_score=score)


@pytest.mark.parametrize("score", [0, 1, 0.5, None])
def test_confidence_from_0_to_1_is_kept(score: float | None):
    words = AIMetadataFactory(confidence_score=score)

    assert AIMetadata.objects.get(pk=words.pk).confidence_score == score


@pytest.mark.parametrize(
    "fields",
    [
        {"review_status": "approved"},
        {"review_status": "approved", "approved_by": "user:ada"},
        {"review_status": "approved", "approved_at": NOW},
        {"review_status": "unreviewed", "approved_by": "user:ada", "approved_at": NOW},
        {"review_status": "rejected", "approved_at": NOW},
    ],
)
def test_approval_without_a_person_and_a_time_is_refused(fields: dict[str, Any]):
    assert refused_by("metadata_approved_by_somebody_at_some_time", **fields)


def test_work_without_a_lease_is_refused():
    assert refused_by("metadata_processing_has_a_lease", processing_status="processing")


@pytest.mark.parametrize(("review", "approved"), [("unreviewed", False), ("approved", True), ("rejected", False)])
def test_approved_follows_the_review(review: str, approved: bool):  # noqa: FBT001
    words = AIMetadataFactory(described=True)
    who = {"approved_by": "user:ada", "approved_at": NOW} if approved else {}
    AIMetadata.objects.filter(pk=words.pk).update(review_status=review, **who)

    assert AIMetadata.objects.filter(approved=approved).get() == words
    assert not AIMetadata.objects.filter(approved=not approved).exists()


def test_second_words_for_a_photo_are_refused():
    words = AIMetadataFactory()

    with pytest.raises(IntegrityError, match="photo_id"), transaction.atomic():
        AIMetadata.objects.create(photo=words.photo)


def test_second_step_of_a_version_is_refused():
    words = AIMetadataFactory(described=True)

    with pytest.raises(IntegrityError, match="metadata_one_step_a_version"), transaction.atomic():
        MetadataHistory.objects.create(metadata=words, version=1, source="person", changed_by="user:ada")


@pytest.mark.parametrize("state", ACTIVE)
def test_second_active_run_of_an_account_is_refused(state: str):
    run = ProcessingRunFactory(state=state)

    with pytest.raises(IntegrityError, match="metadata_one_active_processing_per_account"), transaction.atomic():
        ProcessingRunFactory(account=run.account)
    assert ProcessingRunFactory().account != run.account  # another account's is fine


@pytest.mark.parametrize("state", [state for state in RunState if state not in ACTIVE])
def test_run_after_one_that_is_over_is_kept(state: str):
    run = ProcessingRunFactory(state=state)

    ProcessingRunFactory(account=run.account)

    assert ProcessingRun.objects.filter(account=run.account).count() == 2


def test_view_joins_words_and_vector():
    with_vector, without = AIMetadataFactory(described=True), AIMetadataFactory(described=True)
    PhotoEmbedding.objects.create(photo=with_vector.photo, model="m-1", embedding=VECTOR)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT photo_id, ai_description, embedding_model, vector_dims(embedding), approved "
            "FROM ai_metadata_with_embedding ORDER BY created_at, id"
        )
        rows = cursor.fetchall()

    assert sorted(rows, key=str) == sorted(
        [
            (with_vector.photo_id, "A grey cat on a wall.", "m-1", 1536, False),
            (without.photo_id, "A grey cat on a wall.", None, None, False),
        ],
        key=str,
    )


def test_vector_of_another_length_is_refused():
    words = AIMetadataFactory(described=True)

    with pytest.raises(Exception, match="expected 1536 dimensions, not 3"), transaction.atomic():
        PhotoEmbedding.objects.create(photo=words.photo, model="m", embedding=[1.0, 2.0, 3.0])


def test_rows_are_seen_and_changed_by_role():
    words = AIMetadataFactory(described=True)
    account = words.photo.account
    run = ProcessingRunFactory(account=account)
    AIMetadataFactory(described=True)
    ProcessingRunFactory()
    people = {role: MembershipFactory(account=account, role=role).user for role in ("viewer", "curator")}
    people |= {"owner": account.owner, "nobody": AnonymousUser(), "stranger": MembershipFactory().user}

    def may(method: str, model: Any, row: Any) -> set[str]:
        return {name for name, person in people.items() if list(getattr(model.objects, method)(person)) == [row]}

    def sees_none(method: str, model: Any) -> set[str]:
        return {name for name, person in people.items() if not getattr(model.objects, method)(person).exists()}

    for model, row in ((AIMetadata, words), (ProcessingRun, run)):
        assert may("visible_to", model, row) == {"owner", "curator", "viewer"}
        assert sees_none("visible_to", model) == {"nobody", "stranger"}
        assert may("changeable_by", model, row) == {"owner", "curator"}
        assert sees_none("changeable_by", model) == {"viewer", "nobody", "stranger"}


def test_text_to_embed_leaves_out_what_is_empty():
    assert AIMetadata(ai_title="T", ai_description="D", ai_tags=["a", "b"]).text_to_embed == "T\nD\na, b"
    assert AIMetadata(ai_description="D", ai_alt_text="unused").text_to_embed == "D"
    assert AIMetadata().text_to_embed == ""


def test_reasons_come_most_frequent_first():
    AIMetadataFactory(failed=True)
    for _ in range(2):
        AIMetadataFactory(processing_status="skipped", error="A video.")
    AIMetadataFactory(described=True)

    rows = AIMetadata.objects.without_words().reasons()

    assert list(rows) == [("skipped", "A video.", 2), ("failed", "No usable answer.", 1)]


def test_rows_name_themselves_for_the_admin():
    words = AIMetadataFactory(described=True)
    run = ProcessingRunFactory(account__nickname="ada")

    assert str(words) == f"Words for {words.photo_id}"
    assert str(words.history.get()) == "ai:fake-1, version 1"
    assert str(run) == "Describing ada, queued"
    assert str(PhotoEmbedding(photo=words.photo, model="m")) == f"{words.photo_id} by m"
    assert str(AICall(kind="embed", model="m", outcome="ok")) == "embed by m: ok"
