"""One photo: the AI's words beside SmugMug's own, and who said what."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from metadata import workflow
from metadata.models import AIMetadata
from smugmug.models import Account, Album, AlbumPhoto, Photo
from tests.factories import AccountFactory, AIMetadataFactory, AlbumFactory, PhotoFactory
from tests.metadata.conftest import count_queries

pytestmark = pytest.mark.django_db

Enqueued = list[tuple[str, tuple[Any, ...]]]


@pytest.fixture
def album(library_of_ada: Account) -> Album:
    return AlbumFactory(account=library_of_ada, title="Summer")


@pytest.fixture
def photo(album: Album) -> Photo:
    return PhotoFactory(album=album, title="Tom", caption="Cat by Ann Bee, CC0", keywords=["pet", "tabby"])


@pytest.fixture
def url(photo: Photo) -> str:
    return f"/photos/{photo.pk}/"


def columns(page: str) -> list[str]:
    """Our words and SmugMug's, as they stand beside each other."""
    return re.split(r"<h2>(?:Our words|On SmugMug)", page)[1:3]


# --- Who may -----------------------------------------------------------------------------------------------


def test_photo_signed_out_goes_to_sign_in(client: Client, url: str):
    assert client.get(url)["Location"] == f"/sign-in/?next={url}"


def test_photo_as_a_stranger_is_404(stranger_client: Client, url: str):
    assert stranger_client.get(url).status_code == 404


def test_photo_as_a_viewer_shows_words_and_no_way_to_change_them(viewer_client: Client, photo: Photo, url: str):
    AIMetadataFactory(photo=photo, described=True)

    page = viewer_client.get(url).text

    assert "A grey cat on a wall." in page
    assert "Review this photo" not in page


def test_photo_as_a_curator_offers_to_review(curator_client: Client, photo: Photo, url: str):
    AIMetadataFactory(photo=photo, described=True)

    page = curator_client.get(url).text

    assert f'href="/review/?photo={photo.pk}"' in page
    assert "Review this photo" in page


def test_photo_that_is_decided_offers_to_decide_again(curator_client: Client, photo: Photo, url: str):
    AIMetadataFactory(photo=photo, approved=True)

    page = curator_client.get(url).text

    assert "Edit or decide again" in page
    assert "Review this photo" not in page


# --- What it shows -----------------------------------------------------------------------------------------


def test_photo_shows_the_ais_words_beside_smugmugs(owner_client: Client, photo: Photo, url: str):
    AIMetadataFactory(photo=photo, described=True)

    page = owner_client.get(url).text
    ours, theirs = columns(page)

    assert "first by fake-1" in ours
    assert "<dd>A cat</dd>" in ours
    assert "<dd>A grey cat on a wall.</dd>" in ours
    assert re.findall(r'<span class="chip[^"]*">(.*?)<', ours) == ["cat", "grey", "Animals"]
    assert "<dd>Tom</dd>" in theirs
    assert "Cat by Ann Bee, CC0" in theirs
    assert re.findall(r'<span class="chip">(.*?)<', theirs.partition("</section>")[0]) == ["pet", "tabby"]
    assert "A grey cat on a wall." not in theirs.partition("</section>")[0]
    assert '<p class="under">Cat by Ann Bee, CC0</p>' in page  # the attribution stays with the picture


def test_photo_without_words_says_so(owner_client: Client, url: str):
    page = owner_client.get(url).text

    assert "Not described yet." in page
    assert "Waits to be described" in page
    assert "<h2>History</h2>" not in page


@pytest.mark.parametrize(
    ("traits", "says"),
    [
        ({"approved": True}, "Approved by grace"),
        ({"described": True, "review_status": "rejected", "rejection_reason": "Too vague"}, "Rejected: Too vague"),
        ({"failed": True}, "Failed: No usable answer."),
        ({"described": True}, "Waits for review"),
    ],
)
def test_photo_says_how_its_words_stand(
    owner_client: Client, photo: Photo, url: str, traits: dict[str, Any], says: str
):
    AIMetadataFactory(photo=photo, **traits)

    state = re.search(r'<span class="state">(.*?)</span>\s*(?:<span class="sure">|<small>|</div>)',
                      owner_client.get(url).text, re.DOTALL)  # fmt: skip

    assert says in state[1]


def test_photo_shows_what_the_camera_wrote(owner_client: Client, photo: Photo, url: str):
    Photo.objects.update(
        exif={"camera": "Canon EOS R6", "lens": "RF24-105mm", "exposure": "1/250 s", "place": "Donostia"},
        latitude=43.31833,
        longitude=-1.98167,
        date_taken="2024-05-06T07:08:09",
        filename="IMG_7.JPG",
    )

    page = owner_client.get(url).text

    for fact in ("Canon EOS R6", "RF24-105mm", "1/250 s", "Donostia", "43.31833, -1.98167", "6 May 2024, 07:08:09"):
        assert fact in page
    assert "IMG_7.JPG · 1,200 × 800" in page


