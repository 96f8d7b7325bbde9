"""The filters above the pages of review, and the tags that a field completes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from smugmug.models import Account
from tests.factories import (
    AIMetadataFactory,
    AlbumFactory,
    ChangeSetFactory,
    DecisionFactory,
    ExportFactory,
    MembershipFactory,
    PhotoFactory,
    ProcessingRunFactory,
    PromptFactory,
    SampleFactory,
)
from tests.metadata.test_views_review import REVIEW, Enqueued, typed, waiting

pytestmark = pytest.mark.django_db


def test_complete_a_tag_from_the_vocabulary_first_then_the_library(curator_client: Client, library_of_ada: Account):
    PromptFactory(account=library_of_ada, is_active=True, vocabulary=["Beach ball"])
    waiting(library_of_ada, ai_tags=["beach", "cat"], photo__keywords=["Beacon", "sandy beach"])
    AIMetadataFactory(described=True, ai_tags=["beach secret"])

    response = curator_client.get(f"/review/tags/{library_of_ada.nickname}", {"q": " BEA"})

    assert response.json() == {"tags": ["Beach ball", "beach", "Beacon", "sandy beach"]}


def test_complete_a_tag_gives_at_most_twenty_and_nothing_for_nonsense(viewer_client: Client, library_of_ada: Account):
    waiting(library_of_ada, ai_tags=[f"tag {number}" for number in range(30)])
    url = f"/review/tags/{library_of_ada.nickname}"

    assert len(viewer_client.get(url, {"q": "tag"}).json()["tags"]) == 20
    assert viewer_client.get(url, {"q": "t" * 61}).json() == {"tags": []}
    assert viewer_client.get(url, {"q": "%"}).json() == {"tags": []}


def test_complete_a_tag_as_a_stranger_is_404(stranger_client: Client, library_of_ada: Account):
    waiting(library_of_ada, ai_tags=["secret"])

    assert stranger_client.get(f"/review/tags/{library_of_ada.nickname}?q=s").status_code == 404


def test_counts_come_as_a_fragment_by_lane(curator_client: Client, library_of_ada: Account):
    for lane in ("glance", "glance", "look"):
        waiting(library_of_ada, lane=lane)
    AIMetadataFactory(described=True, lane="look")  # somebody else's

    response = curator_client.get("/review/counts?lane=look&page=focus")

    told = re.findall(r">([A-Z][a-z ]+) <span class=\"num\">(\d+)<", response.text)
    assert told == [("All", "3"), ("Glance", "2"), ("Read", "0"), ("Must look", "1")]
    assert re.search(r'lane=look" aria-current="true">Must look', response.text)
    assert "<html" not in response.text
    assert f'href="{REVIEW}?lane=glance"' in response.text


def test_review_with_a_filter_shows_what_it_finds_and_how_to_lift_it(curator_client: Client, library_of_ada: Account):
    waiting(library_of_ada, ai_tags=["dog"])
    album = AlbumFactory(account=library_of_ada, title="The wall")
    found = AIMetadataFactory(photo=PhotoFactory(album=album), described=True)

    response = curator_client.get(f"{REVIEW}?album={album.pk}&tag=cat")

    assert response.context["words"] == found
    assert response.context["upcoming"] == []
    assert "Album: The wall" in response.text
    assert f'href="{REVIEW}?tag=cat" aria-label="Any album"' in response.text
    assert f"/review/{found.pk}/approve?album={album.pk}&amp;tag=cat" in response.text


def test_review_with_a_filter_that_finds_nothing_says_so(curator_client: Client, library_of_ada: Account):
    waiting(library_of_ada)

    response = curator_client.get(f"{REVIEW}?tag=nowhere")

    assert "Nothing matches" in response.text
    assert "All caught up" not in response.text


def test_review_with_a_filter_that_makes_no_sense_says_so_and_goes_on(curator_client: Client, library_of_ada: Account):
    words = waiting(library_of_ada)

    response = curator_client.get(f"{REVIEW}?lane=fast&colour=blue&after=yesterday")

    assert "There is no lane “fast”." in response.text
    assert "Type a day as 2026-05-31." in response.text
    assert response.context["words"] == words


def test_approve_with_a_filter_goes_on_within_it(curator_client: Client, library_of_ada: Account, enqueued: Enqueued):
    first, _, third = (waiting(library_of_ada, ai_tags=tags) for tags in (["cat"], ["dog"], ["cat"]))

    response = curator_client.post(f"/review/{first.pk}/approve?tag=cat", typed(first))

    assert response["Location"] == f"{REVIEW}?photo={third.photo_id}&tag=cat"


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_choose_a_filter_offers_what_there_is_and_keeps_what_is_asked_for(
    curator_client: Client, library_of_ada: Account, headers: dict[str, str]
):
    AlbumFactory(account=library_of_ada, title="The wall")
    AlbumFactory(title="Not hers")
    ProcessingRunFactory(account=library_of_ada, model="fake-1")

    response = curator_client.get("/review/filters?tag=cat&model=gone-1&page=grid", headers=headers)

    assert ("<html" in response.text) is not bool(headers)
    assert ">The wall</option>" in response.text
    assert "Not hers" not in response.text
    assert '<option value="gone-1" selected>' in response.text
    assert '<option value="fake-1">' in response.text
    assert 'name="tag" value="cat"' in response.text
    assert 'name="account"' not in response.text  # there is one library
    assert f'action="{reverse("metadata:grid")}"' in response.text


def test_choose_a_filter_with_two_libraries_asks_for_which(library_of_ada: Account, curator_client: Client):
    other = MembershipFactory(user=User.objects.get(username="grace"), role="curator").account

    response = curator_client.get("/review/filters")

    assert f">{other.nickname}</option>" in response.text


def test_pages_name_no_album_of_somebody_else(
    owner_client: Client, library_of_ada: Account, settings: Any, tmp_path: Path
):
    settings.DATA_DIR = tmp_path
    foreign, own = AlbumFactory(title="Secret"), AlbumFactory(account=library_of_ada, title="Own album")
    AIMetadataFactory(photo=PhotoFactory(album=own), described=True)
    addresses = ["/review/", "/review/grid/", "/review/all/", "/review/filters", "/review/samples/new"]
    rows = {
        album: {"account": library_of_ada.nickname, "album": str(album.pk), "status": "approved"}
        for album in (foreign, own)
    }
    for row in rows.values():
        decision = DecisionFactory(account=library_of_ada, filter=row)
        ExportFactory(account=library_of_ada, filter=row)
        sample = SampleFactory(account=library_of_ada, filter={**row, "status": "waiting"})
        change_set = ChangeSetFactory(account=library_of_ada, filter=row)
        addresses += [
            f"/review/decisions/{decision.pk}/",
            f"/review/samples/{sample.pk}/",
            f"/publish/{change_set.pk}/",
        ]

    texts = {address: owner_client.get(address, {"album": str(foreign.pk)}).text for address in addresses}
    lists = {url: owner_client.get(url).text for url in ("/review/decisions/", "/review/samples/", "/exports/")}

    assert [address for address, text in (texts | lists).items() if "Secret" in text] == []
    assert [address for address, text in lists.items() if "Own album" not in text] == []
    assert "Own album" in owner_client.get("/review/", {"album": str(own.pk)}).text
    assert owner_client.get("/exports/", {"album": str(foreign.pk)}).status_code == 404
