"""Whom a photo is shown to just now, so that nobody else is shown it as their next.

A claim is soft: it binds nobody who opens a photo by its address and decides. By the database's clock.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from metadata.models import AIMetadata, ReviewClaim

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SECONDS = 120

# Whoever finds a claim of somebody else that is still good changes nothing.
TAKE = """
INSERT INTO metadata_reviewclaim AS claim (words_id, user_id, until)
SELECT id, %s, clock_timestamp() + make_interval(secs => %s) FROM ai_metadata WHERE id = %s
ON CONFLICT (words_id) DO UPDATE SET user_id = excluded.user_id, until = excluded.until
WHERE claim.user_id = excluded.user_id OR claim.until < clock_timestamp()
"""


def show(user: User, words: AIMetadata) -> bool:
    """The words are shown to the person: theirs for SECONDS, beside what is shown to them already.

    False where they are being shown to somebody else, or are gone; then nothing has changed.
    """
    with connection.cursor() as cursor:
        cursor.execute(TAKE, [user.pk, SECONDS, words.pk])
        return bool(cursor.rowcount)


# In the order of ids, so that two who take several wait for each other and never in a ring; what is let go afterwards
# waits for nobody, since it passes over what somebody is just taking over: that is theirs anyway. Nobody waits for the
# disk either, as a claim that a crash takes back binds nobody.
HOLD = """
SET LOCAL synchronous_commit TO OFF;
INSERT INTO metadata_reviewclaim AS claim (words_id, user_id, until)
SELECT id, %(user)s, clock_timestamp() + make_interval(secs => %(seconds)s) FROM ai_metadata
WHERE id = ANY(%(words)s) ORDER BY id
ON CONFLICT (words_id) DO UPDATE SET user_id = excluded.user_id, until = excluded.until
WHERE claim.user_id = excluded.user_id OR claim.until < clock_timestamp()
RETURNING words_id;
"""
LET_GO = """
DELETE FROM metadata_reviewclaim WHERE words_id IN (
    SELECT words_id FROM metadata_reviewclaim WHERE user_id = %(user)s AND words_id <> ALL(%(words)s)
    FOR UPDATE SKIP LOCKED
) AND user_id = %(user)s
"""


def hold(user: User, rows: Collection[UUID]) -> set[UUID]:
    """Several words at once, what is on show and what is ready behind it: those that are now the person's.

    The others are being shown to somebody else, or are gone. What else was shown to the person is let go.
    """
    with connection.cursor() as cursor:
        cursor.execute(HOLD + LET_GO, {"user": user.pk, "seconds": SECONDS, "words": list(rows)})
        cursor.nextset()  # SET says nothing
        return {pk for (pk,) in cursor.fetchall()}


# Waits for nobody either: what somebody is just taking over had run out.
RENEW = """
UPDATE metadata_reviewclaim SET until = clock_timestamp() + make_interval(secs => %s) WHERE words_id IN (
    SELECT words_id FROM metadata_reviewclaim WHERE user_id = %s FOR UPDATE SKIP LOCKED
) AND user_id = %s
"""


def renew(user: User) -> None:
    """The person is still there: what is shown to them stays theirs for SECONDS more."""
    with connection.cursor() as cursor:
        cursor.execute(RENEW, [SECONDS, user.pk, user.pk])


def release(user: User) -> None:
    """The person has left: what was shown to them may be shown to others."""
    with connection.cursor() as cursor:
        cursor.execute(LET_GO, {"user": user.pk, "words": []})


def free_for(user: User) -> Callable[[QuerySet[AIMetadata]], QuerySet[AIMetadata]]:
    """Narrows rows to those that are not being shown to somebody else; one and the same for each person."""
    return _free_for(user.pk)


@functools.lru_cache(maxsize=256)
def _free_for(user: int) -> Callable[[QuerySet[AIMetadata]], QuerySet[AIMetadata]]:
    def narrowed(rows: QuerySet[AIMetadata]) -> QuerySet[AIMetadata]:
        others = ReviewClaim.objects.filter(words=OuterRef("pk"), until__gte=Now()).exclude(user=user)
        return rows.filter(~Exists(others))

    return narrowed


def holder(user: User, words: AIMetadata) -> str:
    """The name of the other person that the words are being shown to just now; "" for nobody."""
    others = ReviewClaim.objects.filter(words=words.pk, until__gte=Now()).exclude(user=user)
    return others.values_list("user__username", flat=True).first() or ""
