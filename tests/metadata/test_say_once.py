"""Say it once: which edits replace a word, where else it stands, and one decision for all of them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from metadata import bulk, queue, say_once
from metadata.models import AIMetadata, Decision
from smugmug.models import Account
from tests.conftest import HTMX
from tests.factories import AccountFactory, AIMetadataFactory, AlbumFactory, PhotoFactory

Enqueued = list[tuple[str, tuple[Any, ...]]]

OFFER = "/review/say-once/offer"
DO = "/review/say-once"
WORD = Decision.Kind.REPLACE_WORD
LEOPARD = "A leopard sleeps in a tree. The leopard is old."


def words(description: str, title: str = "", alt_text: str = "", tags: tuple[str, ...] = ()) -> dict[str, Any]:
    found = {"ai_title": title, "ai_description": description, "ai_alt_text": alt_text, "ai_tags": list(tags)}
    return {**found, "ai_categories": []}


# --- Which edits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "pair"),
    [
        ("A leopard in a tree.", "A cheetah in a tree.", ("leopard", "cheetah")),
        (LEOPARD, LEOPARD.replace("leopard", "cheetah"), ("leopard", "cheetah")),
        ("Leopard, a leopard.", "Cheetah, a cheetah.", ("leopard", "cheetah")),
        ("Leopards.", "Cats.", ("Leopards", "Cats")),
        ("Ein Löwe schläft.", "Ein Tiger schläft.", ("Löwe", "Tiger")),
        ("A leopard.", "A leopard.", None),
        ("A leopard.", "A big leopard.", None),
        ("A leopard.", "A snow leopardess cub.", None),
        ("A leopard.", "A.", None),
        ("A leopard in a tree.", "A cheetah in a bush.", None),
        ("A cat in a tree.", "A dog in a tree.", ("cat", "dog")),
        ("Cat and dog.", "Cat or dog.", None),
        ("The cat.", "Her cat.", None),
        ("An ox.", "An elk.", None),
        ("A leopard.", "A Leopard.", None),
        ("In 2019 here.", "In 2020 here.", None),
        ("A leopard", "A leopard.", None),
        ("", "A leopard.", None),
    ],
)
def test_replaced_word_is_one_for_one_and_long_enough(before: str, after: str, pair: tuple[str, str] | None):
    assert say_once.replaced_word(words(before), words(after)) == pair


def test_replaced_word_may_stand_in_several_texts():
    before = words("A leopard sleeps.", title="Leopard", alt_text="Sleeping leopard", tags=("leopard",))
    after = words("A cheetah sleeps.", title="Cheetah", alt_text="Sleeping cheetah", tags=("cheetah",))

    assert say_once.replaced_word(before, after) == ("leopard", "cheetah")
    assert say_once.replaced_word(before, {**after, "ai_title": "Lion"}) is None


@pytest.mark.parametrize(
    ("before", "after", "pair"),
    [
        (("snow leopard", "snow"), ("cheetah", "snow"), ("snow leopard", "cheetah")),
        (("cat",), ("Cat",), None),
        (("cat", "dog"), ("owl", "ox"), None),
        (("cat",), ("cat", "dog"), None),
        (("cat", "dog"), ("cat",), None),
    ],
)
def test_replaced_tag_is_one_for_one_other(
    before: tuple[str, ...], after: tuple[str, ...], pair: tuple[str, str] | None
):
    assert say_once.replaced_tag(words("", tags=before), words("", tags=after)) == pair


# --- Where else --------------------------------------------------------------------------------------------


def described(account: Account, description: str, **fields: Any) -> AIMetadata:
    photo = PhotoFactory(album=AlbumFactory(account=account))
    return AIMetadataFactory(photo=photo, described=True, ai_description=description, **fields)


@pytest.fixture
def leopards(library_of_ada: Account) -> list[AIMetadata]:
    """Three that wait and hold the word; others hold it and do not count."""
    found = [described(library_of_ada, text) for text in (LEOPARD, "LEOPARD!", "Leopard.")]
    described(library_of_ada, "Leopards are cats.")
    described(library_of_ada, LEOPARD, approved=True)
    described(AccountFactory(), LEOPARD)
    return found


def offer_of(library: Account, **changes: str) -> dict[str, str]:
    return {"account": library.nickname, "old": "leopard", "new": "cheetah", **changes}


def test_offer_counts_what_waits_in_this_library_with_that_word(library_of_ada: Account, leopards: list[AIMetadata]):
    found = say_once.offer(library_of_ada, WORD, "leopard", "cheetah")

    assert (found.count, found.is_capped) == (3, False)


def test_offer_counts_no_further_than_it_tells(
    library_of_ada: Account, leopards: list[AIMetadata], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queue, "COUNT_TO", 2)

    with CaptureQueriesContext(connection) as queries:
        found = say_once.offer(library_of_ada, WORD, "leopard", "cheetah")
        say_once.offer(library_of_ada, WORD, "Leopard", "Cheetah")

    assert (found.count, found.is_capped) == (2, True)
    assert len([query for query in queries if "LIMIT 3" in query["sql"]]) == 1


def test_offer_page_says_how_many_and_has_a_button(
    owner_client: Client, library_of_ada: Account, leopards: list[AIMetadata]
):
    page = owner_client.get(OFFER, offer_of(library_of_ada))
    part = owner_client.get(OFFER, offer_of(library_of_ada), headers=HTMX)

    for response in (page, part):
        assert '<b>leopard</b> → <b>cheetah</b>: <span class="num">3</span> more' in response.text
        assert "Replace it in all of them" in response.text
    assert "<html" not in part.text


def test_offer_of_one_photo_speaks_of_one(owner_client: Client, library_of_ada: Account, leopards: list[AIMetadata]):
    AIMetadata.objects.filter(pk__in=[each.pk for each in leopards[1:]]).update(review_status="rejected")

    page = owner_client.get(OFFER, offer_of(library_of_ada)).text

    assert "1</span> more waits with that word." in page
    assert "Replace it in that one" in page


def test_offer_of_a_word_that_stands_nowhere_else_is_empty(owner_client: Client, library_of_ada: Account):
    page = owner_client.get(OFFER, offer_of(library_of_ada))
    part = owner_client.get(OFFER, offer_of(library_of_ada), headers=HTMX)

    assert "No other photo" in page.text
    assert "Replace it" not in page.text
    assert part.text.strip() == ""


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("old", "", "Type the word that is wrong."),
        ("old", "at", "A word of fewer than three letters"),
        ("old", "The", "“The” stands in too many sentences."),
        ("old", "two words", "Type one word, of letters alone."),
        ("old", "a.*b|c", "Type one word, of letters alone."),
        ("old", "x" * 61, "at most 60 characters"),
        ("new", "", "Type the word that is right."),
        ("new", "<b>", "Type one word, of letters alone."),
        ("new", "a\x00b", "Null characters are not allowed."),
        ("account", "", "Choose a library."),
    ],
)
def test_say_once_with_nonsense_says_what_is_wrong_with_it(
    owner_client: Client, library_of_ada: Account, leopards: list[AIMetadata], field: str, value: str, sentence: str
):
    data = offer_of(library_of_ada, **{field: value})

    for response in (owner_client.get(OFFER, data), owner_client.post(DO, data)):
        assert response.status_code == 422
        assert sentence in response.text
    assert not Decision.objects.exists()


# --- One decision ------------------------------------------------------------------------------------------


def test_say_it_replaces_the_word_in_all_that_wait_as_one_decision(
    curator_client: Client, library_of_ada: Account, leopards: list[AIMetadata], enqueued: Enqueued, ada: Any
):
    response = curator_client.post(DO, offer_of(library_of_ada))

    decision = Decision.objects.get()
    assert response.url == f"/review/decisions/{decision.pk}/"
    assert (decision.kind, decision.params) == ("replace_word", {"old": "leopard", "new": "cheetah"})
    assert (decision.changed, decision.requested_by.username) == (3, "grace")
    texts = [AIMetadata.objects.get(pk=each.pk).ai_description for each in leopards]
    assert texts == ["A cheetah sleeps in a tree. The cheetah is old.", "CHEETAH!", "Cheetah."]
    assert AIMetadata.objects.filter(ai_description=LEOPARD).count() == 2
    assert AIMetadata.objects.filter(review_status="approved").count() == 1

    bulk.undo(decision, by=ada)

    assert AIMetadata.objects.get(pk=leopards[0].pk).ai_description == LEOPARD


@pytest.mark.parametrize(
    ("stood_on", "is_decision"), [("/review/?photo=x", False), (f"{OFFER}?old=leopard", True), ("", True)]
)
def test_say_it_goes_back_to_the_photo_where_it_was_offered(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued, stood_on: str, is_decision: bool
):
    where = {"Referer": f"http://testserver{stood_on}"} if stood_on else {}
    data = {"account": library_of_ada.nickname, "old": "leopard", "new": "cheetah"}

    response = curator_client.post(DO, data, headers=where)

    decision = Decision.objects.get()
    assert response["Location"] == (
        f"/review/decisions/{decision.pk}/" if is_decision else f"http://testserver{stood_on}"
    )


def test_say_it_for_a_library_that_is_not_ours_is_refused(
    stranger_client: Client, viewer_client: Client, library_of_ada: Account, leopards: list[AIMetadata]
):
    data = offer_of(library_of_ada)

    for client, status in ((stranger_client, 404), (viewer_client, 403)):
        assert client.post(DO, data).status_code == status
        assert client.get(OFFER, data).status_code == status
    assert not Decision.objects.exists()


# --- From an edit to the offer -----------------------------------------------------------------------------


def approve(client: Client, row: AIMetadata, description: str) -> Any:
    data = {"version": row.version, "description": description, "title": row.ai_title, "alt_text": row.ai_alt_text}
    data |= {"tags": ", ".join(row.ai_tags), "categories": row.ai_categories}
    return client.post(f"/review/{row.pk}/approve", data, follow=True)


def test_approve_with_a_replaced_word_offers_it_on_the_next_page(
    owner_client: Client, library_of_ada: Account, leopards: list[AIMetadata], enqueued: Enqueued
):
    response = approve(owner_client, leopards[0], LEOPARD.replace("leopard", "cheetah"))

    url = f"{OFFER}?account={library_of_ada.nickname}&amp;old=leopard&amp;new=cheetah"
    assert "You wrote <b>cheetah</b> for <b>leopard</b>." in response.text
    assert f'hx-get="{url}"' in response.text
    assert f'<a href="{url}">' in response.text
    assert '<div id="offer" aria-live="polite">' in response.text  # what comes later is announced
    assert not Decision.objects.filter(kind="replace_word").exists()


def test_approve_without_a_replaced_word_offers_nothing(
    owner_client: Client, leopards: list[AIMetadata], enqueued: Enqueued
):
    response = approve(owner_client, leopards[0], f"{LEOPARD} It dreams.")

    assert 'class="say-once"' not in response.text


@pytest.mark.parametrize("end", ["dismiss", "do"])
def test_offer_goes_when_it_is_taken_or_put_away(
    owner_client: Client, library_of_ada: Account, leopards: list[AIMetadata], enqueued: Enqueued, end: str
):
    approve(owner_client, leopards[0], LEOPARD.replace("leopard", "cheetah"))
    assert 'class="say-once"' in owner_client.get("/review/").text

    owner_client.post(f"{DO}/dismiss" if end == "dismiss" else DO, offer_of(library_of_ada))

    assert 'class="say-once"' not in owner_client.get("/review/").text
    assert Decision.objects.filter(kind="replace_word").exists() is (end == "do")


def test_dismiss_for_htmx_leaves_nothing_in_the_place_of_the_offer(owner_client: Client):
    response = owner_client.post(f"{DO}/dismiss", headers=HTMX)

    assert (response.status_code, response.text) == (200, "")


# --- Tags ----------------------------------------------------------------------------------------------------


def test_approve_with_a_tag_replaced_offers_it_for_the_others_and_replaces_that_tag_alone(
    owner_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    first, other = (described(library_of_ada, "On snow.", ai_tags=["snow leopard", "snow"]) for _ in range(2))
    sent = {"version": 1, "title": first.ai_title, "description": "On snow.", "alt_text": first.ai_alt_text}
    tagged = {"tags": "cheetah, snow", "categories": first.ai_categories}

    owner_client.post(f"/review/{first.pk}/approve", {**sent, **tagged})
    kept = owner_client.session["say_once"]
    page = owner_client.get(kept["url"])
    owner_client.post(DO, {"account": library_of_ada.nickname, "what": "tag", "old": kept["old"], "new": kept["new"]})

    assert (kept["old"], kept["new"]) == ("snow leopard", "cheetah")
    assert '<span class="num">1</span> more waits with that tag' in page.text
    other.refresh_from_db()
    assert (other.ai_tags, other.ai_description) == (["cheetah", "snow"], "On snow.")
    assert Decision.objects.get(photo=None).kind == Decision.Kind.REPLACE_TAG
    assert "say_once" not in owner_client.session


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"old": ""}, "Type a tag."),
        ({"new": "one, two"}, "One tag at a time"),
        ({"new": "Snow Leopard"}, "That is the same tag."),
    ],
)
def test_say_it_of_a_tag_with_a_mistake_says_so_and_decides_nothing(
    owner_client: Client, library_of_ada: Account, changes: dict[str, str], sentence: str
):
    asked = {"account": library_of_ada.nickname, "what": "tag", "old": "snow leopard", "new": "cheetah", **changes}

    response = owner_client.post(DO, asked)

    assert response.status_code == 422
    assert sentence in response.text
    assert not Decision.objects.exists()
