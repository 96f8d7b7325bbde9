"""The list of albums."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest
from django.test import Client

from smugmug.models import Account
from tests.factories import AccountFactory, AIMetadataFactory, AlbumFactory, MembershipFactory, PhotoFactory
from tests.metadata.conftest import count_queries

pytestmark = pytest.mark.django_db

ALBUMS = "/albums/"
NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)  # noqa: UP017 - `datetime` is the class here


def titles(page: str) -> list[str]:
    return re.findall(r'<span class="line"><b>(.*?)</b>', page)


def test_albums_signed_out_goes_to_sign_in(client: Client):
    response = client.get(ALBUMS)

    assert (response.status_code, response["Location"]) == (302, "/sign-in/?next=/albums/")


def test_albums_shows_those_of_the_persons_libraries_newest_first(owner_client: Client, library_of_ada: Account):
    shared = MembershipFactory(user=library_of_ada.owner).account
    AlbumFactory(account=library_of_ada, title="Old", images_last_updated=NOON)
    AlbumFactory(account=shared, title="New", images_last_updated=NOON + timedelta(days=1))
    AlbumFactory(account=library_of_ada, title="Never filled")
    AlbumFactory(account=library_of_ada, title="Removed", removed_at=NOON)
    AlbumFactory(title="Not for ada", images_last_updated=NOON)

    response = owner_client.get(ALBUMS)

    assert titles(response.text) == ["New", "Old", "Never filled"]
    assert response.context["totals"] == {"albums": 3, "photos": 0}


def test_albums_as_a_stranger_shows_nothing_of_the_library(stranger_client: Client, library_of_ada: Account):
    PhotoFactory(album=AlbumFactory(account=library_of_ada, title="At home"))

    response = stranger_client.get(ALBUMS, {"q": "home"})

    assert titles(response.text) == []
    assert response.context["totals"] == {"albums": 0, "photos": 0}


def test_albums_as_a_viewer_shows_the_library(viewer_client: Client, library_of_ada: Account):
    AlbumFactory(account=library_of_ada, title="At home")

    assert titles(viewer_client.get(ALBUMS).text) == ["At home"]


def test_albums_show_how_far_each_is(owner_client: Client, library_of_ada: Account):
    album, other = AlbumFactory(account=library_of_ada), AlbumFactory(account=library_of_ada, title="Empty")
    AIMetadataFactory(photo=PhotoFactory(album=album), approved=True)
    AIMetadataFactory(photo=PhotoFactory(album=album), described=True)
    AIMetadataFactory(photo=PhotoFactory(album=album), failed=True)
    PhotoFactory(album=album)
    PhotoFactory(album=album, removed_at=NOON)

    response = owner_client.get(ALBUMS)

    [shown] = [each for each in response.context["albums"] if each == album]
    assert (shown.photo_count, shown.described_count, shown.reviewed_count) == (4, 2, 1)
    assert len(shown.covers) == 3
    assert 'aria-label="1 reviewed, 2 described"' in response.text
    [empty] = [each for each in response.context["albums"] if each == other]
    assert (empty.photo_count, empty.covers) == (0, [])
    assert "No photos yet" in response.text


def test_albums_that_are_locked_say_so(owner_client: Client, library_of_ada: Account):
    AlbumFactory(account=library_of_ada, is_locked=True)

    assert "Locked on SmugMug" in owner_client.get(ALBUMS).text


@pytest.mark.parametrize("query", ["summer", "SUMM", " summer ", "sum\x00mer"])
def test_albums_found_by_part_of_their_name(owner_client: Client, library_of_ada: Account, query: str):
    AlbumFactory(account=library_of_ada, title="Summer in Bern")
    AlbumFactory(account=library_of_ada, title="Winter")
    AlbumFactory(title="Summer elsewhere")

    assert titles(owner_client.get(ALBUMS, {"q": query}).text) == ["Summer in Bern"]


def test_albums_when_none_is_found_say_so(owner_client: Client, library_of_ada: Account):
    AlbumFactory(account=library_of_ada, title="Winter")

    page = owner_client.get(ALBUMS, {"q": "<i>summer"}).text

    assert "No album is called “&lt;i&gt;summer”" in page
    assert titles(page) == []


def test_albums_without_any_tell_what_to_do(owner_client: Client, library_of_ada: Account):
    AlbumFactory()

    assert "They appear here, with their photos, while the first sync runs." in owner_client.get(ALBUMS).text


def test_albums_come_sixty_a_page(owner_client: Client, library_of_ada: Account):
    for number in range(61):
        AlbumFactory(account=library_of_ada, title=f"A & {number}", album_key=f"KEY{number:02}")

    first, second = owner_client.get(ALBUMS, {"q": "A &"}), owner_client.get(ALBUMS, {"q": "A &", "page": 2})

    assert len(titles(first.text)) == 60
    assert titles(second.text) == ["A &amp; 60"]
    assert 'rel="next" href="?page=2&amp;q=A%20%26"' in first.text
    assert 'rel="prev" href="?page=1&amp;q=A%20%26"' in second.text
    assert 'rel="next"' not in second.text


@pytest.mark.parametrize("page", ["0", "-1", "x", "9" * 40, ""])
def test_albums_of_a_page_that_is_none_shows_one_that_is(owner_client: Client, library_of_ada: Account, page: str):
    AlbumFactory(account=library_of_ada, title="Winter")

    assert titles(owner_client.get(ALBUMS, {"page": page}).text) == ["Winter"]


def test_albums_escape_what_others_wrote(owner_client: Client, library_of_ada: Account):
    PhotoFactory(album=AlbumFactory(account=library_of_ada, title="<script>alert(1)</script>"))

    page = owner_client.get(ALBUMS).text

    assert "<script>alert" not in page
    assert titles(page) == ["&lt;script&gt;alert(1)&lt;/script&gt;"]


def test_albums_take_as_many_queries_for_three_as_for_one(owner_client: Client, library_of_ada: Account):
    def add_album(account: Account) -> None:
        album = AlbumFactory(account=account)
        for _ in range(2):
            AIMetadataFactory(photo=PhotoFactory(album=album), described=True)

    add_album(library_of_ada)
    few = count_queries(owner_client, ALBUMS)
    add_album(library_of_ada)
    add_album(library_of_ada)
    add_album(AccountFactory())

    assert count_queries(owner_client, ALBUMS) == few
    assert len(titles(owner_client.get(ALBUMS).text)) == 3
