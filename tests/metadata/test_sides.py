"""What each side has in a field, and how it differs from what stands now."""

from __future__ import annotations

import pytest

from metadata.models import AIMetadata, MetadataHistory
from metadata.sides import sides
from smugmug.models import Photo


@pytest.fixture
def words() -> AIMetadata:
    photo = Photo(title="Tom", caption="A grey cat on the wall.", keywords=["Cat", "wall"])
    return AIMetadata(
        photo=photo,
        ai_title="A cat",
        ai_description="A grey cat on a wall.",
        ai_alt_text="Cat",
        ai_tags=["cat", "grey"],
        ai_categories=["Animals"],
    )


def answer(words: AIMetadata, **other: object) -> MetadataHistory:
    said = {f"new_{name.removeprefix('ai_')}": value for name, value in words.words.items()}
    return MetadataHistory(**{**said, **other})


def test_sides_name_only_what_differs_from_what_stands(words: AIMetadata) -> None:
    found = sides(words, answer(words, new_alt_text="A cat, grey"))

    assert {field: [side.side for side in each] for field, each in found.items()} == {
        "description": ["smugmug"],
        "tags": ["smugmug"],
        "categories": [],
        "title": ["smugmug"],
        "alt_text": ["ai"],
    }


def test_sides_that_have_nothing_are_not_there(words: AIMetadata) -> None:
    words.photo.caption, words.photo.title, words.photo.keywords = "", "", []

    assert not any(sides(words, None).values())


def test_side_of_a_text_tells_the_words_that_differ(words: AIMetadata) -> None:
    [side] = sides(words, None)["description"]

    assert [(part.kind, part.text) for part in side.parts] == [
        ("same", "A grey cat on"), ("del", " a"), ("ins", " the"), ("same", " wall."),
    ]  # fmt: skip
    assert (side.text, side.label, side.is_list) == ("A grey cat on the wall.", "Take SmugMug’s description", False)


def test_side_of_tags_marks_new_ones_and_those_that_would_go_whatever_their_case(words: AIMetadata) -> None:
    [side] = sides(words, None)["tags"]

    assert [(part.kind, part.text) for part in side.parts] == [("same", "Cat"), ("ins", "wall"), ("del", "grey")]
    assert (side.text, side.is_list) == ("Cat, wall", True)


def test_side_that_shares_next_to_nothing_is_told_without_marks(words: AIMetadata) -> None:
    words.photo.caption, words.photo.keywords = "Hike to Collado Jermoso, first day", ["hike", "peaks"]

    found = sides(words, None)

    assert [part.kind for part in found["description"][0].parts] == ["same"]
    assert [part.kind for part in found["tags"][0].parts] == ["same", "same"]
