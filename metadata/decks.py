"""One photo after the other: what a person is shown next and what is ready behind it, claimed for them, so that nobody
else is shown the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from metadata import queue, review_claims
from metadata.models import AIMetadata
from metadata.queue import Cursor, ReviewFilter, Rows

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def next_for(user: User, wanted: ReviewFilter, after: AIMetadata | None = None) -> AIMetadata | None:
    """What to show the person next; claimed for them, beside what they hold already.

    Nothing that is being shown to somebody else, so that it may be None while words still wait. It goes to the end of
    the order and no further: from the beginning again with after=None.
    """
    accounts, free = queue.accounts_of(user, wanted), review_claims.free_for(user)
    while rows := _read(accounts, wanted, after, 1, free):
        if review_claims.show(user, rows[0]):
            return rows[0]
    return None


class Deck(NamedTuple):
    """What a page has ready: rows in order, and all words that are held for the person now."""

    rows: list[AIMetadata]
    held: set[UUID]


def deck_for(
    user: User, wanted: ReviewFilter, after: AIMetadata | None, count: int, *, beside: Collection[UUID] = ()
) -> Deck:
    """The `count` rows that follow, as in next_for(); they and the words `beside` them are claimed, and what else the
    person held is let go."""
    accounts, free = queue.accounts_of(user, wanted), review_claims.free_for(user)
    while True:
        rows = _read(accounts, wanted, after, count, free)
        held = review_claims.hold(user, {*beside, *(row.pk for row in rows)})
        ours = [row for row in rows if row.pk in held]
        if ours or not rows:  # else others took them all just now
            return Deck(ours, held)


def _read(
    accounts: Collection[int],
    wanted: ReviewFilter,
    after: AIMetadata | None,
    count: int,
    narrowed: Callable[[Rows], Rows],
) -> list[AIMetadata]:
    order = queue.order_of_focus(wanted)
    cursor = Cursor.at(after, order) if after else None
    return list(queue.with_photos(queue.first_rows(accounts, wanted, order, cursor, count, narrowed=narrowed)))


def previous_for(user: User, wanted: ReviewFilter, before: AIMetadata) -> AIMetadata | None:
    """What stands before it in the order in which photos are shown, whoever else is being shown it."""
    order = queue.order_of_focus(wanted)
    cursor = Cursor.at(before, order, is_before=True)
    return queue.with_photos(queue.first_rows(queue.accounts_of(user, wanted), wanted, order, cursor, 1)).first()
