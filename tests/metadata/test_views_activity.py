"""Activity: what runs, what ran and why not all of it was done, and who had it done."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from metadata import activity
from smugmug import audit
from smugmug.models import Account
from tests.factories import (
    AccountFactory,
    AIMetadataFactory,
    AlbumFactory,
    AuditEntryFactory,
    PhotoFactory,
    ProcessingRunFactory,
    SyncRunFactory,
)
from tests.metadata.conftest import count_queries

pytestmark = pytest.mark.django_db

RUNS, TRAIL = "/activity/", "/activity/audit/"


def ago(**units: float) -> Any:
    return timezone.now() - timedelta(**units)


def over(account: Account, minutes: float, **fields: Any) -> Any:
    """A sync that is over."""
    moment = ago(minutes=minutes)
    times = {"created_at": moment, "started_at": moment, "finished_at": moment + timedelta(seconds=90)}
    return SyncRunFactory(**{"account": account, "state": "succeeded", **times, **fields})


def shown(response: Any) -> list[str]:
    """The ids of the past runs on a page, in their order."""
    return re.findall(r'<li id="run-([0-9a-f-]+)"', response.text)


def row(response: Any, run: Any) -> str:
    """What the page tells of a past run."""
    [text] = re.findall(rf'<li id="run-{run.pk}">.*?</details>', response.text, flags=re.DOTALL)
    return " ".join(text.split())


# --- Whose -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [RUNS, TRAIL])
def test_activity_signed_out_goes_to_sign_in(client: Client, address: str):
    assert client.get(address)["Location"] == f"/sign-in/?next={address}"


def test_activity_shows_runs_of_both_kinds_and_none_of_other_libraries(viewer_client: Client, library_of_ada: Account):
    sync = over(library_of_ada, 10)
    process = ProcessingRunFactory(account=library_of_ada, state="partial", created_at=ago(minutes=5))
    over(AccountFactory(nickname="strangers"), 1)
    ProcessingRunFactory(state="failed")

    response = viewer_client.get(RUNS)

    assert shown(response) == [str(process.pk), str(sync.pk)]
    assert "strangers" not in response.text


def test_activity_as_a_stranger_shows_nothing(stranger_client: Client, library_of_ada: Account):
    run = over(library_of_ada, 1)
    live = SyncRunFactory(account=library_of_ada, state="running")
    AuditEntryFactory(account=library_of_ada, who="user:ada")

    page = stranger_client.get(RUNS, {"library": library_of_ada.nickname}).text
    trail = stranger_client.get(TRAIL, {"library": library_of_ada.nickname}).text

    assert str(run.pk) not in page
    assert str(live.pk) not in page
    assert "Nothing of that kind" in page
    assert "ada" not in trail.replace(library_of_ada.nickname, "").replace("metadata", "")
    assert "<tr>" not in trail.partition("<tbody>")[2]


@pytest.mark.parametrize(("person", "count"), [("curator_client", 2), ("viewer_client", 0)])
def test_activity_offers_buttons_to_those_who_may_press_them(
    request: pytest.FixtureRequest, library_of_ada: Account, person: str, count: int
):
    errors = [{"key": "AK1", "title": "Summer", "sentence": "No answer."}]
    run = over(library_of_ada, 1, state="partial", errors=errors)
    live = SyncRunFactory(account=library_of_ada, state="running")

    page = request.getfixturevalue(person).get(RUNS).text

    buttons = [f'action="/smugmug/runs/{run.pk}/retry"', f'action="/smugmug/runs/{live.pk}/cancel"']
    assert sum(button in page for button in buttons) == count


# --- What runs ---------------------------------------------------------------------------------------------


def test_activity_shows_what_runs_on_top_and_asks_again(owner_client: Client, library_of_ada: Account):
    sync = SyncRunFactory(account=library_of_ada, state="running")
    paused = ProcessingRunFactory(account=library_of_ada, state="paused", waiting_for="The key is refused.")
    past = over(library_of_ada, 1)

    response = owner_client.get(RUNS)

    assert [row.card.run.pk for row in response.context["live"]] == [paused.pk, sync.pk]
    assert f'hx-get="/smugmug/runs/{sync.pk}/"' in response.text
    assert f'action="/processing/{paused.pk}/continue"' in response.text
    assert "The key is refused." in response.text
    assert shown(response) == [str(past.pk)]


# --- What ran ----------------------------------------------------------------------------------------------


def test_activity_tells_figures_and_who_began_it(owner_client: Client, library_of_ada: Account, ada: Any):
    figures = {"requests_made": 12, "photos_seen": 300, "photos_new": 4, "photos_changed": 3, "photos_removed": 2}
    run = over(library_of_ada, 10, kind="verify", total=7, done=6, albums_locked=1, **figures)
    AuditEntryFactory(account=library_of_ada, run=run.pk, who=audit.SCHEDULE)
    AuditEntryFactory(account=library_of_ada, run=run.pk, who="user:grace", result="cancelled")
    by_hand = over(library_of_ada, 20, requested_by=ada)

    response = owner_client.get(RUNS)

    text = row(response, run)
    assert "<b>Check of everything finished</b>" in text
    assert f"{library_of_ada} · by the schedule" in text
    assert "took 2 min" in text
    for what, value in [("Requests made", "12"), ("Albums read", "6 of 7"), ("New, changed, removed", "4, 3, 2")]:
        assert re.search(rf'<dt>{what}</dt><dd class="num">{value}\b', text), what
    assert f"{library_of_ada} · by ada" in row(response, by_hand)


def test_activity_names_the_albums_that_failed_by_their_reason(owner_client: Client, library_of_ada: Account):
    known = AlbumFactory(account=library_of_ada, album_key="AK1", title="Summer")
    AlbumFactory(album_key="AK9")  # somebody else's
    errors = [
        {"key": "AK1", "title": "Summer & sea", "sentence": "SmugMug did not answer."},
        {"key": "AK2", "title": "", "sentence": "SmugMug did not answer."},
        {"key": "AK9", "title": "<b>", "sentence": "Unreadable."},
    ]
    run = over(library_of_ada, 1, state="partial", errors=errors)

    text = row(owner_client.get(RUNS), run)

    assert text.count("SmugMug did not answer.") == 1
    assert f'<a href="/albums/{known.pk}/">Summer &amp; sea</a>, AK2</span>' in text
    assert 'Unreadable.</b> <span class="things">&lt;b&gt;</span>' in text
    assert "Read 3 albums again</button>" in text


def test_activity_tells_why_photos_have_no_words(owner_client: Client, library_of_ada: Account):
    album = AlbumFactory(account=library_of_ada, title="Zoo")
    run = ProcessingRunFactory(account=library_of_ada, state="partial", album=album, described=1, failed=2, skipped=1)
    other = ProcessingRunFactory(account=library_of_ada, state="partial")
    for _ in range(2):
        AIMetadataFactory(photo=PhotoFactory(album=album), run=run, failed=True)
    AIMetadataFactory(photo=PhotoFactory(album=album), run=run, processing_status="skipped", error="A video.")
    AIMetadataFactory(photo=PhotoFactory(album=album), run=run, described=True)

    response = owner_client.get(RUNS)

    text = row(response, run)
    assert "2 photos: No usable answer." in text
    assert "1 photo: A video." in text
    assert '<dd class="num">Zoo</dd>' in text
    assert "No usable answer." not in row(response, other)


def test_activity_tells_why_a_run_failed(owner_client: Client, library_of_ada: Account):
    run = over(library_of_ada, 1, state="failed", waiting_for="SmugMug refuses our <access>.")

    text = row(owner_client.get(RUNS), run)

    assert "SmugMug refuses our &lt;access&gt;." in text
    assert "Start it again</button>" in text


def test_activity_names_the_albums_of_a_sync_of_single_ones(owner_client: Client, library_of_ada: Account):
    AlbumFactory(account=library_of_ada, album_key="AK1", title="Summer")
    run = over(library_of_ada, 1, kind="albums", album_keys=["AK1", "AK2"])

    text = row(owner_client.get(RUNS), run)

    assert "Sync of 2 albums finished" in text
    assert '<dt>Albums</dt><dd class="num">Summer, AK2</dd>' in text


def test_activity_without_any_run_says_what_will_be_here(owner_client: Client, library_of_ada: Account):
    assert "Nothing has run yet" in owner_client.get(RUNS).text
    assert "Nothing is written down yet" in owner_client.get(TRAIL).text


# --- Pages and narrowing -----------------------------------------------------------------------------------


def follow(client: Client, response: Any, address: str) -> Any:
    """The next page, by the link of this one."""
    [query] = re.findall(r'href="(\?[^"]+)" rel="next"', response.text)
    return client.get(address + query.replace("&amp;", "&"))


def test_activity_is_paged_without_losing_or_repeating_a_run(
    owner_client: Client, library_of_ada: Account, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(activity, "RUNS_A_PAGE", 3)
    same = ago(minutes=7)
    made = [over(library_of_ada, minutes) for minutes in (1, 3, 5)]
    made += [over(library_of_ada, 0, created_at=same) for _ in range(2)]
    made += [ProcessingRunFactory(account=library_of_ada, state="failed", created_at=same) for _ in range(2)]
    live = SyncRunFactory(account=library_of_ada, state="running")

    first = owner_client.get(RUNS)
    second = follow(owner_client, first, RUNS)
    SyncRunFactory(account=library_of_ada, state="failed")  # what comes meanwhile shifts nothing
    third = follow(owner_client, second, RUNS)

    expected = [str(run.pk) for run in sorted(made, key=lambda run: (run.created_at, run.pk), reverse=True)]
    assert [len(shown(page)) for page in (first, second, third)] == [3, 3, 1]
    assert [*shown(first), *shown(second), *shown(third)] == expected
    assert str(live.pk) not in second.text
    assert "Back to the newest" in third.text
    assert 'rel="next"' not in third.text


@pytest.mark.parametrize("before", ["x", "2026-01-01", "2026-01-01T00:00:00+00:00_x", "_", "9" * 100, "\x00"])
def test_activity_from_a_place_that_is_none_begins_at_the_newest(
    owner_client: Client, library_of_ada: Account, before: str
):
    run = over(library_of_ada, 1)
    AuditEntryFactory(account=library_of_ada)

    page, trail = owner_client.get(RUNS, {"before": before}), owner_client.get(TRAIL, {"before": before})

    assert shown(page) == [str(run.pk)]
    assert "Full sync" in trail.text


@pytest.mark.parametrize("address", [RUNS, TRAIL])
def test_activity_long_before_the_beginning_leads_back(owner_client: Client, library_of_ada: Account, address: str):
    over(library_of_ada, 1)
    AuditEntryFactory(account=library_of_ada)
    key = "00000000-0000-0000-0000-000000000000" if address == RUNS else str(10**30)

    response = owner_client.get(address, {"before": f"1900-01-01T00:00:00+00:00_{key}"})

    assert response.status_code == 200
    assert shown(response) == []
    assert "Back to the newest" in response.text or "Show everything" in response.text


@pytest.fixture
def everything(library_of_ada: Account) -> dict[str, str]:
    """A run of each sort in ada's library, and one in another library of hers: name → id."""
    second = AccountFactory(owner=library_of_ada.owner, nickname="second")
    runs = {
        "changes": over(library_of_ada, 1, kind="incremental"),
        "full": over(library_of_ada, 2, kind="full", state="cancelled"),
        "check": over(library_of_ada, 3, kind="verify", state="partial"),
        "album": over(library_of_ada, 4, kind="albums", state="failed"),
        "words": ProcessingRunFactory(account=library_of_ada, state="succeeded", created_at=ago(minutes=5)),
        "second": over(second, 6, kind="full"),
        "live": SyncRunFactory(account=library_of_ada, kind="incremental", state="running"),
    }
    return {str(run.pk): name for name, run in runs.items()}


