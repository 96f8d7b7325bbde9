"""Review: one photo after the other, errors beside the field, and nothing typed is lost."""

from __future__ import annotations

import datetime
import itertools
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from metadata import bulk, workflow
from metadata.models import AIMetadata, Decision, MetadataHistory
from metadata.queue import ReviewFilter
from smugmug.models import Account
from tests.factories import AIMetadataFactory, AlbumFactory, PhotoFactory, UserFactory
from tests.metadata.conftest import count_queries

pytestmark = pytest.mark.django_db

REVIEW = "/review/"
BEHIND = {"behind": "1"}  # what a page that went on already sends along
NOON = datetime.datetime(2026, 5, 31, 12)
Enqueued = list[tuple[str, tuple[Any, ...]]]


MINUTES = itertools.count()


def waiting(account: Account, **fields: Any) -> AIMetadata:
    """Words of a photo in the account that wait for review, taken a minute after the one before."""
    photo = {name.removeprefix("photo__"): fields.pop(name) for name in list(fields) if name.startswith("photo__")}
    photo.setdefault("date_taken", NOON + datetime.timedelta(minutes=next(MINUTES)))
    return AIMetadataFactory(photo=PhotoFactory(album=AlbumFactory(account=account), **photo), described=True, **fields)


def approve_url(words: AIMetadata) -> str:
    return reverse("metadata:approve", args=[words.pk])


def reject_url(words: AIMetadata) -> str:
    return reverse("metadata:reject", args=[words.pk])


def typed(words: AIMetadata, **changes: Any) -> dict[str, Any]:
    """What the form sends when nothing but `changes` is touched."""
    return {
        "version": words.version,
        "title": words.ai_title,
        "description": words.ai_description,
        "alt_text": words.ai_alt_text,
        "tags": ", ".join(words.ai_tags),
        "categories": words.ai_categories,
        **changes,
    }


def unchanged(words: AIMetadata) -> bool:
    """Whether the words stand as they were made, with the AI's answer as their only step."""
    now = AIMetadata.objects.get(pk=words.pk)
    steps = list(MetadataHistory.objects.filter(metadata=words).values_list("source", flat=True))
    return (now.words, now.version, now.review_status, steps) == (words.words, 1, "unreviewed", ["ai"])


# --- Who may -----------------------------------------------------------------------------------------------


def test_review_signed_out_goes_to_sign_in(client: Client):
    response = client.get(REVIEW)

    assert (response.status_code, response["Location"]) == (302, "/sign-in/?next=/review/")


@pytest.mark.parametrize("url", [approve_url, reject_url])
def test_decide_signed_out_is_answered_with_the_sign_in_page_and_changes_nothing(
    client: Client, library_of_ada: Account, url: Any, enqueued: Enqueued
):
    words = waiting(library_of_ada)

    response = client.post(url(words), typed(words, reason="Other"))

    assert response.status_code == 401
    assert 'name="unsent"' in response.text
    assert unchanged(words)


def test_review_as_a_stranger_shows_nothing_of_the_library(stranger_client: Client, library_of_ada: Account):
    words = waiting(library_of_ada, ai_description="A secret of ada's.")

    response = stranger_client.get(REVIEW)

    assert response.context["photo"] is None
    assert "A secret of ada&#x27;s." not in response.text
    assert stranger_client.get(f"{REVIEW}?photo={words.photo_id}").status_code == 404


@pytest.mark.parametrize("url", [approve_url, reject_url])
def test_decide_as_a_stranger_is_404_and_changes_nothing(
    stranger_client: Client, library_of_ada: Account, url: Any, enqueued: Enqueued
):
    words = waiting(library_of_ada)

    response = stranger_client.post(url(words), typed(words, description="Mine.", reason="Other"))

    assert response.status_code == 404
    assert unchanged(words)
    assert enqueued == []


