"""The mirror's rows: what SmugMug listed becomes albums, photos and their places, by sets. No network here.

Times that are compared with each other (listed, moved, read) are the database's, so that machines whose clocks differ
can share the work.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Greatest, Now
from django.utils import timezone

from smugmug.models import Account, Album, AlbumPhoto, Photo
from smugmug.records import LARGE_PIXELS, THUMBNAIL_PIXELS, RemoteAlbum, RemoteImage, smallest
from smugmug.upserts import ROWS_A_STATEMENT, upsert
from targetvision.deadlocks import again_after_deadlock

Row = dict[str, Any]

FRESH = datetime.timedelta(hours=1)  # for so long SmugMug may know less of an upload than it will
PROCESSING = datetime.timedelta(days=1)  # what is not processed by then may stay so for ever

ALBUM_FIELDS = (
    "user_id", "album_id", "title", "description", "image_count", "last_updated", "images_last_updated",
    "url_path", "web_url", "privacy", "security_type", "is_locked", "listed_at", "removed_at",
)  # fmt: skip
LOCKED_FIELDS = ("security_type", "is_locked", "listed_at", "removed_at")  # SmugMug says no more of a locked album
# What moves when the pictures of an album do. A locked album has none of it, so its unlocking shows as a move too.
STAMP = ("image_count", "images_last_updated", "last_updated", "is_locked", "removed_at")
# What a photo is, apart from where it can be fetched just now.
CONTENT = (
    "image_id", "filename", "title", "caption", "keywords", "date_taken", "width", "height", "size_bytes", "format",
    "is_video", "is_hidden", "latitude", "longitude", "archived_md5", "exif", "uploaded_at", "remote_updated_at",
    "removed_at",
)  # fmt: skip
ADDRESSES = ("thumbnail_url", "large_url", "original_url")
# Only its own album says where a photo lives and which is its page; any album that shows it says all the rest.
AT_HOME = ("album", "image_url")
# What we ourselves may have written there while a list was read; of two that were read, the later one is believed.
WORDS = ("title", "caption", "keywords", "remote_updated_at", "synced_at")
PHOTO_FIELDS = (*CONTENT, *ADDRESSES, "is_fresh")
# What of it has the same name here and in the client's records.
AS_LISTED = (
    "image_id", "filename", "title", "caption", "date_taken", "original_url", "width", "height", "size_bytes",
    "format", "is_video", "is_hidden", "latitude", "longitude", "archived_md5", "exif", "uploaded_at",
)  # fmt: skip
# What a slim listing says of a picture; another answer than last time has the album read in full.
SLIM = ("image_id", "filename", "title", "caption", "is_hidden", "is_video")


@dataclass(frozen=True, slots=True)
class Changes:
    """How many photos of a listing were new to the mirror, and how many of the others were another than before."""

    new: int = 0
    changed: int = 0


@again_after_deadlock
@transaction.atomic
def save_albums(account: Account, albums: Collection[RemoteAlbum]) -> None:
    """Write the albums of a list; those whose pictures have changed since they were read get a new moved_at.

    Locked ones keep what was known of them.
    """
    before = {row[0]: row[1:] for row in Album.objects.filter(account=account).values_list("album_key", *STAMP)}
    for is_locked, fields in ((False, ALBUM_FIELDS), (True, LOCKED_FIELDS)):
        Album.objects.bulk_create(
            [_album(account, album) for album in albums if album.is_locked == is_locked],
            update_conflicts=True,
            unique_fields=["album_key"],
            update_fields=fields,
            batch_size=ROWS_A_STATEMENT,
        )
    moved = [album.key for album in albums if before.get(album.key) != _stamp(album)]
    Album.objects.filter(account=account, album_key__in=moved).update(moved_at=Now())


def _stamp(album: RemoteAlbum) -> tuple[Any, ...]:
    return (*(getattr(album, name) for name in STAMP if name != "removed_at"), None)


def _album(account: Account, album: RemoteAlbum) -> Album:
    return Album(
        account=account,
        album_key=album.key,
        user_id=account.nickname,
        album_id=album.node_id,
        listed_at=Now(),
        **{name: getattr(album, name) for name in ALBUM_FIELDS if hasattr(album, name)},
    )


@again_after_deadlock
@transaction.atomic
def remove_album(album: Album) -> None:
    """Mark the album as gone; its photos stay until it is known what became of them."""
    Album.objects.filter(pk=album.pk).update(removed_at=Now())
    AlbumPhoto.objects.filter(album=album).delete()


def remove_photo(photo_id: UUID) -> bool:
    """Mark the photo as gone, unless it has turned up in an album meanwhile; its words stay with it."""
    return bool(Photo.objects.present().filter(pk=photo_id, standings=None).update(removed_at=Now()))


def save_words(photo_id: UUID, image: RemoteImage) -> None:
    """The photo's words are on SmugMug now as the image says; all else is left to the next sync."""
    Photo.objects.filter(pk=photo_id).update(
        title=image.title,
        caption=image.caption,
        keywords=list(image.keywords),
        remote_updated_at=image.updated_at,
        synced_at=Now(),
    )


def is_as_listed(album: Album, images: list[RemoteImage]) -> bool:
    """Whether a slim listing says of the album's pictures, and their order, just what the mirror says."""
    standings = AlbumPhoto.objects.filter(album=album).order_by("position")
    columns = ("image_key", "removed_at", "keywords", "remote_updated_at", *SLIM)
    names = ("origin", *(f"photo__{column}" for column in columns))
    told = [
        (
            image.origin,
            image.key,
            None,
            list(image.keywords),
            image.updated_at,
            *(getattr(image, name) for name in SLIM),
        )
        for image in images
    ]
    return list(standings.values_list(*names)) == told


