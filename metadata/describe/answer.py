"""What a describer gives back, and the check that every answer passes before it may become a row."""

import html
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from metadata.describe.errors import BadAnswer, Rejected, Usage
from metadata.describe.prompt import CATEGORIES

EMBEDDING_LENGTH = 1_536  # the column photo_embedding.embedding
TITLE_LENGTH = 120
DESCRIPTION_LENGTH = 2_000
ALT_TEXT_LENGTH = 125  # where screen readers commonly break off
TAG_LENGTH = 60
TAGS = 20
CATEGORIES_EACH = 5
RAW_LENGTH = 20_000  # no field is looked at beyond this

_MARKUP = re.compile(r"</?[A-Za-z!?][^<>]*>")
_SPACE_BEFORE_POINT = re.compile(r"\s+([.,;:!?])(?=\s|$)")
_JOINERS = "\u200c\u200d"  # written by Persian, by Indian scripts and by emoji
_NEVER = "\ufffd\ufffe\uffff"  # what stands for a lost character, and what XML cannot hold


@dataclass(frozen=True, slots=True)
class Description:
    """The words for one photo. `confidence` runs from 0 to 1."""

    title: str
    description: str
    alt_text: str
    tags: tuple[str, ...]
    categories: tuple[str, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class Answer:
    """One photo described: by which model, and at what cost in tokens."""

    description: Description
    usage: Usage
    model: str


@dataclass(frozen=True, slots=True)
class Vectors:
    """One vector of EMBEDDING_LENGTH numbers for each text, in the order of the texts."""

    vectors: list[list[float]]
    usage: Usage
    model: str


def pad(vector: Sequence[float]) -> list[float]:
    """`vector` with zeros up to EMBEDDING_LENGTH, which leaves its cosines as they are.

    Rejected when it is longer; BadAnswer when it is empty, all zeros, or has what is no number.
    """
    if len(vector) > EMBEDDING_LENGTH:
        raise Rejected(
            f"the embedding has {len(vector)} numbers",
            advice=f"The embedding model gives {len(vector):,} numbers; {EMBEDDING_LENGTH:,} is the most. "
            "Set OPENAI_EMBEDDING_MODEL to a smaller one.",
        )
    if not any(vector) or not all(map(math.isfinite, vector)):
        raise BadAnswer("the embedding is empty or has what is no number")
    return [*vector, *[0.0] * (EMBEDDING_LENGTH - len(vector))]


def clean(raw: Mapping[str, object]) -> Description:
    """The fields of an answer as plain text within their bounds.

    BadAnswer without a description or a confidence. A missing title or alternative text is taken from the
    description.
    """
    description = _plain(raw.get("description"), DESCRIPTION_LENGTH)
    if not description:
        raise BadAnswer("the answer has no description")
    return Description(
        title=_plain(raw.get("title"), TITLE_LENGTH) or cut(description, TITLE_LENGTH),
        description=description,
        alt_text=_plain(raw.get("alt_text"), ALT_TEXT_LENGTH) or cut(description, ALT_TEXT_LENGTH),
        tags=_tags(raw.get("tags")),
        categories=_categories(raw.get("categories")),
        confidence=_confidence(raw.get("confidence")),
    )


def cut(text: str, length: int) -> str:
    """`text` in at most `length` characters, ended at a word and with an ellipsis where it was longer."""
    if len(text) <= length:
        return text
    head = text[: length - 1]
    if text[length - 1] != " " and " " in head:
        head = head[: head.rindex(" ")]
    return head.rstrip(" ,;:–-") + "…"


def _plain(value: object, length: int) -> str:
    """`value` as one line without markup, control characters and lone surrogates; "" when it is no text."""
    if not isinstance(value, str):
        return ""
    text = html.unescape("".join(map(_character, value[:RAW_LENGTH])))
    text = "".join(map(_character, text))  # &#0; has just become a character
    while (stripped := _MARKUP.sub(" ", text)) != text:
        text = stripped
    text = _SPACE_BEFORE_POINT.sub(r"\1", " ".join(text.split()))
    return cut(unicodedata.normalize("NFC", text), length)


def _character(char: str) -> str:
    """`char`, a space for what separates, or nothing for what cannot be seen or stored."""
    if char in _NEVER:
        return ""
    if char.isprintable() or char in _JOINERS:
        return char
    if char.isspace():
        return " "
    return char if unicodedata.category(char) == "Cn" else ""  # an emoji newer than this Python


def _tags(value: object) -> tuple[str, ...]:
    """At most TAGS tags; what is longer than a tag is a sentence and left out."""
    parts = (part for text in _texts(value) for part in re.split(r"[,;\n]", text))
    tags = (_plain(part, RAW_LENGTH).strip(" #\"'`.") for part in parts)
    return tuple(_unique(tag for tag in tags if 0 < len(tag) <= TAG_LENGTH))[:TAGS]


def _categories(value: object) -> tuple[str, ...]:
    """Those of the fixed categories that were named, however they were capitalised."""
    known = {category.casefold(): category for category in CATEGORIES}
    named = (known.get(_plain(text, TAG_LENGTH).casefold()) for text in _texts(value))
    return tuple(_unique(category for category in named if category))[:CATEGORIES_EACH]


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [text for text in value if isinstance(text, str)] if isinstance(value, list | tuple) else []


def _unique(words: Iterable[str]) -> list[str]:
    """`words` in their order; of those that differ only in case, the first."""
    seen: dict[str, str] = {}
    for word in words:
        seen.setdefault(word.casefold(), word)
    return list(seen.values())


def _confidence(value: object) -> float:
    """A number from 0 to 1: what lies outside is moved to the nearer end."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if not math.isnan(number):
            return min(1.0, max(0.0, number))
    raise BadAnswer("the answer has no confidence")
