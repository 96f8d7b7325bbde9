"""A prompt, notes and a photo's row → the text that goes to the model. Plain values in, text out: no database.

Instructions are what people of the library wrote, and are meant. Facts are what stands beside a photo on SmugMug, where
others write too: each is one line, bounded and quoted, so that none of them can pass for an instruction.
"""

from __future__ import annotations

import json
import string
from collections.abc import Collection, Iterable
from typing import Any

from metadata.describe import CATEGORIES
from metadata.describe.answer import cut
from metadata.models import Prompt
from smugmug.models import Album, Photo

PLACEHOLDERS = ("language", "tag_count", "categories")
CAPTION_LENGTH = 600  # characters
NAME_LENGTH = 200
KEYWORD_LENGTH = 60
KEYWORDS = 40
RAW_LENGTH = 10_000  # no field is looked at beyond this
_JOINERS = "\u200c\u200d"  # written by Persian, by Indian scripts and by emoji


class BadTemplate(ValueError):
    """A prompt's text that cannot be filled in; str() is the sentence for the person."""


def placeholders(template: str) -> set[str]:
    """The names in braces of a prompt's text; BadTemplate where braces are broken or a name is unknown."""
    try:
        fields = [field for field in string.Formatter().parse(template) if field[1] is not None]
    except ValueError:
        raise BadTemplate("A brace has no partner. Write {{ and }} where you mean the braces themselves.") from None
    for _, name, form, conversion in fields:
        if name not in PLACEHOLDERS or form or conversion:
            known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            raise BadTemplate(
                f"“{{{cut(str(name), 40)}}}” is unknown. What can stand in braces: {known}. "
                "Write {{ and }} where you mean the braces themselves."
            )
    return {str(name) for _, name, _, _ in fields}


def instructions(prompt: Prompt, notes: Iterable[tuple[str, str]]) -> str:
    """What is the same for many photos: the prompt filled in, what its text forgot to say, and the notes.

    `notes` are pairs of what a note is about and its text; the empty ones are left out.
    """
    values: dict[str, Any] = {
        "language": prompt.language,
        "tag_count": prompt.tag_count,
        "categories": "; ".join(CATEGORIES),
    }
    named = placeholders(prompt.text)
    parts = [prompt.text.format(**values).strip()]
    if "language" not in named:
        parts.append(f"Answer in {prompt.language}.")
    if "tag_count" not in named:
        parts.append(f"Give at most {prompt.tag_count} tags.")
    if prompt.vocabulary:
        parts.append("Use no other tags than these, as they are spelt here: " + "; ".join(prompt.vocabulary))
    if known := [f"{about}:\n{text}" for about, text in notes if text]:
        parts.append("What the photographer knows, and is true even where the picture does not show it.")
        parts += known
    return "\n\n".join(parts)


def facts_of(photo: Photo, album: Album, wanted: Collection[str]) -> str:
    """What the prompt wants told about this photo, a line for each fact that is known; "" for none.

    Never coordinates: of the place only its name.
    """
    fact = Prompt.Fact
    keywords = photo.keywords[:KEYWORDS]
    exif = photo.exif if isinstance(photo.exif, dict) else {}
    known: dict[str, tuple[str, Any]] = {
        fact.CAPTION: ("Caption", one_line(photo.caption, CAPTION_LENGTH)),
        fact.KEYWORDS: ("Keywords", [*filter(None, (one_line(each, KEYWORD_LENGTH) for each in keywords))]),
        fact.ALBUM: ("Album", one_line(album.title, NAME_LENGTH)),
        fact.DATE: ("Taken", f"{photo.date_taken:%Y-%m-%d %H:%M}" if photo.date_taken else ""),
        fact.CAMERA: ("Camera", one_line(exif.get("camera"), NAME_LENGTH)),
        fact.PLACE: ("Place", one_line(exif.get("place"), NAME_LENGTH)),
    }
    told = (known[name] for name in Prompt.Fact.values if name in wanted)
    return "\n".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in told if value)


def one_line(text: object, length: int) -> str:
    """`text` in one line of at most `length` characters, without what cannot be seen; "" for what is no text."""
    if not isinstance(text, str):
        return ""
    seen = "".join(char if char.isprintable() or char in _JOINERS else " " for char in text[:RAW_LENGTH])
    return cut(" ".join(seen.split()), length)
