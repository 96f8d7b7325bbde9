"""The comparison that other tests rely on sees every column, every place and every row."""

import datetime

from smugmug.models import Album, AlbumPhoto, Photo
from tests.smugmug.equality import differences

LATER = datetime.datetime(2031, 1, 1, tzinfo=datetime.UTC)
ALBUM = {
    "user_id": "x",
    "album_id": "x",
    "title": "x",
    "description": "x",
    "image_count": 99,
    "last_updated": LATER,
    "images_last_updated": LATER,
    "url_path": "x",
    "web_url": "x",
    "privacy": "x",
    "security_type": "x",
    "is_locked": True,
    "removed_at": LATER,
}
PHOTO = {
    "image_id": "x",
    "filename": "x",
    "title": "x",
    "caption": "x",
    "keywords": ["x"],
    "date_taken": LATER,
    "image_url": "x",
    "thumbnail_url": "x",
    "large_url": "x",
    "original_url": "x",
    "width": 1,
    "height": 1,
    "size_bytes": 1,
    "format": "x",
    "is_video": True,
    "is_hidden": True,
    "latitude": 1.0,
    "longitude": 1.0,
    "archived_md5": "x",
    "exif": {"camera": "x"},
    "uploaded_at": LATER,
    "remote_updated_at": LATER,
    "removed_at": LATER,
}
OURS = {"id", "account", "album", "created_at", "synced_at", "listed_at", "moved_at", "never_send", "is_fresh"}


def test_compare_a_mirror_that_is_equal_finds_nothing(odd):
    assert differences(*odd) == []


def test_compare_sees_every_column_of_an_album(odd):
    smugmug, account = odd
    key = next(album.key for album in smugmug.library.albums if album.name == "Food")
    row = Album.objects.get(album_key=key)

    for column, value in ALBUM.items():
        Album.objects.filter(pk=row.pk).update(**{column: value})
        assert any(f"album {key}: " in line for line in differences(*odd)), column
        row.save()


def test_compare_sees_every_column_of_a_photo(odd):
    smugmug, _ = odd
    key = next(album for album in smugmug.library.albums if album.name == "Food").photos[0].key
    row = Photo.objects.get(image_key=key)

    for column, value in PHOTO.items():
        Photo.objects.filter(pk=row.pk).update(**{column: value})
        [line] = differences(*odd)
        assert line.startswith(f"photo {key}: "), column
        row.save()


def test_compare_leaves_out_no_column_that_smugmug_fills():
    fields = {field.name for model in (Album, Photo) for field in model._meta.concrete_fields}

    assert fields - OURS - {"perceptual_hash", "album_key", "image_key"} == set(ALBUM) | set(PHOTO)


def test_compare_sees_places_orders_origins_and_homes(odd):
    smugmug, account = odd
    [album, other] = [album for album in smugmug.library.albums if album.name in {"Food", "Animals"}]
    row = AlbumPhoto.objects.get(album__album_key=album.key, position=1)
    photo = row.photo

    for changes in ({"position": 77}, {"origin": "Collected"}):
        AlbumPhoto.objects.filter(pk=row.pk).update(**changes)
        assert differences(*odd)
        row.save()
    Photo.objects.filter(pk=photo.pk).update(album=Album.objects.get(album_key=other.key))
    assert [line for line in differences(*odd) if "should live in" in line]
    photo.save()
    row.delete()
    assert [line for line in differences(*odd) if line.startswith(f"album {album.key}: shows")]


def test_compare_sees_what_is_too_many_and_what_is_missing(odd):
    smugmug, account = odd
    home = Album.objects.get(album_key=next(album.key for album in smugmug.library.albums if album.name == "Food"))
    gone = Photo.objects.filter(album=home).first()
    AlbumPhoto.objects.filter(photo=gone).delete()
    gone.delete()
    Photo.objects.create(account=account, album=home, image_key="NEW", image_id="NEW-0")
    Album.objects.create(account=account, album_key="EXTRA")

    found = differences(*odd)

    assert f"photo {gone.image_key}: is missing" in found
    assert "photo NEW: is there, and should not be" in found
    assert "album EXTRA: is there, and should not be" in found
