import hashlib
import io
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
import requests
from PIL import ExifTags, Image, ImageChops, ImageOps, ImageStat

from smugmug.sandbox.catalogue import PHOTOS, credits
from smugmug.sandbox.demo import demo_library

ORIENTATION = ExifTags.Base.Orientation


def fetch(url):
    answer = requests.get(url, timeout=10)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/jpeg"
    return Image.open(io.BytesIO(answer.content))


def photo_called(sandbox, title):
    return next(photo for album in sandbox.library.albums for photo in album.photos if photo.title == title)


def difference(one, other):
    """Mean difference of two pictures, 0 to 255."""
    size = (64, 64)
    pair = [picture.convert("L").resize(size) for picture in (one, other)]
    return ImageStat.Stat(ImageChops.difference(*pair)).mean[0]


def test_build_demo_library_shows_every_photo_with_its_attribution():
    photos = [photo for album in demo_library().albums for photo in album.photos if photo.title]
    by_file = {photo.frame.file: photo for photo in photos}

    assert len(credits()) == len(photos) == 44
    assert {credit.file for credit in credits()} == {path.name for path in PHOTOS.glob("*.jpg")}
    for credit in credits():
        assert by_file[credit.file].title == credit.title
        assert by_file[credit.file].caption == f"Photo: {credit.author}, {credit.licence} ({credit.source})"


def test_build_demo_library_twice_gives_the_same_keys_all_different():
    first, second = demo_library(), demo_library()
    keys = [photo.key for album in first.albums for photo in album.photos]

    assert first == second
    assert len(keys) == len(set(keys)) == 58
    assert {len(key) for key in keys} == {7}
    assert {len(album.key) for album in first.albums} == {6}


def test_build_demo_library_varies_names_keywords_and_exif():
    photos = [photo for album in demo_library().albums for photo in album.photos if photo.title]

    assert 10 <= sum(bool(photo.keywords) for photo in photos) <= 20
    assert 20 <= sum(photo.shot is not None for photo in photos) <= 40
    assert {photo.file_name == photo.frame.file for photo in photos} == {True, False}


def test_build_bursts_gives_three_of_near_identical_frames_from_cc0(sandbox):
    licences = {credit.file: credit.licence for credit in credits()}
    bursts = {}
    for album in sandbox.library.albums:
        for photo in album.photos:
            bursts.setdefault(photo.frame.file, []).append(photo)
    bursts = {file: frames for file, frames in bursts.items() if len(frames) > 1}

    assert sorted(len(frames) for frames in bursts.values()) == [5, 6, 6]
    for file, frames in bursts.items():
        assert licences[file] == "CC0-1.0"
        taken = [frame.shot.taken - frames[0].shot.taken for frame in frames]
        assert taken == [step * timedelta(milliseconds=250) for step in range(len(frames))]
        assert len({frame.file_name for frame in frames}) == len(frames)


def test_fetch_burst_frames_gives_different_but_alike_pictures(owner, sandbox):
    album = next(album for album in sandbox.library.albums if album.name == "Outdoors")
    images = [
        image for image in owner.read(f"/api/v2/album/{album.key}!images") if "Clemens Engelhardt" in image["Caption"]
    ]
    pictures = [fetch(image["ArchivedUri"]) for image in images]

    assert len(images) == 6
    assert len({image["ArchivedMD5"] for image in images}) == 6
    assert all(0 < difference(pictures[0], other) < 12 for other in pictures[1:])
    assert [picture.size for picture in pictures] == [
        (image["OriginalWidth"], image["OriginalHeight"]) for image in images
    ]


def test_fetch_original_matches_size_md5_and_exif(owner, sandbox):
    photo = photo_called(sandbox, "Aizkorri")
    image = owner.read(f"/api/v2/image/{photo.key}-0")
    metadata = owner.read(f"/api/v2/image/{photo.key}-0!metadata")

    answer = requests.get(image["ArchivedUri"], timeout=10)
    exif = Image.open(io.BytesIO(answer.content)).getexif()
    taken = exif.get_ifd(ExifTags.IFD.Exif)

    assert len(answer.content) == image["ArchivedSize"] == image["OriginalSize"]
    assert hashlib.md5(answer.content).hexdigest() == image["ArchivedMD5"]
    assert answer.headers["ETag"] == f'"{image["ArchivedMD5"]}"'
    assert (exif[ExifTags.Base.Make], exif[ExifTags.Base.Model]) == (metadata["Make"], metadata["Model"])
    assert taken[ExifTags.Base.LensModel] == metadata["Lens"]
    assert (
        taken[ExifTags.Base.DateTimeOriginal].replace(":", "-", 2).replace(" ", "T")
        == metadata["DateTimeCreated"]
        == photo.shot.taken.isoformat()
    )


