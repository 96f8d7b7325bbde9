"""Versions of prompts, what goes with a photo, what is stale, and what may be sent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from metadata import lanes, prompts
from metadata.describe import PROMPT
from metadata.models import AIMetadata, Prompt
from metadata.prompts import AlreadyChanged
from smugmug.models import Account, Album, AlbumPhoto, AuditEntry, Photo
from tests.factories import (
    AccountFactory,
    AIMetadataFactory,
    AlbumFactory,
    NoteFactory,
    PhotoFactory,
    ProcessingRunFactory,
    PromptFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

MODEL = "fake-1"
CHANGES: dict[str, Any] = {
    "name": "Weddings",
    "text": "Another text in {language}.",
    "language": "German",
    "tag_count": 9,
    "vocabulary": ["cake"],
    "facts": ["caption"],
}


@pytest.fixture
def account(library_of_ada: Account) -> Account:
    return library_of_ada


@pytest.fixture
def prompt(account: Account) -> Prompt:
    return PromptFactory(account=account, version=1)


def content(prompt: Prompt) -> dict[str, Any]:
    return {name: getattr(prompt, name) for name in prompts.CONTENT}


def at_once(*works: Callable[[], object]) -> list[Exception]:
    """What several people's doings at one moment raise."""
    start, raised = threading.Barrier(len(works)), []

    def work(each: Callable[[], object]) -> None:
        try:
            start.wait(timeout=10)
            each()
        except AlreadyChanged as exc:
            raised.append(exc)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(each,)) for each in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    return raised


# --- Versions ----------------------------------------------------------------------------------------------


def test_active_where_there_is_none_makes_the_built_in_one_once(account: Account):
    first, second = prompts.active(account), prompts.active(account)

    assert first == second
    assert (str(first), first.text, first.is_active, first.used_at) == ("Default 1", PROMPT.strip(), True, None)
    assert Prompt.objects.count() == 1


def test_active_of_one_account_is_none_of_another(account: Account):
    other = AccountFactory()

    assert prompts.active(other) != prompts.active(account)
    assert prompts.active(other).account == other


def test_active_where_none_is_in_force_leaves_the_others_as_they_are(account: Account):
    PromptFactory(account=account, name="Default", version=1, text="Mine.")

    assert str(prompts.active(account)) == "Default 2"
    assert Prompt.objects.get(version=1).text == "Mine."


@pytest.mark.django_db(transaction=True)
def test_active_asked_by_many_at_once_makes_one():
    account = AccountFactory()

    raised = at_once(*[lambda: prompts.active(account)] * 4)

    assert raised == []
    assert [str(each) for each in Prompt.objects.all()] == ["Default 1"]


def test_edit_an_unused_version_changes_it_in_place(prompt: Prompt, ada: Any):
    saved = prompts.edit(prompt, CHANGES, by=ada, on_page=prompts.seen(prompt))

    assert Prompt.objects.get() == saved == prompt
    assert content(saved) == CHANGES
    assert (saved.version, saved.created_by) == (1, "user:ada")


def test_edit_a_used_version_makes_the_next_and_leaves_it(prompt: Prompt, ada: Any):
    prompts.activate(prompt, by=prompt.account.owner, instead_of=None)
    prompts.mark_used(prompt)
    before = content(prompt)

    saved = prompts.edit(prompt, CHANGES, by=ada, on_page=prompts.seen(prompt))

    prompt.refresh_from_db()
    assert (content(prompt), prompt.is_active) == (before, True)
    assert (content(saved), str(saved), saved.is_active, saved.used_at) == (CHANGES, "Weddings 2", False, None)


def test_edit_with_nothing_changed_makes_nothing(prompt: Prompt, ada: Any):
    prompts.mark_used(prompt)

    assert prompts.edit(prompt, content(prompt), by=ada, on_page=prompts.seen(prompt)) == prompt
    assert Prompt.objects.count() == 1


def test_edit_under_another_name_counts_by_that_name(prompt: Prompt, account: Account, ada: Any):
    PromptFactory(account=account, name="Portraits", version=4)

    saved = prompts.edit(prompt, CHANGES | {"name": "Portraits"}, by=ada, on_page=prompts.seen(prompt))

    assert (saved.pk, str(saved)) == (prompt.pk, "Portraits 5")


