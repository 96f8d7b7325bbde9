"""The rows of an export: the words of each photo with where they come from, one after the other. Reads only.

They come from a cursor that the database holds, a few at a time: as they all stood when the first was asked for, in as
much memory for a million as for a thousand.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from metadata import queue
from metadata.models import Export
from metadata.queue import ReviewFilter
from smugmug.models import Account

AT_A_TIME = 500


class Row(NamedTuple):
    """The words for one photo, and the photo."""

    title: str
    description: str
    alt_text: str
    tags: list[str]
    categories: list[str]
    confidence: float | None
    review_status: str
    rejection_reason: str
    approved_by: str  # user:ada
    approved_at: datetime.datetime | None
    version: int
    describer: str
    model: str
    prompt: str
    described_at: datetime.datetime | None
    updated_at: datetime.datetime
    photo_id: UUID
    image_key: str
    filename: str
    smugmug_title: str
    smugmug_caption: str
    smugmug_keywords: list[str]
    taken_at: datetime.datetime | None  # the camera's wall clock
    web_url: str
    album_id: UUID
    album_key: str
    album_title: str
    # What the AI said last; read for the formats that tell it.
    said_title: str | None = None
    said_description: str | None = None
    said_alt_text: str | None = None
    said_tags: list[str] | None = None
    said_categories: list[str] | None = None


COLUMNS = (
    "ai_title",
    "ai_description",
    "ai_alt_text",
    "ai_tags",
    "ai_categories",
    "confidence_score",
    "review_status",
    "rejection_reason",
    "approved_by",
    "approved_at",
    "version",
    "describer",
    "model",
    "prompt",
    "processed_at",
    "updated_at",
    "photo_id",
    "photo__image_key",
    "photo__filename",
    "photo__title",
    "photo__caption",
    "photo__keywords",
    "photo__date_taken",
    "photo__image_url",
    "photo__album_id",
    "photo__album__album_key",
    "photo__album__title",
)
ANSWER = (
    "ai_answer__new_title",
    "ai_answer__new_description",
    "ai_answer__new_alt_text",
    "ai_answer__new_tags",
    "ai_answer__new_categories",
)


def count(account: Account, wanted: ReviewFilter) -> int:
    """How many photos of the account the filter finds."""
    return queue.matching([account.pk], wanted).count()


def rows(account: Account, wanted: ReviewFilter, format: str) -> Iterator[Row]:
    """What of the account the filter finds, by home album (unless it asks for one album), then by when it was taken.

    Outside of a transaction, so that nobody's vacuum waits for its end.
    """
    columns = COLUMNS + ANSWER if format == Export.Format.JSON_LINES else COLUMNS
    by_album = () if wanted.album else ("photo__album__title", "photo__album")
    found = queue.matching([account.pk], wanted).order_by(*by_album, "sort_at", "pk")
    for values in found.values_list(*columns).iterator(chunk_size=AT_A_TIME):
        yield Row(*values)
