"""One process's work on a sync: which requests are made, in which order, and what is written when they come back.

What is left to do is read from the rows themselves (albums not read since the run began, or since they moved), so a
run can be broken off anywhere and taken up again.
"""

from __future__ import annotations

import datetime
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from smugmug import mirror
from smugmug.client import (
    SmugMugClient,
    SmugMugError,
    SmugMugGone,
    SmugMugLocked,
    SmugMugNonsense,
    SmugMugRefused,
    SmugMugUnavailable,
)
from smugmug.flight import Flight, PagedList
from smugmug.models import Album, Photo, SyncRun
from smugmug.records import RemoteAlbum, RemoteImage
from targetvision.models import RunError, database_time

if TYPE_CHECKING:
    from django.db.models import QuerySet

logger = logging.getLogger(__name__)

IN_FLIGHT = 16  # a page of 100 takes SmugMug 3.2 s: at four requests a second, 13 are under way
FEED = 64  # rows read ahead
BEAT_SECONDS = 1.0
OUTAGE = 5  # failures in a row, with no success between them, are SmugMug's and no album's
LISTS = 2  # an album list that came short is asked for once more
ALBUM_LIST = "list"  # the key of an error of the list of albums itself


class Lost(Exception):
    """The run is over, paused, or in other hands: what is under way must not be written."""


