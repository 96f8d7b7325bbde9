"""A library of any size for load work: a photo is made when it is asked for, from the real files' bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import overload

from .catalogue import credits
from .collection import KEY_LETTERS, Album, Camera, Frame, Library, Photo, Shot

START = datetime(2015, 1, 1, 8, 0, 0)
CAMERA = Camera("Canon", "Canon EOS R6", "RF24-105mm F4 L IS USM", "IMG_")
KEYWORD_SETS = ((), (), ("holiday", "family"), (), ("landscape",), ())


@dataclass(frozen=True)
class Roll(Sequence[Photo]):
    """The photos of one synthetic album. They are made anew at every look, so changing one has no effect."""

    first: int  # running number of the first photo
    length: int

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, index: int) -> Photo: ...
    @overload
    def __getitem__(self, index: slice) -> list[Photo]: ...
    def __getitem__(self, index: int | slice) -> Photo | list[Photo]:
        numbers = range(self.first, self.first + self.length)[index]
        return _photo(numbers) if isinstance(numbers, int) else [_photo(number) for number in numbers]


@dataclass
class SyntheticLibrary(Library):
    """Finds a photo by its key without looking through all of them."""

    photos_per_album: int = 0

    def home(self, image_key: str) -> tuple[Album, Photo] | None:
        number = _number(image_key)
        if number is None or not self.photos_per_album:
            return None
        album, index = divmod(number, self.photos_per_album)
        if album >= len(self.albums):
            return None
        return self.albums[album], self.albums[album].photos[index]


def synthetic_library(albums: int, photos: int) -> SyntheticLibrary:
    return SyntheticLibrary([_album(number, photos) for number in range(albums)], photos_per_album=photos)


def _album(number: int, photos: int) -> Album:
    created = START.replace(tzinfo=UTC) + timedelta(days=number)
    return Album(
        key=_key("A", number, 6),
        node_id=_key("N", number, 6),
        name=f"Album {number + 1:05d}",
        created=created,
        updated=created,
        images_updated=created + timedelta(hours=2),
        photos=Roll(number * photos, photos),
    )


def _photo(number: int) -> Photo:
    credit = credits()[number % len(credits())]
    taken = START + timedelta(minutes=number)
    uploaded = taken.replace(tzinfo=UTC) + timedelta(days=1)
    return Photo(
        key=_key("L", number, 7),
        file_name=f"{CAMERA.prefix}{number % 10_000:04d}.JPG",
        width=credit.width,
        height=credit.height,
        frame=Frame(credit.file),
        uploaded=uploaded,
        updated=uploaded,
        title=f"{credit.title} {number + 1}",
        caption=credit.line,
        keywords=KEYWORD_SETS[number % len(KEYWORD_SETS)],
        shot=Shot(taken, CAMERA, exposure=250, aperture=5.6, iso=200, focal_length=35),
        has_exif=False,  # all photos of one file share its bytes
    )


def _key(initial: str, number: int, length: int) -> str:
    """`initial` and the number, in the letters keys are made of."""
    digits = ""
    for _place in range(length - 1):
        number, digit = divmod(number, len(KEY_LETTERS))
        digits = KEY_LETTERS[digit] + digits
    return initial + digits


def _number(image_key: str) -> int | None:
    """The running number an image key stands for; None when it is not one of ours."""
    if len(image_key) != 7 or image_key[0] != "L" or not set(image_key) <= set(KEY_LETTERS):
        return None
    number = 0
    for letter in image_key[1:]:
        number = number * len(KEY_LETTERS) + KEY_LETTERS.index(letter)
    return number
