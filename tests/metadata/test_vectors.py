"""Which words have no vector yet, and where vectors go."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from metadata import vectors, workflow
from metadata.describe import Usage, Vectors
from metadata.models import PhotoEmbedding
from smugmug.models import Account
from tests.factories import AIMetadataFactory, AlbumFactory, PhotoFactory, ProcessingRunFactory, UserFactory

pytestmark = pytest.mark.django_db

VECTOR = [1.0] + [0.0] * 1535


def described(account: Account, **fields: Any) -> Any:
    return AIMetadataFactory(photo=PhotoFactory(album=AlbumFactory(account=account)), **{"described": True, **fields})


def test_save_of_words_that_changed_meanwhile_keeps_none_for_them(library_of_ada: Account, enqueued: list[Any]):
    same, changed = described(library_of_ada), described(library_of_ada)
    texts = vectors.texts_of(library_of_ada, [same.photo_id, changed.photo_id], sends=True)
    workflow.edit(changed, by=UserFactory(), version=1, changes={"ai_description": "Another."})

    vectors.save(texts, Vectors([VECTOR, VECTOR], Usage(), "m"))

    assert list(PhotoEmbedding.objects.values_list("photo", flat=True)) == [same.photo_id]


def test_texts_of_leaves_out_what_is_not_described(library_of_ada: Account):
    one = described(library_of_ada, ai_title="", ai_tags=[])
    waiting = described(library_of_ada, described=False, ai_description="Half a thought")

    texts = vectors.texts_of(library_of_ada, [one.photo_id, waiting.photo_id], sends=True)

    assert texts == [(one.photo_id, 1, "A grey cat on a wall.")]


def test_missing_are_those_of_the_account_that_have_words_and_no_vector(library_of_ada: Account):
    without, having = described(library_of_ada), described(library_of_ada)
    PhotoEmbedding.objects.create(photo=having.photo, model="m", embedding=VECTOR)
    described(library_of_ada, described=False)
    AIMetadataFactory(described=True)

    assert vectors.missing(library_of_ada, sends=True) == [without.photo_id]


@pytest.mark.parametrize(("sends", "count"), [(True, 0), (False, 1)])
def test_words_of_what_is_never_sent_are_embedded_in_the_house_alone(
    library_of_ada: Account,
    sends: bool,
    count: int,  # noqa: FBT001
):
    words = described(library_of_ada)
    words.photo.album.never_send = True
    words.photo.album.save()

    assert len(vectors.missing(library_of_ada, sends=sends)) == count
    assert len(vectors.texts_of(library_of_ada, [words.photo_id], sends=sends)) == count


@pytest.mark.django_db(transaction=True)
def test_alone_is_one_at_a_time_and_each_run_for_itself():
    run, other = ProcessingRunFactory(), ProcessingRunFactory()
    seen: list[bool] = []

    def somebody_else() -> None:
        try:
            for each in (run, other):
                with vectors.alone(each) as is_ours:
                    seen.append(is_ours)
        finally:
            connection.close()

    with vectors.alone(run) as is_ours:
        beside = threading.Thread(target=somebody_else)
        beside.start()
        beside.join()
    with vectors.alone(run) as is_ours_again:
        pass

    assert (is_ours, seen, is_ours_again) == (True, [False, True], True)
