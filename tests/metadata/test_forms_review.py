"""What an address may ask of the review pages: every part by itself, and what is said of the rest."""

from __future__ import annotations

import datetime
from typing import Any
from uuid import UUID

import pytest

from metadata.forms_review import FilterForm


def read(**data: Any) -> tuple[dict[str, Any], dict[str, str]]:
    form = FilterForm(data)
    form.is_valid()
    return form.values, form.sentences


def test_form_turns_strings_into_values():
    album = "5e0a4b1c-0000-4000-8000-000000000001"

    values, sentences = read(album=album, after="2026-01-02", lane="look", tag=" a tag ", order="surest", status="all")

    assert values == {
        "album": UUID(album),
        "after": datetime.date(2026, 1, 2),
        "lane": "look",
        "tag": "a tag",
        "order": "surest",
        "status": "all",
    }
    assert sentences == {}


def test_form_with_nothing_holds_nothing():
    assert read() == ({}, {})
    assert read(lane="", tag=" ", album="", after="", colour="red") == ({}, {})


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("lane", "fast", "There is no lane “fast”."),
        ("status", "open", "There is no state “open”."),
        ("order", "newest", "There is no order “newest”."),
        ("album", "42", "There is no such album."),
        ("album", "9" * 10_000, "There is no such album."),
        ("after", "31.05.2026", "Type a day as 2026-05-31."),
        ("after", "2026-02-30", "Type a day as 2026-05-31."),
        ("before", "1799-12-31", "Type a day between 1800 and 2200."),
        ("before", "9999-12-31", "Type a day between 1800 and 2200."),
        ("tag", "a\x00b", "Null characters are not allowed."),
        ("tag", "\ud800", "This holds a character that cannot be stored."),
        ("text", "x" * 201, "Ensure this value has at most 200 characters (it has 201)."),
    ],
)
def test_form_with_bad_input_leaves_out_that_part_and_says_so(name: str, value: str, sentence: str):
    values, sentences = read(**{name: value, "model": "m-1"})

    assert values == {"model": "m-1"}
    assert sentences == {name: sentence}


def test_form_with_days_in_the_wrong_order_keeps_the_first():
    values, sentences = read(after="2026-05-02", before="2026-05-01")

    assert values == {"after": datetime.date(2026, 5, 2)}
    assert sentences == {"before": "This day is before the first one."}
