"""What the stand-in's library is made of: albums, the photos in them, and how each photo was taken."""

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


@dataclass(frozen=True)
class Film:
    """What makes a photo a video; its Frame is then the poster, and width and height are the film's."""

    seconds: float
    bitrate: int  # kbit/s


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
    film: Film | None = None
    is_unprocessed: bool = False  # uploaded, and stuck for ever before its sizes were made
    place: Place | None = None  # set by hand; goes before that of the shot
    home: str = ""  # key of the album it lives in; "" for the first that lists it

    @property
    def where(self) -> Place | None:
        return self.place or (self.shot.place if self.shot else None)


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
    has_password: bool = False  # locked to everybody but the owner
    is_locked: bool = False  # to the owner's own token too

    @property
    def url_name(self) -> str:
        return self.name.replace(" ", "-")


@dataclass(frozen=True)
class DeletedAlbum:
    album: Album
    deleted: datetime


def make_key(seed: str, length: int) -> str:
    """The same key for the same seed, on every machine: 6 letters for albums and nodes, 7 for images."""
    digest = hashlib.sha256(seed.encode()).digest()
    return "".join(KEY_LETTERS[byte % len(KEY_LETTERS)] for byte in digest[:length])
