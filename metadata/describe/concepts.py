"""Probabilities of 1,000 narrow classes → the word that says most and is still sure.

A class such as "Golden Retriever" also counts for its broader words: "dog", "mammal", "animal". The broader a
word, the surer and the emptier it is; the choice between them follows "Hedging your bets" (Deng et al.,
2012): the word for which certainty × information is greatest.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PATH = Path(__file__).with_name("concepts.json")
SURE = 0.3  # below this no word is named: of 197 labelled photos, hardly one in four was right there
MAYBE = 0.2  # a narrower word is worth a guess
TAGGED = 0.45  # a word beside the subject is likelier than all others together
CAUTION = 1.0  # added to the information of every word; more of it chooses broader words


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was recognised: without a subject, nothing was sure enough."""

    subject: str | None
    confidence: float  # how much likelier than by chance, 0 to 1
    guess: str | None  # a narrower word for the subject
    tags: tuple[str, ...]
    category: str | None


class Concepts:
    """The words of concepts.json and which classes each stands for; shared freely between threads."""

    def __init__(self) -> None:
        data = json.loads(PATH.read_text(encoding="utf-8"))
        classes: list[tuple[str, list[str], str]] = data["classes"]
        self.without_article = frozenset(data["without_article"])
        self._words, self._members = _membership([[name, *broader] for name, broader, _ in classes])
        self._categories, self._in_category = _membership([[category] for *_, category in classes])
        self._nameable = np.array([word not in data["only_tags"] for word in self._words])
        self._chance = self._members.mean(1)
        self._information = -np.log(self._chance) / np.log(len(classes))

    def recognise(self, probabilities: NDArray[np.floating[Any]]) -> Sighting:
        """The subject, its category and further tags for the `probabilities` of the classes."""
        # What chance alone would give a broad word is no knowledge.
        scores = np.clip((self._members @ probabilities - self._chance) / (1 - self._chance), 0, 1)
        value = np.where(self._nameable & (scores >= SURE), scores * (self._information + CAUTION), 0)
        best = int(value.argmax())
        if not value[best]:
            return Sighting(None, 0.0, None, (), None)
        broader, narrower = self._kin(best)
        tagged = broader | (scores >= TAGGED)
        order = np.lexsort((-scores, self._chance))  # from narrow to broad
        tags = [self._words[best], *(self._words[i] for i in order if tagged[i] and i != best)]
        guesses = np.where(narrower & self._nameable, scores, 0)
        guess = self._words[int(guesses.argmax())] if guesses.max() >= MAYBE else None
        category = self._categories[int((self._in_category @ (probabilities * self._members[best])).argmax())]
        return Sighting(self._words[best], float(scores[best]), guess, tuple(tags), category)

    def _kin(self, word: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which words stand for all classes of `word` and more, and which for some of them only."""
        shared = self._members @ self._members[word]
        sizes = self._members.sum(1)
        broader = (shared == sizes[word]) & (sizes >= sizes[word])
        narrower = (shared == sizes) & (sizes < sizes[word])
        return broader, narrower


def _membership(words_of_classes: list[list[str]]) -> tuple[list[str], NDArray[np.float64]]:
    """All words in the order of their appearance, and a row for each with 1 where a class bears it."""
    words = list(dict.fromkeys(word for words in words_of_classes for word in words))
    row = {word: index for index, word in enumerate(words)}
    members = np.zeros((len(words), len(words_of_classes)))
    for index, words_of_class in enumerate(words_of_classes):
        members[[row[word] for word in words_of_class], index] = 1
    return words, members
