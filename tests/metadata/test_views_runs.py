"""Describe: start, follow, stop, continue."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from metadata import process
from metadata.models import ProcessingRun
from metadata.purse import USED_UP
from smugmug.models import Account, Album, AuditEntry
from targetvision.models import RunState
from tests.conftest import FakeDescriber
from tests.factories import AlbumFactory, PhotoFactory, ProcessingRunFactory
from tests.metadata.conftest import count_queries

pytestmark = pytest.mark.django_db

Enqueued = list[tuple[str, tuple[Any, ...]]]


@pytest.fixture(autouse=True)
def _configured(describer: FakeDescriber, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "configured_describer", lambda: describer)


@pytest.fixture
def album(library_of_ada: Account) -> Album:
    return AlbumFactory(account=library_of_ada, title="Summer")


@pytest.fixture
def run(library_of_ada: Account) -> ProcessingRun:
    """Under way, four of ten photos done."""
    now = timezone.now()
    return ProcessingRunFactory(account=library_of_ada, state="running", started_at=now, total=10, done=4, described=4)


def start_url(account: Account) -> str:
    return f"/processing/{account.nickname}/start"


def run_url(run: ProcessingRun, action: str) -> str:
    return reverse(f"metadata:{action}", args=[run.pk])


# --- Start -------------------------------------------------------------------------------------------------


def test_start_makes_a_run_and_enqueues_it_for_all_workers(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued, settings: Any
):
    settings.WORKERS = 2

    response = curator_client.post(start_url(library_of_ada))

    assert response["Location"] == "/"
    run = ProcessingRun.objects.get()
    assert (run.account, run.album, run.only, run.state) == (library_of_ada, None, "pending", RunState.QUEUED)
    assert (run.requested_by.username, run.describer, run.model) == ("grace", "fake", "fake-1")
    assert enqueued == [("process_photos", (str(run.pk),))] * 2


def test_start_of_an_album_makes_a_run_over_it(curator_client: Client, album: Album, enqueued: Enqueued):
    response = curator_client.post(f"/albums/{album.pk}/process")

    assert response["Location"] == f"/albums/{album.pk}/"
    run = ProcessingRun.objects.get()
    assert (run.account, run.album) == (album.account, album)
    assert ("process_photos", (str(run.pk),)) in enqueued


def test_start_takes_the_persons_choice(curator_client: Client, library_of_ada: Account, enqueued: Enqueued):
    choice = {"only": "failed", "reason": "Damaged.", "limit": "7", "also_decided": "on", "note": "By night."}

    curator_client.post(start_url(library_of_ada), choice)

    run = ProcessingRun.objects.get()
    assert (run.only, run.reason, run.limit, run.also_decided, run.note) == (
        "failed",
        "Damaged.",
        7,
        True,
        "By night.",
    )


def test_start_of_one_photo_makes_a_run_over_it_and_goes_back_there(
    curator_client: Client, album: Album, enqueued: Enqueued
):
    photo = PhotoFactory(album=album)

    response = curator_client.post(start_url(album.account), {"photo": str(photo.pk), "only": "all"})

    assert response["Location"] == f"/photos/{photo.pk}/"
    assert ProcessingRun.objects.get().photo == photo


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        ({"only": "all; DROP"}, "Select a valid choice."),
        ({"limit": "0"}, "At least one photo."),
        ({"budget_usd": "-1"}, "A budget cannot be less than nothing."),
        ({"photo": "3b241101-e2bb-4255-8caf-4136c566a962"}, "There is no such photo in this library."),
    ],
)
def test_start_with_what_makes_no_sense_is_said_beside_the_field(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued, choice: dict[str, str], sentence: str
):
    PhotoFactory(album__account=library_of_ada)

    response = curator_client.post(start_url(library_of_ada), choice)

    assert response.status_code == 422
    assert sentence in response.text
    assert (ProcessingRun.objects.count(), enqueued) == (0, [])


def test_start_over_an_album_of_another_library_is_refused(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    strange = AlbumFactory()

    response = curator_client.post(start_url(library_of_ada), {"album": str(strange.pk)})

    assert response.status_code == 422
    assert "There is no such album in this library." in response.text
    assert (ProcessingRun.objects.count(), enqueued) == (0, [])


def test_start_in_a_library_that_is_not_connected_says_so(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    Account.objects.update(state="refused")

    response = curator_client.post(start_url(library_of_ada), follow=True)

    assert "is not connected, so its pictures cannot be fetched. Connect it again first." in response.text
    assert (ProcessingRun.objects.count(), enqueued) == (0, [])


def test_start_while_one_runs_says_so_and_enqueues_nothing(
    curator_client: Client, library_of_ada: Account, run: ProcessingRun, enqueued: Enqueued
):
    response = curator_client.post(start_url(library_of_ada), follow=True)

    assert "Photos of this library are already being described. Wait for that, or cancel it." in response.text
    assert ProcessingRun.objects.count() == 1
    assert enqueued == []


# --- Who may -----------------------------------------------------------------------------------------------


def addresses(album: Album, run: ProcessingRun) -> list[str]:
    return [
        start_url(album.account),
        f"/albums/{album.pk}/process",
        run_url(run, "cancel_processing"),
        run_url(run, "pause_processing"),
        run_url(run, "continue_processing"),
    ]


def test_change_signed_out_goes_to_sign_in(client: Client, album: Album, run: ProcessingRun, enqueued: Enqueued):
    responses = [client.post(url) for url in addresses(album, run)]

    assert [response["Location"].partition("?")[0] for response in responses] == ["/sign-in/"] * 5
    assert client.get(run_url(run, "processing_run"))["Location"].startswith("/sign-in/")
    run.refresh_from_db()
    assert (run.state, ProcessingRun.objects.count(), enqueued) == (RunState.RUNNING, 1, [])


@pytest.mark.parametrize(("person", "status"), [("stranger_client", 404), ("viewer_client", 403)])
def test_change_without_the_right_changes_nothing(
    request: pytest.FixtureRequest, album: Album, run: ProcessingRun, enqueued: Enqueued, person: str, status: int
):
    client = request.getfixturevalue(person)

    statuses = [client.post(url).status_code for url in addresses(album, run)]

    assert statuses == [status] * 5
    run.refresh_from_db()
    assert (run.state, ProcessingRun.objects.count(), enqueued) == (RunState.RUNNING, 1, [])


def test_change_by_get_is_not_possible(curator_client: Client, album: Album, run: ProcessingRun, enqueued: Enqueued):
    assert [curator_client.get(url).status_code for url in addresses(album, run)] == [405] * 5
    assert (ProcessingRun.objects.count(), enqueued) == (1, [])


def test_follow_as_a_stranger_is_404(stranger_client: Client, run: ProcessingRun):
    assert stranger_client.get(run_url(run, "processing_run")).status_code == 404


def test_follow_as_a_viewer_has_no_buttons(viewer_client: Client, run: ProcessingRun):
    response = viewer_client.get(run_url(run, "processing_run"))

    assert response.status_code == 200
    assert "4 of 10" in response.text
    assert "<form" not in response.text


# --- Follow ------------------------------------------------------------------------------------------------


def test_follow_an_active_run_asks_again(curator_client: Client, run: ProcessingRun):
    started = timezone.now() - timedelta(seconds=10)
    ProcessingRun.objects.update(started_at=started, skipped=1, failed=2)

    response = curator_client.get(run_url(run, "processing_run"))

    assert f'hx-get="/processing/{run.pk}/"' in response.text
    assert '<progress aria-label="Describing 10 photos" value="4" max="10">' in response.text
    assert "4 of 10 · 0.4 a second · 15 s left · 1 skipped · 2 failed" in response.text
    assert f'action="/processing/{run.pk}/cancel"' in response.text
    assert "HX-Refresh" not in response
    assert "<html" not in response.text


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({"state": "succeeded", "described": 1}, "1 photo described"),
        ({"state": "succeeded", "described": 1_234}, "1,234 photos described"),
        ({"state": "succeeded", "described": 0}, "Nothing was left to describe"),
        ({"state": "partial", "described": 3, "failed": 2}, "3 described, 2 could not be"),
        ({"state": "failed"}, "Describing failed"),
        ({"state": "cancelled"}, "Describing cancelled"),
    ],
)
def test_follow_a_run_that_is_over_tells_the_outcome_and_refreshes_the_page(
    curator_client: Client, run: ProcessingRun, fields: dict[str, Any], title: str
):
    ProcessingRun.objects.update(finished_at=timezone.now(), **fields)

    response = curator_client.get(run_url(run, "processing_run"))

    assert f"<b>{title}</b>" in response.text
    assert response["HX-Refresh"] == "true"
    assert "hx-get" not in response.text
    assert "<form" not in response.text


def test_follow_a_run_over_an_album_names_it(curator_client: Client, run: ProcessingRun, album: Album):
    ProcessingRun.objects.update(album=album)

    assert "<b>Describing 10 photos in Summer</b>" in curator_client.get(run_url(run, "processing_run")).text


def test_follow_a_failed_run_lists_what_could_not_be_done(curator_client: Client, run: ProcessingRun):
    errors = [{"key": "embedding", "title": "Embeddings", "sentence": "Nonsense came."}]
    ProcessingRun.objects.update(state="partial", finished_at=timezone.now(), errors=errors)

    page = curator_client.get(run_url(run, "processing_run")).text

    assert "1 could not be done" in page
    assert "<b>Embeddings</b> Nonsense came." in page


@pytest.mark.parametrize(
    ("fields", "figure"),
    [
        ({"budget_usd": 5, "spent_usd": Decimal("0.123")}, "$0.12 of $5.00 spent"),
        ({"spent_usd": Decimal("0.0049")}, "$0.0049 spent"),
    ],
)
def test_follow_a_run_that_costs_something_shows_how_much(
    curator_client: Client, run: ProcessingRun, fields: dict[str, Any], figure: str
):
    assert "spent" not in curator_client.get(run_url(run, "processing_run")).text
    ProcessingRun.objects.update(**fields)

    assert figure in curator_client.get(run_url(run, "processing_run")).text


def test_follow_a_run_that_is_bound_by_a_limit_says_so(curator_client: Client, run: ProcessingRun, settings: Any):
    assert "a minute" not in curator_client.get(run_url(run, "processing_run")).text
    settings.AI_REQUESTS_PER_MINUTE = 30

    assert "fake-1 · at most 30 calls a minute" in curator_client.get(run_url(run, "processing_run")).text


def test_follow_a_paused_run_says_why_when_it_goes_on_and_has_its_buttons(curator_client: Client, run: ProcessingRun):
    in_four_minutes = timezone.now() + timedelta(minutes=4, seconds=5)
    ProcessingRun.objects.update(
        state="paused", waiting_for="The AI server does not answer.", resume_at=in_four_minutes
    )

    page = curator_client.get(run_url(run, "processing_run")).text

    assert "The AI server does not answer. Next try in 4 min." in page
    assert f'action="/processing/{run.pk}/continue"' in page
    assert f'action="/processing/{run.pk}/cancel"' in page
    assert f'action="/processing/{run.pk}/pause"' not in page
    assert "a second" not in page
    assert f'href="/processing/{run.pk}/budget"' not in page
    ProcessingRun.objects.update(budget_usd=1)
    assert f'href="/processing/{run.pk}/budget"' in curator_client.get(run_url(run, "processing_run")).text


def test_follow_takes_few_queries(curator_client: Client, run: ProcessingRun):
    assert count_queries(curator_client, run_url(run, "processing_run")) <= 5


# --- Stop and continue -------------------------------------------------------------------------------------


def test_cancel_stops_the_run_and_says_what_stays(curator_client: Client, run: ProcessingRun):
    response = curator_client.post(run_url(run, "cancel_processing"), follow=True)

    run.refresh_from_db()
    assert run.state == RunState.CANCELLED
    assert run.finished_at is not None
    assert run.described == 4
    assert "Describing was cancelled. Every answer that had come stays." in response.text


def test_cancel_a_run_that_is_over_changes_nothing(curator_client: Client, run: ProcessingRun):
    ProcessingRun.objects.update(state="succeeded")

    response = curator_client.post(run_url(run, "cancel_processing"), follow=True)

    run.refresh_from_db()
    assert run.state == RunState.SUCCEEDED
    assert "was cancelled" not in response.text


def test_pause_stops_the_run_and_says_who_did(curator_client: Client, run: ProcessingRun):
    response = curator_client.post(run_url(run, "pause_processing"), follow=True)

    run.refresh_from_db()
    assert (run.state, run.resume_at) == (RunState.PAUSED, None)
    assert "Paused by grace." in response.text
    assert AuditEntry.objects.get().result == "paused"


def test_pause_a_run_that_is_over_changes_nothing(curator_client: Client, run: ProcessingRun):
    ProcessingRun.objects.update(state="succeeded")

    curator_client.post(run_url(run, "pause_processing"))

    run.refresh_from_db()
    assert (run.state, AuditEntry.objects.count()) == (RunState.SUCCEEDED, 0)


def test_continue_a_paused_run_enqueues_it(
    curator_client: Client, run: ProcessingRun, enqueued: Enqueued, settings: Any
):
    settings.WORKERS = 2
    ProcessingRun.objects.update(state="paused", waiting_for="The AI server refuses the key.")

    response = curator_client.post(run_url(run, "continue_processing"))

    run.refresh_from_db()
    assert response["Location"] == "/"
    assert run.state == RunState.QUEUED
    assert enqueued == [("process_photos", (str(run.pk),))] * 2


@pytest.mark.parametrize("state", ["running", "succeeded", "cancelled"])
def test_continue_a_run_that_is_not_paused_enqueues_nothing(
    curator_client: Client, run: ProcessingRun, enqueued: Enqueued, state: str
):
    ProcessingRun.objects.update(state=state)

    curator_client.post(run_url(run, "continue_processing"))

    run.refresh_from_db()
    assert run.state == state
    assert enqueued == []


# --- What it may spend -------------------------------------------------------------------------------------


@pytest.fixture
def spent(run: ProcessingRun) -> ProcessingRun:
    """Paused, because its budget of a dollar is used up."""
    why = f"{USED_UP}: $0.98 of $1.00 spent, 6 photos left."
    ProcessingRun.objects.update(state="paused", waiting_for=why, budget_usd=1, spent_usd=Decimal("0.98"))
    run.refresh_from_db()
    return run


def test_budget_shows_what_is_spent(curator_client: Client, spent: ProcessingRun):
    page = curator_client.get(run_url(spent, "budget")).text

    assert "$0.98 of $1.00 spent" in page
    assert 'name="budget_usd" value="1.00"' in page


def test_budget_raised_lets_the_run_go_on(
    curator_client: Client, spent: ProcessingRun, enqueued: Enqueued, settings: Any
):
    settings.WORKERS = 2

    response = curator_client.post(run_url(spent, "budget"), {"budget_usd": "2.50"})

    spent.refresh_from_db()
    assert response["Location"] == "/"
    assert (spent.state, spent.budget_usd) == (RunState.QUEUED, Decimal("2.5000"))
    assert enqueued == [("process_photos", (str(spent.pk),))] * 2


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("0.50", "$0.98 are spent already. Type more than that."),
        ("-1", "A budget cannot be less than nothing."),
        ("a lot", "Type an amount, like 5 or 2.50."),
    ],
)
def test_budget_that_makes_no_sense_is_said_beside_the_field(
    curator_client: Client, spent: ProcessingRun, enqueued: Enqueued, typed: str, sentence: str
):
    response = curator_client.post(run_url(spent, "budget"), {"budget_usd": typed})

    spent.refresh_from_db()
    assert response.status_code == 422
    assert sentence in response.text
    assert (spent.state, spent.budget_usd, enqueued) == (RunState.PAUSED, 1, [])


def test_budget_of_a_run_that_is_over_is_left_as_it_is(
    curator_client: Client, spent: ProcessingRun, enqueued: Enqueued
):
    ProcessingRun.objects.update(state="cancelled")

    response = curator_client.post(run_url(spent, "budget"), {"budget_usd": "9"}, follow=True)

    spent.refresh_from_db()
    assert "That run is over; its budget was left as it is." in response.text
    assert (spent.budget_usd, enqueued) == (1, [])


@pytest.mark.parametrize(("person", "status"), [("stranger_client", 404), ("viewer_client", 403)])
def test_budget_without_the_right_is_refused(
    request: pytest.FixtureRequest, spent: ProcessingRun, person: str, status: int
):
    client = request.getfixturevalue(person)

    assert client.get(run_url(spent, "budget")).status_code == status
    assert client.post(run_url(spent, "budget"), {"budget_usd": "9"}).status_code == status
    spent.refresh_from_db()
    assert spent.budget_usd == 1