def test_edit_when_somebody_was_faster_keeps_theirs(prompt: Prompt, ada: Any):
    on_page = prompts.seen(prompt)
    prompts.edit(prompt, CHANGES, by=UserFactory(username="grace"), on_page=on_page)

    with pytest.raises(AlreadyChanged, match="grace changed Weddings 1 meanwhile. Your text was not saved."):
        prompts.edit(prompt, CHANGES | {"text": "Mine."}, by=ada, on_page=on_page)

    assert content(Prompt.objects.get()) == CHANGES


@pytest.mark.django_db(transaction=True)
def test_edit_by_many_at_once_has_one_winner():
    prompt = PromptFactory(version=1)
    on_page, people = prompts.seen(prompt), [UserFactory() for _ in range(4)]

    def edit(person: Any) -> Callable[[], object]:
        mine = CHANGES | {"text": f"By {person}."}
        return lambda: prompts.edit(Prompt.objects.get(pk=prompt.pk), mine, by=person, on_page=on_page)

    raised = at_once(*map(edit, people))

    prompt.refresh_from_db()
    assert len(raised) == 3
    assert prompt.text == f"By {prompt.created_by.removeprefix('user:')}."
    assert Prompt.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_edit_of_a_used_version_by_many_at_once_loses_nothing():
    prompt = PromptFactory(version=1)
    prompts.mark_used(prompt)
    on_page, people = prompts.seen(prompt), [UserFactory() for _ in range(4)]

    def edit(person: Any) -> Callable[[], object]:
        mine = CHANGES | {"text": f"By {person}."}
        return lambda: prompts.edit(Prompt.objects.get(pk=prompt.pk), mine, by=person, on_page=on_page)

    raised = at_once(*map(edit, people))

    assert raised == []
    assert set(Prompt.objects.values_list("version", flat=True)) == {1, 2, 3, 4, 5}
    assert {f"By {person}." for person in people} < set(Prompt.objects.values_list("text", flat=True))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_attempt", range(3))
def test_edit_while_a_run_takes_the_version_into_use_never_changes_what_is_used(_attempt: int):
    prompt = PromptFactory(version=1)
    on_page, ada, taken = prompts.seen(prompt), UserFactory(username="ada"), Prompt.objects.get()

    at_once(
        lambda: prompts.mark_used(taken),
        lambda: prompts.edit(Prompt.objects.get(pk=prompt.pk), CHANGES, by=ada, on_page=on_page),
    )

    assert content(Prompt.objects.get(pk=prompt.pk)) == content(taken)  # what the run asks by
    assert CHANGES["text"] in Prompt.objects.values_list("text", flat=True)


def test_new_version_leaves_an_unused_one_beside_it(prompt: Prompt, ada: Any):
    before = content(prompt)

    saved = prompts.new_version(prompt, CHANGES, by=ada)

    prompt.refresh_from_db()
    assert content(prompt) == before
    assert (str(saved), saved.text, saved.is_active) == ("Weddings 2", CHANGES["text"], False)


def test_activate_puts_one_in_force_instead_of_the_other(account: Account, prompt: Prompt):
    default = prompts.active(account)

    prompts.activate(prompt, by=prompt.account.owner, instead_of=default.pk)

    assert prompts.active(account) == prompt
    assert Prompt.objects.filter(is_active=True).count() == 1
    entry = AuditEntry.objects.get()
    assert (entry.who, entry.action, entry.detail) == ("user:ada", "prompt in force", "Weddings 1")


def test_activate_what_is_in_force_changes_nothing(account: Account):
    default = prompts.active(account)

    prompts.activate(default, by=default.account.owner, instead_of=default.pk)

    assert prompts.active(account) == default
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("seen", ["other", None])
def test_activate_when_somebody_was_faster_keeps_theirs(account: Account, prompt: Prompt, seen: str | None):
    default, theirs = prompts.active(account), PromptFactory(account=account, name="Theirs", version=1)
    prompts.activate(theirs, by=theirs.account.owner, instead_of=default.pk)

    with pytest.raises(AlreadyChanged, match="Theirs 1 was put in force meanwhile"):
        prompts.activate(prompt, by=prompt.account.owner, instead_of=default.pk if seen else None)

    assert prompts.active(account) == theirs


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("has_one", [True, False])
def test_activate_by_many_at_once_has_one_winner(has_one: bool):
    account = AccountFactory()
    seen = prompts.active(account).pk if has_one else None
    versions = [PromptFactory(account=account, version=number) for number in (1, 2, 3, 4)]

    raised = at_once(
        *[lambda each=each: prompts.activate(each, by=each.account.owner, instead_of=seen) for each in versions]
    )

    assert len(raised) == 3
    assert Prompt.objects.get(is_active=True) in versions
    assert AuditEntry.objects.count() == 1


