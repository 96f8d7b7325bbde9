"""What a run would cost, before its button; and what may be asked of a run at all."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from metadata import money, process
from metadata.forms_run import WishForm
from metadata.models import ModelPrice, ProcessingRun
from metadata.selection import Wish
from smugmug.models import Account, Album
from tests.conftest import FakeDescriber
from tests.factories import (
    AccountFactory,
    AICallFactory,
    AIMetadataFactory,
    AlbumFactory,
    MembershipFactory,
    ModelPriceFactory,
    PhotoFactory,
)
from tests.metadata.conftest import count_queries

pytestmark = pytest.mark.django_db

Enqueued = list[tuple[str, tuple[Any, ...]]]


@pytest.fixture(autouse=True)
def _paid(describer: FakeDescriber, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server describes, and its prices are known."""
    monkeypatch.setattr(process, "configured_describer", lambda: describer)
    settings.AI_DESCRIBER = "openai"
    settings.OPENAI_MODEL, settings.OPENAI_EMBEDDING_MODEL = "fake-1", "fake-embedding"
    settings.AI_RUN_BUDGET_USD = None
    ModelPriceFactory(model="fake-1")
    ModelPriceFactory(model="fake-embedding", usd_in=Decimal("0.02"), usd_out=0)


@pytest.fixture
def album(library_of_ada: Account) -> Album:
    """Thirty photos nobody described, one that failed, one described and one approved."""
    album = AlbumFactory(account=library_of_ada, title="Summer")
    PhotoFactory.create_batch(30, album=album)
    AIMetadataFactory(photo=PhotoFactory(album=album), failed=True)
    AIMetadataFactory(photo=PhotoFactory(album=album), described=True)
    AIMetadataFactory(photo=PhotoFactory(album=album), approved=True)
    return album


def url_of(account: Account) -> str:
    return f"/processing/{account.nickname}/estimate"


def counts(page: str) -> dict[str, int]:
    """How many photos each choice has."""
    found = re.findall(r'<a href="\?only=\w+.*?">(.+?) <span class="num">(\d+)</span>', page)
    return {label: int(count) for label, count in found}


def hidden(page: str, action: str) -> dict[str, str]:
    """What the form with that action carries along."""
    form = page.partition(f'action="{action}"')[2].partition("</form>")[0]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="(.*?)">', form)) | {"csrfmiddlewaretoken": ""}


# --- The page --------------------------------------------------------------------------------------------------


def test_estimate_says_how_many_and_how_much_before_anything_is_paid(
    curator_client: Client, album: Album, enqueued: Enqueued
):
    response = curator_client.get(url_of(album.account))

    found = response.context["estimate"]
    assert counts(response.text) == {"Not described yet": 30, "Failed": 1, "Stale": 1, "All": 32}
    assert (found.photos, found.basis) == (30, "formula")
    assert found.range in response.text
    assert "Describe 20 first, about" in response.text
    assert "to fake.test" in response.text
    assert f'action="/processing/{album.account.nickname}/start"' in response.text
    assert (ProcessingRun.objects.count(), enqueued) == (0, [])


@pytest.mark.parametrize(
    ("query", "photos"),
    [
        ("only=failed", 1),
        ("only=all", 32),
        ("only=all&also_decided=on", 33),
        ("only=all&limit=5", 5),
        ("limit=500", 30),
    ],
)
def test_estimate_is_of_the_photos_that_are_asked_for(curator_client: Client, album: Album, query: str, photos: int):
    response = curator_client.get(f"{url_of(album.account)}?{query}")

    assert response.context["estimate"].photos == photos
    for name, value in (part.split("=") for part in query.split("&")):
        assert hidden(response.text, f"/processing/{album.account.nickname}/start")[name] == value


def test_estimate_of_an_album_leaves_out_the_others_and_starts_there(curator_client: Client, album: Album):
    PhotoFactory(album=AlbumFactory(account=album.account))

    page = curator_client.get(url_of(album.account), {"album": str(album.pk)}).text

    assert counts(page)["Not described yet"] == 30
    assert f'action="/albums/{album.pk}/process"' in page
    assert f'href="?only=failed&amp;album={album.pk}"' in page
    assert f'href="/albums/{album.pk}/"' in page