@pytest.mark.parametrize("url", [approve_url, reject_url])
def test_decide_as_a_viewer_is_403_and_changes_nothing(
    viewer_client: Client, library_of_ada: Account, url: Any, enqueued: Enqueued
):
    words = waiting(library_of_ada)

    response = viewer_client.post(url(words), typed(words, description="Mine.", reason="Other"))

    assert response.status_code == 403
    assert unchanged(words)
    assert enqueued == []


def test_review_as_a_viewer_has_nothing_to_decide(viewer_client: Client, library_of_ada: Account):
    words = waiting(library_of_ada)

    assert viewer_client.get(REVIEW).context["photo"] is None
    assert viewer_client.get(f"{REVIEW}?photo={words.photo_id}").status_code == 403


def test_decide_by_get_is_not_possible(curator_client: Client, library_of_ada: Account):
    words = waiting(library_of_ada)

    assert curator_client.get(approve_url(words)).status_code == 405
    assert curator_client.get(reject_url(words)).status_code == 405
    assert unchanged(words)


# --- The page ----------------------------------------------------------------------------------------------


def test_review_shows_the_oldest_words_that_wait_in_a_form(curator_client: Client, library_of_ada: Account):
    first = waiting(library_of_ada, photo__title="First", photo__caption="Their caption", photo__keywords=["theirs"])
    waiting(library_of_ada, photo__title="Second")

    response = curator_client.get(REVIEW)

    assert response.context["words"] == first
    assert ">A grey cat on a wall.</textarea>" in response.text
    assert 'value="cat, grey"' in response.text
    assert re.search(r'value="Animals"[^>]*checked', response.text)
    assert f'name="version" value="{first.version}"' in response.text
    assert "Their caption" in response.text
    assert "theirs" in response.text
    assert "confidence 0.80" in response.text
    assert "fake-1" in response.text


def test_review_lists_only_what_the_person_may_decide_on(curator_client: Client, library_of_ada: Account):
    mine = [waiting(library_of_ada) for _ in range(3)]
    AIMetadataFactory(described=True)

    response = curator_client.get(REVIEW)

    shown = [response.context["photo"], *response.context["upcoming"]]
    assert [photo.pk for photo in shown] == [words.photo_id for words in mine]


def test_review_leaves_out_what_does_not_wait(curator_client: Client, library_of_ada: Account):
    album = AlbumFactory(account=library_of_ada)
    for traits in ({"approved": True}, {"failed": True}, {}, {"described": True, "review_status": "rejected"}):
        AIMetadataFactory(photo=PhotoFactory(album=album), **traits)
    waiting(library_of_ada, photo__removed_at="2026-01-01T00:00Z")

    response = curator_client.get(REVIEW)

    assert response.context["photo"] is None


def test_review_of_a_decided_photo_says_what_was_decided(curator_client: Client, library_of_ada: Account):
    words = AIMetadataFactory(photo=PhotoFactory(album=AlbumFactory(account=library_of_ada)), approved=True)

    response = curator_client.get(f"{REVIEW}?photo={words.photo_id}")

    assert '<span class="chip on">Approved by grace</span>' in response.text
    assert response.context["words"] == words


@pytest.mark.parametrize("photo", ["nonsense", "00000000-0000-4000-8000-000000000000", "\x00"])
def test_review_of_a_photo_that_is_not_there_is_404(curator_client: Client, photo: str):
    assert curator_client.get(REVIEW, {"photo": photo}).status_code == 404


def test_review_takes_as_many_queries_for_three_photos_as_for_one(curator_client: Client, library_of_ada: Account):
    waiting(library_of_ada)
    waiting(library_of_ada)
    few = count_queries(curator_client, REVIEW)
    for _ in range(3):
        waiting(library_of_ada)
    AIMetadataFactory(described=True)

    assert count_queries(curator_client, REVIEW) == few


def test_review_escapes_what_others_wrote(curator_client: Client, library_of_ada: Account):
    evil = "<script>alert(1)</script>"
    waiting(
        library_of_ada, photo__title=evil, photo__caption=evil, photo__keywords=[evil], ai_title=evil,
        ai_description=f"</textarea>{evil}", ai_alt_text=f'">{evil}', ai_tags=[f'">{evil}'], model=evil,
    )  # fmt: skip

    page = curator_client.get(REVIEW).text

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert page.count("</textarea>") == page.count("<textarea")


