"""Review, many at a glance: a page is decided on at once, but for what is marked, and a lost race is named."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from metadata import bulk, stacks, workflow
from metadata.models import AIMetadata, Decision, MetadataHistory
from smugmug.models import Account
from tests.conftest import HTMX
from tests.factories import (
    AccountFactory,
    AIMetadataFactory,
    AlbumFactory,
    DecisionFactory,
    MembershipFactory,
    PhotoFactory,
    UserFactory,
)
from tests.metadata.conftest import count_queries

pytestmark = pytest.mark.django_db

GRID, APPROVE, REJECT, TAG = "/review/grid/", "/review/grid/approve", "/review/grid/reject", "/review/grid/tag"
Enqueued = list[tuple[str, tuple[Any, ...]]]


def waiting(account: Account, number: int = 1, **fields: Any) -> list[AIMetadata]:
    """Words that wait for review, the surest first."""
    album = AlbumFactory(account=account)
    return [
        AIMetadataFactory(
            photo=PhotoFactory(album=album), described=True, **{"confidence_score": 0.9 - place / 1_000, **fields}
        )
        for place in range(number)
    ]


def page_of(rows: list[AIMetadata], *, marked: list[AIMetadata] | None = None, **more: Any) -> dict[str, Any]:
    """What the page's form sends for these tiles."""
    shown = [f"{row.pk}:{row.version}" for row in rows]
    return {"shown": shown, "mark": [str(row.pk) for row in marked or []], **more}


def statuses(rows: list[AIMetadata]) -> list[str]:
    found = dict(AIMetadata.objects.values_list("pk", "review_status"))
    return [found[row.pk] for row in rows]


def tags(rows: list[AIMetadata]) -> list[list[str]]:
    found = dict(AIMetadata.objects.values_list("pk", "ai_tags"))
    return [found[row.pk] for row in rows]


def untouched(rows: list[AIMetadata]) -> bool:
    """Whether nobody has decided anything about the rows."""
    steps = MetadataHistory.objects.filter(metadata__in=rows).exclude(source="ai").exists()
    return set(statuses(rows)) == {"unreviewed"} and not steps and not Decision.objects.exists()


def titles(response: Any) -> list[str]:
    return [tile.title for tile in response.context["tiles"]]


# --- The page --------------------------------------------------------------------------------------------------


def test_grid_shows_the_surest_first_with_all_that_is_known(curator_client: Client, library_of_ada: Account):
    unsure = AIMetadataFactory(
        photo=PhotoFactory(album=AlbumFactory(account=library_of_ada)),
        described=True, ai_title="Unsure", confidence_score=0.31, lane="look", doubts=["very_unsure"],
    )  # fmt: skip
    sure = AIMetadataFactory(
        photo=PhotoFactory(album=unsure.photo.album),
        described=True, ai_title="Sure", confidence_score=0.97, lane="glance", ai_tags=["beach", "sea"],
    )  # fmt: skip

    response = curator_client.get(GRID)

    assert titles(response) == ["Sure", "Unsure"]
    page = response.text
    assert f'name="shown" value="{sure.pk}:1"' in page
    assert 'class="lane glance"' in page
    assert 'class="lane look"' in page
    assert "0.97" in page
    assert "The model was not sure." in page
    assert f"/review/?photo={unsure.photo_id}" in page
    assert json.loads(response.context["tiles"][0].tags_json) == ["beach", "sea"]


def test_grid_as_a_stranger_shows_nothing_of_the_library(stranger_client: Client, library_of_ada: Account):
    waiting(library_of_ada, ai_title="A secret of ada's")

    response = stranger_client.get(GRID, {"account": library_of_ada.nickname})

    assert response.status_code == 200
    assert titles(response) == []
    assert "secret" not in response.text


def test_grid_as_a_viewer_shows_photos_and_no_button(viewer_client: Client, library_of_ada: Account):
    waiting(library_of_ada, 2, ai_title="To look at")

    response = viewer_client.get(GRID)

    assert titles(response) == ["To look at"] * 2
    assert "You may look at this library" in response.text
    assert "Reject marked" not in response.text
    assert "All that match" not in response.text


