"""What is still to be written to a picture, or put back, when its turn comes: from what SmugMug has at that moment.

Pure: rows and words in, verdicts out. Whoever died between a request and its record is understood by the same look:
what stands there already is not written again, and what is neither ours nor as it was has been changed by somebody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from metadata.models import Change
from smugmug.records import RemoteImage
from smugmug.writing import Wording

Words = Mapping[str, Any]  # {"caption", "title", "keywords"}
TEXTS = ("caption", "title")
NAMES = {"caption": "caption", "title": "title", "keywords": "keywords"}


@dataclass(frozen=True)
class Verdict:
    """What to send, if anything; and the fields that somebody has changed, which are left."""

    wording: Wording
    changed: tuple[str, ...] = ()

    @property
    def has_something_to_send(self) -> bool:
        return bool(self.wording.fields or self.wording.add or self.wording.remove)


def words_of(image: RemoteImage) -> dict[str, Any]:
    """As rows keep them."""
    return {"caption": image.caption, "title": image.title, "keywords": list(image.keywords)}


def to_write(change: Change, now: Words) -> Verdict:
    """What of the change is not there yet. Where words were changed since, all of the picture is to be left alone."""
    there, wanted = _folded(now["keywords"]), _folded(change.add)
    wording = Wording(
        fields={name.title(): getattr(change, name) for name in TEXTS if _lacks(change, name, now)},
        add=tuple(keyword for keyword in change.add if keyword.casefold() not in there),
        remove=tuple(keyword for keyword in change.remove if keyword.casefold() in there - wanted),
    )
    verdict = Verdict(wording)
    return Verdict(wording, _changed_since(change, now)) if verdict.has_something_to_send else verdict


def _lacks(change: Change, name: str, now: Words) -> bool:
    wanted = getattr(change, name)
    return bool(wanted) and not _same(wanted, now[name])


def _changed_since(change: Change, now: Words) -> tuple[str, ...]:
    """Fields that are neither as they were nor, where we may have begun, as we write them."""
    base: Words = change.before or change.seen
    texts = [name for name in TEXTS if not _same(now[name], base[name]) and not _is_ours(change, name, now)]
    return (*texts, *(["keywords"] if _keywords_changed(change, base, now) else []))


def _is_ours(change: Change, name: str, words: Words) -> bool:
    return bool(getattr(change, name)) and _same(getattr(change, name), words[name])


def _keywords_changed(change: Change, base: Words, now: Words) -> bool:
    was, has = set(base["keywords"]), set(now["keywords"])
    if change.before is None:  # nothing was begun
        return was != has
    ours, unwanted = _folded(change.add), _folded(change.remove)
    foreign = {keyword for keyword in has - was if keyword.casefold() not in ours}
    lost = {keyword for keyword in was - has if keyword.casefold() not in unwanted}
    return bool(foreign or lost)


def to_put_back(change: Change, now: Words) -> Verdict:
    """What takes our words away again, field by field, where they still stand as we wrote them."""
    before: Words = change.before or change.seen
    after: Words = change.after or now
    ours = [name for name in TEXTS if _is_ours(change, name, after) and not _same(now[name], before[name])]
    fields = {name.title(): before[name] for name in ours if _same(now[name], after[name])}
    kept = [name for name in ours if name.title() not in fields]
    had, has = _folded(before["keywords"]), _folded(now["keywords"])
    added = [word for word in after["keywords"] if word.casefold() in _folded(change.add) - had]
    taken = [
        word for word in before["keywords"] if word.casefold() in _folded(change.remove) - _folded(after["keywords"])
    ]
    remove = tuple(word for word in added if word in now["keywords"])
    spelled_anew = [word for word in added if word not in remove and word.casefold() in has]
    add = tuple(word for word in taken if word.casefold() not in has)
    return Verdict(Wording(fields, add, remove), (*kept, *(["keywords"] if spelled_anew else [])))


def sentence(changed: Iterable[str], *, has_begun: bool) -> str:
    """What a person reads of a picture that was left alone."""
    named = " and ".join(NAMES[name] for name in changed)
    if has_begun:
        return f"Its {named} changed on SmugMug while it was being written; what had been written stays."
    return f"Its {named} changed on SmugMug since the preview, so nothing was written."


def _same(one: str, other: str) -> bool:
    """SmugMug keeps neither spaces at the ends nor one kind of line's end."""
    return one.strip().splitlines() == other.strip().splitlines()


def _folded(keywords: Iterable[str]) -> set[str]:
    return {keyword.casefold() for keyword in keywords}
