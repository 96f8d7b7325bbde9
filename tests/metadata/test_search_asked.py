"""What somebody typed, taken apart."""

from __future__ import annotations

import pytest

from metadata.search.asked import LONGEST, Asked


def read(text: str) -> tuple[list[str], list[tuple[str, str]], int]:
    """The terms (phrases quoted), the filters, and how many sentences there are about it."""
    asked = Asked.read(text)
    terms = [
        f"{'-' * one.is_not}{one.text!r}" if one.is_phrase else f"{'-' * one.is_not}{one.text}" for one in asked.terms
    ]
    return terms, [(f"{'-' * one.is_not}{one.name}", one.value) for one in asked.filters], len(asked.sentences)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ([], [], 0)),
        ('dogs "Golden  Hour" -people -"two cats"', (["dogs", "'Golden Hour'", "-people", "-'two cats'"], [], 0)),
        ("well-known 12:30 IMG_1.JPG http://a.b/c", (["well-known", "12:30", "IMG_1.JPG", "http://a.b/c"], [], 0)),
        ('tag:snow -TAG:"golden hour" album:A', ([], [("tag", "snow"), ("-tag", "golden hour"), ("album", "A")], 0)),
        ("before:2019 -after:2018-05", ([], [("before", "2019-01-01"), ("-after", "2018-05-01")], 0)),
        ("after:2018-05-31", ([], [("after", "2018-05-31")], 0)),
        ("status:Waiting camera:“Canon EOS”", ([], [("status", "waiting"), ("camera", "Canon EOS")], 0)),
        ("- -- ! 🎉 ''", ([], [], 0)),
        ('two "broken', (["two", "broken"], [], 1)),
        ("colour:red fog", (["colour:red", "fog"], [], 1)),
        ("status:lost before:31.5.2019 after:0001-01-01 fog", (["fog"], [], 3)),
        ('tag: snow tag:""', (["snow"], [], 2)),
        ("\x00 a\x00b \ud800", (["a", "b"], [], 0)),
    ],
)  # fmt: skip
def test_read_takes_apart_what_makes_sense_and_says_what_does_not(text: str, expected: object):
    assert read(text) == expected


def test_read_ten_thousand_characters_keeps_the_first_and_says_so():
    asked = Asked.read("fog " * 2_500)

    assert len(asked.text) <= LONGEST
    assert len(asked.terms) == 40
    assert [sentence.partition(":")[0] for sentence in asked.sentences] == [
        "This is 9,999 characters long",
        "These are 125 words",
    ]


def test_narrowing_a_question_and_taking_it_back_leaves_what_was_typed():
    asked = Asked.read('fog tag:snowman tag:snow status:waiting -"two dogs"')

    assert asked.text_with("album", 'Picos de "Europa"').endswith(' album:"Picos de"')
    assert asked.text_with("status", "approved") == 'fog tag:snowman tag:snow -"two dogs" status:approved'
    assert asked.text_without("tag", "snow") == 'fog tag:snowman status:waiting -"two dogs"'
    assert asked.text_without() == 'fog -"two dogs"'
    assert Asked.read(asked.text_with("tag", "golden hour")).values("tag") == ["snowman", "snow", "golden hour"]
