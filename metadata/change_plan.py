"""What a change-set is to write, worked out for all pictures at once from the approved words and the mirror.

One row for each picture that would change, however many albums show it. Nothing here talks to the network.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection
from django.db.models import Count, Func, IntegerField, Q, Sum

from metadata import queue
from metadata.forms_review import Status
from metadata.models import Change, ChangeSet
from metadata.queue import ReviewFilter

Rule = ChangeSet.Rule
GLUE = {"caption": "\n\n", "title": " – "}  # between what is there and what is added
# Text → what it is to become, "" where it is left alone. {ours} is trimmed, {bare} is {theirs} trimmed; nothing is
# ever emptied.
TEXTS = {
    Rule.NO: "''",
    Rule.EMPTY: "CASE WHEN {bare} = '' THEN {ours} ELSE '' END",
    Rule.APPEND: "CASE WHEN {bare} = '' THEN {ours} WHEN strpos(lower({theirs}), lower({ours})) > 0 THEN '' "
    "ELSE {theirs} || {glue} || {ours} END",
    Rule.REPLACE: "CASE WHEN {theirs} = {ours} THEN '' ELSE {ours} END",
}
NOTHING = "'{}'::text[]"
# SmugMug parts keywords at commas and semicolons, and takes for one what differs in case only.
TAGS = r"""
SELECT DISTINCT ON (lower(tag)) tag, place
FROM (
  SELECT btrim(regexp_replace(entry, '\s*[,;]\s*', ' ', 'g'), E' "\t\n') AS tag, place
  FROM unnest(w.ai_tags) WITH ORDINALITY AS entries (entry, place)
) AS clean WHERE tag <> '' ORDER BY lower(tag), place
"""
ADD = f"""ARRAY(
  SELECT tag FROM ({TAGS}) AS tags
  WHERE lower(tag) NOT IN (SELECT lower(keyword) FROM unnest(p.keywords) AS keyword) ORDER BY place
)"""
REMOVE = f"""ARRAY(
  SELECT keyword FROM unnest(p.keywords) WITH ORDINALITY AS keywords (keyword, place)
  WHERE keyword !~ '[,;]' AND EXISTS ({TAGS})
    AND lower(keyword) NOT IN (SELECT lower(tag) FROM ({TAGS}) AS tags) ORDER BY place
)"""
KEYWORDS = {
    Rule.NO: (NOTHING, NOTHING),
    Rule.EMPTY: (f"CASE WHEN cardinality(p.keywords) = 0 THEN {ADD} ELSE {NOTHING} END", NOTHING),
    Rule.APPEND: (ADD, NOTHING),
    Rule.REPLACE: (ADD, REMOVE),
}
INSERT = """
INSERT INTO metadata_change (change_set_id, photo_id, words_version, seen, caption, title, "add", remove)
SELECT %s, photo_id, version, seen, caption, title, added, removed
FROM (
  SELECT w.id, w.photo_id, w.version, w.sort_at,
    jsonb_build_object('caption', p.caption, 'title', p.title, 'keywords', to_jsonb(p.keywords)) AS seen,
    {caption} AS caption, {title} AS title, {add} AS added, {remove} AS removed
  FROM ai_metadata w JOIN smugmug_photos p ON p.id = w.photo_id
  WHERE w.id IN ({words})
) AS planned
WHERE caption <> '' OR title <> '' OR cardinality(added) > 0 OR cardinality(removed) > 0
ORDER BY sort_at, id
"""


def approved_only(change_set: ChangeSet) -> Any:
    """The words that it is about: those of its filter that people have approved."""
    wanted = replace(ReviewFilter.from_json(change_set.filter), status=Status.APPROVED.value)
    return queue.matching([change_set.account_id], wanted)


def fill(change_set: ChangeSet) -> None:
    """Make the rows of a change-set that has none, in the order in which the photos were taken."""
    words, params = approved_only(change_set).order_by().values("pk").query.sql_with_params()
    add, remove = KEYWORDS[Rule(change_set.keywords_rule)]
    statement = INSERT.format(
        caption=_text("caption", change_set.caption_rule, "p.caption", "w.ai_description"),
        title=_text("title", change_set.title_rule, "p.title", "w.ai_title"),
        add=add,
        remove=remove,
        words=words,
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [change_set.pk, *params])


def _text(field: str, rule: str, theirs: str, ours: str) -> str:
    trimmed = {name: f"btrim({text}, E' \\t\\r\\n')" for name, text in (("ours", ours), ("bare", theirs))}
    glue = GLUE[field].replace("\n", "\\n")
    return TEXTS[Rule(rule)].format(theirs=theirs, glue=f"E'{glue}'", **trimmed)


@dataclass(frozen=True)
class Counts:
    """Of the pictures that are not left out: how many get a new caption, a new title, other keywords; and which."""

    pictures: int
    left_out: int
    captions: int
    titles: int
    pictures_added_to: int
    keywords_added: int
    pictures_removed_from: int
    keywords_removed: int


def count(change_set: ChangeSet) -> Counts:
    """What the change-set would write: one query."""
    goes = ~Q(state=Change.State.LEFT_OUT)
    added, removed = _length("add"), _length("remove")
    found = Change.objects.filter(change_set=change_set).aggregate(
        pictures=Count("pk", filter=goes),
        left_out=Count("pk", filter=~goes),
        captions=Count("pk", filter=goes & ~Q(caption="")),
        titles=Count("pk", filter=goes & ~Q(title="")),
        pictures_added_to=Count("pk", filter=goes & ~Q(add=[])),
        keywords_added=Sum(added, filter=goes, default=0),
        pictures_removed_from=Count("pk", filter=goes & ~Q(remove=[])),
        keywords_removed=Sum(removed, filter=goes, default=0),
    )
    return Counts(**found)


def _length(column: str) -> Func:
    return Func(column, function="cardinality", output_field=IntegerField())


def states(change_set: ChangeSet) -> dict[str, int]:
    """How many pictures stand where: one query."""
    rows = Change.objects.filter(change_set=change_set).order_by().values_list("state").annotate(count=Count("pk"))
    return dict(rows)


def switch(change_set: ChangeSet, ids: Collection[int], *, leave_out: bool) -> int:
    """Leave pictures out, or take them in again; how many."""
    before, after = Change.State.WAITING, Change.State.LEFT_OUT
    if not leave_out:
        before, after = after, before
    rows = Change.objects.filter(change_set=change_set, pk__in=ids, state=before)
    return int(rows.update(state=after))
