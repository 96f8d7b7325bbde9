"""Decisions taken back: only what they wrote, only where it still stands, once."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User

from metadata import bulk, chunks, jobs, workflow
from metadata.models import WORDS, AIMetadata, Decision, MetadataHistory, PhotoEmbedding
from metadata.queue import ReviewFilter
from smugmug.models import Account, Album
from targetvision.models import RunState
from tests.conftest import together
from tests.factories import AIMetadataFactory, AlbumFactory, PhotoFactory, UserFactory

pytestmark = pytest.mark.django_db

Enqueued = list[tuple[str, tuple[Any, ...]]]
ALL_WAITING = ReviewFilter()
STANDING = (*WORDS, "review_status", "rejection_reason", "approved_by", "approved_at", "processing_status")


@pytest.fixture
def grace(db: None) -> User:
    return UserFactory(username="grace")


@pytest.fixture
def album(library_of_ada: Account) -> Album:
    return AlbumFactory(account=library_of_ada)


@pytest.fixture
def words(album: Album) -> AIMetadata:
    return described(album)


def described(album: Album, **fields: Any) -> AIMetadata:
    return AIMetadataFactory(photo=PhotoFactory(album=album), **{"described": True, **fields})


def standing(words: AIMetadata) -> dict[str, Any]:
    return AIMetadata.objects.filter(pk=words.pk).values(*STANDING).get()


def last_step(words: AIMetadata) -> MetadataHistory:
    return words.history.order_by("-version").first()


def came_of(decision: Decision) -> tuple[str, int, int, str]:
    decision.refresh_from_db()
    return decision.undo, decision.undone, decision.undo_kept, decision.undone_by


def kept(decision: Decision) -> list[tuple[Any, list[str]]]:
    return [(each.step.metadata_id, each.fields) for each in bulk.explain(bulk.kept(decision))]


# --- One photo ---------------------------------------------------------------------------------------------------


def test_undo_an_approval_with_changes_puts_all_back(words: AIMetadata, grace: User, enqueued: Enqueued):
    before = standing(words)
    changes = {"ai_description": "My cat.", "ai_tags": ["mine"], "ai_alt_text": "Mine"}
    decision = workflow.approve(words, by=grace, version=1, changes=changes)
    PhotoEmbedding.objects.create(photo=words.photo, model="m", embedding=[1.0] + [0.0] * 1535)
    enqueued.clear()

    bulk.undo(decision, by=UserFactory(username="bob"))

    assert standing(words) == before
    assert came_of(decision) == ("done", 1, 0, "user:bob")
    assert (decision.state, decision.undone_at is not None) == (RunState.SUCCEEDED, True)
    step = last_step(words)
    assert (step.version, step.source, step.changed_by, step.decision) == (3, "undo", "user:bob", decision)
    assert step.change_reason == "took back “edited and approved”"
    assert (step.previous_description, step.new_description) == ("My cat.", "A grey cat on a wall.")
    assert (step.previous_review_status, step.new_review_status) == ("approved", "unreviewed")
    assert (step.previous_approved_by, step.new_tags) == ("user:grace", ["cat", "grey"])
    assert kept(decision) == []
    assert not PhotoEmbedding.objects.exists()
    assert enqueued == [("embed_left", (str(words.photo.account_id),))]


def test_undo_an_approval_alone_keeps_the_vector(words: AIMetadata, grace: User, enqueued: Enqueued):
    PhotoEmbedding.objects.create(photo=words.photo, model="m", embedding=[1.0] + [0.0] * 1535)
    decision = workflow.approve(words, by=grace, version=1, changes={})

    bulk.undo(decision, by=grace)

    assert standing(words)["review_status"] == "unreviewed"
    assert PhotoEmbedding.objects.count() == 1
    assert enqueued == []


def test_undo_a_rejection_of_approved_words_gives_the_approval_back(words: AIMetadata, grace: User, enqueued: Enqueued):
    workflow.approve(words, by=grace, version=1, changes={})
    approved = standing(words)
    decision = workflow.reject(words, by=UserFactory(username="bob"), version=2, reason="Other")

    bulk.undo(decision, by=UserFactory())

    assert standing(words) == approved
    assert approved["approved_by"] == "user:grace"


def test_undo_a_second_approval_gives_the_first_one_back(words: AIMetadata, grace: User, enqueued: Enqueued):
    workflow.approve(words, by=grace, version=1, changes={})
    approved = standing(words)
    decision = workflow.approve(words, by=UserFactory(), version=2, changes={})

    bulk.undo(decision, by=grace)

    assert standing(words) == approved


def test_undo_a_rejection_of_rejected_words_gives_the_first_reason_back(
    words: AIMetadata, grace: User, enqueued: Enqueued
):
    workflow.reject(words, by=grace, version=1, reason="Too vague")
    decision = workflow.reject(words, by=grace, version=2, reason="Other")

    bulk.undo(decision, by=grace)

    assert standing(words)["rejection_reason"] == "Too vague"
    assert last_step(words).previous_rejection_reason == "Other"


def test_undo_a_rejection_for_the_same_reason_again_takes_nothing_back_and_names_nothing(
    words: AIMetadata, grace: User, enqueued: Enqueued
):
    workflow.reject(words, by=grace, version=1, reason="Too vague")
    again = workflow.reject(words, by=grace, version=2, reason="Too vague")

    assert came_of(bulk.undo(again, by=grace)) == ("done", 0, 0, "user:grace")
    assert kept(again) == []
    words.refresh_from_db()
    assert (words.review_status, words.rejection_reason) == ("rejected", "Too vague")


def test_undo_a_rejection_that_moved_nothing_after_an_approval_kept_nothing_either(
    words: AIMetadata, grace: User, enqueued: Enqueued
):
    workflow.reject(words, by=grace, version=1, reason="Too vague")
    again = workflow.reject(words, by=grace, version=2, reason="Too vague")
    workflow.approve(words, by=grace, version=3, changes={})

    assert came_of(bulk.undo(again, by=grace)) == ("done", 0, 0, "user:grace")
    assert kept(again) == []
    words.refresh_from_db()
    assert words.review_status == "approved"


@pytest.mark.parametrize(
    ("state", "stands"),
    [
        ({"failed": True}, ("failed", "No usable answer.")),
        ({"processing_status": "skipped", "error": "A video."}, ("skipped", "A video.")),
        ({}, ("pending", "")),
    ],
    ids=["failed", "skipped", "pending"],
)
def test_undo_an_approval_of_words_by_hand_leaves_the_photo_without_words_as_it_was(
    album: Album, grace: User, enqueued: Enqueued, state: dict[str, Any], stands: tuple[str, str]
):
    words = AIMetadataFactory(photo=PhotoFactory(album=album), **state)
    decision = workflow.approve(words, by=grace, version=0, changes={"ai_description": "By hand."})
    words.refresh_from_db()
    assert (words.processing_status, words.error) == ("completed", "")

    bulk.undo(decision, by=grace)

    words.refresh_from_db()
    assert (words.processing_status, words.error) == stands
    assert (words.ai_description, words.review_status) == ("", "unreviewed")


def test_undo_an_edit_judges_the_lane_anew(words: AIMetadata, grace: User, enqueued: Enqueued):
    decision = workflow.edit(words, by=grace, version=1, changes={"ai_description": ""})
    assert AIMetadata.objects.get().lane == "look"

    bulk.undo(decision, by=grace)

    assert AIMetadata.objects.get().lane == "glance"


def test_undo_keeps_and_names_what_was_changed_since(words: AIMetadata, grace: User, enqueued: Enqueued):
    decision = workflow.approve(words, by=grace, version=1, changes={"ai_title": "Tom", "ai_alt_text": "Tom, sitting"})
    workflow.edit(words, by=UserFactory(), version=2, changes={"ai_title": "Tim"})

    bulk.undo(decision, by=grace)

    now = standing(words)
    assert (now["ai_title"], now["ai_alt_text"], now["review_status"]) == ("Tim", "Grey cat", "unreviewed")
    assert came_of(decision)[:3] == ("done", 1, 1)
    assert kept(decision) == [(words.pk, ["title"])]


def test_undo_an_approval_that_another_one_replaced_keeps_it(words: AIMetadata, grace: User, enqueued: Enqueued):
    decision = workflow.approve(words, by=grace, version=1, changes={"ai_title": "Tom"})
    workflow.approve(words, by=UserFactory(username="bob"), version=2, changes={})

    bulk.undo(decision, by=grace)

    now = standing(words)
    assert (now["ai_title"], now["review_status"], now["approved_by"]) == ("A cat", "approved", "user:bob")
    assert kept(decision) == [(words.pk, ["review"])]


def test_undo_when_everything_was_changed_since_writes_nothing(words: AIMetadata, grace: User, enqueued: Enqueued):
    decision = workflow.edit(words, by=grace, version=1, changes={"ai_title": "Tom"})
    workflow.edit(words, by=grace, version=2, changes={"ai_title": "Tim"})
    before = standing(words)

    bulk.undo(decision, by=grace)

    assert standing(words) == before
    assert came_of(decision)[:3] == ("done", 0, 1)
    assert last_step(words).version == 3
    assert kept(decision) == [(words.pk, ["title"])]


def test_undo_of_what_the_ai_has_answered_since_keeps_the_answer(words: AIMetadata, grace: User, enqueued: Enqueued):
    decision = workflow.reject(words, by=grace, version=1, reason="Other")
    AIMetadata.objects.update(ai_title="Anew", review_status="unreviewed", rejection_reason="", version=3)

    bulk.undo(decision, by=grace)

    assert standing(words)["ai_title"] == "Anew"
    assert standing(words)["review_status"] == "unreviewed"
    assert kept(decision) == [(words.pk, ["review"])]


def test_undo_twice_says_who_did(words: AIMetadata, grace: User, enqueued: Enqueued):
    decision = workflow.approve(words, by=grace, version=1, changes={})
    bulk.undo(decision, by=UserFactory(username="bob"))
    before = standing(words)

    with pytest.raises(bulk.AlreadyUndone, match=r"^bob has undone this already\.$"):
        bulk.undo(Decision.objects.get(), by=grace)

    assert standing(words) == before
    assert came_of(decision)[3] == "user:bob"
    assert last_step(words).version == 3


def test_kept_of_a_decision_that_stands_is_nothing(words: AIMetadata, grace: User, enqueued: Enqueued):
    decision = workflow.edit(words, by=grace, version=1, changes={"ai_title": "Tom"})
    workflow.edit(words, by=grace, version=2, changes={"ai_title": "Tim"})

    assert kept(decision) == []


def test_undo_of_an_undo_is_there_for_nobody(words: AIMetadata, grace: User, enqueued: Enqueued):
    decision = workflow.edit(words, by=grace, version=1, changes={"ai_title": "Tom"})

    bulk.undo(decision, by=grace)

    assert Decision.objects.count() == 1


# --- A burst -----------------------------------------------------------------------------------------------------


def test_undo_an_approval_of_a_burst_gives_each_frame_its_own_words_back(album: Album, grace: User, enqueued: Enqueued):
    first, second = described(album), described(album, ai_title="Its own", ai_tags=["other"])
    AIMetadata.objects.update(stack=first.pk)
    first.refresh_from_db()
    before = [standing(first), standing(second)]
    decision = workflow.approve(first, by=grace, version=1, changes={"ai_title": "Tom"})
    assert standing(second)["ai_title"] == "Tom"

    bulk.undo(decision, by=grace)

    assert [standing(first), standing(second)] == before
    assert came_of(decision)[:3] == ("done", 2, 0)


# --- Many --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("approve", {}),
        ("reject", {"reason": "Other"}),
        ("add_tag", {"tag": "wall"}),
        ("remove_tag", {"tag": "cat"}),
        ("replace_tag", {"tag": "cat", "to": "tom"}),
        ("replace_word", {"old": "cat", "new": "tom"}),
    ],
)
def test_undo_of_many_puts_all_back_chunk_by_chunk(
    album: Album, ada: User, enqueued: Enqueued, kind: str, params: dict[str, str]
):
    rows = [described(album) for _ in range(5)]
    before = [standing(row) for row in rows]
    decision = bulk.decide(album.account, by=ada, kind=kind, filter=ALL_WAITING, params=params)
    jobs.carry_out_decision(str(decision.pk))
    assert [standing(row) for row in rows] != before
    decision.refresh_from_db()
    enqueued.clear()

    bulk.undo(decision, by=ada)
    assert came_of(decision)[:2] == ("under_way", 0)
    assert enqueued == [("carry_out_decision", (str(decision.pk),))]
    jobs.carry_out_decision(str(decision.pk))

    assert [standing(row) for row in rows] == before
    assert came_of(decision) == ("done", 5, 0, "user:ada")
    assert (decision.state, decision.changed) == (RunState.SUCCEEDED, 5)
    sources = MetadataHistory.objects.order_by("metadata", "version").values_list("source", flat=True)
    assert list(sources) == ["ai", "person", "undo"] * 5


@pytest.mark.usefixtures("many")
def test_undo_of_many_keeps_and_names_what_was_changed_since(album: Album, ada: User, enqueued: Enqueued):
    rows = [described(album) for _ in range(4)]
    decision = bulk.decide(album.account, by=ada, kind="add_tag", filter=ALL_WAITING, params={"tag": "wall"})
    jobs.carry_out_decision(str(decision.pk))
    workflow.edit(rows[1], by=ada, version=2, changes={"ai_tags": ["mine"]})
    workflow.approve(rows[2], by=ada, version=2, changes={})

    decision.refresh_from_db()
    bulk.undo(decision, by=ada)
    jobs.carry_out_decision(str(decision.pk))

    assert [standing(row)["ai_tags"] for row in rows] == [["cat", "grey"], ["mine"], ["cat", "grey"], ["cat", "grey"]]
    assert standing(rows[2])["review_status"] == "approved"
    assert came_of(decision)[:3] == ("done", 3, 1)
    assert kept(decision) == [(rows[1].pk, ["tags"])]


@pytest.mark.usefixtures("many")
def test_undo_while_it_is_carried_out_stops_it_first(
    album: Album, ada: User, enqueued: Enqueued, monkeypatch: pytest.MonkeyPatch
):
    rows = [described(album) for _ in range(5)]
    before = [standing(row) for row in rows]
    decision = bulk.decide(album.account, by=ada, kind="approve", filter=ALL_WAITING)
    chunk = chunks._chunk

    def undone_after_one(mine: Decision, *rest: Any) -> None:
        chunk(mine, *rest)
        if mine.changed == 2:
            bulk.undo(Decision.objects.get(pk=decision.pk), by=ada)

    monkeypatch.setattr(chunks, "_chunk", undone_after_one)
    jobs.carry_out_decision(str(decision.pk))
    monkeypatch.setattr(chunks, "_chunk", chunk)
    jobs.carry_out_decision(str(decision.pk))

    assert [standing(row) for row in rows] == before
    assert came_of(decision) == ("done", 2, 0, "user:ada")
    assert (decision.state, decision.changed) == (RunState.CANCELLED, 2)
    assert bulk.go_on(decision) is False


@pytest.mark.usefixtures("many")
def test_undo_after_a_kill_comes_to_every_row_once(
    album: Album, ada: User, enqueued: Enqueued, monkeypatch: pytest.MonkeyPatch
):
    rows = [described(album) for _ in range(7)]
    before = [standing(row) for row in rows]
    decision = bulk.decide(album.account, by=ada, kind="approve", filter=ALL_WAITING)
    jobs.carry_out_decision(str(decision.pk))
    decision.refresh_from_db()
    bulk.undo(decision, by=ada)
    beat = chunks._beat

    class Killed(BaseException):
        pass

    def killed(mine: Decision, **changes: Any) -> None:
        if mine.undone >= 2:
            raise Killed
        beat(mine, **changes)

    monkeypatch.setattr(chunks, "_beat", killed)
    with pytest.raises(Killed):
        jobs.carry_out_decision(str(decision.pk))
    monkeypatch.setattr(chunks, "_beat", beat)
    assert came_of(decision)[:2] == ("under_way", 2)
    assert kept(decision) == []
    Decision.objects.update(heartbeat_at=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))

    jobs.resume_stalled_decisions()
    jobs.carry_out_decision(str(decision.pk))

    assert [standing(row) for row in rows] == before
    assert came_of(decision)[:3] == ("done", 7, 0)
    assert MetadataHistory.objects.filter(source="undo").count() == 7


# --- Two at once --------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_undo_by_many_at_once_has_exactly_one_winner(words: AIMetadata, grace: User, enqueued: Enqueued):
    decision = workflow.approve(words, by=grace, version=1, changes={"ai_title": "Tom"})
    people = [UserFactory(username=f"person{number}") for number in range(4)]
    won, lost = [], []

    def take_back(person: User) -> None:
        try:
            bulk.undo(Decision.objects.get(pk=decision.pk), by=person)
            won.append(f"user:{person}")
        except bulk.AlreadyUndone as exc:
            lost.append(str(exc))

    together(*(lambda person=person: take_back(person) for person in people))

    assert won == [came_of(decision)[3]]
    assert len(lost) == 3
    assert came_of(decision)[1] == 1
    assert [step.version for step in words.history.filter(source="undo")] == [3]


@pytest.mark.django_db(transaction=True)
def test_undo_and_an_edit_at_once_lose_neither(album: Album, grace: User, enqueued: Enqueued):
    rows = [described(album) for _ in range(30)]
    decision = bulk.decide(album.account, by=grace, kind="add_tag", filter=ALL_WAITING, params={"tag": "wall"})
    edited = []

    def edit_all() -> None:
        for row in rows:
            now = AIMetadata.objects.get(pk=row.pk)
            try:
                workflow.edit(now, by=grace, version=now.version, changes={"ai_title": "By hand"})
                edited.append(row.pk)
            except workflow.AlreadyDecided:
                pass

    together(edit_all, lambda: bulk.undo(decision, by=grace))

    assert came_of(decision)[:3] == ("done", 30, 0)
    for row in AIMetadata.objects.all():
        assert row.ai_tags == ["cat", "grey"]
        assert row.ai_title == ("By hand" if row.pk in edited else "A cat")
        versions = list(row.history.order_by("version").values_list("version", flat=True))
        assert versions == list(range(1, row.version + 1))
