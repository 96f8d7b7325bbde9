"""How reviewing goes: how fast, and how good the words were that people found. Reads only.

The pace is told from the newest LATEST decisions of the time that is asked for, what became of the words from the
newest COMPARED photos decided on, and the words edited from the newest EDITED among these, so that a page costs the
same whatever the library holds.
"""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from django.db import connection
from django.utils import timezone

from targetvision.words import differences

LATEST = 10_000
COMPARED = 2_000
EDITED = 500
PAUSE = datetime.timedelta(minutes=5)  # who decides nothing for so long does something else
TEXTS = ("title", "description", "alt_text")
LISTS = ("tags", "categories")
# What the page can be narrowed to; "" is what it shows at first.
PERIODS: dict[str, tuple[str, datetime.timedelta | None]] = {
    "": ("14 days", datetime.timedelta(days=14)),
    "quarter": ("90 days", datetime.timedelta(days=90)),
    "year": ("A year", datetime.timedelta(days=365)),
    "all": ("All time", None),
}
UNKNOWN = "Described again since"  # so that nobody can tell any more what had said the words
WORD = re.compile(r"\w+")

NEWEST = """
WITH latest AS (
    SELECT id, created_at, requested_by_id, kind, photo_id, filter, undo, changed FROM metadata_decision
    WHERE account_id = ANY(%(accounts)s) AND created_at >= %(since)s ORDER BY created_at DESC LIMIT %(latest)s
)
"""
# The time between two decisions of a person counts as work where it is short.
PACE = f"""{NEWEST}, paced AS (
    SELECT *, created_at - lag(created_at) OVER (PARTITION BY requested_by_id ORDER BY created_at) AS gap FROM latest
)
SELECT coalesce(auth_user.username, ''), count(*), coalesce(sum(changed), 0), count(*) FILTER (WHERE photo_id IS NULL),
    coalesce(sum(changed) FILTER (WHERE photo_id IS NULL), 0),
    count(*) FILTER (WHERE gap < %(pause)s),
    coalesce(extract(epoch FROM sum(gap) FILTER (WHERE gap < %(pause)s)), 0)::float
FROM paced LEFT JOIN auth_user ON auth_user.id = requested_by_id GROUP BY 1 ORDER BY 2 DESC, 1
"""
# Each photo that a person looked at and decided on, alone or on a page of the grid, beside what the AI had said; not
# what a decision over a filter wrote, nor the frames of a burst that followed another. By LATERAL, so that each costs
# three looks into an index, and as many are looked up as are told.
LEFT = f"""
FROM (
    SELECT step.*, latest.kind, latest.created_at AS decided_at FROM latest
    JOIN LATERAL (
        SELECT * FROM metadata_history left_so WHERE left_so.decision_id = latest.id
            AND left_so.source = 'person' AND left_so.came_from_id IS NULL
    ) step ON true
    WHERE latest.undo = '' AND latest.kind IN ('approve', 'reject')
        AND (latest.photo_id IS NOT NULL OR latest.filter = '{{}}')
    ORDER BY latest.created_at DESC LIMIT %(latest)s
) step
JOIN LATERAL (
    SELECT id, ai_answer_id, prompt FROM ai_metadata WHERE id = step.metadata_id LIMIT 1
) words ON true
JOIN LATERAL (
    SELECT * FROM metadata_history answer WHERE answer.metadata_id = words.id AND answer.version < step.version
        AND answer.source = 'ai' ORDER BY answer.version DESC LIMIT 1
) said ON true
CROSS JOIN LATERAL (
    SELECT {" OR ".join(f"said.new_{name} <> step.new_{name}" for name in (*TEXTS, *LISTS))} AS is_edited
) compared
"""
PROMPT = "CASE WHEN words.ai_answer_id IS NULL OR words.ai_answer_id = said.id THEN words.prompt END"
MODEL = "substr(said.changed_by, 4)"  # of "ai:gpt-6-luna"
OUTCOMES = f"""{NEWEST}
SELECT {PROMPT}, {MODEL}, step.kind, split_part(step.new_rejection_reason, ':', 1), is_edited, count(*) {LEFT}
GROUP BY 1, 2, 3, 4, 5
"""
EDITS = f"""{NEWEST}
SELECT {PROMPT}, {MODEL}, {", ".join(f"said.new_{name}, step.new_{name}" for name in (*TEXTS, *LISTS))} {LEFT}
WHERE step.kind = 'approve' AND is_edited ORDER BY decided_at DESC LIMIT %(edited)s
"""


