"""What text search reads of a photo: true at once, whoever writes."""

from __future__ import annotations

import random
import threading
import time
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.utils import timezone

from metadata.models import AIMetadata, PhotoSearch
from smugmug.models import Account, Album, AlbumPhoto, Photo
from tests.factories import AccountFactory, AIMetadataFactory, AlbumFactory, PhotoFactory

pytestmark = pytest.mark.django_db


def found(text: str) -> set[Any]:
    return set(PhotoSearch.objects.with_words(text).values_list("photo", flat=True))


def untrue() -> list[Any]:
    """The photos whose row is not what it would be if it were made now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT photo_id FROM photo_search_of(ARRAY(SELECT id FROM smugmug_photos)) made "
            "FULL JOIN photo_search held USING (photo_id) WHERE (made.account_id, made.is_present, made.document) "
            "IS DISTINCT FROM (held.account_id, held.is_present, held.document)"
        )
        return cursor.fetchall()


def test_words_are_found_wherever_they_stand_without_accents_and_by_their_beginning():
    album = AlbumFactory(title="Größe in Zürich")
    photo = PhotoFactory(
        album=album, filename="IMG_0815.JPG", title="Black/White", caption="Zoë’s hair", keywords=["Golden Hour"]
    )
    AIMetadataFactory(
        photo=photo, ai_title="Title", ai_description="Two running dogs.", ai_alt_text="alternative",
        ai_tags=["naïve art"], ai_categories=["Buildings & places"], processing_status="completed",
    )  # fmt: skip
    PhotoFactory()

    for text in ("zurich", "ZÜRICH", "größe", "grosse", "0815", "img_0815.jpg", "white", "zoe", "golden", "hours"):
        assert found(text) == {photo.pk}, text
    for text in ("dog", "run", "altern", "naive", "place", "the dogs", "dogs ru", "titl"):
        assert found(text) == {photo.pk}, text
    for text in ("cat", "dogs cat", "815", "ogs", "the", "dog' | cat:* & !(x"):
        assert found(text) == set(), text


def test_documents_are_true_after_whatever_happens_to_photos_words_and_albums(library_of_ada: Account):
    rng = random.Random(7)
    albums = [AlbumFactory(account=library_of_ada, title=f"Album {name}") for name in ("one", "two", "three")]
    photos = [PhotoFactory(album=rng.choice(albums)) for _ in range(6)]
    words = [AIMetadataFactory(photo=photo, described=number % 2) for number, photo in enumerate(photos)]
    other = AccountFactory()

    def standing() -> None:
        AlbumPhoto.objects.get_or_create(album=rng.choice(albums), photo=rng.choice(photos))

    steps = [
        lambda: Photo.objects.filter(pk=rng.choice(photos).pk).update(caption=f"caption {rng.random()}"),
        lambda: Photo.objects.filter(pk=rng.choice(photos).pk).update(removed_at=rng.choice([None, timezone.now()])),
        lambda: Photo.objects.filter(pk=rng.choice(photos).pk).update(album=rng.choice(albums)),
        lambda: Photo.objects.filter(pk=rng.choice(photos).pk).update(account=rng.choice([other, library_of_ada])),
        lambda: AIMetadata.objects.filter(pk__in=[one.pk for one in rng.sample(words, 3)]).update(ai_tags=["é", "ß"]),
        lambda: AIMetadata.objects.filter(pk=rng.choice(words).pk).update(ai_description=f"said {rng.random()}"),
        lambda: Album.objects.filter(pk=rng.choice(albums).pk).update(title=f"Called {rng.random()}"),
        lambda: Album.objects.filter(pk=rng.choice(albums).pk).update(removed_at=rng.choice([None, timezone.now()])),
        standing,
        lambda: AlbumPhoto.objects.filter(photo=rng.choice(photos)).delete(),
    ]
    for number in range(60):
        rng.choice(steps)()
        assert untrue() == [], number

    AIMetadata.objects.filter(photo=photos[0]).delete()
    assert untrue() == []
    photos[1].delete()
    assert untrue() == []
    assert PhotoSearch.objects.count() == 5


def test_document_is_not_rewritten_by_what_changes_no_words(library_of_ada: Account):
    words = AIMetadataFactory(photo=PhotoFactory(album__account=library_of_ada), described=True)

    def place() -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT ctid::text FROM photo_search")
            return cursor.fetchall()

    before = place()
    AIMetadata.objects.filter(pk=words.pk).update(
        review_status="approved", approved_by="user:ada", approved_at=timezone.now(), ai_title=words.ai_title
    )
    Photo.objects.update(synced_at=timezone.now(), caption="", title="")

    assert place() == before
    AIMetadata.objects.update(ai_title="Another")
    assert place() != before


def test_document_of_enormous_texts_is_kept_within_what_postgres_takes():
    photo = PhotoFactory(caption="word " * 400_000, keywords=["x" * 5_000, "", " ", "y"] * 300)

    assert found("word") == {photo.pk}
    assert untrue() == []


@pytest.mark.django_db(transaction=True)
def test_document_when_two_write_at_once_holds_the_words_of_both():
    words = AIMetadataFactory(described=True)
    entered, go_on = threading.Event(), threading.Event()

    def caption() -> None:
        entered.wait(10)
        Photo.objects.filter(pk=words.photo_id).update(caption="mountain")
        connection.close()

    thread = threading.Thread(target=caption)
    thread.start()
    with transaction.atomic():
        AIMetadata.objects.filter(pk=words.pk).update(ai_title="valley")
        entered.set()
        go_on.wait(0.3)  # the other is at the lock by then, or comes later
    thread.join()

    assert found("mountain valley") == {words.photo_id}
    assert untrue() == []


def waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("wrote", ["words", "photos", "album", "no words"])
def test_documents_of_many_are_taken_in_the_order_of_ids_however_they_lie(wrote: str):
    album = AlbumFactory()
    ids = sorted((uuid4() for _ in range(4)), reverse=True)  # the last one is written first
    photos = [PhotoFactory(pk=pk, album=album) for pk in ids]
    for photo in photos:
        AIMetadataFactory(photo=photo, described=True)
    writers = {
        "words": lambda: AIMetadata.objects.update(ai_tags=["one", "two"]),
        "photos": lambda: Photo.objects.update(caption="another"),
        "album": lambda: Album.objects.update(title="Another"),
        "no words": lambda: AIMetadata.objects.update(attempts=3),
    }

    def write() -> None:
        writers[wrote]()
        connection.close()

    thread = threading.Thread(target=write)
    with transaction.atomic():
        PhotoSearch.objects.select_for_update().get(pk=ids[0])
        thread.start()
        until = time.monotonic() + 10
        while thread.is_alive() and not waits_for_a_lock() and time.monotonic() < until:
            time.sleep(0.01)
        is_stopped = thread.is_alive()
        free = len(PhotoSearch.objects.exclude(pk=ids[0]).select_for_update(skip_locked=True))
    thread.join()

    assert (is_stopped, free) == ((False, 3) if wrote == "no words" else (True, 0))
    assert untrue() == []
