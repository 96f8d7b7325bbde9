"""What was seen → plain sentences that claim no more than was seen."""

import re
from collections.abc import Set as AbstractSet

from metadata.describe.concepts import Sighting
from metadata.describe.cues import Cues

PROBABLE = 0.5  # from here on the subject is stated, below it is only supposed
UNIDENTIFIED = 0.2  # the confidence of an answer without a subject

# A warm lamp over a cup of coffee looks like a sunset: that light is believed only where the sun can shine.
_OUTDOORS = {
    "Landscapes & nature",
    "Buildings & places",
    "Plants & flowers",
    "Animals",
    "Vehicles & transport",
}
_LIGHT = {"blue sky": "under a blue sky", "sunset light": "in sunset light", "darkness": "in the dark"}
_VOWEL = re.compile(r"(?!eu|ew|one-|uni)[aeiou]|hour", re.IGNORECASE)


def write(sighting: Sighting, cues: Cues, *, without_article: AbstractSet[str]) -> dict[str, object]:
    """The raw fields of a description, for `clean`."""
    light = [cue for cue in cues.light if cue != "sunset light" or _may_be_outdoors(sighting)]
    setting = " ".join(_LIGHT[cue] for cue in light if cue in _LIGHT)
    sentence = _capitalised(", ".join(filter(None, (_subject(sighting, without_article), *_looks(cues), setting))))
    sentences = [f"{sentence}."]
    if sighting.guess:
        sentences.append(f"It may be {_with_article(sighting.guess, without_article)}.")
    if not sighting.subject:
        sentences.append("The built-in model does not recognise what this is.")
    background = "plain background" if cues.plain_background else ""
    return {
        "title": _title(sighting, setting, without_article),
        "description": " ".join(sentences),
        "alt_text": sentences[0],
        "tags": list(filter(None, (*sighting.tags, *light, cues.tone, *cues.colours, background))),
        "categories": [sighting.category] if sighting.category else [],
        "confidence": round(sighting.confidence, 2) if sighting.subject else UNIDENTIFIED,
    }


def _title(sighting: Sighting, setting: str, without_article: AbstractSet[str]) -> str:
    is_stated = sighting.subject and sighting.confidence >= PROBABLE
    subject = sighting.subject if is_stated else _subject(sighting, without_article).removeprefix("an ")
    return _capitalised(f"{subject} {setting}".strip())


def _may_be_outdoors(sighting: Sighting) -> bool:
    return sighting.category is None or sighting.category in _OUTDOORS


def _subject(sighting: Sighting, without_article: AbstractSet[str]) -> str:
    if not sighting.subject:
        return "an unidentified subject"
    subject = _with_article(sighting.subject, without_article)
    return subject if sighting.confidence >= PROBABLE else f"perhaps {subject}"


def _with_article(word: str, without_article: AbstractSet[str]) -> str:
    if word in without_article:
        return word
    return f"an {word}" if _VOWEL.match(word) else f"a {word}"


def _looks(cues: Cues) -> tuple[str, ...]:
    tone = f"in {cues.tone}" if cues.tone else ""
    colours = f"mostly {' and '.join(cues.colours)}" if cues.colours else ""
    background = "against a plain background" if cues.plain_background else ""
    return background, tone, colours


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
