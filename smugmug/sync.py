"""Remote library → mirror. Requests run in threads that hold no connection; rows are written here, an album a time.

What is left to do is read from the rows themselves (albums not read since the run began), so a run can be broken off
anywhere and taken up again.
"""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from smugmug.client import SmugMugClient, SmugMugError, SmugMugGone, SmugMugNonsense, SmugMugRefused
from smugmug.models import Account, Album, AlbumPhoto, Photo, SyncRun
from smugmug.records import LARGE_PIXELS, THUMBNAIL_PIXELS, RemoteAlbum, RemoteImage, smallest
from targetvision import logs
from targetvision.models import RunError, RunState

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet

logger = logging.getLogger(__name__)

IN_FLIGHT = 4  # requests at once: 2 s for a page of 100 would else leave the budget of 4 a second unused
ROWS_A_STATEMENT = 500

ALBUM_FIELDS = (
    "user_id", "album_id", "title", "description", "image_count", "last_updated", "images_last_updated",
    "url_path", "web_url", "privacy", "security_type", "is_locked", "removed_at",
)  # fmt: skip
LOCKED_FIELDS = ("security_type", "is_locked", "removed_at")  # SmugMug says no more of a locked album
PHOTO_FIELDS = (
    "image_id", "filename", "title", "caption", "keywords", "date_taken", "image_url", "thumbnail_url", "large_url",
    "original_url", "width", "height", "size_bytes", "format", "is_video", "is_hidden", "latitude", "longitude",
    "archived_md5", "exif", "uploaded_at", "remote_updated_at", "synced_at", "removed_at",
)  # fmt: skip

Listing = tuple[Album, "Future[list[RemoteImage]]"]


def start(account: Account, *, by: User | None) -> tuple[SyncRun, bool]:
    """A new run of the account, or the one that is active; and whether it is new."""
    try:
        with transaction.atomic():
            return SyncRun.objects.create(account=account, requested_by=by), True
    except IntegrityError:
        active = SyncRun.objects.active().filter(account=account).first()
        # It may have ended since the constraint spoke.
        return (active, False) if active else start(account, by=by)


def carry_on(
    run: SyncRun, *, client: SmugMugClient, seconds: float, tell: Callable[[SyncRun], None] = lambda run: None
) -> bool:
    """Work on the run for about `seconds`; True when there is nothing more to do, by us or at all.

    `tell` is called with the run whenever its figures have changed.
    """
    if not run.begin(alone=True):
        return True
    with logs.about(run=run.pk, account=run.account_id):
        try:
            return _carry_on(run, client, time.monotonic() + seconds, tell)
        except SmugMugRefused as exc:
            Account.objects.connected().filter(pk=run.account_id).update(state=Account.State.REFUSED)
            return _failed(run, exc)
        except SmugMugError as exc:
            return _failed(run, exc)


def _failed(run: SyncRun, exc: SmugMugError) -> bool:
    logger.warning("sync %s failed: %s", run.pk, exc)
    run.finish(RunState.FAILED, exc.advice)
    return True


def _carry_on(run: SyncRun, client: SmugMugClient, deadline: float, tell: Callable[[SyncRun], None]) -> bool:
    requests_before = run.requests_made - client.requests_made  # the client may have worked on an earlier slice
    if run.albums_listed_at is None:
        _mirror_albums(run, client)
        tell(run)

    def beat() -> bool:
        return run.beat(requests_made=requests_before + client.requests_made, waiting_for=_waiting(client))

    for album, listing in _listings(_unread(run), client, lambda: time.monotonic() < deadline and beat()):
        _mirror_listing(run, album, listing)
        tell(run)
    if not beat():
        return True  # cancelled
    if time.monotonic() >= deadline and _unread(run).exists():
        run.queue()
        return False
    if not run.errors:
        _remove_lost_photos(run, client)
    beat()
    run.finish(RunState.PARTIAL if run.errors else RunState.SUCCEEDED)
    logger.info("sync %s %s: %s photos in %s albums", run.pk, run.state, run.photos_seen, run.done)
    tell(run)
    return True


