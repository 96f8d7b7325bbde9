"""Words rewritten, each with its step of history: one statement, however many rows. Never the network.

Whatever a person decides, over one photo or over 100,000, is written here, so that no row changes without its step.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from metadata.models import WORDS, AIMetadata, MetadataHistory

REVIEW = ("review_status", "rejection_reason", "approved_by", "approved_at")
EMBEDDED = ("ai_title", "ai_description", "ai_tags")  # what text_to_embed is made from


@dataclass(frozen=True)
class Step:
    """What the history tells of a rewrite beside the words.

    `reason` and `came_from`, the frame of a burst that it was decided at, are SQL over the same tables as a Rewrite's.
    """

    decision: UUID
    changed_by: str
    at: datetime.datetime
    sentence: str = ""
    reason: str = "%(sentence)s"
    source: str = MetadataHistory.Source.PERSON.value
    came_from: str = "NULL::uuid"


@dataclass(frozen=True)
class Rewrite:
    """New values by column, as SQL over `w` (the row as it stands) and what `joined` adds; `only` narrows the rows.

    The SQL is this project's own; what comes from people is in `params`.
    """

    columns: Mapping[str, str]
    joined: str = ""
    only: str = "true"
    params: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def to(cls, values: Mapping[str, Any], *, version: int | None = None) -> Rewrite:
        """The same values for every row; with `version` only where that is still the row's."""
        columns = {name: f"%({name})s::{_type(name)}" for name in values}
        only = "true" if version is None else "w.version = %(version)s"
        return cls(columns, only=only, params={**values, "version": version})

    @classmethod
    def of_each(cls, rows: Mapping[UUID, Mapping[str, Any]], names: Collection[str]) -> Rewrite:
        """For each row values of its own, by id."""
        shape = ", ".join(f"{name} {_type(name)}" for name in names)
        given = [{"id": str(pk), **values} for pk, values in rows.items()]
        return cls(
            {name: f"given.{name}" for name in names},
            joined=f"JOIN jsonb_to_recordset(%(given)s::jsonb) AS given(id uuid, {shape}) ON given.id = w.id",
            params={"given": json.dumps(given)},
        )


class Written(NamedTuple):
    """A row that was rewritten. `is_reworded`: its vector has gone, being that of other words."""

    words: UUID
    photo: UUID
    is_reworded: bool


def write(pks: Collection[UUID], rewrite: Rewrite, step: Step) -> list[Written]:
    """Rewrite those of the rows that it is for, each one version further and with its step of history.

    Conditional on each row's version: a row that somebody changes at the same moment is left as they leave it.
    """
    return [Written(*row) for row in _execute(pks, rewrite, step, "id, photo_id, {reworded}")]


def write_many(pks: Collection[UUID], rewrite: Rewrite, step: Step) -> int:
    """The same for thousands of rows: only how many were rewritten."""
    return int(_execute(pks, rewrite, step, "count(*)")[0][0])


def _execute(pks: Collection[UUID], rewrite: Rewrite, step: Step, told: str) -> list[tuple[Any, ...]]:
    params = {
        **rewrite.params,
        "pks": array(pks),
        "decision": step.decision,
        "changed_by": step.changed_by,
        "sentence": step.sentence,
        "source": step.source,
        "at": step.at,
    }
    with connection.cursor() as cursor:
        cursor.execute(_statement(rewrite, step, told), params)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def array(pks: Collection[UUID]) -> str:
    """The ids as Postgres reads an uuid[]; psycopg, which looks into each for what must be quoted, takes longer over
    thousands than Postgres over a lookup of them."""
    return f"{{{','.join(map(str, pks))}}}"


def _statement(rewrite: Rewrite, step: Step, told: str) -> str:
    """Every part of it sees the rows as they were before it, so that `target` holds the old values and the new.

    `told` is what it gives of the rows that were rewritten.
    """
    names = (*WORDS, *REVIEW)
    new = {name: f"new_{name}" if name in rewrite.columns else name for name in names}
    old_values = ", ".join(f"w.{name}" for name in names)
    new_values = ", ".join(f"{value} AS new_{name}" for name, value in rewrite.columns.items())
    changes = ", ".join(f"{name} = target.new_{name}" for name in rewrite.columns)
    history = _history(new)
    reworded = " OR ".join(f"{name} <> {new[name]}" for name in EMBEDDED if name in rewrite.columns) or "false"
    return f"""
        WITH target AS MATERIALIZED (
            SELECT w.id, w.photo_id, w.version, {step.reason} AS reason, {step.came_from} AS came_from,
                {old_values}, {new_values}
            FROM ai_metadata w {rewrite.joined}
            WHERE w.id = ANY(%(pks)s::uuid[]) AND ({rewrite.only})
        ), written AS (
            UPDATE ai_metadata w SET {changes}, version = w.version + 1, updated_at = %(at)s
            FROM target WHERE w.id = ANY(%(pks)s::uuid[]) AND w.id = target.id AND w.version = target.version
            RETURNING w.id
        ), noted AS (
            INSERT INTO metadata_history (metadata_id, version, source, decision_id, came_from_id, changed_by,
                change_reason, created_at, {", ".join(history)})
            SELECT id, version + 1, %(source)s, %(decision)s, came_from, %(changed_by)s,
                reason, %(at)s, {", ".join(history.values())}
            FROM target JOIN written USING (id)
        ), reworded AS (
            SELECT photo_id FROM target JOIN written USING (id) WHERE {reworded}
        ), forgotten AS (
            DELETE FROM photo_embedding WHERE photo_id IN (SELECT photo_id FROM reworded)
        )
        SELECT {told.format(reworded=reworded)} FROM target JOIN written USING (id)
    """


def _history(new: Mapping[str, str]) -> dict[str, str]:
    """The columns of a step that tell what changed, and from where in `target` each comes."""
    pairs = {name.replace("ai_", "", 1): name for name in WORDS}
    pairs |= {name: name for name in ("review_status", "rejection_reason")}
    told = {f"previous_{short}": name for short, name in pairs.items()}
    told |= {f"new_{short}": new[name] for short, name in pairs.items()}
    return told | {"previous_approved_by": "approved_by", "previous_approved_at": "approved_at"}


def _type(name: str) -> str:
    return str(AIMetadata._meta.get_field(name).db_type(connection))
