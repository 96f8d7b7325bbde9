"""The pages and the API of publishing: what they show, whom they let press, and what they say."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from metadata import publish
from metadata.models import Change, ChangeSet
from metadata.queue import ReviewFilter
from smugmug import grants
from smugmug.models import Account
from tests.conftest import HTMX
from tests.factories import (
    AccountFactory,
    AIMetadataFactory,
    AlbumFactory,
    ChangeFactory,
    ChangeSetFactory,
    PhotoFactory,
)
from tests.metadata.conftest import count_queries

NEW, LIST = reverse("metadata:new_change_set"), reverse("metadata:change_sets")
API = reverse("api:list_change_sets")


@pytest.fixture
def library(library_of_ada: Account) -> Account:
    Account.objects.filter(pk=library_of_ada.pk).update(granted_permissions="Modify")
    library_of_ada.refresh_from_db()
    return library_of_ada


@pytest.fixture
def words(library: Account) -> Any:
    photo = PhotoFactory(album=AlbumFactory(account=library, title="Zoo"), keywords=["Beach"], caption="<b>Tom</b>")
    return AIMetadataFactory(photo=photo, approved=True, ai_tags=["beach", "cat"])


@pytest.fixture
def prepared(library: Account, words: Any) -> ChangeSet:
    rules = {"caption": "replace", "keywords": "append"}
    return publish.prepare(library, by=library.owner, filter=ReviewFilter(), rules=rules)


def url(name: str, change_set: ChangeSet) -> str:
    return reverse(f"metadata:{name}", args=[change_set.pk])


def test_new_change_set_leads_to_what_would_change(owner_client, library, words):
    response = owner_client.post(NEW, {"keywords": "append", "album": words.photo.album_id}, follow=True)

    change_set = ChangeSet.objects.get()
    assert response.redirect_chain == [(url("change_set", change_set), 302)]
    assert "All approved in “Zoo”" in response.text
    assert "1 keyword in all added to 1 picture" in response.text
    assert "<ins>cat</ins>" in response.text
    assert "Beach</span>" in response.text
    assert "&lt;b&gt;Tom" not in response.text
    assert (change_set.requested_by, change_set.total) == (library.owner, 1)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({}, "Choose at least one of caption, title and keywords"),
        ({"caption": "nonsense"}, "There is no such rule"),
        ({"caption": "empty", "after": "tomorrow"}, '<p class="wrong">Type a day as 2026-05-31.'),
    ],
)
def test_new_change_set_that_makes_no_sense_prepares_nothing(owner_client, library, data, sentence):
    response = owner_client.post(NEW, data)

    assert response.status_code == 422
    assert sentence in response.text
    assert not ChangeSet.objects.exists()


def test_new_change_set_of_a_strangers_album_is_not_there(owner_client, library):
    album = AlbumFactory()

    assert owner_client.post(NEW, {"caption": "empty", "album": album.pk}).status_code == 404
    assert not ChangeSet.objects.exists()


def test_new_change_set_with_two_libraries_asks_which(owner_client, library, ada):
    AccountFactory(owner=ada)

    response = owner_client.post(NEW, {"caption": "empty"})

    assert response.status_code == 422
    assert "Choose the library." in response.text


def test_change_set_shows_words_side_by_side_escaped_and_the_number_to_type(owner_client, prepared):
    page = owner_client.get(url("change_set", prepared)).text

    assert "&lt;" in page
    assert "<b>Tom</b>" not in page
    assert "1 picture gets a caption, in place of the caption that is there." in page
    assert 'name="number"' in page
    assert f'name="account" value="{prepared.account.nickname}"' in page


def test_change_set_without_the_permission_says_how_to_grant_it_and_has_no_arm_button(owner_client, prepared, library):
    grants.keep(library, may_change=False)

    page = owner_client.get(url("change_set", prepared)).text

    assert "Account Settings, Privacy, Authorized Services" in page
    assert url("arm_change_set", prepared) not in page


def test_change_set_that_was_stopped_shows_no_plan_as_if_it_had_been_written(owner_client, prepared):
    account = prepared.account
    publish.arm(prepared, by=account.owner, account=account.nickname, number=1)
    publish.cancel(prepared, by=account.owner)

    waits = owner_client.get(url("change_set", prepared)).text
    seen = Change.objects.get().seen
    Change.objects.update(state="writing", before=seen)
    halfway = owner_client.get(url("change_set", prepared)).text
    becomes, left = seen | {"caption": "A cat."}, seen | {"caption": "Somebody’s"}
    Change.objects.update(state="revert_conflict", after=becomes, put_back=left)
    kept = owner_client.get(url("change_set", prepared)).text

    assert "Not written: stopped before its turn" in waits
    assert "<ins>" not in waits
    assert "SmugMug is asked what became of it" in halfway
    assert "<ins>Somebody’s</ins>" in kept
    assert "A cat." not in kept


def test_change_set_pages_go_on_behind_the_last_picture(owner_client, library, monkeypatch):
    monkeypatch.setattr("metadata.views.publish.PICTURES_A_PAGE", 2)
    change_set = ChangeSetFactory(account=library)
    first, second, third = (ChangeFactory(change_set=change_set) for _ in range(3))

    page = owner_client.get(url("change_set", change_set)).text
    following = owner_client.get(url("change_set", change_set), {"after": second.pk}).text

    assert f"?after={second.pk}#pictures" in page
    assert [f'id="change-{row.pk}"' in page for row in (first, second, third)] == [True, True, False]
    assert [f'id="change-{row.pk}"' in following for row in (first, second, third)] == [False, False, True]


def test_change_set_takes_as_many_queries_for_three_pictures_as_for_one(owner_client, library):
    change_set = ChangeSetFactory(account=library)
    ChangeFactory(change_set=change_set)
    few = count_queries(owner_client, url("change_set", change_set))
    for _ in range(2):
        ChangeFactory(change_set=change_set)

    assert count_queries(owner_client, url("change_set", change_set)) == few


def test_list_takes_as_many_queries_for_three_as_for_one_and_shows_no_strangers(owner_client, library):
    ChangeSetFactory(account=library)
    few = count_queries(owner_client, LIST)
    strange = ChangeSetFactory()
    for _ in range(2):
        ChangeSetFactory(account=library)

    assert count_queries(owner_client, LIST) == few
    assert url("change_set", strange) not in owner_client.get(LIST).text


def test_leave_out_and_take_in_again(owner_client, prepared):
    row = Change.objects.get()

    owner_client.post(url("leave_out", prepared), {"out": row.pk})
    row.refresh_from_db()
    assert row.state == "left_out"
    owner_client.post(url("leave_out", prepared), {"take_in": row.pk})
    row.refresh_from_db()
    prepared.refresh_from_db()
    assert (row.state, prepared.total) == ("waiting", 1)


def test_arm_with_the_right_number_enqueues_and_shows_who(owner_client, prepared, enqueued):
    answer = owner_client.post(url("arm_change_set", prepared), {"account": prepared.account.nickname, "number": "1"})

    assert answer.status_code == 302
    assert enqueued == [("publish_changes", (str(prepared.pk),))]
    prepared.refresh_from_db()
    assert (prepared.armed_by, prepared.state) == ("user:ada", "queued")


@pytest.mark.parametrize(
    ("number", "sentence"), [("", "Type how many"), ("one", "in digits"), ("2", "1 picture would be changed, not 2.")]
)
def test_arm_with_a_wrong_number_arms_nothing(owner_client, prepared, enqueued, number, sentence):
    named = {"account": prepared.account.nickname, "number": number}

    response = owner_client.post(url("arm_change_set", prepared), named)

    assert response.status_code == 422
    assert sentence in response.text
    assert enqueued == []
    prepared.refresh_from_db()
    assert prepared.is_prepared


def test_arm_a_second_time_says_who_was_faster(owner_client, curator_client, prepared, enqueued):
    named = {"account": prepared.account.nickname, "number": "1"}
    curator_client.post(url("arm_change_set", prepared), named)

    response = owner_client.post(url("arm_change_set", prepared), named)

    assert response.status_code == 409
    assert "grace armed this on" in response.text
    assert len(enqueued) == 1


def test_pause_continue_stop(owner_client, library, enqueued):
    change_set = ChangeSetFactory(account=library, armed=True)
    states = []

    for name in ("pause_publishing", "continue_publishing", "cancel_publishing"):
        owner_client.post(url(name, change_set))
        change_set.refresh_from_db()
        states.append(change_set.state)

    assert states == ["paused", "queued", "cancelled"]
    assert enqueued == [("publish_changes", (str(change_set.pk),))]


def test_change_set_under_way_polls_its_card_alone(owner_client, library):
    change_set = ChangeSetFactory(account=library, armed=True, total=4, done=1)

    card = owner_client.get(url("change_set", change_set), headers=HTMX).text

    assert card.startswith('<section class="run"')
    assert "Writing to 4 pictures on SmugMug" in card
    assert "1 of 4" in card


def test_activity_lists_armed_change_sets_and_no_prepared_ones(owner_client, library):
    ChangeSetFactory(account=library, total=7)
    ChangeSetFactory(account=library, armed=True, state="partial", total=4, done=4, written=3, conflicts=1)

    page = owner_client.get(reverse("metadata:activity"), {"kind": "publish"}).text

    assert "3 pictures written to SmugMug" in page
    assert "1 left: changed meanwhile" in page
    assert "7 pictures" not in page


def test_check_grant_asks_smugmug_and_changes_nothing(account, smugmug, owner_client):
    check = reverse("metadata:check_grant", args=[account.nickname])
    photo = smugmug.library.albums[0].photos[0]
    PhotoFactory(album__account=account, image_key=photo.key, image_id=f"{photo.key}-{photo.serial}")
    before = (photo.caption, photo.title, list(photo.keywords), photo.updated)

    owner_client.post(check)
    account.refresh_from_db()
    assert account.granted_permissions == "Read"

    token, secret = smugmug.grant("Full", "Modify")
    Account.objects.filter(pk=account.pk).update(oauth_token=token, oauth_token_secret=secret)
    owner_client.post(check)
    account.refresh_from_db()
    assert account.granted_permissions == "Modify"
    assert (photo.caption, photo.title, list(photo.keywords), photo.updated) == before


# --- The API


def send(client: Client, address: str, body: Any) -> Any:
    return client.post(address, *([body] if body else []), content_type="application/json")


def test_api_prepares_shows_arms_and_stops(owner_client, library, words, enqueued):
    made = send(owner_client, API, {"keywords": "append"})
    job = made.json()["job"]

    assert made.status_code == 201
    assert (made.json()["stage"], made.json()["number"], made.json()["planned"]["keywords_added"]) == ("prepared", 1, 1)
    changes = owner_client.get(made.json()["changes_url"]).json()
    assert (changes["items"][0]["add"], changes["next"]) == (["cat"], None)
    assert changes["items"][0]["seen"]["keywords"] == ["Beach"]
    assert enqueued == []

    wrong = send(owner_client, f"{API}/{job}/arm", {"account": library.nickname, "number": 5})
    armed = send(owner_client, f"{API}/{job}/arm", {"account": library.nickname, "number": 1})
    again = send(owner_client, f"{API}/{job}/arm", {"account": library.nickname, "number": 1})

    assert (wrong.status_code, armed.status_code, again.status_code) == (422, 202, 409)
    assert armed.json()["armed_by"] == "user:ada"
    assert again.json()["detail"].startswith("ada armed this on")
    assert enqueued == [("publish_changes", (job,))]
    assert [
        send(owner_client, f"{API}/{job}/{act}", None).status_code for act in ("pause", "pause", "resume", "cancel")
    ] == [
        200,
        409,
        200,
        200,
    ]
    assert send(owner_client, f"{API}/{job}/revert", {"account": library.nickname, "number": 1}).status_code == 422


def test_api_never_prepares_what_is_not_approved(owner_client, library, words):
    assert send(owner_client, API, {"caption": "replace", "status": "all"}).status_code == 422
    assert send(owner_client, API, {}).status_code == 422
    assert not ChangeSet.objects.exists()
