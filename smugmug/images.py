"""Pictures for the browser, under addresses of our own: signed, expiring, and without a word of SmugMug's in them.

The address holds photo, size and expiry; the expiry is rounded to the day, so that a picture keeps its address and
the browser its copy.
"""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.urls import reverse

from smugmug.client import SmugMugClient, SmugMugGone
from smugmug.models import Photo
from smugmug.records import LARGE_PIXELS, THUMBNAIL_PIXELS, smallest

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400
LIFE_DAYS = 7
SALT = "smugmug.images"
SIZES = {"thumb": THUMBNAIL_PIXELS, "large": LARGE_PIXELS}

logger = logging.getLogger(__name__)


class BadAddress(Exception):
    """Forged, expired or mangled."""


def address(photo: Photo, size: str) -> str:
    """Our address of the photo in that size, good for LIFE_DAYS to LIFE_DAYS + 1 days."""
    expiry = int(time.time()) // DAY + LIFE_DAYS + 1
    token = signing.Signer(salt=SALT).sign_object([photo.pk.hex, size, expiry, photo.image_id])
    return reverse("smugmug:image", args=[token])


def read_address(token: str) -> tuple[UUID, str]:
    """(photo, size) of a good address; BadAddress for any other."""
    try:
        photo, size, expiry, _ = signing.Signer(salt=SALT).unsign_object(token)
        if expiry * DAY < time.time() or size not in SIZES:
            raise BadAddress
        return UUID(photo), size
    except (signing.BadSignature, ValueError, TypeError) as exc:
        raise BadAddress from exc


def picture(photo: Photo, size: str, *, client: SmugMugClient) -> bytes:
    """The JPEG of the photo in that size, from DATA_DIR or else from SmugMug; SmugMugError where it can't be had."""
    path = _path(photo, size)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        data = _fetch(photo, size, client)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}-{time.monotonic_ns()}")
    draft.write_bytes(data)
    draft.replace(path)
    return data


def _path(photo: Photo, size: str) -> Path:
    """Two levels, so that no folder holds 100,000 files; a replaced picture has another serial, and so a new name."""
    return settings.DATA_DIR / "images" / photo.pk.hex[:2] / f"{photo.pk.hex}-{photo.image_id}-{size}.jpg"


def _fetch(photo: Photo, size: str, client: SmugMugClient) -> bytes:
    """From the address last seen, or, where that has moved, from the one SmugMug gives now."""
    known = photo.thumbnail_url if size == "thumb" else photo.large_url
    if known:
        try:
            return client.image_bytes(known)
        except SmugMugGone:
            logger.info("photo %s: its address has moved", photo.pk)
    rendition = smallest(client.renditions(photo.image_id), SIZES[size])
    if rendition is None:
        raise SmugMugGone(f"{photo.image_id} has no rendition")
    return client.image_bytes(rendition.url)
