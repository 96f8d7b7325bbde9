"""Several people at the grid: each is shown photos of their own; and addresses that ask for what there is not."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from metadata.models import ReviewClaim
from smugmug.models import Account
from tests.factories import AccountFactory
from tests.metadata.conftest import count_queries
from tests.metadata.test_views_grid import GRID, titles, waiting

pytestmark = pytest.mark.django_db


def test_grid_shows_two_curators_different_photos(
    curator_client: Client, owner_client: Client, library_of_ada: Account
):
    rows = waiting(library_of_ada, 30)

    hers = curator_client.get(GRID).context["tiles"]
    his = owner_client.get(GRID).context["tiles"]

    assert [tile.words.pk for tile in hers] == [row.pk for row in rows[:24]]
    assert [tile.words.pk for tile in his] == [row.pk for row in rows[24:]]
    assert len(curator_client.get(GRID).context["tiles"]) == 24


def test_grid_with_all_that_waits_shown_to_others_says_so(
    curator_client: Client, owner_client: Client, library_of_ada: Account
):
    waiting(library_of_ada, 2)
    owner_client.get(GRID)

    response = curator_client.get(GRID)

    assert "Others are on it" in response.text
    assert "All caught up" not in response.text
    assert titles(response) == []


def test_grid_of_who_may_only_look_and_of_what_is_decided_holds_nothing(
    curator_client: Client, viewer_client: Client, library_of_ada: Account
):
    waiting(library_of_ada, 2)

    viewer_client.get(GRID)
    decided = curator_client.get(GRID, {"status": "all"})

    assert len(decided.context["tiles"]) == 2
    assert not ReviewClaim.objects.exists()
    assert "/review/grid/hold" not in decided.text


def test_hold_renews_what_the_person_is_shown_and_nothing_of_others(
    curator_client: Client, owner_client: Client, library_of_ada: Account
):
    mine, hers = waiting(library_of_ada, 2)
    ReviewClaim.objects.create(words=hers, user=library_of_ada.owner, until=timezone.now())
    ReviewClaim.objects.create(words=mine, user=User.objects.get(username="grace"), until=timezone.now())

    response = curator_client.post("/review/grid/hold")

    assert response.status_code == 204
    left = {claim.words_id: (claim.until - timezone.now()).total_seconds() for claim in ReviewClaim.objects.all()}
    assert left[mine.pk] > 100
    assert left[hers.pk] <= 0


def test_grid_in_a_lane_to_read_shows_the_least_sure_first(curator_client: Client, library_of_ada: Account):
    sure, unsure = waiting(library_of_ada, 2, lane="read")

    read = curator_client.get(GRID, {"lane": "read"})
    chosen = curator_client.get(GRID, {"lane": "read", "order": "surest"})

    assert [tile.words.pk for tile in read.context["tiles"]] == [unsure.pk, sure.pk]
    assert [tile.words.pk for tile in chosen.context["tiles"]] == [sure.pk, unsure.pk]


@pytest.mark.parametrize("page", [GRID, "/review/", "/review/all/", "/review/filters"])
def test_page_with_a_filter_that_does_not_exist_says_so_and_shows_the_rest(
    curator_client: Client, library_of_ada: Account, page: str
):
    waiting(library_of_ada, 2)

    response = curator_client.get(page, {"colour": "red", "size": "48", "page": "grid", "do": "tags"})

    assert response.status_code == 200
    assert "There is no filter by “colour”." in response.text
    assert response.text.count("There is no filter by") == 1


def test_grid_takes_as_many_queries_whatever_others_are_shown(
    curator_client: Client, owner_client: Client, library_of_ada: Account
):
    waiting(library_of_ada, 26)
    waiting(AccountFactory())
    curator_client.get(GRID)
    few = count_queries(curator_client, GRID)
    owner_client.get(GRID)

    assert count_queries(curator_client, GRID) == few
