"""The pages of prompts: versions, edits, what is in force, and a try on one photo."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from metadata import process, prompts
from metadata.describe import Outage, Rejected, Usage
from metadata.models import AICall, AIMetadata, MetadataHistory, ProcessingRun, Prompt
from smugmug.models import Account, Album, Photo
from tests.conftest import FakeDescriber
from tests.factories import (
    AIMetadataFactory,
    AlbumFactory,
    ModelPriceFactory,
    NoteFactory,
    PhotoFactory,
    ProcessingRunFactory,
    PromptFactory,
    UserFactory,
)
from tests.metadata.conftest import count_queries

pytestmark = pytest.mark.django_db

GOOD: dict[str, Any] = {
    "name": "Weddings",
    "text": "Describe in {language},\r\nwith {tag_count} tags.",
    "language": "German",
    "tag_count": "9",
    "vocabulary": "cake\r\n Bride \r\n\r\nCAKE",
    "facts": ["caption", "place"],
}
SAVED = {
    "name": "Weddings",
    "text": "Describe in {language},\nwith {tag_count} tags.",
    "language": "German",
    "tag_count": 9,
    "vocabulary": ["cake", "Bride"],
    "facts": ["caption", "place"],
}


@pytest.fixture(autouse=True)
def _configured(describer: FakeDescriber, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "configured_describer", lambda: describer)


@pytest.fixture
def prompt(library_of_ada: Account) -> Prompt:
    """Neither in force nor used."""
    return PromptFactory(account=library_of_ada, version=1)


def list_url(account: Account) -> str:
    return f"/settings/{account.nickname}/prompts/"


def url(prompt: Prompt, action: str = "") -> str:
    return f"{list_url(prompt.account)}{prompt.pk}/{action}"


def posted(prompt: Prompt, **changes: Any) -> dict[str, Any]:
    return {**GOOD, "seen": prompts.seen(prompt), **changes}


def content(prompt: Prompt) -> dict[str, Any]:
    return {name: getattr(prompt, name) for name in prompts.CONTENT}


def said(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


# --- The list ----------------------------------------------------------------------------------------------


def test_prompts_as_a_stranger_are_404(stranger_client: Client, prompt: Prompt):
    assert stranger_client.get(list_url(prompt.account)).status_code == 404
    assert stranger_client.get(url(prompt)).status_code == 404


def test_prompts_say_which_is_in_force_and_how_many_photos_each_described(
    curator_client: Client, library_of_ada: Account, prompt: Prompt
):
    album = AlbumFactory(account=library_of_ada)
    for _ in range(2):
        AIMetadataFactory(photo=PhotoFactory(album=album), described=True, prompt="Weddings 1")
    AIMetadataFactory(described=True, prompt="Weddings 1")  # of somebody else's library

    response = curator_client.get(list_url(library_of_ada))

    assert [(str(each), count) for each, count in response.context["versions"]] == [("Default 1", 0), ("Weddings 1", 2)]
    assert "2 photos described" in response.text
    assert response.text.count("In force") == 1
    assert url(prompt, "activate") in response.text
    assert url(response.context["active"], "activate") not in response.text


def test_prompts_as_a_viewer_show_all_and_nothing_to_press(viewer_client: Client, prompt: Prompt):
    NoteFactory(account=prompt.account, text="The bride is Zoë.")

    page, one = viewer_client.get(list_url(prompt.account)).text, viewer_client.get(url(prompt)).text

    assert "The bride is Zoë." in page
    assert prompt.text in one
    for each in (page, one):
        assert f'action="{list_url(prompt.account)}' not in each
        assert "/note" not in each
    assert '<fieldset class="form" disabled>' in one


def test_prompts_of_one_name_are_not_shown_in_another_library(owner_client: Client, library_of_ada: Account):
    PromptFactory(name="Not for ada")

    assert "Not for ada" not in owner_client.get(list_url(library_of_ada)).text


def test_prompts_take_as_many_queries_for_three_as_for_one(curator_client: Client, prompt: Prompt):
    album = AlbumFactory(account=prompt.account)
    AIMetadataFactory(photo=PhotoFactory(album=album), described=True, prompt="Weddings 1")
    curator_client.get(list_url(prompt.account))  # makes the built-in one
    few = count_queries(curator_client, list_url(prompt.account))
    for number in (2, 3):
        PromptFactory(account=prompt.account, version=number)
        PromptFactory(version=number)
        AIMetadataFactory(photo=PhotoFactory(album=album), described=True, prompt=f"Weddings {number}")
        NoteFactory(account=prompt.account, album=AlbumFactory(account=prompt.account))

    assert count_queries(curator_client, list_url(prompt.account)) == few


def test_prompts_say_what_is_stale_and_what_it_costs(curator_client: Client, library_of_ada: Account, settings: Any):
    settings.AI_DESCRIBER, settings.OPENAI_MODEL = "openai", "paid-1"
    ModelPriceFactory()
    ModelPriceFactory(model=settings.OPENAI_EMBEDDING_MODEL)
    album = AlbumFactory(account=library_of_ada)
    for _ in range(3):
        AIMetadataFactory(photo=PhotoFactory(album=album), described=True)

    response = curator_client.get(list_url(library_of_ada))

    assert response.context["stale"].count == 3
    assert response.context["stale"].about.startswith("about $0.0")
    assert '<input type="hidden" name="only" value="stale">' in response.text
    assert "Describe 3 again" in response.text


def test_press_the_button_of_what_is_stale_starts_a_run_over_that(
    curator_client: Client, library_of_ada: Account, enqueued: list[Any]
):
    AIMetadataFactory(photo=PhotoFactory(album=AlbumFactory(account=library_of_ada)), described=True)
    page = curator_client.get(list_url(library_of_ada)).text
    assert f'action="/processing/{library_of_ada.nickname}/start"' in page

    curator_client.post(f"/processing/{library_of_ada.nickname}/start", {"only": "stale"})

    run = ProcessingRun.objects.get()
    assert (run.only, run.account, run.also_decided) == ("stale", library_of_ada, False)
    assert enqueued != []


def test_prompts_with_nothing_stale_offer_nothing(curator_client: Client, library_of_ada: Account):
    PhotoFactory(album=AlbumFactory(account=library_of_ada))

    assert "stale" not in curator_client.get(list_url(library_of_ada)).text


@pytest.mark.parametrize("state", ["describing", "disconnected"])
def test_prompts_offer_no_run_where_there_can_be_none(curator_client: Client, library_of_ada: Account, state: str):
    AIMetadataFactory(photo=PhotoFactory(album=AlbumFactory(account=library_of_ada)), described=True)
    if state == "describing":
        ProcessingRunFactory(account=library_of_ada)
    else:
        Account.objects.update(state="refused")

    response = curator_client.get(list_url(library_of_ada))

    assert response.context["stale"].count == 1
    assert "Describe 1 again" not in response.text


def test_prompts_at_an_unknown_price_say_so(curator_client: Client, library_of_ada: Account, settings: Any):
    settings.AI_DESCRIBER, settings.OPENAI_MODEL = "openai", "nobody-knows"
    AIMetadataFactory(photo=PhotoFactory(album=AlbumFactory(account=library_of_ada)), described=True)

    page = curator_client.get(list_url(library_of_ada)).text

    assert "stale, at an unknown price" in page


# --- Edit --------------------------------------------------------------------------------------------------


def test_edit_an_unused_version_saves_it(curator_client: Client, prompt: Prompt):
    response = curator_client.post(url(prompt, "edit"), posted(prompt), follow=True)

    prompt.refresh_from_db()
    assert content(prompt) == SAVED
    assert prompt.created_by == "user:grace"
    assert response.redirect_chain == [(url(prompt), 302)]
    assert said(response) == ["Weddings 1 is saved."]


def test_edit_a_used_version_goes_on_to_the_next(curator_client: Client, prompt: Prompt):
    prompts.mark_used(prompt)
    before = content(prompt)

    response = curator_client.post(url(prompt, "edit"), posted(prompt), follow=True)

    second = Prompt.objects.get(name="Weddings", version=2)
    prompt.refresh_from_db()
    assert (content(prompt), content(second)) == (before, SAVED)
    assert response.redirect_chain == [(url(second), 302)]
    assert "Weddings 2 is new, not in force yet." in said(response)[0]


def test_save_the_form_as_it_was_shown_changes_nothing(curator_client: Client, library_of_ada: Account):
    default = prompts.active(library_of_ada)
    prompts.mark_used(default)
    form = curator_client.get(url(default)).context["form"]
    shown = {name: form[name].value() for name in (*prompts.CONTENT, "seen")}
    shown |= {"text": shown["text"].replace("\n", "\r\n"), "vocabulary": ""}

    assert curator_client.post(url(default, "edit"), shown).status_code == 302
    assert Prompt.objects.count() == 1


@pytest.mark.parametrize("action", ["edit", "new"])
@pytest.mark.parametrize(
    ("data", "field", "sentence"),
    [
        ({"text": "In {language"}, "text", "A brace has no partner."),
        ({"text": "In {name}"}, "text", "“{name}” is unknown."),
        ({"text": " "}, "text", "Write what the model is to do."),
        ({"text": "x" * 8_001}, "text", "at most 8000 characters"),
        ({"name": ""}, "name", "This field is required."),
        ({"name": "n" * 41}, "name", "at most 40 characters"),
        ({"name": "\u200b\u202e"}, "name", "Write something that can be read."),
        ({"language": "l" * 41}, "language", "at most 40 characters"),
        ({"language": "nul\x00"}, "language", "Null characters are not allowed."),
        ({"tag_count": "0"}, "tag_count", "greater than or equal to 1"),
        ({"tag_count": "51"}, "tag_count", "less than or equal to 50"),
        ({"tag_count": "many"}, "tag_count", "Enter a whole number."),
        (
            {"vocabulary": "\n".join(map(str, range(2_001)))},
            "vocabulary",
            "These are 2,001 entries; at most 2,000 fit.",
        ),
        ({"vocabulary": "x" * 61}, "vocabulary", "is longer than 60 characters."),
        ({"vocabulary": "cat\r\nBaker, Ada"}, "vocabulary", "“Baker, Ada” holds a comma"),
        ({"facts": ["latitude"]}, "facts", "not one of the available choices"),
    ],
)
def test_edit_with_bad_input_says_so_beside_the_field(
    curator_client: Client, prompt: Prompt, action: str, data: dict[str, Any], field: str, sentence: str
):
    before = content(prompt)

    response = curator_client.post(url(prompt, action), posted(prompt, **data))

    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    assert sentence in response.context["form"].errors[field][0]
    assert GOOD["name"] in response.text  # what was typed is kept
    assert content(Prompt.objects.get(name="Weddings")) == before


def test_edit_with_2_000_allowed_tags_is_saved(curator_client: Client, prompt: Prompt):
    lines = "\r\n".join(f"tag {number}" for number in range(2_000))

    assert curator_client.post(url(prompt, "edit"), posted(prompt, vocabulary=lines)).status_code == 302

    prompt.refresh_from_db()
    assert len(prompt.vocabulary) == 2_000


def test_edit_when_somebody_was_faster_says_who_and_keeps_both_texts(curator_client: Client, prompt: Prompt):
    mine = posted(prompt, text="Mine.")
    theirs = {**SAVED, "text": "Theirs."}
    prompts.edit(prompt, theirs, by=UserFactory(username="eve"), on_page=prompts.seen(prompt))

    response = curator_client.post(url(prompt, "edit"), mine)

    assert response.status_code == 409
    assert said(response) == ["eve changed Weddings 1 meanwhile. Your text was not saved."]
    assert "Mine." in response.text
    assert content(Prompt.objects.get(pk=prompt.pk)) == theirs

    knowingly = mine | {"seen": response.context["form"]["seen"].value()}
    assert curator_client.post(url(prompt, "edit"), knowingly).status_code == 302
    assert Prompt.objects.get(pk=prompt.pk).text == "Mine."


def test_new_keeps_an_unused_version_beside_it(curator_client: Client, prompt: Prompt):
    before = content(prompt)

    curator_client.post(url(prompt, "new"), posted(prompt))

    prompt.refresh_from_db()
    assert content(prompt) == before
    assert content(Prompt.objects.get(name="Weddings", version=2)) == SAVED


@pytest.mark.parametrize("action", ["edit", "new", "activate", "preview"])
def test_change_a_prompt_under_another_library_s_address_is_404(owner_client: Client, prompt: Prompt, action: str):
    other = PromptFactory()

    response = owner_client.post(f"{list_url(prompt.account)}{other.pk}/{action}", posted(other))

    assert response.status_code == 404
    other.refresh_from_db()
    assert (other.text, other.is_active) == ("Describe in {language} with {tag_count} tags.", False)


# --- Activate ----------------------------------------------------------------------------------------------


def test_activate_puts_it_in_force(curator_client: Client, prompt: Prompt):
    default = prompts.active(prompt.account)

    response = curator_client.post(url(prompt, "activate"), {"instead_of": default.pk}, follow=True)

    assert prompts.active(prompt.account) == prompt
    assert "Weddings 1 is in force." in said(response)[0]


@pytest.mark.parametrize("instead_of", ["default", "", "nonsense", "9" * 30])
def test_activate_when_somebody_was_faster_says_so(curator_client: Client, prompt: Prompt, instead_of: str):
    default, theirs = prompts.active(prompt.account), PromptFactory(account=prompt.account, name="Theirs", version=1)
    prompts.activate(theirs, by=theirs.account.owner, instead_of=default.pk)
    seen = default.pk if instead_of == "default" else instead_of

    response = curator_client.post(url(prompt, "activate"), {"instead_of": seen}, follow=True)

    assert prompts.active(prompt.account) == theirs
    assert said(response) == ["Theirs 1 was put in force meanwhile. Look again, then decide."]


def test_activate_has_the_lanes_judged_anew_where_other_tags_are_allowed(
    curator_client: Client, prompt: Prompt, enqueued: list[Any]
):
    default = prompts.active(prompt.account)
    curator_client.post(url(prompt, "activate"), {"instead_of": default.pk})
    assert enqueued == []

    curator_client.post(url(prompt, "edit"), posted(prompt))  # it is in force, and not used yet

    assert enqueued == [("judge_anew", (str(prompt.account_id),))]
    curator_client.post(url(default, "activate"), {"instead_of": prompt.pk})
    assert len(enqueued) == 2


# --- Try ---------------------------------------------------------------------------------------------------


@pytest.fixture
def mine(food: Album) -> Prompt:
    """Of the stand-in's library, in which are three photos."""
    return PromptFactory(account=food.account, version=1, facts=["album"])


