"""Rows → the bytes of a file, a piece at a time, in each of the formats.

CSV is for spreadsheets: UTF-8 with a byte order mark, without which Excel takes it for something else; what a
spreadsheet would take for a formula gets an apostrophe in front. JSON Lines is for programs: one object a line, with
where the words come from. The sidecars are in sidecars.py.
"""

from __future__ import annotations

import csv
import datetime
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from metadata import sidecars
from metadata.export_rows import Row
from metadata.models import Export
from metadata.queue import ReviewFilter
from smugmug.models import Account, Album

Format = Export.Format
Encoder = Callable[[Iterable[Row], Account, ReviewFilter], Iterator[bytes]]

# A spreadsheet takes what begins so for a formula (the last four are the wide forms that Japanese ones take too), and
# a tab or the end of a line in front of it does not keep it from that.
FORMULA = frozenset("=+-@\t\r\n＝＋－＠")
BETWEEN = "; "
CSV_COLUMNS: dict[str, Callable[[Row], Any]] = {
    "album": lambda row: row.album_title,
    "file": lambda row: row.filename,
    "title": lambda row: row.title,
    "description": lambda row: row.description,
    "alt text": lambda row: row.alt_text,
    "tags": lambda row: BETWEEN.join(row.tags),
    "categories": lambda row: BETWEEN.join(row.categories),
    "review": lambda row: row.review_status,
    "approved by": lambda row: row.approved_by.partition(":")[2],
    "approved at (UTC)": lambda row: _utc(row.approved_at),
    "confidence": lambda row: "" if row.confidence is None else row.confidence,
    "model": lambda row: row.model,
    "taken": lambda row: str(row.taken_at or ""),
    "title on SmugMug": lambda row: row.smugmug_title,
    "caption on SmugMug": lambda row: row.smugmug_caption,
    "keywords on SmugMug": lambda row: BETWEEN.join(row.smugmug_keywords),
    "address": lambda row: row.web_url,
    "key": lambda row: row.image_key,
}


def encode(rows: Iterable[Row], account: Account, wanted: ReviewFilter, format: str) -> Iterator[bytes]:
    """The file, in pieces."""
    return ENCODERS[Format(format)](rows, account, wanted)


class _Line:
    """What csv writes into: gives the line back."""

    def write(self, line: str) -> str:
        return line


def _csv(rows: Iterable[Row], account: Account, wanted: ReviewFilter) -> Iterator[bytes]:
    write = csv.writer(_Line()).writerow
    columns = list(CSV_COLUMNS.values())
    yield str(write(CSV_COLUMNS)).encode("utf-8-sig")
    for row in rows:
        yield str(write([harmless(column(row)) for column in columns])).encode()


def harmless(value: Any) -> Any:
    """The value of a cell, in a form that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in FORMULA else value


def _utc(moment: datetime.datetime | None) -> str:
    return f"{moment.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S}" if moment else ""


def _json_lines(rows: Iterable[Row], account: Account, wanted: ReviewFilter) -> Iterator[bytes]:
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    for row in rows:
        yield encode(_object(row, account)).encode() + b"\n"


def _object(row: Row, account: Account) -> dict[str, Any]:
    return {
        "library": account.nickname,
        "photo": {
            "id": str(row.photo_id),
            "image_key": row.image_key,
            "filename": row.filename,
            "title": row.smugmug_title,
            "caption": row.smugmug_caption,
            "keywords": row.smugmug_keywords,
            "date_taken": row.taken_at.isoformat() if row.taken_at else None,
            "web_url": row.web_url,
        },
        "album": {"id": str(row.album_id), "album_key": row.album_key, "title": row.album_title},
        "title": row.title,
        "description": row.description,
        "alt_text": row.alt_text,
        "tags": row.tags,
        "categories": row.categories,
        "provenance": _provenance(row),
    }


def _provenance(row: Row) -> dict[str, Any]:
    """Who wrote the words, and who let them stand; `ai_said` holds those that a person has changed since."""
    return {
        "describer": row.describer,
        "model": row.model,
        "prompt": row.prompt,
        "described_at": _iso(row.described_at),
        "confidence_score": row.confidence,
        "version": row.version,
        "updated_at": _iso(row.updated_at),
        "review_status": row.review_status,
        "rejection_reason": row.rejection_reason,
        "approved_by": row.approved_by,
        "approved_at": _iso(row.approved_at),
        "ai_said": _changed_since(row),
    }


def _changed_since(row: Row) -> dict[str, Any]:
    if row.said_title is None:  # its answer is not known
        return {}
    pairs = {
        "title": (row.said_title, row.title),
        "description": (row.said_description, row.description),
        "alt_text": (row.said_alt_text, row.alt_text),
        "tags": (row.said_tags, row.tags),
        "categories": (row.said_categories, row.categories),
    }
    return {name: said for name, (said, stands) in pairs.items() if said != stands}


def _iso(moment: datetime.datetime | None) -> str | None:
    return moment.astimezone(datetime.UTC).isoformat() if moment else None


def _sidecars(rows: Iterable[Row], account: Account, wanted: ReviewFilter) -> Iterator[bytes]:
    """In the folder of the album that was asked for, else of the album that each photo is at home in."""
    album = Album.objects.filter(pk=wanted.album).first() if wanted.album else None
    return sidecars.archive(rows, in_album=album)


ENCODERS: dict[Format, Encoder] = {Format.CSV: _csv, Format.JSON_LINES: _json_lines, Format.XMP: _sidecars}