@pytest.mark.parametrize(("asked", "size"), [("24", 24), ("48", 48), ("100", 100), ("7", 24), ("1000", 24), ("", 24)])
def test_grid_size_is_one_of_three_and_stays_in_the_addresses(
    curator_client: Client, library_of_ada: Account, asked: str, size: int
):
    waiting(library_of_ada, 101)

    response = curator_client.get(GRID, {"size": asked, "lane": ""})

    assert len(response.context["tiles"]) == size
    assert (f"size={size}" in response.context["next_url"]) is (size != 24)
    following = curator_client.get(response.context["next_url"])
    assert len(following.context["tiles"]) == min(size, 101 - size)
    assert not {tile.pk for tile in response.context["tiles"]} & {tile.pk for tile in following.context["tiles"]}


def test_grid_without_a_size_has_the_one_that_was_chosen_last(curator_client: Client, library_of_ada: Account):
    waiting(library_of_ada, 50)

    curator_client.get(GRID, {"size": "48"})
    kept = curator_client.get(GRID, {"order": "oldest"})
    curator_client.get(kept.context["sizes"][0][1])

    assert len(kept.context["tiles"]) == 48
    assert len(curator_client.get(GRID).context["tiles"]) == 24


def test_grid_takes_as_many_queries_for_three_photos_as_for_one(curator_client: Client, library_of_ada: Account):
    [first] = waiting(library_of_ada)
    AIMetadata.objects.filter(pk=first.pk).update(stack=first.pk)
    curator_client.get(GRID)  # the library's tags are kept from then on
    few = count_queries(curator_client, GRID)
    for row in waiting(library_of_ada, 3):
        AIMetadata.objects.filter(pk=row.pk).update(stack=row.pk)
    waiting(AccountFactory())

    assert count_queries(curator_client, GRID) == few


def test_grid_with_a_burst_shows_one_tile_with_the_number_of_its_frames(
    curator_client: Client, library_of_ada: Account
):
    rows = waiting(library_of_ada, 3)
    AIMetadata.objects.filter(pk__in=[row.pk for row in rows[:2]]).update(stack=rows[0].pk)

    response = curator_client.get(GRID)

    assert sorted(tile.frames for tile in response.context["tiles"]) == [1, 2]
    assert 'class="burst num"' in response.text


def test_grid_escapes_what_others_wrote(curator_client: Client, library_of_ada: Account):
    evil = "\"'><script>alert(1)</script>"
    waiting(library_of_ada, ai_title=evil, ai_description=evil, ai_tags=[evil], ai_alt_text=evil)

    page = curator_client.get(GRID).text

    assert "<script>alert" not in page
    assert (
        page.count("&lt;script&gt;alert(1)") >= 8
    )  # title, text, chip, data, "Open …", and thrice in the list of tags


@pytest.mark.parametrize(("size", "chips"), [("24", 1), ("48", 1), ("100", 0)])
def test_grid_of_a_hundred_has_no_room_for_chips_and_still_knows_the_tags(
    curator_client: Client, library_of_ada: Account, size: str, chips: int
):
    waiting(library_of_ada, ai_tags=["beach"])

    page = curator_client.get(GRID, {"size": size}).text

    assert page.count('<span class="chip">beach</span>') == chips
    assert page.count('data-tags="[&#34;beach&#34;]"') == 1


def test_grid_leads_to_the_tags_of_its_library_and_writes_none_of_them_out(
    curator_client: Client, library_of_ada: Account
):
    [row] = waiting(library_of_ada)
    row.photo.keywords = ["a keyword of another photo"]
    row.photo.save()

    page = curator_client.get(GRID).text

    assert page.count(f'data-complete="/review/tags/{library_of_ada.nickname}"') == 2
    assert "a keyword of another photo" not in page


def test_grid_with_nothing_that_matches_says_so(curator_client: Client, library_of_ada: Account):
    waiting(library_of_ada)

    page = curator_client.get(GRID, {"tag": "no such tag"}).text

    assert "Nothing matches" in page
    assert "data-tile" not in page


def test_count_tells_how_many_match(curator_client: Client, library_of_ada: Account):
    waiting(library_of_ada, 3)
    waiting(AccountFactory(), 2)

    assert curator_client.get("/review/grid/count").text == "All 3 that match…"


