"""The ledger of calls: every one is a row, with what it cost and what left the house. Rows are added, never changed."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Count, F, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from metadata import money
from metadata.describe import BadAnswer, CutOff, DescribeError, Outage, Refused, Rejected, Usage
from metadata.models import AICall, ProcessingRun
from smugmug.models import Account

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from metadata.models.ledger import AICallQuerySet

MOST_TOKENS = 2_000_000  # of one call; more is nonsense
OUTCOMES = {
    Outage: AICall.Outcome.OUTAGE,
    Rejected: AICall.Outcome.REJECTED,
    CutOff: AICall.Outcome.CUT_OFF,
    BadAnswer: AICall.Outcome.BAD_ANSWER,
    Refused: AICall.Outcome.REFUSED,
}
# What the page can be narrowed to; "" is what it shows at first.
PERIODS: dict[str, tuple[str, datetime.timedelta | None]] = {
    "": ("30 days", datetime.timedelta(days=30)),
    "week": ("7 days", datetime.timedelta(days=7)),
    "year": ("A year", datetime.timedelta(days=365)),
    "all": ("All time", None),
}
# How calls can be taken together: name, label, expression.
GROUPINGS: dict[str, tuple[str, Any]] = {
    "": ("By day", TruncDate("created_at")),
    "model": ("By model", F("model")),
    "prompt": ("By prompt", F("prompt")),
}


# --- Writing ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a model. `sent_to` is the server, "" where nothing left this machine; `bytes_sent` of the picture or
    the texts."""

    kind: str
    model: str
    outcome: str
    usage: Usage
    ms: int
    prompt: str = ""
    sent_to: str = ""
    bytes_sent: int = 0


def record(account: Account, call: Call, *, run: ProcessingRun | None = None, photo_id: UUID | None = None) -> AICall:
    """The row for the call, with what it cost at today's price; what an unknown price comes to is unknown."""
    usage = Usage(*map(_count, (call.usage.tokens_in, call.usage.tokens_cached, call.usage.tokens_out)))
    return AICall.objects.create(
        account=account,
        run=run,
        photo_id=photo_id,
        kind=call.kind,
        prompt=call.prompt,
        model=call.model,
        outcome=call.outcome,
        tokens_in=usage.tokens_in,
        tokens_cached=usage.tokens_cached,
        tokens_out=usage.tokens_out,
        cost=money.cost(usage, money.price_of(call.model) if call.sent_to else money.FREE),
        ms=call.ms,
        sent_to=call.sent_to,
        bytes_sent=call.bytes_sent if call.sent_to else 0,
    )


def _count(tokens: int | None) -> int | None:
    return tokens if tokens is not None and 0 <= tokens <= MOST_TOKENS else None


def outcome(error: DescribeError | None) -> str:
    """The ledger's word for how a call ended."""
    if error is None:
        return AICall.Outcome.OK
    return next((word for kind, word in OUTCOMES.items() if isinstance(error, kind)), AICall.Outcome.BAD_ANSWER)


# --- Reading ---------------------------------------------------------------------------------------------------


@dataclass
class Line:
    """Calls taken together: of a day, a model, a prompt, or all of them. Counts of tokens leave out what is unknown."""

    key: Any = None
    calls: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    tokens_in: int = 0
    tokens_cached: int = 0
    tokens_out: int = 0
    cost: Decimal = money.ZERO
    unknown: int = 0  # calls whose cost nobody knows
    pictures: int = 0  # sent to another machine
    bytes_sent: int = 0
    servers: set[str] = field(default_factory=set)

    def add(self, row: dict[str, Any]) -> None:
        """Take in a row of `_rows`."""
        self.calls += row["calls"]
        self.outcomes[row["outcome"]] += row["calls"]
        for name in ("tokens_in", "tokens_cached", "tokens_out", "cost"):
            setattr(self, name, getattr(self, name) + (row[f"all_{name}"] or 0))
        self.unknown += row["calls"] - row["known"]
        if row["sent_to"]:
            self.servers.add(row["sent_to"])
            self.bytes_sent += row["all_bytes"]
            self.pictures += row["calls"] if row["kind"] == AICall.Kind.DESCRIBE else 0

    @property
    def troubles(self) -> list[tuple[str, int]]:
        """How calls ended that gave nothing, in words, with how many."""
        labels = AICall.Outcome
        return [(str(word.label), self.outcomes[word]) for word in labels if word != labels.OK and self.outcomes[word]]

    @property
    def answered(self) -> int:
        return self.outcomes[AICall.Outcome.OK]

    @property
    def spent(self) -> str:
        """`$1.20`; `≥ $1.20` or `unknown` where some or all of it is not known."""
        if self.unknown == self.calls and self.calls:
            return "unknown"
        return f"{'≥ ' if self.unknown else ''}{money.dollars(self.cost)}"

    @property
    def sent_to(self) -> str:
        return ", ".join(sorted(self.servers))


def lines(calls: AICallQuerySet, *, by: str) -> list[Line]:
    """The calls by a key of GROUPINGS: by day with the newest first, by model or prompt with the dearest first."""
    found: dict[Any, Line] = {}
    for row in _rows(calls, GROUPINGS[by][1]):
        found.setdefault(row["key"], Line(row["key"])).add(row)
    if not by:
        return sorted(found.values(), key=lambda line: line.key, reverse=True)
    return sorted(found.values(), key=lambda line: (-line.cost, -line.calls, line.key))


def _rows(calls: AICallQuerySet, key: Any) -> Iterable[dict[str, Any]]:
    """One statement: sums for each key, kind, outcome and server. Few rows, whatever the number of calls."""
    rows: Iterable[dict[str, Any]] = (
        calls.order_by()
        .annotate(key=key)
        .values("key", "kind", "outcome", "sent_to")
        .annotate(
            calls=Count("pk"),
            known=Count("cost"),
            all_cost=Sum("cost"),
            all_tokens_in=Sum("tokens_in"),
            all_tokens_cached=Sum("tokens_cached"),
            all_tokens_out=Sum("tokens_out"),
            all_bytes=Sum("bytes_sent"),
        )
    )
    return rows


def total(parts: Iterable[Line]) -> Line:
    """All of them as one."""
    whole = Line()
    for part in parts:
        for name in ("calls", "tokens_in", "tokens_cached", "tokens_out", "cost", "unknown", "pictures", "bytes_sent"):
            setattr(whole, name, getattr(whole, name) + getattr(part, name))
        whole.outcomes.update(part.outcomes)
        whole.servers |= part.servers
    return whole


def calls_of(user: User, *, library: str, period: str) -> AICallQuerySet:
    """The calls for libraries that the person may see: of one of them, or all for ""; of a period of PERIODS."""
    calls = AICall.objects.visible_to(user)
    span = PERIODS[period][1]
    if library:
        calls = calls.filter(account__nickname=library)
    return calls.filter(created_at__gte=timezone.now() - span) if span else calls
