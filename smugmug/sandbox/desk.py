"""/api/v2: which object or list lies at an address, for one caller."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any
from urllib.parse import unquote

from . import parts
from .answers import Endpoint, Found, NotFound, Question
from .collection import Album, Photo
from .holdings import Library
from .oauth import Level
from .shapes import Item, Shaper, image_id, is_listed, is_locked, may_see, photos_of

ROOT = "/api/v2"
AUTH_USER = Endpoint("AuthUser", "User", "Currently authenticated user")
USER = Endpoint("User", "User", "User By Nickname", doc="user")
USER_ALBUMS = Endpoint("UserAlbums", "Album", "All of user's albums", ("Order",), page=50, most=100)
ALBUM = Endpoint("Album", "Album", "Album by key", doc="album")
ALBUMS = replace(ALBUM, is_multiple=True)
DELETED_ALBUMS = Endpoint("UserDeletedAlbums", "DeletedAlbum", "User's deleted albums", page=50, most=100)
ALBUM_IMAGES = Endpoint("AlbumImages", "AlbumImage", "Images from album", ("FileNames", "SkuId"), page=100, most=500)
ALBUM_IMAGE = Endpoint("AlbumImage", "AlbumImage", "Image from album", doc="album-image")
HIGHLIGHT = Endpoint("HighlightImage", "Image", "Highlight image for a folder, album, or page")
IMAGE = Endpoint("Image", "Image", "Image by key", doc="image")
IMAGES = replace(IMAGE, is_multiple=True)
IMAGE_ALBUMS = Endpoint("ImageAlbums", "Album", "Albums the image is included in", page=50, most=100)
SIZES = Endpoint("ImageSizes", "ImageSizes", "Sizes available for image")
SIZE_DETAILS = Endpoint(
    "ImageSizeDetails", "ImageSizeDetails", "Detailed size information for image", ("PrefetchSizes",)
)
LARGEST = Endpoint("LargestImage", "LargestImage", "Largest size available for image")
LARGEST_VIDEO = Endpoint("LargestVideo", "LargestVideo", "Largest video size available for image")
METADATA = Endpoint("ImageMetadata", "ImageMetadata", "Metadata for image")
TASK = Endpoint("Task", "Task", "Background task")

# Order → the album's field, and whether the newest comes first; any other value changes nothing.
ORDERS = {
    "Last Updated (Descending)": ("updated", True),
    "Last Updated (Ascending)": ("updated", False),
    "Date Added (Descending)": ("created", True),
    "Date Added (Ascending)": ("created", False),
}
PARTS: dict[str, tuple[Endpoint, Callable[[Shaper, Photo, Album], Item]]] = {
    "sizes": (SIZES, parts.sizes),
    "sizedetails": (SIZE_DETAILS, parts.size_details),
    "largestimage": (LARGEST, parts.largest),
    "largestvideo": (LARGEST_VIDEO, parts.largest_video),
    "metadata": (METADATA, parts.metadata),
}
KEY = r"[0-9A-Za-z]+"
IMAGE_ID = rf"(?P<image>{KEY})(?:-(?P<serial>\d+))?"
SEVERAL = rf"{KEY}(?:-\d+)?(?:,{KEY}(?:-\d+)?)+"


class Moved(Exception):
    """The picture has another serial; `path` is its right address."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@dataclass(frozen=True)