@pytest.mark.parametrize(("month", "hours"), [(1, 8), (7, 7)])
def test_write_date_taken_reads_the_wall_clock_as_pacific(fresh, calling, month, hours):
    photo = photo_called(fresh, "Aizkorri")
    wall = datetime(2024, month, 15, 11, 28, 12)
    photo.shot = type(photo.shot)(wall, photo.shot.camera, 125, 4.0, 100, 24)

    image = calling(fresh).read(f"/api/v2/image/{photo.key}-0")

    shown = datetime.fromisoformat(image["DateTimeOriginal"])
    assert shown == wall.replace(tzinfo=UTC) + timedelta(hours=hours)
    assert shown.astimezone(ZoneInfo("America/Los_Angeles")).replace(tzinfo=None) == wall


def test_read_metadata_without_exif_is_all_empty(owner, sandbox):
    photo = photo_called(sandbox, "Black Canyon")

    image = owner.read(f"/api/v2/image/{photo.key}-0")
    metadata = owner.read(f"/api/v2/image/{photo.key}-0!metadata")

    assert "DateTimeOriginal" not in image
    assert len(metadata) > 70
    assert {value for name, value in metadata.items() if not name.startswith("Uri")} == {""}


@pytest.mark.parametrize("title", ["Aizkorri", "Drum and wine", "Chelsea the cat", "Cat"])
def test_fetch_every_size_measures_what_it_says_and_is_never_enlarged(owner, sandbox, title):
    photo = photo_called(sandbox, title)
    details = owner.read(f"/api/v2/image/{photo.key}-0!sizedetails")

    for name in details["UsableSizes"]:
        size = details[name]
        assert fetch(size["Url"]).size == (size["Width"], size["Height"])
        assert size["Width"] <= photo.width
        assert size["Height"] <= photo.height
    assert details["UsableSizes"][:2] == ["ImageSizeTiny", "ImageSizeThumb"]
    assert details["UsableSizes"][-1] == "ImageSizeOriginal"
    assert (details["ImageSizeTiny"]["Width"], details["ImageSizeThumb"]["Width"]) == (100, 150)
    assert set(details["ImageSizeSmall"]) == {"Url", "Ext", "Height", "Width", "Watermarked"}
    assert set(details["ImageSizeOriginal"]) == set(details["ImageSizeSmall"]) | {"Size", "MD5"}


def test_read_sizes_as_stranger_leaves_the_original_out(owner, stranger, sandbox):
    photo = photo_called(sandbox, "Aizkorri")
    path = f"/api/v2/image/{photo.key}-0"

    details = stranger.read(f"{path}!sizedetails")
    sizes = stranger.read(f"{path}!sizes")

    assert details["UsableSizes"][-1] == "ImageSizeX2Large"
    assert "ImageSizeOriginal" not in details
    assert "OriginalImageUrl" not in sizes
    assert sizes["LargestImageUrl"] == sizes["X2LargeImageUrl"]
    assert "/O/" in owner.read(f"{path}!largestimage")["Url"]
    assert "/X2/" in stranger.read(f"{path}!largestimage")["Url"]


def test_fetch_sideways_original_is_stored_turned_with_gps_and_camera(owner, sandbox):
    photo = photo_called(sandbox, "Two dogs on a balcony")
    image = owner.read(f"/api/v2/image/{photo.key}-0")

    stored = fetch(image["ArchivedUri"])

    exif = stored.getexif()
    assert stored.size == (1280, 852)
    assert (image["OriginalWidth"], image["OriginalHeight"]) == (852, 1280)
    assert exif[ORIENTATION] == 6
    assert exif[ExifTags.Base.Model] == "Canon EOS R6"
    assert exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] == (43, 19, 6)
    assert float(image["Latitude"]) == pytest.approx(43.318333)
    assert float(image["Longitude"]) == pytest.approx(-1.981667)
    assert image["Altitude"] == 12
    with Image.open(PHOTOS / photo.frame.file) as upright:
        assert difference(ImageOps.exif_transpose(stored), upright) < 2


