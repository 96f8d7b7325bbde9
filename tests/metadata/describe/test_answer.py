import json

import pytest

from metadata.describe import (
    CATEGORIES,
    EMBEDDING_LENGTH,
    PROMPT,
    SCHEMA,
    BadAnswer,
    Rejected,
    clean,
    make_describer,
)
from metadata.describe.answer import cut, pad

GOOD = {
    "title": "Harbour at dawn",
    "description": "Fishing boats lie in a calm harbour.",
    "alt_text": "Boats in a harbour",
    "tags": ["boat", "harbour"],
    "categories": ["Landscapes & nature"],
    "confidence": 0.9,
}


def test_clean_good_answer_changes_nothing():
    description = clean(GOOD)

    assert description.title == "Harbour at dawn"
    assert description.description == "Fishing boats lie in a calm harbour."
    assert description.alt_text == "Boats in a harbour"
    assert description.tags == ("boat", "harbour")
    assert description.categories == ("Landscapes & nature",)
    assert description.confidence == 0.9


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("A <b>red</b> <script>alert(1)</script>boat.", "A red alert(1) boat."),
        ("&lt;img src=x onerror=alert(1)&gt;A boat", "A boat"),
        ("<a<b>href>A boat", "A boat"),
        ("5 < 6 and 7 > 3, I <3 cats", "5 < 6 and 7 > 3, I <3 cats"),
        ("nul\x00 and &#0;bell\x07", "nul and bell"),
        ("half \ud83d a pair", "half a pair"),
        ("\u202eright to left\u202c\ufeff", "right to left"),
        ("  two\n\n lines\tand\u00a0spaces ", "two lines and spaces"),
        ("family 👨\u200d👩\u200d👧", "family 👨\u200d👩\u200d👧"),
    ],
)
def test_clean_text_with_markup_and_control_characters_is_plain(raw, plain):
    assert clean(GOOD | {"description": raw}).description == plain


def test_clean_long_texts_ends_at_a_word():
    description = clean(GOOD | dict.fromkeys(("title", "description", "alt_text"), "word " * 1000))

    assert description.title == "word " * 23 + "word…"
    assert len(description.description) <= 2000
    assert len(description.alt_text) <= 125
    assert description.alt_text.endswith("word…")


def test_cut_one_endless_word_still_keeps_the_length():
    assert cut("x" * 200, 10) == "x" * 9 + "…"


def test_clean_title_and_alt_text_missing_come_from_the_description():
    description = clean({"description": "Boats.", "confidence": 1})

    assert (description.title, description.alt_text) == ("Boats.", "Boats.")
    assert (description.tags, description.categories) == ((), ())


@pytest.mark.parametrize("missing", [{"description": ""}, {"description": "<p> </p>"}, {"description": ["a"]}])
def test_clean_without_description_is_a_bad_answer(missing):
    with pytest.raises(BadAnswer):
        clean(GOOD | missing)


@pytest.mark.parametrize(
    ("said", "kept"), [(7.5, 1.0), (-1, 0.0), (1, 1.0), ("0.25", 0.25), (float("inf"), 1.0), (10**400, None)]
)
def test_clean_confidence_out_of_bounds_is_moved_into_them(said, kept):
    if kept is None:
        with pytest.raises(BadAnswer):
            clean(GOOD | {"confidence": said})
    else:
        assert clean(GOOD | {"confidence": said}).confidence == kept


@pytest.mark.parametrize("said", [None, "high", float("nan"), True, [0.5]])
def test_clean_without_confidence_is_a_bad_answer(said):
    with pytest.raises(BadAnswer):
        clean(GOOD | {"confidence": said})


def test_clean_many_tags_keeps_the_first_twenty():
    assert clean(GOOD | {"tags": [f"tag {n}" for n in range(400)]}).tags == tuple(f"tag {n}" for n in range(20))


def test_clean_tags_of_every_kind_keeps_short_different_texts():
    tags = [
        "Boat",
        "boat",
        "#sea",
        "sky, cloud; sun",
        "<i>calm</i>",
        "",
        " . ",
        "x" * 61,
        None,
        {"name": "mast"},
        7,
    ]

    assert clean(GOOD | {"tags": tags}).tags == ("Boat", "sea", "sky", "cloud", "sun", "calm")


def test_clean_tags_as_one_text_are_split():
    assert clean(GOOD | {"tags": "boat, sea"}).tags == ("boat", "sea")


def test_clean_categories_keeps_only_known_ones_as_they_are_spelt():
    named = ["people", "PEOPLE", "Aliens", "Food &amp; drink", *CATEGORIES]

    assert clean(GOOD | {"categories": named}).categories == (
        "People",
        "Food & drink",
        "Animals",
        "Plants & flowers",
        "Landscapes & nature",
    )


def test_schema_is_strict_and_names_what_the_prompt_asks_for():
    assert SCHEMA["required"] == list(SCHEMA["properties"]) == list(GOOD)
    assert SCHEMA["additionalProperties"] is False
    assert all(f"- {field}:" in PROMPT for field in GOOD)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_pad_short_vector_fills_with_zeros():
    assert pad([0.5, -0.5]) == [0.5, -0.5] + [0.0] * (EMBEDDING_LENGTH - 2)


def test_pad_long_vector_is_rejected_with_advice():
    with pytest.raises(Rejected) as caught:
        pad([0.1] * 3072)

    assert "3,072" in caught.value.advice
    assert "OPENAI_EMBEDDING_MODEL" in caught.value.advice


@pytest.mark.parametrize("vector", [[], [0.0, 0.0], [0.1, float("nan")], [float("inf")]])
def test_pad_vector_without_direction_is_a_bad_answer(vector):
    with pytest.raises(BadAnswer):
        pad(vector)


def test_make_describer_of_unknown_kind_names_it():
    with pytest.raises(ValueError, match="'claude'"):
        make_describer("claude")
