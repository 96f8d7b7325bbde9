"""The ledger's page."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from smugmug.models import Account
from tests.factories import AccountFactory, AICallFactory, MembershipFactory
from tests.metadata.conftest import count_queries

pytestmark = pytest.mark.django_db

LEDGER = "/ledger/"


def keys(page: str) -> list[str]:
    """What its lines are about."""
    return [re.sub(r"<.*?>", "", found) for found in re.findall(r'<th scope="row" class="num">(.*?)</th>', page)]


def test_ledger_signed_out_goes_to_sign_in(client: Client):
    response = client.get(LEDGER)

    assert (response.status_code, response["Location"]) == (302, "/sign-in/?next=/ledger/")


def test_ledger_without_a_call_tells_what_will_be_here(owner_client: Client, library_of_ada: Account):
    assert "No call was made yet" in owner_client.get(LEDGER, {"period": "all"}).text
    assert "No call in this time" in owner_client.get(LEDGER).text


def test_ledger_shows_cost_and_what_left_the_house(owner_client: Client, library_of_ada: Account):
    AICallFactory(account=library_of_ada, cost=Decimal("1.20"), bytes_sent=3_500_000)
    AICallFactory.create_batch(30, account=library_of_ada, unknown=True, outcome="outage", bytes_sent=0)

    page = owner_client.get(LEDGER).text

    assert "≥ $1.20" in page
    assert "30 calls of unknown cost" in page
    assert "30 no answer" in page
    assert "to fake.test" in page
    assert "31 pictures, 3.3\xa0MB" in page


def test_ledger_of_an_unknown_price_says_unknown_and_never_nothing(owner_client: Client, library_of_ada: Account):
    AICallFactory(account=library_of_ada, unknown=True)

    page = owner_client.get(LEDGER).text

    assert "<b>unknown</b>" in page
    assert "$0" not in page


def test_ledger_of_the_built_in_model_says_that_nothing_left(owner_client: Client, library_of_ada: Account):
    AICallFactory(account=library_of_ada, sent_to="", bytes_sent=0, cost=0)

    page = owner_client.get(LEDGER).text

    assert "<small>nothing</small>" in page
    assert "picture" not in page.partition("<main")[2].replace("which pictures", "")


def test_ledger_by_day_model_and_prompt(owner_client: Client, library_of_ada: Account):
    AICallFactory(account=library_of_ada, model="one", prompt="Default 1", cost=1)
    AICallFactory(account=library_of_ada, model="<b>two", prompt="", cost=2)

    assert keys(owner_client.get(LEDGER).text) == [f"{timezone.now():%-d %b %Y}"]
    page = owner_client.get(LEDGER, {"by": "model"}).text
    assert keys(page) == ["&lt;b&gt;two", "one"]
    assert keys(owner_client.get(LEDGER, {"by": "prompt"}).text) == [
        "No prompt: embeddings, and the oldest calls",
        "Default 1",
    ]


def test_ledger_of_a_period_leaves_out_what_is_older(owner_client: Client, library_of_ada: Account):
    for days in (1, 20, 200, 900):
        AICallFactory(account=library_of_ada, created_at=timezone.now() - timedelta(days=days))

    found = {
        period: len(keys(owner_client.get(LEDGER, {"period": period}).text)) for period in ("", "week", "year", "all")
    }

    assert found == {"": 2, "week": 1, "year": 3, "all": 4}


def test_ledger_of_one_library_leaves_out_the_others(owner_client: Client, library_of_ada: Account):
    shared = MembershipFactory(user=library_of_ada.owner, account__nickname="shared").account
    AICallFactory(account=library_of_ada, model="mine")
    AICallFactory(account=shared, model="ours")

    both = owner_client.get(LEDGER, {"by": "model"}).text
    one = owner_client.get(LEDGER, {"by": "model", "library": "shared"}).text

    assert sorted(keys(both)) == ["mine", "ours"]
    assert 'href="?by=model&amp;library=shared"' in both
    assert keys(one) == ["ours"]
    assert 'href="?library=shared"' in one
    assert 'href="/activity/?library=shared"' in one


def test_ledger_as_a_stranger_shows_nothing_of_the_library(stranger_client: Client, library_of_ada: Account):
    AICallFactory(account=library_of_ada, model="secret-model")

    for wish in ({}, {"library": library_of_ada.nickname}, {"by": "model", "period": "all"}):
        page = stranger_client.get(LEDGER, wish).text
        assert keys(page) == []
        assert "secret-model" not in page


def test_ledger_as_a_viewer_may_be_looked_at(viewer_client: Client, library_of_ada: Account):
    AICallFactory(account=library_of_ada)

    assert len(keys(viewer_client.get(LEDGER).text)) == 1


@pytest.mark.parametrize("query", ["by=hour", "period=\x00", "page=-1", "page=" + "9" * 40, "by=%00&page=x"])
def test_ledger_asked_for_nonsense_shows_what_it_shows_at_first(
    owner_client: Client, library_of_ada: Account, query: str
):
    AICallFactory(account=library_of_ada)

    response = owner_client.get(f"{LEDGER}?{query}")

    assert response.status_code == 200
    assert len(keys(response.text)) == 1


def test_ledger_of_a_library_that_is_none_is_empty(owner_client: Client, library_of_ada: Account):
    AICallFactory(account=library_of_ada)

    assert keys(owner_client.get(LEDGER, {"library": "nobody"}).text) == []


def test_ledger_comes_sixty_lines_a_page(owner_client: Client, library_of_ada: Account):
    for days in range(61):
        AICallFactory(account=library_of_ada, created_at=timezone.now() - timedelta(days=days), cost=1)

    first = owner_client.get(LEDGER, {"period": "all"}).text
    second = owner_client.get(LEDGER, {"period": "all", "page": 2}).text

    assert (len(keys(first)), len(keys(second))) == (60, 1)
    assert 'rel="next" href="?period=all&amp;page=2"' in first
    assert 'rel="prev" href="?period=all&amp;page=1"' in second
    assert "$61.00" in first
    assert "$61.00" in second


@pytest.mark.parametrize("by", ["", "model", "prompt"])
def test_ledger_takes_as_many_queries_for_three_lines_as_for_one(
    owner_client: Client, library_of_ada: Account, by: str
):
    def add(number: int, account: Account = library_of_ada) -> None:
        then = timezone.now() - timedelta(days=number)
        AICallFactory(account=account, created_at=then, model=f"m-{number}", prompt=f"P {number}")

    add(0)
    few = count_queries(owner_client, f"{LEDGER}?by={by}")
    add(1)
    add(2)
    add(3, AccountFactory())

    assert count_queries(owner_client, f"{LEDGER}?by={by}") == few
    assert len(keys(owner_client.get(LEDGER, {"by": by}).text)) == 3
