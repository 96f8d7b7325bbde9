"""/api/v2: which object or list lies at an address, for one caller."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from operator import attrgetter

from . import parts
from .answers import BadQuestion, Endpoint, Found, Question, compose
from .collection import Album, Library, Photo
from .messages import Call, Reply, html_reply, problem
from .oauth import Level
from .pages import api_browser
from .shapes import Item, Shaper, image_id, is_listed, may_see, photos_of

ROOT = "/api/v2"
HEADERS = {
    "Content-Type": "application/json",
    "Cache-Control": "private, no-store, no-cache, max-age=0, must-revalidate",
    "Vary": "Accept-Encoding",
}
AUTH_USER = Endpoint("AuthUser", "User", "Currently authenticated user")
USER = Endpoint("User", "User", "User By Nickname", doc="user")
USER_ALBUMS = Endpoint("UserAlbums", "Album", "All of user's albums", ("Order",), page=50, most=100)
ALBUM = Endpoint("Album", "Album", "Album by key", doc="album")
ALBUM_IMAGES = Endpoint("AlbumImages", "AlbumImage", "Images from album", ("FileNames", "SkuId"), page=100, most=500)
ALBUM_IMAGE = Endpoint("AlbumImage", "AlbumImage", "Image from album", doc="album-image")
HIGHLIGHT = Endpoint("HighlightImage", "Image", "Highlight image for a folder, album, or page")
IMAGE = Endpoint("Image", "Image", "Image by key", doc="image")
IMAGE_ALBUMS = Endpoint("ImageAlbums", "Album", "Albums the image is included in", page=50, most=100)
SIZES = Endpoint("ImageSizes", "ImageSizes", "Sizes available for image")
SIZE_DETAILS = Endpoint(
    "ImageSizeDetails", "ImageSizeDetails", "Detailed size information for image", ("PrefetchSizes",)
)
LARGEST = Endpoint("LargestImage", "LargestImage", "Largest size available for image")
METADATA = Endpoint("ImageMetadata", "ImageMetadata", "Metadata for image")

# Order → the album's field, and whether the newest comes first; any other value changes nothing.
ORDERS = {
    "Last Updated (Descending)": ("updated", True),
    "Last Updated (Ascending)": ("updated", False),
    "Date Added (Descending)": ("created", True),
    "Date Added (Ascending)": ("created", False),
}
PARTS: dict[str, tuple[Endpoint, Callable[[Shaper, Photo], Item]]] = {
    "sizes": (SIZES, parts.sizes),
    "sizedetails": (SIZE_DETAILS, parts.size_details),
    "largestimage": (LARGEST, parts.largest),
    "metadata": (METADATA, parts.metadata),
}
KEY = r"[0-9A-Za-z]+"
IMAGE_ID = rf"(?P<image>{KEY})(?:-(?P<serial>\d+))?"


class NotFound(Exception):
    """Nothing there, or nothing this caller may see."""


class Moved(Exception):
    """The picture has another serial; `path` is its right address."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def answer(call: Call, *, library: Library, base: str, level: Level | None) -> Reply:
    """Answer one call; `level` is that of its token, None for a public one."""
    question = Question.parse(call.target)
    wanted = call.headers.get("accept", "") + question.values.get("_accept", "")
    if "application/json" not in wanted:
        return html_reply(200, api_browser(call.path))
    if call.method != "GET":
        return problem(405, "Method Not Allowed")
    desk = Desk(library, Shaper(library, base, is_owner=bool(level and level.access == "Full")), level)
    try:
        composed = compose(question, desk.find(question), desk.look_up)
    except NotFound:
        return problem(404, "Not Found")
    except BadQuestion:
        return problem(400, "Bad Request")
    except Moved as exc:
        query = f"?{call.query}" if call.query else ""
        return problem(301, "Moved Permanently", headers={"Location": f"{exc.path}{query}"})
    indent = 1 if "_pretty" in question.values else None
    return Reply(200, json.dumps(composed, indent=indent).encode(), HEADERS)