class Desk:
    """Finds things in the library as far as one caller may see them."""

    library: Library
    shaper: Shaper
    level: Level | None

    def find(self, question: Question) -> Found:
        """What lies at the question's address. Raises NotFound or Moved."""
        path = unquote(question.path)
        for pattern, method in ROUTES:
            match = pattern.fullmatch(path)
            if match:
                return method(self, question, **match.groupdict())
        raise NotFound

    def look_up(self, question: Question) -> Found | None:
        """The same for a link that is to be expanded; None where there is nothing."""
        try:
            return self.find(question)
        except NotFound:
            return None

    def auth_user(self, _question: Question) -> Found:
        """Who the token belongs to. Without one there is no User, which is a guess."""
        shaper = self.shaper
        return Found(AUTH_USER, [self.library] if self.level else [], lambda _library: shaper.auth_user())

    def user(self, _question: Question, nickname: str) -> Found:
        self._check_nickname(nickname)
        return Found(USER, [self.library], lambda _library: self.shaper.user())

    def user_albums(self, question: Question, nickname: str) -> Found:
        self._check_nickname(nickname)
        albums = [album for album in self.library.albums if is_listed(album, is_owner=self._is_owner)]
        field, newest_first = ORDERS.get(question.values.get("Order", ""), ("", False))
        if field:
            albums.sort(key=attrgetter(field), reverse=newest_first)
        return Found(USER_ALBUMS, albums, self.shaper.album)

    def deleted_albums(self, _question: Question, nickname: str) -> Found:
        self._check_nickname(nickname)
        if not self._is_owner:
            raise NotFound
        return Found(DELETED_ALBUMS, self.library.deleted, self.shaper.deleted_album)

    def album(self, _question: Question, album: str) -> Found:
        return Found(ALBUM, [self._album(album)], self.shaper.album)

    def albums(self, _question: Question, several: str) -> Found:
        """Those of several that there are; that the others are passed over is a guess."""
        albums = [album for album in map(self.library.album, several.split(",")) if album and self._may_see(album)]
        return self._several(ALBUMS, albums, self.shaper.album)

    def album_images(self, question: Question, album: str) -> Found:
        home = self._album(album)
        photos = photos_of(home, is_owner=self._is_owner)
        names = question.values.get("FileNames")
        if names:
            photos = [photo for photo in photos if photo.file_name in names.split(",")]
        return Found(ALBUM_IMAGES, photos, lambda photo: self._album_image(photo, home))

    def album_image(self, _question: Question, album: str, image: str, serial: str | None) -> Found:
        place = self._album(album)
        photos = photos_of(place, is_owner=self._is_owner)
        photo = next((photo for photo in photos if photo.key == image), None)
        if photo is None:
            raise NotFound
        self._check_serial(photo, serial, f"{ROOT}/album/{album}/image/")
        return Found(ALBUM_IMAGE, [photo], lambda photo: self._album_image(photo, place))

    def highlight(self, _question: Question, node: str) -> Found:
        album = next((album for album in self.library.albums if album.node_id == node), None)
        photos = photos_of(album, is_owner=self._is_owner) if album and self._may_see(album) else ()
        if album is None or not photos:
            raise NotFound
        return Found(HIGHLIGHT, [photos[0]], lambda photo: self.shaper.image(photo, self._home(photo, album)))

    def image(self, _question: Question, image: str, serial: str | None, part: str | None) -> Found:
        photo, home = self._image(image)
        self._check_serial(photo, serial, f"{ROOT}/image/", f"!{part}" if part else "")
        if part is None:
            return Found(IMAGE, [photo], lambda photo: self.shaper.image(photo, home))
        if part == "albums" and self._is_owner:
            return Found(IMAGE_ALBUMS, self.library.holders(photo.key), self.shaper.album)
        if part not in PARTS or (part == "largestvideo" and not photo.film):
            raise NotFound
        endpoint, write = PARTS[part]
        if part.startswith("largest") and photo.is_unprocessed:
            raise NotFound
        return Found(endpoint, [photo], lambda photo: write(self.shaper, photo, home))

    def images(self, _question: Question, several: str) -> Found:
        """As `albums`; a wrong serial does not matter, for there is only one address to redirect to."""
        keys = [one.partition("-")[0] for one in several.split(",")]
        found = [pair for pair in map(self.find_image, keys) if pair]
        return self._several(IMAGES, found, lambda pair: self.shaper.image(*pair))

    def task(self, _question: Question, task: str) -> Found:
        """What was asked for with Async is done at once, so every task there is has ended."""
        if not self._is_owner:
            raise NotFound
        return Found(TASK, [task], lambda task: {"Status": "Completed", "Uri": f"{ROOT}/task/{task}"})

    @property
    def _is_owner(self) -> bool:
        return self.shaper.is_owner

    def _check_nickname(self, nickname: str) -> None:
        if nickname != self.library.nickname:
            raise NotFound

    def _may_see(self, album: Album) -> bool:
        return may_see(album, is_owner=self._is_owner)

    def _album(self, key: str) -> Album:
        album = self.library.album(key)
        if album is None or not self._may_see(album):
            raise NotFound
        return album

    def find_image(self, key: str) -> tuple[Photo, Album] | None:
        """The photo and its home; None where there is none, or none for this caller."""
        found = self.library.home(key)
        if found is None or not self._may_see(found[0]) or is_locked(found[0], is_owner=self._is_owner):
            return None
        return found[1], found[0]

    def _image(self, key: str) -> tuple[Photo, Album]:
        found = self.find_image(key)
        if found is None:
            raise NotFound
        return found

    def _several(self, endpoint: Endpoint, items: list[Any], write: Callable[[Any], Item]) -> Found:
        if not items:
            raise NotFound
        return Found(endpoint, items, write)

    def _album_image(self, photo: Photo, album: Album) -> Item:
        return self.shaper.album_image(photo, album, self._home(photo, album))

    def _home(self, photo: Photo, album: Album) -> Album:
        found = self.library.home(photo.key)
        return found[0] if found else album

    def _check_serial(self, photo: Photo, serial: str | None, before: str, after: str = "") -> None:
        if serial != str(photo.serial):
            raise Moved(f"{before}{image_id(photo)}{after}")


ROUTES: tuple[tuple[re.Pattern[str], Callable[..., Found]], ...] = tuple(
    (re.compile(re.escape(ROOT) + pattern), method)
    for pattern, method in (
        (r"!authuser", Desk.auth_user),
        (r"/user/(?P<nickname>[^/!]+)", Desk.user),
        (r"/user/(?P<nickname>[^/!]+)!albums", Desk.user_albums),
        (r"/user/(?P<nickname>[^/!]+)!deletedalbums", Desk.deleted_albums),
        (rf"/album/(?P<album>{KEY})", Desk.album),
        (rf"/album/(?P<several>{SEVERAL})", Desk.albums),
        (rf"/album/(?P<album>{KEY})!images", Desk.album_images),
        (rf"/album/(?P<album>{KEY})/image/{IMAGE_ID}", Desk.album_image),
        (rf"/highlight/node/(?P<node>{KEY})", Desk.highlight),
        (rf"/image/(?P<several>{SEVERAL})", Desk.images),
        (rf"/task/(?P<task>{KEY})", Desk.task),
        (rf"/image/{IMAGE_ID}(?:!(?P<part>[a-z]+))?", Desk.image),
    )
)
