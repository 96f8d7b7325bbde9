"""SmugMug's API v2 in our words: questions in, frozen dataclasses out. No Django, no database."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import requests

from smugmug import records, writing
from smugmug.errors import (
    ClockOff,
    RefusedHere,
    SmugMugError,
    SmugMugGone,
    SmugMugLocked,
    SmugMugNonsense,
    SmugMugNotGranted,
    SmugMugRefused,
    SmugMugUnavailable,
    SmugMugUnchanged,
)
from smugmug.pacing import Pacer
from smugmug.records import Json, RemoteAlbum, RemoteImage, RemoteUser, Rendition
from smugmug.wire import ATTEMPTS, PATIENCE, TIMEOUT, Wire
from smugmug.writing import Wording

__all__ = [
    "ATTEMPTS",
    "PATIENCE",
    "TIMEOUT",
    "ClockOff",
    "Page",
    "RefusedHere",
    "SmugMugClient",
    "SmugMugError",
    "SmugMugGone",
    "SmugMugLocked",
    "SmugMugNonsense",
    "SmugMugNotGranted",
    "SmugMugRefused",
    "SmugMugUnavailable",
    "SmugMugUnchanged",
    "Wording",
]

ALBUMS_A_PAGE = 100  # SmugMug's cap
IMAGES_A_PAGE = 100  # of a cap of 500: larger pages take so long that SmugMug itself breaks them off
IMAGE_BYTES = 100 * 2**20  # no rendition is larger
# Sizes and camera data come with the list; a link that is filtered away could not be expanded.
FULL = {
    "_expand": "ImageSizeDetails,ImageMetadata",
    "_filteruri": "Image,ImageSizeDetails,ImageMetadata",
}
# Only what is named comes, so identity and address are named too.
SLIM = {
    "_filter": "ImageKey,Serial,Uri,FileName,Title,Caption,Keywords,KeywordArray,Hidden,IsVideo,Processing,"
    "LastUpdated,Origin",
}
KEY = re.compile(r"[A-Za-z0-9]{1,32}")
IMAGE_ID = re.compile(r"[A-Za-z0-9]{1,32}-[0-9]{1,10}")
NICKNAME = re.compile(r"[A-Za-z0-9-]{1,100}")

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list. The next one begins at start + count, whatever was asked for."""

    items: list[T]
    total: int  # of the whole list, as SmugMug counts
    start: int  # of the first item, from 1
    count: int  # how many SmugMug says it gave
    is_last: bool


