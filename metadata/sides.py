"""What SmugMug has, what the AI said last, and what stands now, field beside field, and how they differ by words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from metadata.models import AIMetadata, MetadataHistory
from targetvision.words import Part, word_diff

SMUGMUG, AI = "smugmug", "ai"
NAMES = {SMUGMUG: "SmugMug", AI: "The AI"}
# A field of the form: its label, and the photo's column with SmugMug's counterpart, where there is one.
FIELDS = {
    "description": ("description", "caption"),
    "tags": ("tags", "keywords"),
    "categories": ("categories", ""),
    "title": ("title", "title"),
    "alt_text": ("alt text", ""),
}
ALIKE = 0.3  # of two values that share less, all would be marked, and the marks would say nothing


@dataclass(frozen=True)
class Side:
    """What one side has in a field where something else stands now."""

    side: str
    field: str
    value: str | list[str]
    parts: list[Part]

    @property
    def name(self) -> str:
        return NAMES[self.side]

    @property
    def label(self) -> str:
        """What a button that takes it does."""
        whose = "SmugMug’s" if self.side == SMUGMUG else "the AI’s"
        return f"Take {whose} {FIELDS[self.field][0]}"

    @property
    def is_list(self) -> bool:
        return isinstance(self.value, list)

    @property
    def text(self) -> str:
        """As the form's field holds it."""
        return _text(self.value)


def sides(words: AIMetadata, answer: MetadataHistory | None) -> dict[str, list[Side]]:
    """By field, what SmugMug and the newest answer have where it is something else than what stands now."""
    found: dict[str, list[Side]] = {name: [] for name in FIELDS}
    for field in FIELDS:
        now = getattr(words, f"ai_{field}")
        for side in NAMES:
            value = value_of(words, answer, field, side)
            if value and value != now:
                found[field].append(Side(side, field, value, _parts(now, value)))
    return found


def value_of(words: AIMetadata, answer: MetadataHistory | None, field: str, side: str) -> Any:
    """What that side has in the field; None where it has nothing."""
    if side == AI:
        return getattr(answer, f"new_{field}") if answer else None
    column = FIELDS[field][1]
    return getattr(words.photo, column) if column else None


def _parts(now: str | list[str], then: str | list[str]) -> list[Part]:
    if isinstance(now, list) and isinstance(then, list):
        return _list_parts(now, then)
    parts = word_diff(_text(now), _text(then))
    same = sum(len(part.text) for part in parts if part.kind == "same")
    if same < ALIKE * max(len(_text(now)), len(_text(then))):
        return [Part("same", _text(then))]
    return parts


def _list_parts(now: list[str], then: list[str]) -> list[Part]:
    """The other side's entries, new ones marked, and behind them those that would go."""
    ours, theirs = ({entry.casefold() for entry in entries} for entries in (now, then))
    if len(ours & theirs) < ALIKE * len(ours | theirs):
        return [Part("same", entry) for entry in then]
    kept = [Part("same" if entry.casefold() in ours else "ins", entry) for entry in then]
    return kept + [Part("del", entry) for entry in now if entry.casefold() not in theirs]


def _text(value: str | list[str]) -> str:
    return value if isinstance(value, str) else ", ".join(value)