def test_estimate_leaves_out_what_is_never_sent_and_says_so(curator_client: Client, album: Album):
    Album.objects.update(never_send=True)

    response = curator_client.get(url_of(album.account), {"album": str(album.pk)})

    assert response.context["estimate"].photos == 0
    assert "This album is marked never to be sent to an AI server" in response.text
    assert "No photo of that kind is left to describe." in response.text


def test_estimate_from_measured_calls_offers_no_pilot(curator_client: Client, album: Album):
    for _ in range(money.PILOT):
        AICallFactory(account=album.account, model="fake-1")

    response = curator_client.get(url_of(album.account))

    assert response.context["estimate"].basis == "measured"
    assert "what photos of this library have cost" in response.text
    assert "Describe 20 first" not in response.text


def test_estimate_of_an_unknown_price_says_where_to_enter_one(curator_client: Client, album: Album):
    ModelPrice.objects.filter(model="fake-1").delete()

    page = curator_client.get(url_of(album.account)).text

    assert '<p class="amount num">Unknown' in page
    assert "What fake-1 costs is not known here." in page
    assert "$0" not in page
    assert "/admin/" not in page


def test_estimate_of_an_unknown_price_leads_staff_to_the_admin(curator_client: Client, album: Album):
    ModelPrice.objects.filter(model="fake-1").delete()
    member = MembershipFactory(user__is_staff=True, account=album.account, role="curator").user
    client = Client()
    client.force_login(member)

    assert 'href="/admin/metadata/modelprice/add/"' in client.get(url_of(album.account)).text


def test_estimate_shows_the_budget_of_the_settings(curator_client: Client, album: Album, settings: Any):
    settings.AI_RUN_BUDGET_USD = Decimal("2.50")

    assert 'name="budget_usd" value="2.50"' in curator_client.get(url_of(album.account)).text


def test_estimate_with_a_budget_of_the_settings_that_cannot_be_kept_says_so_beside_the_field(
    curator_client: Client, album: Album, settings: Any
):
    settings.AI_RUN_BUDGET_USD = Decimal("2.50")
    ModelPrice.objects.filter(model="fake-1").delete()

    response = curator_client.get(url_of(album.account))

    assert response.status_code == 200
    assert "A budget cannot be kept: what fake-1 costs is not known here." in response.text


def test_estimate_of_a_library_that_is_not_connected_has_no_button(curator_client: Client, album: Album):
    Account.objects.filter(pk=album.account_id).update(state="refused")

    page = curator_client.get(url_of(album.account)).text

    assert "is not connected, so its pictures cannot be fetched" in page
    assert 'method="post" action="/processing/' not in page


@pytest.mark.parametrize(("person", "status"), [("stranger_client", 404), ("viewer_client", 403)])
def test_estimate_is_for_those_who_may_start(request: pytest.FixtureRequest, album: Album, person: str, status: int):
    response = request.getfixturevalue(person).get(url_of(album.account))

    assert response.status_code == status
    assert "Summer" not in response.text


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("limit=abc", "Type a whole number."),
        ("limit=0", "At least one photo."),
        ("only=none", "Select a valid choice."),
        ("album=nonsense", "There is no such album in this library."),
        ("album=7e6a1f0e-3a9b-4a43-9a3e-0b6f4c6b2c11", "There is no such album in this library."),
        ("photo=%00", "There is no such photo in this library."),
        ("budget_usd=-1", "A budget cannot be less than nothing."),
    ],
)
def test_estimate_asked_for_nonsense_says_what_is_wrong_beside_the_field(
    curator_client: Client, album: Album, query: str, sentence: str
):
    response = curator_client.get(f"{url_of(album.account)}?{query}")

    assert response.status_code == 422
    assert sentence in response.text


