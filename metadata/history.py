"""The life of a photo's words as a page tells it: who said what, and what changed."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from uuid import UUID

from metadata.models import AIMetadata, MetadataHistory
from smugmug.models import Photo
from targetvision.words import Part, word_diff

LABELS = {
    "title": "Title",
    "description": "Description",
    "alt_text": "Alt text",
    "tags": "Tags",
    "categories": "Categories",
}


@dataclass(frozen=True)
class Step:
    """One row of history, ready to read."""

    row: MetadataHistory
    changes: list[tuple[str, list[Part]]]

    @property
    def author(self) -> str:
        return self.row.author

    @property
    def is_by_ai(self) -> bool:
        return self.row.is_by_ai

    @property
    def photo(self) -> Photo:
        return self.row.metadata.photo

    @property
    def came_from(self) -> UUID | None:
        """The words of the frame at which it was decided, where that was another one of the burst."""
        return self.row.came_from_id

    @property
    def at(self) -> datetime.datetime:
        return self.row.created_at

    @property
    def sentence(self) -> str:
        return "answered" if self.is_by_ai else self.row.change_reason


def steps(words: AIMetadata | None) -> list[Step]:
    """The history of the words, newest first; of a first answer only its description is told."""
    if words is None:
        return []
    rows = sorted(words.history.all(), key=lambda row: -row.version)  # in Python, so that they may be read ahead
    return [step(row) for row in rows]


def step(row: MetadataHistory) -> Step:
    return Step(row, _changes(row))


def _changes(row: MetadataHistory) -> list[tuple[str, list[Part]]]:
    if row.is_by_ai and not row.previous_description:
        return [("Description", [Part("same", row.new_description)])]
    pairs = {name: (_text(row, "previous", name), _text(row, "new", name)) for name in LABELS}
    return [(LABELS[name], word_diff(old, new)) for name, (old, new) in pairs.items() if old != new]


def _text(row: MetadataHistory, side: str, name: str) -> str:
    value = getattr(row, f"{side}_{name}")
    return value if isinstance(value, str) else ", ".join(value)
