"""The list of decisions, one decision, and the ways back."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from metadata import bulk, decided, workflow
from metadata.models import AIMetadata, Decision, MetadataHistory
from metadata.queue import ReviewFilter
from smugmug.models import Account
from tests.conftest import HTMX
from tests.factories import (
    AccountFactory,
    AIMetadataFactory,
    AlbumFactory,
    DecisionFactory,
    MembershipFactory,
    PhotoFactory,
)
from tests.metadata.conftest import count_queries

pytestmark = pytest.mark.django_db

LIST = "/review/decisions/"
Enqueued = list[tuple[str, tuple[Any, ...]]]


def described(account: Account, **fields: Any) -> AIMetadata:
    photo = PhotoFactory(album=AlbumFactory(account=account, title="Zoo"))
    return AIMetadataFactory(photo=photo, described=True, **fields)


def now(words: AIMetadata) -> AIMetadata:
    return AIMetadata.objects.get(pk=words.pk)


def page_of(decision: Decision, verb: str = "") -> str:
    return f"{LIST}{decision.pk}/{verb}"


def lines(response: Any) -> list[str]:
    """The text of each line of the list."""
    rows = re.findall(r'<li id="decision-[^"]+">(.*?)</li>', response.text, flags=re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]


@pytest.fixture
def grace(library_of_ada: Account) -> Any:
    return MembershipFactory(user__username="zoe", account=library_of_ada, role="curator").user


# --- The list ----------------------------------------------------------------------------------------------


def test_decisions_tell_who_decided_what_over_which_photos(
    viewer_client: Client, library_of_ada: Account, ada: Any, grace: Any, enqueued: Enqueued
):
    words = described(library_of_ada)
    workflow.reject(words, by=grace, version=1, reason="Too vague")
    wanted = ReviewFilter(album=words.photo.album_id, lane="glance", tag="<cat>")
    DecisionFactory(account=library_of_ada, requested_by=ada, filter=wanted.to_json(), changed=1_234, total=1_234)
    params = {"old": "leopard", "new": "cheetah"}
    DecisionFactory(account=library_of_ada, kind="replace_word", params=params, changed=1)

    response = viewer_client.get(LIST)

    third, second, first = lines(response)
    assert "“leopard” replaced by “cheetah” in 1 photo" in third
    assert "All that wait" in third
    assert "somebody who has left" in third
    assert "1,234 photos approved" in second
    assert "All that wait in “Zoo”, in the lane “Glance”, with the tag “&lt;cat&gt;”" in second
    assert " ada just now" in second
    assert f"“{words.photo.name}” rejected: Too vague" in first
    assert "Zoo zoe" in first


def test_decisions_of_other_libraries_are_not_listed(stranger_client: Client, library_of_ada: Account):
    DecisionFactory(account=library_of_ada)

    assert lines(stranger_client.get(LIST)) == []
    assert "Nothing has been decided yet" in stranger_client.get(LIST).text


def test_decisions_show_how_far_one_under_way_is_and_what_became_of_others(
    owner_client: Client, library_of_ada: Account
):
    for state, fields in {
        "running": {"total": 12_000, "done": 5_000, "changed": 5_000, "started_at": timezone.now()},
        "cancelled": {"total": 12_000, "done": 5_000, "changed": 4_000, "passed_over": 7},
        "succeeded": {"changed": 9, "undo": "done", "undone": 8, "undo_kept": 1, "undone_by": "user:grace"},
    }.items():
        at = {"undone_at": timezone.now()} if "undo" in fields else {}
        DecisionFactory(account=library_of_ada, state=state, **fields, **at)

    undone, stopped, running = lines(owner_client.get(LIST))

    assert "Approving 12,000 photos" in running
    assert "5,000 of 12,000" in running
    assert "Stop Approving" in running
    assert "Undo Approving" not in running
    assert "Stopped: 4,000 photos approved" in stopped
    assert "7 left: others have changed them" in stopped
    assert "Continue Stopped" in stopped
    assert "Undo Stopped" in stopped
    assert "Undone: 9 photos approved" in undone
    assert "8 of 9 put back · 1 left: changed since · undone by grace just now" in undone
    assert "Undo Undone" not in undone


def test_decisions_show_buttons_to_those_alone_who_may_press_them(
    viewer_client: Client, owner_client: Client, library_of_ada: Account
):
    DecisionFactory(account=library_of_ada, changed=3)
    DecisionFactory(account=library_of_ada, state="running")

    assert viewer_client.get(LIST).text.partition("<main")[2].count("<form") == 0
    assert owner_client.get(LIST).text.partition("<main")[2].count("<form") == 2


def test_decisions_are_paged_without_losing_or_repeating_one(
    owner_client: Client, library_of_ada: Account, ada: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(decided, "DECISIONS_A_PAGE", 3)
    second = AccountFactory(owner=ada)
    moment = timezone.now() - timedelta(minutes=5)
    made = [DecisionFactory(account=library_of_ada, created_at=moment) for _ in range(4)]
    made += [DecisionFactory(account=second, created_at=moment - timedelta(minutes=n)) for n in range(3)]

    seen, address = [], LIST
    while address:
        response = owner_client.get(address)
        seen += re.findall(r'<li id="decision-([^"]+)">', response.text)
        found = re.search(r'href="([^"]+)" rel="next"', response.text)
        DecisionFactory(account=second)  # what comes meanwhile shifts nothing
        address = found[1].replace("&amp;", "&") if found else ""

    expected = sorted(made, key=lambda row: (row.created_at, row.pk), reverse=True)
    assert seen == [str(row.pk) for row in expected]


@pytest.mark.parametrize("before", ["x", "2026-01-01T00:00:00+00:00_x", "\x00", "_", "9" * 300])
def test_decisions_from_a_place_that_is_none_begin_at_the_newest(
    owner_client: Client, library_of_ada: Account, before: str
):
    DecisionFactory(account=library_of_ada)

    assert len(lines(owner_client.get(LIST, {"before": before}))) == 1


def test_decisions_can_be_narrowed(owner_client: Client, library_of_ada: Account, ada: Any, grace: Any):
    words = described(library_of_ada)
    DecisionFactory(account=library_of_ada, photo=words, requested_by=ada)
    DecisionFactory(account=library_of_ada, requested_by=grace, changed=77)

    assert len(lines(owner_client.get(LIST))) == 2
    assert "77" in lines(owner_client.get(LIST, {"show": "many"}))[0]
    [mine] = lines(owner_client.get(LIST, {"show": "mine"}))
    assert words.photo.name in mine
    assert len(lines(owner_client.get(LIST, {"show": "nonsense"}))) == 2


def test_decisions_take_as_many_queries_for_three_as_for_one(owner_client: Client, library_of_ada: Account, ada: Any):
    def add() -> None:
        words = described(library_of_ada)
        DecisionFactory(account=library_of_ada, photo=words, requested_by=ada)
        wanted = ReviewFilter(album=words.photo.album_id)
        DecisionFactory(account=library_of_ada, filter=wanted.to_json(), changed=1)
        DecisionFactory(changed=1)

    add()
    few = count_queries(owner_client, LIST)
    add()
    add()

    assert count_queries(owner_client, LIST) == few


def test_decisions_with_a_filter_of_another_version_are_listed(owner_client: Client, library_of_ada: Account):
    DecisionFactory(account=library_of_ada, filter={"mood": "blue"})

    [line] = lines(owner_client.get(LIST))

    assert "A filter of another version" in line


# --- One decision ------------------------------------------------------------------------------------------


def test_decision_shows_what_it_wrote(owner_client: Client, library_of_ada: Account, ada: Any, enqueued: Enqueued):
    words = described(library_of_ada)
    decision = workflow.edit(words, by=ada, version=1, changes={"ai_description": "A grey dog on a wall."})

    response = owner_client.get(page_of(decision))

    assert f"“{words.photo.name}” edited" in response.text
    assert "<del> cat</del><ins> dog</ins>" in response.text
    assert f'action="{page_of(decision, "undo")}"' in response.text


def test_decision_asked_by_htmx_is_its_card_and_refreshes_its_page_at_the_end(
    owner_client: Client, library_of_ada: Account
):
    decision = DecisionFactory(account=library_of_ada, state="running")
    here = {**HTMX, "HX-Current-URL": f"http://testserver{page_of(decision)}"}

    live = owner_client.get(page_of(decision), headers=here)
    Decision.objects.update(state="succeeded")
    over = owner_client.get(page_of(decision), headers=here)
    elsewhere = owner_client.get(
        page_of(decision), headers={**HTMX, "HX-Current-URL": "http://testserver/review/grid/"}
    )

    assert "<html" not in live.text
    assert 'hx-trigger="load delay:1s"' in live.text
    assert "HX-Refresh" not in live.headers
    assert over.headers["HX-Refresh"] == "true"
    assert "hx-trigger" not in over.text
    assert "HX-Refresh" not in elsewhere.headers


@pytest.mark.parametrize("verb", ["", "undo", "stop", "continue"])
def test_decision_of_another_library_is_not_there(stranger_client: Client, library_of_ada: Account, verb: str):
    decision = DecisionFactory(account=library_of_ada, state="running", changed=1)
    ask = stranger_client.post if verb else stranger_client.get

    assert ask(page_of(decision, verb)).status_code == 404
    decision.refresh_from_db()
    assert (decision.state, decision.undo) == ("running", "")


@pytest.mark.parametrize("verb", ["undo", "stop", "continue"])
def test_viewer_may_not_touch_a_decision(viewer_client: Client, library_of_ada: Account, verb: str):
    decision = DecisionFactory(account=library_of_ada, state="running", changed=1)

    assert viewer_client.post(page_of(decision, verb)).status_code == 403
    assert viewer_client.get(page_of(decision)).status_code == 200
    decision.refresh_from_db()
    assert (decision.state, decision.undo) == ("running", "")


# --- The way back ------------------------------------------------------------------------------------------


def test_undo_takes_back_from_the_list_after_signing_in_again(
    library_of_ada: Account, ada: Any, enqueued: Enqueued, owner_client: Client
):
    words = described(library_of_ada)
    workflow.approve(words, by=ada, version=1, changes={"ai_title": "Hers"})
    owner_client.logout()
    owner_client.force_login(ada)
    [button] = re.findall(r'action="(/review/decisions/[^"]+/undo)"', owner_client.get(LIST).text)

    response = owner_client.post(button, {"next": f"{LIST}?show=mine"}, follow=True)

    assert response.redirect_chain == [(f"{LIST}?show=mine", 302)]
    assert f"Undone: “{words.photo.name}” approved." in response.text
    assert (now(words).review_status, now(words).ai_title) == ("unreviewed", "A cat")
    assert "Undone: " in lines(response)[0]
    assert re.findall(r'/undo"', response.text) == []


def test_undo_names_what_was_kept_and_who_had_changed_it(
    owner_client: Client, library_of_ada: Account, ada: Any, grace: Any, enqueued: Enqueued
):
    words, other = described(library_of_ada), described(library_of_ada)
    filter = ReviewFilter(account=library_of_ada.nickname)
    decision = bulk.decide(library_of_ada, by=ada, kind="add_tag", filter=filter, params={"tag": "wall"})
    workflow.edit(now(words), by=grace, version=2, changes={"ai_tags": ["hers"]})

    response = owner_client.post(page_of(decision, "undo"), follow=True)

    assert "Undone: “wall” added to 2 photos, but for 1: somebody has changed the words since." in response.text
    kept = response.text.partition("Kept by the undo")[2].partition("</section>")[0]
    assert f">{words.photo.name}</a> <span>tags: zoe has changed that since.</span>" in kept
    assert other.photo.name not in kept
    assert now(words).ai_tags == ["hers"]
    assert now(other).ai_tags == ["cat", "grey"]


def test_what_was_undone_is_marked_neither_good_nor_bad(viewer_client: Client, library_of_ada: Account):
    undone = DecisionFactory(account=library_of_ada, changed=2, undone=2, undo="done")

    for address in (LIST, page_of(undone)):
        page = viewer_client.get(address).text
        assert "Undone: 2 photos approved" in page
        assert 'class="mark idle"' in page
        assert 'class="mark good"' not in page


def test_undo_twice_tells_who_was_faster(
    owner_client: Client, library_of_ada: Account, ada: Any, grace: Any, enqueued: Enqueued
):
    words = described(library_of_ada)
    decision = workflow.approve(words, by=ada, version=1, changes={})
    bulk.undo(decision, by=grace)
    steps = MetadataHistory.objects.count()

    response = owner_client.post(page_of(decision, "undo"), follow=True)

    assert "zoe has undone this already." in response.text
    assert MetadataHistory.objects.count() == steps


def test_undo_leads_to_no_other_site(owner_client: Client, library_of_ada: Account, ada: Any, enqueued: Enqueued):
    decision = workflow.approve(described(library_of_ada), by=ada, version=1, changes={})

    response = owner_client.post(page_of(decision, "undo"), {"next": "https://evil.test/"})

    assert response.url == page_of(decision)


def test_undo_of_many_says_that_it_is_under_way(
    owner_client: Client, library_of_ada: Account, enqueued: Enqueued, monkeypatch: pytest.MonkeyPatch
):
    decision = DecisionFactory(account=library_of_ada, changed=12_000, total=12_000)

    response = owner_client.post(page_of(decision, "undo"), follow=True)

    assert "It is being taken back" in response.text
    assert "Undoing: 12,000 photos approved" in response.text
    assert enqueued == [("carry_out_decision", (str(decision.pk),))]


def test_stop_and_continue_a_decision_under_way(owner_client: Client, library_of_ada: Account, enqueued: Enqueued):
    decision = DecisionFactory(account=library_of_ada, state="running", total=12_000, done=5, changed=5)

    stopped = owner_client.post(page_of(decision, "stop"), follow=True)
    decision.refresh_from_db()
    assert decision.state == "cancelled"
    assert f'action="{page_of(decision, "continue")}"' in stopped.text
    owner_client.post(page_of(decision, "continue"))
    decision.refresh_from_db()

    assert decision.state == "queued"
    assert ("carry_out_decision", (str(decision.pk),)) in enqueued


def test_stop_or_continue_what_is_over_changes_nothing(
    owner_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    decision = DecisionFactory(account=library_of_ada, changed=5)

    for verb, sentence in (("stop", "It was over already."), ("continue", "It cannot go on")):
        assert sentence in owner_client.post(page_of(decision, verb), follow=True).text
    decision.refresh_from_db()
    assert (decision.state, enqueued) == ("succeeded", [])