@pytest.mark.parametrize(
    ("wish", "names"),
    [
        ({}, ["live", "changes", "full", "check", "album", "words", "second"]),
        ({"library": "second"}, ["second"]),
        ({"library": "nobodys"}, []),
        ({"kind": "incremental"}, ["live", "changes"]),
        ({"kind": "full"}, ["full", "second"]),
        ({"kind": "verify"}, ["check"]),
        ({"kind": "albums"}, ["album"]),
        ({"kind": "describe"}, ["words"]),
        ({"state": "active"}, ["live"]),
        ({"state": "good"}, ["changes", "words", "second"]),
        ({"state": "trouble"}, ["check", "album"]),
        ({"state": "cancelled"}, ["full"]),
        ({"kind": "full", "state": "good"}, ["second"]),
        ({"kind": "nonsense", "state": "\x00"}, ["live", "changes", "full", "check", "album", "words", "second"]),
    ],
)
def test_activity_can_be_narrowed(
    owner_client: Client, everything: dict[str, str], wish: dict[str, str], names: list[str]
):
    response = owner_client.get(RUNS, wish)

    live = [str(row.card.run.pk) for row in response.context["live"]]
    assert [everything[pk] for pk in [*live, *shown(response)]] == names
    assert ("Nothing of that kind" in response.text) is (names == [])


