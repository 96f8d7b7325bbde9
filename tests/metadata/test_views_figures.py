"""The page of figures."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from metadata import workflow
from smugmug.models import Account
from tests.factories import AIMetadataFactory, AlbumFactory, MembershipFactory, PhotoFactory
from tests.metadata.conftest import count_queries

pytestmark = pytest.mark.django_db

FIGURES = "/review/figures/"


@pytest.fixture
def decide(library_of_ada: Account, enqueued: list[Any]) -> Any:
    """Lets a member approve, edit or reject new words in ada's library, or in `account`."""
    albums = {library_of_ada: AlbumFactory(account=library_of_ada)}

    def decide(
        *, by: Any = None, account: Account = library_of_ada, reject: str = "", prompt: str = "", **changes: Any
    ):
        album = albums.setdefault(account, None) or AlbumFactory(account=account)
        albums[account] = album
        words = AIMetadataFactory(photo=PhotoFactory(album=album), described=True, prompt=prompt)
        who = by or account.owner
        if reject:
            return workflow.reject(words, by=who, version=1, reason=reject)
        return workflow.approve(words, by=who, version=1, changes=changes)

    return decide


def rows(page: str, section: str) -> list[str]:
    """The text of each line of a section's table."""
    found = re.search(rf'aria-labelledby="{section}".*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    lines = found[1].split("</tr>")[:-1] if found else []
    return [" ".join(re.sub(r"<[^>]*>", " ", line).split()) for line in lines]


def test_figures_without_a_decision_lead_to_review(owner_client: Client, library_of_ada: Account):
    page = owner_client.get(FIGURES, {"period": "all"}).text

    assert "No decision yet" in page
    assert "No decision in this time" in owner_client.get(FIGURES).text


def test_figures_tell_pace_shares_and_reasons(owner_client: Client, decide: Any):
    decide(prompt="Default 1")
    decide(prompt="Default 1", ai_title="Another cat")
    decide(prompt="<b>Two", reject="Too vague: no place")

    page = owner_client.get(FIGURES).text

    assert "50 %" in page
    assert rows(page, "pace")[0].startswith("ada 3 decisions 3 photos")
    assert rows(page, "by-prompt") == [
        "Default 1 2 decided 50 % untouched 1 word edited 0 rejected",
        "&lt;b&gt;Two 1 decided none approved none edited 1 rejected Too vague 1",
    ]
    assert rows(page, "by-model")[0].startswith("fake-1 3 decided 50 % untouched")
    assert rows(page, "why") == ["Too vague 1 photo"]
    assert "no place" not in page


def test_figures_of_one_library_leave_out_the_others(owner_client: Client, decide: Any, library_of_ada: Account):
    shared = MembershipFactory(user=library_of_ada.owner, account__nickname="shared").account
    decide(prompt="Mine 1")
    decide(prompt="Ours 1", account=shared)

    both, one = owner_client.get(FIGURES).text, owner_client.get(FIGURES, {"library": "shared"}).text

    assert len(rows(both, "by-prompt")) == 2
    assert 'href="?library=shared"' in both
    assert [line.split()[0] for line in rows(one, "by-prompt")] == ["Ours"]


def test_figures_as_a_stranger_show_nothing_of_the_library(
    stranger_client: Client, decide: Any, library_of_ada: Account
):
    decide(prompt="Secret 1")

    for wish in ({}, {"library": library_of_ada.nickname}, {"period": "all"}):
        page = stranger_client.get(FIGURES, wish).text
        assert "No decision" in page
        assert "Secret" not in page


def test_figures_as_a_viewer_may_be_looked_at(viewer_client: Client, decide: Any):
    decide()

    assert len(rows(viewer_client.get(FIGURES).text, "pace")) == 1


@pytest.mark.parametrize("query", ["period=hour", "period=%00", "library=nobody&period=x", "library=" + "9" * 400])
def test_figures_asked_for_nonsense_answer(owner_client: Client, decide: Any, query: str):
    decide()

    assert owner_client.get(f"{FIGURES}?{query}").status_code == 200


def test_figures_take_as_many_queries_for_three_as_for_one(owner_client: Client, decide: Any, library_of_ada: Account):
    decide(prompt="Default 1")
    one = count_queries(owner_client, FIGURES)
    shared = MembershipFactory(user=library_of_ada.owner, account__nickname="shared").account
    decide(prompt="Default 2", account=shared, ai_title="Another")
    decide(prompt="Default 3", account=AIMetadataFactory(described=True).photo.account, reject="Other")
    decide(by=MembershipFactory(account=library_of_ada, role="curator").user, reject="Other")

    assert count_queries(owner_client, FIGURES) == one