def test_estimate_takes_as_many_queries_for_more_photos_and_notes(curator_client: Client, album: Album):
    curator_client.get(url_of(album.account))  # makes the prompt
    few = count_queries(curator_client, url_of(album.account))
    for _ in range(3):
        AIMetadataFactory(photo=PhotoFactory(album=AlbumFactory(account=album.account)), failed=True)
        PhotoFactory(album=AlbumFactory(account=AccountFactory()))

    assert count_queries(curator_client, url_of(album.account)) == few
    assert counts(curator_client.get(url_of(album.account)).text)["Failed"] == 4


# --- From the page to a run ------------------------------------------------------------------------------------


def test_start_from_the_page_makes_the_run_that_was_estimated(curator_client: Client, album: Album, enqueued: Enqueued):
    page = curator_client.get(url_of(album.account), {"only": "all", "limit": 5, "also_decided": "on"}).text
    carried = hidden(page, f"/processing/{album.account.nickname}/start")

    curator_client.post(
        f"/processing/{album.account.nickname}/start", carried | {"budget_usd": "1.50", "note": "A wedding."}
    )

    run = ProcessingRun.objects.get()
    assert (run.only, run.limit, run.also_decided, run.note) == ("all", 5, True, "A wedding.")
    assert run.budget_usd == Decimal("1.50")
    assert enqueued != []


@pytest.mark.parametrize(
    ("budget", "sentence"),
    [
        ("-1", "A budget cannot be less than nothing."),
        ("abc", "Type an amount, like 5 or 2.50."),
        ("NaN", "Type an amount, like 5 or 2.50."),
        ("Infinity", "Type an amount, like 5 or 2.50."),
        ("1e99", "That is more than a run can cost."),
        ("1.00001", "At most four decimal places."),
        ("5\x00", "Type an amount, like 5 or 2.50."),
    ],
)
def test_start_with_a_budget_that_is_none_is_refused_beside_the_field(
    curator_client: Client, album: Album, enqueued: Enqueued, budget: str, sentence: str
):
    for url in (f"/processing/{album.account.nickname}/start", f"/albums/{album.pk}/process"):
        response = curator_client.post(url, {"budget_usd": budget})

        assert response.status_code == 422
        assert sentence in response.text.partition('for="id_budget_usd"')[2]
    assert (ProcessingRun.objects.count(), enqueued) == (0, [])


def test_start_with_a_budget_at_an_unknown_price_is_refused_and_without_one_goes_on(
    curator_client: Client, album: Album, enqueued: Enqueued
):
    ModelPrice.objects.filter(model="fake-1").delete()
    url = f"/processing/{album.account.nickname}/start"

    refused = curator_client.post(url, {"budget_usd": "1"})

    assert refused.status_code == 422
    assert "A budget cannot be kept" in refused.text.partition('for="id_budget_usd"')[2]
    assert (ProcessingRun.objects.count(), enqueued) == (0, [])
    curator_client.post(url, {"budget_usd": ""})
    assert ProcessingRun.objects.get().budget_usd is None


def test_start_over_an_album_that_is_not_yours_is_refused(curator_client: Client, album: Album, enqueued: Enqueued):
    stranger = AlbumFactory(title="Not yours")

    response = curator_client.post(f"/processing/{album.account.nickname}/start", {"album": str(stranger.pk)})

    assert response.status_code == 422
    assert "There is no such album in this library." in response.text
    assert "Not yours" not in response.text
    assert (ProcessingRun.objects.count(), enqueued) == (0, [])


# --- The form --------------------------------------------------------------------------------------------------


def test_wish_of_an_empty_form_is_what_nobody_described_yet(library_of_ada: Account):
    form = WishForm({}, account=library_of_ada)

    assert form.is_valid()
    assert form.wish() == Wish()


def test_wish_holds_all_that_was_asked_for(album: Album, settings: Any):
    photo = album.home_photos.first()
    assert photo is not None
    data = {
        "only": "failed",
        "album": str(album.pk),
        "photo": str(photo.pk),
        "reason": "No usable answer.",
        "also_decided": "on",
        "note": "The bride is Zoë.",
        "limit": "7",
        "budget_usd": "0",
    }
    form = WishForm(data, account=album.account)

    assert form.is_valid()
    assert form.wish() == Wish(
        album=album,
        photo=photo,
        only="failed",
        reason="No usable answer.",
        also_decided=True,
        note="The bride is Zoë.",
        limit=7,
        budget=Decimal(0),
    )