def test_count_of_one_speaks_of_one(curator_client: Client, library_of_ada: Account):
    waiting(library_of_ada)

    assert curator_client.get("/review/grid/count").text == "The one that matches…"


def test_grid_tells_of_what_is_under_way_and_of_the_last_that_stands(curator_client: Client, library_of_ada: Account):
    done = {"changed": 5, "finished_at": timezone.now(), "requested_by": User.objects.get(username="grace")}
    DecisionFactory(account=library_of_ada, kind="reject", params={"reason": "Other"}, **done)
    DecisionFactory(account=library_of_ada, **done)
    DecisionFactory(account=library_of_ada, kind="add_tag", params={"tag": "sea"}, undo="done", undone=5, **done)
    DecisionFactory(account=library_of_ada, kind="add_tag", params={"tag": "fog"}, state="running", total=9)

    told = curator_client.get(GRID).context["decisions"]

    assert [card.title for card in told] == ["Adding “fog” to 9 photos", "5 photos approved"]


def test_grid_with_nothing_to_mark_does_not_speak_of_marking(curator_client: Client, library_of_ada: Account):
    assert "What is not marked" not in curator_client.get(GRID).text
    waiting(library_of_ada)
    assert "What is not marked" in curator_client.get(GRID).text


# --- Approve ---------------------------------------------------------------------------------------------------


