from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from targetvision import words
from targetvision.words import Part, word_diff

TEXTS = st.text(alphabet="abAB é,.\n\t☂", max_size=60) | st.text(max_size=60)


@given(TEXTS, TEXTS)
def test_word_diff_parts_joined_give_both_texts(old, new):
    parts = word_diff(old, new)

    assert "".join(part.text for part in parts if part.kind != "ins") == old
    assert "".join(part.text for part in parts if part.kind != "del") == new
    assert all(part.text for part in parts)


@given(TEXTS)
def test_word_diff_of_the_same_text_is_one_part_that_stayed(text):
    assert word_diff(text, text) == ([Part("same", text)] if text else [])


def test_word_diff_of_one_word_names_that_word():
    assert word_diff("A grey cat sleeps.", "A black cat sleeps.") == [
        Part("same", "A"),
        Part("del", " grey"),
        Part("ins", " black"),
        Part("same", " cat sleeps."),
    ]


def test_word_diff_of_texts_too_long_to_compare_gives_them_whole():
    old, new = "a " * words.LONGEST, "b"

    assert word_diff(old, new) == [Part("del", old), Part("ins", new)]


def test_word_diff_of_texts_that_repeat_themselves_compares_only_their_ends():
    old, new = "A cat, " + "very " * 1_000 + "quick.", "A cat, " + "very much " * 500 + "quick."

    assert [part.kind for part in word_diff(old, new)] == ["same", "del", "ins", "same"]
    assert word_diff(old, new)[0].text == "A cat, very"
    assert word_diff(old, new)[-1].text == " quick."


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc")))
def test_differences_go_through_both_without_gaps(before, after):
    runs = words.differences(before, after)

    for start, end in ((1, 2), (3, 4)):
        assert [run[start] for run in runs[1:]] == [run[end] for run in runs[:-1]]
    assert (runs[-1][2], runs[-1][4]) == (len(before), len(after)) if runs else not before and not after
    assert all(before[a:b] == after[c:d] for is_same, a, b, c, d in runs if is_same)
