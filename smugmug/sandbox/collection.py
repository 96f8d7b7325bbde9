"""The stand-in's library in memory: albums, the photos in them, and how each photo was taken.

Albums and photos may be changed while the server runs; the next answer shows it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

PACIFIC = ZoneInfo("America/Los_Angeles")
# Letters and digits that are hard to mistake for one another, as in SmugMug's own keys.
KEY_LETTERS = "bcdfghjkmnpqrstvwxzBCDFGHJKLMNPQRSTVWXZ23456789"


@dataclass(frozen=True)
class Camera:
    make: str
    model: str
    lens: str
    prefix: str  # of its file names


@dataclass(frozen=True)
class Place:
    latitude: float
    longitude: float
    altitude: int  # metres above the sea
    city: str
    country: str


@dataclass(frozen=True)
class Shot:
    """How and when a picture was taken; `taken` is the camera's wall clock, without a zone."""

    taken: datetime
    camera: Camera
    exposure: int  # 1/n of a second
    aperture: float
    iso: int
    focal_length: int  # mm
    place: Place | None = None

    @property
    def taken_as_utc(self) -> datetime:
        """SmugMug's DateTimeOriginal: it reads every wall clock as US Pacific time."""
        return self.taken.replace(tzinfo=PACIFIC, microsecond=0).astimezone(UTC)


@dataclass(frozen=True)
class Frame:
    """Which pixels a photo shows: one of the real files, perhaps a little cropped and exposed differently."""

    file: str
    margins: tuple[int, int, int, int] = (0, 0, 0, 0)  # pixels cut off left, top, right, bottom
    exposure: float = 1.0  # factor on the brightness
    is_sideways: bool = False  # stored turned by 90°, with EXIF orientation 6


@dataclass
class Photo:
    key: str
    file_name: str
    width: int  # upright
    height: int
    frame: Frame
    uploaded: datetime
    updated: datetime
    title: str = ""
    caption: str = ""
    keywords: Sequence[str] = ()
    shot: Shot | None = None
    serial: int = 0
    is_hidden: bool = False
    has_exif: bool = True  # whether the file itself carries what `shot` says


@dataclass
class Album:
    key: str
    node_id: str
    name: str
    created: datetime
    updated: datetime
    images_updated: datetime
    photos: Sequence[Photo] = field(default_factory=list)
    description: str = ""
    keywords: str = ""
    privacy: str = "Public"  # or Unlisted, Private

    @property
    def url_name(self) -> str:
        return self.name.replace(" ", "-")


@dataclass
class Library:
    """Everything one photographer has. A photo listed by several albums is at home in the first of them."""

    albums: list[Album]
    nickname: str = "demo"
    name: str = "Demo Photographer"

    def album(self, key: str) -> Album | None:
        return next((album for album in self.albums if album.key == key), None)

    def home(self, image_key: str) -> tuple[Album, Photo] | None:
        """The photo with this key and the album it lives in."""
        return next(
            ((album, photo) for album in self.albums for photo in album.photos if photo.key == image_key),
            None,
        )

    def count_photos(self) -> int:
        return sum(len(album.photos) for album in self.albums)


def make_key(seed: str, length: int) -> str:
    """The same key for the same seed, on every machine: 6 letters for albums and nodes, 7 for images."""
    digest = hashlib.sha256(seed.encode()).digest()
    return "".join(KEY_LETTERS[byte % len(KEY_LETTERS)] for byte in digest[:length])
