import dataclasses
import datetime
import math
import typing

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from smugmug import records
from smugmug.records import Rendition

ODD_TEXT = st.sampled_from(
    ["", " ", "0", "-1", "1e999", "nan", "null", "\x00", "a\x00b", "\ud800", "9" * 400, "2026-13-01"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | ODD_TEXT
TIMES = st.sampled_from(
    [
        "0001-01-01T00:00:00+00:00",
        "9999-12-31T23:59:59-12:00",
        "2023-05-13T16:12:40+00:00",
        "2023-05-13",
        "2023-05-13T16:12:40",
        "0000-00-00T00:00:00+00:00",
    ]
)
VALUES = SCALARS | TIMES | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=4), SCALARS, max_size=2)
IMAGE_FIELDS = [
    "ImageKey",
    "Serial",
    "FileName",
    "Title",
    "Caption",
    "KeywordArray",
    "OriginalWidth",
    "OriginalHeight",
    "OriginalSize",
    "ArchivedSize",
    "Format",
    "IsVideo",
    "Hidden",
    "Latitude",
    "Longitude",
    "ArchivedMD5",
    "DateTimeUploaded",
    "DateTimeOriginal",
    "Date",
    "LastUpdated",
    "Uri",
    "WebUri",
    "ThumbnailUrl",
    "ArchivedUri",
    "Origin",
]
METADATA_FIELDS = [
    "DateTimeCreated",
    "Make",
    "Model",
    "Lens",
    "Exposure",
    "Aperture",
    "ISO",
    "FocalLength",
    "City",
    "State",
    "Country",
]
ALBUM_FIELDS = [
    "AlbumKey",
    "NodeID",
    "Name",
    "Title",
    "Description",
    "ImageCount",
    "LastUpdated",
    "ImagesLastUpdated",
    "UrlPath",
    "WebUri",
    "Privacy",
    "SecurityType",
    "ResponseLevel",
]
METADATA_URI, SIZES_URI = "/api/v2/image/K-0!metadata", "/api/v2/image/K-0!sizedetails"
LINKS = {"ImageMetadata": METADATA_URI, "ImageSizeDetails": SIZES_URI}


