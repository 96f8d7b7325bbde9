"""Differences between texts, by words, as pages show them."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile
from typing import Literal, NamedTuple

TOKEN = re.compile(r"\s*(?:\w+|[^\w\s])|\s+")  # a word or a mark, with the space before it
LONGEST = 20_000  # characters; beyond that a difference is slow and nobody reads it
# Pairs of equal words; a text of 5,000 characters has about 8,000 with another. With more of them, as where one word is
# repeated for ever, the comparison takes seconds.
MOST_PAIRS = 12_000


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
    for is_same, a, b, c, d in differences(before, after):
        if is_same:
            parts.append(Part("same", "".join(before[a:b])))
            continue
        parts += [Part("del", "".join(before[a:b]))] if a < b else []
        parts += [Part("ins", "".join(after[c:d]))] if c < d else []
    return parts


def differences(before: Sequence[str], after: Sequence[str]) -> list[tuple[bool, int, int, int, int]]:
    """(whether it stayed, from a to b of `before`, which is c to d of `after`), run by run and without gaps.

    In bounded time: between what both begin and end with, lists that repeat themselves too much differ wholly.
    """
    start = _shared(before, after)
    end = _shared(before[start:][::-1], after[start:][::-1])
    last, final = len(before) - end, len(after) - end
    runs = [
        (True, 0, start, 0, start),
        *_between(before[start:last], after[start:final], start),
        (True, last, len(before), final, len(after)),
    ]
    return [run for run in runs if run[1] < run[2] or run[3] < run[4]]


def _between(old: Sequence[str], new: Sequence[str], start: int) -> list[tuple[bool, int, int, int, int]]:
    times = Counter(new)
    if sum(count * times[word] for word, count in Counter(old).items()) > MOST_PAIRS:
        return [(False, start, start + len(old), start, start + len(new))]
    codes = difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes()
    return [(tag == "equal", start + a, start + b, start + c, start + d) for tag, a, b, c, d in codes]


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
