import json
import re

import pytest

from metadata.describe import (
    CATEGORIES,
    EMBEDDING_LENGTH,
    PROMPT,
    SCHEMA,
    BadAnswer,
    Brief,
    Rejected,
    clean,
    make_describer,
)
from metadata.describe.answer import cut, pad

ANY = Brief("")
GOOD = {
    "title": "Harbour at dawn",
    "description": "Fishing boats lie in a calm harbour.",
    "alt_text": "Boats in a harbour",
    "tags": ["boat", "harbour"],
    "categories": ["Landscapes & nature"],
    "confidence": 0.9,
}


def test_clean_good_answer_changes_nothing():
    description = clean(GOOD, ANY)

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
    assert clean(GOOD | {"description": raw}, ANY).description == plain


def test_clean_long_texts_ends_at_a_word():
    description = clean(GOOD | dict.fromkeys(("title", "description", "alt_text"), "word " * 12_000), ANY)

    assert description.title == "word " * 23 + "word…"
    assert len(description.description) <= 2000
    assert len(description.alt_text) <= 125
    assert description.alt_text.endswith("word…")


def test_cut_one_endless_word_still_keeps_the_length():
    assert cut("x" * 200, 10) == "x" * 9 + "…"


def test_clean_title_and_alt_text_missing_come_from_the_description():
    description = clean({"description": "Boats.", "confidence": 1}, ANY)

    assert (description.title, description.alt_text) == ("Boats.", "Boats.")
    assert (description.tags, description.categories) == ((), ())


@pytest.mark.parametrize("missing", [{"description": ""}, {"description": "<p> </p>"}, {"description": ["a"]}])
def test_clean_without_description_is_a_bad_answer(missing):
    with pytest.raises(BadAnswer) as caught:
        clean(GOOD | missing, ANY)

    assert "no description" in caught.value.advice


@pytest.mark.parametrize(("said", "kept"), [(0.9, 0.9), (0, 0.0), (1, 1.0), ("0.25", 0.25)])
def test_clean_confidence_from_0_to_1_is_kept(said, kept):
    assert clean(GOOD | {"confidence": said}, ANY).confidence == kept


@pytest.mark.parametrize(
    "said", [7.5, -0.1, 85, "85%", None, "high", float("nan"), "nan", float("inf"), 10**400, True, [0.5]]
)
def test_clean_confidence_that_is_none_is_unknown_and_the_words_are_kept(said):
    description = clean(GOOD | {"confidence": said}, ANY)

    assert description.confidence is None
    assert description.description == "Fishing boats lie in a calm harbour."


def test_clean_without_confidence_keeps_the_words():
    assert clean({"description": "Boats."}, ANY).confidence is None


@pytest.mark.parametrize("count", [1, 15, 50])
def test_clean_many_tags_keeps_as_many_as_were_asked_for(count):
    tags = [f"tag {n}" for n in range(400)]

    assert clean(GOOD | {"tags": tags}, Brief("", tag_count=count)).tags == tuple(tags[:count])


def test_clean_tags_of_every_kind_keeps_short_different_texts():
    tags = [
        "Boat",
        "boat",
        "BOAT ",
        "#sea",
        "sky, cloud; sun",
        "<i>calm</i>",
        "- sand",
        "",
        " . ",
        "x" * 61,
        None,
        {"name": "mast"},
        {"tag": "rope", "score": 0.5},
        {"whatever": "oar"},
        {"score": 0.5, "box": []},
        {},
        ["nested"],
        7,
        "wind\x00mill",
        "half \ud83d",
    ]

    assert clean(GOOD | {"tags": tags}, ANY).tags == (
        *("Boat", "sea", "sky", "cloud", "sun", "calm", "sand", "mast", "rope", "oar", "windmill", "half"),
    )


def test_clean_with_a_vocabulary_drops_other_tags_and_keeps_its_spelling():
    brief = Brief("", vocabulary=("Sea", "Ada Baker", "Straße"))
    tags = ["boat", "SEA", "sea", "ada  baker", "STRASSE", "seaside", "sky, sea"]

    assert clean(GOOD | {"tags": tags}, brief).tags == ("Sea", "Ada Baker", "Straße")


@pytest.mark.parametrize("word", ["Baker, Ada", "Baker Ada"])
@pytest.mark.parametrize("tag", ["baker,  ada", "Baker Ada"])
def test_clean_with_a_comma_in_an_allowed_tag_makes_it_one_tag_without(word, tag):
    brief = Brief("", vocabulary=("Sea", word))

    assert clean(GOOD | {"tags": [tag, "sea, boat"]}, brief).tags == ("Baker Ada", "Sea")


def test_clean_with_a_vocabulary_counts_only_what_is_kept():
    brief = Brief("", vocabulary=("sea", "sky"), tag_count=1)

    assert clean(GOOD | {"tags": ["boat", "mast", "sky", "sea"]}, brief).tags == ("sky",)


@pytest.mark.parametrize("tags", [None, 7, True, {}, {"a": 1, "b": 2}, "", [], ["", None]])
def test_clean_without_any_tag_has_none(tags):
    assert clean(GOOD | {"tags": tags}, ANY).tags == ()


@pytest.mark.parametrize("empty", ["", " ", "\x00", "<p></p>", None, 7, ["a"]])
def test_clean_empty_title_and_alt_text_come_from_the_description(empty):
    description = clean(GOOD | {"title": empty, "alt_text": empty}, ANY)

    assert description.title == description.alt_text == "Fishing boats lie in a calm harbour."


def test_clean_tags_as_one_text_are_split():
    assert clean(GOOD | {"tags": "boat, sea\nsky"}, ANY).tags == ("boat", "sea", "sky")


def test_clean_categories_keeps_only_known_ones_as_they_are_spelt():
    named = ["people", "PEOPLE", "Aliens", "Food &amp; drink", *CATEGORIES]

    assert clean(GOOD | {"categories": named}, ANY).categories == (
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


def test_default_brief_asks_in_english_for_fifteen_tags():
    brief = Brief.default()

    assert "Answer in English" in brief.instructions
    assert "tags: 15 strings" in brief.instructions
    assert "{" not in brief.instructions
    assert (brief.facts, brief.vocabulary, brief.tag_count) == ("", (), 15)
    assert {"{language}", "{tag_count}"} == set(re.findall(r"{.*?}", PROMPT))


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
