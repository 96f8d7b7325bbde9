"""Say it once: a word that a person replaced stands in other words too, and can be replaced there in one decision."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache

from metadata import kinds, queue
from metadata.forms_review import Status
from metadata.models import Decision
from metadata.queue import ReviewFilter
from metadata.rewording import TEXTS
from smugmug.models import Account
from targetvision.words import Part, word_diff

Kind = Decision.Kind
LETTERS = 3  # a shorter word means something else in every sentence
# So do these, long as they are.
EVERYDAY = frozenset(
    (
        "all", "and", "any", "are", "but", "can", "for", "from", "had", "has", "have", "her", "here", "him", "his",
        "how", "into", "its", "may", "near", "not", "now", "off", "one", "our", "out", "over", "she", "some", "than",
        "that", "the", "their", "them", "then", "there", "these", "they", "this", "those", "too", "two", "under",
        "upon", "very", "was", "were", "what", "when", "where", "which", "while", "who", "with", "you", "your",
    )
)  # fmt: skip
ONE_WORD = re.compile(r"\s*(\w+)\s*")


@dataclass(frozen=True)
class Offer:
    """To write `new` for `old`, a word or a tag, wherever else it waits for review; more than `count` where
    `is_capped`."""

    account: Account
    kind: Kind
    old: str
    new: str
    count: int
    is_capped: bool


def replaced_word(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, str] | None:
    """The one word that was replaced by one word, and by which; None where more was changed, or less.

    Both map the columns of words to what stood and stands in them.
    """
    pairs: dict[tuple[str, str], tuple[str, str]] = {}
    for name in TEXTS:
        found = _pairs(word_diff(before[name], after[name]))
        if found is None:
            return None
        for old, new in found:
            key = (old.casefold(), new.casefold())
            # At the beginning of a sentence it has a capital; without one it says more.
            pairs[key] = max(pairs.get(key, (old, new)), (old, new))
    if len(pairs) != 1:
        return None
    old, new = next(iter(pairs.values()))
    is_worth_it = len(old) >= LETTERS and old.isalpha() and old.casefold() not in EVERYDAY
    return (old, new) if is_worth_it and old.casefold() != new.casefold() else None


def replaced_tag(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, str] | None:
    """The one tag that was replaced by one other, and by which; None where more was changed, or less."""
    gone = [tag for tag in before["ai_tags"] if tag not in after["ai_tags"]]
    come = [tag for tag in after["ai_tags"] if tag not in before["ai_tags"]]
    if len(gone) != 1 or len(come) != 1 or gone[0].casefold() == come[0].casefold():
        return None
    return gone[0], come[0]


def _pairs(parts: list[Part]) -> list[tuple[str, str]] | None:
    """The words that were replaced one for one; None where anything else has changed."""
    pairs = []
    for is_same, group in itertools.groupby(parts, key=lambda part: part.kind == "same"):
        if is_same:
            continue
        words = [(part.kind, ONE_WORD.fullmatch(part.text)) for part in group]
        match words:
            case [("del", re.Match() as old), ("ins", re.Match() as new)]:
                pairs.append((old[1], new[1]))
            case _:
                return None
    return pairs


def offer(account: Account, kind: Kind, old: str, new: str) -> Offer:
    """How many other words of the library that wait for review hold it; the count may be a minute old."""
    waiting = queue.matching([account.pk], everywhere(account))
    rows = waiting.filter(kinds.concerns(kind, params(kind, old, new)))
    key = f"say-once:{account.pk}:{kind}:{hashlib.sha256(old.casefold().encode()).hexdigest()}"
    count = cache.get_or_set(key, lambda: rows[: queue.COUNT_TO + 1].count(), timeout=queue.COUNT_SECONDS) or 0
    return Offer(account, kind, old, new, min(count, queue.COUNT_TO), count > queue.COUNT_TO)


def params(kind: Kind, old: str, new: str) -> dict[str, str]:
    """What the decision needs."""
    return {"tag": old, "to": new} if kind == Kind.REPLACE_TAG else {"old": old, "new": new}


def everywhere(account: Account) -> ReviewFilter:
    """All of the library that waits for review."""
    return ReviewFilter(account=account.nickname, status=Status.WAITING.value)
