"""History as a page tells it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from metadata import history, workflow
from metadata.models import AIMetadata, MetadataHistory
from targetvision.words import Part
from tests.factories import AIMetadataFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(db: None) -> User:
    return UserFactory(username="ada")


def test_steps_without_words_are_none():
    assert history.steps(None) == []
    assert history.steps(AIMetadataFactory()) == []


def test_steps_come_newest_first_and_name_their_authors(ada: User, enqueued: list[Any]):
    words = AIMetadataFactory(described=True)
    workflow.edit(words, by=ada, version=1, changes={"ai_title": "Tom"})
    workflow.reject(words, by=ada, version=2, reason="Too vague")

    told = [(step.author, step.is_by_ai, step.sentence) for step in history.steps(words)]

    assert told == [("ada", False, "rejected: Too vague"), ("ada", False, "edited"), ("fake-1", True, "answered")]
    assert history.steps(words)[0].at == words.history.get(version=3).created_at


def test_steps_tell_of_a_first_answer_its_description_alone():
    words = AIMetadataFactory(described=True)

    [step] = history.steps(words)

    assert step.changes == [("Description", [Part("same", "A grey cat on a wall.")])]


def test_steps_tell_only_what_a_person_changed(ada: User, enqueued: list[Any]):
    words = AIMetadataFactory(described=True)
    changes = {"ai_description": "A red cat on a wall.", "ai_tags": ["cat", "red"], "ai_title": "A cat"}
    workflow.edit(words, by=ada, version=1, changes=changes)

    step = history.steps(words)[0]

    assert step.changes == [
        (
            "Description",
            [Part("same", "A"), Part("del", " grey"), Part("ins", " red"), Part("same", " cat on a wall.")],
        ),
        ("Tags", [Part("same", "cat,"), Part("del", " grey"), Part("ins", " red")]),
    ]


def test_steps_of_a_decision_without_edits_tell_no_changes(ada: User, enqueued: list[Any]):
    words = AIMetadataFactory(described=True)
    workflow.approve(words, by=ada, version=1, changes={})

    assert history.steps(words)[0].changes == []


def test_steps_of_a_second_answer_tell_what_is_new():
    words = AIMetadataFactory(described=True)
    MetadataHistory.objects.create(
        metadata=words,
        version=2,
        source="ai",
        changed_by="ai:gpt:6",
        previous_description="A grey cat.",
        new_description="A dog.",
    )

    step = history.steps(AIMetadata.objects.get())[0]

    assert step.author == "gpt:6"
    assert step.changes == [
        ("Description", [Part("same", "A"), Part("del", " grey cat"), Part("ins", " dog"), Part("same", ".")]),
    ]
