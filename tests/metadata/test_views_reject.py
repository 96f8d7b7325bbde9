"""Review, one photo at a time: rejecting."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from metadata import workflow
from metadata.models import AIMetadata
from smugmug.models import Account
from tests.metadata.test_views_review import BEHIND, REVIEW, Enqueued, reject_url, unchanged, waiting

pytestmark = pytest.mark.django_db


def test_reject_with_a_reason_goes_on_to_the_next(curator_client: Client, library_of_ada: Account, enqueued: Enqueued):
    first, second = waiting(library_of_ada), waiting(library_of_ada)
    decision = {"version": 1, "reason": "Wrong subject", "note": "a dog"}

    response = curator_client.post(reject_url(first), decision)

    assert response["Location"] == f"{REVIEW}?photo={second.photo_id}"
    first.refresh_from_db()
    assert (first.review_status, first.rejection_reason) == ("rejected", "Wrong subject: a dog")
    assert first.history.get(version=2).changed_by == "user:grace"
    assert first.ai_description == "A grey cat on a wall."
    assert unchanged(second)
    assert enqueued == []


def test_reject_sent_twice_is_done_once(curator_client: Client, library_of_ada: Account):
    words = waiting(library_of_ada)
    sent = {"version": 1, "reason": "Too vague", "note": "", **BEHIND}
    first = curator_client.post(reject_url(words), sent)

    second = curator_client.post(reject_url(words), sent)

    assert (second.status_code, second.json()["undo"]) == (200, first.json()["undo"])
    assert words.history.count() == 2


@pytest.mark.parametrize(
    ("decision", "field", "error"),
    [
        ({"note": "my note"}, "reason", "Choose a reason."),
        ({"note": "my note", "reason": "Because"}, "reason", "Because is not one of the available choices."),
        ({"note": "n" * 501, "reason": "Other"}, "note", "at most 500 characters"),
        ({"note": "my\x00note", "reason": "Other"}, "note", "Null characters are not allowed."),
    ],
)
def test_reject_with_a_mistake_shows_it_and_changes_nothing(
    curator_client: Client, library_of_ada: Account, decision: dict[str, str], field: str, error: str
):
    words = waiting(library_of_ada)

    response = curator_client.post(reject_url(words), {"version": 1, **decision})

    assert response.status_code == 422
    assert error in response.context["card"].reject_form.errors[field][0]
    assert response.text.count('class="errorlist"') == 1
    assert f">{decision['note']}</textarea>" in response.text
    assert re.search(r'<details class="reject"[^>]* open', response.text)
    assert unchanged(words)


@pytest.mark.parametrize("extra", [{}, BEHIND])
def test_reject_when_somebody_was_faster_says_who_and_keeps_the_note(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued, extra: dict[str, str]
):
    words = waiting(library_of_ada)
    workflow.approve(words, by=library_of_ada.owner, version=1, changes={})
    decision = {"version": 1, "reason": "Other", "note": "my note"}

    response = curator_client.post(reject_url(words), {**decision, **extra})

    assert response.status_code == 409
    page = response.json()["card"] if extra else response.text
    assert "ada was faster: the photo is now “approved”" in page
    assert ">my note</textarea>" in page
    assert page.count('name="version" value="2"') == 2
    words = AIMetadata.objects.get(pk=words.pk)
    assert (words.review_status, words.version, words.history.count()) == ("approved", 2, 2)
