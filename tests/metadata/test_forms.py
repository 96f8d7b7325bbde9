"""Strings from a browser → values for the workflow."""

from __future__ import annotations

from typing import Any

import pytest

from metadata.describe import CATEGORIES
from metadata.forms import RejectForm, WordsForm
from metadata.models import AIMetadata

GOOD = {
    "version": "3",
    "title": " Tom ",
    "description": "Tom\r\nsleeps. ",
    "alt_text": "",
    "tags": "cat, Cat ,grey  cat,, ",
    "categories": ["Animals"],
}


def errors(form: Any) -> dict[str, list[str]]:
    return {name: list(messages) for name, messages in form.errors.items()}


def test_words_form_gives_words_under_the_names_of_their_columns():
    form = WordsForm(GOOD)

    assert form.is_valid()
    assert form.cleaned_data["version"] == 3
    assert form.changes == {
        "ai_title": "Tom",
        "ai_description": "Tom\nsleeps.",
        "ai_alt_text": "",
        "ai_tags": ["cat", "grey cat"],
        "ai_categories": ["Animals"],
    }


def test_words_form_of_words_shows_what_stands():
    words = AIMetadata(ai_title="Tom", ai_description="D", ai_tags=["a", "b"], ai_categories=["Animals"], version=4)

    form = WordsForm.of(words)

    assert not form.is_bound
    assert form["tags"].value() == "a, b"
    assert (form["title"].value(), form["description"].value(), form["version"].value()) == ("Tom", "D", 4)
    assert form["categories"].value() == ["Animals"]


def test_words_form_sent_back_untouched_changes_nothing():
    words = AIMetadata(
        ai_title="Tom", ai_description="D", ai_alt_text="A", ai_tags=["a", "b"], ai_categories=["Events"]
    )
    page = WordsForm.of(words)

    form = WordsForm({name: page[name].value() for name in page.fields})

    assert form.is_valid()
    assert form.changes == words.words


def as_a_browser_sends(form: WordsForm) -> dict[str, Any]:
    """The form untouched: lines end as HTML says, and boxes come in the order of the page."""
    sent = {name: form[name].value() for name in form.fields}
    texts = {name: "\r\n".join(value.splitlines()) for name, value in sent.items() if isinstance(value, str)}
    categories = [name for name in CATEGORIES if name in sent["categories"]]
    return {**sent, **texts, "categories": categories}


@pytest.mark.parametrize(
    "stands",
    [
        {"ai_tags": ["Baker, Ada", "cat"]},
        {"ai_tags": ["two  spaces", "cat"]},
        {"ai_description": "One.\nTwo."},
        {"ai_description": "One.\r\nTwo. "},
        {"ai_title": "One\nTwo", "ai_alt_text": "Three\nfour"},
        {"ai_categories": ["People", "Animals"]},
    ],
    ids=str,
)
def test_words_form_sent_back_untouched_keeps_what_it_cannot_say(stands: dict[str, Any]):
    words = AIMetadata(**{"ai_title": "Tom", "ai_description": "D", "ai_tags": ["a"], **stands})

    form = WordsForm.of(words, data=as_a_browser_sends(WordsForm.of(words)))

    assert form.is_valid()
    assert form.changes == words.words


def test_words_form_with_one_tag_more_says_all_tags_as_they_were_sent():
    words = AIMetadata(ai_description="D", ai_tags=["Baker, Ada", "cat"], ai_categories=["People", "Animals"])
    sent = as_a_browser_sends(WordsForm.of(words))

    form = WordsForm.of(words, data={**sent, "tags": f"{sent['tags']}, wall", "categories": ["Animals"]})

    assert form.is_valid()
    assert form.changes == {**words.words, "ai_tags": ["Baker", "Ada", "cat", "wall"], "ai_categories": ["Animals"]}


def test_words_form_takes_what_just_fits():
    edge = {"title": "t" * 200, "description": "d" * 5_000, "alt_text": "a" * 250, "tags": ",".join(["t" * 60, "b"])}

    assert WordsForm({**GOOD, **edge}).is_valid()
    assert WordsForm({**GOOD, "tags": ",".join(f"tag {number}" for number in range(50))}).is_valid()
    assert WordsForm({**GOOD, "tags": ",".join(["same"] * 9_000)}).is_valid()


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("description", "", "Write a description."),
        ("description", "d" * 5_001, "Ensure this value has at most 5000 characters (it has 5001)."),
        ("title", "t" * 201, "Ensure this value has at most 200 characters (it has 201)."),
        ("title", "\x00", "Null characters are not allowed."),
        ("title", "half \ud800", "This holds a character that cannot be stored."),
        ("tags", "half \udfff", "This holds a character that cannot be stored."),
        ("tags", ",".join(map(str, range(51))), "These are 51 tags; at most 50 fit."),
        ("tags", "x" * 61, f"“{'x' * 40}…” is longer than 60 characters."),
        ("categories", ["Beasts"], "Select a valid choice. Beasts is not one of the available choices."),
        ("version", "", "This field is required."),
        ("version", "one", "Enter a whole number."),
        ("version", "-1", "Ensure this value is greater than or equal to 0."),
        ("version", str(2**31), f"Ensure this value is less than or equal to {2**31 - 1}."),
    ],
)
def test_words_form_with_a_mistake_says_what_is_wrong_with_that_field_alone(field: str, value: Any, error: str):
    form = WordsForm({**GOOD, field: value})

    assert errors(form) == {field: [error]}


def test_words_form_with_half_a_character_can_be_shown_again():
    form = WordsForm({**GOOD, "title": "half \ud800", "tags": "\udfff"})

    assert (form["title"].value(), form["tags"].value()) == ("half ?", "?")
    assert str(form).encode()


@pytest.mark.parametrize(
    ("note", "sentence"), [("", "Too vague"), ("  ", "Too vague"), (" no names ", "Too vague: no names")]
)
def test_reject_form_makes_a_sentence(note: str, sentence: str):
    form = RejectForm({"version": "1", "reason": "Too vague", "note": note})

    assert form.is_valid()
    assert form.sentence == sentence


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("reason", "", "Choose a reason."),
        ("reason", "Because", "Select a valid choice. Because is not one of the available choices."),
        ("note", "n" * 501, "Ensure this value has at most 500 characters (it has 501)."),
        ("version", "x", "Enter a whole number."),
    ],
)
def test_reject_form_with_a_mistake_says_what_is_wrong(field: str, value: str, error: str):
    form = RejectForm({"version": "1", "reason": "Other", "note": "", field: value})

    assert errors(form) == {field: [error]}
