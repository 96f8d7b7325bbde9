"""Photos with their words, and describing, for programs."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from metadata import money, process
from metadata.models import ProcessingRun
from smugmug.models import Account, AlbumPhoto, Photo
from targetvision.models import RunState
from tests.conftest import FakeDescriber
from tests.factories import (
    AccountFactory,
    AIMetadataFactory,
    AlbumFactory,
    PhotoFactory,
    ProcessingRunFactory,
)
from tests.metadata.conftest import count_queries
from tests.targetvision.test_api import post, problem

API = "/api/processing"
NO_RUN = "00000000-0000-0000-0000-000000000000"


def photos_url(album: Any, query: str = "") -> str:
    return f"/api/smugmug/photos/{album.pk}{query}"


@pytest.fixture(autouse=True)
def _fake_describer(monkeypatch: pytest.MonkeyPatch, describer: FakeDescriber) -> None:
    """The built-in model takes seconds to load."""
    monkeypatch.setattr(process, "configured_describer", lambda: describer)


# --- Photos


def test_photos_are_told_with_their_words(viewer_client, library_of_ada):
    photo = PhotoFactory(
        album=AlbumFactory(account=library_of_ada),
        title="Zoë",
        keywords=["a", "b"],
        date_taken=datetime.datetime(2024, 5, 1, 12, 30),  # noqa: DTZ001 - a camera's clock
        exif={"camera": "Nikon"},
        size_bytes=3_000_000_000,
    )
    AIMetadataFactory(photo=photo, approved=True)

    [told] = viewer_client.get(photos_url(photo.album)).json()["items"]

    assert (
        told.items()
        >= {
            "id": str(photo.pk),
            "position": 1,
            "image_key": photo.image_key,
            "title": "Zoë",
            "keywords": ["a", "b"],
            "date_taken": "2024-05-01T12:30:00",
            "exif": {"camera": "Nikon"},
            "size_bytes": 3_000_000_000,
        }.items()
    )
    assert (
        told["ai_metadata"].items()
        >= {
            "title": "A cat",
            "description": "A grey cat on a wall.",
            "alt_text": "Grey cat",
            "tags": ["cat", "grey"],
            "categories": ["Animals"],
            "confidence_score": 0.8,
            "processing_status": "completed",
            "review_status": "approved",
            "approved": True,
            "approved_by": "user:grace",
            "approved_at": "2026-01-02T03:04:00Z",
            "model": "fake-1",
            "version": 2,
        }.items()
    )


def test_photos_show_no_address_of_smugmugs_files(owner_client, library_of_ada):
    album = AlbumFactory(account=library_of_ada)
    PhotoFactory(album=album, thumbnail_url="https://x.test/to-look-for", original_url="https://x.test/to-look-for")

    response = owner_client.get(photos_url(album))

    assert "to-look-for" not in response.text
    assert response.json()["items"][0]["thumbnail_url"].startswith("/images/")


def test_photo_without_words_has_none(owner_client, library_of_ada):
    album = PhotoFactory(album=AlbumFactory(account=library_of_ada)).album

    [told] = owner_client.get(photos_url(album)).json()["items"]

    assert (told["ai_metadata"], told["date_taken"]) == (None, None)


def test_photos_are_fifty_a_page_in_the_albums_order(owner_client, library_of_ada):
    album = AlbumFactory(account=library_of_ada)
    photos = [PhotoFactory(album=album) for _ in range(53)]
    AlbumPhoto.objects.filter(photo=photos[52]).update(position=0)
    Photo.objects.filter(pk=photos[51].pk).update(removed_at=timezone.now())
    PhotoFactory(album=AlbumFactory(account=library_of_ada))

    first = owner_client.get(photos_url(album)).json()
    second = owner_client.get(first["next"]).json()

    keys = [each["image_key"] for page in (first, second) for each in page["items"]]
    assert keys == [photos[52].image_key, *(photo.image_key for photo in photos[:51])]
    assert (len(first["items"]), first["total"], second["next"]) == (50, 52, None)
    problem(owner_client.get(photos_url(album, "?page=1000000000")), 404)


def test_photos_of_a_strangers_album_are_404(stranger_client, library_of_ada):
    album = PhotoFactory(album=AlbumFactory(account=library_of_ada)).album

    problem(stranger_client.get(photos_url(album)), 404)
    problem(stranger_client.get(f"/api/smugmug/photos/{NO_RUN}"), 404)
    problem(stranger_client.get(f"/api/smugmug/photos/{album.album_key}"), 404)


def test_photos_ask_no_more_for_more_of_them(owner_client, library_of_ada):
    album = AlbumFactory(account=library_of_ada)
    AIMetadataFactory(photo=PhotoFactory(album=album), described=True)
    one = count_queries(owner_client, photos_url(album))
    for _ in range(2):
        AIMetadataFactory(photo=PhotoFactory(album=album), described=True)
    PhotoFactory(album=album)
    PhotoFactory()

    assert count_queries(owner_client, photos_url(album)) == one


# --- Starting


def test_start_processing_describes_what_is_meant(curator_client, library_of_ada, enqueued, settings):
    settings.AI_DESCRIBER = "local"
    album = AlbumFactory(account=library_of_ada)

    wish = {"album": str(album.pk), "only": "failed", "reason": "No.", "also_decided": True, "limit": 7, "budget": 2.5}
    response = post(curator_client, API, {**wish, "note": "Zoë is the bride."})

    run = ProcessingRun.objects.get()
    assert response.status_code == 202
    assert response.json() == {
        "job": str(run.pk),
        "state": "queued",
        "account": library_of_ada.nickname,
        "is_new": True,
        "status_url": f"{API}/status?job={run.pk}",
    }
    assert (run.account, run.album, run.only, run.reason) == (library_of_ada, album, "failed", "No.")
    assert (run.also_decided, run.limit, run.budget_usd, run.note) == (True, 7, Decimal("2.5"), "Zoë is the bride.")
    assert run.requested_by.username == "grace"
    assert enqueued == [("process_photos", (str(run.pk),))] * settings.WORKERS


def test_start_processing_without_a_body_describes_what_is_pending(owner_client, library_of_ada, enqueued):
    response = owner_client.post(API, "", "application/json")

    run = ProcessingRun.objects.get()
    assert response.json()["job"] == str(run.pk)
    assert (run.account, run.only, run.album, run.photo, run.limit) == (library_of_ada, "pending", None, None, None)


def test_start_processing_of_one_photo_needs_no_library(owner_client, ada, library_of_ada, enqueued):
    photo = PhotoFactory(album=AlbumFactory(account=AccountFactory(owner=ada)))

    answer = post(owner_client, API, {"photo": str(photo.pk), "only": "all"}).json()

    assert answer["account"] == photo.account.nickname
    assert ProcessingRun.objects.get().photo == photo


def test_start_processing_while_one_runs_answers_with_that(owner_client, library_of_ada, enqueued):
    under_way = ProcessingRunFactory(account=library_of_ada, state=RunState.RUNNING)

    answer = post(owner_client, API).json()

    assert (answer["job"], answer["is_new"]) == (str(under_way.pk), False)
    assert (ProcessingRun.objects.count(), enqueued) == (1, [])


@pytest.mark.parametrize("kind", ["account", "album", "photo"])
def test_start_processing_of_what_is_not_yours_is_refused(
    kind, stranger_client, viewer_client, owner_client, library_of_ada, enqueued
):
    photo = PhotoFactory(album=AlbumFactory(account=library_of_ada))
    wish = {"account": library_of_ada.nickname, "album": str(photo.album.pk), "photo": str(photo.pk)}

    for client, status in ((stranger_client, 404), (viewer_client, 403)):
        problem(post(client, API, {kind: wish[kind]}), status)
        problem(client.get(f"{API}/estimate", {kind: wish[kind]}), status)
    problem(post(owner_client, API, {kind: NO_RUN}), 404)
    assert (ProcessingRun.objects.count(), enqueued) == (0, [])


def test_start_processing_of_another_librarys_album_is_422(owner_client, ada, library_of_ada, enqueued):
    album = AlbumFactory(account=AccountFactory(owner=ada))

    problem(post(owner_client, API, {"account": library_of_ada.nickname, "album": str(album.pk)}), 422)

    assert (ProcessingRun.objects.count(), enqueued) == (0, [])


@pytest.mark.parametrize(
    "wish",
    [
        {"only": "some"},
        {"album": "AK0001"},
        {"photo": 7},
        {"also_decided": "yes"},
        {"limit": 0},
        {"limit": "7"},
        {"limit": 10**12},
        {"budget": -1},
        {"budget": "5.00"},
        {"budget": True},
        {"budget": 1e300},
        {"note": "x" * 2_001},
        {"reason": "\x00"},
        {"prompt": "mine"},
    ],
)
def test_start_processing_of_nonsense_is_422(wish, owner_client, library_of_ada, enqueued):
    response = post(owner_client, API, wish)

    assert problem(response, 422).startswith(next(iter(wish)))
    assert (ProcessingRun.objects.count(), enqueued) == (0, [])


def test_start_processing_with_a_budget_that_none_could_keep_is_422(
    owner_client, library_of_ada, enqueued, settings, describer
):
    settings.AI_DESCRIBER = "openai"

    assert describer.model in problem(post(owner_client, API, {"budget": 1}), 422)
    assert (ProcessingRun.objects.count(), enqueued) == (0, [])


def test_start_processing_of_a_disconnected_library_is_409(owner_client, library_of_ada, enqueued):
    Account.objects.update(state=Account.State.REFUSED)

    problem(post(owner_client, API), 409)

    assert (ProcessingRun.objects.count(), enqueued) == (0, [])


# --- What it would cost


def test_estimate_counts_what_is_meant_and_starts_nothing(owner_client, library_of_ada, enqueued, settings):
    settings.AI_DESCRIBER = "local"
    album = AlbumFactory(account=library_of_ada)
    for _ in range(2):
        PhotoFactory(album=album)
    AIMetadataFactory(photo=PhotoFactory(album=album), failed=True)
    PhotoFactory(album=AlbumFactory(account=library_of_ada))

    def photos(**query: Any) -> int:
        answer = owner_client.get(f"{API}/estimate", query).json()
        assert (answer["basis"], answer["low"], answer["high"]) == ("free", 0, 0)
        return int(answer["photos"])

    assert photos() == 3
    assert photos(album=album.pk) == 2
    assert photos(only="failed") == 1
    assert photos(only="all", limit=3) == 3
    assert (ProcessingRun.objects.count(), enqueued) == (0, [])


def test_estimate_of_an_unknown_price_is_unknown_and_not_nothing(owner_client, library_of_ada, settings):
    settings.AI_DESCRIBER = "openai"
    PhotoFactory(album=AlbumFactory(account=library_of_ada))

    answer = owner_client.get(f"{API}/estimate").json()

    assert (answer["basis"], answer["low"], answer["likely"], answer["high"]) == ("unknown", None, None, None)
    assert answer["photos"] == 1


# --- Following, stopping


def test_processing_status_tells_how_far_and_for_how_much(viewer_client, ada, library_of_ada):
    album = AlbumFactory(account=library_of_ada)
    run = ProcessingRunFactory(
        account=library_of_ada, requested_by=ada, album=album, state=RunState.PAUSED, waiting_for="Paused by ada.",
        total=10, done=4, described=1, skipped=1, failed=2, budget_usd=Decimal(5), spent_usd=Decimal("0.0123"),
    )  # fmt: skip
    for _ in range(2):
        AIMetadataFactory(photo=PhotoFactory(album=album), failed=True, run=run)

    answer = viewer_client.get(f"{API}/status?job={run.pk}").json()

    assert (
        answer.items()
        >= {
            "job": str(run.pk),
            "account": library_of_ada.nickname,
            "state": "paused",
            "album": str(album.pk),
            "photo": None,
            "total": 10,
            "done": 4,
            "described": 1,
            "skipped": 1,
            "failed": 2,
            "budget_usd": 5.0,
            "spent_usd": 0.0123,
            "reserved_usd": 0.0,
            "requested_by": "ada",
            "waiting_for": "Paused by ada.",
        }.items()
    )
    assert answer["reasons"] == [{"status": "failed", "reason": "No usable answer.", "photos": 2}]
    assert viewer_client.get(f"{API}/status").json() == answer


def test_processing_status_of_others_is_404(stranger_client, library_of_ada):
    run = ProcessingRunFactory(account=library_of_ada)

    for query in ("", f"?job={run.pk}", f"?account={library_of_ada.nickname}"):
        problem(stranger_client.get(f"{API}/status{query}"), 404)


def test_pause_and_resume_are_each_possible_once(curator_client, library_of_ada, enqueued, settings):
    run = ProcessingRunFactory(account=library_of_ada, state=RunState.RUNNING)

    paused, again = (post(curator_client, f"{API}/{run.pk}/pause") for _ in range(2))

    assert (paused.json()["state"], paused.json()["waiting_for"]) == ("paused", "Paused by grace.")
    assert problem(again, 409) == "This run is not under way: paused."
    assert enqueued == []

    resumed, again = (post(curator_client, f"{API}/{run.pk}/resume") for _ in range(2))

    assert resumed.json()["state"] == "queued"
    assert problem(again, 409) == "This run is not paused: queued."
    assert enqueued == [("process_photos", (str(run.pk),))] * settings.WORKERS


def test_cancel_processing_ends_it_once(curator_client, library_of_ada):
    run = ProcessingRunFactory(account=library_of_ada, state=RunState.RUNNING)

    first, second = (post(curator_client, f"{API}/{run.pk}/cancel") for _ in range(2))

    assert first.json()["state"] == "cancelled"
    assert problem(second, 409) == "This run is over: cancelled."


def test_change_budget_lets_a_run_spend_more(curator_client, library_of_ada, enqueued, settings):
    settings.AI_DESCRIBER = "local"
    run = ProcessingRunFactory(account=library_of_ada, state=RunState.RUNNING, budget_usd=Decimal(1))

    assert post(curator_client, f"{API}/{run.pk}/budget", {"budget": 2.5}).json()["budget_usd"] == 2.5
    assert post(curator_client, f"{API}/{run.pk}/budget", {"budget": None}).json()["budget_usd"] is None
    assert problem(post(curator_client, f"{API}/{run.pk}/budget", {"budget": -1}), 422).startswith("budget")
    assert problem(post(curator_client, f"{API}/{run.pk}/budget", {}), 422) == "budget is needed."
    ProcessingRun.objects.update(state=RunState.SUCCEEDED)
    problem(post(curator_client, f"{API}/{run.pk}/budget", {"budget": 9}), 409)
    run.refresh_from_db()
    assert (run.budget_usd, enqueued) == (None, [])


def test_change_budget_of_an_empty_purse_lets_the_run_go_on(curator_client, library_of_ada, enqueued, settings):
    settings.AI_DESCRIBER = "local"
    ProcessingRunFactory(account=library_of_ada, state=RunState.PAUSED, waiting_for=process.USED_UP)
    run = ProcessingRun.objects.get()

    assert post(curator_client, f"{API}/{run.pk}/budget", {"budget": 9}).json()["state"] == "queued"
    assert enqueued == [("process_photos", (str(run.pk),))] * settings.WORKERS


def test_change_budget_that_none_could_keep_is_422(curator_client, library_of_ada, monkeypatch):
    def refuse(*_: Any) -> None:
        raise money.UnknownPrice("Nobody knows.")

    monkeypatch.setattr(money, "budget_for", refuse)
    run = ProcessingRunFactory(account=library_of_ada, state=RunState.RUNNING)

    assert problem(post(curator_client, f"{API}/{run.pk}/budget", {"budget": 9}), 422) == "Nobody knows."
    run.refresh_from_db()
    assert run.budget_usd is None


@pytest.mark.parametrize("verb", ["cancel", "pause", "resume", "budget"])
def test_change_of_a_run_that_is_not_yours_is_refused(
    verb, stranger_client, viewer_client, owner_client, library_of_ada, enqueued
):
    run = ProcessingRunFactory(account=library_of_ada, state=RunState.RUNNING)
    body = {"budget": 9} if verb == "budget" else {}

    problem(post(stranger_client, f"{API}/{run.pk}/{verb}", body), 404)
    problem(post(viewer_client, f"{API}/{run.pk}/{verb}", body), 403)
    problem(post(owner_client, f"{API}/{NO_RUN}/{verb}", body), 404)
    run.refresh_from_db()
    assert (run.state, run.budget_usd, enqueued) == (RunState.RUNNING, None, [])