def test_try_shows_words_and_cost_and_writes_none(
    owner_client: Client, mine: Prompt, food: Album, describer: FakeDescriber
):
    ModelPriceFactory(model=describer.model)
    NoteFactory(account=food.account, album=food, text="All of it is vegan.")
    photo = Photo.objects.in_album(food)[0]

    response = owner_client.post(url(mine, "preview"), {"photo": str(photo.pk)})

    assert response.status_code == 200
    for each in ("A title", "A description.", "one", "Animals", "900 tokens in, 60 out", "$0.0015", "fake.test"):
        assert each in response.text
    assert len(describer.pictures) == 1
    [brief] = describer.briefs
    assert brief.facts == 'Album: "Food"'
    assert "All of it is vegan." in brief.instructions
    assert "All of it is vegan." in response.text  # under “what the model was told”
    assert not AIMetadata.objects.exists()
    assert not MetadataHistory.objects.exists()
    mine.refresh_from_db()
    assert mine.used_at is None


def test_try_is_one_call_in_the_ledger(owner_client: Client, mine: Prompt, food: Album, describer: FakeDescriber):
    photo = Photo.objects.in_album(food)[0]

    owner_client.post(url(mine, "preview"), {"photo": f"http://testserver/photos/{photo.pk}/?album={food.pk}"})

    call = AICall.objects.get()
    assert (call.account, call.photo, call.run, call.kind) == (food.account, photo, None, "describe")
    assert (call.prompt, call.model, call.outcome, call.sent_to) == ("Weddings 1", "fake-1", "ok", "fake.test")
    assert (call.tokens_in, call.tokens_out, call.cost) == (900, 60, None)
    assert call.bytes_sent == len(describer.pictures[0])


