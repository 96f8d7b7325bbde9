"""One album's gallery."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from smugmug.models import Account, Album
from tests.conftest import HTMX
from tests.factories import AIMetadataFactory, AlbumFactory, PhotoFactory, ProcessingRunFactory, SyncRunFactory
from tests.metadata.conftest import count_queries

pytestmark = pytest.mark.django_db


@pytest.fixture
def album(library_of_ada: Account) -> Album:
    return AlbumFactory(account=library_of_ada, title="Summer", image_count=1)


@pytest.fixture
def url(album: Album) -> str:
    return f"/albums/{album.pk}/"


def captions(page: str) -> list[str]:
    return re.findall(r"<figcaption>(.*?)</figcaption>", page)


# --- Who may -----------------------------------------------------------------------------------------------


def test_album_signed_out_goes_to_sign_in(client: Client, url: str):
    assert client.get(url)["Location"] == f"/sign-in/?next={url}"


def test_album_as_a_stranger_is_404(stranger_client: Client, url: str):
    assert stranger_client.get(url).status_code == 404
    assert stranger_client.get(url, headers=HTMX).status_code == 404


def test_album_as_a_viewer_shows_photos_and_nothing_to_press(viewer_client: Client, album: Album, url: str):
    PhotoFactory(album=album, title="Tom")
    AIMetadataFactory(photo=PhotoFactory(album=album, title="Tim"), described=True)
    run = ProcessingRunFactory(account=album.account, album=album, state="paused")

    page = viewer_client.get(url).text

    assert captions(page) == ["Tom", "A cat"]
    assert f'id="run-{run.pk}"' in page
    assert f"{url}process" not in page
    assert f"/smugmug/albums/{album.pk}/" not in page
    assert "/cancel" not in page
    assert "Start reviewing" not in page


def test_album_as_a_curator_offers_to_describe_and_review(curator_client: Client, album: Album, url: str):
    PhotoFactory(album=album)
    AIMetadataFactory(photo=PhotoFactory(album=album), described=True)

    page = curator_client.get(url).text

    assert f'action="{url}process"' in page
    assert "Describe 1</button>" in page
    assert "Start reviewing" in page


def test_album_of_many_photos_is_counted_after_the_page(curator_client: Client, album: Album, url: str):
    Album.objects.update(image_count=1_001)
    AIMetadataFactory(photo=PhotoFactory(album=album), described=True)
    PhotoFactory(album=album)

    page, tiles = curator_client.get(url), curator_client.get(url, headers=HTMX)
    later = f"{url}?show=all&counts=1"
    part, whole = curator_client.get(later, headers=HTMX), curator_client.get(later)

    assert (page.context["counts"], tiles.context["counts"]) == ({}, {})
    assert f'hx-get="{later.replace("&", "&amp;")}"' in page.text
    assert "Describe 1</button>" not in page.text
    for answer in (part, whole):
        assert "Describe 1</button>" in answer.text
        assert "Start reviewing" in answer.text
        assert 'Waiting <span class="num">1</span>' in answer.text
    assert part.text.count('hx-swap-oob="true"') == 2
    assert "<figcaption>" not in part.text
    assert len(captions(whole.text)) == 2


def test_album_with_nothing_to_do_offers_nothing(curator_client: Client, album: Album, url: str):
    AIMetadataFactory(photo=PhotoFactory(album=album), approved=True)

    page = curator_client.get(url).text

    assert "Describe " not in page
    assert "Start reviewing" not in page


def test_album_as_a_curator_offers_to_sync_it_and_to_keep_it_back(curator_client: Client, album: Album, url: str):
    page = curator_client.get(url).text
    Album.objects.update(never_send=True)
    kept = curator_client.get(url).text

    assert f'action="/smugmug/albums/{album.pk}/sync"' in page
    assert f'action="/smugmug/albums/{album.pk}/never-send"' in page
    assert 'value="on" aria-checked="false"' in page
    assert "never sent to an AI server" not in page
    assert 'value="off" aria-checked="true"' in kept
    assert "never sent to an AI server" in kept


def test_album_of_a_library_that_is_kept_back_says_so_and_has_no_switch_of_its_own(
    curator_client: Client, album: Album, url: str
):
    Account.objects.update(never_send=True)

    page = curator_client.get(url).text

    assert "Nothing of this whole library is sent to an AI server." in page
    assert "/never-send" not in page


def test_album_of_a_library_without_access_cannot_be_synced(curator_client: Client, album: Album, url: str):
    Account.objects.update(state="refused")

    assert f"/smugmug/albums/{album.pk}/sync" not in curator_client.get(url).text


@pytest.mark.parametrize(
    ("fields", "is_shown"),
    [
        ({"state": "running"}, True),
        ({"state": "succeeded", "finished_at": timezone.now()}, True),
        ({"state": "failed", "finished_at": timezone.now() - timedelta(minutes=61)}, False),
        ({"state": "running", "album_keys": ["another"]}, False),
        ({"state": "running", "album_keys": []}, False),
    ],
)
def test_album_shows_the_sync_of_it_alone(
    owner_client: Client,
    album: Album,
    url: str,
    fields: dict[str, Any],
    is_shown: bool,
):
    run = SyncRunFactory(**{"account": album.account, "kind": "albums", "album_keys": [album.album_key], **fields})

    assert (f'id="run-{run.pk}"' in owner_client.get(url).text) is is_shown


# --- What it shows -----------------------------------------------------------------------------------------


def test_album_shows_its_photos_in_smugmugs_order_and_no_other(owner_client: Client, album: Album, url: str):
    first, second, third = (PhotoFactory(album=album, title=title) for title in ("One", "Two", "Three"))
    PhotoFactory(album=AlbumFactory(account=album.account), title="Another album's")
    PhotoFactory(album=album, title="Removed", removed_at=timezone.now())
    PhotoFactory(title="A stranger's")
    first.standings.update(position=9)

    assert captions(owner_client.get(url).text) == ["Two", "Three", "One"]
    assert {second.pk, third.pk, first.pk} == {photo.pk for photo in owner_client.get(url).context["photos"]}


def test_album_marks_each_photo_with_its_state(owner_client: Client, album: Album, url: str):
    PhotoFactory(album=album)
    states: list[dict[str, Any]] = [
        {"described": True},
        {"approved": True},
        {"described": True, "review_status": "rejected", "rejection_reason": "Too vague"},
        {"failed": True},
        {"processing_status": "skipped", "error": "This is a video."},
    ]
    for traits in states:
        AIMetadataFactory(photo=PhotoFactory(album=album), **traits)

    response = owner_client.get(url)

    marks = [(photo.mark, photo.mark_title) for photo in response.context["photos"]]
    assert marks == [
        ("idle", "Waits to be described"),
        ("wait", "Waits for review"),
        ("good", "Approved by grace"),
        ("bad", "Rejected: Too vague"),
        ("bad", "Failed: No usable answer."),
        ("idle", "Skipped: This is a video."),
    ]
    page = response.text.partition("<template")[0]
    assert re.findall(r'<span class="mark (\w+)" title="(.*?)"', page) == marks


def test_album_badges_videos_and_hidden_photos(owner_client: Client, album: Album, url: str):
    PhotoFactory(album=album, is_video=True)
    PhotoFactory(album=album, is_hidden=True)
    PhotoFactory(album=album)

    page = owner_client.get(url).text

    assert page.count('class="badge"') == 2
    assert "Video</span>" in page
    assert "Hidden</span>" in page


@pytest.mark.parametrize(
    ("show", "shown"),
    [
        ("all", ["None", "Waiting", "Approved", "Rejected", "Failed"]),
        ("waiting", ["Waiting"]),
        ("approved", ["Approved"]),
        ("failed", ["Failed"]),
        ("nonsense", ["None", "Waiting", "Approved", "Rejected", "Failed"]),
    ],
)
def test_album_narrowed_to_a_state_shows_those_and_counts_all(
    owner_client: Client, album: Album, url: str, show: str, shown: list[str]
):
    PhotoFactory(album=album, title="None")
    AIMetadataFactory(photo=PhotoFactory(album=album, title="Waiting"), described=True, ai_title="")
    AIMetadataFactory(photo=PhotoFactory(album=album, title="Approved"), approved=True, ai_title="")
    AIMetadataFactory(
        photo=PhotoFactory(album=album, title="Rejected"), described=True, ai_title="", review_status="rejected"
    )
    AIMetadataFactory(photo=PhotoFactory(album=album, title="Failed"), failed=True)
    AIMetadataFactory(described=True)

    response = owner_client.get(url, {"show": show})

    assert captions(response.text) == shown
    counts = dict(re.findall(r'show=(\w+)"[^>]*>\w+ <span class="num">(\d+)', response.text))
    assert counts == {"all": "5", "waiting": "1", "approved": "1", "failed": "1"}
    current = show if show != "nonsense" else "all"
    assert re.findall(r'show=(\w+)" aria-current="true"', response.text) == [current]


def test_album_with_no_photo_in_a_state_says_so(owner_client: Client, album: Album, url: str):
    PhotoFactory(album=album)

    assert "No photo here is in that state" in owner_client.get(url, {"show": "failed"}).text


def test_album_that_is_locked_says_so(owner_client: Client, album: Album, url: str):
    Album.objects.update(is_locked=True)

    assert "SmugMug keeps this album locked" in owner_client.get(url).text


def test_album_without_photos_says_so(owner_client: Client, url: str):
    assert "No photos here yet" in owner_client.get(url).text


def test_album_shows_the_run_over_it_and_no_other(owner_client: Client, album: Album, url: str):
    run = ProcessingRunFactory(account=album.account, album=album, state="running")
    other = ProcessingRunFactory(album=AlbumFactory(), state="running")

    page = owner_client.get(url).text

    assert f'id="run-{run.pk}"' in page
    assert str(other.pk) not in page


def test_album_escapes_what_others_wrote(owner_client: Client, album: Album, url: str):
    evil = "<script>alert(1)</script>"
    Album.objects.update(title=evil)
    PhotoFactory(album=album, title=evil)
    AIMetadataFactory(
        photo=PhotoFactory(album=album), described=True, ai_title=evil, ai_alt_text=f'">{evil}', error=evil
    )
    AIMetadataFactory(photo=PhotoFactory(album=album), failed=True, error=f'">{evil}')

    page = owner_client.get(url).text

    assert "<script>alert" not in page
    assert captions(page)[:2] == ["&lt;script&gt;alert(1)&lt;/script&gt;"] * 2


# --- Fifty at a time ---------------------------------------------------------------------------------------


def test_album_comes_fifty_at_a_time(owner_client: Client, album: Album, url: str):
    for number in range(1, 102):
        PhotoFactory(album=album, title=str(number))

    pages = [owner_client.get(url)]
    while pages[-1].context["next_url"]:
        pages.append(owner_client.get(pages[-1].context["next_url"], headers=HTMX))

    assert [len(captions(page.text)) for page in pages] == [50, 50, 1]
    assert [title for page in pages for title in captions(page.text)] == [str(number) for number in range(1, 102)]
    assert f'hx-get="{url}?show=all&amp;after=50"' in pages[0].text
    assert "<html" in pages[0].text
    assert "<html" not in pages[1].text
    assert "<h1" not in pages[1].text
    assert "More photos" not in pages[2].text


def test_album_narrowed_keeps_its_state_on_the_next_page(owner_client: Client, album: Album, url: str):
    for _ in range(51):
        AIMetadataFactory(photo=PhotoFactory(album=album), described=True)

    response = owner_client.get(url, {"show": "waiting"})

    assert response.context["next_url"] == f"{url}?show=waiting&after=50"


def test_album_of_fifty_has_no_next_page(owner_client: Client, album: Album, url: str):
    for _ in range(50):
        PhotoFactory(album=album)

    response = owner_client.get(url)

    assert len(captions(response.text)) == 50
    assert response.context["next_url"] == ""


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "9" * 30, "٣", ""])
def test_album_after_what_is_no_position_begins_at_the_beginning(
    owner_client: Client, album: Album, url: str, after: str
):
    PhotoFactory(album=album, title="Tom")

    assert captions(owner_client.get(url, {"after": after}).text) == ["Tom"]


def test_album_restored_from_the_browsers_history_is_the_whole_page(owner_client: Client, album: Album, url: str):
    headers = {**HTMX, "HX-History-Restore-Request": "true"}

    assert "<html" in owner_client.get(url, headers=headers).text


def test_album_takes_as_many_queries_for_three_photos_as_for_one(owner_client: Client, album: Album, url: str):
    AIMetadataFactory(photo=PhotoFactory(album=album), described=True)
    few = count_queries(owner_client, url)
    PhotoFactory(album=album)
    AIMetadataFactory(photo=PhotoFactory(album=album), approved=True)
    AIMetadataFactory(approved=True, approved_at=datetime(2026, 1, 1, tzinfo=UTC))

    assert count_queries(owner_client, url) == few
    assert len(captions(owner_client.get(url).text)) == 3