def some(fields):
    """An object that has some of the fields, each with anything in it."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(fields, VALUES))


def image(raw=None, metadata=None, sizes=None, **more):
    """An image parsed from `raw`, with what was expanded beside it."""
    expansions = {
        METADATA_URI: {"ImageMetadata": metadata or {}},
        SIZES_URI: {"ImageSizeDetails": sizes or {}},
    }
    return records.image({"Uris": LINKS, **(raw or {}), **more}, expansions)


def texts(value):
    """Every text in a record, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in (*value, *value.values()):
            yield from texts(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from texts(item)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from texts(getattr(value, field.name))


def assert_can_be_kept(record):
    """Every field has the type it says, and Postgres takes it."""
    for name, hint in typing.get_type_hints(type(record)).items():
        value = getattr(record, name)
        plain = typing.get_origin(hint) in {tuple, dict}
        assert isinstance(value, typing.get_origin(hint) if plain else hint), (name, value)
        if type(value) is int:
            assert 0 <= value < 2**63, name
        if isinstance(value, float):
            assert math.isfinite(value), name
        if isinstance(value, datetime.datetime) and value.tzinfo:
            value.astimezone(datetime.UTC)  # else Postgres gives back what Python cannot hold
    for text in texts(record):
        assert "\x00" not in text
        text.encode()  # no half of a surrogate pair


# --- Anything at all


@settings(deadline=None)
@given(some(IMAGE_FIELDS), some(METADATA_FIELDS))
@example({"OriginalWidth": float("inf")}, {})
@example({"DateTimeOriginal": "0001-01-01T00:00:00+00:00"}, {})
@example({"LastUpdated": "0001-01-01T00:00:00+14:00"}, {})
@example({"KeywordArray": 7}, {})
@example({"KeywordArray": "dog"}, {})
@example({"Latitude": "nan", "Longitude": "1"}, {})
def test_read_image_with_anything_in_it_gives_what_can_be_kept(raw, metadata):
    assert_can_be_kept(image(raw, metadata))


@settings(deadline=None)
@given(some(ALBUM_FIELDS))
@example({"ImageCount": "1e999"})
def test_read_album_with_anything_in_it_gives_what_can_be_kept(raw):
    assert_can_be_kept(records.album(raw))


@settings(deadline=None)
@given(
    st.lists(VALUES | st.sampled_from(["ImageSizeSmall", "ImageSizeLarge", "VideoSize640"]), max_size=4) | VALUES,
    some(["Url", "Width", "Height"]) | VALUES,
)
@example(7, {})
@example([7, "ImageSizeSmall"], "not an object")
def test_read_renditions_with_anything_in_them_gives_usable_ones(names, size):
    found = records.renditions({"UsableSizes": names, "ImageSizeSmall": size, "ImageSizeLarge": size})

    for rendition in found:
        assert rendition.url
        assert rendition.width >= 0
        assert rendition.height >= 0
        assert_can_be_kept(rendition)


@settings(deadline=None)
@given(VALUES, st.dictionaries(st.sampled_from([METADATA_URI, SIZES_URI]), VALUES))
def test_read_image_with_odd_links_or_expansions_has_nothing_expanded(links, expansions):
    records.image({"Uris": LINKS}, expansions)
    found = records.image({"ImageKey": "K", "Uris": links}, {})

    assert (found.key, found.exif, found.renditions) == ("K", {}, ())


# --- What is known of SmugMug


def test_read_image_as_recorded_gives_all_of_it():
    found = image(
        {
            "ImageKey": "sw6XxhC",
            "Serial": 2,
            "FileName": "photo 8.jpg",
            "Title": "",
            "Caption": "A <b>car</b>",
            "Keywords": "Car; Old Car",
            "KeywordArray": ["Car", "Old Car"],
            "Latitude": "43.31833300000000",
            "Longitude": "-1.98166700000000",
            "Format": "JPG",
            "OriginalWidth": 1025,
            "OriginalHeight": 728,
            "OriginalSize": 302011,
            "IsVideo": False,
            "Hidden": True,
            "DateTimeUploaded": "2019-07-13T17:03:38+00:00",
            "LastUpdated": "2022-02-12T21:24:12+00:00",
            "ArchivedMD5": "05547d39813d2701ea3fe1f5d49e6fae",
            "Origin": "Collected",
        }
    )

    assert (found.image_id, found.filename, found.title, found.caption) == (
        "sw6XxhC-2",
        "photo 8.jpg",
        "",
        "A <b>car</b>",
    )
    assert found.keywords == ("Car", "Old Car")
    assert (found.latitude, found.longitude) == (43.318333, -1.981667)
    assert (found.width, found.height, found.size_bytes, found.format) == (1025, 728, 302011, "JPG")
    assert (found.is_video, found.is_hidden, found.origin) == (False, True, "Collected")
    assert found.uploaded_at == datetime.datetime(2019, 7, 13, 17, 3, 38, tzinfo=datetime.UTC)
    assert found.updated_at == datetime.datetime(2022, 2, 12, 21, 24, 12, tzinfo=datetime.UTC)


def test_read_image_without_any_field_is_empty():
    found = records.image({}, {})

    assert (found.image_id, found.keywords, found.date_taken) == ("-0", (), None)
    assert (found.width, found.size_bytes, found.latitude, found.uploaded_at) == (None, None, None, None)


@pytest.mark.parametrize(
    ("utc", "clock"),
    [
        ("2019-08-04T18:28:12Z", "2019-08-04T11:28:12"),  # summer: 7 hours
        ("2000-01-01T08:00:11+00:00", "2000-01-01T00:00:11"),  # winter: 8 hours
        ("2023-03-12T09:59:59+00:00", "2023-03-12T01:59:59"),  # the last second before the clocks change
        ("2023-03-12T10:00:00+00:00", "2023-03-12T03:00:00"),
        ("2019-08-04T20:28:12+02:00", "2019-08-04T11:28:12"),
        ("2019-08-04T18:28:12", "2019-08-04T11:28:12"),  # no zone: UTC
    ],
)
def test_read_time_of_capture_undoes_the_pacific_zone(utc, clock):
    found = image(DateTimeOriginal=utc).date_taken

    assert found == datetime.datetime.fromisoformat(clock)
    assert found.tzinfo is None


def test_read_time_of_capture_prefers_the_cameras_own():
    found = image({"DateTimeOriginal": "2019-08-04T18:28:12+00:00"}, {"DateTimeCreated": "2019-08-04T11:28:13"})

    assert found.date_taken == datetime.datetime(2019, 8, 4, 11, 28, 13)


@pytest.mark.parametrize("created", ["", None, "0000:00:00 00:00:00", "yesterday"])
def test_read_time_of_capture_where_the_cameras_is_useless_falls_back(created):
    found = image({"DateTimeOriginal": "2019-08-04T18:28:12+00:00"}, {"DateTimeCreated": created})

    assert found.date_taken == datetime.datetime(2019, 8, 4, 11, 28, 12)


@pytest.mark.parametrize("value", ["0", "0.00000000000000", 0, 0.0, "", None])
def test_read_position_of_zero_is_none(value):
    found = image(Latitude=value, Longitude=value)

    assert (found.latitude, found.longitude) == (None, None)


def test_read_position_on_the_equator_is_kept():
    found = image(Latitude="0", Longitude="-78.45")

    assert (found.latitude, found.longitude) == (0.0, -78.45)


@pytest.mark.parametrize(
    ("width", "expected"), [("1025", 1025), (1025, 1025), (-1, None), ("wide", None), (2**31, None)]
)
def test_read_number_as_text_or_out_of_range(width, expected):
    assert image(OriginalWidth=width).width == expected


def test_read_words_longer_than_their_column_are_cut():
    found = image(Format="J" * 99, Origin="A" * 99, ArchivedMD5="0" * 99)
    album = records.album({"Privacy": "P" * 99, "SecurityType": "N" * 99, "ImageCount": 2**40})

    assert (len(found.format), len(found.origin), len(found.archived_md5)) == (16, 16, 32)
    assert (len(album.privacy), len(album.security_type), album.image_count) == (16, 16, 0)


@pytest.mark.parametrize("serial", [None, "", "x", -3, []])
def test_read_serial_that_is_no_number_is_zero(serial):
    assert image(ImageKey="K", Serial=serial).image_id == "K-0"


@pytest.mark.parametrize(
    ("uri", "serial"),
    [
        ("/api/v2/album/AbCdEf/image/GhIjKlM-3", 3),
        ("/api/v2/image/GhIjKlM-12", 12),
        ("/api/v2/image/GhIjKlM", 0),
        ("/api/v2/image/GhIjKlM-٣", 0),
        ("", 0),
    ],
)
def test_read_serial_of_an_old_recording_is_in_its_address(uri, serial):
    found = records.image({"ImageKey": "GhIjKlM", "Uri": uri}, {})

    assert found.serial == serial
    assert found.image_uri == f"/api/v2/image/GhIjKlM-{serial}"
    assert records.image({"Uri": uri, "Serial": 5}, {}).serial == 5


@pytest.mark.parametrize(("value", "expected"), [(True, True), (False, False), (None, False)])
def test_read_image_under_processing_says_so(value, expected):
    assert records.image({"Processing": value}, {}).is_processing is expected


def test_read_film_has_not_the_posters_size_and_checksum():
    raw = {"ArchivedMD5": "a" * 32, "ArchivedSize": 155_323, "OriginalSize": 155_323}

    assert (records.image(raw, {}).archived_md5, records.image(raw, {}).size_bytes) == ("a" * 32, 155_323)
    film = records.image({**raw, "IsVideo": True}, {})
    assert (film.archived_md5, film.size_bytes) == ("", None)


def test_read_keywords_that_differ_in_case_only_gives_the_first():
    assert records.image({"KeywordArray": ["Dog", "cat", "dog ", "CAT"]}, {}).keywords == ("Dog", "cat")
    assert records.distinct([" Straße", "", "STRASSE", "b"]) == ("Straße", "b")


def test_read_keywords_without_a_list_are_those_of_the_text():
    assert records.image({"Keywords": '7058; "maker faire"; heic'}, {}).keywords == ("7058", "maker faire", "heic")
    assert records.image({"Keywords": "a; b", "KeywordArray": []}, {}).keywords == ()


def test_read_size_where_the_original_is_unknown_is_the_archived():
    assert image(ArchivedSize="302011").size_bytes == 302011


def test_read_keywords_drops_empty_and_repeated_ones_and_keeps_the_order():
    assert image(KeywordArray=["sea", "", "boat", None, "sea", "a;b", 2024]).keywords == ("sea", "boat", "a;b", "2024")


def test_read_upload_time_of_an_old_recording_is_its_date():
    assert image(Date="2014-01-02T03:04:05+00:00").uploaded_at == datetime.datetime(
        2014, 1, 2, 3, 4, 5, tzinfo=datetime.UTC
    )


def test_read_links_as_objects_or_text_are_the_same():
    raw = {"Uris": {"Image": {"Uri": "/api/v2/image/K-0"}, "Album": "/api/v2/album/A"}}

    assert records.uri_of(raw, "Image") == "/api/v2/image/K-0"
    assert records.uri_of(raw, "Album") == "/api/v2/album/A"
    assert records.uri_of(raw, "User") == ""
    assert records.uri_of({"Uris": []}, "Image") == ""


def test_read_camera_as_a_person_reads_it():
    found = image(
        None,
        {
            "Make": "Canon",
            "Model": "Canon EOS R6",
            "Lens": "RF24-105mm",
            "Exposure": "1/250s",
            "Aperture": "f/5.6",
            "ISO": 200,
            "FocalLength": "35.0 mm",
            "City": "Donostia",
            "Country": "Spain",
        },
    )

    assert found.exif == {
        "camera": "Canon EOS R6",
        "lens": "RF24-105mm",
        "exposure": "1/250 s · f/5.6 · ISO 200 · 35.0 mm",
        "place": "Donostia, Spain",
    }
    assert image(None, {"Make": "", "ISO": ""}).exif == {}
    assert image(None, {"Make": "NIKON", "Model": "NIKON"}).exif == {"camera": "NIKON"}
    assert image(None, {"Make": "Google", "Model": "Pixel 6"}).exif == {"camera": "Google Pixel 6"}


@pytest.mark.parametrize(
    ("level", "is_locked"), [("Full", False), ("Public", False), ("Password", True), ("GrantAccess", True)]
)
def test_read_album_is_locked_by_its_level(level, is_locked):
    assert records.album({"AlbumKey": "A", "ResponseLevel": level}).is_locked is is_locked


def test_read_album_as_recorded_gives_all_of_it():
    found = records.album(
        {
            "AlbumKey": "RM4BL2",
            "NodeID": "JDVkPQ",
            "Name": "Zero",
            "Title": "Old name of the field",
            "ImageCount": "4",
            "UrlPath": "/Zero",
            "SecurityType": "None",
            "Privacy": "Unlisted",
            "LastUpdated": "2020-04-28T23:38:55+00:00",
        }
    )

    assert (found.key, found.node_id, found.title, found.image_count) == ("RM4BL2", "JDVkPQ", "Zero", 4)
    assert (found.url_path, found.security_type, found.privacy) == ("/Zero", "None", "Unlisted")
    assert found.last_updated == datetime.datetime(2020, 4, 28, 23, 38, 55, tzinfo=datetime.UTC)
    assert (found.images_last_updated, found.is_locked) == (None, False)


SIZES = {
    "UsableSizes": ["ImageSizeLarge", "ImageSizeSmall", "VideoSize640", "ImageSizeGone", "ImageSizeEmpty"],
    "ImageSizeSmall": {"Url": "https://x/S", "Width": 400, "Height": 300},
    "ImageSizeLarge": {"Url": "https://x/L", "Width": "600", "Height": "800"},
    "ImageSizeEmpty": {"Url": "", "Width": 9, "Height": 9},
    "ImageSizeHidden": {"Url": "https://x/H", "Width": 1, "Height": 1},
    "VideoSize640": {"Url": "https://x/V", "Width": 640, "Height": 480},
}


def test_read_renditions_gives_usable_pictures_by_size():
    assert records.renditions(SIZES) == (Rendition("https://x/S", 400, 300), Rendition("https://x/L", 600, 800))


@pytest.mark.parametrize(
    ("pixels", "url"), [(1, "https://x/S"), (400, "https://x/S"), (401, "https://x/L"), (5000, "https://x/L")]
)
def test_choose_rendition_is_the_smallest_that_is_large_enough(pixels, url):
    assert records.smallest(records.renditions(SIZES), pixels).url == url


def test_choose_rendition_of_none_is_none():
    assert records.smallest((), 450) is None
