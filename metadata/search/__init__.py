"""One question, two legs, one list: photos by their words and by their meaning, put together by their places in both.

The list is made anew for each first page, and kept for those that scroll on, so that nothing comes twice. Whoever asks
finds photos of their own libraries alone, whatever is kept.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from django.core.cache import cache

from metadata.models import AIMetadata, PhotoEmbedding
from metadata.search import legs, meaning
from metadata.search.asked import Asked
from metadata.search.legs import RANKED, Conditions, Words
from metadata.search.meaning import Meaning
from smugmug.models import Account, Album, Photo

if TYPE_CHECKING:
    from django.contrib.auth.models import User

__all__ = ["RANKED", "Asked", "Found", "Hit", "again", "find"]

KEPT_SECONDS = 600
BY_WORDS, BY_MEANING = 1, 2
EVENNESS = 60  # of reciprocal rank fusion: how little the first places stand out
# What is less like the question than so much of the best is not like it at all.
ALIKE = 0.6
NOT_EMBEDDED = "This photo has no words that could be compared yet: describe it first."
BEING_EMBEDDED = "The words of this photo are new, and were not compared yet. Try again in a minute."


@dataclass(frozen=True)
class Hit:
    """A photo that was found, and by what."""

    photo: UUID
    by_words: bool = False
    by_meaning: bool = False


@dataclass(frozen=True)
class Found:
    """What a search has found, the best first. `sentence` says why meaning played no part, where it should have."""

    photos: tuple[str, ...] = ()  # their ids
    legs: bytes = b""  # of each, by which it was found: BY_WORDS, BY_MEANING, or both
    words: Words = Words()
    is_capped: bool = False
    sentence: str = ""
    sentences: tuple[str, ...] = ()
    milliseconds: int = 0

    def __len__(self) -> int:
        return len(self.photos)

    def hits(self, start: int = 0, count: int | None = None) -> list[Hit]:
        """Some of what was found."""
        end = None if count is None else start + count
        pairs = zip(self.photos[start:end], self.legs[start:end], strict=True)
        return [Hit(UUID(photo), bool(legs & BY_WORDS), bool(legs & BY_MEANING)) for photo, legs in pairs]

    @property
    def has_words(self) -> bool:
        """Whether any photo holds the words that were asked for."""
        return any(legs & BY_WORDS for legs in self.legs)


def find(user: User, asked: Asked, like: Photo | None = None) -> Found:
    """Search the person's libraries; with `like`, for photos like that one, which asked narrows.

    May ask the network for the vector of the question: never call it in a transaction.
    """
    began = time.perf_counter()
    accounts, sentences = _accounts(user, asked)
    albums = [_albums(accounts, value) for value in asked.values("album", with_not=True)]
    names = asked.values("album", with_not=True)
    sentences += [f"No album has “{name}” in its name." for name, found in zip(names, albums, strict=True) if not found]
    found = Found()
    if accounts and not (asked.is_empty and like is None):
        found = _found(accounts, asked, albums, like)
    spent = round((time.perf_counter() - began) * 1_000)
    found = replace(found, sentences=tuple(sentences), milliseconds=spent)
    cache.set(_key(user, asked, like), found, KEPT_SECONDS)
    return found


def again(user: User, asked: Asked, like: Photo | None = None) -> Found:
    """The same as the person's last `find`, as long as it is kept."""
    return cache.get(_key(user, asked, like)) or find(user, asked, like)


def _found(accounts: Sequence[Account], asked: Asked, albums: Sequence[Sequence[UUID]], like: Photo | None) -> Found:
    words = legs.words_of(asked)
    conditions = legs.conditions([account.pk for account in accounts], asked, albums)
    if like:
        conditions.add("s.photo_id <> %s", like.pk)
        words = Words(must=words.all_of_them, any_of_them=words.any_of_them)
        meant = _meaning_of(like)
    else:
        meant = meaning.of(asked.meant, accounts) if asked.meant else Meaning()
    near = legs.by_vector(conditions, words, meant.vector, meant.model) if meant.vector else []
    places = {} if like else _worded(conditions, words, asked, is_alone=not near)
    photos, by = _fused(places, near)
    return Found(photos, by, words, len(places) >= RANKED, meant.sentence)


def _worded(conditions: Conditions, words: Words, asked: Asked, *, is_alone: bool) -> dict[str, int]:
    """Nothing where the question has nothing but stop words in it."""
    if not (words.all_of_them or asked.filters):
        return {}
    return legs.by_words(conditions, words, is_newest_first=is_alone)


def _fused(places: Mapping[str, int], near: Sequence[tuple[str, float]]) -> tuple[tuple[str, ...], bytes]:
    """By the sum of the reciprocal places; what is far from the question counts only where it has the words."""
    least = ALIKE * (1 - near[0][1]) if near else 0.0
    alike = {
        photo: place for place, (photo, distance) in enumerate(near, 1) if photo in places or 1 - distance >= least
    }
    scores = {photo: 1 / (EVENNESS + place) for photo, place in places.items()}
    for photo, place in alike.items():
        scores[photo] = scores.get(photo, 0.0) + 1 / (EVENNESS + place)
    best = sorted(scores, key=scores.__getitem__, reverse=True)
    return tuple(best), bytes(BY_WORDS * (photo in places) + BY_MEANING * (photo in alike) for photo in best)


def _meaning_of(photo: Photo) -> Meaning:
    row = PhotoEmbedding.objects.filter(photo=photo).first()
    if row:
        return Meaning(meaning.written(row.embedding), row.model)
    is_described = AIMetadata.objects.filter(photo=photo, processing_status=AIMetadata.Processing.COMPLETED).exists()
    return Meaning(sentence=BEING_EMBEDDED if is_described else NOT_EMBEDDED)


def _accounts(user: User, asked: Asked) -> tuple[list[Account], list[str]]:
    """The libraries that are searched, and a sentence for each that the person does not have."""
    accounts = list(Account.objects.visible_to(user).order_by("pk"))
    known = {account.nickname.lower() for account in accounts}
    named = [one for one in asked.filters if one.name == "library"]
    sentences = [f"You have no library called “{one.value}”." for one in named if one.value.lower() not in known]
    for one in named:
        accounts = [account for account in accounts if (account.nickname.lower() == one.value.lower()) != one.is_not]
    return accounts, sentences


def _albums(accounts: Sequence[Account], name: str) -> list[UUID]:
    rows = Album.objects.filter(account__in=accounts).present().named_like(name)
    return list(rows.values_list("pk", flat=True))


def _key(user: User, asked: Asked, like: Photo | None) -> str:
    what = f"{user.pk} {like.pk if like else ''} {asked.text}"
    return f"search:{hashlib.sha256(what.encode()).hexdigest()}"