@pytest.mark.parametrize("name", ["Tiny", "Thumb", "Small", "Medium", "Large"])
def test_fetch_sideways_small_is_upright_without_exif(owner, sandbox, name):
    photo = photo_called(sandbox, "Two dogs on a balcony")
    size = owner.read(f"/api/v2/image/{photo.key}-0!sizedetails")[f"ImageSize{name}"]

    picture = fetch(size["Url"])

    assert picture.size == (size["Width"], size["Height"])
    assert not picture.getexif()


@pytest.mark.parametrize("name", ["XLarge", "X2Large", "X3Large"])
def test_fetch_sideways_large_is_as_stored_with_gps_and_camera(owner, sandbox, name):
    photo = photo_called(sandbox, "Two dogs on a balcony")
    size = owner.read(f"/api/v2/image/{photo.key}-0!sizedetails")[f"ImageSize{name}"]

    picture = fetch(size["Url"])

    assert picture.size == (size["Height"], size["Width"])
    assert picture.getexif()[ORIENTATION] == 6
    assert picture.getexif()[ExifTags.Base.Make] == "Canon"
    assert picture.getexif().get_ifd(ExifTags.IFD.GPSInfo)
    with Image.open(PHOTOS / photo.frame.file) as upright:
        assert difference(ImageOps.exif_transpose(picture), upright) < 3


def test_fetch_thumbnail_of_the_listing_needs_no_signature(owner, sandbox):
    photo = photo_called(sandbox, "Sunset")

    image = owner.read(f"/api/v2/image/{photo.key}-1")

    assert f"/photos/i-{photo.key}/1/" in image["ThumbnailUrl"]
    assert unquote(image["ThumbnailUrl"]).endswith(f"{photo.file_name.removesuffix('.JPG')}-Th.jpg")
    assert fetch(image["ThumbnailUrl"]).size == (150, 150)


@pytest.mark.parametrize(
    "path",
    [
        "/photos/i-nope/0/x/Th/a-Th.jpg",
        "/photos/i-{key}/9/x/Th/a-Th.jpg",
        "/photos/i-{key}/0/x/5K/a-5K.jpg",
        "/photos/i-{key}/0/x/ZZ/a-ZZ.jpg",
        "/photos/i-{key}",
        "/Outdoors",
    ],
)
def test_fetch_what_is_not_there_is_a_404_page(sandbox, path):
    key = photo_called(sandbox, "Aizkorri").key

    answer = requests.get(f"{sandbox.url}{path.format(key=key)}", timeout=10)

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")


def test_fetch_private_picture_needs_the_owners_signature_where_it_is_switched_on(fresh, calling):
    album = fresh.library.albums[0]
    fresh.library.edit_album(album.key, privacy="Private")
    owner, public = calling(fresh), calling(fresh, "Public")
    url = owner.read(f"/api/v2/album/{album.key}!images")[0]["ThumbnailUrl"]
    open_url = owner.read(f"/api/v2/album/{fresh.library.albums[1].key}!images")[0]["ThumbnailUrl"]

    def status(session, address=url):
        return session.get(address, timeout=10).status_code

    before = status(requests)
    fresh.private_bytes_need_signature = True

    assert before == 200
    assert (status(requests), status(public.session), status(owner.session)) == (401, 401, 200)
    assert status(requests, open_url) == 200


def test_fetch_private_picture_collected_into_a_public_album_needs_no_signature(fresh):
    album, other = fresh.library.albums[:2]
    fresh.library.edit_album(album.key, privacy="Private")
    fresh.library.collect_photo(album.photos[0].key, other.key)
    fresh.private_bytes_need_signature = True

    address = f"{fresh.url}/photos/i-{album.photos[0].key}/0/x/Th/x-Th.jpg"

    assert requests.get(address, timeout=10).status_code == 200