def test_photo_without_camera_data_shows_no_empty_facts(owner_client: Client, url: str):
    page = owner_client.get(url).text

    for label in ("Camera", "Lens", "Exposure", "Place", "Position", "Taken"):
        assert f"<dt>{label}</dt>" not in page


def test_photo_leads_to_the_one_before_and_the_next(owner_client: Client, album: Album, photo: Photo, url: str):
    following = PhotoFactory(album=album)
    PhotoFactory(album=AlbumFactory(account=album.account))

    first, last = owner_client.get(url), owner_client.get(f"/photos/{following.pk}/")

    assert (first.context["previous_url"], first.context["next_url"]) == (
        "",
        f"/photos/{following.pk}/?album={album.pk}",
    )
    assert (last.context["previous_url"], last.context["next_url"]) == (f"{url}?album={album.pk}", "")


def test_photo_in_two_albums_stays_in_the_one_it_was_opened_in(
    owner_client: Client, album: Album, photo: Photo, url: str
):
    best = AlbumFactory(account=album.account, title="Best of")
    neighbour = PhotoFactory(album=best)
    AlbumPhoto.objects.create(album=best, photo=photo, position=5, origin="Collected")

    response = owner_client.get(url, {"album": str(best.pk)})

    assert response.context["album"] == best
    assert response.context["previous_url"] == f"/photos/{neighbour.pk}/?album={best.pk}"
    assert [each.title for each in response.context["albums"]] == ["Best of", "Summer"]


@pytest.mark.parametrize("album_asked", ["nonsense", "00000000-0000-4000-8000-000000000000"])
def test_photo_opened_in_an_album_it_is_not_in_is_shown_at_home(
    owner_client: Client, album: Album, url: str, album_asked: str
):
    assert owner_client.get(url, {"album": album_asked}).context["album"] == album


def test_photo_collected_by_a_stranger_does_not_name_their_album(owner_client: Client, photo: Photo, url: str):
    strange = AlbumFactory(account=AccountFactory(), title="A stranger's album")
    AlbumPhoto.objects.create(album=strange, photo=photo, position=1, origin="Collected")

    response = owner_client.get(url, {"album": str(strange.pk)})

    assert "stranger&#x27;s album" not in response.text
    assert [each.title for each in response.context["albums"]] == ["Summer"]


def test_photo_escapes_what_others_wrote(owner_client: Client, photo: Photo, url: str, enqueued: Enqueued):
    evil = "<script>alert(1)</script>"
    Photo.objects.update(title=evil, caption=evil, keywords=[evil], filename=evil, exif={"camera": evil})
    Album.objects.update(title=evil)
    words = AIMetadataFactory(
        photo=photo, described=True, ai_title=evil, ai_description=evil, ai_tags=[evil], ai_alt_text=f'">{evil}'
    )
    edit = {"ai_description": f"changed {evil}"}
    workflow.edit(words, by=photo.account.owner, version=1, changes=edit)
    workflow.reject(words, by=photo.account.owner, version=2, reason=evil)

    page = owner_client.get(url).text

    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 10


# --- History -----------------------------------------------------------------------------------------------


def test_photo_history_tells_who_said_what_and_which_words_changed(
    owner_client: Client, photo: Photo, url: str, enqueued: Enqueued
):
    words = AIMetadataFactory(photo=photo, described=True)
    changes = {"ai_description": "A grey cat on a red wall.", "ai_tags": ["cat"]}
    workflow.approve(words, by=photo.account.owner, version=1, changes=changes)

    page = owner_client.get(url).text
    newest, oldest = re.findall(r"<li>\s*(<span><b>.*?)</li>", page.partition("<h2>History</h2>")[2], re.DOTALL)

    assert "<b>ada</b>" in newest
    assert "edited and approved" in newest
    assert '<span class="label">Description</span>A grey cat on a<ins> red</ins> wall.' in newest
    assert '<span class="label">Tags</span>cat<del>, grey</del>' in newest
    assert "Title" not in newest  # did not change
    assert "<b>fake-1</b>" in oldest
    assert "answered" in oldest
    assert "A grey cat on a wall." in oldest
    assert "<ins>" not in oldest


def test_photo_takes_as_many_queries_for_a_long_history_as_for_a_short_one(
    owner_client: Client, photo: Photo, url: str, enqueued: Enqueued
):
    words = AIMetadataFactory(photo=photo, described=True)
    few = count_queries(owner_client, url)
    for version in (1, 2):
        changes = {"ai_title": f"Title {version}"}
        workflow.edit(AIMetadata.objects.get(), by=photo.account.owner, version=version, changes=changes)
    for _ in range(2):
        best = AlbumFactory(account=photo.account)
        AlbumPhoto.objects.create(album=best, photo=photo, position=1, origin="Collected")

    assert count_queries(owner_client, url) == few
    assert words.history.count() == 3
