"""The front page: how far the library has come, what runs, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from metadata import cards, change_cards, export_cards, library, money, prompts
from metadata.history import Step
from metadata.library import Figures
from metadata.models import ChangeSet, Export, MetadataHistory, ProcessingRun
from metadata.views import runs
from smugmug import cards as sync_cards
from smugmug.models import Account, Photo, SyncRun
from targetvision.access import SignedInRequest
from targetvision.models import Run
from targetvision.progress import RunCard

LATELY = 6


@dataclass(frozen=True)
class AccountCard:
    """One library on the front page."""

    account: Account
    figures: Figures
    runs: list[RunCard]
    peek: list[Photo]
    may_change: bool
    stale: int
    failures: list[tuple[str, int]]

    @property
    def is_syncing(self) -> bool:
        return any(card.is_active for card in self.runs if isinstance(card.run, SyncRun))

    @property
    def may_retry(self) -> bool:
        """Whether photos that failed can be tried again just now."""
        return self.may_change and self.account.is_connected and not self.is_describing

    @property
    def is_describing(self) -> bool:
        return any(card.is_active for card in self.runs if isinstance(card.run, ProcessingRun))

    @property
    def describer_note(self) -> str:
        return runs.LOCAL_NOTE if settings.AI_DESCRIBER == "local" else ""

    @property
    def is_free(self) -> bool:
        """Whether describing costs nothing, so that its button needs no estimate before it."""
        return money.is_local()


@require_GET
def dashboard(request: SignedInRequest) -> HttpResponse:
    """All libraries of the person."""
    accounts = list(Account.objects.visible_to(request.user).order_by("nickname"))
    changeable = set(Account.objects.changeable_by(request.user).values_list("pk", flat=True))
    figures, newest, now = library.figures(accounts), library.newest_runs(accounts), timezone.now()
    failures, peek = library.failures(accounts), library.first_waiting(accounts)
    stale = _stale(accounts, figures)
    libraries = [
        AccountCard(
            account,
            figures[account.pk],
            [run_card(run, account.pk in changeable) for run in newest[account.pk] if library.is_news(run, now)],
            peek[account.pk],
            account.pk in changeable,
            stale[account.pk],
            failures[account.pk],
        )
        for account in accounts
    ]
    return render(request, "dashboard.html", {"here": "library", "cards": libraries, "lately": _lately(accounts)})


def _stale(accounts: list[Account], figures: Mapping[int, Figures]) -> dict[int, int]:
    """How many photos of each account would be described otherwise now, by its id; of a big one, a moment ago."""

    def count(some: list[Account]) -> dict[int, int]:
        found = prompts.stale_counts(some, prompts.model_in_use())
        return {account.pk: found.get(account.pk, 0) for account in some}

    return library.remembered("stale", accounts, count, keeps=lambda pk, _: figures[pk].is_big)


def run_card(run: Run, may_change: bool) -> RunCard:  # noqa: FBT001
    """The card of a run of any kind."""
    if isinstance(run, SyncRun):
        return sync_cards.card(run, may_change=may_change)
    if isinstance(run, Export):
        return export_cards.card(run, may_change=may_change)
    if isinstance(run, ChangeSet):
        return change_cards.card(run, may_change=may_change)
    return cards.card(cast(ProcessingRun, run), may_change=may_change)


def _lately(accounts: list[Account]) -> list[Step]:
    """The last decisions of people in these libraries."""
    rows = (
        MetadataHistory.objects.filter(metadata__account__in=accounts, source=MetadataHistory.Source.PERSON)
        .select_related("metadata__photo")
        .order_by("-created_at", "-pk")[:LATELY]
    )
    return [Step(row, []) for row in rows]
