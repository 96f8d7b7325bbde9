import datetime

import pytest
from django.utils import timezone

from smugmug import mirror, records
from smugmug.models import Album, AlbumPhoto, Photo
from targetvision.models import database_time
from tests.factories import AlbumFactory, PhotoFactory

LONG_AGO = "2020-02-03T04:05:06+00:00"


def remote(key, **raw):
    return records.image(
        {
            "ImageKey": key,
            "Serial": 0,
            "FileName": f"{key}.JPG",
            "DateTimeUploaded": LONG_AGO,
            "Origin": "Album",
            **raw,
        },
        {},
    )


def remote_album(key="AK0001", **raw):
    return records.album(
        {"AlbumKey": key, "Name": "Zoo", "ImageCount": 3, "LastUpdated": LONG_AGO, "ImagesLastUpdated": LONG_AGO, **raw}
    )


def save(album, *images, is_complete=True):
    return mirror.save_listing(album, list(images), as_of=database_time(), is_complete=is_complete)


@pytest.fixture
def album(library_of_ada):
    return AlbumFactory(account=library_of_ada)


# --- Listings


def test_save_listing_of_the_same_pictures_again_changes_nothing_but_the_time(album):
    images = [
        remote("A", DateTimeOriginal=LONG_AGO, KeywordArray=["a", "b"], Latitude="1.25", Longitude="-3.5"),
        remote("B", OriginalSize=2**31 + 7, IsVideo=True),
    ]
    first = save(album, *images)
    before = list(Photo.objects.order_by("image_key").values())

    again = save(album, *images)

    assert (first, again) == (mirror.Changes(new=2), mirror.Changes())
    after = list(Photo.objects.order_by("image_key").values())
    assert [row.pop("synced_at") < new.pop("synced_at") for row, new in zip(before, after, strict=True)] == [True, True]
    assert after == before


def test_save_listing_counts_changed_content_and_not_changed_addresses(album):
    save(album, remote("A", Caption="old"), remote("B", ThumbnailUrl="https://photos.smugmug.com/old"))

    changes = save(album, remote("A", Caption="new"), remote("B", ThumbnailUrl="https://photos.smugmug.com/new"))

    assert changes == mirror.Changes(new=0, changed=1)
    assert Photo.objects.get(image_key="A").caption == "new"
    assert Photo.objects.get(image_key="B").thumbnail_url.endswith("/new")


def test_save_listing_of_a_replaced_picture_forgets_how_it_looked(album):
    save(album, remote("A"), remote("B"))
    Photo.objects.update(perceptual_hash=42)

    changes = save(album, remote("A", Serial=1), remote("B"))

    assert changes.changed == 1
    assert dict(Photo.objects.values_list("image_id", "perceptual_hash")) == {"A-1": None, "B-0": 42}


def test_save_listing_that_is_incomplete_takes_nothing_away_and_leaves_the_album_unread(album):
    save(album, remote("A"), remote("B"))
    synced_at = Album.objects.get().synced_at

    save(album, remote("B", Caption="true"), is_complete=False)

    assert set(AlbumPhoto.objects.values_list("photo__image_key", flat=True)) == {"A", "B"}
    assert Photo.objects.get(image_key="B").caption == "true"
    assert Album.objects.get().synced_at == synced_at


def test_save_listing_without_a_picture_takes_its_place_and_keeps_its_row(album):
    save(album, remote("A"), remote("B"))

    save(album, remote("B"))

    assert list(AlbumPhoto.objects.values_list("photo__image_key", "position")) == [("B", 1)]
    assert Photo.objects.get(image_key="A").removed_at is None


def test_save_listing_with_a_removed_picture_brings_it_back_with_its_words(album):
    photo = PhotoFactory(album=album, image_key="A", removed_at=timezone.now())

    changes = save(album, remote("A"))

    assert (changes.new, changes.changed) == (0, 1)
    back = Photo.objects.get()
    assert (back.pk, back.removed_at) == (photo.pk, None)


def test_save_listing_in_another_order_moves_the_places(album):
    save(album, remote("A"), remote("B"), remote("C"))

    save(album, remote("C"), remote("A"), remote("B"))

    assert [photo.image_key for photo in Photo.objects.in_album(album)] == ["C", "A", "B"]


