"""What a filter found at one moment, kept so that a decision or a sample is about that and nothing else, however long
it takes and whatever comes to match meanwhile. Never the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from metadata.models import WORDS, AIMetadata, Decision, Found, MetadataHistory, Snapshot
from smugmug.models import Account

Source = MetadataHistory.Source
FIELDS = tuple(name.replace("ai_", "", 1) for name in WORDS)


class Versions(NamedTuple):
    """SQL that gives the ids and the versions of rows, written once: Django takes longer over it than Postgres takes
    to answer for a chunk."""

    sql: str
    params: tuple[Any, ...]


def versions_of(rows: QuerySet[AIMetadata]) -> Versions:
    return Versions(*rows.order_by().values_list("pk", "version").query.sql_with_params())


@transaction.atomic
def take(account: Account, rows: QuerySet[AIMetadata]) -> Snapshot:
    """The rows as they are now, each with its version; `size` says how many. One statement, however many."""
    snapshot = Snapshot.objects.create(account=account)
    versions = versions_of(rows)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO metadata_found (snapshot_id, words_id, version)"
            f" SELECT %s, rows.id, rows.version FROM ({versions.sql}) AS rows(id, version)",
            [snapshot.pk, *versions.params],
        )
        snapshot.size = cursor.rowcount
    snapshot.save(update_fields=["size"])
    return snapshot


def after(snapshot: int, words: UUID | None, count: int) -> list[tuple[UUID, int]]:
    """The next ids in their order, each with the version that was found."""
    rows = Found.objects.filter(snapshot=snapshot)
    rows = rows.filter(words__gt=words) if words else rows
    return list(rows.order_by("words").values_list("words", "version")[:count])


def forget(snapshot: int | None) -> None:
    """Nobody needs it any more."""
    if snapshot is not None:
        Snapshot.objects.filter(pk=snapshot).delete()


def unchanged(rows: QuerySet[AIMetadata], snapshot: int | None) -> QuerySet[AIMetadata]:
    """Those of the rows that were found and say what they said then: the same words, by the same hand."""
    later = MetadataHistory.objects.filter(
        _rewords(), metadata=OuterRef(OuterRef("pk")), version__gt=OuterRef("version")
    )
    found = Found.objects.filter(Q(version=OuterRef("version")) | ~Exists(later), words=OuterRef("pk"))
    return rows.filter(Exists(found.filter(snapshot=snapshot)))


def _rewords() -> Q:
    """Steps after which the words are others, or the AI's anew."""
    rewords = Q(source=Source.AI)
    for field in FIELDS:
        rewords |= ~Q(**{f"new_{field}": F(f"previous_{field}")})
    return rewords


def moved(snapshot: int, first: UUID, last: UUID, rows: Versions) -> set[UUID]:
    """Of those found from the first id to the last, those that are not among the rows, or at another version."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT words_id FROM metadata_found found WHERE snapshot_id = %s AND words_id BETWEEN %s AND %s"
            f" AND NOT EXISTS (SELECT FROM ({rows.sql}) AS rows(id, version)"
            " WHERE rows.id = found.words_id AND rows.version = found.version)",
            [snapshot, first, last, *rows.params],
        )
        return {pk for (pk,) in cursor.fetchall()}


def changed(found: Mapping[UUID, int], *, but_by: QuerySet[Decision]) -> set[UUID]:
    """Those (version found, by id) that anything has changed since, but for those decisions and their undo."""
    steps = MetadataHistory.objects.filter(metadata__in=found)
    steps = steps.exclude(source__in=(Source.PERSON, Source.UNDO), decision__in=but_by)
    return {pk for pk, version in steps.values_list("metadata", "version") if version > found[pk]}