def test_activity_keeps_what_it_is_narrowed_to_in_every_link(
    owner_client: Client, everything: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(activity, "RUNS_A_PAGE", 1)

    response = owner_client.get(RUNS, {"kind": "full", "library": "second"})
    page = owner_client.get(RUNS, {"state": "good"})

    assert 'href="?library=second&amp;kind=full&amp;state=trouble"' in response.text
    assert 'href="?library=second"' in response.text
    assert '<a href="?library=second&amp;kind=full" aria-current="true">Full syncs</a>' in response.text
    assert re.search(r'href="\?state=good&amp;before=[^"]+" rel="next"', page.text)
    assert [everything[pk] for pk in shown(follow(owner_client, page, RUNS))] == ["words"]


def test_activity_of_one_library_offers_no_choice_of_libraries(owner_client: Client, library_of_ada: Account):
    over(library_of_ada, 1)

    assert "All libraries" not in owner_client.get(RUNS).text


def test_activity_takes_as_many_queries_for_three_of_each_as_for_one(owner_client: Client, ada: Any):
    def add() -> None:
        account = AccountFactory(owner=ada)
        album = AlbumFactory(account=account)
        errors = [{"key": album.album_key, "title": "", "sentence": "No answer."}]
        over(account, 5, state="partial", errors=errors, requested_by=ada)
        over(account, 6, kind="albums", album_keys=[album.album_key])
        run = ProcessingRunFactory(account=account, state="partial", album=album, requested_by=ada)
        AIMetadataFactory(photo=PhotoFactory(album=album), run=run, failed=True)
        SyncRunFactory(account=account, state="running")
        ProcessingRunFactory(account=account, state="running", album=album)
        AuditEntryFactory(account=account)

    add()
    few = count_queries(owner_client, RUNS), count_queries(owner_client, TRAIL)
    add()
    add()
    over(AccountFactory(), 1)

    assert (count_queries(owner_client, RUNS), count_queries(owner_client, TRAIL)) == few


# --- The audit trail ---------------------------------------------------------------------------------------


def lines(response: Any) -> list[list[str]]:
    """The words of each line but its time."""
    rows = re.findall(r"<tr>(.*?)</tr>", response.text.partition("<tbody>")[2], flags=re.DOTALL)
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, flags=re.DOTALL)[1:] for row in rows]
    return [[" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in row] for row in cells]


def test_trail_tells_who_did_what_and_what_came_of_it(viewer_client: Client, library_of_ada: Account):
    name = library_of_ada.nickname
    for fields in (
        {"who": "schedule", "action": "incremental", "result": "started"},
        {"who": "user:grace", "action": "never send", "result": "done", "detail": "The album “<Zoo>”"},
        {"who": "command", "action": "something new", "result": "failed", "detail": "No answer."},
    ):
        AuditEntryFactory(account=library_of_ada, **fields)
    AuditEntryFactory(nickname="strangers")

    response = viewer_client.get(TRAIL)

    assert lines(response) == [
        ["a command", "something new No answer.", name, "failed"],
        ["grace", "Keep from every AI server The album “&lt;Zoo&gt;”", name, "done"],
        ["the schedule", "Sync of changes", name, "started"],
    ]


@pytest.mark.parametrize(
    ("wish", "who"),
    [
        ({"who": "people"}, ["grace"]),
        ({"who": "command"}, ["a command"]),
        ({"who": "schedule"}, ["the schedule"]),
        ({"who": "nobody"}, ["the schedule", "a command", "grace"]),
        ({"library": "second"}, []),
    ],
)
def test_trail_can_be_narrowed(owner_client: Client, library_of_ada: Account, wish: dict[str, str], who: list[str]):
    AccountFactory(owner=library_of_ada.owner, nickname="second")
    for name in ("user:grace", "command", "schedule"):
        AuditEntryFactory(account=library_of_ada, who=name)

    assert [line[0] for line in lines(owner_client.get(TRAIL, wish))] == who


def test_trail_is_paged_without_losing_or_repeating_a_line(
    owner_client: Client, library_of_ada: Account, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(activity, "ENTRIES_A_PAGE", 2)
    moment = ago(minutes=1)
    for number in range(5):
        AuditEntryFactory(account=library_of_ada, created_at=moment, detail=str(number))

    first = owner_client.get(TRAIL)
    second = follow(owner_client, first, TRAIL)
    third = follow(owner_client, second, TRAIL)

    told = [[line[1] for line in lines(page)] for page in (first, second, third)]
    assert told == [["Full sync 4", "Full sync 3"], ["Full sync 2", "Full sync 1"], ["Full sync 0"]]


def test_no_page_of_the_trail_has_a_button(owner_client: Client, library_of_ada: Account):
    AuditEntryFactory(account=library_of_ada)

    page = owner_client.get(TRAIL).text.partition("<main")[2].partition("</main>")[0]

    assert "<form" not in page
    assert "<button" not in page
