"""What SmugMug says, as frozen dataclasses in our words; parsing only.

Field names, types and quirks are from SmugMug's API v2 as recorded: keys may be missing, numbers may be text,
`Uris` hold objects or plain strings, and times of capture are off on purpose (see `_wall_clock`).
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

Json = Mapping[str, Any]

THUMBNAIL_PIXELS = 450  # a tile is 210 px high; twice that on a dense screen
LARGE_PIXELS = 1024
BIGGEST_INTEGER = 2**31 - 1
WORD = 16  # characters of a format, an origin, a privacy: none of SmugMug's own is longer
# SmugMug reads a camera's local time as US Pacific and stores the UTC of that, whatever zone was meant.
SMUGMUG_ZONE = ZoneInfo("America/Los_Angeles")


@dataclass(frozen=True, slots=True)
class RemoteUser:
    nickname: str
    name: str
    web_url: str


@dataclass(frozen=True, slots=True)
class RemoteAlbum:
    key: str
    node_id: str
    title: str
    description: str
    image_count: int
    last_updated: datetime.datetime | None
    images_last_updated: datetime.datetime | None
    url_path: str
    web_url: str
    privacy: str
    security_type: str
    is_locked: bool


@dataclass(frozen=True, slots=True)
class Rendition:
    """One size in which a picture can be fetched."""

    url: str
    width: int
    height: int

    @property
    def long_side(self) -> int:
        return max(self.width, self.height)


@dataclass(frozen=True, slots=True)
class RemoteImage:
    key: str
    serial: int
    filename: str
    title: str
    caption: str
    keywords: tuple[str, ...]
    date_taken: datetime.datetime | None
    width: int | None
    height: int | None
    size_bytes: int | None
    format: str
    is_video: bool
    is_hidden: bool
    is_processing: bool
    latitude: float | None
    longitude: float | None
    archived_md5: str
    uploaded_at: datetime.datetime | None
    updated_at: datetime.datetime | None
    uri: str
    web_url: str
    thumbnail_url: str
    original_url: str
    origin: str
    exif: dict[str, str] = field(default_factory=dict)
    renditions: tuple[Rendition, ...] = ()

    @property
    def image_id(self) -> str:
        return f"{self.key}-{self.serial}"

    @property
    def image_uri(self) -> str:
        """Of the picture itself, the same in every album; `uri` may be that of its place in one."""
        return f"/api/v2/image/{self.image_id}"


def user(raw: Json) -> RemoteUser:
    return RemoteUser(nickname=_text(raw, "NickName"), name=_text(raw, "Name"), web_url=_text(raw, "WebUri"))


def album(raw: Json) -> RemoteAlbum:
    return RemoteAlbum(
        key=_text(raw, "AlbumKey"),
        node_id=_text(raw, "NodeID"),
        title=_text(raw, "Name") or _text(raw, "Title"),
        description=_text(raw, "Description"),
        image_count=_integer(raw, "ImageCount", high=BIGGEST_INTEGER) or 0,
        last_updated=_moment(raw, "LastUpdated"),
        images_last_updated=_moment(raw, "ImagesLastUpdated"),
        url_path=_text(raw, "UrlPath"),
        web_url=_text(raw, "WebUri"),
        privacy=_text(raw, "Privacy")[:WORD],
        security_type=_text(raw, "SecurityType")[:WORD],
        is_locked=_text(raw, "ResponseLevel") in {"Password", "GrantAccess"},
    )


def image(raw: Json, expansions: Json) -> RemoteImage:
    """An Image or AlbumImage, with its sizes and camera data where they were expanded."""
    metadata = _expanded(raw, expansions, "ImageMetadata")
    sizes = _expanded(raw, expansions, "ImageSizeDetails")
    latitude, longitude = _decimal(raw, "Latitude"), _decimal(raw, "Longitude")
    is_video = bool(raw.get("IsVideo"))  # then SmugMug's size and MD5 are those of a poster, not of the film
    is_somewhere = bool(latitude or longitude)  # "0" and "0.000" mean that there is no position
    return RemoteImage(
        key=_text(raw, "ImageKey"),
        serial=_serial(raw),
        filename=_text(raw, "FileName"),
        title=_text(raw, "Title"),
        caption=_text(raw, "Caption"),
        keywords=_keywords(raw),
        date_taken=_naive(metadata, "DateTimeCreated") or _wall_clock(raw),
        width=_integer(raw, "OriginalWidth", high=BIGGEST_INTEGER),
        height=_integer(raw, "OriginalHeight", high=BIGGEST_INTEGER),
        size_bytes=None if is_video else _integer(raw, "OriginalSize") or _integer(raw, "ArchivedSize"),
        format=_text(raw, "Format")[:WORD],
        is_video=is_video,
        is_hidden=bool(raw.get("Hidden")),
        is_processing=bool(raw.get("Processing")),
        latitude=latitude if is_somewhere else None,
        longitude=longitude if is_somewhere else None,
        archived_md5="" if is_video else _text(raw, "ArchivedMD5")[:32],
        uploaded_at=_moment(raw, "DateTimeUploaded") or _moment(raw, "Date"),
        updated_at=_moment(raw, "LastUpdated"),
        uri=_text(raw, "Uri"),
        web_url=_text(raw, "WebUri"),
        thumbnail_url=_text(raw, "ThumbnailUrl"),
        original_url=_text(raw, "ArchivedUri"),
        origin=_text(raw, "Origin")[:WORD],
        exif=_camera(metadata),
        renditions=renditions(sizes),
    )


def renditions(sizes: Json) -> tuple[Rendition, ...]:
    """The usable sizes of an ImageSizeDetails, smallest first, without films."""
    found = (_object(sizes, name) for name in map(_clean, _list(sizes, "UsableSizes")) if name.startswith("ImageSize"))
    usable = [
        Rendition(_text(size, "Url"), _integer(size, "Width") or 0, _integer(size, "Height") or 0)
        for size in found
        if _text(size, "Url")
    ]
    return tuple(sorted(usable, key=lambda rendition: rendition.long_side))


def smallest(sizes: tuple[Rendition, ...], pixels: int) -> Rendition | None:
    """The smallest rendition whose long side is at least `pixels`, else the largest there is."""
    return next((size for size in sizes if size.long_side >= pixels), sizes[-1] if sizes else None)


def uri_of(raw: Json, name: str) -> str:
    """The address of a linked resource: an object at default verbosity, a plain string at 1."""
    links = _object(raw, "Uris")
    return _text(_object(links, name), "Uri") or _text(links, name)


def distinct(keywords: Iterable[str]) -> tuple[str, ...]:
    """Without blanks and without those that differ from an earlier one in case only: SmugMug takes them for one."""
    found: dict[str, str] = {}
    for keyword in filter(None, (keyword.strip() for keyword in keywords)):
        found.setdefault(keyword.casefold(), keyword)
    return tuple(found.values())


def _keywords(raw: Json) -> tuple[str, ...]:
    """From the list; the text is only for answers without one, as a comma may be part of a keyword."""
    if "KeywordArray" in raw:
        return distinct(map(_clean, _list(raw, "KeywordArray")))
    return distinct(keyword.strip().strip('"') for keyword in _text(raw, "Keywords").split(";"))


def _serial(raw: Json) -> int:
    """How often the picture was replaced; older answers have it in the address only."""
    serial = _integer(raw, "Serial", high=BIGGEST_INTEGER)
    if serial is None and (match := re.search(r"/image/[A-Za-z0-9]+-([0-9]{1,9})$", _text(raw, "Uri"))):
        return int(match[1])
    return serial or 0


def _expanded(raw: Json, expansions: Json, name: str) -> Json:
    return _object(_object(expansions, uri_of(raw, name)), name)


def _camera(metadata: Json) -> dict[str, str]:
    """camera, lens, exposure and place as a person reads them; only what is known."""
    make, model = _text(metadata, "Make"), _text(metadata, "Model")
    if not model.casefold().startswith(make.casefold()):
        model = f"{make} {model}".strip()
    aperture, iso = _text(metadata, "Aperture"), _text(metadata, "ISO")
    exposure = _text(metadata, "Exposure")
    parts = (
        exposure and f"{exposure.removesuffix(' s').removesuffix('s')} s",
        aperture and f"f/{aperture.removeprefix('f/')}",
        iso and f"ISO {iso}",
        _text(metadata, "FocalLength"),
    )
    found = {
        "camera": model,
        "lens": _text(metadata, "Lens"),
        "exposure": " · ".join(filter(None, parts)),
        "place": ", ".join(filter(None, (_text(metadata, part) for part in ("City", "State", "Country")))),
    }
    return {name: value for name, value in found.items() if value}


def _clean(value: Any) -> str:
    """Text that Postgres can keep: no NUL, and no half of a surrogate pair."""
    if isinstance(value, str) and value.isascii() and "\x00" not in value:
        return value  # as nearly all of it is
    if value is None or isinstance(value, bool | dict | list):
        return ""
    return str(value).replace("\x00", "").encode("utf-8", "replace").decode()


def _text(raw: Json, name: str) -> str:
    return _clean(raw.get(name))


def _object(raw: Json, name: str) -> Json:
    value = raw.get(name)
    return value if isinstance(value, Mapping) else {}


def _list(raw: Json, name: str) -> list[Any]:
    value = raw.get(name)
    return value if isinstance(value, list) else []


def _integer(raw: Json, name: str, *, low: int = 0, high: int = 2**63 - 1) -> int | None:
    try:
        number = int(raw.get(name) or 0)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if low <= number <= high and raw.get(name) is not None else None


def _decimal(raw: Json, name: str) -> float | None:
    try:
        number = float(raw.get(name) or 0)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _naive(raw: Json, name: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(_text(raw, name)).replace(tzinfo=None)
    except ValueError:
        return None


def _moment(raw: Json, name: str) -> datetime.datetime | None:
    try:
        moment = datetime.datetime.fromisoformat(_text(raw, name))
        return moment.astimezone(datetime.UTC) if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
    except (ValueError, OverflowError):
        return None


def _wall_clock(raw: Json) -> datetime.datetime | None:
    """What the camera's clock said, from DateTimeOriginal, which is that clock taken for US Pacific time."""
    moment = _moment(raw, "DateTimeOriginal")
    try:
        return moment.astimezone(SMUGMUG_ZONE).replace(tzinfo=None) if moment else None
    except OverflowError:  # the first day of the year 1
        return None
