"""The demo library and beside it everything that a client trips over: empty, locked, private, stuck, nameless."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from .catalogue import credits
from .collection import Album, Film, Frame, Photo, Shot, make_key
from .demo import CANON, demo_library
from .holdings import Library

START = datetime(2025, 4, 12, 14, 20, 0)
HTML_CAPTION = '<p>Sold &amp; gone: <a href="https://example.org/?a=1&amp;b=2">the <b>print</b></a><br>see below</p>'
WORLD_CAPTION = "Sunrise 🌅 over the bay 👩‍👧‍👦, شروق الشمس فوق الخليج, 夜明け"
COLLECTED = ("Outdoors", "sunset.jpg")  # from which album, and which file
HOLLOW = ("Nothing Yet", "Locked Away", "Guests Only", "Private Matters")
# Only what may be shown without naming its author is used a second time.
FREE = "CC0-1.0"


def odd_library() -> Library:
    """A library of its own each time; `demo_library` is a part of it, with the same keys."""
    library = demo_library()
    odd = _album("Odd Ones", _odd_photos())
    empty, locked, guests, private = (
        _album(name, [_photo(20 + 2 * place + step) for step in range(2)] if place else [])
        for place, name in enumerate(HOLLOW)
    )
    locked.is_locked, guests.has_password, private.privacy = True, True, "Private"
    library.albums += [odd, empty, locked, guests, private]
    album, file = COLLECTED
    source = next(one for one in library.albums if one.name == album)
    photo = next(one for one in source.photos if one.frame.file == file)
    library.collect_photo(photo.key, odd.key)
    odd.images_updated = odd.updated
    return library


def _album(name: str, photos: list[Photo]) -> Album:
    created = (START + timedelta(days=1)).replace(tzinfo=UTC)
    updated = created + timedelta(hours=1)
    return Album(
        make_key(f"album:{name}", 6),
        make_key(f"node:{name}", 6),
        name,
        created=created,
        updated=updated,
        images_updated=max((photo.updated for photo in photos), default=created),
        photos=photos,
    )


def _odd_photos() -> list[Photo]:
    film = {"film": Film(seconds=12.5, bitrate=4200), "width": 1280, "height": 720, "file_name": "Waves at Dusk.mp4"}
    return [
        _photo(0, title="Caption with HTML", caption=HTML_CAPTION),
        _photo(1, title="Caption of many scripts", caption=WORLD_CAPTION, keywords=("شروق", "夜明け", "🌅")),
        _photo(2, title="Without a date", shot=None),
        _photo(3, title="First of one name", file_name="IMG_0001.JPG"),
        _photo(4, title="Second of one name", file_name="IMG_0001.JPG"),
        _photo(5, title="Without a file name", file_name=""),
        _photo(6, title="Replaced twice", serial=2),
        _photo(7, title="A film", **film),
        _photo(8, title="Never processed", is_unprocessed=True),
    ]


def _photo(number: int, **values: Any) -> Photo:
    """One of the free photographs, cropped a little, so that its bytes are like no other's."""
    free = [credit for credit in credits() if credit.licence == FREE]
    credit = free[number % len(free)]
    margin = 2 + 2 * number
    uploaded = (START + timedelta(days=1, seconds=30 * number)).replace(tzinfo=UTC)
    photo = Photo(
        make_key(f"odd:{number}", 7),
        f"IMG_{number + 100:04d}.JPG",
        width=credit.width - 2 * margin,
        height=credit.height - 2 * margin,
        frame=Frame(credit.file, (margin, margin, margin, margin)),
        uploaded=uploaded,
        updated=uploaded + timedelta(seconds=2),
        caption=credit.line,
        shot=Shot(START + timedelta(minutes=number), CANON, exposure=250, aperture=4.0, iso=100, focal_length=35),
    )
    return replace(photo, **values)
