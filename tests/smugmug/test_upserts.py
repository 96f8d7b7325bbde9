import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from smugmug.models import Photo
from smugmug.upserts import ROWS_A_STATEMENT, upsert
from tests.factories import AlbumFactory, PhotoFactory

ODD = """it's "quoted", \\ slashed, %s {} $1, 100 % 夜明け 🌅 \u2028 \x7f"""
NAIVE = datetime.datetime(1999, 12, 31, 23, 59, 58, 123456)
AWARE = datetime.datetime(2024, 2, 29, 12, 30, 0, 654321, tzinfo=datetime.timezone(datetime.timedelta(hours=-7)))


@pytest.fixture
def album(library_of_ada):
    return AlbumFactory(account=library_of_ada)


def row(album, key, **values):
    defaults = {"account": album.account_id, "album": album.pk, "image_key": key, "image_id": f"{key}-0"}
    blanks = dict.fromkeys(("filename", "title", "caption", "image_url", "thumbnail_url", "large_url"), "")
    more = {"original_url": "", "format": "", "archived_md5": "", "keywords": [], "exif": {}}
    return {**defaults, **blanks, **more, "is_video": False, "is_hidden": False, "is_fresh": False, **values}


def test_upsert_keeps_every_kind_of_value_as_it_is(album):
    values = {
        "caption": ODD,
        "keywords": [ODD, "", "a,b", "{}", "NULL"],
        "exif": {"camera": ODD, "nested": [1, None]},
        "date_taken": NAIVE,
        "uploaded_at": AWARE,
        "size_bytes": 2**63 - 1,
        "latitude": 43.36199999999999,
        "longitude": -1e-7,
        "width": None,
        "is_video": True,
    }

    [(key, pk)] = upsert(Photo, [row(album, "A", **values)], unique=["image_key"], update=["caption"])

    photo = Photo.objects.get()
    assert (key, pk) == (photo.image_key, photo.pk)
    assert {name: getattr(photo, name) for name in values} == values
    assert (photo.album, photo.account) == (album, album.account)
    assert photo.created_at is not None


def test_upsert_of_a_row_that_is_there_changes_what_was_named_and_nothing_else(album):
    there = PhotoFactory(album=album, image_key="A", title="Kept", caption="Old")
    other = PhotoFactory(album=album, caption="Old")

    written = upsert(
        Photo, [row(album, "A", title="x", caption="New"), row(album, "B")], unique=["image_key"], update=["caption"]
    )

    there.refresh_from_db()
    other.refresh_from_db()
    assert (there.title, there.caption, other.caption) == ("Kept", "New", "Old")
    assert dict(written) == {"A": there.pk, "B": Photo.objects.get(image_key="B").pk}
    assert Photo.objects.count() == 3


@pytest.mark.parametrize(("rows", "statements"), [(0, 0), (1, 1), (ROWS_A_STATEMENT, 1), (ROWS_A_STATEMENT + 1, 2)])
def test_upsert_many_takes_a_statement_for_each_batch(album, rows, statements):
    many = [row(album, f"K{number}") for number in range(rows)]

    with CaptureQueriesContext(
        connection,
    ) as queries:
        written = upsert(Photo, many, unique=["image_key"], update=["caption"])

    assert len(queries) == statements
    assert len(written) == Photo.objects.count() == rows