@dataclass(frozen=True)
class Pace:
    """How fast a person decides; `decisions` over many photos count as one each."""

    who: str
    decisions: int
    photos: int
    bulk: int  # of these decisions, those over many photos
    bulk_photos: int
    paced: int  # decisions that came within PAUSE of the one before
    seconds: float  # that those took

    @property
    def an_hour(self) -> int | None:
        """None where there is too little to tell."""
        return round(3600 * self.paced / self.seconds) if self.seconds >= 1 else None


@dataclass
class Line:
    """What became of words of one prompt, one model, or all."""

    name: str
    approved: int = 0
    untouched: int = 0
    edits: list[int] = field(default_factory=list)  # words edited, in each that was
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def rejected(self) -> int:
        return self.reasons.total()

    @property
    def decided(self) -> int:
        return self.approved + self.rejected

    @property
    def untouched_share(self) -> int | None:
        """Whole percent of the approved; 100 only where all were."""
        return 100 * self.untouched // self.approved if self.approved else None

    @property
    def words_edited(self) -> float | None:
        """The median where words were edited at all."""
        return median(self.edits) if self.edits else None

    @property
    def why(self) -> list[tuple[str, int]]:
        return sorted(self.reasons.items(), key=lambda reason: (-reason[1], reason[0]))

    def add(self, kind: str, reason: str, count: int, *, is_edited: bool) -> None:
        """Take in `count` decisions."""
        if kind == "reject":
            self.reasons[reason or "No reason"] += count
            return
        self.approved += count
        self.untouched += 0 if is_edited else count


@dataclass(frozen=True)
class Figures:
    paces: list[Pace]
    whole: Line
    prompts: list[Line]
    models: list[Line]

    @property
    def decisions(self) -> int:
        return sum(pace.decisions for pace in self.paces)

    @property
    def photos(self) -> int:
        return sum(pace.photos for pace in self.paces)

    @property
    def bulk_photos(self) -> int:
        return sum(pace.bulk_photos for pace in self.paces)

    @property
    def fastest(self) -> int:
        return max((pace.an_hour or 0 for pace in self.paces), default=0)

    @property
    def is_cut(self) -> bool:
        """Whether there is more than the shares are told from."""
        return self.decisions > COMPARED or self.whole.decided >= COMPARED


def figures(accounts: Sequence[int], *, period: str) -> Figures:
    """Those of the libraries (ids), over a period of PERIODS: three queries."""
    span = PERIODS[period][1]
    since = timezone.now() - span if span else datetime.datetime.min.replace(tzinfo=datetime.UTC)
    asked = {"accounts": list(accounts), "since": since, "latest": COMPARED, "edited": EDITED, "pause": PAUSE}
    paces = [Pace(*row) for row in _rows(PACE, asked | {"latest": LATEST})]
    whole, prompts, models = Line("All"), dict[str, Line](), dict[str, Line]()

    def lines(prompt: str | None, model: str) -> tuple[Line, Line, Line]:
        name = UNKNOWN if prompt is None else prompt or "No prompt"
        return whole, prompts.setdefault(name, Line(name)), models.setdefault(model, Line(model))

    for prompt, model, kind, reason, is_edited, count in _rows(OUTCOMES, asked):
        for line in lines(prompt, model):
            line.add(kind, reason, count, is_edited=is_edited)
    for prompt, model, *texts in _rows(EDITS, asked):
        edited = words_edited(texts[::2], texts[1::2])
        for line in lines(prompt, model):
            line.edits.append(edited)
    return Figures(paces, whole, _most_first(prompts), _most_first(models))


def _rows(statement: str, asked: dict[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, asked)
        rows: list[Any] = cursor.fetchall()
    return rows


def _most_first(lines: dict[str, Line]) -> list[Line]:
    return sorted(lines.values(), key=lambda line: (-line.decided, line.name))


def words_edited(said: Sequence[Any], left: Sequence[Any]) -> int:
    """How many words were put in, taken out or replaced; a replaced one counts once, and each tag is one word."""
    return sum(
        _apart(old, new) if isinstance(old, list) else _edits(WORD.findall(old), WORD.findall(new))
        for old, new in zip(said, left, strict=True)
        if old != new
    )


def _apart(old: list[str], new: list[str]) -> int:
    return max(len(set(old) - set(new)), len(set(new) - set(old)))


def _edits(old: list[str], new: list[str]) -> int:
    return sum(max(b - a, d - c) for is_same, a, b, c, d in differences(old, new) if not is_same)
