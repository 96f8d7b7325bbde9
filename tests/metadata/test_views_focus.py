"""What the review page needs beside approving and rejecting: cards ahead, sides to take, a new description, undo."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from metadata import focus, process, workflow
from metadata.models import AIMetadata, Decision, MetadataHistory, ProcessingRun, ReviewClaim
from smugmug.models import Account, Photo
from tests.conftest import FakeDescriber
from tests.factories import (
    AIMetadataFactory,
    AlbumFactory,
    ModelPriceFactory,
    PhotoFactory,
    ProcessingRunFactory,
    PromptFactory,
)
from tests.metadata.conftest import count_queries
from tests.metadata.test_views_review import BEHIND, REVIEW, typed, unchanged, waiting

pytestmark = pytest.mark.django_db

CARDS = "/review/cards"
UNDO = "/review/undo"
Enqueued = list[tuple[str, tuple[Any, ...]]]


@pytest.fixture(autouse=True)
def _configured(describer: FakeDescriber, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "configured_describer", lambda: describer)


@pytest.fixture
def grace(curator_client: Client) -> User:
    return User.objects.get(username="grace")


def take_url(words: AIMetadata) -> str:
    return reverse("metadata:take", args=[words.pk])


def describe_url(words: AIMetadata) -> str:
    return reverse("metadata:describe_again", args=[words.pk])


def shown(response: Any) -> list[AIMetadata]:
    return [card.words for card in response.context["cards"]]


# --- Cards ahead ---------------------------------------------------------------------------------------------


def test_cards_beyond_one_are_those_that_come_next(curator_client: Client, library_of_ada: Account):
    first, second, third = (waiting(library_of_ada) for _ in range(3))
    AIMetadataFactory(described=True)  # somebody else's

    response = curator_client.get(CARDS, {"beyond": first.pk, "deck": first.pk})

    assert shown(response) == [second, third]
    assert "<html" not in response.text
    assert response.text.count("data-card ") == 2
    assert 'data-taken=""' in response.text


def test_cards_of_a_photo_and_before_one_are_single(curator_client: Client, library_of_ada: Account):
    first, second, _ = (waiting(library_of_ada) for _ in range(3))

    assert shown(curator_client.get(CARDS, {"of": second.photo_id})) == [second]
    assert shown(curator_client.get(CARDS, {"before": second.pk})) == [first]
    assert shown(curator_client.get(CARDS, {"before": first.pk})) == []


def test_previous_leads_to_the_photo_before_and_from_the_first_to_itself(
    curator_client: Client, library_of_ada: Account
):
    first, _, second = (waiting(library_of_ada, ai_tags=tags) for tags in (["cat"], ["dog"], ["cat"]))
    url = reverse("metadata:previous", args=[second.pk]) + "?tag=cat"

    page = curator_client.get(REVIEW, {"photo": second.photo_id, "tag": "cat"})

    assert page.context["previous_url"] == url
    assert curator_client.get(REVIEW, {"tag": "cat"}).context["previous_url"] == ""
    assert curator_client.get(url).headers["Location"] == f"{REVIEW}?photo={first.photo_id}&tag=cat"
    again = curator_client.get(reverse("metadata:previous", args=[first.pk]), follow=True)
    assert (again.context["words"], "This is the first one." in again.text) == (first, True)


def test_previous_of_somebody_elses_photo_is_not_found_and_refused_to_who_may_only_look(
    curator_client: Client, viewer_client: Client, library_of_ada: Account
):
    theirs, ours = AIMetadataFactory(described=True), waiting(library_of_ada)

    assert curator_client.get(reverse("metadata:previous", args=[theirs.pk])).status_code == 404
    assert viewer_client.get(reverse("metadata:previous", args=[ours.pk])).status_code == 403


def test_cards_keep_to_the_filter_of_the_address_and_carry_it_on(curator_client: Client, library_of_ada: Account):
    first, _, third = (waiting(library_of_ada, ai_tags=tags) for tags in (["cat"], ["dog"], ["cat"]))

    response = curator_client.get(CARDS, {"beyond": first.pk, "tag": "cat"})

    assert shown(response) == [third]
    assert f"/review/{third.pk}/approve?tag=cat" in response.text


def test_cards_are_held_for_the_person_and_not_shown_to_others(
    curator_client: Client, owner_client: Client, library_of_ada: Account, grace: User
):
    rows = [waiting(library_of_ada) for _ in range(8)]

    curator_client.get(REVIEW)  # one on show, five behind it

    held = set(ReviewClaim.objects.filter(user=grace).values_list("words", flat=True))
    assert held == {row.pk for row in rows[:6]}
    assert owner_client.get(REVIEW).context["words"] == rows[6]


def test_cards_tell_which_of_the_deck_others_are_shown_by_now(
    curator_client: Client, library_of_ada: Account, grace: User
):
    first, second, third = (waiting(library_of_ada) for _ in range(3))
    until = timezone.now() + datetime.timedelta(minutes=1)
    ReviewClaim.objects.create(words=second, user=library_of_ada.owner, until=until)

    response = curator_client.get(CARDS, {"beyond": second.pk, "deck": f"{first.pk},{second.pk}"})

    assert f'data-taken="{second.pk}"' in response.text
    assert shown(response) == [third]
    assert set(ReviewClaim.objects.filter(user=grace).values_list("words", flat=True)) == {first.pk, third.pk}
    assert ReviewClaim.objects.get(words=second).user == library_of_ada.owner


def test_cards_with_a_claim_that_ran_out_take_it_over(curator_client: Client, library_of_ada: Account, grace: User):
    words = waiting(library_of_ada)
    ReviewClaim.objects.create(words=words, user=library_of_ada.owner, until=timezone.now())

    assert curator_client.get(REVIEW).context["words"] == words
    assert ReviewClaim.objects.get().user == grace


def test_review_with_all_in_other_hands_says_so(curator_client: Client, library_of_ada: Account):
    until = timezone.now() + datetime.timedelta(minutes=1)
    ReviewClaim.objects.create(words=waiting(library_of_ada), user=library_of_ada.owner, until=until)

    response = curator_client.get(REVIEW)

    assert "Others are on it" in response.text
    assert "All caught up" not in response.text


def test_cards_of_another_library_are_404_and_hold_nothing(stranger_client: Client, library_of_ada: Account):
    words = waiting(library_of_ada)

    for wish in ({"of": words.photo_id}, {"before": words.pk}, {"beyond": words.pk}):
        assert stranger_client.get(CARDS, wish).status_code == 404
    response = stranger_client.get(CARDS, {"deck": words.pk})

    assert shown(response) == []
    assert str(words.pk) not in response.text
    assert not ReviewClaim.objects.exists()


@pytest.mark.parametrize("wish", [{"beyond": "x"}, {"of": "\x00"}, {"deck": "1,2"}, {"count": "6"}, {"count": "0"}])
def test_cards_with_a_mistake_in_the_address_is_422(curator_client: Client, library_of_ada: Account, wish: Any):
    waiting(library_of_ada)

    assert curator_client.get(CARDS, wish).status_code == 422
    assert not ReviewClaim.objects.exists()


def test_cards_take_as_many_queries_for_three_as_for_one(curator_client: Client, library_of_ada: Account):
    first = waiting(library_of_ada)
    waiting(library_of_ada)
    url = f"{CARDS}?beyond={first.pk}"
    few = count_queries(curator_client, url)
    for _ in range(2):
        waiting(library_of_ada, photo__caption="Theirs")
    AIMetadataFactory(described=True)

    assert len(shown(curator_client.get(url))) == 3
    assert count_queries(curator_client, url) == few


def test_card_tells_its_doubts_in_sentences(curator_client: Client, library_of_ada: Account):
    PromptFactory(account=library_of_ada, is_active=True, vocabulary=["cat"])
    doubts = ["very_unsure", "not_allowed", "of-some-later-version"]
    waiting(library_of_ada, lane="look", doubts=doubts, confidence_score=0.42, ai_tags=["Cat", "foo"])

    page = curator_client.get(REVIEW).text

    assert "<li>Confidence 0.42. The model was not sure.</li>" in page
    assert "<li>Not among the allowed tags: “foo”.</li>" in page
    assert '<span class="lane look">Must look</span>' in page
    assert "of-some-later-version" not in page


def test_card_of_a_burst_names_the_others_and_can_leave_them(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    album = AlbumFactory(account=library_of_ada)
    rows = [AIMetadataFactory(photo=PhotoFactory(album=album), described=True) for _ in range(3)]
    AIMetadata.objects.update(stack=rows[0].pk)
    page = curator_client.get(f"{REVIEW}?photo={rows[0].photo_id}").text

    curator_client.post(reverse("metadata:approve", args=[rows[0].pk]), typed(rows[0], alone="on"))

    assert "Burst of 3" in page
    assert "Only this frame, not the other 2 of the burst" in page
    states = AIMetadata.objects.filter(pk__in=[row.pk for row in rows]).values_list("review_status", flat=True)
    assert sorted(states) == ["approved", "unreviewed", "unreviewed"]


def test_approve_a_burst_writes_all_its_frames(curator_client: Client, library_of_ada: Account, enqueued: Enqueued):
    album = AlbumFactory(account=library_of_ada)
    rows = [AIMetadataFactory(photo=PhotoFactory(album=album), described=True) for _ in range(3)]
    AIMetadata.objects.update(stack=rows[0].pk)

    answer = curator_client.post(reverse("metadata:approve", args=[rows[0].pk]), typed(rows[0], **BEHIND)).json()

    assert "and 2 more of its burst" in answer["said"]
    assert set(AIMetadata.objects.values_list("review_status", flat=True)) == {"approved"}


# --- Taking a side -------------------------------------------------------------------------------------------


def test_take_what_smugmug_has_stands_as_an_edit_with_what_was_typed_beside_it(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    words = waiting(library_of_ada, photo__caption="Tom, on our wall.", photo__keywords=["tom"])

    response = curator_client.post(take_url(words), typed(words, title="Typed", take="description:smugmug"))

    assert response["Location"] == f"{REVIEW}?photo={words.photo_id}"
    words.refresh_from_db()
    assert (words.ai_description, words.ai_title) == ("Tom, on our wall.", "Typed")
    assert (words.ai_tags, words.review_status, words.version) == (["cat", "grey"], "unreviewed", 2)
    assert words.history.get(version=2).changed_by == "user:grace"
    assert Decision.objects.get().kind == "edit"


@pytest.mark.parametrize(
    ("take", "column", "expected"),
    [
        ("tags:smugmug", "ai_tags", ["tom", "wall"]),
        ("title:smugmug", "ai_title", "Tom"),
        ("description:ai", "ai_description", "A grey cat on a wall."),
        ("categories:ai", "ai_categories", ["Animals"]),
        ("alt_text:ai", "ai_alt_text", "Grey cat"),
    ],
)
def test_take_any_side_of_any_field_writes_it(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued, take: str, column: str, expected: Any
):
    words = waiting(library_of_ada, photo__title="Tom", photo__keywords=["tom", "wall"])
    changes = {"ai_description": "Mine.", "ai_categories": ["Objects"], "ai_alt_text": "Mine."}
    workflow.edit(words, by=library_of_ada.owner, version=1, changes=changes)

    curator_client.post(take_url(words), typed(words, take=take))

    words.refresh_from_db()
    assert getattr(words, column) == expected
    others = {name: value for name, value in words.words.items() if name != column}
    assert others == {name: value for name, value in {**words.words, **changes}.items() if name != column}


@pytest.mark.parametrize(
    ("take", "error"),
    [
        ("", "Choose what to take."),
        ("description:nobody", "There is no such side to take."),
        ("categories:smugmug", "SmugMug has nothing to take."),
        ("tags:smugmug", "These are 51 tags; at most 50 fit."),
    ],
)
def test_take_what_cannot_be_taken_is_422_and_keeps_what_was_typed(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued, take: str, error: str
):
    words = waiting(library_of_ada, photo__keywords=[f"tag{number}" for number in range(51)])

    response = curator_client.post(take_url(words), typed(words, title="Typed", take=take))

    assert response.status_code == 422
    assert error in response.text
    assert ">Typed</textarea>" in response.text
    assert unchanged(words)


@pytest.mark.parametrize("status", ["pending", "failed"])
def test_take_for_a_photo_that_is_not_described_is_422_and_keeps_what_was_typed(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued, status: str
):
    words = waiting(library_of_ada, photo__caption="Theirs.", processing_status=status)

    response = curator_client.post(take_url(words), typed(words, title="Typed", take="description:smugmug"))

    assert response.status_code == 422
    assert "This photo is not described yet. Approve it with a description of yours instead." in response.text
    assert ">Typed</textarea>" in response.text
    assert unchanged(words)


def test_take_when_somebody_was_faster_says_who_and_writes_nothing(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    words = waiting(library_of_ada, photo__caption="Theirs.")
    sent = typed(words, title="Typed", take="description:smugmug")
    workflow.edit(words, by=library_of_ada.owner, version=1, changes={"ai_title": "Hers"})

    response = curator_client.post(take_url(words), sent)

    assert response.status_code == 409
    assert "ada was faster" in response.text
    assert ">Typed</textarea>" in response.text
    assert AIMetadata.objects.get(pk=words.pk).words == {**words.words, "ai_title": "Hers"}


@pytest.mark.parametrize(("client", "status"), [("stranger_client", 404), ("viewer_client", 403)])
@pytest.mark.parametrize("url", [take_url, describe_url])
def test_take_or_describe_as_somebody_else_changes_nothing(
    request: pytest.FixtureRequest, library_of_ada: Account, enqueued: Enqueued, client: str, status: int, url: Any
):
    words = waiting(library_of_ada, photo__caption="Theirs.")

    response = request.getfixturevalue(client).post(url(words), typed(words, take="description:smugmug"))

    assert response.status_code == status
    assert unchanged(words)
    assert (enqueued, ProcessingRun.objects.count()) == ([], 0)


# --- Described again -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [{}, BEHIND])
def test_describe_again_starts_a_run_over_this_photo_with_the_note(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued, extra: dict[str, str]
):
    words, other = waiting(library_of_ada, photo__title="One"), waiting(library_of_ada)

    response = curator_client.post(describe_url(words), {"note": "It is a heron.", **extra})

    run = ProcessingRun.objects.get()
    assert (run.photo, run.only, run.also_decided, run.note) == (words.photo, "all", True, "It is a heron.")
    assert enqueued[0] == ("process_photos", (str(run.pk),))
    if extra:
        assert response.json()["said"].startswith("“One” is being described again")
    else:
        assert response["Location"] == f"{REVIEW}?photo={other.photo_id}"
    assert unchanged(words)  # until the answer comes


def _never_send(words: AIMetadata) -> None:
    Account.objects.update(never_send=True)


def _disconnect(words: AIMetadata) -> None:
    Account.objects.update(state=Account.State.DISCONNECTED)


def _make_video(words: AIMetadata) -> None:
    Photo.objects.update(is_video=True)


def _keep_busy(words: AIMetadata) -> None:
    ProcessingRunFactory(account=words.photo.account)


@pytest.mark.parametrize(
    ("hinder", "says"),
    [
        (_never_send, "Not sent: this library or an album"),
        (_disconnect, "is not connected"),
        (_make_video, "This is a video"),
        (_keep_busy, "being described just now"),
    ],
)
def test_describe_again_what_cannot_be_says_why_and_keeps_the_note(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued, hinder: Any, says: str
):
    words = waiting(library_of_ada)
    hinder(words)
    runs = ProcessingRun.objects.count()

    response = curator_client.post(describe_url(words), {"note": "My note", **BEHIND})

    assert response.status_code == 422
    assert says in response.json()["said"]
    assert ProcessingRun.objects.count() == runs
    assert enqueued == []


def test_describe_again_with_too_long_a_note_is_422_beside_it(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    words = waiting(library_of_ada)

    response = curator_client.post(describe_url(words), {"note": "n" * 2_001})

    assert response.status_code == 422
    assert "at most 2000 characters" in response.text
    assert "n" * 2_001 in response.text
    assert not ProcessingRun.objects.exists()


def test_describe_again_with_a_budget_that_nobody_could_keep_is_refused(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued, settings: Any
):
    settings.AI_RUN_BUDGET_USD, settings.AI_DESCRIBER, settings.OPENAI_MODEL = 1, "openai", "unpriced-1"
    words = waiting(library_of_ada)

    response = curator_client.post(describe_url(words), {**BEHIND})

    assert response.status_code == 422
    assert "unpriced-1" in response.json()["said"]
    assert not ProcessingRun.objects.exists()


def test_card_tells_the_price_of_describing_again(curator_client: Client, library_of_ada: Account, settings: Any):
    settings.AI_DESCRIBER, settings.OPENAI_MODEL, settings.OPENAI_EMBEDDING_MODEL = "openai", "paid-1", "paid-2"
    ModelPriceFactory(model="paid-1")
    ModelPriceFactory(model="paid-2")
    waiting(library_of_ada)

    page = curator_client.get(REVIEW).text

    assert "<small>about $0.00" in page


def test_card_of_what_must_not_be_sent_offers_no_new_description(
    curator_client: Client, library_of_ada: Account, settings: Any
):
    settings.AI_DESCRIBER = "openai"
    words = waiting(library_of_ada)
    assert describe_url(words) in curator_client.get(REVIEW).text
    _never_send(words)

    assert describe_url(words) not in curator_client.get(REVIEW).text


# --- Undo ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [{}, BEHIND])
def test_undo_takes_the_decision_back_and_shows_the_photo(
    curator_client: Client, library_of_ada: Account, grace: User, enqueued: Enqueued, extra: dict[str, str]
):
    words, other = waiting(library_of_ada), waiting(library_of_ada)
    earlier = workflow.reject(other, by=grace, version=1, reason="Other")
    decision = workflow.approve(words, by=grace, version=1, changes={"ai_title": "Mine"})

    response = curator_client.post(UNDO, {"decision": decision.pk, **extra})

    words.refresh_from_db()
    other.refresh_from_db()
    assert (words.review_status, words.ai_title, words.version) == ("unreviewed", "A cat", 3)
    assert other.review_status == "rejected"
    if extra:
        answer = response.json()
        assert answer["undo"] == str(earlier.pk)  # pressed again, the one before
        assert answer["undoes"] == other.photo.name
        assert f'data-words="{words.pk}"' in answer["card"]
    else:
        assert response["Location"] == f"{REVIEW}?photo={words.photo_id}"


def test_undo_sent_twice_undoes_one_decision(
    curator_client: Client, library_of_ada: Account, grace: User, enqueued: Enqueued
):
    words, other = waiting(library_of_ada), waiting(library_of_ada)
    workflow.approve(other, by=grace, version=1, changes={})
    decision = workflow.approve(words, by=grace, version=1, changes={})
    curator_client.post(UNDO, {"decision": decision.pk})

    response = curator_client.post(UNDO, {"decision": decision.pk})

    assert response.status_code == 409
    assert "You have undone this already." in response.text
    other.refresh_from_db()
    assert other.review_status == "approved"


def test_undo_somebody_elses_decision_is_404_and_leaves_it(
    curator_client: Client, stranger_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    words = waiting(library_of_ada)
    decision = workflow.approve(words, by=library_of_ada.owner, version=1, changes={})

    for client in (curator_client, stranger_client):
        assert client.post(UNDO, {"decision": decision.pk}).status_code == 404
    words.refresh_from_db()
    assert words.review_status == "approved"


def test_undo_as_somebody_who_may_only_look_by_now_is_403(
    curator_client: Client, library_of_ada: Account, grace: User, enqueued: Enqueued
):
    words = waiting(library_of_ada)
    decision = workflow.approve(words, by=grace, version=1, changes={})
    grace.memberships.update(role="viewer")

    assert curator_client.post(UNDO, {"decision": decision.pk}).status_code == 403
    words.refresh_from_db()
    assert words.review_status == "approved"


@pytest.mark.parametrize(
    ("decision", "says"), [("", "You have decided nothing"), ("x", "There is no such decision"), ("\x00", "no such")]
)
def test_undo_of_nothing_is_422_and_says_so(curator_client: Client, library_of_ada: Account, decision: str, says: str):
    waiting(library_of_ada)

    response = curator_client.post(UNDO, {"decision": decision})

    assert response.status_code == 422
    assert says in response.text


def test_last_decision_is_the_persons_own_about_one_photo_that_stands(
    library_of_ada: Account, curator_client: Client, grace: User, enqueued: Enqueued
):
    words, other, third = (waiting(library_of_ada) for _ in range(3))
    mine = workflow.approve(words, by=grace, version=1, changes={})
    workflow.approve(other, by=library_of_ada.owner, version=1, changes={})
    undone = workflow.reject(third, by=grace, version=1, reason="Other")
    curator_client.post(UNDO, {"decision": undone.pk})
    Decision.objects.create(account=library_of_ada, kind="approve", requested_by=grace)  # over a filter

    assert focus.last_decision(grace) == (mine.pk, words.photo.name)


def test_history_of_a_decision_is_told_with_its_card(curator_client: Client, library_of_ada: Account, grace: User):
    words = waiting(library_of_ada)
    workflow.approve(words, by=grace, version=1, changes={})

    page = curator_client.get(CARDS, {"of": words.photo_id}).text

    assert "<b>grace</b>" in page
    assert MetadataHistory.objects.filter(metadata=words).count() == 2