def test_wish_without_a_budget_has_that_of_the_settings(library_of_ada: Account, settings: Any):
    settings.AI_RUN_BUDGET_USD = Decimal(5)
    form = WishForm({"budget_usd": ""}, account=library_of_ada)

    assert form.is_valid()
    assert form.wish().budget == 5


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("only", "some"),
        ("limit", "-3"),
        ("limit", "1" * 30),
        ("limit", "1.5"),
        ("note", "x" * 2_001),
        ("note", "\ud800"),
        ("reason", "a\x00b"),
        ("album", "\x00"),
        ("photo", "1"),
    ],
)
def test_wish_that_makes_no_sense_is_refused_at_its_field(library_of_ada: Account, field: str, value: str):
    form = WishForm({field: value}, account=library_of_ada)

    assert list(form.errors) == [field]


@pytest.mark.parametrize("field", ["album", "photo"])
def test_wish_for_what_is_elsewhere_or_gone_is_refused(library_of_ada: Account, field: str):
    gone = AlbumFactory(account=library_of_ada, removed_at=timezone.now())
    kept = AlbumFactory(account=library_of_ada)
    rows: dict[str, list[Any]] = {
        "album": [gone, AlbumFactory()],
        "photo": [PhotoFactory(), PhotoFactory(album=kept, removed_at=timezone.now())],
    }

    for row in rows[field]:
        assert list(WishForm({field: str(row.pk)}, account=library_of_ada).errors) == [field]


# --- The button that leads here --------------------------------------------------------------------------------


@pytest.mark.parametrize(("describer_kind", "is_link"), [("openai", True), ("local", False)])
def test_buttons_lead_to_the_estimate_only_where_describing_costs(
    curator_client: Client, album: Album, settings: Any, describer_kind: str, is_link: bool
):
    settings.AI_DESCRIBER = describer_kind

    library, gallery = curator_client.get("/").text, curator_client.get(f"/albums/{album.pk}/").text

    assert (f'href="{url_of(album.account)}"' in library) == is_link
    assert (f'action="/processing/{album.account.nickname}/start"' in library) != is_link
    assert (f'href="{url_of(album.account)}?album={album.pk}"' in gallery) == is_link
    assert (f'action="/albums/{album.pk}/process"' in gallery) != is_link


# --- Prices in the admin ---------------------------------------------------------------------------------------


@pytest.fixture
def operator_client(db: None) -> Client:
    client = Client()
    client.force_login(MembershipFactory(user__is_staff=True, user__is_superuser=True).user)
    return client


PRICE = {"model": " new-1 ", "as_of": "2026-11-20", "usd_in": "0.10", "usd_cached": "", "usd_out": "0.5"}


def test_price_entered_in_the_admin_counts(operator_client: Client):
    operator_client.post("/admin/metadata/modelprice/add/", PRICE)

    assert money.price_of("new-1", on=date(2026, 11, 20)) == money.Price(Decimal("0.10"), None, Decimal("0.50"))


@pytest.mark.parametrize("field", ["usd_in", "usd_cached", "usd_out"])
@pytest.mark.parametrize("value", ["-1", "NaN", "1e9", "abc", "0.00001"])
def test_price_that_cannot_be_one_is_refused_beside_its_field(operator_client: Client, field: str, value: str):
    response = operator_client.post("/admin/metadata/modelprice/add/", PRICE | {field: value})

    assert list(response.context["adminform"].form.errors) == [field]
    assert not ModelPrice.objects.filter(model="new-1").exists()


def test_ledger_in_the_admin_is_to_look_at(operator_client: Client):
    call = AICallFactory()

    page = operator_client.get("/admin/metadata/aicall/", {"sent_to": "fake.test", "outcome": "ok"}).text
    operator_client.post(f"/admin/metadata/aicall/{call.pk}/change/", {"cost": "0"})
    operator_client.post(f"/admin/metadata/aicall/{call.pk}/delete/", {"post": "yes"})

    call.refresh_from_db()
    assert "fake.test" in page
    assert call.cost == Decimal("0.01")