def _waiting(client: SmugMugClient) -> str:
    if client.waiting_until is None:
        return ""
    until = datetime.datetime.fromtimestamp(client.waiting_until, datetime.UTC)
    return f"Waiting for SmugMug until {until:%H:%M:%S} UTC (it asked us to slow down)."


def _unread(run: SyncRun) -> QuerySet[Album]:
    """The albums that this run has still to read: not locked, not failed, and not read since it began."""
    return (
        Album.objects.present()
        .filter(Q(synced_at=None) | Q(synced_at__lt=run.started_at), account=run.account_id, is_locked=False)
        .exclude(album_key__in=[error["key"] for error in run.errors])
        .order_by("album_key")
    )


def _mirror_albums(run: SyncRun, client: SmugMugClient) -> None:
    """List all albums; keep them; mark as removed those that a complete list lacks and SmugMug denies."""
    listed: dict[str, RemoteAlbum] = {}
    for page in client.albums(run.account.nickname):
        listed.update((album.key, album) for album in page)
        run.beat()
    lacking = Album.objects.present().filter(account=run.account_id).exclude(album_key__in=listed)
    gone = [album.pk for album in lacking if _is_gone(client, album)]
    with transaction.atomic():
        _upsert_albums(run.account, listed.values())
        Album.objects.filter(pk__in=gone).update(removed_at=timezone.now())
        AlbumPhoto.objects.filter(album__in=gone).delete()
        locked = sum(album.is_locked for album in listed.values())
        readable = Album.objects.present().filter(account=run.account_id, is_locked=False).count()
        run.beat(albums_listed_at=timezone.now(), total=readable, albums_locked=locked)


def _is_gone(client: SmugMugClient, album: Album) -> bool:
    """True only on a clear no; whatever else goes wrong proves nothing."""
    try:
        client.album(album.album_key)
    except SmugMugGone:
        return True
    except SmugMugRefused:
        raise
    except SmugMugError as exc:
        logger.warning("album %s is not listed, and could not be asked for: %s", album.album_key, exc)
    return False


def _upsert_albums(account: Account, albums: Collection[RemoteAlbum]) -> None:
    """Write the albums; those that are locked keep what was known of them."""
    for is_locked, fields in ((False, ALBUM_FIELDS), (True, LOCKED_FIELDS)):
        Album.objects.bulk_create(
            [_album(account, album) for album in albums if album.is_locked == is_locked],
            update_conflicts=True,
            unique_fields=["album_key"],
            update_fields=fields,
            batch_size=ROWS_A_STATEMENT,
        )


def _album(account: Account, album: RemoteAlbum) -> Album:
    return Album(
        account=account,
        album_key=album.key,
        user_id=account.nickname,
        album_id=album.node_id,
        **{name: getattr(album, name) for name in ALBUM_FIELDS if hasattr(album, name)},
    )


def _listings(albums: Iterable[Album], client: SmugMugClient, go_on: Callable[[], bool]) -> Iterator[Listing]:
    """The albums, each with its finished listing, in the order in which they come.

    IN_FLIGHT are asked for at once. `go_on` is asked at least every heartbeat; after its first False nothing
    new is begun, and what is under way is waited for.
    """
    waiting = iter(albums)
    pool = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="smugmug")
    under_way: dict[Future[list[RemoteImage]], Album] = {}
    try:
        while True:
            if go_on():
                while len(under_way) < IN_FLIGHT and (album := next(waiting, None)):
                    under_way[pool.submit(_list_images, client, album.album_key)] = album
            else:
                waiting = iter(())
            if not under_way:
                return
            ready, _ = wait(under_way, timeout=settings.HEARTBEAT_SECONDS, return_when=FIRST_COMPLETED)
            for future in ready:
                yield under_way.pop(future), future
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _list_images(client: SmugMugClient, album_key: str) -> list[RemoteImage]:
    return [image for page in client.images(album_key) for image in page]


