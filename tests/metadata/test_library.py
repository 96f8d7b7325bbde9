"""Figures and states of the library, without a page around them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from metadata import library
from metadata.library import Figures
from metadata.models import AIMetadata
from targetvision.models import RunState
from tests.factories import (
    AccountFactory,
    AIMetadataFactory,
    AlbumFactory,
    PhotoFactory,
    ProcessingRunFactory,
    SyncRunFactory,
)

pytestmark = pytest.mark.django_db


def test_figures_of_an_empty_account_are_nothing():
    account = AccountFactory()

    assert library.figures([account]) == {account.pk: Figures()}
    assert library.figures([]) == {}


def test_figures_keep_accounts_apart():
    album, other = AlbumFactory(), AlbumFactory()
    AIMetadataFactory(photo=PhotoFactory(album=album), approved=True)
    PhotoFactory(album=other)
    AlbumFactory(account=other.account)
    AlbumFactory(account=other.account, removed_at=timezone.now())

    found = library.figures([album.account, other.account])

    assert found[album.account_id] == Figures(photos=1, described=1, approved=1, albums=1)
    assert found[other.account_id] == Figures(photos=1, undescribed=1, albums=2)


@pytest.mark.parametrize(
    ("figures", "described", "reviewed"),
    [
        (Figures(), 0, 0),
        (Figures(photos=1_000, described=999, approved=4, rejected=1), 99, 0),
        (Figures(photos=3, described=3, approved=2, rejected=1), 100, 100),
    ],
)
def test_figures_as_shares_say_100_only_when_all_is_done(figures: Figures, described: int, reviewed: int):
    assert (figures.described_share, figures.reviewed_share) == (described, reviewed)


def test_gallery_goes_on_where_it_ended():
    album = AlbumFactory()
    photos = [PhotoFactory(album=album) for _ in range(51)]

    first, position = library.gallery(album, show="all", after=0)
    last, end = library.gallery(album, show="all", after=position or 0)

    assert first == photos[:50]
    assert (position, last, end) == (50, photos[50:], None)


def test_gallery_counts_are_those_of_the_album():
    album = AlbumFactory()
    AIMetadataFactory(photo=PhotoFactory(album=album), described=True)
    AIMetadataFactory(photo=PhotoFactory(album=album), processing_status="processing", claimed_until=timezone.now())
    PhotoFactory(album=album)
    AIMetadataFactory(described=True)

    counts = library.gallery_counts(album)

    assert counts == {"all": 3, "waiting": 1, "approved": 0, "failed": 0, "undescribed": 2}


def test_neighbours_of_a_photo_that_is_not_in_the_album_are_none():
    album = AlbumFactory()
    PhotoFactory(album=album)

    assert library.neighbours(PhotoFactory(), album) == (None, None)


def test_neighbours_leave_out_what_was_removed():
    album = AlbumFactory()
    first, gone, last = (PhotoFactory(album=album) for _ in range(3))
    gone.removed_at = timezone.now()
    gone.save()

    assert library.neighbours(first, album) == (None, last)
    assert library.neighbours(last, album) == (first, None)


@pytest.mark.parametrize(
    ("fields", "mark"),
    [
        (None, ("idle", "Waits to be described")),
        ({}, ("idle", "Waits to be described")),
        ({"processing_status": "processing"}, ("idle", "Being described")),
        ({"processing_status": "completed"}, ("wait", "Waits for review")),
        ({"processing_status": "skipped", "error": "A video."}, ("idle", "Skipped: A video.")),
        ({"processing_status": "failed", "error": "Damaged."}, ("bad", "Failed: Damaged.")),
        ({"review_status": "approved", "approved_by": "user:ada"}, ("good", "Approved by ada")),
        ({"review_status": "rejected", "rejection_reason": "Other"}, ("bad", "Rejected: Other")),
        (
            {"processing_status": "failed", "review_status": "approved", "approved_by": "user:ada"},
            ("good", "Approved by ada"),
        ),
    ],
)
def test_mark_of_a_photo_is_that_of_its_words(fields: dict[str, Any] | None, mark: tuple[str, str]):
    assert library.mark(AIMetadata(**fields) if fields is not None else None) == mark


def test_newest_runs_are_one_of_each_kind_and_account():
    account, other = AccountFactory(), AccountFactory()
    now = timezone.now()
    ProcessingRunFactory(account=account, state=RunState.SUCCEEDED, created_at=now - timedelta(days=1))
    newest = ProcessingRunFactory(account=account, state=RunState.FAILED, created_at=now)
    sync = SyncRunFactory(account=account)
    others = ProcessingRunFactory(account=other)
    ProcessingRunFactory()

    assert library.newest_runs([account, other]) == {account.pk: [sync, newest], other.pk: [others]}


def test_first_waiting_are_four_of_each_account():
    album, other = AlbumFactory(), AlbumFactory()
    days = [datetime(2026, 5, day) for day in range(1, 6)]
    photos = [PhotoFactory(album=album, date_taken=day) for day in reversed(days)]
    waiting = [AIMetadataFactory(photo=photo, described=True).photo for photo in photos][::-1]
    AIMetadataFactory(photo=PhotoFactory(album=other), approved=True)

    found = library.first_waiting([album.account, other.account])

    assert found == {album.account_id: waiting[:4], other.account_id: []}


def test_first_waiting_of_no_account_are_none():
    assert library.first_waiting([]) == {}


def test_figures_of_a_big_account_are_counted_once_in_a_while(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(library, "BIG", 1)
    album, small = AlbumFactory(), AlbumFactory()
    for each in (album, album, small):
        PhotoFactory(album=each)
    library.figures([album.account, small.account])
    PhotoFactory(album=album)
    AIMetadataFactory(photo=PhotoFactory(album=small), described=True)

    found = library.figures([album.account, small.account])

    assert found[album.account_id].photos == 2
    assert (found[small.account_id].photos, found[small.account_id].described) == (2, 1)
