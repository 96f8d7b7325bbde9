"""Many rows in one statement, as fast as Postgres takes them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.db import connection
from django.db.models import Model
from psycopg import sql

ROWS_A_STATEMENT = 500
# The rows come as one text, which Postgres takes apart by the types of the table's own columns. A VALUES list, as
# bulk_create makes it, has a parameter for each value: building and reading it costs several times as much.
UPSERT = sql.SQL(
    "INSERT INTO {table} ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::{table}, %s) "
    "ON CONFLICT ({unique}) DO UPDATE SET {changes} RETURNING {unique}, {pk}"
)
CHANGE = sql.SQL("{0} = EXCLUDED.{0}")
CHANGE_IF_LATER = sql.SQL(
    "{0} = CASE WHEN {table}.synced_at > EXCLUDED.synced_at THEN {table}.{0} ELSE EXCLUDED.{0} END"
)


def upsert(
    model: type[Model],
    rows: Sequence[Mapping[str, Any]],
    *,
    unique: Collection[str],
    update: Collection[str],
    latest: Collection[str] = (),
) -> list[tuple[Any, ...]]:
    """Write rows of the same fields; where one with those `unique` values is there, its fields in `update` change.

    Those in `latest` change only where the row is not known as of a later time (its `synced_at`), which stays then.
    Returns the unique values of each row, and its primary key.
    Rows that other processes may write too must come in the same order, else they may wait for each other for ever.
    """
    if not rows:
        return []
    columns = {field.name: str(field.column) for field in model._meta.concrete_fields if field.name in rows[0]}
    table = sql.Identifier(model._meta.db_table)
    statement = UPSERT.format(
        table=table,
        columns=_names(columns.values()),
        unique=_names(columns[name] for name in unique),
        pk=sql.Identifier(str(model._meta.pk.column)),
        changes=sql.SQL(", ").join(
            (CHANGE_IF_LATER if name in latest else CHANGE).format(sql.Identifier(columns[name]), table=table)
            for name in update
        ),
    )
    written: list[tuple[Any, ...]] = []
    with connection.cursor() as cursor:
        for start in range(0, len(rows), ROWS_A_STATEMENT):
            batch = [{columns[name]: row[name] for name in row} for row in rows[start : start + ROWS_A_STATEMENT]]
            # Times and uuids as text, which says the same to Postgres.
            cursor.execute(statement, [json.dumps(batch, default=str, ensure_ascii=False)])
            written += cursor.fetchall()
    return written


def _names(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