def test_approve_a_page_leaves_the_marked_and_goes_on(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    rows = waiting(library_of_ada, 26)
    shown = curator_client.get(GRID)
    marked = rows[3:5]

    response = curator_client.post(shown.context["approve_url"], page_of(rows[:24], marked=marked), follow=True)

    assert [row.pk for row in rows if statuses([row]) == ["unreviewed"]] == [row.pk for row in [*marked, *rows[24:]]]
    assert [tile.words.pk for tile in response.context["tiles"]] == [row.pk for row in rows[24:]]
    assert "22 photos approved." in response.text
    decision = Decision.objects.get()
    assert (decision.kind, decision.changed, decision.is_bulk) == ("approve", 22, True)
    assert set(decision.steps.values_list("changed_by", "metadata__version")) == {("user:grace", 2)}


def test_approve_by_htmx_gives_the_next_page_and_its_address(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    rows = waiting(library_of_ada, 25)
    url = curator_client.get(GRID).context["approve_url"]

    response = curator_client.post(url, page_of(rows[:24]), headers=HTMX)

    assert response.status_code == 200
    assert "<html" not in response.text
    assert response["HX-Push-Url"].startswith(f"{GRID}?cursor=after_")
    assert [tile.words.pk for tile in response.context["tiles"]] == [rows[24].pk]
    assert 'id="waiting-count" hx-swap-oob="true">1<' in response.text


def test_approve_the_last_page_comes_back_to_what_was_left(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    rows = waiting(library_of_ada, 3)

    response = curator_client.post(APPROVE, page_of(rows, marked=[rows[1]]), follow=True)

    assert [tile.words.pk for tile in response.context["tiles"]] == [rows[1].pk]
    assert "2 photos approved." in response.text


def test_approve_when_somebody_was_faster_names_them_and_approves_the_rest(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    rows = waiting(library_of_ada, 3)
    hers = {"ai_description": "Hers."}
    workflow.approve(rows[0], by=library_of_ada.owner, version=1, changes=hers)
    workflow.edit(rows[1], by=UserFactory(username="zoe"), version=1, changes={"ai_title": "Zoe's"})
    shown = page_of(rows)
    shown["shown"] = [f"{row.pk}:1" for row in rows]

    response = curator_client.post(APPROVE, shown, follow=True)

    assert f"ada was faster on 1 photo: “{rows[0].photo.name}” is approved with “Hers.”." in response.text
    assert f"zoe was faster on 1 photo: “{rows[1].photo.name}” waits with “Zoe&#x27;s”." in response.text
    assert "1 photo approved." in response.text
    assert statuses(rows) == ["approved", "unreviewed", "approved"]
    first = AIMetadata.objects.get(pk=rows[0].pk)
    assert (first.ai_description, first.approved_by, first.version) == ("Hers.", "user:ada", 2)


def test_approve_the_same_page_twice_changes_nothing_more(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    rows = waiting(library_of_ada, 2)
    sent = page_of(rows)

    curator_client.post(APPROVE, sent)
    again = curator_client.post(APPROVE, sent, follow=True)

    assert "was faster" not in again.text
    assert "You have changed" not in again.text
    assert statuses(rows) == ["approved"] * 2
    assert set(AIMetadata.objects.values_list("version", flat=True)) == {2}


def test_approve_what_the_same_person_changed_elsewhere_leaves_it_and_says_so(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    rows = waiting(library_of_ada, 2)
    grace = User.objects.get(username="grace")
    workflow.edit(rows[0], by=grace, version=1, changes={"ai_title": "Mine"})
    sent = {"shown": [f"{row.pk}:1" for row in rows]}

    response = curator_client.post(APPROVE, sent, follow=True)

    said = f"You have changed 1 photo since this page was loaded: “{rows[0].photo.name}” waits with “Mine”."
    assert said in response.text
    assert "faster" not in response.text
    assert statuses(rows) == ["unreviewed", "approved"]


def test_approve_in_two_libraries_decides_in_both_or_in_none(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued, monkeypatch: pytest.MonkeyPatch
):
    other = MembershipFactory(user=User.objects.get(username="grace"), role="curator").account
    rows = [*waiting(library_of_ada), *waiting(other)]
    decide_page, decided = bulk.decide_page, []

    def fail_the_second(account: Account, **wish: Any) -> Any:
        decided.append(account)
        if len(decided) == 2:
            raise OperationalError("the connection is gone")
        return decide_page(account, **wish)

    monkeypatch.setattr(bulk, "decide_page", fail_the_second)
    with pytest.raises(OperationalError):
        curator_client.post(APPROVE, page_of(rows))

    assert len(decided) == 2
    assert untouched(rows)


def test_approve_with_all_marked_approves_nothing(curator_client: Client, library_of_ada: Account):
    rows = waiting(library_of_ada, 2)

    response = curator_client.post(APPROVE, page_of(rows, marked=rows))

    assert response.status_code == 422
    assert "All of this page is marked" in response.text
    assert response.text.count(" checked") == 2
    assert untouched(rows)


@pytest.mark.parametrize("button", [{"reason": "Other"}, {"do": "add_tag"}, {"remove": "cat"}])
def test_approve_by_the_button_of_another_decision_does_nothing(
    curator_client: Client, library_of_ada: Account, button: dict[str, str]
):
    rows = waiting(library_of_ada, 2)

    response = curator_client.post(APPROVE, page_of(rows, **button))

    assert response.status_code == 422
    assert "That button does not approve: nothing was done." in response.text
    assert untouched(rows)


@pytest.mark.parametrize("url", [APPROVE, REJECT, TAG])
def test_decide_in_somebody_elses_library_is_404_and_changes_nothing(
    curator_client: Client, library_of_ada: Account, url: str
):
    rows = [*waiting(library_of_ada), *waiting(AccountFactory())]
    marked = rows if url != APPROVE else []

    button = {} if url == APPROVE else {"reason": "Other"}

    response = curator_client.post(url, page_of(rows, marked=marked, add="new", **button))

    assert response.status_code == 404
    assert untouched(rows)


@pytest.mark.parametrize("url", [APPROVE, REJECT, TAG])
def test_decide_as_a_viewer_is_refused(viewer_client: Client, library_of_ada: Account, url: str):
    rows = waiting(library_of_ada, 2)
    button = {} if url == APPROVE else {"reason": "Other"}

    response = viewer_client.post(url, page_of(rows, marked=rows[1:], add="new", **button))

    assert response.status_code == 403
    assert untouched(rows)


@pytest.mark.parametrize("url", [APPROVE, REJECT, TAG])
@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({}, "There was no photo on this page."),
        ({"shown": ["nonsense"]}, "This page was not understood."),
        ({"shown": ["\x00"]}, "This page was not understood."),
        ({"shown": [f"{UUID(int=1)}:-1"]}, "This page was not understood."),
        ({"shown": [f"{UUID(int=number)}:1" for number in range(101)]}, "A page holds at most 100 photos."),
        ({"shown": [f"{UUID(int=1)}:1"], "mark": [str(UUID(int=2))]}, "A photo is marked that was not on this page."),
        ({"shown": [f"{UUID(int=1)}:1"], "mark": ["nonsense"]}, "A photo is marked that was not on this page."),
    ],
)
def test_decide_with_a_page_that_makes_no_sense_is_told(
    curator_client: Client, library_of_ada: Account, url: str, sent: dict[str, Any], says: str
):
    rows = waiting(library_of_ada, 2)

    response = curator_client.post(url, {**sent, "reason": "Other", "add": "new"})

    assert response.status_code == 422
    assert says in response.text
    assert len(response.context["tiles"]) == 2
    assert untouched(rows)


def test_approve_a_burst_approves_its_frames_with_it(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    rows = waiting(library_of_ada, 3)
    AIMetadata.objects.filter(pk__in=[row.pk for row in rows[:2]]).update(stack=rows[0].pk)
    AIMetadata.objects.filter(pk=rows[0].pk).update(ai_title="The words of the burst")
    [tile] = [tile for tile in curator_client.get(GRID).context["tiles"] if tile.frames == 2]
    other = next(row for row in rows[:2] if row.pk != tile.words.pk)

    curator_client.post(APPROVE, page_of([tile.words]))

    assert statuses(rows) == ["approved", "approved", "unreviewed"]
    assert AIMetadata.objects.get(pk=other.pk).ai_title == tile.words.ai_title
    assert other.history.get(version=2).came_from_id == tile.words.pk
    assert Decision.objects.get().changed == 2
    assert stacks.members(AIMetadata.objects.get(pk=other.pk)).count() == 2


# --- Reject ----------------------------------------------------------------------------------------------------


def test_reject_the_marked_leaves_the_rest_and_stays_on_the_page(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    rows = waiting(library_of_ada, 3)
    url = curator_client.get(GRID, {"size": "48"}).context["reject_url"]
    sent = page_of(rows, marked=rows[:2], reason="Too vague", note="all of them")

    response = curator_client.post(url, sent, follow=True)

    assert statuses(rows) == ["rejected", "rejected", "unreviewed"]
    assert AIMetadata.objects.get(pk=rows[0].pk).rejection_reason == "Too vague: all of them"
    assert response.redirect_chain == [(f"{GRID}?size=48", 302)]
    assert "2 photos rejected." in response.text


@pytest.mark.parametrize(
    ("marks", "sent", "says"),
    [
        (0, {"reason": "Too vague"}, "Mark the photos to reject first."),
        (1, {}, "Choose a reason."),
        (1, {"reason": "Because"}, "Because is not one of the available choices."),
        (1, {"reason": "Other", "note": "n" * 501}, "at most 500 characters"),
    ],
)
def test_reject_with_a_mistake_shows_it_and_keeps_the_marks(
    curator_client: Client, library_of_ada: Account, marks: int, sent: dict[str, str], says: str
):
    rows = waiting(library_of_ada, 2)

    response = curator_client.post(REJECT, page_of(rows, marked=rows[:marks], **sent))

    assert response.status_code == 422
    assert says in response.text
    assert response.text.count(" checked") == marks
    assert sent.get("note", "") in response.text
    assert untouched(rows)


def test_reject_when_somebody_was_faster_leaves_theirs(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    rows = waiting(library_of_ada, 2)
    sent = page_of(rows, marked=rows, reason="Other")
    workflow.approve(rows[0], by=library_of_ada.owner, version=1, changes={})

    response = curator_client.post(REJECT, sent, follow=True)

    assert statuses(rows) == ["approved", "rejected"]
    assert "ada was faster on 1 photo" in response.text


# --- Undo ------------------------------------------------------------------------------------------------------


def test_undo_of_the_last_page_is_offered_and_puts_it_back(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    rows = waiting(library_of_ada, 3)
    assert curator_client.get(GRID).context["last"] is None
    page = curator_client.post(APPROVE, page_of(rows, marked=rows[:1]), follow=True)

    response = curator_client.post(page.context["last"].undo_url, {"next": page.context["here_url"]}, follow=True)

    assert response.redirect_chain[0][0] == GRID
    assert statuses(rows) == ["unreviewed"] * 3
    assert len(response.context["tiles"]) == 3
    assert response.context["last"] is None