def test_mark_used_keeps_the_first_time(prompt: Prompt):
    prompts.mark_used(prompt)
    first = prompt.used_at
    prompts.mark_used(prompt)

    assert first is not None
    assert Prompt.objects.get().used_at == prompt.used_at == first


# --- What goes with a photo --------------------------------------------------------------------------------


def test_briefing_of_a_run_takes_its_prompt_into_use(account: Account, prompt: Prompt):
    briefing = prompts.briefing(ProcessingRunFactory(account=account, prompt=prompt))

    assert briefing.prompt == prompt
    assert Prompt.objects.get().used_at is not None


def test_briefing_of_a_run_without_a_prompt_takes_the_one_in_force(account: Account, prompt: Prompt):
    briefing = prompts.briefing(ProcessingRunFactory(account=account))

    assert briefing.prompt == prompts.active(account) != prompt


def test_brief_holds_prompt_notes_and_facts(account: Account):
    prompt = PromptFactory(account=account, vocabulary=["cake"], tag_count=5, facts=["caption", "album"])
    home, shown = AlbumFactory(account=account, title="Home"), AlbumFactory(account=account, title="Best of")
    NoteFactory(account=account, text="Never name minors.")
    NoteFactory(account=account, album=home, text="The bride is Zoë.")
    NoteFactory(account=account, album=shown, text="Only the best.")
    NoteFactory(text="Of somebody else.")
    photo = PhotoFactory(album=home, caption="Cake")
    run = ProcessingRunFactory(account=account, prompt=prompt, album=shown, note="It rains.")

    briefing = prompts.briefing(run)
    with CaptureQueriesContext(connection) as queries:
        brief = briefing.brief(photo, home)

    assert len(queries) == 0  # so it can be made in any thread
    assert brief.instructions.endswith(
        "Of the whole library:\nNever name minors.\n\nOf this album:\nThe bride is Zoë.\n\n"
        "Of the album it is shown in:\nOnly the best.\n\nFor this time:\nIt rains."
    )
    assert brief.facts == 'Caption: "Cake"\nAlbum: "Home"'
    assert (brief.vocabulary, brief.tag_count) == (("cake",), 5)


def test_brief_of_an_older_prompt_with_a_comma_in_an_allowed_tag_says_it_without(account: Account):
    prompt = PromptFactory(account=account, vocabulary=["Baker, Ada", "cake"], is_active=True)
    photo = PhotoFactory(album__account=account)

    brief = prompts.briefing_for(prompts.active(account), model="fake-1").brief(photo, photo.album)

    assert brief.vocabulary == ("Baker Ada", "cake")
    assert brief.instructions.endswith("as they are spelt here: Baker Ada; cake")
    assert lanes.vocabulary_of(account.pk) == ["Baker Ada", "cake"]
    assert list(Prompt.objects.filter(vocabulary=["Baker, Ada", "cake"])) == [prompt]  # what was used stays as it was


def test_brief_of_a_photo_at_home_in_the_run_s_album_has_its_note_once(account: Account, prompt: Prompt):
    home = AlbumFactory(account=account)
    NoteFactory(account=account, album=home, text="The bride is Zoë.")
    run = ProcessingRunFactory(account=account, prompt=prompt, album=home)

    brief = prompts.briefing(run).brief(PhotoFactory(album=home), home)

    assert brief.instructions.count("The bride is Zoë.") == 1


