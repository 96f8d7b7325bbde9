"""Pictures for the browser, under addresses of our own: signed, expiring, and without a word of SmugMug's in them.

The address holds photo, size and expiry; the expiry is rounded to the day, so that a picture keeps its address and
the browser its copy.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import time
from dataclasses import astuple
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.core.cache import cache
from django.urls import reverse

from smugmug.client import SmugMugClient, SmugMugGone
from smugmug.models import Photo
from smugmug.records import LARGE_PIXELS, THUMBNAIL_PIXELS, Rendition, smallest

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400
LIFE_DAYS = 7
SALT = "smugmug.images"
FULL_PIXELS = 2_560  # long side, for those who look closely
SIZES = {"thumb": THUMBNAIL_PIXELS, "large": LARGE_PIXELS, "full": FULL_PIXELS}

logger = logging.getLogger(__name__)


class BadAddress(Exception):
    """Forged, expired or mangled."""


def address(photo: Photo, size: str) -> str:
    """Our address of the photo in that size, good for LIFE_DAYS to LIFE_DAYS + 1 days."""
    return address_of(photo.pk, photo.image_id, size)


def address_of(photo: UUID, image_id: str, size: str) -> str:
    """The same, by the id of the photo and by what changes when its picture is replaced."""
    expiry = int(time.time()) // DAY + LIFE_DAYS + 1
    token = _signer(settings.SECRET_KEY).sign_object([photo.hex, size, expiry, image_id], serializer=_Compact)
    return f"{_beginning()}{token}"


class _Compact(signing.JSONSerializer):
    """JSON as django.core.signing writes it, without a new encoder for each address."""

    _encoder = json.JSONEncoder(separators=(",", ":"))

    def dumps(self, obj: Any) -> bytes:
        return self._encoder.encode(obj).encode("latin-1")


@functools.lru_cache(maxsize=2)
def _signer(secret: str) -> signing.Signer:
    return signing.Signer(key=secret, salt=SALT)


@functools.cache
def _beginning() -> str:
    """Of every address, looked up once: a page may show a hundred of them."""
    return reverse("smugmug:image", args=["-"]).removesuffix("-")


def read_address(token: str) -> tuple[UUID, str]:
    """(photo, size) of a good address; BadAddress for any other."""
    try:
        photo, size, expiry, _ = signing.Signer(salt=SALT).unsign_object(token)
        if expiry * DAY < time.time() or size not in SIZES:
            raise BadAddress
        return UUID(photo), size
    except (signing.BadSignature, ValueError, TypeError) as exc:
        raise BadAddress from exc


def on_disk(photo: Photo, size: str) -> bytes | None:
    """The JPEG of the photo in that size as it was fetched before; None where it was not, or is gone."""
    path = _path(photo, size)
    try:
        data = path.read_bytes()
    except OSError:
        return None
    _mark_used(path)
    return data


def fetch(photo: Photo, size: str, *, client: SmugMugClient) -> bytes:
    """The JPEG of the photo in that size from SmugMug, kept on disk; SmugMugError where it can't be had.

    From the address last seen, or, where that has moved, from the one SmugMug has given within the hour, or gives now.
    """
    known = {"thumb": photo.thumbnail_url, "large": photo.large_url}.get(size)
    data = _bytes_behind(known, client) if known else None
    if data is None:
        data = _from_renditions(photo.image_id, SIZES[size], client)
    _keep(_path(photo, size), data)
    return data


def _bytes_behind(url: str, client: SmugMugClient) -> bytes | None:
    """None where the address has moved."""
    try:
        return client.image_bytes(url)
    except SmugMugGone:
        return None


def _from_renditions(image_id: str, pixels: int, client: SmugMugClient) -> bytes:
    key = f"smugmug:renditions:{image_id}"  # with the serial, so a replaced picture has its own
    if known := smallest(tuple(Rendition(*size) for size in cache.get(key, ())), pixels):
        data = _bytes_behind(known.url, client)
        if data is not None:
            return data
        cache.delete(key)
    found = client.renditions(image_id)
    rendition = smallest(found, pixels)
    if rendition is None:
        raise SmugMugGone(f"{image_id} has no address")
    data = client.image_bytes(rendition.url)
    cache.set(key, [astuple(size) for size in found], settings.SMUGMUG_CACHE_SECONDS)
    return data


def _keep(path: Path, data: bytes) -> None:
    """Write the picture in one step; where that cannot be (a full disk), it is fetched again next time."""
    draft = path.with_suffix(f".{os.getpid()}-{time.monotonic_ns()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(data)
        draft.replace(path)
    except OSError as exc:
        logger.warning("a picture could not be kept on disk: %s", exc.strerror)
        with contextlib.suppress(OSError):
            draft.unlink()


def _mark_used(path: Path) -> None:
    """Make the file young again, at most once a day: the oldest go first when space is needed."""
    with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime > DAY:
            os.utime(path)


def trim(limit: int) -> int:
    """Delete the pictures used longest ago until the rest takes at most nine tenths of `limit` bytes; how many went."""
    files = []
    for path in (settings.DATA_DIR / "images").glob("*/*"):
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            files.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in files)
    if total <= limit:
        return 0
    gone = 0
    for _, size, path in sorted(files):
        if total <= 0.9 * limit:
            break
        path.unlink(missing_ok=True)
        total -= size
        gone += 1
    logger.info("%s pictures deleted from disk to stay below %s MB", gone, limit // 2**20)
    return gone


def _path(photo: Photo, size: str) -> Path:
    """Two levels, so that no folder holds 100,000 files; a replaced picture has another serial, and so a new name."""
    serial = photo.image_id.rpartition("-")[2]
    return settings.DATA_DIR / "images" / photo.pk.hex[:2] / f"{photo.pk.hex}-{int(serial)}-{size}.jpg"
