"""Everything one photographer has, and what may happen to it while the server runs.

Each change does to counts and dates what SmugMug does: album.images_updated moves when photos come, go or move,
not when their captions change. No two changes share a second, for seconds are all that the API shows.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from .catalogue import credits
from .collection import Album, Camera, DeletedAlbum, Frame, Photo, Shot, make_key

CAMERA = Camera("Canon", "Canon EOS R6", "RF24-105mm F4 L IS USM", "IMG_")
FIRST_TAKEN = datetime(2025, 2, 1, 9, 0, 0)
EDITABLE = ("title", "caption", "keywords", "file_name", "is_hidden", "place", "shot", "is_unprocessed")
ALBUM_EDITABLE = ("name", "description", "keywords", "privacy", "has_password", "is_locked")


@dataclass
class Library:
    """Albums and photos. Read and change them under `lock` when a server runs; the methods that change take it.

    Methods raise KeyError for an album or photo that is not there.
    """

    albums: list[Album]
    nickname: str = "demo"
    name: str = "Demo Photographer"
    deleted: list[DeletedAlbum] = field(default_factory=list)
    edits_move_dates: bool = True  # whether a caption moves the photo's LastUpdated; not known of SmugMug
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)
    _last_change: datetime = field(default=datetime.min.replace(tzinfo=UTC), repr=False, compare=False)
    _made: int = field(default=0, repr=False, compare=False)

    # Finding

    def album(self, key: str) -> Album | None:
        return next((album for album in self.albums if album.key == key), None)

    def home(self, image_key: str) -> tuple[Album, Photo] | None:
        """The photo with this key and the album it lives in."""
        for album in self.albums:
            for photo in album.photos:
                if photo.key == image_key:
                    return (photo.home and self.album(photo.home)) or album, photo
        return None

    def holders(self, image_key: str) -> list[Album]:
        """Every album that shows the photo, its home first."""
        found = self.home(image_key)
        others = (album for album in self._may_hold(image_key) if any(one.key == image_key for one in album.photos))
        return [found[0], *(album for album in others if album is not found[0])] if found else []

    def count_photos(self) -> int:
        return sum(len(album.photos) for album in self.albums)

    # Changing photos

    def add_photo(self, album_key: str, *, file: str = "", **values: Any) -> Photo:
        """A new photo at the end of the album, from one of the real files; `values` are fields of Photo."""
        with self.lock:
            album, number, now = self._album(album_key), self._number(), self._now()
            credit = next((one for one in credits() if one.file == file), credits()[number % len(credits())])
            taken = FIRST_TAKEN + timedelta(minutes=number)
            photo = Photo(
                key=make_key(f"added:{number}", 7),
                file_name=f"{CAMERA.prefix}{9000 + number}.JPG",
                width=credit.width,
                height=credit.height,
                frame=Frame(credit.file),
                uploaded=now,
                updated=now,
                title=credit.title,
                caption=credit.line,
                shot=Shot(taken, CAMERA, exposure=250, aperture=5.6, iso=200, focal_length=35),
                home=album.key,
            )
            photo = replace(photo, **values)
            self._photos(album).append(photo)
            album.images_updated = now
            self._remember(photo)
            return photo

    def edit_photo(self, image_key: str, **values: Any) -> Photo:
        """Change fields named in EDITABLE, in every album that shows the photo. Raises TypeError for others."""
        _check_names(values, EDITABLE)
        with self.lock:
            _home, photo = self._photo(image_key)
            _assign(photo, values)
            if self.edits_move_dates:
                photo.updated = self._now()
            return photo

    def replace_photo(self, image_key: str) -> Photo:
        """Another picture under the same key: serial, bytes, MD5, pixels and addresses change.

        That the album's images_updated moves too is a guess.
        """
        with self.lock:
            home, photo = self._photo(image_key)
            left, top, right, bottom = photo.frame.margins
            margins = (left + 8, top + 4, right + 8, bottom + 4)
            photo.frame = replace(photo.frame, margins=margins, exposure=photo.frame.exposure * 0.9)
            photo.width, photo.height = photo.width - 16, photo.height - 8
            photo.serial += 1
            photo.updated = home.images_updated = self._now()
            return photo

    def remove_photo(self, image_key: str, album_key: str = "") -> None:
        """Take it out of the album; out of its home, or without an album, it vanishes from everywhere."""
        with self.lock:
            home, photo = self._photo(image_key)
            places = self.holders(image_key) if album_key in ("", home.key) else [self._album(album_key)]
            now = self._now()
            for album in places:
                self._take_out(album, image_key, now)
            if home in places:
                self._forget([photo])

    def move_photo(self, image_key: str, album_key: str) -> None:
        """From its home to the end of another album; copies collected elsewhere stay."""
        with self.lock:
            (home, photo), target = self._photo(image_key), self._album(album_key)
            now = self._now()
            self._take_out(home, image_key, now)
            photo.home = target.key
            self._put_in(target, photo, now)

    def collect_photo(self, image_key: str, album_key: str) -> None:
        """Show the photo in another album as well. Doing it twice changes nothing more."""
        with self.lock:
            (home, photo), target = self._photo(image_key), self._album(album_key)
            photo.home = home.key
            self._put_in(target, photo, self._now())

    # Changing albums

    def add_album(self, name: str, **values: Any) -> Album:
        """A new, empty album at the end. Raises TypeError for values not named in ALBUM_EDITABLE."""
        _check_names(values, ALBUM_EDITABLE)
        with self.lock:
            number, now = self._number(), self._now()
            album = Album(
                make_key(f"added album:{number}", 6),
                make_key(f"added node:{number}", 6),
                name,
                created=now,
                updated=now,
                images_updated=now,
            )
            _assign(album, values)
            self.albums.append(album)
            return album

    def edit_album(self, album_key: str, **values: Any) -> Album:
        """Change fields named in ALBUM_EDITABLE. Raises TypeError for others."""
        _check_names(values, ALBUM_EDITABLE)
        with self.lock:
            album = self._album(album_key)
            _assign(album, values)
            album.updated = self._now()
            return album

    def rename_album(self, album_key: str, name: str) -> Album:
        """The album's path, its page and the addresses of its pictures change with the name; its keys stay."""
        return self.edit_album(album_key, name=name)

    def lock_album(self, album_key: str) -> Album:
        """From now on it looks empty, to the owner's token too."""
        return self.edit_album(album_key, is_locked=True)

    def unlock_album(self, album_key: str) -> Album:
        return self.edit_album(album_key, is_locked=False, has_password=False)

    def remove_album(self, album_key: str) -> None:
        """Delete it with the photos that live in it, wherever else they were collected."""
        with self.lock:
            album, now = self._album(album_key), self._now()
            residents = [photo for photo in self._photos(album) if self._photo(photo.key)[0] is album]
            for photo in residents:
                for holder in self.holders(photo.key):
                    if holder is not album:
                        self._take_out(holder, photo.key, now)
            self.albums = [other for other in self.albums if other is not album]
            self._forget(residents)
            self.deleted.append(DeletedAlbum(album, now))

    # What other kinds of library do their own way

    def _photos(self, album: Album) -> list[Photo]:
        """The album's photos as a list that can be changed."""
        if not isinstance(album.photos, list):
            album.photos = list(album.photos)
        return album.photos

    def _may_hold(self, _image_key: str) -> Iterable[Album]:
        return self.albums

    def _remember(self, photo: Photo) -> None:
        """A photo has come."""

    def _forget(self, photos: Sequence[Photo]) -> None:
        """These photos are gone for good."""

    # Inside

    def _album(self, key: str) -> Album:
        album = self.album(key)
        if album is None:
            raise KeyError(key)
        return album

    def _photo(self, key: str) -> tuple[Album, Photo]:
        """The photo itself, not a copy made for looking at, and its home."""
        found = self.home(key)
        if found is None:
            raise KeyError(key)
        home = found[0]
        return home, next(photo for photo in self._photos(home) if photo.key == key)

    def _take_out(self, album: Album, image_key: str, now: datetime) -> None:
        photos = self._photos(album)
        photos[:] = [photo for photo in photos if photo.key != image_key]
        album.images_updated = now

    def _put_in(self, album: Album, photo: Photo, now: datetime) -> None:
        if all(other.key != photo.key for other in album.photos):
            self._photos(album).append(photo)
            album.images_updated = now

    def _now(self) -> datetime:
        now = max(datetime.now(UTC).replace(microsecond=0), self._last_change + timedelta(seconds=1))
        self._last_change = now
        return now

    def _number(self) -> int:
        self._made += 1
        return self._made


def _check_names(values: dict[str, Any], allowed: tuple[str, ...]) -> None:
    unknown = set(values) - set(allowed)
    if unknown:
        raise TypeError(f"cannot change {', '.join(sorted(unknown))}")


def _assign(thing: object, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(thing, name, value)
