import hashlib
from collections import Counter

import pytest
import requests

from smugmug.sandbox import library, odd_library


@pytest.fixture
def owner(odd, calling):
    return calling(odd)


@pytest.fixture
def images(owner, odd):
    """Of the album with the oddities, by title."""
    return {image["Title"]: image for image in owner.read(f"/api/v2/album/{key_of(odd, 'Odd Ones')}!images")}


def key_of(odd, name):
    return next(album.key for album in odd.library.albums if album.name == name)


def test_build_odd_library_leaves_the_demo_library_in_it():
    demo, odd = library(), odd_library()

    assert (len(demo.albums), demo.count_photos()) == (6, 58)
    assert odd == odd_library()
    assert [album.key for album in odd.albums[:6]] == [album.key for album in demo.albums]
    keys = Counter(photo.key for album in odd.albums for photo in album.photos)
    assert sorted(keys.values())[-2:] == [1, 2]
    assert [album.images_updated for album in odd.albums[:6]] == [album.images_updated for album in demo.albums]


def test_list_odd_photos_shows_captions_as_they_were_written(images):
    html, world = images["Caption with HTML"], images["Caption of many scripts"]

    assert '<a href="https://example.org/?a=1&amp;b=2">' in html["Caption"]
    assert html["FormattedValues"]["Caption"]["html"] == html["Caption"]
    assert "<" not in html["FormattedValues"]["Caption"]["text"]
    assert "🌅" in world["Caption"]
    assert "شروق الشمس" in world["Caption"]
    assert world["KeywordArray"] == ["شروق", "夜明け", "🌅"]


def test_list_odd_photos_has_twins_nameless_and_dateless_ones(owner, images):
    twins = [images["First of one name"], images["Second of one name"]]

    assert [image["FileName"] for image in twins] == ["IMG_0001.JPG"] * 2
    assert twins[0]["ArchivedMD5"] != twins[1]["ArchivedMD5"]
    assert images["Without a file name"]["FileName"] == ""
    assert requests.get(images["Without a file name"]["ThumbnailUrl"], timeout=10).status_code == 200
    assert "DateTimeOriginal" not in images["Without a date"]
    assert "DateTimeOriginal" in images["Replaced twice"]
    assert images["Replaced twice"]["Uri"].endswith("-2")


def test_list_odd_photos_has_one_that_lives_elsewhere(images):
    image = images["Sunset"]

    assert (image["Origin"], image["CollectedFrom"]) == ("Collected", "Outdoors")
    assert image["CollectedWebUri"].endswith("/Outdoors")
    assert image["Serial"] == 1


def test_read_video_shows_a_poster_and_leads_to_the_film(owner, images):
    image = images["A film"]
    film = owner.read(image["Uris"]["LargestVideo"]["Uri"])
    poster = requests.get(image["ArchivedUri"], timeout=10)
    moving = requests.get(film["Url"], timeout=10)

    assert (image["IsVideo"], image["Format"], image["FileName"]) == (True, "MP4", "Waves at Dusk.mp4")
    assert (image["OriginalWidth"], image["OriginalHeight"]) == (1280, 720)
    assert image["ArchivedUri"].endswith("-D.jpg")
    assert poster.content[:2] == b"\xff\xd8"
    assert (len(poster.content), hashlib.md5(poster.content).hexdigest()) == (
        image["ArchivedSize"],
        image["ArchivedMD5"],
    )
    assert film["Duration"] == "12.500"
    assert (film["Size"], film["MD5"]) == (len(moving.content), hashlib.md5(moving.content).hexdigest())
    assert moving.headers["Content-Type"] == "video/mp4"
    assert requests.get(image["ThumbnailUrl"], timeout=10).headers["Content-Type"] == "image/jpeg"
    details = owner.read(image["Uris"]["ImageSizeDetails"]["Uri"])
    assert "VideoSize1280" in details["UsableSizes"]
    assert owner.read(image["Uris"]["ImageMetadata"]["Uri"])["Duration"] == "12.500"


def test_read_photo_has_no_largest_video(owner, images):
    image = images["Replaced twice"]

    assert "LargestVideo" not in image["Uris"]
    assert owner.fetch(f"{image['Uris']['Image']['Uri']}!largestvideo").status_code == 404


def test_read_unprocessed_upload_has_no_sizes_and_no_bytes(owner, images):
    image = images["Never processed"]

    assert (image["Processing"], image["Status"], image["SubStatus"]) == (True, "Preprocess", "CanNotProcess")
    assert not {"ArchivedUri", "ArchivedSize", "ArchivedMD5"} & set(image)
    assert owner.read(image["Uris"]["ImageSizeDetails"]["Uri"])["UsableSizes"] == []
    assert owner.fetch(image["Uris"]["LargestImage"]["Uri"]).status_code == 404
    assert requests.get(image["ThumbnailUrl"], timeout=10).status_code == 404


def test_read_empty_album_says_so_at_full_level(owner, odd):
    key = key_of(odd, "Nothing Yet")

    assert "AlbumImage" not in owner.get(f"/api/v2/album/{key}!images")["Response"]
    album = owner.read(f"/api/v2/album/{key}")
    assert (album["ImageCount"], album["ResponseLevel"]) == (0, "Full")


def test_read_locked_album_is_shut_to_the_owner_too(owner, odd):
    key = key_of(odd, "Locked Away")

    assert "AlbumImage" not in owner.get(f"/api/v2/album/{key}!images")["Response"]
    assert owner.read(f"/api/v2/album/{key}")["ResponseLevel"] == "Password"
    assert "ImageCount" not in owner.read(f"/api/v2/album/{key}")


def test_read_album_with_a_password_opens_to_the_owner_only(owner, odd, calling):
    path = f"/api/v2/album/{key_of(odd, 'Guests Only')}"
    stranger = calling(odd, None)

    assert len(owner.read(f"{path}!images")) == 2
    assert (owner.read(path)["ResponseLevel"], owner.read(path)["SecurityType"]) == ("Full", "Password")
    assert "AlbumImage" not in stranger.get(f"{path}!images")["Response"]
    assert stranger.read(path)["ResponseLevel"] == "Password"


def test_list_albums_shows_the_private_one_to_the_owner_only(owner, odd, calling):
    def names(caller):
        return {album["Name"] for album in caller.read("/api/v2/user/demo!albums")}

    assert names(owner) - names(calling(odd, "Public")) == {"Private Matters", "Studio"}
    assert {"Locked Away", "Nothing Yet", "Guests Only", "Odd Ones"} <= names(calling(odd, None))
