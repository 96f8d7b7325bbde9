"""What of the words is asked for: read from addresses and kept in rows, part by part."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from django.http import QueryDict

from metadata.forms_review import FilterForm, Status

# What addresses of pages that take a filter say beside it.
OF_THE_PAGES = frozenset(("cursor", "do", "next", "page", "photo", "size"))
MOST_UNKNOWN = 3  # parts that there are not, and that are named


class BadFilter(ValueError):
    """A filter that makes no sense; str() is a sentence for the person."""


def no_such(name: str) -> str:
    """The sentence for a filter that there is not."""
    return f"There is no filter by “{name[:40]}”."


@dataclass(frozen=True)
class ReviewFilter:
    """What is asked for. Nothing in it changes its meaning later: no "today", no "mine"."""

    account: str = ""  # its nickname; none: all libraries of the person
    status: str = Status.WAITING.value
    album: UUID | None = None
    after: datetime.date | None = None  # taken on that day or later
    before: datetime.date | None = None  # taken on that day or earlier
    lane: str = ""
    tag: str = ""
    category: str = ""
    model: str = ""
    prompt: str = ""  # name and version
    text: str = ""
    order: str = ""  # none: the page's own

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> tuple[Self, dict[str, str]]:
        """From an address: as much of the filter as makes sense, and a sentence for each part that does not.

        For pages that show. What changes rows must not go on with a part of a filter: see `read_text`. A page that
        reads something else than its whole address, as a form of more than a filter, gives a dict.
        """
        form = FilterForm(data)
        form.is_valid()
        is_address = isinstance(data, QueryDict)
        unknown = sorted(set(data) - set(form.fields) - OF_THE_PAGES) if is_address else []
        return cls(**form.values), form.sentences | {name: no_such(name) for name in unknown[:MOST_UNKNOWN]}

    @classmethod
    def read_text(cls, text: str) -> Self:
        """From what `text_form` gave; BadFilter where any of it makes no sense."""
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=len(fields(cls)))
        except ValueError:
            raise BadFilter("That is no filter.") from None
        if len(dict(pairs)) < len(pairs):
            raise BadFilter("That filter asks for one thing twice.")
        return cls.from_json(dict(pairs))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From what `to_json` gave; BadFilter where any of it makes no sense."""
        unknown = set(data) - {field.name for field in fields(cls)}
        if unknown:
            raise BadFilter(no_such(min(unknown)))
        found, sentences = cls.read(data)
        if sentences:
            raise BadFilter(" ".join(sentences.values()))
        return found

    def to_json(self) -> dict[str, str]:
        """All of it, to be kept in a row."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: "" if value is None else str(value) for name, value in values.items()}

    def query(self) -> dict[str, str]:
        """For an address: what is not as it is without one, always in the same order."""
        return {name: value for name, value in self.to_json().items() if value != USUAL[name]}

    def text_form(self) -> str:
        """The same as one string, for an address or a hidden field."""
        return urlencode(self.query())

    def without(self, name: str) -> Self:
        """The same filter, but for that part."""
        return replace(self, **{name: getattr(ReviewFilter(), name)})

    @property
    def is_narrow(self) -> bool:
        """Whether it leaves out anything that waits for review."""
        return bool(self.without("order").query())


USUAL = ReviewFilter().to_json()
