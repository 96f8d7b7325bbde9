"""What a page shows of what was found: the photos with why each of them matched, and figures over all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from metadata import library
from metadata.models import AIMetadata
from metadata.search import Found, Hit
from smugmug.models import Account, Photo

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST_REASONS = 3
OPEN, CLOSE = "\x02", "\x03"  # around words that match; no text that Postgres holds needs them
FACETS = {"album": 8, "tag": 10, "camera": 5, "library": 5}  # values of each that are shown

WHERE_THEY_MATCH = """
WITH asked AS MATERIALIZED (SELECT %(query)s::tsquery AS query)
SELECT photo.id,
    ts_headline('targetvision', left(coalesce(nullif(words.ai_description, ''), photo.caption), 2000), query, %(how)s),
    photo_search_holds(query, coalesce(words.ai_title, '') || ' . ' || photo.title),
    photo_search_holds(query, words.ai_description),
    ARRAY(SELECT tag FROM unnest(words.ai_tags) tag WHERE photo_search_holds(query, tag) LIMIT 2),
    ARRAY(SELECT tag FROM unnest(photo.keywords) tag WHERE photo_search_holds(query, tag) LIMIT 2),
    photo_search_holds(query, photo.caption),
    photo_search_holds(query, array_to_string(words.ai_categories, ' . ')),
    photo_search_holds(query, words.ai_alt_text),
    photo_search_holds(query, photo.filename),
    photo_search_holds(query, album.title)
FROM smugmug_photos photo JOIN smugmug_albums album ON album.id = photo.album_id CROSS JOIN asked
LEFT JOIN ai_metadata words ON words.photo_id = photo.id
WHERE photo.id = ANY (%(photos)s)
"""
HOW = f"StartSel={OPEN}, StopSel={CLOSE}, MaxWords=34, MinWords=18"

COUNTS = """
WITH found AS MATERIALIZED (
    SELECT photo.id, photo.account_id, photo.exif ->> 'camera' AS camera, words.ai_tags AS tags,
        CASE WHEN words.review_status <> 'unreviewed' THEN words.review_status
            WHEN words.processing_status = 'completed' THEN 'waiting' ELSE 'undescribed' END AS status
    FROM smugmug_photos photo LEFT JOIN ai_metadata words ON words.photo_id = photo.id
    WHERE photo.id = ANY (%(photos)s::uuid[]) AND photo.account_id = ANY (%(accounts)s) AND photo.removed_at IS NULL
)
(SELECT 'status', status, count(*) FROM found GROUP BY 2 ORDER BY 3 DESC, 2)
UNION ALL (SELECT 'album', album.title, count(*) FROM found
    JOIN smugmug_album_photos standing ON standing.photo_id = found.id
    JOIN smugmug_albums album ON album.id = standing.album_id AND album.removed_at IS NULL AND album.title <> ''
        AND album.account_id = ANY (%(accounts)s)
    GROUP BY 2 ORDER BY 3 DESC, 2 LIMIT %(album)s)
UNION ALL (SELECT 'tag', tag, count(*) FROM found, unnest(tags) tag GROUP BY 2 ORDER BY 3 DESC, 2 LIMIT %(tag)s)
UNION ALL (SELECT 'camera', camera, count(*) FROM found WHERE camera <> '' GROUP BY 2 ORDER BY 3 DESC, 2
    LIMIT %(camera)s)
UNION ALL (SELECT 'library', nickname, count(*) FROM found JOIN smugmug_account account ON account.id = account_id
    GROUP BY 2 ORDER BY 3 DESC, 2 LIMIT %(library)s)
"""


@dataclass(frozen=True)
class Match:
    """A photo that was found, as a page shows it."""

    photo: Any  # a Photo with its words, as library.dress_photo leaves it
    text: SafeString
    why: str
    status: str
    by_words: bool
    by_meaning: bool


@dataclass(frozen=True)
class Share:
    """How much of the libraries can be found by more than SmugMug's own words."""

    photos: int
    described: int

    @property
    def percent(self) -> int:
        """100 only when all are."""
        return 100 * self.described // self.photos if self.photos else 0


def matches(user: User, found: Found, hits: Sequence[Hit]) -> list[Match]:
    """Some of the hits, in their order; what was removed or taken from the person since is left out."""
    rows = Photo.objects.visible_to(user).present().select_related("ai_metadata")
    photos: dict[UUID, Any] = rows.in_bulk([hit.photo for hit in hits])
    told = _told(found.words.any_of_them, photos)
    shown = []
    for hit in hits:
        if photo := photos.get(hit.photo):
            library.dress_photo(photo)
            headline, *places = told.get(hit.photo, (_text(photo), *[None] * len(_NAMES)))
            why = _why(hit, _reasons(places))
            shown.append(Match(photo, _marked(headline or _text(photo)), why, _status(photo.words), *_legs(hit)))
    return shown


def counts(user: User, found: Found) -> dict[str, list[tuple[str, int]]]:
    """For each thing to narrow by: (value, how many of what was found), the most frequent first.

    What was removed or taken from the person since is not counted, and an album of somebody else's not named.
    """
    accounts = list(Account.objects.visible_to(user).values_list("pk", flat=True))
    facets: dict[str, list[tuple[str, int]]] = {"status": [], **{name: [] for name in FACETS}}
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, {"photos": list(found.photos), "accounts": accounts, **FACETS})
        for name, value, count in cursor.fetchall():
            facets[name].append((value, count))
    return facets


def share(user: User) -> Share:
    """Over all libraries of the person; of big ones as it was a few seconds ago."""
    figures = library.figures(Account.objects.visible_to(user)).values()
    return Share(sum(one.photos for one in figures), sum(one.described for one in figures))


_NAMES = ("title", "description", "tag", "keyword", "caption", "category", "alt text", "file name", "album")


def _told(query: str, photos: Iterable[UUID]) -> dict[UUID, tuple[Any, ...]]:
    """By photo: its text with the words marked that match, and for each of _NAMES whether they stand there."""
    if not query:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(WHERE_THEY_MATCH, {"query": query, "how": HOW, "photos": list(photos)})
        return {row[0]: row[1:] for row in cursor.fetchall()}


def _text(photo: Any) -> str:
    words: AIMetadata | None = photo.words
    return (words.ai_description if words else "") or photo.caption or photo.name


def _status(words: AIMetadata | None) -> str:
    if words is None or words.review_status == AIMetadata.Review.UNREVIEWED:
        return "waiting" if words and words.is_described else "undescribed"
    return words.review_status


def _legs(hit: Hit) -> tuple[bool, bool]:
    return hit.by_words, hit.by_meaning


def _reasons(places: Sequence[Any]) -> list[str]:
    reasons = []
    for name, where in zip(_NAMES, places, strict=True):
        if isinstance(where, list):
            whose = "your keyword" if name == "keyword" else name
            reasons += [f"{whose} “{value}”" for value in where]
        elif where:
            reasons.append(name)
    return reasons[:MOST_REASONS]


def _why(hit: Hit, reasons: list[str]) -> str:
    """title, tag “fog” and meaning"""
    *first, last = [*reasons, *["meaning"] * hit.by_meaning] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def _marked(text: str) -> SafeString:
    """With <mark> around the words that match; everything else escaped."""
    return mark_safe(escape(text).replace(OPEN, "<mark>").replace(CLOSE, "</mark>"))  # noqa: S308 - escaped before