class Reading:
    """The requests of a run, several in flight. SmugMugError out of `work` ends or pauses the run."""

    def __init__(self, run: SyncRun, client: SmugMugClient, tell: Callable[[SyncRun], None]) -> None:
        self.run, self.client, self.tell = run, client, tell
        self.requests_before = run.requests_made - client.requests_made  # the client may have worked on an earlier one
        self.flight = Flight(IN_FLIGHT)
        self.lists = 0
        self.open: set[UUID] = set()  # rows about which something is under way
        self.feed: deque[Album] = deque()
        self.is_feed_dry = False
        self.put_off: list[Album] = []  # failed once in this pass: they are asked for again when all others are read
        self.last_chance: set[UUID] = set()
        self.failures = 0  # in a row
        self.beaten_at = 0.0
        # What the complete lists lack is asked after: first albums, then the photos that stand nowhere.
        self.searches: deque[Callable[[], Iterable[Album | Photo]]] = deque([self._lost_albums, self._lost_photos])
        self.lost: deque[Album | Photo] = deque()
        self.unanswered = 0
        self.is_over = False

    def work(self, deadline: float) -> bool:
        """Read until nothing is left, or the time is over; True in the first case. Lost where the run was taken."""
        with self.flight:
            while self._fill(may_begin=time.monotonic() < deadline):
                self.flight.land(settings.HEARTBEAT_SECONDS)
                if time.monotonic() - self.beaten_at > BEAT_SECONDS:
                    self._write()
        self._write()
        return self.is_over

    def _write(self, **figures: Any) -> None:
        """The run's figures and a sign of life; Lost where the run is no longer ours, and nothing is written."""
        made = self.requests_before + self.client.requests_made
        if not self.run.beat(requests_made=made, waiting_for=waiting(self.client), **figures):
            raise Lost
        self.beaten_at = time.monotonic()
        self.tell(self.run)

    def _fill(self, *, may_begin: bool) -> bool:
        """Ask for as much as may be in flight; False when nothing is under way any more."""
        while may_begin and self.flight.has_room and self._begin_one():
            pass
        return self.flight.is_busy

    def _begin_one(self) -> bool:
        """Ask for the next thing; False where there is nothing to ask, for now or at all."""
        if self.run.albums_listed_at is None and not self.lists:
            self._list_albums()
        elif album := self._next_album():
            self._read(album)
        elif self.run.albums_listed_at is None or self.open:
            return False  # what is under way may bring more
        elif self.put_off:
            self._read_again()
        elif not self._ask_after_lost():
            self._conclude()
            return False
        return True

    def _conclude(self) -> None:
        self.is_over = True
        if self.unanswered:
            sentence = (
                f"{self.unanswered:,} albums or photos are listed no more, "
                "but SmugMug did not say that they are gone; they stay."
            )
            self._record(ALBUM_LIST, "What is listed no more", sentence)

    # --- the list of albums ---------------------------------------------------------------------------------------

    def _list_albums(self) -> None:
        self.lists += 1
        if self.run.kind == SyncRun.Kind.ALBUMS:
            for key in self.run.album_keys:
                self.flight.ask(partial(self.client.album, key), partial(self._album_came, key))
            return
        PagedList(
            self.flight,
            partial(self.client.albums_page, self.run.account.nickname),
            key=lambda album: album.key,
            on_page=self._albums_came,
            on_end=self._all_albums_came,
        )

    def _albums_came(self, albums: list[RemoteAlbum]) -> None:
        with transaction.atomic():
            mirror.save_albums(self.run.account, albums)
            self._write()
        self.is_feed_dry = False

    def _all_albums_came(self, albums: PagedList[RemoteAlbum]) -> None:
        if albums.error:
            raise albums.error
        if not albums.is_complete and self.lists < LISTS:
            self._list_albums()
            return
        if not albums.is_complete:
            sentence = f"SmugMug listed {len(albums.items):,} of {albums.total:,} albums; nothing was taken as removed."
            self._record(ALBUM_LIST, "The list of albums", sentence)
        self._end_of_list(albums_locked=sum(album.is_locked for album in albums.items))

    def _album_came(self, key: str, album: Future[RemoteAlbum]) -> None:
        """One of the albums that the run is about."""
        try:
            self._albums_came([album.result()])
        except (SmugMugGone, SmugMugLocked, SmugMugNonsense) as exc:
            self._record(key, str(Album.objects.filter(album_key=key).first() or ""), exc.advice)
        if self._of_this_run().count() + self.run.error_count >= len(self.run.album_keys):
            self._end_of_list()

    def _end_of_list(self, **figures: int) -> None:
        read = (
            self._of_this_run().filter(synced_at__gte=self.run.started_at).exclude(pk__in=self._unread().values("pk"))
        )
        self._write(albums_listed_at=timezone.now(), total=read.count() + self._unread().count(), **figures)

    # --- albums ---------------------------------------------------------------------------------------------------

    def _of_this_run(self) -> QuerySet[Album]:
        """The albums that this run has found."""
        found = Album.objects.present().filter(account=self.run.account_id, listed_at__gte=self.run.started_at)
        return found.filter(album_key__in=self.run.album_keys) if self.run.album_keys else found

    def _unread(self) -> QuerySet[Album]:
        """The albums that this run has still to read: not locked, not failed, and listed in it."""
        wanted = Q(synced_at=None) | Q(synced_at__lt=self.run.started_at)
        if self.run.kind == SyncRun.Kind.INCREMENTAL:
            wanted = mirror.moved() | mirror.with_fresh_photos()
        failed = [error["key"] for error in self.run.errors]
        return self._of_this_run().filter(wanted, is_locked=False).exclude(album_key__in=failed)

    def _next_album(self) -> Album | None:
        if not self.feed and not self.is_feed_dry:
            busy = [*self.open, *(album.pk for album in self.put_off)]
            # The largest first: their pages are asked for side by side, and none of them is left for the end.
            rows = self._unread().exclude(pk__in=busy).order_by("-image_count", "album_key")
            self.feed.extend(rows[:FEED])
            self.is_feed_dry = len(self.feed) < FEED
        return self.feed.popleft() if self.feed else None

    def _read(self, album: Album, *, again_in_full: bool = False) -> None:
        self.open.add(album.pk)
        known = album.synced_at is not None and (album.moved_at is None or album.moved_at <= album.synced_at)
        slim = self.run.kind == SyncRun.Kind.VERIFY and known and not again_in_full
        PagedList(
            self.flight,
            partial(self.client.images_page, album.album_key, slim=slim),
            key=lambda image: image.key,
            on_end=partial(self._album_is_read, album, database_time(), slim),
        )

    def _read_again(self) -> None:
        albums, self.put_off = self.put_off, []
        self.last_chance.update(album.pk for album in albums)
        for album in albums:
            self._read(album)

    def _album_is_read(
        self,
        album: Album,
        as_of: datetime.datetime,
        slim: bool,  # noqa: FBT001
        images: PagedList[RemoteImage],
    ) -> None:
        """Write what came, or put the album off once, or record why nothing did; the run goes on either way."""
        self.open.discard(album.pk)
        error = images.error or _doubt(album, images)
        self._count_failure(error)
        if error:
            self._album_failed(album, as_of, images, error)
        elif slim and not mirror.is_as_listed(album, images.items):
            self._read(album, again_in_full=True)
        else:
            self._keep(album, as_of, images.items, slim=slim)

    def _album_failed(
        self, album: Album, as_of: datetime.datetime, images: PagedList[RemoteImage], error: SmugMugError
    ) -> None:
        if isinstance(error, SmugMugLocked):
            with transaction.atomic():
                Album.objects.filter(pk=album.pk).update(is_locked=True)
                self._write(albums_locked=self.run.albums_locked + 1, total=(self.run.total or 1) - 1)
        elif album.pk not in self.last_chance and not isinstance(error, SmugMugGone):
            self.put_off.append(album)
        else:
            with transaction.atomic():
                if images.items and not images.error:  # too few: those are true, and what they lack proves nothing
                    mirror.save_listing(album, images.items, as_of=as_of, is_complete=False)
                self._record(album.album_key, album.title, error.advice)

    def _keep(self, album: Album, as_of: datetime.datetime, images: list[RemoteImage], *, slim: bool) -> None:
        with transaction.atomic():
            if slim:
                changes = mirror.mark_read(album, as_of)
            else:
                changes = mirror.save_listing(album, images, as_of=as_of, is_complete=True)
            self._write(
                done=self.run.done + 1,
                photos_seen=self.run.photos_seen + len(images),
                photos_new=self.run.photos_new + changes.new,
                photos_changed=self.run.photos_changed + changes.changed,
                pauses=0,
            )

    def _count_failure(self, error: SmugMugError | None) -> None:
        """Raise what no album is to blame for: that SmugMug refuses us, or fails again and again."""
        self.failures = self.failures + 1 if isinstance(error, SmugMugUnavailable) else 0
        if error and (isinstance(error, SmugMugRefused) or self.failures >= OUTAGE):
            raise error

    def _record(self, key: str, title: str, sentence: str) -> None:
        logger.warning("sync %s: %s was not read: %s", self.run.pk, key, sentence)
        self._write(errors=[*self.run.errors, RunError(key=key, title=title, sentence=sentence)])

    # --- what the lists lack --------------------------------------------------------------------------------------

    def _lost_albums(self) -> Iterable[Album]:
        unlisted = Q(listed_at=None) | Q(listed_at__lt=self.run.started_at)
        return Album.objects.present().filter(unlisted, account=self.run.account_id)

    def _lost_photos(self) -> Iterable[Photo]:
        lost = Photo.objects.present().filter(account=self.run.account_id, standings=None)
        return lost.filter(synced_at__lt=self.run.started_at).only("pk", "image_id")

    def _ask_after_lost(self) -> bool:
        """Ask after one thing that a clean, complete pass did not find: only SmugMug's own word removes it."""
        if self.run.errors or self.run.kind == SyncRun.Kind.ALBUMS:
            return False
        while not self.lost:
            if not self.searches:
                return False
            self.lost.extend(self.searches.popleft()())
        row = self.lost.popleft()
        self.open.add(row.pk)
        if isinstance(row, Album):
            self.flight.ask(partial(self.client.album, row.album_key), partial(self._album_answered, row))
        else:
            self.flight.ask(partial(self.client.has_image, row.image_id), partial(self._photo_answered, row))
        return True

    def _album_answered(self, album: Album, answer: Future[RemoteAlbum]) -> None:
        self.open.discard(album.pk)
        try:
            answer.result()
        except SmugMugGone:
            with transaction.atomic():
                mirror.remove_album(album)
                self._write()
        except SmugMugError as exc:
            self._no_word_of(album.album_key, exc)

    def _no_word_of(self, key: str, exc: SmugMugError) -> None:
        self._count_failure(exc)
        self.unanswered += 1
        logger.warning("sync %s: %s is not listed, and could not be asked after: %s", self.run.pk, key, exc)

    def _photo_answered(self, photo: Photo, answer: Future[bool]) -> None:
        self.open.discard(photo.pk)
        try:
            is_there = answer.result()
        except SmugMugError as exc:
            self._no_word_of(photo.image_id, exc)
            return
        with transaction.atomic():
            if is_there:  # asked after once a run, however often the run is interrupted
                Photo.objects.filter(pk=photo.pk).update(synced_at=Now())
                self._write()
            elif mirror.remove_photo(photo.pk):
                self._write(photos_removed=self.run.photos_removed + 1)


def _doubt(album: Album, images: PagedList[RemoteImage]) -> SmugMugError | None:
    """Why the list cannot be the whole album, if it cannot."""
    count = len(images.items)
    if not images.is_complete:
        sentence = (
            f"SmugMug listed {count:,} of {images.total:,} photos; those are kept, and none was taken as removed."
        )
        return SmugMugNonsense(f"album {album.album_key} came short", advice=sentence)
    if album.image_count and not count:
        sentence = f"SmugMug listed none of {album.image_count:,} photos. Sync this album again in a few minutes."
        return SmugMugNonsense(f"album {album.album_key} came empty", advice=sentence)
    return None


def waiting(client: SmugMugClient) -> str:
    """What the client waits for, as a sentence; "" while it does not."""
    if (moment := client.waiting_until) is None:  # asked once: it may be over at any time
        return ""
    until = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    return f"Waiting for SmugMug until {until:%H:%M:%S} UTC (it asked us to slow down)."
