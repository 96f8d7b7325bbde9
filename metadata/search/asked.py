"""What somebody typed into the search box, taken apart. Nothing in it changes its meaning later."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

from metadata.forms_review import FIRST_DAY, LAST_DAY

LONGEST = 500  # characters
MOST_TERMS = 40
STATUSES = {
    "approved": "Approved",
    "waiting": "Waiting for review",
    "rejected": "Rejected",
    "undescribed": "Not described",
}
SINGLE = ("status", "library")
NAMES = ("tag", "album", "status", "before", "after", "camera", "library")
FORMATS = ("%Y-%m-%d", "%Y-%m", "%Y")
QUOTES = str.maketrans("“”„«»\x00", '""""" ')
APART = re.compile(r'["“”„«»]|\s{2,}|[^\S ]')
TOKEN = re.compile(r'(?P<no>-)?(?:(?P<name>[^\W\d_]+):)?(?:"(?P<quoted>[^"]*)"|(?P<bare>[^\s"]+))')


@dataclass(frozen=True)
class Term:
    """Something to be found in the words of a photo, or not to be."""

    text: str
    is_phrase: bool = False
    is_not: bool = False


@dataclass(frozen=True)
class Filter:
    """A condition on the photo. `token` is what was typed; the value of a day is written as 2019-01-01."""

    name: str
    value: str
    is_not: bool = False
    token: str = field(default="", compare=False)
    start: int = field(default=0, compare=False)  # where it stands in the text

    @property
    def day(self) -> datetime.date:
        return datetime.date.fromisoformat(self.value)


@dataclass(frozen=True)
class Asked:
    """Everything asked for; `sentences` tell the person what makes no sense, and was left out or read as words."""

    text: str = ""
    terms: tuple[Term, ...] = ()
    filters: tuple[Filter, ...] = ()
    sentences: tuple[str, ...] = ()

    @classmethod
    def read(cls, question: str) -> Self:
        """Whatever was typed, as far as it makes sense."""
        text = question.encode(errors="replace").decode().translate(QUOTES).strip()
        sentences: list[str] = []
        if len(text) > LONGEST:
            sentences.append(f"This is {len(text):,} characters long: searched is what the first {LONGEST} ask for.")
            text = text[:LONGEST].strip()
        if text.count('"') % 2:
            sentences.append("A quotation mark has no other half; it was left out.")
            head, _, tail = text.rpartition('"')
            text = f"{head} {tail}".strip()
        terms, filters = _take_apart(text, sentences)
        if len(terms) > MOST_TERMS:
            sentences.append(f"These are {len(terms)} words: searched are the first {MOST_TERMS}.")
        return cls(text, tuple(terms[:MOST_TERMS]), tuple(filters), tuple(sentences))

    @property
    def is_empty(self) -> bool:
        return not (self.terms or self.filters)

    @property
    def words(self) -> list[Term]:
        return [term for term in self.terms if not (term.is_phrase or term.is_not)]

    @property
    def wanted(self) -> list[Term]:
        """Words and phrases that are to be found."""
        return [term for term in self.terms if not term.is_not]

    @property
    def meant(self) -> str:
        """What is compared with photos by its meaning."""
        return " ".join(term.text for term in self.wanted)

    def values(self, name: str, *, with_not: bool = False) -> list[str]:
        """Of the filters of that name."""
        return [one.value for one in self.filters if one.name == name and (with_not or not one.is_not)]

    def text_with(self, name: str, value: str) -> str:
        """The same question, narrowed; what can have one value only is replaced."""
        kept = self.text_without(name) if name in SINGLE else self.text
        bare = typed(name, value)
        return f'{kept} {name}:"{bare}"'.strip() if re.search(r"\s", bare) else f"{kept} {name}:{bare}".strip()

    def text_without(self, name: str = "", value: str = "") -> str:
        """The same question without those of its filters; with "" for all."""
        text = self.text
        for one in reversed(self.filters):
            if name in ("", one.name) and value in ("", one.value):
                text = f"{text[: one.start]} {text[one.start + len(one.token) :]}"
        return " ".join(text.split())


def typed(name: str, value: str) -> str:
    """How a value is asked for, in which no quotation mark can stand: a tag without, of others the longest part."""
    if name == "tag":
        return " ".join(value.translate(QUOTES).replace('"', " ").split())
    return max(APART.split(value), key=len).strip()


def _take_apart(text: str, sentences: list[str]) -> tuple[list[Term], list[Filter]]:
    terms: list[Term] = []
    filters: list[Filter] = []
    for match in TOKEN.finditer(text):
        found = _filter(match, sentences) if match["name"] else None
        if found:
            filters.append(found)
        elif (match["name"] or "").lower() not in NAMES:
            terms += _terms(match, sentences)
    return terms, filters


def _value(match: re.Match[str]) -> str:
    return (match["quoted"] if match["bare"] is None else match["bare"]).strip()


def _filter(match: re.Match[str], sentences: list[str]) -> Filter | None:
    """None where it is none, with a sentence where it looks like one."""
    name, value = match["name"].lower(), _value(match)
    if name not in NAMES:
        if not value.startswith("/"):
            known = ", ".join(f"{name}:" for name in NAMES)
            sentences.append(f"There is no filter “{name[:40]}”: it was searched as a word. The filters: {known}.")
        return None
    read = {"status": _status, "before": _day, "after": _day}.get(name, str.strip)
    try:
        if not value:
            raise ValueError("there is nothing between its quotation marks.")
        return Filter(name, read(value), bool(match["no"]), match[0], match.start())
    except ValueError as exc:
        sentences.append(f"“{match[0][:60]}” was left out: {exc}")
        return None


def _status(value: str) -> str:
    if value.lower() not in STATUSES:
        raise ValueError(f"a status is {', '.join(STATUSES)}.")
    return value.lower()


def _day(value: str) -> str:
    """The day; the first one of a month or a year."""
    for form in FORMATS:
        try:
            day = datetime.datetime.strptime(value, form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
        if FIRST_DAY <= day <= LAST_DAY:
            return day.isoformat()
    raise ValueError("type a day as 2026-05-31, 2026-05 or 2026, between 1800 and 2200.")


def _terms(match: re.Match[str], sentences: list[str]) -> Iterator[Term]:
    """The words; one with nothing but signs in it is none."""
    bare = match["bare"]
    if bare and bare.endswith(":") and bare[:-1].lower() in NAMES:
        sentences.append(f"“{bare}” has nothing behind it: write it without a blank, as {bare}value.")
        return
    if bare is None:
        name = f"{match['name']} " if match["name"] else ""
        text, is_phrase = f"{name}{match['quoted']}", True
    else:
        text, is_phrase = match[0].removeprefix("-") if match["no"] else match[0], False
    if any(character.isalnum() for character in text):
        yield Term(" ".join(text.split()), is_phrase, bool(match["no"]))
