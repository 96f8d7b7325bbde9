"""Photos that could not be described, by their reason, wherever one would look; and how to have one described."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from smugmug.models import Account, Album, AlbumPhoto, Photo
from tests.factories import AIMetadataFactory, AlbumFactory, PhotoFactory, ProcessingRunFactory
from tests.metadata.conftest import count_queries

pytestmark = pytest.mark.django_db


@pytest.fixture
def album(library_of_ada: Account) -> Album:
    """Two photos that are damaged, one that was declined; one failed that somebody has decided on."""
    album = AlbumFactory(account=library_of_ada, title="Summer")
    for error in ("Damaged.", "Damaged.", "“Declined” & <gone>."):
        AIMetadataFactory(photo=PhotoFactory(album=album), failed=True, error=error)
    AIMetadataFactory(photo=PhotoFactory(album=album), failed=True, error="Decided.", review_status="rejected")
    AIMetadataFactory(photo=PhotoFactory(), failed=True, error="Somebody else's.")
    return album


def pages(album: Album) -> list[str]:
    return ["/", f"/albums/{album.pk}/?show=failed"]


def test_failures_are_grouped_by_reason_with_a_button_each(curator_client: Client, album: Album):
    for url in pages(album):
        page = curator_client.get(url).text

        assert '<b class="num">2</b> Damaged.' in page
        assert '<b class="num">1</b> “Declined” &amp; &lt;gone&gt;.' in page
        assert page.count('name="only" value="failed"') == 3  # each reason, and all
        assert 'name="reason" value="Damaged."' in page
        assert "Decided." not in page.partition('class="failures"')[2].partition("</ul>")[0]
        assert "Somebody else" not in page


def test_failures_where_describing_costs_lead_to_the_estimate(curator_client: Client, album: Album, settings: Any):
    settings.AI_DESCRIBER = "openai"

    for url in pages(album):
        page = curator_client.get(url).text

        assert "estimate?only=failed&amp;reason=Damaged.&quot;" not in page
        assert f"/processing/{album.account.nickname}/estimate?only=failed&amp;reason=Damaged." in page
        assert "reason=%E2%80%9CDeclined%E2%80%9D%20%26%20%3Cgone%3E." in page
        assert 'name="only" value="failed"' not in page


def test_failures_as_a_viewer_have_no_buttons(viewer_client: Client, album: Album):
    for url in pages(album):
        page = viewer_client.get(url).text

        assert '<b class="num">2</b> Damaged.' in page
        assert 'name="only"' not in page


def test_failures_while_a_run_is_active_have_no_buttons_on_the_dashboard(curator_client: Client, album: Album):
    ProcessingRunFactory(account=album.account, state="running")

    page = curator_client.get("/").text

    assert '<b class="num">2</b> Damaged.' in page
    assert 'name="only" value="failed"' not in page


def test_failures_of_an_album_are_told_where_the_failed_are_shown(curator_client: Client, album: Album):
    assert "Damaged." not in curator_client.get(f"/albums/{album.pk}/").text.partition('<div class="tiles">')[0]


def test_failures_take_as_many_queries_for_three_reasons_as_for_one(curator_client: Client, album: Album):
    before = [count_queries(curator_client, url) for url in pages(album)]

    for number in range(3):
        photo = PhotoFactory(album=album)
        AIMetadataFactory(photo=photo, failed=True, error=f"Reason {number}.")

    assert [count_queries(curator_client, url) for url in pages(album)] == before


# --- One photo -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("traits", "button"),
    [
        (None, "Describe this photo"),
        ({"failed": True}, "Try again"),
        ({"described": True}, "Describe again"),
        ({"approved": True}, "Describe again"),
    ],
)
def test_photo_offers_to_describe_it(curator_client: Client, library_of_ada: Account, traits: Any, button: str):
    photo = PhotoFactory(album=AlbumFactory(account=library_of_ada))
    if traits:
        AIMetadataFactory(photo=photo, **traits)

    page = curator_client.get(f"/photos/{photo.pk}/").text

    assert f"{button}</button>" in page
    assert f'name="photo" value="{photo.pk}"' in page
    assert ('name="also_decided"' in page) == (button == "Describe again")


@pytest.mark.parametrize("why", ["video", "removed", "not connected", "never sent", "viewer", "under way"])
def test_photo_that_cannot_be_described_has_no_button(
    curator_client: Client, viewer_client: Client, library_of_ada: Account, settings: Any, why: str
):
    photo = PhotoFactory(album=AlbumFactory(account=library_of_ada), is_video=why == "video")
    if why == "not connected":
        Account.objects.update(state="refused")
    if why == "never sent":
        settings.AI_DESCRIBER = "openai"
        marked = AlbumFactory(account=library_of_ada, never_send=True)
        AlbumPhoto.objects.create(album=marked, photo=photo, position=1)
    if why == "removed":
        Photo.objects.update(removed_at="2026-01-01T00:00Z")
    if why == "under way":
        run = ProcessingRunFactory(account=library_of_ada, photo=photo)

    page = (viewer_client if why == "viewer" else curator_client).get(f"/photos/{photo.pk}/").text

    assert "Describe this photo" not in page
    assert (why == "under way") == ('class="run"' in page)
    if why == "under way":
        assert f"/processing/{run.pk}/" in page