def test_try_that_fails_says_why_and_stands_in_the_ledger(
    owner_client: Client, mine: Prompt, food: Album, describer: FakeDescriber
):
    describer.failures = [Rejected("no key", advice="The key is wrong.", usage=Usage(5, None, None))]

    response = owner_client.post(url(mine, "preview"), {"photo": str(Photo.objects.in_album(food)[0].pk)})

    assert "The key is wrong." in response.text
    assert AICall.objects.get().outcome == "rejected"
    assert not AIMetadata.objects.exists()


def test_try_while_the_ai_server_holds_everybody_back_sends_nothing(
    owner_client: Client, mine: Prompt, food: Album, describer: FakeDescriber
):
    photo = str(Photo.objects.in_album(food)[0].pk)
    describer.failures = [Outage("slow down", retry_after=50)]
    owner_client.post(url(mine, "preview"), {"photo": photo})

    response = owner_client.post(url(mine, "preview"), {"photo": photo})

    assert response.status_code == 422
    assert "busy with photos of a run. Nothing was sent" in response.text
    assert len(describer.pictures) == 1
    assert AICall.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_try_holds_no_connection_while_the_model_thinks(
    owner_client: Client, mine: Prompt, food: Album, describer: FakeDescriber, monkeypatch: pytest.MonkeyPatch
):
    held, describe = [], describer.describe

    def slow(*args: Any) -> Any:
        held.append(connection.connection is not None)
        return describe(*args)

    monkeypatch.setattr(describer, "describe", slow)

    owner_client.post(url(mine, "preview"), {"photo": str(Photo.objects.in_album(food)[0].pk)})

    assert held == [False]
    assert AICall.objects.get().outcome == "ok"


