"""Notes on a library and on an album."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from metadata import notes
from metadata.models import Note
from smugmug.models import Account, Album
from tests.factories import AccountFactory, AlbumFactory, NoteFactory, UserFactory
from tests.metadata.conftest import count_queries

pytestmark = pytest.mark.django_db


@pytest.fixture
def album(library_of_ada: Account) -> Album:
    return AlbumFactory(account=library_of_ada, title="Summer")


@pytest.fixture(params=["account", "album"])
def about(request: pytest.FixtureRequest, library_of_ada: Account, album: Album) -> Account | Album:
    """A library, then an album."""
    return library_of_ada if request.param == "account" else album


def url(about: Account | Album) -> str:
    return f"/albums/{about.pk}/note" if isinstance(about, Album) else f"/settings/{about.nickname}/note"


def page(about: Account | Album) -> str:
    return f"/albums/{about.pk}/" if isinstance(about, Album) else f"/settings/{about.nickname}/prompts/"


def noted(about: Account | Album, text: str) -> Note:
    album = about if isinstance(about, Album) else None
    return NoteFactory(account=album.account if album else about, album=album, text=text, updated_by="user:eve")


def test_write_a_note_keeps_it_and_shows_it(curator_client: Client, about: Account | Album):
    response = curator_client.post(url(about), {"text": " The bride\r\nis Zoë. ", "seen": ""})

    assert response["Location"] == page(about)
    note = Note.objects.get()
    assert (note.text, note.updated_by) == ("The bride\nis Zoë.", "user:grace")
    assert note == notes.of(about)
    assert note.album == (about if isinstance(about, Album) else None)
    assert "is Zoë." in curator_client.get(page(about)).text


def test_change_a_note_changes_that_one_alone(curator_client: Client, library_of_ada: Account, album: Album):
    of_library, of_album = noted(library_of_ada, "Library."), noted(album, "Album.")

    curator_client.post(url(album), {"text": "Other.", "seen": "Album."})
    curator_client.post(url(library_of_ada), {"text": "Another.", "seen": "Library."})

    of_library.refresh_from_db()
    of_album.refresh_from_db()
    assert (of_library.text, of_album.text) == ("Another.", "Other.")
    assert Note.objects.count() == 2


def test_empty_a_note_takes_it_away(curator_client: Client, about: Account | Album):
    noted(about, "Two\nlines.")
    other = NoteFactory()

    response = curator_client.post(url(about), {"text": " ", "seen": "Two\r\nlines."}, follow=True)

    assert list(Note.objects.all()) == [other]
    assert [str(each) for each in response.context["messages"]] == ["The note is gone."]


def test_write_a_note_as_a_stranger_is_404_and_as_a_viewer_403(
    stranger_client: Client, viewer_client: Client, about: Account | Album
):
    assert stranger_client.post(url(about), {"text": "Mine."}).status_code == 404
    assert viewer_client.post(url(about), {"text": "Mine."}).status_code == 403
    assert not Note.objects.exists()


def test_album_as_a_viewer_shows_its_note_and_no_form(viewer_client: Client, album: Album):
    assert "Note for the model" not in viewer_client.get(page(album)).text
    noted(album, "The bride is Zoë.")

    text = viewer_client.get(page(album)).text

    assert "The bride is Zoë." in text
    assert url(album) not in text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("x" * 2_001, "at most 2000 characters"), ("nul\x00", "Null characters")],
)
def test_write_a_note_that_cannot_be_kept_says_so_beside_the_field(
    curator_client: Client, about: Account | Album, text: str, sentence: str
):
    noted(about, "What stands.")

    response = curator_client.post(url(about), {"text": text, "seen": "What stands."})

    assert response.status_code == 422
    assert sentence in response.context["form"].errors["text"][0]
    assert sentence in response.text
    assert Note.objects.get().text == "What stands."


@pytest.mark.parametrize("seen", ["", "What stood."])
def test_write_a_note_when_somebody_was_faster_says_who_and_keeps_theirs(
    curator_client: Client, about: Account | Album, seen: str
):
    noted(about, "Theirs.")

    response = curator_client.post(url(about), {"text": "Mine.", "seen": seen})

    assert response.status_code == 409
    assert "eve changed this note meanwhile." in str(next(iter(response.context["messages"])))
    assert "Theirs." in response.text
    assert "Mine." in response.text
    assert Note.objects.get().text == "Theirs."

    knowingly = {"text": "Mine.", "seen": response.context["form"]["seen"].value()}
    assert curator_client.post(url(about), knowingly).status_code == 302
    assert Note.objects.get().text == "Mine."


def test_write_a_note_that_somebody_took_away_meanwhile_says_so(curator_client: Client, about: Account | Album):
    response = curator_client.post(url(about), {"text": "Mine.", "seen": "What stood."})

    assert response.status_code == 409
    assert not Note.objects.exists()


def test_empty_what_was_empty_but_is_no_more_takes_nothing_away(curator_client: Client, about: Account | Album):
    noted(about, "Theirs.")

    assert curator_client.post(url(about), {}).status_code == 409
    assert Note.objects.get().text == "Theirs."


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("stood", ["", "What stood."])
@pytest.mark.parametrize("kind", ["account", "album"])
def test_write_a_note_by_many_at_once_has_one_winner(kind: str, stood: str):
    account = AccountFactory()
    about = AlbumFactory(account=account) if kind == "album" else account
    if stood:
        noted(about, stood)
    people = [UserFactory() for _ in range(4)]
    start, lost = threading.Barrier(len(people)), []

    def write(person: Any) -> None:
        try:
            start.wait(timeout=10)
            notes.save(about, f"By {person}.", by=person, on_page=stood)
        except notes.AlreadyChanged as exc:
            lost.append(exc)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)

    note = Note.objects.get()
    assert len(lost) == 3
    assert note.text == f"By {note.updated_by.removeprefix('user:')}."


def test_albums_with_notes_take_as_many_queries_as_without(curator_client: Client, album: Album):
    few = count_queries(curator_client, page(album))
    noted(album, "One.")
    for _ in range(2):
        noted(AlbumFactory(account=album.account), "Another.")

    assert count_queries(curator_client, page(album)) == few