@dataclass(frozen=True)
class Desk:
    """Finds things in the library as far as one caller may see them."""

    library: Library
    shaper: Shaper
    level: Level | None

    def find(self, question: Question) -> Found:
        """What lies at the question's address. Raises NotFound or Moved."""
        for pattern, method in ROUTES:
            match = pattern.fullmatch(question.path)
            if match:
                return method(self, question, **match.groupdict())
        raise NotFound

    def look_up(self, uri: str) -> Found | None:
        """The same for a link that is to be expanded; None where there is nothing."""
        try:
            return self.find(Question(uri))
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

    def album(self, _question: Question, album: str) -> Found:
        return Found(ALBUM, [self._album(album)], self.shaper.album)

    def album_images(self, question: Question, album: str) -> Found:
        home = self._album(album)
        photos = home.photos if self._is_owner else photos_of(home, is_owner=False)
        names = question.values.get("FileNames")
        if names:
            photos = [photo for photo in photos if photo.file_name in names.split(",")]
        return Found(ALBUM_IMAGES, photos, lambda photo: self._album_image(photo, home))

    def album_image(self, _question: Question, album: str, image: str, serial: str | None) -> Found:
        place = self._album(album)
        photo = next((photo for photo in place.photos if photo.key == image), None)
        if photo is None:
            raise NotFound
        self._check_serial(photo, serial, f"{ROOT}/album/{album}/image/")
        return Found(ALBUM_IMAGE, [photo], lambda photo: self._album_image(photo, place))

    def highlight(self, _question: Question, node: str) -> Found:
        album = next((album for album in self.library.albums if album.node_id == node), None)
        if album is None or not may_see(album, is_owner=self._is_owner) or not album.photos:
            raise NotFound
        return Found(HIGHLIGHT, [album.photos[0]], lambda photo: self.shaper.image(photo, album))

    def image(self, _question: Question, image: str, serial: str | None, part: str | None) -> Found:
        photo, home = self._image(image)
        self._check_serial(photo, serial, f"{ROOT}/image/", f"!{part}" if part else "")
        if part is None:
            return Found(IMAGE, [photo], lambda photo: self.shaper.image(photo, home))
        if part == "albums" and self._is_owner:
            holders = [album for album in self.library.albums if photo in album.photos]
            return Found(IMAGE_ALBUMS, holders, self.shaper.album)
        if part not in PARTS:
            raise NotFound
        endpoint, write = PARTS[part]
        return Found(endpoint, [photo], partial(write, self.shaper))

    @property
    def _is_owner(self) -> bool:
        return self.shaper.is_owner

    def _check_nickname(self, nickname: str) -> None:
        if nickname != self.library.nickname:
            raise NotFound

    def _album(self, key: str) -> Album:
        album = self.library.album(key)
        if album is None or not may_see(album, is_owner=self._is_owner):
            raise NotFound
        return album

    def _image(self, key: str) -> tuple[Photo, Album]:
        found = self.library.home(key)
        if found is None or not may_see(found[0], is_owner=self._is_owner):
            raise NotFound
        return found[1], found[0]

    def _album_image(self, photo: Photo, album: Album) -> Item:
        found = self.library.home(photo.key)
        return self.shaper.album_image(photo, album, found[0] if found else album)

    def _check_serial(self, photo: Photo, serial: str | None, before: str, after: str = "") -> None:
        if serial != str(photo.serial):
            raise Moved(f"{before}{image_id(photo)}{after}")


ROUTES: tuple[tuple[re.Pattern[str], Callable[..., Found]], ...] = tuple(
    (re.compile(re.escape(ROOT) + pattern), method)
    for pattern, method in (
        (r"!authuser", Desk.auth_user),
        (r"/user/(?P<nickname>[^/!]+)", Desk.user),
        (r"/user/(?P<nickname>[^/!]+)!albums", Desk.user_albums),
        (rf"/album/(?P<album>{KEY})", Desk.album),
        (rf"/album/(?P<album>{KEY})!images", Desk.album_images),
        (rf"/album/(?P<album>{KEY})/image/{IMAGE_ID}", Desk.album_image),
        (rf"/highlight/node/(?P<node>{KEY})", Desk.highlight),
        (rf"/image/{IMAGE_ID}(?:!(?P<part>[a-z]+))?", Desk.image),
    )
)