@pytest.mark.parametrize(
    ("photo", "sentence"),
    [
        ("", "Choose a photo."),
        ("IMG_0001.JPG", "Paste the address of a photo"),
        ("00000000-0000-0000-0000-000000000000", "There is no such photo in this library."),
        ("of somebody else", "There is no such photo in this library."),
        ("gone", "There is no such photo in this library."),
        ("video", "only pictures are described"),
        ("never send", "marked never to be sent to an AI server."),
        ("disconnected", "is not connected, so its pictures cannot be fetched."),
    ],
)
def test_try_on_what_cannot_be_says_so_and_sends_nothing(
    owner_client: Client, mine: Prompt, food: Album, describer: FakeDescriber, photo: str, sentence: str
):
    found = Photo.objects.in_album(food)[0]
    if photo == "of somebody else":
        found = PhotoFactory()
    elif photo == "gone":
        Photo.objects.update(removed_at="2026-01-02T03:04Z")
    elif photo == "video":
        Photo.objects.update(is_video=True)
    elif photo == "never send":
        Album.objects.update(never_send=True)
    elif photo == "disconnected":
        Account.objects.update(state="refused")
    else:
        found = None

    response = owner_client.post(url(mine, "preview"), {"photo": str(found.pk) if found else photo})

    assert response.status_code == 422
    assert sentence in response.context["preview_form"].errors["photo"][0]
    assert sentence.split("’")[0] in response.text
    assert describer.pictures == []
    assert not AICall.objects.exists()


