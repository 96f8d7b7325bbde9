"""Words → words: each kind of rewording, to the letter."""

from __future__ import annotations

from typing import Any

import pytest

from metadata.rewording import MOST_TAGS, replace_word, reword


def words(**changes: Any) -> dict[str, Any]:
    texts = {"ai_title": "A cat", "ai_description": "A grey cat on a wall.", "ai_alt_text": "Grey cat"}
    return {**texts, "ai_tags": ["Cat", "grey"], "ai_categories": ["Animals"], **changes}


@pytest.mark.parametrize(
    ("kind", "params", "tags", "after"),
    [
        ("add_tag", {"tag": "wall"}, ["Cat", "grey"], ["Cat", "grey", "wall"]),
        ("add_tag", {"tag": "wall"}, [], ["wall"]),
        ("add_tag", {"tag": "CAT"}, ["Cat", "grey"], None),
        ("add_tag", {"tag": "one more"}, [str(number) for number in range(MOST_TAGS)], None),
        ("remove_tag", {"tag": "cAT"}, ["Cat", "grey", "cat"], ["grey"]),
        ("remove_tag", {"tag": "ÉTÉ"}, ["été"], []),
        ("remove_tag", {"tag": "ca"}, ["Cat", "grey"], None),
        ("replace_tag", {"tag": "cat", "to": "tiger"}, ["old", "Cat", "grey"], ["old", "tiger", "grey"]),
        ("replace_tag", {"tag": "cat", "to": "Grey"}, ["Cat", "grey"], ["Grey"]),
        ("replace_tag", {"tag": "grey", "to": "cat"}, ["Cat", "grey"], ["Cat"]),
        ("replace_tag", {"tag": "cat", "to": "cat"}, ["Cat", "grey"], ["cat", "grey"]),
        ("replace_tag", {"tag": "dog", "to": "cat"}, ["grey", "Grey"], None),
    ],
)
def test_reword_tags_keeps_their_order_and_repeats_none(kind: str, params: Any, tags: list[str], after: Any):
    changes = reword(kind, params, words(ai_tags=tags))

    assert changes == ({} if after is None else {"ai_tags": after})


@pytest.mark.parametrize(
    ("text", "old", "new", "after"),
    [
        ("A leopard, Leopard! LEOPARD.", "leopard", "cheetah", "A cheetah, Cheetah! CHEETAH."),
        ("A leopard and a Leopard", "Leopard", "Cheetah", "A cheetah and a Cheetah"),
        ("the bride, The Bride", "bride", "Zoë", "the Zoë, The Zoë"),
        ("leopards and snowleopard", "leopard", "cheetah", "leopards and snowleopard"),
        ("snow leopard", "leopard", "leopard cat", "snow leopard cat"),
        ("leopard-like; (leopard)", "leopard", "cat", "cat-like; (cat)"),
        ("C++ and C", "C++", r"\1 \g<0>", r"\1 \g<0> and C"),
        ("café, cafés", "café", "bar", "bar, cafés"),
        ("a.b axb", "a.b", "c", "c axb"),
        ("I am", "i", "we", "We am"),
    ],
)
def test_replace_word_takes_whole_words_and_keeps_their_case(text: str, old: str, new: str, after: str):
    assert replace_word(text, old, new) == after


def test_reword_a_word_changes_texts_and_tags_and_leaves_categories():
    before = words(ai_tags=["Cat", "tiger", "cat food"], ai_categories=["cat"])

    changes = reword("replace_word", {"old": "cat", "new": "tiger"}, before)

    assert changes == {
        "ai_title": "A tiger",
        "ai_description": "A grey tiger on a wall.",
        "ai_alt_text": "Grey tiger",
        "ai_tags": ["Tiger", "tiger food"],
    }


def test_reword_a_word_that_is_nowhere_changes_nothing():
    assert reword("replace_word", {"old": "dog", "new": "tiger"}, words(ai_tags=["A", "a"])) == {}
