"""What a describer gives back, and the check that every answer passes before it may become a row."""

import html
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from metadata.describe.brief import Brief
from metadata.describe.errors import BadAnswer, Rejected, Usage
from metadata.describe.prompt import CATEGORIES

EMBEDDING_LENGTH = 1_536  # the column photo_embedding.embedding
TITLE_LENGTH = 120
DESCRIPTION_LENGTH = 2_000
ALT_TEXT_LENGTH = 125  # where screen readers commonly break off
TAG_LENGTH = 60
CATEGORIES_EACH = 5
RAW_LENGTH = 20_000  # characters of a field; nothing is looked at beyond
RAW_ITEMS = 1_000  # of a list
NAMES = ("tag", "name", "keyword", "label", "category", "value", "text")
NO_DESCRIPTION = "The AI's answer has no description. Try again, or describe this photo by hand."

_MARKUP = re.compile(r"</?[A-Za-z!?][^<>]*>")
_SPACE_BEFORE_POINT = re.compile(r"\s+([.,;:!?])(?=\s|$)")
_JOINERS = "\u200c\u200d"  # written by Persian, by Indian scripts and by emoji
_NEVER = "\ufffd\ufffe\uffff"  # what stands for a lost character, and what XML cannot hold


@dataclass(frozen=True, slots=True)
class Description:
    """The words for one photo. `confidence` runs from 0 to 1; None where the answer had no such number."""

    title: str
    description: str
    alt_text: str
    tags: tuple[str, ...]
    categories: tuple[str, ...]
    confidence: float | None


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


def clean(raw: Mapping[str, object], brief: Brief) -> Description:
    """The fields of an answer as plain text within their bounds.

    BadAnswer without a description: all else can be done without, and the answer is paid for. A missing title or
    alternative text is taken from the description; a confidence that is no number from 0 to 1 is unknown.
    """
    description = _plain(raw.get("description"), DESCRIPTION_LENGTH)
    if not description:
        raise BadAnswer("the answer has no description", advice=NO_DESCRIPTION)
    return Description(
        title=_plain(raw.get("title"), TITLE_LENGTH) or cut(description, TITLE_LENGTH),
        description=description,
        alt_text=_plain(raw.get("alt_text"), ALT_TEXT_LENGTH) or cut(description, ALT_TEXT_LENGTH),
        tags=_tags(raw.get("tags"), brief),
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


def _tags(value: object, brief: Brief) -> tuple[str, ...]:
    """Different tags without commas, as many as were asked for; of a vocabulary only its words, in its spelling."""
    texts = [_plain(text, RAW_LENGTH) for text in _texts(value)]
    allowed = {_key(word): word for word in map(without_commas, brief.vocabulary)}
    tags = (_allowed(text, allowed) if allowed else _split(text) for text in texts)
    return tuple(_unique(tag for each in tags for tag in each)[: brief.tag_count])


def _allowed(text: str, allowed: Mapping[str, str]) -> list[str]:
    """The words of the vocabulary in `text`: the whole of it ("Baker, Ada" is "Baker Ada"), or between its commas."""
    whole = allowed.get(_key(without_commas(text)))
    return [whole] if whole else [allowed[_key(tag)] for tag in _split(text) if _key(tag) in allowed]


def without_commas(tag: str) -> str:
    """`tag` with a space for each comma: that parts one tag from the next wherever tags stand in one text."""
    return " ".join(tag.replace(",", " ").split())


def _split(text: str) -> list[str]:
    """The tags in `text`; what is longer than a tag is a sentence and left out."""
    tags = (part.strip(" #\"'`.*-") for part in re.split(r"[,;]", text))
    return [tag for tag in tags if 0 < len(tag) <= TAG_LENGTH]


def _key(tag: str) -> str:
    """What is the same for two spellings of a tag."""
    return " ".join(unicodedata.normalize("NFKC", tag).casefold().split())


def _categories(value: object) -> tuple[str, ...]:
    """Those of the fixed categories that were named, however they were capitalised."""
    known = {category.casefold(): category for category in CATEGORIES}
    named = (known.get(_plain(text, TAG_LENGTH).casefold()) for text in _texts(value))
    return tuple(_unique(category for category in named if category))[:CATEGORIES_EACH]


def _texts(value: object) -> list[str]:
    """The lines in `value`: one text, a list of them, or of objects such as {"tag": "boat"}, as small models write."""
    items = value[:RAW_ITEMS] if isinstance(value, list | tuple) else [value]
    named = (_name(each) if isinstance(each, Mapping) else each for each in items)
    return [line for text in named if isinstance(text, str) for line in text[:RAW_LENGTH].splitlines()]


def _name(item: Mapping[str, object]) -> object:
    """What an object calls itself by a usual name, or by its only field."""
    if len(item) == 1:
        return next(iter(item.values()))
    return next((item[key] for key in NAMES if key in item), None)


def _unique(words: Iterable[str]) -> list[str]:
    """`words` in their order; of those that differ only in case, the first."""
    seen: dict[str, str] = {}
    for word in words:
        seen.setdefault(_key(word), word)
    return list(seen.values())


def _confidence(value: object) -> float | None:
    """A number from 0 to 1, also as text; None for all else: 7.5 may be of ten, of a hundred, or nonsense."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            return None
        return number if 0 <= number <= 1 else None
    return None