def test_try_what_is_never_sent_by_a_model_on_this_machine_is_allowed(
    owner_client: Client, mine: Prompt, food: Album, describer: FakeDescriber, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(describer, "sends_to", "", raising=False)
    Album.objects.update(never_send=True)

    response = owner_client.post(url(mine, "preview"), {"photo": str(Photo.objects.in_album(food)[0].pk)})

    assert "nothing left this machine" in response.text
    assert (AICall.objects.get().cost, AICall.objects.get().sent_to) == (0, "")


def test_prompt_offers_photos_that_wait_for_review_before_others(curator_client: Client, prompt: Prompt):
    album = AlbumFactory(account=prompt.account)
    other, waiting = PhotoFactory(album=album), PhotoFactory(album=album)
    assert set(curator_client.get(url(prompt)).context["candidates"]) == {other, waiting}

    AIMetadataFactory(photo=waiting, described=True)

    assert curator_client.get(url(prompt)).context["candidates"] == [waiting]


def test_prompt_offers_none_that_may_not_be_sent(curator_client: Client, prompt: Prompt, settings: Any):
    PhotoFactory(album=AlbumFactory(account=prompt.account, never_send=True))

    settings.AI_DESCRIBER = "openai"
    assert curator_client.get(url(prompt)).context["candidates"] == []
    settings.AI_DESCRIBER = "local"
    assert len(curator_client.get(url(prompt)).context["candidates"]) == 1


def test_prompt_with_markup_in_it_shows_it_as_text(curator_client: Client, prompt: Prompt):
    Prompt.objects.update(text="</textarea><script>alert(1)</script>")

    assert "<script>alert" not in curator_client.get(url(prompt)).text


def test_settings_lead_to_the_prompts(owner_client: Client, library_of_ada: Account):
    assert f'href="{list_url(library_of_ada)}"' in owner_client.get(reverse("smugmug:settings")).text


# --- On the dashboard --------------------------------------------------------------------------------------


def test_dashboard_says_what_is_stale_where_something_is(curator_client: Client, library_of_ada: Account):
    AIMetadataFactory(photo=PhotoFactory(album=AlbumFactory(account=library_of_ada)), described=True)

    page = curator_client.get("/").text

    assert '<span class="num">1</span> stale' in page
    assert f'href="/processing/{library_of_ada.nickname}/estimate?only=stale"' in page


def test_dashboard_with_nothing_stale_speaks_of_nothing(curator_client: Client, library_of_ada: Account):
    PhotoFactory(album=AlbumFactory(account=library_of_ada))

    assert "stale" not in curator_client.get("/").text


def test_dashboard_as_a_viewer_offers_no_run_over_what_is_stale(viewer_client: Client, library_of_ada: Account):
    AIMetadataFactory(photo=PhotoFactory(album=AlbumFactory(account=library_of_ada)), described=True)

    page = viewer_client.get("/").text

    assert "stale" in page
    assert "only=stale" not in page
