"""The two legs of a search, as Postgres runs them: by the words of the photos, and by their vectors.

Both keep to the same conditions. Where these leave few photos, all of these are compared exactly; where they leave
many, the index of vectors is walked as far as is needed, and its order stands alone in the query: a second key there
would lose the index.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.db import connection, transaction

from metadata.search.asked import Asked, Filter, Term

RANKED = 2_000  # photos that the words may find
COMPARED = 2_000  # so few are compared one by one, where conditions leave no more
NEAREST = 60  # photos that the vectors find
COMMON = 0.1  # of the texts: a word in more of them tells no photo from another
EXPLORED = 200  # entries of the index that are kept in sight; more find more, and take longer
WALKED = 40_000  # entries at most, until enough are found that fulfil the conditions
FREQUENCY_SECONDS = 60
FREQUENCIES = "search-frequencies"

SEEN = """
SELECT lexeme, share FROM pg_stats, unnest(most_common_elems::text::text[], most_common_elem_freqs) seen (lexeme, share)
WHERE tablename = 'photo_search' AND attname = 'document' AND schemaname = current_schema() AND lexeme IS NOT NULL
"""
TERMS = (
    "SELECT photo_search_term(words, beginning)::text FROM unnest(%s::text[], %s::boolean[]) term (words, beginning)"
)
TAGS = "SELECT array_to_tsvector(ARRAY[photo_search_tag(tag)])::text FROM unnest(%s::text[]) tag"
LEXEME = re.compile(r"'((?:[^']|'')+)'(:\*)?")

FROM = """
photo_search s
JOIN smugmug_photos p ON p.id = s.photo_id
LEFT JOIN ai_metadata m ON m.photo_id = s.photo_id
"""
BY_WORDS = """
SELECT coalesce(array_agg(photo), '{{}}'), coalesce(array_agg(place), '{{}}') FROM (
    SELECT photo_id::text AS photo, rank() OVER (ORDER BY {score} DESC) AS place FROM (
        SELECT s.photo_id, s.document{taken} FROM {tables} WHERE {conditions} {newest} LIMIT {ranked}
    ) candidate ORDER BY place, photo
) ranked
"""
RANK = "ts_rank(document, %s::tsquery)"
FEW = "SELECT array_agg(photo_id::text) FROM (SELECT s.photo_id FROM {tables} WHERE {conditions} LIMIT {more}) few"
EXACTLY = """
SELECT photo_id::text, embedding <=> %s::vector AS distance FROM photo_embedding
WHERE photo_id = ANY (%s::uuid[]) AND model = %s ORDER BY distance LIMIT {nearest}
"""
# The conditions are a subquery, which Postgres cannot turn into a join: so the order of the index stays.
WALK = "SELECT set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.ef_search', %s, true), \
set_config('hnsw.max_scan_tuples', %s, true)"
BY_INDEX = """
SELECT e.photo_id::text, (e.embedding::halfvec(1536)) <=> %s::halfvec(1536) FROM photo_embedding e
WHERE e.model = %s AND (SELECT {conditions} FROM {tables} WHERE s.photo_id = e.photo_id)
ORDER BY (e.embedding::halfvec(1536)) <=> %s::halfvec(1536) LIMIT {nearest}
"""


@dataclass
class Conditions:
    """What a photo must fulfil: SQL over s (photo_search), p (the photo) and m (its words), and its parameters."""

    parts: list[str] = field(default_factory=list)
    params: list[Any] = field(default_factory=list)

    def add(self, part: str, *params: Any, is_not: bool = False) -> None:
        self.parts.append(f"NOT coalesce({part}, false)" if is_not else part)
        self.params += params

    def and_words(self, query: str) -> Conditions:
        """The same, and the tsquery."""
        more = Conditions([*self.parts], [*self.params])
        if query:
            more.add("s.document @@ %s::tsquery", query)
        return more

    def __str__(self) -> str:
        return " AND ".join(self.parts)

    @property
    def tables(self) -> str:
        """No more than the conditions speak of."""
        of_photo, of_words = (any(f"{alias}." in part for part in self.parts) for alias in "pm")
        first, photo, words = FROM.strip().splitlines()
        return " ".join([first, *[photo] * of_photo, *[words] * of_words])

    @property
    def are_narrow(self) -> bool:
        """Whether they ask for more than that the photo is there, and may be seen."""
        return len(self.parts) > 2  # noqa: PLR2004


@dataclass(frozen=True)
class Words:
    """The words of a question as tsqueries; "" where there are none.

    `must` is for both legs; `all_of_them` for the leg of the words. `telling` are those that rank, and `exact` the same
    without beginnings of words; `any_of_them` shows where they stand.
    """

    must: str = ""
    all_of_them: str = ""
    telling: str = ""
    exact: str = ""
    any_of_them: str = ""
    may_be_few: bool = False  # photos that `must` leaves; one common word, or what must not be there, leaves many


# --- From what was asked to SQL ------------------------------------------------------------------------------------


def words_of(asked: Asked) -> Words:
    """The last word may be a beginning. Where all words are common, what the vectors find must have them too."""
    last = asked.words[-1] if asked.words and len(asked.words[-1].text) > 1 else None
    wanted = [term for term in asked.terms if not term.is_not]
    begun = _tsqueries([*asked.terms, *wanted], [term is last for term in asked.terms] + [False] * len(wanted))
    queries, whole = begun[: len(asked.terms)], begun[len(asked.terms) :]
    pairs = [(term, query) for term, query in zip(asked.terms, queries, strict=True) if query]
    words = [query for term, query in pairs if not (term.is_phrase or term.is_not)]
    phrases = [query for term, query in pairs if term.is_phrase and not term.is_not]
    tags = _tags([one for one in asked.filters if one.name == "tag"])
    must = [*phrases, *(f"!({query})" for term, query in pairs if term.is_not), *tags]
    shares = _shares()
    rare = [query for query in words if _share(query, shares) <= COMMON]
    telling = [*rare, *phrases]
    return Words(
        must=_all(must if telling else [*must, *words]),
        all_of_them=_all([*must, *words]),
        telling=_any(telling),
        exact=_any([query for query in whole if query]),
        any_of_them=_any([*words, *phrases]),
        may_be_few=bool(phrases) or any(not tag.startswith("!") for tag in tags) or (len(words) > 1 and not telling),
    )


def conditions(accounts: Sequence[int], asked: Asked, albums: Sequence[Sequence[UUID]]) -> Conditions:
    """What `asked` demands beside words; `albums` are those that each of its filters by album names."""
    found = Conditions()
    found.add("s.account_id = ANY (%s)", list(accounts))
    found.add("s.is_present")
    named = iter(albums)
    for one in asked.filters:
        if one.name == "album":
            standing = (
                "EXISTS (SELECT FROM smugmug_album_photos o WHERE o.photo_id = s.photo_id AND o.album_id = ANY (%s))"
            )
            found.add(standing, list(next(named)), is_not=one.is_not)
        elif one.name in _SQL:
            part, param = _SQL[one.name]
            found.add(part, *([param(one)] if "%s" in part else []), is_not=one.is_not)
        elif one.name == "status":
            found.add(_STATUS[one.value], is_not=one.is_not)
    return found


def _like(one: Filter) -> str:
    return "%" + re.sub(r"([%_\\])", r"\\\1", one.value) + "%"


def _midnight(one: Filter) -> datetime.datetime:
    return datetime.datetime.combine(one.day, datetime.time())


_TAKEN = "coalesce(p.date_taken, p.uploaded_at AT TIME ZONE 'UTC')"
_SQL: dict[str, Any] = {
    "before": (f"{_TAKEN} < %s::timestamp", _midnight),
    "after": (f"{_TAKEN} >= %s::timestamp", _midnight),
    "camera": ("p.exif ->> 'camera' ILIKE %s", _like),
}
_STATUS = {
    "approved": "m.review_status = 'approved'",
    "rejected": "m.review_status = 'rejected'",
    "waiting": "(m.review_status = 'unreviewed' AND m.processing_status = 'completed')",
    "undescribed": "(m.processing_status IS DISTINCT FROM 'completed' "
    "AND coalesce(m.review_status, 'unreviewed') = 'unreviewed')",
}


def _tsqueries(terms: Sequence[Term], beginnings: Sequence[bool]) -> list[str]:
    """ "" for a stop word."""
    if not terms:
        return []
    with connection.cursor() as cursor:
        cursor.execute(TERMS, [[term.text for term in terms], list(beginnings)])
        return [row[0] for row in cursor.fetchall()]


def _tags(filters: Sequence[Filter]) -> list[str]:
    if not filters:
        return []
    with connection.cursor() as cursor:
        cursor.execute(TAGS, [[one.value for one in filters]])
        return [f"{'!' * one.is_not}{row[0]}" for one, row in zip(filters, cursor.fetchall(), strict=True)]


def _all(queries: Iterable[str]) -> str:
    return " & ".join(f"({query})" for query in queries)


def _any(queries: Iterable[str]) -> str:
    return " | ".join(f"({query})" for query in queries)


def _shares() -> dict[str, float]:
    """In which share of the texts the most frequent words are, as Postgres saw it when it last looked."""
    known: dict[str, float] | None = cache.get(FREQUENCIES)
    if known is None:
        with connection.cursor() as cursor:
            cursor.execute(SEEN)
            known = dict(cursor.fetchall())
        cache.set(FREQUENCIES, known, FREQUENCY_SECONDS)
    return known


def _share(query: str, shares: dict[str, float]) -> float:
    """At least in how many of the texts a word is, or a word that begins so; 0 for more than one word."""
    match = LEXEME.fullmatch(query)
    if match is None:
        return 0.0
    lexeme, is_beginning = match[1].replace("''", "'"), bool(match[2])
    return max(
        (share for word, share in shares.items() if word == lexeme or (is_beginning and word.startswith(lexeme))),
        default=0.0,
    )


# --- The legs --------------------------------------------------------------------------------------------------------


def by_words(found: Conditions, words: Words, *, is_newest_first: bool) -> dict[str, int]:
    """The places of at most RANKED photos, by id, the best first; equally good ones share a place.

    Without words that rank all are equally good, or the newest come first where nothing else puts them in an order.
    (As text: with thousands of UUIDs each time, the garbage collector would be at work for a tenth of a second.)
    """
    held = found.and_words(words.all_of_them)
    by_time = is_newest_first and not words.telling
    if by_time:
        held.add("p.id = s.photo_id")  # whatever else is asked for, photos are read
    sql = BY_WORDS.format(
        score=RANK if words.telling else "taken" if by_time else "1",
        taken=f", coalesce({_TAKEN}, '-infinity') AS taken" if by_time else "",
        tables=held.tables,
        conditions=held,
        newest="ORDER BY taken DESC" if by_time else "",
        ranked=RANKED,
    )
    params = [_any(filter(None, (words.telling, words.exact)))] if words.telling else []  # whole words count twice
    with connection.cursor() as cursor:
        cursor.execute(sql, [*params, *held.params])
        return dict(zip(*cursor.fetchone(), strict=True))


def by_vector(
    found: Conditions, words: Words, vector: str, model: str, nearest: int = NEAREST
) -> list[tuple[str, float]]:
    """(photo, distance) of those nearest that fulfil the conditions, by vectors of that model; the nearest first."""
    held = found.and_words(words.must)
    few = _few(held) if found.are_narrow or words.may_be_few else None
    if few is not None:
        with connection.cursor() as cursor:
            cursor.execute(EXACTLY.format(nearest=nearest), [vector, few, model])
            return list(cursor.fetchall())
    sql = BY_INDEX.format(conditions=held, tables=held.tables, nearest=nearest)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(WALK, [str(EXPLORED), str(WALKED)])
        cursor.execute(sql, [vector, model, *held.params, vector])
        return list(cursor.fetchall())


def _few(held: Conditions) -> list[str] | None:
    """All photos that fulfil the conditions, where these are few."""
    sql = FEW.format(tables=held.tables, conditions=held, more=COMPARED + 1)
    with connection.cursor() as cursor:
        cursor.execute(sql, held.params)
        photos: list[str] = cursor.fetchone()[0] or []
    return photos if len(photos) <= COMPARED else None
