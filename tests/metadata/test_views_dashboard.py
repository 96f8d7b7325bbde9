"""The front page: whose libraries, how far they are, what runs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from metadata import workflow
from smugmug.models import Account
from tests.factories import (
    AccountFactory,
    AIMetadataFactory,
    AlbumFactory,
    MembershipFactory,
    PhotoFactory,
    ProcessingRunFactory,
    SyncRunFactory,
)
from tests.metadata.conftest import count_queries

pytestmark = pytest.mark.django_db

Enqueued = list[tuple[str, tuple[Any, ...]]]


def ago(**units: float) -> Any:
    return timezone.now() - timedelta(**units)


def nicknames(response: Any) -> list[str]:
    return [card.account.nickname for card in response.context["cards"]]


# --- Who sees what -----------------------------------------------------------------------------------------


def test_dashboard_signed_out_goes_to_sign_in(client: Client):
    response = client.get("/")

    assert (response.status_code, response["Location"]) == (302, "/sign-in/?next=/")


def test_dashboard_shows_the_libraries_of_the_person_and_no_other(owner_client: Client, library_of_ada: Account):
    second = AccountFactory(owner=library_of_ada.owner)
    third = MembershipFactory(user=library_of_ada.owner).account
    strange = AccountFactory(name="Not for ada")

    response = owner_client.get("/")

    assert sorted(nicknames(response)) == sorted([library_of_ada.nickname, second.nickname, third.nickname])
    assert strange.nickname not in response.text
    assert "Not for ada" not in response.text


def test_dashboard_as_a_stranger_shows_nothing_of_the_library(
    stranger_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    words = AIMetadataFactory(
        photo=PhotoFactory(album=AlbumFactory(account=library_of_ada), title="Ada at home"), described=True
    )
    workflow.approve(words, by=library_of_ada.owner, version=1, changes={})
    ProcessingRunFactory(account=library_of_ada, state="running")

    response = stranger_client.get("/")

    assert library_of_ada.nickname not in nicknames(response)
    assert len(response.context["cards"]) == 1  # mallory's own
    assert "Ada at home" not in response.text
    assert response.context["lately"] == []


def test_dashboard_as_a_viewer_shows_figures_but_nothing_to_press(viewer_client: Client, library_of_ada: Account):
    PhotoFactory(album=AlbumFactory(account=library_of_ada))
    ProcessingRunFactory(account=library_of_ada, state="paused")

    response = viewer_client.get("/")

    [card] = response.context["cards"]
    assert (card.figures.photos, card.may_change) == (1, False)
    assert "/processing/" not in response.text.replace(card.runs[0].poll_url, "")
    assert f"/{library_of_ada.nickname}/" not in response.text


def test_dashboard_as_a_curator_offers_to_describe_and_sync(curator_client: Client, library_of_ada: Account):
    PhotoFactory(album=AlbumFactory(account=library_of_ada))

    page = curator_client.get("/").text

    assert f'action="/processing/{library_of_ada.nickname}/start"' in page
    assert "Describe 1</button>" in page
    assert "Sync</button>" in page


def test_dashboard_while_described_offers_no_second_start(curator_client: Client, library_of_ada: Account):
    PhotoFactory(album=AlbumFactory(account=library_of_ada))
    ProcessingRunFactory(account=library_of_ada, state="running", heartbeat_at=timezone.now())

    page = curator_client.get("/").text

    assert f'action="/processing/{library_of_ada.nickname}/start"' not in page
    assert "Sync</button>" in page


def test_dashboard_of_a_refused_account_says_so_and_offers_no_run(curator_client: Client, library_of_ada: Account):
    PhotoFactory(album=AlbumFactory(account=library_of_ada))
    Account.objects.update(state="refused")

    page = curator_client.get("/").text

    assert "SmugMug no longer accepts our access." in page
    assert "/start" not in page


def test_dashboard_without_a_library_tells_how_to_connect(owner_client: Client):
    AccountFactory()

    response = owner_client.get("/")

    assert response.context["cards"] == []
    assert "Connect your SmugMug library" in response.text


def test_dashboard_takes_as_many_queries_for_three_libraries_as_for_one(
    owner_client: Client, ada: Any, enqueued: Enqueued
):
    def add_library() -> None:
        account = AccountFactory(owner=ada)
        album = AlbumFactory(account=account)
        for _ in range(2):
            words = AIMetadataFactory(photo=PhotoFactory(album=album), described=True)
        workflow.reject(words, by=ada, version=1, reason="Other")
        ProcessingRunFactory(account=account, state="running", album=album)
        SyncRunFactory(account=account, state="running")

    add_library()
    few = count_queries(owner_client, "/")
    add_library()
    add_library()
    AIMetadataFactory(described=True)

    assert count_queries(owner_client, "/") == few


# --- Figures -----------------------------------------------------------------------------------------------


def test_dashboard_counts_how_far_the_library_is(curator_client: Client, library_of_ada: Account):
    album = AlbumFactory(account=library_of_ada, synced_at=ago(hours=2))
    states: list[dict[str, Any]] = [
        {"approved": True},
        {"described": True},
        {"described": True},
        {"described": True, "review_status": "rejected", "rejection_reason": "Other"},
        {"failed": True},
        {"processing_status": "skipped", "error": "A video."},
        {},
    ]
    for traits in states:
        AIMetadataFactory(photo=PhotoFactory(album=album), **traits)
    PhotoFactory(album=album)
    PhotoFactory(album=album, removed_at=timezone.now())
    AIMetadataFactory(described=True)  # somebody else's

    response = curator_client.get("/")

    figures = response.context["cards"][0].figures
    assert (figures.photos, figures.albums) == (8, 1)
    assert (figures.described, figures.undescribed) == (4, 2)
    assert (figures.approved, figures.rejected, figures.waiting) == (1, 1, 2)
    assert (figures.failed, figures.skipped) == (1, 1)
    assert (figures.described_share, figures.reviewed_share) == (50, 25)
    assert figures.synced_at == album.synced_at
    assert "Describe 2</button>" in response.text
    assert "2 wait" in response.text
    assert '<span class="count" id="waiting-count">2<span class="sr"> waiting' in response.text


def test_dashboard_peeks_at_the_first_photos_that_wait(curator_client: Client, library_of_ada: Account):
    album = AlbumFactory(account=library_of_ada)
    photos = [PhotoFactory(album=album, date_taken=datetime(2026, 5, day)) for day in range(1, 6)]
    waiting = [AIMetadataFactory(photo=photo, described=True) for photo in photos]
    AIMetadataFactory(photo=PhotoFactory(album=album), approved=True)
    AIMetadataFactory(described=True)

    response = curator_client.get("/")

    [card] = response.context["cards"]
    assert [photo.pk for photo in card.peek] == [words.photo_id for words in waiting[:4]]
    assert f"/review/?photo={waiting[0].photo_id}" in response.text
    assert f"/review/?photo={waiting[4].photo_id}" not in response.text


def test_dashboard_names_the_last_decisions_of_people(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    album = AlbumFactory(account=library_of_ada)
    tom = AIMetadataFactory(photo=PhotoFactory(album=album, title="Tom"), described=True)
    tim = AIMetadataFactory(photo=PhotoFactory(album=album, title="Tim"), described=True)
    workflow.approve(tom, by=library_of_ada.owner, version=1, changes={})
    workflow.reject(tim, by=library_of_ada.owner, version=1, reason="Too vague")
    strange = AIMetadataFactory(described=True)
    workflow.approve(strange, by=library_of_ada.owner, version=1, changes={})

    response = curator_client.get("/")

    assert [step.sentence for step in response.context["lately"]] == ["rejected: Too vague", "approved"]
    assert "ada rejected: Too vague" in response.text
    assert ">Tom</a>" in response.text
    assert str(strange.photo_id) not in response.text


def test_dashboard_escapes_what_others_wrote(curator_client: Client, library_of_ada: Account, enqueued: Enqueued):
    evil = "<script>alert(1)</script>"
    Account.objects.update(name=evil)
    words = AIMetadataFactory(
        photo=PhotoFactory(album=AlbumFactory(account=library_of_ada, title=evil), title=evil), described=True
    )
    workflow.reject(words, by=library_of_ada.owner, version=1, reason=evil)
    errors = [{"key": "x", "title": evil, "sentence": evil}]
    ProcessingRunFactory(
        account=library_of_ada, state="failed", waiting_for=evil, errors=errors, album=words.photo.album
    )

    page = curator_client.get("/").text

    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 5


# --- Runs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "minutes", "is_shown"),
    [
        ("queued", None, True),
        ("running", None, True),
        ("paused", None, True),
        ("succeeded", 5, True),
        ("succeeded", 61, False),
        ("cancelled", 61, False),
        ("failed", 9_999, True),
        ("partial", 9_999, True),
    ],
)
def test_dashboard_shows_runs_that_are_news(
    curator_client: Client,
    library_of_ada: Account,
    state: str,
    minutes: int | None,
    is_shown: bool,  # noqa: FBT001
):
    ended = ago(minutes=minutes) if minutes else None
    run = ProcessingRunFactory(account=library_of_ada, state=state, finished_at=ended)

    response = curator_client.get("/")

    assert (f'id="run-{run.pk}"' in response.text) is is_shown


def test_dashboard_shows_the_newest_run_of_each_kind_only(curator_client: Client, library_of_ada: Account):
    old = ProcessingRunFactory(account=library_of_ada, state="failed", created_at=ago(days=2))
    new = ProcessingRunFactory(account=library_of_ada, state="running", created_at=ago(hours=1))
    sync = SyncRunFactory(account=library_of_ada, state="running")
    ProcessingRunFactory(state="running")

    response = curator_client.get("/")

    assert {card.run.pk for card in response.context["cards"][0].runs} == {new.pk, sync.pk}
    assert str(old.pk) not in response.text


def test_dashboard_with_a_queued_run_and_no_worker_says_how_to_start_one(
    curator_client: Client, library_of_ada: Account
):
    ProcessingRunFactory(account=library_of_ada)

    page = curator_client.get("/").text

    assert "Waiting for a worker, and none is running. Start one with “make run”" in page


def test_dashboard_with_a_paused_run_says_why_and_offers_to_continue(curator_client: Client, library_of_ada: Account):
    run = ProcessingRunFactory(
        account=library_of_ada, state="paused", waiting_for="The AI server refuses the key.", total=9, done=4
    )

    page = curator_client.get("/").text

    assert "The AI server refuses the key." in page
    assert f'action="/processing/{run.pk}/continue"' in page
    assert f'action="/processing/{run.pk}/cancel"' in page
    assert f'hx-get="/processing/{run.pk}/"' not in page  # nothing will change by itself


# --- Syncs -------------------------------------------------------------------------------------------------


def test_dashboard_of_a_library_never_read_offers_the_whole_sync_alone(curator_client: Client, library_of_ada: Account):
    page = curator_client.get("/").text

    assert "Sync</button>" in page
    assert "Sync changes" not in page
    assert 'name="kind"' not in page


def test_dashboard_of_a_library_that_was_read_offers_what_changed_and_the_others_behind_a_menu(
    curator_client: Client, library_of_ada: Account
):
    AlbumFactory(account=library_of_ada, synced_at=ago(hours=1))

    page = curator_client.get("/").text

    assert "Sync changes</button>" in page
    assert '<button name="kind" value="verify">' in page
    assert '<button name="kind" value="full">' in page


def test_dashboard_while_synced_offers_no_second_sync(curator_client: Client, library_of_ada: Account):
    AlbumFactory(account=library_of_ada, synced_at=ago(hours=1))
    run = SyncRunFactory(account=library_of_ada, state="running")

    page = curator_client.get("/").text

    assert f'action="/smugmug/{library_of_ada.nickname}/sync"' not in page
    assert f'action="/smugmug/runs/{run.pk}/cancel"' in page
    assert f'href="/activity/?library={library_of_ada.nickname}"' in page


@pytest.mark.parametrize("never_send", [True, False])
def test_dashboard_says_where_nothing_is_sent(viewer_client: Client, library_of_ada: Account, never_send: bool):
    Account.objects.update(never_send=never_send)

    assert ("never sent to an AI server" in viewer_client.get("/").text) is never_send