class SmugMugClient:
    """One account's SmugMug. Safe to share between threads."""

    def __init__(  # noqa: PLR0913 - what a connection is made of
        self,
        *,
        new_session: Callable[[], requests.Session],
        api_url: str,
        pacer: Pacer,
        attempts: int = ATTEMPTS,
        patience: float = PATIENCE,
    ) -> None:
        self.wire = Wire(new_session, api_url, pacer, attempts, patience)

    @property
    def requests_made(self) -> int:
        return self.wire.requests_made

    @property
    def waiting_until(self) -> float | None:
        """Seconds since 1970, while SmugMug or our own back-off has us wait."""
        return self.wire.waiting_until

    def close(self) -> None:
        """Give the connections back; a later request opens new ones."""
        self.wire.close()

    def authenticated_user(self) -> RemoteUser:
        """Whom the token belongs to; SmugMugRefused where it belongs to nobody."""
        raw = _payload(self.wire.get("/api/v2!authuser", {}))
        if not isinstance(raw, dict) or not raw.get("NickName"):
            raise SmugMugRefused("no user in the answer to !authuser")
        return records.user(raw)

    def albums_page(self, nickname: str, start: int = 1) -> Page[RemoteAlbum]:
        """A page of all albums of the account, in no order that could be relied on."""
        if not NICKNAME.fullmatch(nickname):
            sentence = "That is no SmugMug nickname: it is the first word of the site's address, not an e-mail address."
            raise SmugMugGone("no nickname", advice=sentence)
        path = f"/api/v2/user/{nickname}!albums"
        answer = self.wire.get(path, {"start": str(start), "count": str(ALBUMS_A_PAGE)})
        return _page(answer, start, records.album)

    def album(self, key: str) -> RemoteAlbum:
        raw = _payload(self.wire.get(f"/api/v2/album/{_album_key(key)}", {}))
        if not isinstance(raw, dict):
            raise SmugMugNonsense(f"album {key} has no body")
        return records.album(raw)

    def images_page(self, album_key: str, start: int = 1, *, slim: bool = False) -> Page[RemoteImage]:
        """A page of the images of an album in its order, each with sizes and camera data.

        `slim` brings the words and the identity only: no sizes, no camera data, no pixels.
        """
        path = f"/api/v2/album/{_album_key(album_key)}!images"
        wishes = SLIM if slim else FULL
        answer = self.wire.get(path, {**wishes, "start": str(start), "count": str(IMAGES_A_PAGE)})
        expansions = answer.get("Expansions") or {}
        return _page(answer, start, lambda raw: records.image(raw, expansions))

    def has_image(self, image_id: str) -> bool:
        """Whether the image is still there; False only on a clear no."""
        try:
            self.wire.get(f"/api/v2/image/{_image_id(image_id)}", {"_filter": "ImageKey"})
        except SmugMugGone:
            return False
        return True

    def renditions(self, image_id: str) -> tuple[Rendition, ...]:
        """The sizes in which the image can be fetched now, smallest first."""
        raw = _payload(self.wire.get(f"/api/v2/image/{_image_id(image_id)}!sizedetails", {}))
        return records.renditions(raw) if isinstance(raw, dict) else ()

    def image_bytes(self, url: str) -> bytes:
        """The bytes behind an image address; it is signed only where the host is the API's own or SmugMug's.

        SmugMugGone on 401, 403 and 404: addresses move, and the caller reads them again.
        """
        host = urlsplit(url).hostname or ""
        ours = host == urlsplit(self.wire.api_url).hostname or host.endswith(".smugmug.com")
        options: Any = {} if ours else {"auth": lambda request: request}
        try:
            response = self.wire.session().get(
                url, timeout=TIMEOUT, allow_redirects=False, headers={"Accept": "image/*"}, **options
            )
        except requests.RequestException as exc:
            raise SmugMugUnavailable(f"image not fetched: {type(exc).__name__}") from exc
        if response.status_code in {401, 403, 404, 410}:
            raise SmugMugGone(f"image address answered {response.status_code}")
        if response.status_code != requests.codes.ok:
            raise SmugMugUnavailable(f"image address answered {response.status_code}")
        if len(response.content) > IMAGE_BYTES:
            raise SmugMugNonsense("the image is larger than any rendition can be")
        return response.content

    def image(self, image_id: str) -> RemoteImage:
        """The image as it is now, without its sizes and camera data; SmugMugGone where it is no more."""
        return writing.read(self.wire, _image_id(image_id))

    def reword(self, image_uri: str, wording: Wording) -> RemoteImage:
        """Change caption, title and keywords, each at most once, and give the image as it is then.

        SmugMugUnavailable: the rest was not made; SmugMugUnchanged names the fields that SmugMug did not keep.
        """
        return writing.reword(self.wire, image_uri, wording)

    def check_changes_are_granted(self, image_uri: str) -> None:
        """SmugMugNotGranted where they are not. Nothing is changed."""
        writing.probe(self.wire, image_uri)

    def change_image(self, image_uri: str, fields: Mapping[str, Any]) -> RemoteImage:
        """Change the image, in every album that shows it, and give it as it is then.

        SmugMugUnchanged names the fields that SmugMug did not keep; SmugMugUnavailable: nothing is known to be changed.
        """
        return writing.change_image(self.wire, image_uri, fields)

    def add_keywords(self, image_uris: Collection[str], keywords: Collection[str]) -> None:
        """Add to what the images have at that moment, each image once, however many albums it stands in."""
        writing.change_keywords(self.wire, "addkeywords", image_uris, keywords)

    def remove_keywords(self, image_uris: Collection[str], keywords: Collection[str]) -> None:
        """Take away from what the images have at that moment; other keywords stay."""
        writing.change_keywords(self.wire, "removekeywords", image_uris, keywords)


def _album_key(key: str) -> str:
    """The key, fit for an address; SmugMugGone where it cannot be one."""
    if not KEY.fullmatch(key):
        raise SmugMugGone("no album key", advice="SmugMug has no such album: its key is letters and digits.")
    return key


def _image_id(image_id: str) -> str:
    if not IMAGE_ID.fullmatch(image_id):
        raise SmugMugGone("no image key", advice="SmugMug has no such photo: its key is letters, digits and a serial.")
    return image_id


def _payload(answer: Json) -> Any:
    """The object or list of an answer; None where the key is missing, as it is for an empty list."""
    return answer["Response"].get(str(answer["Response"].get("Locator")))


def _page(answer: Json, start: int, read: Callable[[Json], Any]) -> Page[Any]:
    """A page of a list; SmugMugNonsense where it cannot be one.

    NextPage says only whether there is one more: it drops _expand and _verbosity.
    """
    found, pages = _payload(answer), answer["Response"].get("Pages")
    raws = [] if found is None else found
    if not isinstance(raws, list) or not all(isinstance(raw, dict) for raw in raws) or not isinstance(pages, dict):
        raise SmugMugNonsense("a list that is none")
    total, count = _number(pages, "Total"), _number(pages, "Count")
    items = [read(raw) for raw in raws]
    if not all(KEY.fullmatch(item.key) for item in items):
        raise SmugMugNonsense("a list of things without keys")
    return Page(items, total, start, count, is_last=not count or "NextPage" not in pages)


def _number(pages: Json, name: str) -> int:
    value = pages.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise SmugMugNonsense("a list that is not counted")
    return value
