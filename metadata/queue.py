"""Which words are shown for review, to whom, and in which order. Reads only.

Lists go on by a cursor that holds the last row's place in the order: whatever is decided meanwhile, nothing is skipped
and nothing comes twice. Each list is read from an index as far as it is shown, one branch for each library.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.core.cache import cache
from django.db.models import Exists, F, Func, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.lookups import GreaterThan, LessThan

from metadata import rewording
from metadata.forms_review import Order, Status
from metadata.models import AIMetadata, PhotoSearch
from metadata.models.search import holds_words
from metadata.models.words import SURENESS
from metadata.review_filter import BadFilter as BadFilter
from metadata.review_filter import ReviewFilter as ReviewFilter
from smugmug.models import Account, AlbumPhoto

if TYPE_CHECKING:
    from django.contrib.auth.models import User

COUNT_TO = 10_000  # beyond that a page shows "10,000+"
COUNT_SECONDS = 60
FEW = 1_000  # are counted in a few milliseconds
NO_CONFIDENCE = -1.0  # as in SURENESS
ONE_DAY = datetime.timedelta(days=1)

Rows = QuerySet[AIMetadata]


# --- Which words ---------------------------------------------------------------------------------------------


def words(user: User, wanted: ReviewFilter, *, to_change: bool = True) -> Rows:
    """The words that the filter finds where the person may decide; with to_change=False where they may look."""
    return matching(accounts_of(user, wanted, to_change=to_change), wanted)


def accounts_of(user: User, wanted: ReviewFilter, *, to_change: bool = True) -> dict[int, str]:
    """The nicknames of the libraries that the filter is about, by their ids, as far as the person may change them (or
    see them)."""
    accounts = Account.objects.changeable_by(user) if to_change else Account.objects.visible_to(user)
    if wanted.account:
        accounts = accounts.filter(nickname=wanted.account)
    return dict(accounts.order_by("pk").values_list("pk", "nickname"))


def matching(accounts: Collection[int], wanted: ReviewFilter) -> Rows:
    """The words in these libraries that the filter finds, in no order, every frame of a burst for itself.

    For jobs, which act for nobody; the filter's own library plays no part.
    """
    rows = AIMetadata.objects.filter(_state(wanted.status), photo__removed_at=None)
    # "=" keeps the order of the index, which IN does not.
    rows = rows.filter(account=next(iter(accounts))) if len(accounts) == 1 else rows.filter(account__in=accounts)
    for name, condition in _CONDITIONS.items():
        if value := getattr(wanted, name):
            rows = rows.filter(condition(value))
    return rows


def _state(status: str) -> Q:
    described = Q(processing_status=AIMetadata.Processing.COMPLETED)
    if status == Status.ALL:
        return described
    if status == Status.WAITING:
        return described & Q(review_status=AIMetadata.Review.UNREVIEWED)
    return Q(review_status=status)


def _midnight(day: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(), datetime.UTC)


def _in_album(album: UUID) -> Q:
    return Q(photo__in=AlbumPhoto.objects.filter(album=album).values("photo"))


def _with_text(text: str) -> Q:
    """By the words that a search finds; what has none, as "the", as it is written."""
    if not holds_words(text):
        texts = (*rewording.TEXTS, "photo__title", "photo__caption")
        return reduce(or_, (Q(**{f"{name}__icontains": text}) for name in texts))
    return Q(photo__in=PhotoSearch.objects.with_words(text).values("photo"))


_CONDITIONS: dict[str, Callable[[Any], Q]] = {
    "album": _in_album,
    "after": lambda day: Q(sort_at__gte=_midnight(day)),
    "before": lambda day: Q(sort_at__lt=_midnight(day + ONE_DAY)),
    "lane": lambda lane: Q(lane=lane),
    "tag": lambda tag: Q(ai_tags__contains=[tag]),
    "category": lambda category: Q(ai_categories__contains=[category]),
    "model": lambda model: Q(model=model),
    "prompt": lambda prompt: Q(prompt=prompt),
    "text": _with_text,
}


# --- In which order --------------------------------------------------------------------------------------------


def _key(order: str) -> Any:
    return F("sort_at") if order == Order.OLDEST else SURENESS


def _place(row: AIMetadata, order: str) -> Any:
    """What the order puts the row by, before its id."""
    if order == Order.OLDEST:
        return row.sort_at
    return NO_CONFIDENCE if row.confidence_score is None else row.confidence_score


def order_of_page(wanted: ReviewFilter) -> str:
    """What a page of many shows first: where one approves in bulk, the surest; where one reads, the least sure."""
    usual = Order.SUREST if wanted.status == Status.WAITING else Order.OLDEST
    return wanted.order or _order_of_lane(wanted) or usual.value


def order_of_focus(wanted: ReviewFilter) -> str:
    """What is shown first where one photo comes after the other: the oldest; where one reads, the least sure."""
    return wanted.order or _order_of_lane(wanted) or Order.OLDEST.value


def _order_of_lane(wanted: ReviewFilter) -> str:
    is_read = wanted.status == Status.WAITING and wanted.lane in {AIMetadata.Lane.READ, AIMetadata.Lane.LOOK}
    return Order.LEAST_SURE.value if is_read else ""


def in_order(rows: Rows, order: str, *, backwards: bool = False) -> Rows:
    """The rows in that order, or in its reverse."""
    if (order == Order.SUREST) != backwards:
        return rows.order_by(_key(order).desc(), "-pk")
    return rows.order_by(_key(order).asc(), "pk")


def beyond(rows: Rows, order: str, place: tuple[Any, UUID], *, backwards: bool = False) -> Rows:
    """Those that come after that place (a row's key and id) in the order, or before it."""
    comparison = LessThan if (order == Order.SUREST) != backwards else GreaterThan
    return rows.filter(comparison(_pair(_key(order), F("pk")), _pair(Value(place[0]), Value(place[1]))))


def _pair(key: Any, pk: Any) -> Func:
    """Compared as a whole, so that the index is entered at the very place."""
    return Func(key, pk, function="ROW", output_field=TextField())


def first_frames(rows: Rows) -> Rows:
    """Of each burst one frame alone: its first, else, where that is not among the rows, the earliest of them."""
    earlier = LessThan(_pair(F("sort_at"), F("pk")), _pair(OuterRef("sort_at"), OuterRef("pk")))
    ahead = rows.filter(stack=OuterRef("stack")).filter(Q(pk=OuterRef("stack")) | earlier)
    return rows.filter(Q(stack=None) | Q(pk=F("stack")) | ~Exists(ahead))


# --- Pages -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cursor:
    """Where a page begins (after the place) or ends (before it)."""

    place: tuple[Any, UUID]
    is_before: bool = False

    def __str__(self) -> str:
        key, pk = self.place
        text = key.isoformat() if isinstance(key, datetime.datetime) else repr(key)
        return f"{'before' if self.is_before else 'after'}_{text}_{pk}"

    @classmethod
    def at(cls, row: Any, order: str, *, is_before: bool = False) -> Cursor:
        """Where the row stands in the order."""
        return cls((_place(row, order), row.pk), is_before)

    @classmethod
    def read(cls, text: str, order: str) -> Cursor | None:
        """From what str() gave for the same order; None for anything else."""
        direction, _, rest = text.partition("_")
        key, _, pk = rest.partition("_")
        try:
            place = (_read_key(key, order), UUID(pk))
        except ValueError:
            return None
        return cls(place, direction == "before") if direction in {"before", "after"} else None


def _read_key(text: str, order: str) -> datetime.datetime | float:
    if order != Order.OLDEST:
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(text)
        return number
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    try:
        return moment.astimezone(datetime.UTC)  # Postgres knows fewer offsets than Python does
    except OverflowError:
        raise ValueError(text) from None


# What no page of review shows: times, above all, which take longer to read than all else of a row.
UNSEEN = (
    "claimed_until", "created_at", "processed_at",
    *(f"photo__{name}" for name in (
        "archived_md5", "created_at", "large_url", "original_url", "remote_updated_at", "synced_at", "thumbnail_url",
        "uploaded_at",
    )),
    *(f"photo__album__{name}" for name in (
        "created_at", "description", "images_last_updated", "last_updated", "listed_at", "moved_at", "removed_at",
        "synced_at",
    )),
    # These are decrypted wherever they are read.
    "photo__account__oauth_token", "photo__account__oauth_token_secret",
)  # fmt: skip


def with_photos(rows: Rows) -> Rows:
    """With their albums and libraries."""
    return rows.select_related("photo__album", "photo__account").defer(*UNSEEN)


def _as_they_are(rows: Rows) -> Rows:
    return rows


class Reading(NamedTuple):
    """How a page reads its rows: as `dressed` gives them, with as much of their photos as it shows, and without those
    that it leaves out."""

    dressed: Callable[[Rows], Iterable[Any]] = with_photos
    narrowed: Callable[[Rows], Rows] = _as_they_are


@dataclass(frozen=True)
class Page:
    """Some rows with their photos, in order, and the cursors of the pages beside them ("" where there is none)."""

    rows: list[Any]
    next_cursor: str = ""
    previous_cursor: str = ""


def page(
    accounts: Collection[int], wanted: ReviewFilter, cursor: str, size: int, *, reading: Reading | None = None
) -> Page:
    """At most `size` rows of these libraries from the cursor on, as `reading` has them: one query, and those of its
    dress. What is waiting shows each burst once.

    A cursor that makes no sense, or behind which nothing is left, gives the first page.
    """
    order, reading = order_of_page(wanted), reading or Reading()
    here = Cursor.read(cursor, order)
    backwards = bool(here and here.is_before)

    def read(cursor: Cursor | None) -> list[Any]:
        rows = first_rows(accounts, wanted, order, cursor, size + 1, narrowed=reading.narrowed)
        return list(reading.dressed(rows))

    rows = read(here)
    if here and (not rows or (backwards and len(rows) <= size)):
        here, backwards = None, False
        rows = read(None)
    has_more, rows = len(rows) > size, rows[:size]
    if backwards:
        rows.reverse()
    return Page(
        rows,
        next_cursor=_cursor(rows, order) if has_more or backwards else "",
        previous_cursor=_cursor(rows, order, is_before=True) if here and rows else "",
    )


def _cursor(rows: list[Any], order: str, *, is_before: bool = False) -> str:
    return str(Cursor.at(rows[0] if is_before else rows[-1], order, is_before=is_before))


@functools.lru_cache(maxsize=256)
def _listed(account: int, wanted: ReviewFilter, narrowed: Callable[[Rows], Rows]) -> Rows:
    """What a list shows of the library, in no order. It is put together once, as that takes Django longer than Postgres
    takes to read a page of it; it is never read itself, only what is made from it."""
    rows = matching([account], wanted)
    return narrowed(first_frames(rows) if wanted.status == Status.WAITING else rows)


def first_rows(
    accounts: Collection[int],
    wanted: ReviewFilter,
    order: str,
    cursor: Cursor | None,
    count: int,
    *,
    narrowed: Callable[[Rows], Rows] = _as_they_are,
) -> Rows:
    """The first `count` rows beyond the cursor; backwards from it where it ends the page."""
    backwards = bool(cursor and cursor.is_before)

    def branch(account: int) -> Rows:
        rows = in_order(_listed(account, wanted, narrowed), order, backwards=backwards)
        return beyond(rows, order, cursor.place, backwards=backwards) if cursor else rows

    if not accounts:
        return AIMetadata.objects.none()
    if len(accounts) == 1:
        return branch(*accounts)[:count]
    first, *others = (branch(account).values("pk")[:count] for account in accounts)
    rows = AIMetadata.objects.filter(pk__in=first.union(*others, all=True))
    return in_order(rows, order, backwards=backwards)[:count]


# --- How many ----------------------------------------------------------------------------------------------------


def count(user: User, wanted: ReviewFilter, cap: int = COUNT_TO, *, to_change: bool = True) -> tuple[int, bool]:
    """How many the filter finds, each frame of a burst counted, and whether there are more than `cap`.

    May be a minute old.
    """
    accounts = accounts_of(user, wanted, to_change=to_change)
    asked = f"{list(accounts)}:{cap}:{wanted.without('order').text_form()}"
    key = f"review-count:{hashlib.sha256(asked.encode()).hexdigest()}"
    found = cache.get_or_set(key, lambda: matching(accounts, wanted)[: cap + 1].count(), timeout=COUNT_SECONDS) or 0
    return min(found, cap), found > cap


def count_lanes(user: User, wanted: ReviewFilter, *, to_change: bool = True) -> dict[str, tuple[int, bool]]:
    """The same for each lane, whatever lane the filter names."""
    return {lane: count(user, replace(wanted, lane=lane), to_change=to_change) for lane in AIMetadata.Lane.values}


def count_waiting(user: User) -> int:
    """How many words wait for the person, at most COUNT_TO + 1; more than a FEW may be counted a minute ago."""
    key = f"review-waiting:{user.pk}"
    known: int | None = cache.get(key)
    if known is not None:
        return known
    found = matching(accounts_of(user, ReviewFilter()), ReviewFilter())[: COUNT_TO + 1].count()
    if found > FEW:
        cache.set(key, found, timeout=COUNT_SECONDS)
    return found