def test_review_with_history_tells_who_said_what(curator_client: Client, library_of_ada: Account, enqueued: Enqueued):
    words = waiting(library_of_ada)
    changes = {"ai_description": "A red cat on a wall."}
    workflow.edit(words, by=UserFactory(username="ada2"), version=1, changes=changes)

    page = curator_client.get(REVIEW).text

    assert "<b>ada2</b>" in page
    assert "<b>fake-1</b>" in page
    assert "A<del> grey</del><ins> red</ins> cat on a wall." in page


@pytest.mark.parametrize(
    ("described", "undescribed", "says"),
    [
        (1, 0, "Every one of the 1 described photos has been decided"),
        (1, 2, "2 photos have no words yet"),
        (0, 1, "1 photo has no words yet"),
        (0, 0, "Once the library is here and described"),
    ],
)
def test_review_with_nothing_waiting_says_what_to_do_next(
    curator_client: Client, library_of_ada: Account, described: int, undescribed: int, says: str
):
    album = AlbumFactory(account=library_of_ada)
    for _ in range(described):
        AIMetadataFactory(photo=PhotoFactory(album=album), approved=True)
    for _ in range(undescribed):
        PhotoFactory(album=album)
    PhotoFactory()  # somebody else's

    page = curator_client.get(REVIEW).text

    assert says in page
    assert "<textarea" not in page


# --- Approve -----------------------------------------------------------------------------------------------


def test_approve_goes_on_to_the_next(curator_client: Client, library_of_ada: Account, enqueued: Enqueued):
    first, second, third = (waiting(library_of_ada) for _ in range(3))

    response = curator_client.post(approve_url(second), typed(second))

    assert (response.status_code, response["Location"]) == (302, f"{REVIEW}?photo={third.photo_id}")
    second.refresh_from_db()
    assert (second.review_status, second.approved_by, second.version) == ("approved", "user:grace", 2)
    assert unchanged(first)
    assert unchanged(third)
    assert enqueued == []


