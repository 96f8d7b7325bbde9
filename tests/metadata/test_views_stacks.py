"""The pages of a burst: its frames, what is taken out of it, and one approval for all."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from metadata import stacks, workflow
from metadata.models import AIMetadata, MetadataHistory
from smugmug.models import Account, Album
from tests.conftest import HTMX
from tests.factories import AIMetadataFactory, AlbumFactory, PhotoFactory
from tests.metadata.conftest import count_queries

pytestmark = pytest.mark.django_db

NOON = datetime(2024, 5, 4, 12, 0, 0)


def frame(album: Album, seconds: float) -> AIMetadata:
    photo = PhotoFactory(album=album, date_taken=NOON + timedelta(seconds=seconds), perceptual_hash=7)
    return AIMetadataFactory(photo=photo, described=True)


@pytest.fixture
def album(library_of_ada: Account) -> Album:
    return AlbumFactory(account=library_of_ada)


@pytest.fixture
def burst(album: Album) -> list[AIMetadata]:
    """Five frames, stacked; two photos beside it stand alone."""
    made = [frame(album, seconds) for seconds in range(5)]
    frame(album, 500)
    AIMetadataFactory(photo=PhotoFactory(album=album), described=True)
    stacks.restack(album.pk)
    return [now(each) for each in made]


def now(words: AIMetadata) -> AIMetadata:
    return AIMetadata.objects.select_related("photo").get(pk=words.pk)


def url(words: AIMetadata, verb: str = "stack") -> str:
    return f"/review/{words.pk}/{verb}"


# --- Looking -----------------------------------------------------------------------------------------------


def test_stack_lists_every_frame_with_its_own_state(owner_client: Client, burst: list[AIMetadata], ada: Any):
    workflow.reject(burst[2], by=ada, version=1, reason="Too vague")

    response = owner_client.get(url(burst[1]))

    assert "Burst of 5 frames" in response.text
    assert "4 wait for review" in response.text
    assert [each.pk for each in response.context["frames"]] == [each.pk for each in burst]
    assert response.text.count('class="frame"') == 5
    assert "Rejected: Too vague" in response.text
    assert response.text.count("Take out") == 5
    assert "Put back" not in response.text


def test_stack_of_a_photo_that_stands_alone_says_so(owner_client: Client, album: Album):
    response = owner_client.get(url(frame(album, 0)))

    assert "stands alone" in response.text
    assert 'class="frame"' not in response.text


def test_stack_for_htmx_is_the_part_alone(owner_client: Client, burst: list[AIMetadata]):
    response = owner_client.get(url(burst[0]), headers=HTMX)

    assert "Burst of 5 frames" in response.text
    assert "<html" not in response.text


def test_stack_for_a_viewer_has_no_buttons(viewer_client: Client, burst: list[AIMetadata]):
    page = viewer_client.get(url(burst[0])).text.partition("<main")[2]

    assert "Burst of 5 frames" in page
    assert "<form" not in page


@pytest.mark.parametrize("verb", ["stack", "take-out", "put-back"])
def test_stack_of_another_library_is_not_there(stranger_client: Client, burst: list[AIMetadata], verb: str):
    ask = stranger_client.get if verb == "stack" else stranger_client.post

    assert ask(url(burst[0], verb)).status_code == 404
    assert now(burst[0]).stack == burst[0].pk


def test_stack_takes_as_many_queries_for_many_frames_as_for_two(owner_client: Client, album: Album):
    first = frame(album, 0)
    frame(album, 1)
    stacks.restack(album.pk)
    few = count_queries(owner_client, url(first))
    for seconds in range(2, 9):
        frame(album, seconds)
    frame(AlbumFactory(), 3)
    stacks.restack(album.pk)

    assert count_queries(owner_client, url(first)) == few


# --- Taking out --------------------------------------------------------------------------------------------


def test_take_out_leads_to_the_rest_of_the_burst_and_offers_the_way_back(
    curator_client: Client, burst: list[AIMetadata]
):
    response = curator_client.post(url(burst[0], "take-out"), follow=True)

    assert response.redirect_chain == [(url(burst[1]), 302)]
    assert "Burst of 4 frames" in response.text
    assert f"“{burst[0].photo.name}” stands alone now." in response.text
    assert f'action="{url(burst[0], "put-back")}"' in response.text
    assert (now(burst[0]).stack, now(burst[0]).unstacked) == (None, True)
    assert {now(each).stack for each in burst[1:]} == {burst[1].pk}


def test_take_out_twice_tells_that_it_is_out(curator_client: Client, burst: list[AIMetadata]):
    curator_client.post(url(burst[0], "take-out"))

    response = curator_client.post(url(burst[0], "take-out"), follow=True)

    assert "was in no burst any more" in response.text
    assert now(burst[0]).unstacked


def test_put_back_restores_the_burst(curator_client: Client, burst: list[AIMetadata]):
    curator_client.post(url(burst[0], "take-out"))

    response = curator_client.post(url(burst[0], "put-back"), follow=True)

    assert "Burst of 5 frames" in response.text
    assert "is back in its burst" in response.text
    assert {now(each).stack for each in burst} == {burst[0].pk}


def test_put_back_where_nothing_looks_like_it_says_so(curator_client: Client, burst: list[AIMetadata]):
    curator_client.post(url(burst[0], "take-out"))
    AIMetadata.objects.exclude(pk=burst[0].pk).delete()

    response = curator_client.post(url(burst[0], "put-back"), follow=True)

    assert "no frame beside it looks like it" in response.text
    assert (now(burst[0]).stack, now(burst[0]).unstacked) == (None, False)


def test_put_back_what_nobody_took_out_changes_nothing(curator_client: Client, burst: list[AIMetadata]):
    response = curator_client.post(url(burst[0], "put-back"), follow=True)

    assert "had not been taken out" in response.text
    assert now(burst[0]).stack == burst[0].pk


@pytest.mark.parametrize("verb", ["take-out", "put-back"])
def test_viewer_may_not_change_a_burst(viewer_client: Client, burst: list[AIMetadata], verb: str):
    assert viewer_client.post(url(burst[0], verb)).status_code == 403
    assert now(burst[0]).stack == burst[0].pk


# --- One approval ------------------------------------------------------------------------------------------


def sent(words: AIMetadata, **changes: Any) -> dict[str, Any]:
    form = {"version": words.version, "description": words.ai_description, "title": words.ai_title}
    return {**form, "alt_text": words.ai_alt_text, "tags": "cat, grey", "categories": words.ai_categories, **changes}


def test_approve_one_writes_all_members_each_with_its_own_step(curator_client: Client, burst: list[AIMetadata]):
    response = curator_client.post(url(burst[1], "approve"), sent(burst[1], description="Seen once."), follow=True)

    assert f"“{burst[1].photo.name}” is approved, and 4 more of its burst." in response.text
    rows = AIMetadata.objects.filter(stack=burst[0].pk)
    assert set(rows.values_list("review_status", "approved_by", "ai_description")) == {
        ("approved", "user:grace", "Seen once.")
    }
    steps = MetadataHistory.objects.filter(source="person")
    assert steps.count() == 5
    assert {step.metadata_id: step.came_from_id for step in steps} == {
        each.pk: None if each == burst[1] else burst[1].pk for each in burst
    }
    assert len({step.decision_id for step in steps}) == 1
    assert AIMetadata.objects.filter(review_status="unreviewed").count() == 2


def test_approve_behind_a_page_that_went_on_notes_the_burst_alone(curator_client: Client, burst: list[AIMetadata]):
    alone = AIMetadata.objects.filter(stack=None).select_related("photo")[0]

    of_burst = curator_client.post(url(burst[0], "approve"), sent(burst[0], behind="1")).json()
    of_one = curator_client.post(url(alone, "approve"), sent(alone, behind="1")).json()

    assert of_burst["note"] == f"“{burst[0].photo.name}” is approved, and 4 more of its burst."
    assert (of_one["said"], of_one["note"]) == (f"“{alone.photo.name}” is approved.", "")


def test_approve_one_leaves_and_names_what_somebody_wrote_meanwhile(
    curator_client: Client, burst: list[AIMetadata], ada: Any
):
    workflow.edit(burst[3], by=ada, version=1, changes={"ai_description": "Hers."})

    response = curator_client.post(url(burst[0], "approve"), sent(burst[0]), follow=True)

    assert "is approved, and 3 more of its burst." in response.text
    assert f"“{burst[3].photo.name}” was left: somebody has written words of its own for it." in response.text
    assert (now(burst[3]).ai_description, now(burst[3]).review_status) == ("Hers.", "unreviewed")
    assert not MetadataHistory.objects.filter(metadata=burst[3], came_from__isnull=False).exists()


def test_approve_one_sent_twice_names_what_was_left_only_while_it_waits(
    curator_client: Client, burst: list[AIMetadata], ada: Any
):
    workflow.edit(burst[3], by=ada, version=1, changes={"ai_description": "Hers."})
    form = sent(burst[0], behind="1")
    was_left = f"“{burst[3].photo.name}” was left"

    first, second = (curator_client.post(url(burst[0], "approve"), form).json()["said"] for _ in range(2))
    workflow.approve(now(burst[3]), by=ada, version=2, changes={})
    third = curator_client.post(url(burst[0], "approve"), form).json()["said"]

    assert was_left in first
    assert was_left in second
    assert third == f"“{burst[0].photo.name}” is approved, and 3 more of its burst."


def test_approve_one_leaves_frames_that_are_decided_or_taken_out(
    curator_client: Client, burst: list[AIMetadata], ada: Any
):
    workflow.reject(burst[4], by=ada, version=1, reason="Too vague")
    stacks.take_out(burst[3], by=ada)

    response = curator_client.post(url(burst[0], "approve"), sent(burst[0]), follow=True)

    assert "is approved, and 2 more of its burst." in response.text
    assert [now(each).review_status for each in burst] == ["approved"] * 3 + ["unreviewed", "rejected"]


def test_approve_a_photo_that_stands_alone_speaks_of_no_burst(curator_client: Client, album: Album):
    words = frame(album, 0)

    response = curator_client.post(url(words, "approve"), sent(words), follow=True)

    assert "is approved." in response.text
    assert "burst" not in response.text.partition('id="messages"')[2]