def _mirror_listing(run: SyncRun, album: Album, listing: Future[list[RemoteImage]]) -> None:
    """Write what came, or record why nothing did; the run goes on either way."""
    try:
        images = listing.result()
        if album.image_count and not images:
            raise SmugMugNonsense(f"album {album.album_key} should hold {album.image_count} images and lists none")
    except SmugMugRefused:
        raise
    except SmugMugError as exc:
        logger.warning("sync %s: album %s not read: %s", run.pk, album.album_key, exc)
        error = RunError(key=album.album_key, title=album.title, sentence=exc.advice)
        run.beat(errors=[*run.errors, error])
        return
    with transaction.atomic():
        new = save_listing(album, images)
        run.beat(done=run.done + 1, photos_seen=run.photos_seen + len(images), photos_new=run.photos_new + new)


def save_listing(album: Album, images: list[RemoteImage]) -> int:
    """Make the mirror of the album equal to the list, in the caller's transaction; returns how many photos are new."""
    now = timezone.now()
    keys = [image.key for image in images]
    known = set(Photo.objects.filter(image_key__in=keys).values_list("image_key", flat=True))
    at_home = [image for image in images if image.origin in {"", "Album"}]
    guests = [image for image in images if image.origin not in {"", "Album"}]
    _upsert_photos(album, at_home, now, fields=("album", *PHOTO_FIELDS))
    _upsert_photos(album, guests, now, fields=PHOTO_FIELDS)
    ids = dict(Photo.objects.filter(image_key__in=keys).values_list("image_key", "pk"))
    AlbumPhoto.objects.bulk_create(
        [
            AlbumPhoto(album=album, photo_id=ids[image.key], position=position, origin=image.origin)
            for position, image in enumerate(images, start=1)
        ],
        update_conflicts=True,
        unique_fields=["album", "photo"],
        update_fields=["position", "origin"],
        batch_size=ROWS_A_STATEMENT,
    )
    AlbumPhoto.objects.filter(album=album).exclude(photo__in=ids.values()).delete()
    Album.objects.filter(pk=album.pk).update(synced_at=now)
    return len(set(keys) - known)


def _upsert_photos(album: Album, images: list[RemoteImage], now: datetime.datetime, *, fields: tuple[str, ...]) -> None:
    Photo.objects.bulk_create(
        [_photo(album, image, now) for image in images],
        update_conflicts=True,
        unique_fields=["image_key"],
        update_fields=fields,
        batch_size=ROWS_A_STATEMENT,
    )


def _photo(album: Album, image: RemoteImage, now: datetime.datetime) -> Photo:
    thumbnail = smallest(image.renditions, THUMBNAIL_PIXELS)
    large = smallest(image.renditions, LARGE_PIXELS)
    return Photo(
        account_id=album.account_id,
        album=album,
        image_key=image.key,
        image_id=image.image_id,
        keywords=list(image.keywords),
        image_url=image.web_url,
        thumbnail_url=thumbnail.url if thumbnail else image.thumbnail_url,
        large_url=large.url if large else "",
        remote_updated_at=image.updated_at,
        synced_at=now,
        **{
            name: getattr(image, name)
            for name in (
                "filename", "title", "caption", "date_taken", "original_url", "width", "height", "size_bytes",
                "format", "is_video", "is_hidden", "latitude", "longitude", "archived_md5", "exif", "uploaded_at",
            )
        },
    )  # fmt: skip


def _remove_lost_photos(run: SyncRun, client: SmugMugClient) -> None:
    """Mark as removed the photos that stand in no album after a clean, complete pass, and that SmugMug denies."""
    lost = Photo.objects.present().filter(account=run.account_id, standings=None, synced_at__lt=run.started_at)
    gone = []
    for photo in lost.only("pk", "image_id"):
        if not client.has_image(photo.image_id):
            gone.append(photo.pk)
        if not run.beat():
            return
    Photo.objects.filter(pk__in=gone).update(removed_at=timezone.now())
    run.beat(photos_removed=len(gone))