def test_approve_the_last_goes_back_to_those_that_were_skipped(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    first, last = waiting(library_of_ada), waiting(library_of_ada)

    response = curator_client.post(approve_url(last), typed(last))

    assert response["Location"] == f"{REVIEW}?photo={first.photo_id}"


def test_approve_the_only_one_says_that_all_is_done(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    words = waiting(library_of_ada, photo__title="Tom")

    response = curator_client.post(approve_url(words), typed(words), follow=True)

    assert response.redirect_chain == [(REVIEW, 302)]
    assert "“Tom” is approved." in response.text
    assert "All caught up" in response.text


def test_approve_with_edits_saves_them_under_the_curators_name(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    words = waiting(library_of_ada)
    edits = {
        "title": "Tom",
        "description": " Tom sleeps. ",
        "tags": "Tom,  sleeping cat, tom,",
        "categories": ["Animals", "Objects"],
    }

    curator_client.post(approve_url(words), typed(words, **edits))

    words.refresh_from_db()
    assert (words.ai_title, words.ai_description) == ("Tom", "Tom sleeps.")
    assert words.ai_tags == ["Tom", "sleeping cat"]
    assert words.ai_categories == ["Animals", "Objects"]
    step = words.history.get(version=2)
    assert (step.changed_by, step.previous_description) == ("user:grace", "A grey cat on a wall.")
    assert words.history.get(version=1).new_description == "A grey cat on a wall."
    assert enqueued == [("embed_photo", (str(words.photo_id),))]


def test_approve_behind_a_page_says_what_came_of_it_and_shows_nothing(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    first, second = waiting(library_of_ada, photo__title="One"), waiting(library_of_ada, photo__title="Two")

    response = curator_client.post(approve_url(first), typed(first, **BEHIND))

    decision = Decision.objects.get(photo=first)
    assert response.status_code == 200
    answer = response.json()
    assert (answer["said"], answer["undo"]) == ("“One” is approved.", str(decision.pk))
    assert '<span class="count" id="waiting-count">1<' in answer["waiting"]
    assert "card" not in answer
    assert unchanged(second)
    assert "is approved" not in curator_client.get(REVIEW).text  # and nothing is left over for the next page to say


@pytest.mark.parametrize("url", [approve_url, reject_url])
def test_decide_from_a_page_of_somebody_who_was_signed_in_before_is_403_and_changes_nothing(
    curator_client: Client, library_of_ada: Account, url: Any, enqueued: Enqueued
):
    words = waiting(library_of_ada)
    sent = {**typed(words, description="Mine."), "reason": "Other", **BEHIND}

    response = curator_client.post(url(words), {**sent, "by": library_of_ada.owner.pk})

    assert response.status_code == 403
    assert unchanged(words)
    assert Decision.objects.count() == 0
    grace = library_of_ada.memberships.get(user__username="grace").user
    assert curator_client.post(url(words), {**sent, "by": grace.pk}).status_code == 200


@pytest.mark.parametrize("extra", [{}, BEHIND])
def test_approve_sent_twice_is_done_once_and_blames_nobody(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued, extra: dict[str, str]
):
    words = waiting(library_of_ada)
    sent = typed(words, description="Mine.", **extra)
    first = curator_client.post(approve_url(words), sent)

    second = curator_client.post(approve_url(words), sent)

    assert second.status_code == first.status_code != 409
    assert Decision.objects.count() == 1
    assert words.history.count() == 2
    if extra:
        assert second.json()["undo"] == first.json()["undo"] == str(Decision.objects.get().pk)


def test_approve_what_ones_own_decision_over_many_has_approved_names_no_other_decision_to_undo(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    words = waiting(library_of_ada)
    grace = User.objects.get(username="grace")
    bulk.decide(library_of_ada, by=grace, kind="approve", filter=ReviewFilter())

    response = curator_client.post(approve_url(words), typed(words, **BEHIND))

    assert response.status_code == 409
    assert "undo" not in response.json()
    assert Decision.objects.count() == 1


def test_approve_untouched_words_that_a_form_cannot_say_keeps_them_to_the_letter(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    stands = {"ai_tags": ["Baker, Ada", "cat"], "ai_description": "One.\nTwo.", "ai_categories": ["People", "Animals"]}
    words = waiting(library_of_ada, **stands)
    sent = typed(words, description="One.\r\nTwo.", categories=["Animals", "People"])

    curator_client.post(approve_url(words), sent)

    now = AIMetadata.objects.get(pk=words.pk)
    assert (now.words, now.review_status) == (words.words, "approved")
    assert words.history.get(version=2).change_reason == "approved"
    assert Decision.objects.get().params == {}
    assert enqueued == []


def test_approve_the_same_words_as_somebody_else_did_before_is_a_lost_race(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    words = waiting(library_of_ada)
    sent = typed(words)
    workflow.approve(words, by=library_of_ada.owner, version=1, changes={})

    response = curator_client.post(approve_url(words), sent)

    assert response.status_code == 409
    assert AIMetadata.objects.get(pk=words.pk).approved_by == "user:ada"


@pytest.mark.parametrize("extra", [{}, BEHIND])
@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("description", "", "Write a description."),
        ("description", " \n ", "Write a description."),
        ("description", "x" * 100_000, "at most 5000 characters (it has 100000)"),
        ("description", "nul \x00 inside", "Null characters are not allowed."),
        ("title", "t" * 201, "at most 200 characters"),
        ("alt_text", "a" * 251, "at most 250 characters"),
        ("tags", ", ".join(f"tag{number}" for number in range(51)), "These are 51 tags; at most 50 fit."),
        ("tags", "l" * 61, "is longer than 60 characters."),
        ("categories", ["No such thing"], "No such thing is not one of the available choices."),
    ],
)
def test_approve_with_a_mistake_shows_it_beside_the_field_and_keeps_the_rest(
    curator_client: Client,
    library_of_ada: Account,
    enqueued: Enqueued,
    field: str,
    value: Any,
    error: str,
    extra: dict[str, str],
):
    words = waiting(library_of_ada)
    mine = {"title": "My own title", field: value}

    response = curator_client.post(approve_url(words), typed(words, **mine, **extra))

    assert response.status_code == 422
    page = response.json()["card"] if extra else response.text
    form = response.context["card"].form
    assert list(form.errors) == [field]
    assert error in form.errors[field][0]
    assert page.count('class="errorlist"') == 1
    assert ">My own title</textarea>" in page or field == "title"
    if isinstance(value, str) and value.strip():
        assert value in page
    if extra:
        assert error in response.json()["said"]
        assert "<html" not in page
    assert unchanged(words)
    assert enqueued == []


def test_approve_with_half_a_character_is_refused(curator_client: Client, library_of_ada: Account, enqueued: Enqueued):
    words = waiting(library_of_ada)
    fields = typed(words, description="+2AA-")  # UTF-7 for one half of a surrogate pair
    body = "".join(
        f'--cut\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
        if name != "categories"
    )

    response = curator_client.generic(
        "POST",
        approve_url(words),
        f"{body}--cut--\r\n".encode(),
        content_type="multipart/form-data; boundary=cut; charset=utf-7",
    )

    assert response.status_code == 400
    assert unchanged(words)


@pytest.mark.parametrize("version", ["", "x", "-1", str(2**31), "1.5", "9" * 5_000])
def test_approve_with_a_version_that_is_none_changes_nothing(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued, version: str
):
    words = waiting(library_of_ada)

    response = curator_client.post(approve_url(words), typed(words, version=version, description="My text"))

    assert response.status_code == 422
    assert ">My text</textarea>" in response.text
    assert unchanged(words)
    assert enqueued == []


def test_approve_without_a_version_changes_nothing(curator_client: Client, library_of_ada: Account, enqueued: Enqueued):
    words = waiting(library_of_ada)
    fields = typed(words, description="My text")
    del fields["version"]

    response = curator_client.post(approve_url(words), fields)

    assert response.status_code == 422
    assert unchanged(words)


@pytest.mark.parametrize("extra", [{}, BEHIND])
def test_approve_when_somebody_was_faster_says_who_and_keeps_the_text(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued, extra: dict[str, str]
):
    words = waiting(library_of_ada)
    mine = typed(words, description="My <own> text", tags="mine")
    workflow.approve(words, by=library_of_ada.owner, version=1, changes={"ai_description": "Hers."})
    queued = list(enqueued)

    response = curator_client.post(approve_url(words), {**mine, **extra})

    assert response.status_code == 409
    page = response.json()["card"] if extra else response.text
    assert "ada was faster: the photo is now “approved”, with “Hers.” Your text was not saved." in page
    assert ">My &lt;own&gt; text</textarea>" in page
    assert 'value="mine"' in page
    assert 'name="version" value="2"' in page  # the next press overrules knowingly
    words = AIMetadata.objects.get(pk=words.pk)
    assert (words.ai_description, words.approved_by, words.version) == ("Hers.", "user:ada", 2)
    assert words.history.count() == 2
    assert enqueued == queued
    assert Decision.objects.count() == 1


def test_approve_after_a_lost_race_overrules_knowingly(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    words = waiting(library_of_ada)
    mine = typed(words, description="Mine.")
    workflow.approve(words, by=library_of_ada.owner, version=1, changes={"ai_description": "Hers."})
    curator_client.post(approve_url(words), mine)

    curator_client.post(approve_url(words), {**mine, "version": 2})

    words = AIMetadata.objects.get(pk=words.pk)
    assert (words.ai_description, words.approved_by, words.version) == ("Mine.", "user:grace", 3)
    assert words.history.get(version=3).previous_description == "Hers."
