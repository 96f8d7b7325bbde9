"""A library of any size for load work: a photo is made when it is asked for, from the real files' bytes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, overload

from .catalogue import credits
from .collection import KEY_LETTERS, Album, Frame, Photo, Shot
from .holdings import CAMERA, Library

START = datetime(2015, 1, 1, 8, 0, 0)
KEYWORD_SETS = ((), (), ("holiday", "family"), (), ("landscape",), ())


@dataclass(frozen=True)
class Roll(Sequence[Photo]):
    """The photos of one synthetic album. They are made anew at every look, so changing one has no effect:
    the library's methods first make a list of the roll."""

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
    """Finds a photo by its key without looking through all of them. Change it by its methods only."""

    photos_per_album: int = 0
    _born: tuple[Album, ...] = field(default=(), repr=False)
    _by_key: dict[str, Album] = field(default_factory=dict, repr=False)
    _changeable: dict[str, Photo] = field(default_factory=dict, repr=False)  # those that are not on a roll

    def __post_init__(self) -> None:
        self._born = tuple(self.albums)
        self._by_key = {album.key: album for album in self.albums}

    def album(self, key: str) -> Album | None:
        return self._by_key.get(key)

    def home(self, image_key: str) -> tuple[Album, Photo] | None:
        photo = self._changeable.get(image_key)
        if photo:
            return self._by_key[photo.home], photo
        number = _number(image_key)
        if number is None or not self.photos_per_album:
            return None
        album, index = divmod(number, self.photos_per_album)
        if album >= len(self._born) or not isinstance(self._born[album].photos, Roll):
            return None
        return self._born[album], self._born[album].photos[index]

    def add_album(self, name: str, **values: Any) -> Album:
        with self.lock:
            album = super().add_album(name, **values)
            self._by_key[album.key] = album
            return album

    def remove_album(self, album_key: str) -> None:
        with self.lock:
            super().remove_album(album_key)
            del self._by_key[album_key]

    def _photos(self, album: Album) -> list[Photo]:
        if isinstance(album.photos, Roll):
            album.photos = [replace(photo, home=album.key) for photo in album.photos]
            self._changeable |= {photo.key: photo for photo in album.photos}
        return super()._photos(album)

    def _may_hold(self, _image_key: str) -> list[Album]:
        return [album for album in self.albums if not isinstance(album.photos, Roll)]

    def _remember(self, photo: Photo) -> None:
        self._changeable[photo.key] = photo

    def _forget(self, photos: Sequence[Photo]) -> None:
        for photo in photos:
            self._changeable.pop(photo.key, None)


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