@pytest.mark.parametrize(
    ("age", "raw", "is_fresh"),
    [
        ({"minutes": 5}, {}, True),
        ({"minutes": 70}, {}, False),
        ({"hours": 5}, {"Processing": True}, True),
        ({"hours": 25}, {"Processing": True}, False),
    ],
)
def test_save_listing_remembers_what_was_read_too_soon(album, age, raw, is_fresh):
    uploaded = (timezone.now() - datetime.timedelta(**age)).isoformat()

    save(album, remote("A", DateTimeUploaded=uploaded, **raw))

    assert Photo.objects.get().is_fresh is is_fresh


@pytest.mark.parametrize(("minutes", "found"), [(5, False), (20, True)])
def test_albums_with_fresh_photos_are_read_again_after_a_while(album, minutes, found):
    PhotoFactory(album=album, is_fresh=True)
    Album.objects.update(synced_at=timezone.now() - datetime.timedelta(minutes=minutes))

    assert Album.objects.filter(mirror.with_fresh_photos()).exists() is found


# --- Slim listings


def test_is_as_listed_only_where_everything_is_the_same(album):
    images = [remote("A", Caption="x", KeywordArray=["k"]), remote("B")]
    save(album, *images)

    assert mirror.is_as_listed(album, images)
    for other in (
        [images[1], images[0]],
        images[:1],
        [*images, remote("C")],
        [remote("A", Caption="y", KeywordArray=["k"]), images[1]],
        [remote("A", Caption="x", KeywordArray=["k", "l"]), images[1]],
        [remote("A", Caption="x", KeywordArray=["k"], Serial=1), images[1]],
        [remote("A", Caption="x", KeywordArray=["k"], Title="t"), images[1]],
        [remote("A", Caption="x", KeywordArray=["k"], Hidden=True), images[1]],
        [remote("A", Caption="x", KeywordArray=["k"], Origin="Collected"), images[1]],
        [remote("A", Caption="x", KeywordArray=["k"], LastUpdated=LONG_AGO), images[1]],
    ):
        assert not mirror.is_as_listed(album, other)


# --- Lists of albums


def test_save_albums_marks_as_moved_what_is_new_or_another_than_before(library_of_ada):
    mirror.save_albums(library_of_ada, [remote_album("A1"), remote_album("B1"), remote_album("C1"), remote_album("D1")])
    Album.objects.update(synced_at=database_time())
    assert not Album.objects.filter(mirror.moved()).exists()

    mirror.save_albums(
        library_of_ada,
        [
            remote_album("A1", Name="Renamed"),
            remote_album("B1", ImageCount=4),
            remote_album("C1", ImagesLastUpdated="2021-02-03T04:05:06+00:00"),
            remote_album("D1", LastUpdated="2021-02-03T04:05:06+00:00"),
            remote_album("E1"),
        ],
    )

    moved = Album.objects.filter(mirror.moved()).order_by("album_key")
    assert [album.album_key for album in moved] == ["B1", "C1", "D1", "E1"]
    assert Album.objects.get(album_key="A1").title == "Renamed"


def test_save_albums_that_was_locked_or_removed_reads_it_again(library_of_ada):
    mirror.save_albums(library_of_ada, [remote_album("A1"), remote_album("B1")])
    locked = records.album({"AlbumKey": "A1", "ResponseLevel": "Password", "SecurityType": "Password"})
    mirror.save_albums(library_of_ada, [locked])
    mirror.remove_album(Album.objects.get(album_key="B1"))
    Album.objects.update(synced_at=database_time())
    assert Album.objects.get(album_key="A1").title == "Zoo"

    mirror.save_albums(library_of_ada, [remote_album("A1"), remote_album("B1")])

    assert Album.objects.filter(mirror.moved(), is_locked=False, removed_at=None).count() == 2


# --- What is gone


def test_remove_photo_that_stands_somewhere_again_does_nothing(album):
    standing, lost = PhotoFactory(album=album), PhotoFactory(album=album)
    lost.standings.all().delete()

    assert (mirror.remove_photo(standing.pk), mirror.remove_photo(lost.pk)) == (False, True)
    assert list(Photo.objects.present()) == [standing]
