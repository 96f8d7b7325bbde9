"""How Postgres reads the queue of a big library: from an index, as far as it is shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.test import TestCase

from metadata import decks, library, queue
from metadata.queue import ReviewFilter
from smugmug.models import Photo
from tests.factories import AccountFactory, AIMetadataFactory, AlbumFactory, PhotoFactory

PHOTOS = 20_000
MOST_ROWS = 700  # that any step of a plan may read: more than are shown, and nothing like all

COPIES = """
INSERT INTO smugmug_photos SELECT (jsonb_populate_record(photo, jsonb_build_object(
    'id', gen_random_uuid(), 'image_key', 'K' || n, 'date_taken', photo.date_taken + n * interval '1 minute'))).*
FROM smugmug_photos photo, generate_series(1, %s) n WHERE photo.id = %s
"""
WORDS = """
INSERT INTO ai_metadata (photo_id, account_id, sort_at, ai_tags, ai_categories, confidence_score, lane,
    processing_status, review_status, rejection_reason, approved_by, version, describer, model, attempts, error)
SELECT id, account_id, date_taken AT TIME ZONE 'UTC', ARRAY['cat'], ARRAY['Animals'], (n % 20) / 20.0,
    (ARRAY['look', 'read', 'glance'])[1 + n % 20 / 7], 'completed', 'unreviewed', '', '', 1, 'fake', 'fake-1', 0, ''
FROM (SELECT *, row_number() OVER (ORDER BY date_taken) AS n FROM smugmug_photos WHERE image_key LIKE 'K%') photo
"""


class BigLibrary(TestCase):
    """Made once for all its tests."""

    user: User

    @classmethod
    def setUpTestData(cls) -> None:
        account = AccountFactory()
        cls.user, cls.accounts = account.owner, [account.pk]
        first = AIMetadataFactory(photo=PhotoFactory(album=AlbumFactory(account=account), date_taken="2020-01-01"))
        with connection.cursor() as cursor:
            cursor.execute(COPIES, [PHOTOS, first.photo_id])
            cursor.execute("ANALYZE smugmug_photos, photo_search")
            cursor.execute(WORDS)
            cursor.execute("ANALYZE ai_metadata, smugmug_photos, metadata_reviewclaim")

    def test_pages_in_every_order_of_every_lane_read_little_more_than_they_show(self) -> None:
        for lane in ("", "glance", "read", "look"):
            for order in ("oldest", "surest", "least_sure"):
                wanted = ReviewFilter(lane=lane, order=order)
                with self.subTest(lane=lane, order=order):
                    first = rows_read(lambda wanted=wanted: queue.page(self.accounts, wanted, "", 24))
                    cursor = deep_cursor(self.user, wanted)
                    deep = rows_read(lambda wanted=wanted, cursor=cursor: queue.page(self.accounts, wanted, cursor, 24))
                    assert max(first, deep) <= MOST_ROWS

    def test_next_reads_little_more_than_it_shows(self) -> None:
        middle = queue.words(self.user, ReviewFilter()).order_by("sort_at")[PHOTOS // 2]

        assert rows_read(lambda: decks.deck_for(self.user, ReviewFilter(), None, 6)) <= MOST_ROWS
        assert rows_read(lambda: decks.deck_for(self.user, ReviewFilter(), middle, 6)) <= MOST_ROWS

    def test_decided_and_all_in_time_read_little_more_than_they_show(self) -> None:
        for_all = ReviewFilter(status="all", order="oldest")

        assert rows_read(lambda: queue.page(self.accounts, for_all, "", 24)) <= MOST_ROWS

    def test_peek_of_the_front_page_reads_little_more_than_it_shows(self) -> None:
        assert rows_read(lambda: library.first_waiting([Photo.objects.all()[0].account])) <= MOST_ROWS

    def test_rows_read_of_what_sorts_everything_are_all(self) -> None:
        """What the others rely on."""
        rows = queue.words(self.user, ReviewFilter()).order_by("ai_description")

        assert rows_read(lambda: list(rows[:24])) >= PHOTOS


def deep_cursor(user: User, wanted: ReviewFilter) -> str:
    """The cursor of a page in the middle."""
    rows = queue.in_order(queue.words(user, wanted), wanted.order)
    row = rows[rows.count() // 2]
    place = row.sort_at if wanted.order == "oldest" else row.confidence_score
    return str(queue.Cursor((place, row.pk)))


def rows_read(work: Callable[[], Any]) -> int:
    """The most rows that a step of any query's plan reads while the work is done."""
    selects: list[tuple[str, Any]] = []

    def keep(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        if sql.startswith("SELECT"):
            selects.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(keep):
        work()
    assert selects
    with connection.cursor() as cursor:
        return max(max(_rows(_plan(cursor, *select))) for select in selects)


def _plan(cursor: CursorWrapper, sql: str, params: Any) -> Any:
    cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
    [found] = cursor.fetchone()
    return (found if isinstance(found, list) else json.loads(found))[0]["Plan"]


def _rows(node: Any) -> Iterator[int]:
    removed = sum(count for name, count in node.items() if name.startswith("Rows Removed"))
    yield int((node["Actual Rows"] + removed) * node["Actual Loops"])
    for child in node.get("Plans", []):
        yield from _rows(child)