# --- Fingerprints ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"text": "Other {language}."},
        {"language": "German"},
        {"tag_count": 14},
        {"vocabulary": ["cake"]},
        {"facts": ["caption"]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_recipe_changes_with_all_that_words_are_made_from(change: dict[str, Any]):
    asked: dict[str, Any] = {"notes": ("", ""), "model": "m", "pixels": 1024}
    plain = prompts.recipe(Prompt(text="{language}"), **asked)

    assert len(plain) == 32
    assert int(plain, 16) >= 0
    assert prompts.recipe(Prompt(**{"text": "{language}", **change}), **asked) != plain


@pytest.mark.parametrize("change", [{"notes": ("x", "")}, {"notes": ("", "x")}, {"model": "n"}, {"pixels": 512}])
def test_recipe_changes_with_notes_model_and_size(change: dict[str, Any]):
    asked: dict[str, Any] = {"notes": ("", ""), "model": "m", "pixels": 1024}

    assert prompts.recipe(Prompt(text="x"), **asked) != prompts.recipe(Prompt(text="x"), **{**asked, **change})


def test_recipe_does_not_change_with_names_and_orders():
    asked: dict[str, Any] = {"notes": ("", ""), "model": "m", "pixels": 1024}
    one = Prompt(text="x", name="One", version=1, facts=["caption", "date"])
    two = Prompt(text="x", name="Two", version=2, facts=["date", "caption"])

    assert prompts.recipe(one, **asked) == prompts.recipe(two, **asked)


def test_fingerprints_in_sql_are_those_of_a_briefing(account: Account, prompt: Prompt):
    noted, plain = AlbumFactory(account=account), AlbumFactory(account=account)
    NoteFactory(account=account)
    NoteFactory(account=account, album=noted, text="It's the “old mill”, 100 % {real}.")
    photos = [PhotoFactory(album=noted), PhotoFactory(album=plain), PhotoFactory(album=plain, image_id="K-3")]
    run = ProcessingRunFactory(account=account, prompt=prompt, note="It rains.", album=plain)
    briefing = prompts.briefing(run)

    rows = Photo.objects.annotate(expected=prompts.fingerprints(account, prompt, MODEL))

    assert {row.pk: row.expected for row in rows} == {each.pk: briefing.fingerprint(each) for each in photos}
    assert len({row.expected.partition(":")[0] for row in rows}) == 2
    assert all(len(row.expected) <= 120 for row in rows)


# --- Stale -------------------------------------------------------------------------------------------------


@pytest.fixture
def described(account: Account, prompt: Prompt) -> AIMetadata:
    """By the prompt in force, as it would be now."""
    prompts.activate(prompt, by=prompt.account.owner, instead_of=None)
    photo = PhotoFactory(album=AlbumFactory(account=account))
    fingerprint = prompts.briefing_for(prompt, model=MODEL).fingerprint(photo)
    return AIMetadataFactory(photo=photo, described=True, fingerprint=fingerprint)


def stale(account: Account, **wish: Any) -> list[AIMetadata]:
    return list(prompts.stale(account, prompts.active(account), MODEL, **wish))


def test_stale_is_nothing_that_would_be_made_from_the_same(account: Account, described: AIMetadata):
    assert stale(account) == []
    assert prompts.stale_counts([account], MODEL) == {}


def _edit_prompt(words: AIMetadata) -> None:
    Prompt.objects.update(text="Another.")


def _note_library(words: AIMetadata) -> None:
    NoteFactory(account=words.photo.account)


def _note_album(words: AIMetadata) -> None:
    NoteFactory(account=words.photo.account, album=words.photo.album)


def _replace_picture(words: AIMetadata) -> None:
    Photo.objects.update(image_id=words.photo.image_key + "-1")


def _forget_origin(words: AIMetadata) -> None:
    AIMetadata.objects.update(fingerprint="")


@pytest.mark.parametrize("change", [_edit_prompt, _note_library, _note_album, _replace_picture, _forget_origin])
def test_stale_is_what_would_be_made_from_something_else(
    account: Account, described: AIMetadata, change: Callable[[AIMetadata], None]
):
    change(described)

    assert stale(account) == [described]
    assert prompts.stale_counts([account], MODEL) == {account.pk: 1}


def test_stale_with_another_model_or_size_is_all(account: Account, described: AIMetadata, settings: Any):
    assert list(prompts.stale(account, prompts.active(account), "another")) == [described]
    settings.AI_IMAGE_PIXELS = 512
    assert stale(account) == [described]


def test_stale_with_another_caption_or_album_title_is_nothing(account: Account, described: AIMetadata):
    Photo.objects.update(caption="Our own words, published", keywords=["new"])
    Album.objects.update(title="Renamed")

    assert stale(account) == []


def test_stale_with_a_note_on_another_album_is_nothing(account: Account, described: AIMetadata):
    NoteFactory(account=account, album=AlbumFactory(account=account))
    NoteFactory()

    assert stale(account) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"review_status": "rejected"},
        {"review_status": "approved", "approved_by": "user:ada", "approved_at": "2026-01-02T03:04Z"},
    ],
    ids=["rejected", "approved"],
)
def test_stale_leaves_out_what_a_person_decided_unless_asked(
    account: Account, described: AIMetadata, fields: dict[str, Any]
):
    AIMetadata.objects.update(fingerprint="", **fields)

    assert stale(account) == []
    assert stale(account, also_decided=True) == [described]
    assert prompts.stale_counts([account], MODEL) == {}


