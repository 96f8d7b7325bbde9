"""The pages of exports: what is asked for, what there is, who gets the file; and the same for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from metadata import export, jobs
from metadata.models import AIMetadata, Export
from smugmug.models import Account, AuditEntry, Membership
from targetvision.models import RunState
from tests.conftest import HTMX
from tests.factories import AccountFactory, AIMetadataFactory, AlbumFactory, ExportFactory, PhotoFactory
from tests.metadata.conftest import count_queries

pytestmark = pytest.mark.django_db

LIST, MAKE, COUNT, API = "/exports/", "/exports/make", "/exports/count", "/api/exports"
Enqueued = list[tuple[str, tuple[Any, ...]]]


@pytest.fixture(autouse=True)
def _own_folder(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path


@pytest.fixture
def words(library_of_ada: Account) -> AIMetadata:
    """Approved, in the album Zoo, beside some that wait."""
    photo = PhotoFactory(album=AlbumFactory(account=library_of_ada, title="Zoo"))
    AIMetadataFactory(photo=PhotoFactory(album=photo.album), described=True, ai_title="Waits")
    return AIMetadataFactory(photo=photo, approved=True, ai_title="Über")


@pytest.fixture
def made(library_of_ada: Account, words: AIMetadata, ada: Any) -> Export:
    """A finished CSV."""
    found = ExportFactory(account=library_of_ada, requested_by=ada)
    export.carry_on(found)
    return found


def of(made: Export, verb: str = "") -> str:
    return f"{LIST}{made.pk}/{verb}"


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content)


# --- Making ------------------------------------------------------------------------------------------------------


def test_make_without_more_exports_what_is_approved_at_once(
    curator_client: Client, words: AIMetadata, enqueued: Enqueued
):
    response = curator_client.post(MAKE, {"format": "csv"})

    found = Export.objects.get()
    assert (response.status_code, response.url) == (302, of(found))
    assert (found.state, found.done, found.filter["status"]) == (RunState.SUCCEEDED, 1, "approved")
    text = body(curator_client.get(of(found, "download"))).decode("utf-8-sig")
    assert "Über" in text
    assert "Waits" not in text
    assert enqueued == []


def test_make_of_an_album_and_a_state_exports_those(curator_client: Client, words: AIMetadata):
    AIMetadataFactory(
        photo=PhotoFactory(album=AlbumFactory(account=words.photo.account)), described=True, ai_title="Elsewhere"
    )

    curator_client.post(MAKE, {"format": "jsonl", "status": "waiting", "album": str(words.photo.album_id)})

    found = Export.objects.get()
    lines = [json.loads(line) for line in body(curator_client.get(of(found, "download"))).splitlines()]
    assert [line["title"] for line in lines] == ["Waits"]


def test_make_of_many_leaves_it_to_the_workers_and_the_page_follows(
    curator_client: Client, words: AIMetadata, enqueued: Enqueued, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(export, "SMALL", 0)

    for _ in range(2):  # the second press makes no second one
        curator_client.post(MAKE, {"format": "xmp"})

    found = Export.objects.get()
    assert enqueued == [("write_export", (str(found.pk),))]
    page = curator_client.get(of(found))
    assert 'hx-trigger="load delay:1s"' in page.text
    assert "Exporting 1 photo as XMP sidecars" in page.text
    assert curator_client.get(of(found, "download")).status_code == 404
    jobs.write_export(str(found.pk))
    fragment = curator_client.get(of(found), headers=HTMX)
    assert fragment["HX-Refresh"] == "true"
    assert of(found, "download") in fragment.text
    assert "<html" not in fragment.text


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({}, "Choose a format."),
        ({"format": "exe"}, "There is no format “exe”."),
        ({"format": "csv", "status": "lost"}, "There is no state “lost”."),
        ({"format": "csv", "after": "2026-02-31"}, "Type a day as 2026-05-31."),
        ({"format": "csv", "tag": "nowhere"}, "No photo fits, so there is nothing to export."),
        ({"format": "csv", "text": "x" * 10_000}, "at most 200 characters"),
    ],
)
def test_make_of_what_makes_no_sense_says_so_and_makes_nothing(
    data: dict[str, str], sentence: str, curator_client: Client, words: AIMetadata
):
    response = curator_client.post(MAKE, data)

    assert response.status_code == 422
    assert sentence in response.text
    assert not Export.objects.exists()


def test_make_of_somebody_elses_album_is_404_and_makes_nothing(curator_client: Client, words: AIMetadata):
    theirs = AIMetadataFactory(approved=True).photo.album

    for answer in (
        curator_client.post(MAKE, {"format": "csv", "album": str(theirs.pk)}),
        curator_client.get(LIST, {"album": str(theirs.pk)}),
        curator_client.post(MAKE, {"format": "csv", "account": theirs.account.nickname}),
    ):
        assert answer.status_code == 404
    assert not Export.objects.exists()


def test_make_by_a_viewer_is_403_and_makes_nothing(viewer_client: Client, words: AIMetadata):
    assert viewer_client.post(MAKE, {"format": "csv"}).status_code == 403
    assert not Export.objects.exists()


def test_make_over_two_libraries_makes_a_file_for_each_where_anything_fits(
    owner_client: Client, words: AIMetadata, ada: Any
):
    second, empty = AccountFactory(owner=ada), AccountFactory(owner=ada)
    AIMetadataFactory(photo=PhotoFactory(album=AlbumFactory(account=second)), approved=True)

    response = owner_client.post(MAKE, {"format": "csv"})

    assert response.url == LIST
    assert {found.account for found in Export.objects.all()} == {words.photo.account, second}
    assert not Export.objects.filter(account=empty).exists()


def test_count_says_how_many_match_and_what_is_wrong(curator_client: Client, words: AIMetadata):
    assert "1 photo matches" in curator_client.get(COUNT).text
    assert "2 photos match" in curator_client.get(COUNT, {"status": "all"}).text
    assert "Type a day as" in curator_client.get(COUNT, {"after": "x"}).text


def test_exports_page_is_filled_with_what_the_address_asks_for(curator_client: Client, words: AIMetadata):
    page = curator_client.get(LIST, {"album": str(words.photo.album_id), "tag": "cat", "after": "x"}).text

    assert f'<option value="{words.photo.album_id}" selected>Zoo</option>' in page
    assert '<option value="approved" selected>' in page
    assert 'name="tag" value="cat"' in page
    assert "Not all of the address makes sense. The form shows the rest." in page
    assert '<p class="wrong">Type a day as 2026-05-31.</p>' in page
    assert "<details open>" in page


def test_album_and_grid_lead_to_the_export_of_what_they_show(curator_client: Client, words: AIMetadata):
    album = words.photo.album_id

    assert f'href="/exports/?album={album}"' in curator_client.get(f"/albums/{album}/").text
    assert (
        f'href="/exports/?album={album}&amp;tag=grey"'
        in curator_client.get(f"/review/grid/?tag=grey&album={album}").text
    )


# --- The files ---------------------------------------------------------------------------------------------------


def test_exports_page_lists_what_is_of_use_to_those_who_may_see_it(
    viewer_client: Client, stranger_client: Client, made: Export
):
    ExportFactory(account=made.account, state="succeeded", removed_at=timezone.now(), total=77)
    ExportFactory(account=made.account, state="failed", finished_at=timezone.now(), waiting_for=export.FULL)
    ExportFactory(account=made.account, state="failed", finished_at=timezone.now() - timedelta(days=2), total=78)

    page = viewer_client.get(LIST).text

    assert "1 photo as CSV" in page
    assert "All approved" in page
    assert of(made, "download") in page
    assert "The disk of this server is full." in page
    assert not {"77 photos", "78 photos"} & set(page)
    for button in ("delete", "cancel", "make"):
        assert f"/{button}" not in page.replace("/theme", "")
    assert str(made.pk) not in stranger_client.get(LIST).text


@pytest.mark.parametrize("path", [LIST, "/activity/"])
def test_lists_of_exports_take_as_many_queries_for_three_as_for_one(
    path: str, viewer_client: Client, made: Export, words: AIMetadata
):
    in_album = {**made.filter, "album": str(words.photo.album_id)}
    ExportFactory()  # somebody else's
    ExportFactory(account=made.account, format="jsonl", filter=in_album)
    one = count_queries(viewer_client, path)
    for state in ("queued", "succeeded"):
        other = {**made.filter, "album": str(AlbumFactory(account=made.account).pk)}
        ExportFactory(account=made.account, format="xmp", filter=other, state=state, finished_at=timezone.now())

    assert count_queries(viewer_client, path) == one


def test_download_is_the_file_as_an_attachment_kept_by_nobody(viewer_client: Client, made: Export):
    response = viewer_client.get(of(made, "download"))

    assert body(response) == export.path(made).read_bytes()
    name = f"{made.account.nickname}-approved-{timezone.now():%Y-%m-%d}.csv"
    assert response["Content-Disposition"] == f'attachment; filename="{name}"'
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Cache-Control"] == "private, no-store"
    assert int(response["Content-Length"]) == made.size_bytes


def test_download_by_a_member_who_was_removed_is_404(viewer_client: Client, made: Export):
    assert body(viewer_client.get(of(made, "download")))

    Membership.objects.filter(user__username="vera").delete()

    assert viewer_client.get(of(made, "download")).status_code == 404
    assert viewer_client.get(of(made)).status_code == 404
    assert viewer_client.get(f"{API}/{made.pk}/download").status_code == 404


def test_download_of_a_file_that_is_gone_says_so(viewer_client: Client, made: Export):
    export.path(made).unlink()

    response = viewer_client.get(f"{API}/{made.pk}/download")

    assert (response.status_code, response.json()["detail"]) == (
        404,
        "The file of this export is not there any more. Export again.",
    )
    assert viewer_client.get(of(made, "download")).status_code == 404


def test_delete_removes_the_file_at_once_and_is_told(curator_client: Client, viewer_client: Client, made: Export):
    path = export.path(made)
    assert viewer_client.post(of(made, "delete")).status_code == 403
    assert path.exists()

    for _ in range(2):
        curator_client.post(of(made, "delete"))

    assert not path.exists()
    assert viewer_client.get(of(made, "download")).status_code == 404
    entry = AuditEntry.objects.get(action="delete an export")
    assert (entry.who, entry.run) == ("user:grace", made.pk)


def test_cancel_stops_one_under_way(curator_client: Client, library_of_ada: Account):
    waiting = ExportFactory(account=library_of_ada)

    curator_client.post(of(waiting, "cancel"))

    waiting.refresh_from_db()
    assert waiting.state == RunState.CANCELLED
    assert AuditEntry.objects.get().result == "cancelled"


def test_activity_tells_of_exports_while_they_run_and_for_good(viewer_client: Client, made: Export):
    ExportFactory(account=made.account, format="xmp", total=9_876)
    Export.objects.filter(pk=made.pk).update(removed_at=timezone.now())

    page = viewer_client.get("/activity/?kind=export").text

    assert "Exporting 9,876 photos as XMP sidecars" in page
    assert "1 photo as CSV" in page
    assert "status approved" in page
    assert "the file is deleted" in page
    assert "as CSV" not in viewer_client.get("/activity/?kind=full").text


# --- For programs ------------------------------------------------------------------------------------------------


@pytest.fixture
def ask(curator_client: Client) -> Callable[..., Any]:
    def post(path: str = "", **wish: Any) -> Any:
        return curator_client.post(f"{API}{path}", wish or None, content_type="application/json")

    return post


def test_api_exports_follows_fetches_lists_and_deletes(
    ask: Callable[..., Any], curator_client: Client, words: AIMetadata
):
    response = ask(format="csv", album=str(words.photo.album_id))

    begun = response.json()
    assert response.status_code == 202
    assert (begun["state"], begun["photos"], begun["is_new"]) == ("succeeded", 1, True)
    status = curator_client.get(begun["status_url"]).json()
    assert (status["job"], status["filter"]["status"], status["done"]) == (begun["job"], "approved", 1)
    assert body(curator_client.get(status["download_url"])).startswith(b"\xef\xbb\xbfalbum,")
    assert [item["job"] for item in curator_client.get(API).json()["items"]] == [begun["job"]]
    assert ask(f"/{begun['job']}/cancel").status_code == 409
    assert curator_client.delete(f"{API}/{begun['job']}").json()["download_url"] is None
    assert curator_client.delete(f"{API}/{begun['job']}").status_code == 409
    assert curator_client.get(status["download_url"]).status_code == 404


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"format": "exe"}, 422),
        ({"format": "csv", "tag": "nowhere"}, 422),
        ({"format": "csv", "colour": "red"}, 422),
        ({"format": "csv", "after": "2026-05-02", "before": "2026-05-01"}, 422),
        ({"format": "csv", "account": "nobodys"}, 404),
        ({"format": "csv", "album": str(uuid4())}, 404),
    ],
)
def test_api_export_of_what_makes_no_sense_makes_nothing(
    wish: dict[str, str], status: int, ask: Callable[..., Any], words: AIMetadata
):
    response = ask(**wish)

    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
    assert not Export.objects.exists()


def test_api_export_by_a_viewer_is_403(viewer_client: Client, words: AIMetadata):
    assert viewer_client.post(API, {"format": "csv"}, content_type="application/json").status_code == 403
    assert not Export.objects.exists()


def test_api_list_of_exports_takes_as_many_queries_for_three_as_for_one(
    viewer_client: Client, stranger_client: Client, made: Export
):
    one = count_queries(viewer_client, API)
    for format in ("jsonl", "xmp"):
        ExportFactory(account=made.account, format=format)

    assert count_queries(viewer_client, API) == one
    assert viewer_client.get(API).json()["total"] == 3
    assert stranger_client.get(API).json()["total"] == 0