def mark_read(album: Album, as_of: datetime.datetime) -> Changes:
    """The album and its pictures were at that time as they are here."""
    Album.objects.filter(pk=album.pk).update(synced_at=as_of)
    Photo.objects.filter(standings__album=album).update(synced_at=Greatest("synced_at", as_of))
    return Changes()


@again_after_deadlock
@transaction.atomic
def save_listing(album: Album, images: list[RemoteImage], *, as_of: datetime.datetime, is_complete: bool) -> Changes:
    """Make the mirror of the album equal to the list as it was at `as_of`.

    From an incomplete list nothing is concluded about what it lacks: no place is given up, and the album counts as
    unread.
    """
    rows = sorted((_row(album, image, as_of) for image in images), key=itemgetter("image_key"))
    before = _known([row["image_key"] for row in rows])
    ids = _save_photos(rows, before, at_home={image.key for image in images if image.origin in {"", "Album"}})
    _forget_looks(rows, before)
    _place(album, [(ids[image.key], image.origin) for image in images], is_complete=is_complete)
    if is_complete:
        Album.objects.filter(pk=album.pk).update(synced_at=as_of)
    known = [row for row in rows if row["image_key"] in before]
    return Changes(
        new=len(rows) - len(known), changed=sum(_differs(before[row["image_key"]], row, CONTENT) for row in known)
    )


def _save_photos(rows: list[Row], before: dict[str, Row], *, at_home: set[str]) -> dict[str, UUID]:
    """Write the photos that are another than before, and of the others that they were read; the id of each."""
    ids = {key: known["pk"] for key, known in before.items()}
    written: set[str] = set()
    for fields, group in (
        ((*AT_HOME, *PHOTO_FIELDS), [row for row in rows if row["image_key"] in at_home]),
        (PHOTO_FIELDS, [row for row in rows if row["image_key"] not in at_home]),
    ):
        other = [row for row in group if _differs(before.get(row["image_key"]), row, fields)]
        ids.update(upsert(Photo, other, unique=["image_key"], update=[*fields, "synced_at"], latest=WORDS))
        written.update(row["image_key"] for row in other)
    same = [row for row in rows if row["image_key"] not in written]
    if same:
        keys = [row["image_key"] for row in same]
        Photo.objects.filter(image_key__in=keys).update(synced_at=Greatest("synced_at", same[0]["synced_at"]))
    return ids


def _known(keys: list[str]) -> dict[str, Row]:
    """What the mirror has of these photos, by key."""
    rows = Photo.objects.filter(image_key__in=keys).values("pk", "image_key", *AT_HOME, *PHOTO_FIELDS)
    return {row["image_key"]: row for row in rows}


def _differs(before: Row | None, row: Row, fields: Iterable[str]) -> bool:
    return before is None or any(before[name] != row[name] for name in fields)


def _forget_looks(rows: list[Row], before: dict[str, Row]) -> None:
    """A new serial means new bytes: what was known of how the picture looks is over."""
    replaced = [row["image_key"] for row in rows if _differs(before.get(row["image_key"], row), row, ["image_id"])]
    if replaced:
        Photo.objects.filter(image_key__in=replaced).update(perceptual_hash=None)


def _place(album: Album, photos: list[tuple[UUID, str]], *, is_complete: bool) -> None:
    """Where each photo (id, origin) stands in the album; from a complete list also: what stands there no longer."""
    wanted = {photo: (position, origin) for position, (photo, origin) in enumerate(photos, start=1)}
    standing = AlbumPhoto.objects.filter(album=album)
    now = {photo: place for photo, *place in standing.values_list("photo", "position", "origin")}
    rows = [
        {"album": album.pk, "photo": photo, "position": position, "origin": origin}
        for photo, (position, origin) in sorted(wanted.items())
        if now.get(photo) != [position, origin]
    ]
    upsert(AlbumPhoto, rows, unique=["album", "photo"], update=["position", "origin"])
    if is_complete and (left := now.keys() - wanted.keys()):
        standing.filter(photo__in=left).delete()


def _row(album: Album, image: RemoteImage, as_of: datetime.datetime) -> Row:
    """What the mirror keeps of a picture that is listed: field → value."""
    thumbnail = smallest(image.renditions, THUMBNAIL_PIXELS)
    large = smallest(image.renditions, LARGE_PIXELS)
    return {
        "account": album.account_id,
        "album": album.pk,
        "image_key": image.key,
        "keywords": list(image.keywords),
        "image_url": image.web_url,
        "thumbnail_url": thumbnail.url if thumbnail else image.thumbnail_url,
        "large_url": large.url if large else "",
        "remote_updated_at": image.updated_at,
        "is_fresh": _is_fresh(image),
        "synced_at": as_of,
        "removed_at": None,
        **{name: getattr(image, name) for name in AS_LISTED},
    }


def _is_fresh(image: RemoteImage) -> bool:
    """Whether SmugMug may soon know more of the picture: its camera data come minutes after the upload."""
    if image.uploaded_at is None:
        return False
    age = timezone.now() - image.uploaded_at
    return age < (PROCESSING if image.is_processing else FRESH)


def with_fresh_photos() -> Q:
    """Albums with pictures that were read too soon after their upload, some time ago."""
    waited = timezone.now() - FRESH / 4
    return Q(synced_at__lt=waited, pk__in=AlbumPhoto.objects.filter(photo__is_fresh=True).values("album"))


def moved() -> Q:
    """Albums whose pictures have changed since they were read, or were never read."""
    return Q(synced_at=None) | Q(synced_at__lt=F("moved_at"))