def test_stale_leaves_out_what_a_person_wrote_unless_asked(account: Account, described: AIMetadata):
    answer = described.history.get(version=1)
    AIMetadata.objects.update(fingerprint="", ai_answer=answer)
    assert stale(account) == [described]

    AIMetadata.objects.update(version=2)  # as an edit leaves it

    assert stale(account) == []
    assert stale(account, also_decided=True) == [described]


@pytest.mark.parametrize("status", ["pending", "failed", "skipped"])
def test_stale_leaves_out_what_has_no_words(account: Account, described: AIMetadata, status: str):
    AIMetadata.objects.update(fingerprint="", processing_status=status)

    assert stale(account, also_decided=True) == []


def test_stale_leaves_out_photos_that_are_gone_and_other_accounts(account: Account, described: AIMetadata):
    AIMetadataFactory(described=True)
    AIMetadata.objects.update(fingerprint="")
    Photo.objects.filter(pk=described.photo.pk).update(removed_at="2026-01-02T03:04Z")

    assert stale(account) == []


def test_stale_counts_of_an_account_without_a_prompt_go_by_the_built_in_one(account: Account):
    photo = PhotoFactory(album=AlbumFactory(account=account))
    words = AIMetadataFactory(photo=photo, described=True)

    assert prompts.stale_counts([account], MODEL) == {account.pk: 1}
    assert Prompt.objects.count() == 0
    words.fingerprint = prompts.briefing_for(prompts.active(account), model=MODEL).fingerprint(photo)
    words.save()
    assert prompts.stale_counts([account], MODEL) == {}


def test_stale_counts_leave_out_what_may_not_be_sent(account: Account, described: AIMetadata, settings: Any):
    AIMetadata.objects.update(fingerprint="")
    Album.objects.update(never_send=True)

    settings.AI_DESCRIBER = "local"
    assert prompts.stale_counts([account], MODEL) == {account.pk: 1}
    settings.AI_DESCRIBER = "openai"
    assert prompts.stale_counts([account], MODEL) == {}


def test_stale_counts_take_three_statements_whatever_the_number_of_accounts():
    accounts = [AccountFactory() for _ in range(5)]
    for account in accounts:
        album = AlbumFactory(account=account)
        NoteFactory(account=account, album=album)
        PromptFactory(account=account, is_active=True)
        AIMetadataFactory(photo=PhotoFactory(album=album), described=True)

    with CaptureQueriesContext(connection) as queries:
        counts = prompts.stale_counts(accounts, MODEL)

    assert counts == {account.pk: 1 for account in accounts}
    assert len(queries) == 3


def test_model_in_use_is_the_describer_s(settings: Any):
    from metadata.describe.local import LocalDescriber

    settings.AI_DESCRIBER = "local"
    assert prompts.model_in_use() == LocalDescriber.model
    settings.AI_DESCRIBER, settings.OPENAI_MODEL = "openai", "gpt-9"
    assert prompts.model_in_use() == "gpt-9"


# --- What may be sent --------------------------------------------------------------------------------------


def test_sendable_are_the_photos_of_the_account_and_no_other(account: Account):
    mine = PhotoFactory(album=AlbumFactory(account=account))
    PhotoFactory()

    assert list(Photo.objects.filter(prompts.sendable(account))) == [mine]


def test_sendable_is_nothing_of_an_account_that_is_never_sent(account: Account):
    PhotoFactory(album=AlbumFactory(account=account))
    Account.objects.update(never_send=True)

    assert not Photo.objects.filter(prompts.sendable(account)).exists()  # whatever this instance still says


def test_sendable_is_no_photo_of_an_album_that_is_never_sent_wherever_else_it_stands(account: Account):
    home, secret = AlbumFactory(account=account), AlbumFactory(account=account, never_send=True)
    free, collected = PhotoFactory(album=home), PhotoFactory(album=home)
    AlbumPhoto.objects.create(album=secret, photo=collected, position=1)
    at_home = PhotoFactory(album=secret)
    AlbumPhoto.objects.create(album=home, photo=at_home, position=9)
    lost = PhotoFactory(album=secret)
    AlbumPhoto.objects.filter(photo=lost).delete()

    assert list(Photo.objects.filter(prompts.sendable(account))) == [free]
