"""A decision as pages show it: sentences, figures, how far it is, and the buttons of those who may press them."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from metadata.models import Decision
from targetvision import progress
from targetvision.models import ACTIVE, RunState
from targetvision.progress import RunCard, count

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NEWS = datetime.timedelta(minutes=10)  # so long a decision that is over is still told of
LATELY = datetime.timedelta(hours=12)
MOST = 3  # cards on a page of what is under way
LOOKED_AT = 20  # the newest, to find those
PARAMS = ("tag", "to", "old", "new")  # that sentences name
Kind, Undo = Decision.Kind, Decision.Undo
# What it does, and what it has done; {} is the number of photos.
DOING = {
    Kind.APPROVE: "Approving {}",
    Kind.REJECT: "Rejecting {}",
    Kind.EDIT: "Editing {}",
    Kind.ADD_TAG: "Adding “{tag}” to {}",
    Kind.REMOVE_TAG: "Removing “{tag}” from {}",
    Kind.REPLACE_TAG: "Replacing “{tag}” by “{to}” in {}",
    Kind.REPLACE_WORD: "Replacing “{old}” by “{new}” in {}",
}
DONE = {
    Kind.APPROVE: "{} approved",
    Kind.REJECT: "{} rejected",
    Kind.EDIT: "{} edited",
    Kind.ADD_TAG: "“{tag}” added to {}",
    Kind.REMOVE_TAG: "“{tag}” removed from {}",
    Kind.REPLACE_TAG: "“{tag}” replaced by “{to}” in {}",
    Kind.REPLACE_WORD: "“{old}” replaced by “{new}” in {}",
}


@dataclass(frozen=True)
class DecisionCard(RunCard):
    """What `metadata/_decision.html` needs."""

    undo_url: str = ""
    is_undoing: bool = False

    @property
    def value(self) -> int:
        decision = self.run
        assert isinstance(decision, Decision)
        return decision.undone + decision.undo_kept if self.is_undoing else decision.done

    @property
    def maximum(self) -> int | None:
        decision = self.run
        assert isinstance(decision, Decision)
        return decision.changed if self.is_undoing else decision.total

    @property
    def is_moving(self) -> bool:
        """Whether its figures change by themselves."""
        return self.is_undoing or self.is_active

    @property
    def mark(self) -> str:
        """What was undone is neither good nor bad any more."""
        decision = self.run
        assert isinstance(decision, Decision)
        return "idle" if decision.undo else super().mark

    @property
    def asks_again_after(self) -> int | None:
        return progress.LIVE_SECONDS if self.is_undoing else super().asks_again_after


def card(decision: Decision, *, may_change: bool) -> DecisionCard:
    """The decision as a page shows it, with its buttons where the person may press them."""
    offers = _offers(decision) if may_change and decision.undo == Undo.NO else {}
    urls = {
        f"{name}_url": reverse(f"metadata:{name}_decision", args=[decision.pk])
        for name, is_offered in offers.items()
        if is_offered
    }
    return DecisionCard(
        decision,
        title=title(decision),
        figures=_undo_figures(decision) if decision.undo else _figures(decision),
        poll_url=reverse("metadata:decision", args=[decision.pk]),
        is_undoing=decision.undo == Undo.UNDER_WAY,
        queue="metadata",
        errors=decision.errors,
        **urls,
    )


def _offers(decision: Decision) -> dict[str, bool]:
    """Which buttons a decision that stands has."""
    return {
        "cancel": decision.is_active,
        "continue": decision.state in (RunState.CANCELLED, RunState.FAILED),
        "undo": not decision.is_active and decision.changed > 0,
    }


def title(decision: Decision) -> str:
    """`12,480 photos approved`, `Approving 12,480 photos`, `Undone: 12,480 photos approved`."""
    done = sentence(DONE, decision, decision.changed)
    if decision.undo == Undo.DONE:
        return f"Undone: {done}"
    if decision.undo == Undo.UNDER_WAY:
        return f"Undoing: {done}"
    if decision.is_active:
        return sentence(DOING, decision, decision.total)
    titles = {RunState.CANCELLED: f"Stopped: {done}", RunState.FAILED: f"Failed: {done}"}
    return titles.get(RunState(decision.state), done)


def sentence(templates: Mapping[Decision.Kind, str], decision: Decision, photos: int | None) -> str:
    """What the decision does, or has done, to so many photos."""
    return told(templates, Kind(decision.kind), decision.params, photos)


def told(
    templates: Mapping[Decision.Kind, str], kind: Decision.Kind, params: Mapping[str, Any], photos: int | None
) -> str:
    """The same for a decision of that kind."""
    words = {name: str(params.get(name, "")) for name in PARAMS}
    return templates[kind].format(count(photos, "photo") if photos is not None else "photos", **words)


def _figures(decision: Decision) -> str:
    is_whole = decision.state == RunState.SUCCEEDED
    return progress.figures(
        f"{decision.done:,} of {decision.total:,}" if decision.total and not is_whole else "",
        f"{decision.rate:,.0f} a second" if decision.rate and decision.is_active else "",
        progress.time_left(decision),
        f"{decision.passed_over:,} left: others have changed them" if decision.passed_over else "",
    )


def _undo_figures(decision: Decision) -> str:
    return progress.figures(
        f"{decision.undone:,} of {decision.changed:,} put back",
        f"{decision.undo_kept:,} left: changed since" if decision.undo_kept else "",
    )


def current(user: User, accounts: Collection[int]) -> list[DecisionCard]:
    """The decisions over a filter in these libraries, which the person may change, that are under way, and their own
    that ended last, if that was just now and it still stands."""
    news = Q(requested_by=user, finished_at__gte=timezone.now() - NEWS, undo=Undo.NO)
    over_filters = _lately(accounts).filter(Q(state__in=ACTIVE) | news, photo=None).exclude(filter={})
    rows = list(over_filters[:LOOKED_AT])
    active, ended = [row for row in rows if row.is_active], [row for row in rows if not row.is_active]
    return [card(row, may_change=True) for row in (*active[:MOST], *ended[:1])]


def last_of(user: User, accounts: Collection[int]) -> DecisionCard | None:
    """What the person decided last in these libraries, which they may change, and can take back."""
    over = _lately(accounts).filter(requested_by=user, undo=Undo.NO, changed__gt=0).exclude(state__in=ACTIVE)
    found = over.first()
    return card(found, may_change=True) if found else None


def _lately(accounts: Collection[int]) -> QuerySet[Decision]:
    """Newest first; older ones are on the page of all decisions."""
    rows = Decision.objects.filter(account__in=accounts, created_at__gte=timezone.now() - LATELY)
    return rows.order_by("-created_at", "-pk")
