"""Decisions: one winner, one step of history, and the machine's words apart from a person's."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from django.contrib.auth.models import User

from metadata import bulk, workflow
from metadata.models import AIMetadata, Decision, MetadataHistory, PhotoEmbedding
from metadata.queue import ReviewFilter
from tests.conftest import together
from tests.factories import AIMetadataFactory, UserFactory

pytestmark = pytest.mark.django_db

Enqueued = list[tuple[str, tuple[Any, ...]]]


@pytest.fixture
def grace(db: None) -> User:
    return UserFactory(username="grace")


@pytest.fixture
def words(db: None) -> AIMetadata:
    """Described, with a vector."""
    words = AIMetadataFactory(described=True)
    PhotoEmbedding.objects.create(photo=words.photo, model="fake-embedding", embedding=[1.0] + [0.0] * 1535)
    return words


def last_step(words: AIMetadata) -> MetadataHistory:
    return words.history.order_by("-version").first()


def standing(words: AIMetadata) -> dict[str, Any]:
    """Every column as the database has it now, and how many steps led there."""
    row = AIMetadata.objects.filter(pk=words.pk).values().get()
    return {**row, "steps": MetadataHistory.objects.filter(metadata=words).count()}


# --- Decisions ---------------------------------------------------------------------------------------------


def test_approve_unchanged_words_keeps_them_and_says_who(words: AIMetadata, grace: User, enqueued: Enqueued):
    workflow.approve(words, by=grace, version=1, changes={})

    words = AIMetadata.objects.get()
    assert (words.review_status, words.approved, words.approved_by) == ("approved", True, "user:grace")
    assert words.approved_at is not None
    assert (words.ai_description, words.version) == ("A grey cat on a wall.", 2)
    step = last_step(words)
    assert (step.source, step.changed_by, step.change_reason) == ("person", "user:grace", "approved")
    assert (step.previous_review_status, step.new_review_status) == ("unreviewed", "approved")
    assert PhotoEmbedding.objects.count() == 1
    assert enqueued == []


def test_approve_edited_words_keeps_both_versions_apart(words: AIMetadata, grace: User, enqueued: Enqueued):
    workflow.approve(words, by=grace, version=1, changes={"ai_description": "My cat.", "ai_tags": ["mine"]})

    ai, person = MetadataHistory.objects.order_by("version")
    assert (ai.source, ai.changed_by, ai.new_description) == ("ai", "ai:fake-1", "A grey cat on a wall.")
    assert (person.source, person.changed_by, person.change_reason) == ("person", "user:grace", "edited and approved")
    assert (person.previous_description, person.new_description) == ("A grey cat on a wall.", "My cat.")
    assert (person.previous_tags, person.new_tags) == (["cat", "grey"], ["mine"])
    assert (person.previous_title, person.new_title) == ("A cat", "A cat")
    words = AIMetadata.objects.get()
    assert (words.ai_description, words.ai_tags, words.review_status) == ("My cat.", ["mine"], "approved")
    assert PhotoEmbedding.objects.count() == 0
    assert enqueued == [("embed_photo", (str(words.photo_id),))]


def test_approve_with_another_alt_text_keeps_the_vector(words: AIMetadata, grace: User, enqueued: Enqueued):
    workflow.approve(words, by=grace, version=1, changes={"ai_alt_text": "A cat, grey"})

    assert last_step(words).change_reason == "edited and approved"
    assert last_step(words).new_alt_text == "A cat, grey"
    assert PhotoEmbedding.objects.count() == 1
    assert enqueued == []


def test_approve_rejected_words_forgets_the_rejection(words: AIMetadata, grace: User, enqueued: Enqueued):
    workflow.reject(words, by=grace, version=1, reason="Too vague")

    workflow.approve(words, by=grace, version=2, changes={})

    words = AIMetadata.objects.get()
    assert (words.review_status, words.rejection_reason, words.version) == ("approved", "", 3)
    assert last_step(words).previous_review_status == "rejected"


def test_approve_words_written_by_hand_for_a_failed_photo_makes_it_described(grace: User, enqueued: Enqueued):
    words = AIMetadataFactory(failed=True)

    workflow.approve(words, by=grace, version=0, changes={"ai_description": "By hand."})

    words = AIMetadata.objects.get()
    assert (words.processing_status, words.error, words.is_described) == ("completed", "", True)
    assert (words.review_status, words.confidence_score, words.model) == ("approved", None, "")
    assert [step.source for step in words.history.all()] == ["person"]
    assert enqueued == [("embed_photo", (str(words.photo_id),))]


@pytest.mark.parametrize("changes", [{}, {"ai_description": "", "ai_title": "Only a title"}])
def test_approve_without_a_description_is_refused(grace: User, enqueued: Enqueued, changes: dict[str, Any]):
    words = AIMetadataFactory()
    before = standing(words)

    with pytest.raises(workflow.NothingToApprove, match="There is no description to approve yet"):
        workflow.approve(words, by=grace, version=0, changes=changes)

    assert standing(words) == before
    assert enqueued == []


def test_reject_keeps_the_words_and_the_reason(words: AIMetadata, grace: User, enqueued: Enqueued):
    workflow.reject(words, by=grace, version=1, reason="Wrong subject: it is a dog")

    words = AIMetadata.objects.get()
    assert (words.review_status, words.rejection_reason) == ("rejected", "Wrong subject: it is a dog")
    assert (words.ai_description, words.approved, words.approved_by) == ("A grey cat on a wall.", False, "")
    assert last_step(words).change_reason == "rejected: Wrong subject: it is a dog"
    assert last_step(words).new_review_status == "rejected"
    assert PhotoEmbedding.objects.count() == 1
    assert enqueued == []


def test_reject_approved_words_takes_the_approval_back(grace: User, enqueued: Enqueued):
    words = AIMetadataFactory(approved=True)

    workflow.reject(words, by=grace, version=2, reason="Other")

    words = AIMetadata.objects.get()
    assert (words.review_status, words.approved_by, words.approved_at, words.approved) == ("rejected", "", None, False)


def test_edit_changes_words_and_leaves_their_review(words: AIMetadata, grace: User, enqueued: Enqueued):
    workflow.edit(words, by=grace, version=1, changes={"ai_title": "Tom"})

    words = AIMetadata.objects.get()
    assert (words.ai_title, words.review_status, words.version) == ("Tom", "unreviewed", 2)
    step = last_step(words)
    assert (step.source, step.change_reason, step.previous_title, step.new_title) == (
        "person",
        "edited",
        "A cat",
        "Tom",
    )
    assert (step.previous_review_status, step.new_review_status) == ("unreviewed", "unreviewed")
    assert PhotoEmbedding.objects.count() == 0
    assert enqueued == [("embed_photo", (str(words.photo_id),))]


# --- Somebody was faster -----------------------------------------------------------------------------------


def test_decide_on_words_that_one_has_changed_in_another_window_says_so(
    words: AIMetadata, grace: User, enqueued: Enqueued
):
    workflow.reject(AIMetadata.objects.get(), by=grace, version=1, reason="Other")

    with pytest.raises(workflow.AlreadyDecided) as caught:
        workflow.edit(words, by=grace, version=1, changes={"ai_title": "Tom"})

    assert str(caught.value).startswith(
        "You have decided already, elsewhere: the photo is now “rejected”, with “A grey"
    )
    assert AIMetadata.objects.get().ai_title == "A cat"


@pytest.mark.parametrize("late", ["approve", "reject", "edit"])
def test_decide_on_words_that_have_changed_changes_nothing(
    words: AIMetadata, grace: User, enqueued: Enqueued, late: str
):
    on_page = AIMetadata.objects.get()
    workflow.approve(words, by=UserFactory(username="ada"), version=1, changes={"ai_description": "Hers."})
    before, queued = standing(words), list(enqueued)
    decide = {
        "approve": lambda: workflow.approve(on_page, by=grace, version=1, changes={"ai_description": "His."}),
        "reject": lambda: workflow.reject(on_page, by=grace, version=1, reason="Other"),
        "edit": lambda: workflow.edit(on_page, by=grace, version=1, changes={"ai_description": "His."}),
    }

    with pytest.raises(workflow.AlreadyDecided) as caught:
        decide[late]()

    assert str(caught.value) == ("ada was faster: the photo is now “approved”, with “Hers.” Your text was not saved.")
    assert standing(words) == before
    assert enqueued == queued
    assert on_page.version == 2  # what stands now, for the page to show


@pytest.mark.parametrize(
    ("left", "told"), [("Whose is this?", "“Whose is this?” Your"), ("A cat", "“A cat”. Your"), ("", "“”. Your")]
)
def test_lose_a_race_is_told_with_one_stop(words: AIMetadata, grace: User, enqueued: Enqueued, left: str, told: str):
    workflow.edit(words, by=grace, version=1, changes={"ai_description": left})

    with pytest.raises(workflow.AlreadyDecided) as caught:
        workflow.reject(words, by=grace, version=1, reason="Other")

    assert told in str(caught.value)


def test_decide_on_a_version_that_never_was_changes_nothing(grace: User, enqueued: Enqueued):
    words = AIMetadataFactory(ai_description="By hand.")
    before = standing(words)

    with pytest.raises(workflow.AlreadyDecided, match="Somebody was faster"):
        workflow.approve(words, by=grace, version=7, changes={})

    assert standing(words) == before


@pytest.mark.django_db(transaction=True)
def test_approve_by_many_at_once_has_exactly_one_winner(enqueued: Enqueued):
    words = AIMetadataFactory(described=True)
    people = [UserFactory(username=f"person{number}") for number in range(4)]
    won, lost = [], []

    def decide(person: User) -> None:
        mine = AIMetadata.objects.get(pk=words.pk)
        try:
            workflow.approve(mine, by=person, version=1, changes={"ai_description": f"By {person}."})
            won.append(person.username)
        except workflow.AlreadyDecided as exc:
            lost.append(str(exc))

    together(*(lambda person=person: decide(person) for person in people))

    [winner] = won
    words = AIMetadata.objects.get()
    assert (words.approved_by, words.ai_description, words.version) == (f"user:{winner}", f"By {winner}.", 2)
    assert [step.changed_by for step in words.history.filter(source="person")] == [f"user:{winner}"]
    assert (
        lost == [f"{winner} was faster: the photo is now “approved”, with “By {winner}.” Your text was not saved."] * 3
    )
    assert enqueued == [("embed_photo", (str(words.photo_id),))]


# --- The decision's row -------------------------------------------------------------------------------------------


def test_every_decision_is_a_row_that_its_step_names(words: AIMetadata, grace: User, enqueued: Enqueued):
    made = [
        workflow.edit(words, by=grace, version=1, changes={"ai_title": "Tom", "ai_tags": ["cat", "grey"]}),
        workflow.reject(words, by=grace, version=2, reason="Other"),
        workflow.approve(words, by=grace, version=3, changes={}),
    ]

    assert [(each.kind, each.params) for each in made] == [
        ("edit", {"edited": ["ai_title"]}),
        ("reject", {"reason": "Other"}),
        ("approve", {}),
    ]
    for decision, step in zip(made, words.history.filter(version__gt=1).order_by("version"), strict=True):
        assert (step.decision, decision.photo, decision.requested_by) == (decision, words, grace)
        assert (decision.account, decision.state, decision.is_bulk) == (words.photo.account, "succeeded", False)
        assert (decision.total, decision.done, decision.changed, decision.passed_over) == (1, 1, 1, 0)
    approved = last_step(words)
    assert (approved.previous_rejection_reason, approved.new_rejection_reason) == ("Other", "")
    assert AIMetadata.objects.get().approved_at == approved.created_at


def test_decide_too_late_leaves_no_decision(words: AIMetadata, grace: User, enqueued: Enqueued):
    with pytest.raises(workflow.AlreadyDecided):
        workflow.approve(words, by=grace, version=0, changes={})

    assert not Decision.objects.exists()


def test_edit_judges_the_lane_anew(words: AIMetadata, grace: User, enqueued: Enqueued):
    workflow.edit(words, by=grace, version=1, changes={"ai_title": ""})

    words = AIMetadata.objects.get()
    assert (words.lane, words.doubts) == ("read", ["no_title"])


def test_approve_with_changes_judges_the_lane_anew(words: AIMetadata, grace: User, enqueued: Enqueued):
    AIMetadata.objects.update(ai_description="", lane="look", doubts=["no_description"])
    words.refresh_from_db()

    workflow.approve(words, by=grace, version=1, changes={"ai_description": "A grey cat on an old wall."})

    words = AIMetadata.objects.get()
    assert (words.review_status, words.lane, words.doubts) == ("approved", "glance", [])


def test_approve_unchanged_words_leaves_the_lane(words: AIMetadata, grace: User, enqueued: Enqueued):
    AIMetadata.objects.update(lane="look", doubts=["very_unsure"])
    words.refresh_from_db()

    workflow.approve(words, by=grace, version=1, changes={"ai_title": words.ai_title})

    words = AIMetadata.objects.get()
    assert (words.lane, words.doubts) == ("look", ["very_unsure"])


def test_approve_writes_only_what_was_changed(words: AIMetadata, grace: User, enqueued: Enqueued):
    stale = AIMetadata.objects.get()
    workflow.edit(words, by=grace, version=1, changes={"ai_title": "Tom"})

    workflow.approve(stale, by=grace, version=2, changes={"ai_alt_text": "A cat, grey"})

    words = AIMetadata.objects.get()
    assert (words.ai_title, words.ai_alt_text) == ("Tom", "A cat, grey")


# --- Bursts -------------------------------------------------------------------------------------------------------


@pytest.fixture
def burst(words: AIMetadata) -> list[AIMetadata]:
    """The words and two frames beside them."""
    frames = [AIMetadataFactory(described=True, ai_title="Its own", photo__album=words.photo.album) for _ in range(2)]
    AIMetadata.objects.update(stack=words.pk)
    words.refresh_from_db()
    return [words, *sorted(frames, key=lambda frame: frame.pk)]


def titles(frames: list[AIMetadata]) -> list[tuple[str, str]]:
    rows = AIMetadata.objects.in_bulk([frame.pk for frame in frames])
    return [(rows[frame.pk].review_status, rows[frame.pk].ai_title) for frame in frames]


def test_approve_a_burst_writes_each_frame_and_names_where_it_came_from(
    burst: list[AIMetadata], grace: User, enqueued: Enqueued
):
    first, *others = burst

    decision = workflow.approve(first, by=grace, version=1, changes={"ai_title": "Tom"})

    assert titles(burst) == [("approved", "Tom")] * 3
    assert (decision.total, decision.done, decision.changed, decision.passed_over) == (3, 3, 3, 0)
    assert decision.steps.get(came_from=None).metadata == first
    for frame in others:
        [step] = frame.history.filter(decision=decision)
        frame.refresh_from_db()
        assert (step.came_from, step.changed_by, step.version) == (first, "user:grace", 2)
        assert (step.previous_title, step.new_title) == ("Its own", "Tom")
        assert (frame.approved_by, frame.approved_at, frame.version) == ("user:grace", step.created_at, 2)
    assert sorted(enqueued) == sorted(("embed_photo", (str(frame.photo_id),)) for frame in burst)


def test_approve_one_frame_alone_leaves_the_others(burst: list[AIMetadata], grace: User, enqueued: Enqueued):
    decision = workflow.approve(burst[0], by=grace, version=1, changes={}, members=False)

    assert titles(burst) == [("approved", "A cat"), ("unreviewed", "Its own"), ("unreviewed", "Its own")]
    assert (decision.total, decision.changed) == (1, 1)


def test_approve_a_burst_leaves_what_was_decided_on_and_passes_over_words_by_hand(
    burst: list[AIMetadata], grace: User, enqueued: Enqueued
):
    first, second, third = burst
    extra = AIMetadataFactory(described=True, photo__album=first.photo.album, stack=first.pk)
    workflow.reject(second, by=grace, version=1, reason="Other")
    workflow.edit(third, by=grace, version=1, changes={"ai_title": "By hand"})

    decision = workflow.approve(first, by=grace, version=1, changes={})

    assert titles([*burst, extra]) == [
        ("approved", "A cat"),
        ("rejected", "Its own"),
        ("unreviewed", "By hand"),
        ("approved", "A cat"),
    ]
    assert (decision.total, decision.changed, decision.passed_over) == (3, 2, 1)


def test_approve_a_burst_takes_along_what_only_a_decision_over_all_of_it_wrote(
    burst: list[AIMetadata], grace: User, enqueued: Enqueued
):
    account = burst[0].photo.account
    bulk.decide(account, by=grace, kind="add_tag", filter=ReviewFilter(), params={"tag": "wall"})

    decision = workflow.approve(burst[0], by=grace, version=2, changes={})

    assert (decision.changed, decision.passed_over) == (3, 0)
    assert titles(burst) == [("approved", "A cat")] * 3
    assert set(AIMetadata.objects.values_list("ai_tags__2", flat=True)) == {"wall"}


def test_reject_one_frame_leaves_the_others(burst: list[AIMetadata], grace: User, enqueued: Enqueued):
    workflow.reject(burst[0], by=grace, version=1, reason="Other")

    assert [status for status, _ in titles(burst)] == ["rejected", "unreviewed", "unreviewed"]


@pytest.mark.django_db(transaction=True)
def test_approve_a_burst_at_two_frames_at_once_has_one_winner_for_each(burst: list[AIMetadata], enqueued: Enqueued):
    people = [UserFactory(username=name) for name in ("ada", "grace", "bob")]

    def decide(person: User, frame: AIMetadata) -> None:
        mine = AIMetadata.objects.get(pk=frame.pk)
        with contextlib.suppress(workflow.AlreadyDecided):
            workflow.approve(mine, by=person, version=1, changes={"ai_title": f"By {person}"})

    together(*(lambda pair=pair: decide(*pair) for pair in zip(people, burst, strict=True)))

    [decision] = Decision.objects.all()  # the losers' frames had been approved with the winner's
    assert titles(burst) == [("approved", f"By {decision.requested_by}")] * 3
    assert sorted(MetadataHistory.objects.filter(source="person").values_list("version", flat=True)) == [2, 2, 2]
