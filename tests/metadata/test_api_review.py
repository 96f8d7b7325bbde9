"""Review for programs: the queue, decisions on one photo and on all that match, and the way back."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from metadata import bulk, workflow
from metadata.models import AIMetadata, Decision, MetadataHistory
from metadata.queue import ReviewFilter
from tests.conftest import together
from tests.factories import AIMetadataFactory, AlbumFactory, PhotoFactory, UserFactory
from tests.metadata.conftest import count_queries
from tests.targetvision.test_api import post, problem

API = "/api/review"
DECISIONS = f"{API}/decisions"


@pytest.fixture
def words(library_of_ada: Any) -> AIMetadata:
    row: AIMetadata = AIMetadataFactory(photo__album=AlbumFactory(account=library_of_ada), described=True)
    return row


def another(words: AIMetadata, **kwargs: Any) -> AIMetadata:
    row: AIMetadata = AIMetadataFactory(photo__album=words.photo.album, described=True, **kwargs)
    return row


def url(words: AIMetadata, verb: str = "") -> str:
    return f"{API}/photos/{words.photo_id}{verb and '/'}{verb}"


def steps(words: AIMetadata) -> int:
    return MetadataHistory.objects.filter(metadata=words, source="person").count()


# --- The queue


def test_queue_gives_what_waits_page_by_page_and_ends(curator_client, words):
    rows = [words, *[another(words, confidence_score=0.5 - number / 10) for number in range(2)]]
    another(words, review_status="rejected")
    AIMetadataFactory(described=True)  # somebody else's

    first = curator_client.get(f"{API}?page_size=2").json()
    second = curator_client.get(first["next"]).json()

    assert [item["photo"] for item in first["items"] + second["items"]] == [str(row.photo_id) for row in rows]
    assert (first["found"], first["is_capped"], second["next"]) == (3, False, None)
    assert first["items"][0]["words"]["version"] == words.version
    assert first["items"][0]["frames"] == 1
    assert first["items"][0]["thumbnail_url"].startswith("/images/")


def test_queue_with_a_cursor_behind_which_nothing_is_left_is_empty(curator_client, words):
    rest = [another(words, confidence_score=0.1) for _ in range(2)]
    following = curator_client.get(f"{API}?page_size=1").json()["next"]
    AIMetadata.objects.filter(pk__in=[row.pk for row in rest]).update(review_status="rejected")

    answer = curator_client.get(following).json()

    assert (answer["items"], answer["next"]) == ([], None)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=lost", "status"),
        ("album=5", "album"),
        ("after=yesterday", "after"),
        ("after=2026-05-02&before=2026-05-01", "This day is before the first one."),
        ("after=0001-01-01", "Type a day between 1800 and 2200."),
        ("cursor=nonsense", "cursor is none of this list."),
        ("tag=%00", "tag"),
        ("colour=red&tag=cat", "There is no filter by “colour”."),
    ],
)
def test_queue_by_a_filter_that_makes_no_sense_is_422_and_not_a_part_of_it(query, field, curator_client, words):
    assert problem(curator_client.get(f"{API}?{query}"), 422).startswith(field)


def test_queue_by_a_filter_finds_what_it_says(viewer_client, words):
    another(words, ai_tags=["dog"])
    found = viewer_client.get(f"{API}?tag=dog&account={words.photo.account.nickname}&status=all").json()

    assert [item["words"]["tags"] for item in found["items"]] == [["dog"]]


def test_queue_of_more_takes_no_more_queries(curator_client, words):
    curator_client.get(API)  # how many there are is counted once a minute
    few = count_queries(curator_client, API)
    for _ in range(2):
        AIMetadataFactory(photo__album=AlbumFactory(account=words.photo.account), described=True)

    assert count_queries(curator_client, f"{API}?page_size=99") == few


# --- One photo


def test_approve_as_it_stands(curator_client, words, enqueued):
    answer = post(curator_client, url(words, "approve"), {"version": 1})

    words.refresh_from_db()
    assert answer.status_code == 200
    assert (words.review_status, words.approved_by, words.version) == ("approved", "user:grace", 2)
    assert words.ai_title == "A cat"
    assert answer.json()["now"]["words"]["review_status"] == "approved"
    assert answer.json()["decision"]["changed"] == 1
    assert enqueued == []


def test_approve_with_words_of_ones_own_keeps_the_others(curator_client, words, enqueued):
    body = {"version": 1, "description": " A tabby. ", "tags": ["Cat", "cat", " on  a wall "], "categories": []}

    assert post(curator_client, url(words, "approve"), body).status_code == 200

    words.refresh_from_db()
    assert words.words == {
        "ai_title": "A cat",
        "ai_description": "A tabby.",
        "ai_alt_text": "Grey cat",
        "ai_tags": ["Cat", "on a wall"],
        "ai_categories": [],
    }


def test_approve_writes_the_burst_unless_alone(curator_client, words, enqueued):
    frames = [words, another(words), another(words)]
    AIMetadata.objects.update(stack=words.pk)
    assert curator_client.get(API).json()["items"][0]["frames"] == 3

    alone = post(curator_client, url(frames[1], "approve"), {"version": 1, "alone": True}).json()
    together_ = post(curator_client, url(words, "approve"), {"version": 1}).json()

    assert (alone["decision"]["changed"], together_["decision"]["changed"]) == (1, 2)
    assert AIMetadata.objects.filter(review_status="approved").count() == 3


def test_reject_with_a_reason(curator_client, words):
    answer = post(curator_client, url(words, "reject"), {"version": 1, "reason": "Too vague", "note": "which cat?"})

    assert answer.json()["now"]["words"]["rejection_reason"] == "Too vague: which cat?"
    words.refresh_from_db()
    assert (words.review_status, words.ai_title) == ("rejected", "A cat")


def test_edit_leaves_the_review(curator_client, words, enqueued):
    answer = post(curator_client, url(words, "edit"), {"version": 1, "title": "Tom"})

    assert answer.json()["decision"]["kind"] == "edit"
    words.refresh_from_db()
    assert (words.ai_title, words.review_status, words.version) == ("Tom", "unreviewed", 2)


@pytest.mark.parametrize(
    ("verb", "body", "sentence"),
    [
        ("approve", {}, "version is needed."),
        ("approve", {"version": "1"}, "version should be"),
        ("approve", {"version": 1, "titel": "x"}, "titel is not known here."),
        ("approve", {"version": 1, "description": "  "}, "Write a description."),
        ("approve", {"version": 1, "tags": ["a,b"]}, "tags.0"),
        ("approve", {"version": 1, "title": "x" * 201}, "title should have at most 200 characters."),
        ("approve", {"version": 1, "title": "a\x00"}, "title holds a character"),
        ("approve", {"version": 1, "categories": ["Ghosts"]}, "Select a valid choice."),
        ("reject", {"version": 1}, "reason is needed."),
        ("reject", {"version": 1, "reason": "Because"}, "Select a valid choice."),
        ("edit", {"version": 1}, "Say what is to be changed."),
    ],
)
def test_decide_on_one_with_a_mistake_is_422_and_nothing_is_written(verb, body, sentence, curator_client, words):
    response = post(curator_client, url(words, verb), body)

    assert problem(response, 422).startswith(sentence)
    words.refresh_from_db()
    assert (words.version, Decision.objects.count()) == (1, 0)


def test_approve_without_a_description_is_422(curator_client, words):
    empty = AIMetadataFactory(photo=PhotoFactory(album=words.photo.album))

    assert "no description" in problem(post(curator_client, url(empty, "approve"), {"version": 0}), 422)
    assert "not described yet" in problem(post(curator_client, url(empty, "edit"), {"version": 0, "title": "x"}), 422)
    empty.refresh_from_db()
    assert empty.version == 0


@pytest.mark.parametrize("verb", ["approve", "reject", "edit"])
def test_decide_when_somebody_was_faster_is_409_with_what_they_wrote(verb, curator_client, words, ada, enqueued):
    workflow.edit(words, by=ada, version=1, changes={"ai_description": "Hers."})
    body = {"approve": {"title": "mine"}, "edit": {"title": "mine"}, "reject": {"reason": "Other"}}[verb]

    response = post(curator_client, url(words, verb), {"version": 1, **body})

    assert "ada was faster" in problem(response, 409)
    told = response.json()
    assert (told["changed_by"], told["now"]["words"]["version"]) == ("user:ada", 2)
    assert told["now"]["words"]["description"] == "Hers."
    words.refresh_from_db()
    assert (words.ai_title, words.review_status, words.ai_description) == ("A cat", "unreviewed", "Hers.")
    assert (steps(words), Decision.objects.count()) == (1, 1)
    assert (
        post(curator_client, url(words, verb), {"version": told["now"]["words"]["version"], **body}).status_code == 200
    )


@pytest.mark.django_db(transaction=True)
def test_approve_by_two_at_once_is_won_by_one(curator_client, owner_client, words, enqueued):
    answers: list[Any] = []

    together(
        lambda: answers.append(post(curator_client, url(words, "approve"), {"version": 1, "title": "a"})),
        lambda: answers.append(post(owner_client, url(words, "approve"), {"version": 1, "title": "b"})),
    )

    won, lost = sorted(answers, key=lambda answer: answer.status_code)
    assert (won.status_code, lost.status_code) == (200, 409)
    assert lost.json()["now"]["words"]["title"] == won.json()["now"]["words"]["title"]
    words.refresh_from_db()
    assert (words.version, steps(words)) == (2, 1)


@pytest.mark.parametrize("verb", ["approve", "reject", "edit"])
def test_decide_in_a_library_that_is_not_ones_own_changes_nothing(verb, viewer_client, stranger_client, words):
    body = {"version": 1, **({"reason": "Other"} if verb == "reject" else {"title": "x"})}

    problem(post(viewer_client, url(words, verb), body), 403)
    problem(post(stranger_client, url(words, verb), body), 404)
    problem(stranger_client.get(url(words)), 404)
    assert viewer_client.get(url(words)).json()["words"]["version"] == 1
    words.refresh_from_db()
    assert words.version == 1


# --- All that match


def test_decide_on_all_that_match_is_202_and_can_be_followed_and_undone(curator_client, words, enqueued):
    others = [another(words), another(words, ai_tags=["dog"])]

    answer = post(curator_client, DECISIONS, {"kind": "approve", "filter": {"tag": "cat"}, "seen": 2})
    told = curator_client.get(answer.json()["status_url"]).json()

    assert answer.status_code == 202
    assert (told["state"], told["total"], told["changed"], told["requested_by"]) == ("succeeded", 2, 2, "grace")
    assert told["filter"]["account"] == words.photo.account.nickname
    others[1].refresh_from_db()
    assert others[1].review_status == "unreviewed"

    edited = workflow.edit(others[0], by=UserFactory(username="zoe"), version=2, changes={"ai_title": "Hers"})
    workflow.reject(others[0], by=edited.requested_by, version=3, reason="Other")
    undone = post(curator_client, f"{answer.json()['status_url']}/undo")

    assert undone.status_code == 200
    assert (undone.json()["undo"], undone.json()["undone"], undone.json()["undo_kept"]) == ("done", 1, 1)
    [kept] = undone.json()["kept"]
    assert (kept["photo"], kept["fields"], kept["changed_by"]) == (str(others[0].photo_id), "review", "zoe")
    words.refresh_from_db()
    others[0].refresh_from_db()
    assert (words.review_status, others[0].review_status) == ("unreviewed", "rejected")
    assert "already" in problem(post(curator_client, f"{answer.json()['status_url']}/undo"), 409)


@pytest.mark.parametrize(
    ("act", "tags", "title"),
    [
        ({"kind": "add_tag", "new": "pet"}, ["cat", "grey", "pet"], "A cat"),
        ({"kind": "remove_tag", "old": "grey"}, ["cat"], "A cat"),
        ({"kind": "replace_tag", "old": "grey", "new": "silver"}, ["cat", "silver"], "A cat"),
        ({"kind": "replace_word", "old": "grey", "new": "silver"}, ["cat", "silver"], "A cat"),
    ],
)
def test_decide_on_tags_and_words(act, tags, title, curator_client, words, enqueued):
    looked = curator_client.get(f"{API}/preview", act).json()

    assert looked == {"account": words.photo.account.nickname, "matching": 1, "changing": 1}
    assert post(curator_client, DECISIONS, {**act, "filter": {}}).status_code == 202
    words.refresh_from_db()
    assert (words.ai_tags, words.ai_title) == (tags, title)


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"kind": "approve"}, 422, "filter is needed."),
        ({"kind": "edit", "filter": {}}, 422, "kind should be"),
        ({"kind": "reject", "filter": {}}, 422, "Choose a reason."),
        ({"kind": "add_tag", "filter": {}}, 422, "Type a tag."),
        ({"kind": "remove_tag", "filter": {}}, 422, "Type a tag."),
        ({"kind": "replace_tag", "filter": {}, "old": "a", "new": "a"}, 422, "That is the same tag."),
        ({"kind": "replace_word", "filter": {}, "old": "at", "new": "on"}, 422, "A word of fewer than three"),
        ({"kind": "approve", "filter": {"colour": "red"}}, 422, "filter.colour is not known here."),
        ({"kind": "approve", "filter": {"account": "somebody-elses"}}, 404, "You are in no library"),
        ({"kind": "approve", "filter": {"tag": "nothing"}}, 422, "Nothing matches that filter."),
        ({"kind": "approve", "filter": {}, "seen": 0}, 409, "1 more match than you saw, so nothing was done."),
    ],
)
def test_decide_on_all_with_a_mistake_does_nothing(body, status, sentence, curator_client, words, enqueued):
    assert problem(post(curator_client, DECISIONS, body), status).startswith(sentence)

    words.refresh_from_db()
    assert (words.version, Decision.objects.count(), enqueued) == (1, 0, [])


def test_decide_counts_as_the_preview_does_where_a_photo_is_being_described_anew(curator_client, words, enqueued):
    approved = {"review_status": "approved", "approved_by": "user:ada", "approved_at": timezone.now()}
    again = another(words)
    AIMetadata.objects.update(**approved)
    AIMetadata.objects.filter(pk=again.pk).update(processing_status="pending")
    asked = {"kind": "add_tag", "new": "pet"}

    seen = curator_client.get(f"{API}/preview", {**asked, "status": "approved"}).json()["matching"]
    answer = post(curator_client, DECISIONS, {**asked, "filter": {"status": "approved"}, "seen": seen})

    assert (seen, answer.status_code) == (1, 202)
    again.refresh_from_db()
    assert "pet" not in again.ai_tags


def test_preview_by_a_filter_that_does_not_exist_is_422(curator_client, words):
    answer = curator_client.get(f"{API}/preview", {"kind": "approve", "colour": "red"})

    assert problem(answer, 422) == "There is no filter by “colour”."
    assert answer.json()["errors"] == [{"where": "query", "field": "colour", "detail": "is not known here."}]


def test_decide_where_one_may_only_look_is_403(viewer_client, stranger_client, words, enqueued):
    body = {"kind": "approve", "filter": {"account": words.photo.account.nickname}}

    problem(post(viewer_client, DECISIONS, body), 403)
    problem(post(stranger_client, DECISIONS, body), 404)
    assert (Decision.objects.count(), enqueued) == (0, [])


def test_decision_under_way_is_stopped_and_gone_on_with(curator_client, words, monkeypatch, enqueued):
    monkeypatch.setattr(bulk, "SMALL", 0)
    begun = post(curator_client, DECISIONS, {"kind": "approve", "filter": {}}).json()

    assert (begun["state"], begun["is_active"]) == ("queued", True)
    assert post(curator_client, f"{begun['status_url']}/cancel").json()["state"] == "cancelled"
    problem(post(curator_client, f"{begun['status_url']}/cancel"), 409)
    assert post(curator_client, f"{begun['status_url']}/resume").json()["state"] == "queued"
    problem(post(curator_client, f"{begun['status_url']}/resume"), 409)
    words.refresh_from_db()
    assert words.review_status == "unreviewed"
    assert post(curator_client, f"{begun['status_url']}/undo").json()["undo"] in {"done", "under_way"}


def test_decisions_are_told_newest_first_to_those_who_may_see_them(
    viewer_client, stranger_client, words, ada, enqueued
):
    first = workflow.edit(words, by=ada, version=1, changes={"ai_title": "x"})
    few = count_queries(viewer_client, DECISIONS)
    over_all = bulk.decide(words.photo.account, by=ada, kind="approve", filter=ReviewFilter())
    workflow.edit(words, by=ada, version=3, changes={"ai_title": "y"})

    told = viewer_client.get(DECISIONS).json()
    many = viewer_client.get(f"{DECISIONS}?show=many").json()

    assert [item["kind"] for item in told["items"]] == ["edit", "approve", "edit"]
    assert (told["items"][2]["job"], told["items"][2]["photo"]) == (str(first.pk), str(words.photo_id))
    assert [item["job"] for item in many["items"]] == [str(over_all.pk)]
    assert stranger_client.get(DECISIONS).json()["items"] == []
    problem(stranger_client.get(f"{DECISIONS}/{first.pk}"), 404)
    problem(post(stranger_client, f"{DECISIONS}/{first.pk}/undo"), 404)
    problem(post(viewer_client, f"{DECISIONS}/{first.pk}/undo"), 403)
    assert count_queries(viewer_client, DECISIONS) == few
    assert Decision.objects.get(pk=first.pk).undo == ""
