"""Differences between texts, by words, as pages show them."""

from __future__ import annotations

import difflib
import re
from typing import Literal, NamedTuple

TOKEN = re.compile(r"\s*(?:\w+|[^\w\s])|\s+")  # a word or a mark, with the space before it
LONGEST = 20_000  # characters; beyond that a difference is slow and nobody reads it


class Part(NamedTuple):
    """A run of text that stayed (same), came (ins) or went (del)."""

    kind: Literal["same", "ins", "del"]
    text: str


def word_diff(old: str, new: str) -> list[Part]:
    """What turns `old` into `new`; joining all but the `ins` gives `old`, all but the `del` gives `new`."""
    if old == new:
        return [Part("same", old)] if old else []
    if len(old) + len(new) > LONGEST:
        return [Part("del", old), Part("ins", new)]
    before, after = (TOKEN.findall(text) for text in (old, new))
    parts: list[Part] = []
    for tag, a, b, c, d in difflib.SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes():
        if tag == "equal":
            parts.append(Part("same", "".join(before[a:b])))
            continue
        parts += [Part("del", "".join(before[a:b]))] if a < b else []
        parts += [Part("ins", "".join(after[c:d]))] if c < d else []
    return parts
