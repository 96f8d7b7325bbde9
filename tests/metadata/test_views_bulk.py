"""All that match: what would happen, the press that does it, and nothing done by halves."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from metadata import jobs, workflow
from metadata.models import AIMetadata, Decision
from smugmug.models import Account
from tests.factories import AccountFactory, AIMetadataFactory, AlbumFactory, MembershipFactory, PhotoFactory
from tests.metadata.conftest import count_queries

pytestmark = pytest.mark.django_db

CONFIRM, DECIDE = "/review/all/", "/review/all/decide"
Enqueued = list[tuple[str, tuple[Any, ...]]]


def waiting(account: Account, number: int = 1, **fields: Any) -> list[AIMetadata]:
    """Words that wait for review."""
    album = AlbumFactory(account=account)
    return [AIMetadataFactory(photo=PhotoFactory(album=album), described=True, **fields) for _ in range(number)]


def approved_of(account: Account) -> int:
    return AIMetadata.objects.filter(account=account, review_status="approved").count()


def pressed(seen: int, act: str = "approve", **more: Any) -> dict[str, Any]:
    return {"filter": "", "seen": seen, "act": act, **more}


# --- What would happen -----------------------------------------------------------------------------------------


def test_confirm_tells_how_many_and_what_will_happen(curator_client: Client, library_of_ada: Account):
    rows = waiting(library_of_ada, 14, ai_title="Tom")
    waiting(library_of_ada, 1, ai_description="")
    waiting(AccountFactory(), 2)
    workflow.edit(rows[0], by=library_of_ada.owner, version=1, changes={"ai_title": "Ada's title"})

    page = curator_client.get(CONFIRM).text

    assert "Approve all 15 that match" in page
    assert "All that wait" in page
    assert "14 photos will be approved, with the words as they stand now." in page
    assert "1 photo without a description will be left." in page
    assert "1 photo among them: somebody else has edited the words." in page
    assert page.count('<img src="/images/') == 12
    assert "Approve 14" in page
    assert approved_of(library_of_ada) == 0


def test_confirm_of_a_filter_is_about_it_alone(curator_client: Client, library_of_ada: Account):
    waiting(library_of_ada, 2, lane="glance")
    waiting(library_of_ada, 3, lane="look")

    page = curator_client.get(CONFIRM, {"lane": "glance", "do": "reject"}).text

    assert "Reject all 2 that match" in page
    assert "All that wait in the lane “Glance”" in page
    assert 'name="filter" value="lane=glance"' in page
    assert "Wrong subject" in page


@pytest.mark.parametrize(
    ("act", "heading", "sentence"),
    [
        ("approve", "Approve the one that matches", "1 photo will be approved, with the words as they stand now."),
        ("reject", "Reject the one that matches", "1 photo will be rejected. Its words are kept."),
        ("tags", "Tags of the one that matches", "Its tags"),
    ],
)
def test_confirm_of_one_photo_speaks_of_one(
    curator_client: Client, library_of_ada: Account, act: str, heading: str, sentence: str
):
    waiting(library_of_ada)

    page = curator_client.get(CONFIRM, {"do": act}).text

    assert f"{heading}</h1>" in page
    assert sentence in page
    assert "all 1 " not in page.lower()


def test_confirm_of_nothing_says_so(curator_client: Client, library_of_ada: Account):
    page = curator_client.get(CONFIRM, {"tag": "nowhere"}).text

    assert "Nothing matches</h1>" in page
    assert "All that wait with the tag “nowhere”" in page
    assert "all 0 " not in page.lower()


def test_confirm_tags_counts_them_over_all_that_match(curator_client: Client, library_of_ada: Account):
    waiting(library_of_ada, 31, ai_tags=["beach"])
    waiting(library_of_ada, 9, ai_tags=["sea"])
    waiting(AccountFactory(), 1, ai_tags=["hers"])

    response = curator_client.get(CONFIRM, {"do": "tags"})

    assert response.context["outlook"].tags == [("beach", 31), ("sea", 9)]
    assert "31 of 40" in response.text


def test_confirm_with_a_wrong_filter_says_so(curator_client: Client, library_of_ada: Account):
    waiting(library_of_ada)

    page = curator_client.get(CONFIRM, {"lane": "fast"}).text

    assert "There is no lane “fast”." in page


def test_confirm_with_nothing_that_matches_has_no_button(curator_client: Client, library_of_ada: Account):
    waiting(library_of_ada)

    page = curator_client.get(CONFIRM, {"tag": "none has it"}).text

    assert "Nothing matches" in page
    assert DECIDE not in page


def test_confirm_takes_as_many_queries_for_three_photos_as_for_one(curator_client: Client, library_of_ada: Account):
    waiting(library_of_ada)
    few = count_queries(curator_client, CONFIRM)
    waiting(library_of_ada, 3)
    waiting(AccountFactory())

    assert count_queries(curator_client, CONFIRM) == few


def test_confirm_somebody_elses_library_is_404(stranger_client: Client, library_of_ada: Account):
    waiting(library_of_ada)

    assert stranger_client.get(CONFIRM, {"account": library_of_ada.nickname}).status_code == 404
    assert "Nothing matches" in stranger_client.get(CONFIRM).text


# --- The press -------------------------------------------------------------------------------------------------


def test_decide_approves_all_that_match_and_shows_the_decision(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    waiting(library_of_ada, 3, lane="glance")
    waiting(library_of_ada, 2, lane="look")

    response = curator_client.post(DECIDE, pressed(3, filter="lane=glance"), follow=True)

    assert response.redirect_chain == [("/review/grid/?lane=glance", 302)]
    assert "3 photos approved" in response.text
    assert approved_of(library_of_ada) == 3
    decision = Decision.objects.get()
    assert (decision.kind, decision.changed, decision.filter["lane"]) == ("approve", 3, "glance")
    assert decision.filter["account"] == library_of_ada.nickname
    assert f"/review/decisions/{decision.pk}/undo" in response.text


def test_decide_on_many_is_carried_out_by_a_job_and_can_be_stopped(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    waiting(library_of_ada, 201)

    page = curator_client.post(DECIDE, pressed(201), follow=True).text

    decision = Decision.objects.get()
    assert ("carry_out_decision", (str(decision.pk),)) in enqueued
    assert approved_of(library_of_ada) == 0
    assert "Approving 201 photos" in page
    assert f'hx-get="/review/decisions/{decision.pk}/"' in page
    assert f"/review/decisions/{decision.pk}/stop" in page
    jobs.carry_out_decision(str(decision.pk))
    assert approved_of(library_of_ada) == 201


def test_decide_to_reject_takes_the_reason(curator_client: Client, library_of_ada: Account, enqueued: Enqueued):
    [words] = waiting(library_of_ada)

    curator_client.post(DECIDE, pressed(1, "reject", reason="Not suitable", note="private"))

    words.refresh_from_db()
    assert (words.review_status, words.rejection_reason) == ("rejected", "Not suitable: private")


@pytest.mark.parametrize(
    ("sent", "after"),
    [
        ({"do": "add_tag", "add": "sea"}, ["cat", "grey", "sea"]),
        ({"remove": "cat"}, ["grey"]),
        ({"do": "replace_tag", "old": "cat", "new": "tabby"}, ["tabby", "grey"]),
    ],
)
def test_decide_on_tags_changes_them_and_no_review(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued, sent: dict[str, str], after: list[str]
):
    [words] = waiting(library_of_ada)

    curator_client.post(DECIDE, pressed(1, "tags", **sent))

    words.refresh_from_db()
    assert (words.ai_tags, words.review_status) == (after, "unreviewed")


def test_decide_when_more_match_than_were_seen_does_nothing_and_shows_the_new_number(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    waiting(library_of_ada, 3)

    response = curator_client.post(DECIDE, pressed(2))

    assert response.status_code == 409
    assert "1 more photo matched since you looked, so nothing was done." in response.text
    assert 'name="seen" value="3"' in response.text
    assert approved_of(library_of_ada) == 0
    assert not Decision.objects.exists()


def test_decide_on_what_is_approved_counts_as_the_page_does_where_a_photo_is_being_described_anew(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    stay, again = waiting(library_of_ada, 2)
    workflow.approve(stay, by=library_of_ada.owner, version=1, changes={})
    workflow.approve(again, by=library_of_ada.owner, version=1, changes={})
    AIMetadata.objects.filter(pk=again.pk).update(processing_status="pending")

    seen = curator_client.get(CONFIRM, {"status": "approved", "do": "tags"}).context["outlook"].total
    sent = pressed(seen, "tags", filter="status=approved", do="add_tag", add="pet")
    response = curator_client.post(DECIDE, sent)

    assert (seen, response.status_code) == (1, 302)
    for row in (stay, again):
        row.refresh_from_db()
    assert ("pet" in stay.ai_tags, "pet" in again.ai_tags) == (True, False)


def test_decide_twice_finds_nothing_the_second_time(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    waiting(library_of_ada, 2)

    curator_client.post(DECIDE, pressed(2))
    again = curator_client.post(DECIDE, pressed(2))

    assert again.status_code == 422
    assert "Nothing matches any more." in again.text
    assert Decision.objects.count() == 1
    assert set(AIMetadata.objects.values_list("version", flat=True)) == {2}


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({"act": "approve"}, "This field is required."),
        ({"act": "burn", "seen": 1}, "burn is not one of the available choices."),
        ({"act": "approve", "seen": 1, "filter": "colour=red"}, "There is no filter by “colour”."),
        ({"act": "approve", "seen": 1, "filter": "lane=fast"}, "There is no lane “fast”."),
        ({"act": "approve", "seen": "\x00"}, "Enter a whole number."),
        ({"act": "reject", "seen": 1}, "Choose a reason."),
        ({"act": "tags", "seen": 1}, "Type a tag."),
        ({"act": "tags", "seen": 1, "add": "a, b"}, "One tag at a time"),
    ],
)
def test_decide_with_a_mistake_says_so_and_changes_nothing(
    curator_client: Client, library_of_ada: Account, sent: dict[str, Any], says: str
):
    waiting(library_of_ada)

    response = curator_client.post(DECIDE, sent)

    assert response.status_code == 422
    assert says in response.text
    assert not Decision.objects.exists()


def test_decide_over_somebody_elses_library_is_404(stranger_client: Client, library_of_ada: Account):
    waiting(library_of_ada)

    response = stranger_client.post(DECIDE, pressed(5, filter=f"account={library_of_ada.nickname}"))

    assert response.status_code == 404
    assert not Decision.objects.exists()


def test_decide_as_a_viewer_is_refused(viewer_client: Client, library_of_ada: Account):
    waiting(library_of_ada)

    assert viewer_client.post(DECIDE, pressed(1)).status_code == 403
    assert viewer_client.get(CONFIRM).status_code == 403
    assert not Decision.objects.exists()


def test_decide_over_two_libraries_is_one_decision_for_each(
    owner_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    other = MembershipFactory(user=library_of_ada.owner, role="curator").account
    looked_at = MembershipFactory(user=library_of_ada.owner, role="viewer").account
    for account in (library_of_ada, other, looked_at):
        waiting(account, 2)

    owner_client.post(DECIDE, pressed(4))

    assert [approved_of(account) for account in (library_of_ada, other, looked_at)] == [2, 2, 0]
    assert {decision.account for decision in Decision.objects.all()} == {library_of_ada, other}


def test_decision_under_way_of_another_curator_is_shown_too(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    waiting(library_of_ada)
    mine = {"account": library_of_ada, "kind": "approve", "filter": {"lane": "look"}, "total": 9_000, "done": 1_000}
    Decision.objects.create(**mine, state="running", requested_by=library_of_ada.owner)
    Decision.objects.create(**{**mine, "account": AccountFactory()}, state="running")

    response = curator_client.get("/review/grid/")

    [card] = response.context["decisions"]
    assert (card.title, card.maximum, card.value) == ("Approving 9,000 photos", 9_000, 1_000)
