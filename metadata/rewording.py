"""Words → words: a tag added, taken away or replaced, a word replaced. Nothing here touches the database."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from metadata.models import Decision

MOST_TAGS = 50  # as many as a form takes
TEXTS = ("ai_title", "ai_description", "ai_alt_text")
TAGS = "ai_tags"

Kind = Decision.Kind
Words = Mapping[str, Any]


def reword(kind: str, params: Mapping[str, str], words: Words) -> dict[str, Any]:
    """What the decision changes in the words, by column; nothing where there is nothing to change."""
    after = _REWORDINGS[Kind(kind)](params, words)
    return {name: value for name, value in after.items() if value != words[name]}


def columns(kind: str) -> tuple[str, ...]:
    """What a decision of the kind may change."""
    return (*TEXTS, TAGS) if kind == Kind.REPLACE_WORD else (TAGS,)


def _add_tag(params: Mapping[str, str], words: Words) -> dict[str, Any]:
    tags = words[TAGS]
    if len(tags) >= MOST_TAGS or _stands_in(params["tag"], tags):
        return {}
    return {TAGS: [*tags, params["tag"]]}


def _remove_tag(params: Mapping[str, str], words: Words) -> dict[str, Any]:
    return {TAGS: [tag for tag in words[TAGS] if tag.lower() != params["tag"].lower()]}


def _replace_tag(params: Mapping[str, str], words: Words) -> dict[str, Any]:
    if not _stands_in(params["tag"], words[TAGS]):
        return {}
    return {TAGS: _once([params["to"] if tag.lower() == params["tag"].lower() else tag for tag in words[TAGS]])}


def _replace_word(params: Mapping[str, str], words: Words) -> dict[str, Any]:
    old, new = params["old"], params["new"]
    after: dict[str, Any] = {name: replace_word(words[name], old, new) for name in TEXTS}
    tags = [replace_word(tag, old, new) for tag in words[TAGS]]
    return after | ({TAGS: _once(tags)} if tags != words[TAGS] else {})


_REWORDINGS: dict[Kind, Callable[[Mapping[str, str], Words], dict[str, Any]]] = {
    Kind.ADD_TAG: _add_tag,
    Kind.REMOVE_TAG: _remove_tag,
    Kind.REPLACE_TAG: _replace_tag,
    Kind.REPLACE_WORD: _replace_word,
}


def _stands_in(tag: str, tags: Sequence[str]) -> bool:
    return tag.lower() in (each.lower() for each in tags)


def _once(tags: Sequence[str]) -> list[str]:
    """Without repetitions that differ only in case; the first of each stays where it is."""
    found: dict[str, str] = {}
    for tag in tags:
        found.setdefault(tag.lower(), tag)
    return list(found.values())


def whole_word(word: str) -> str:
    """A regular expression that Python and Postgres read alike."""
    return rf"(?<!\w){re.escape(word)}(?!\w)"


def replace_word(text: str, old: str, new: str) -> str:
    """The text with `new` for every whole word `old`, in capitals where that was; plurals are other words."""
    return re.sub(whole_word(old), lambda found: _cased(found[0], old, new), text, flags=re.IGNORECASE)


def _cased(found: str, old: str, new: str) -> str:
    if found == old:
        return new
    if found.isupper() and len(found) > 1:
        return new.upper()
    if found[:1].isupper():
        return new[:1].upper() + new[1:]
    # "Leopard → Cheetah" was typed with capitals that mean nothing; "bride → Zoë" was not.
    return new[:1].lower() + new[1:] if old[:1].isupper() else new
