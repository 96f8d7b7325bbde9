"""Activity: what runs, what ran and what came of it, and who had it done."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, cast
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from metadata import activity, change_cards, export_cards, publish
from metadata.activity import Narrowing, Reason
from metadata.forms import ActivityForm
from metadata.models import ChangeSet, Export, ProcessingRun
from metadata.views.dashboard import run_card
from smugmug import audit
from smugmug import cards as sync_cards
from smugmug.models import Account, AuditEntry, SyncRun
from targetvision import progress
from targetvision.access import SignedInRequest
from targetvision.models import Run
from targetvision.progress import RunCard

# The marks of what came of an operation, and what the operations are called.
MARKS = {**{state.value: mark for state, mark in progress.MARKS.items()}, "refused": "bad", "done": "good"}
ACTIONS = {
    **{kind.value: noun for kind, noun in sync_cards.NOUNS.items()},
    SyncRun.Kind.ALBUMS.value: "Sync of single albums",
    "continue": "Go on with a paused sync",
    "never send": "Keep from every AI server",
    "prompt in force": "Put a prompt in force",
    "may send": "Allow AI servers again",
    "disconnect": "Disconnect from SmugMug",
    "export": "Export",
    publish.PUBLISH: "Publish to SmugMug",
    publish.REVERT: "Take back from SmugMug",
    "delete an export": "Delete the file of an export",
}


@dataclass(frozen=True)
class Row:
    """One run with all there is to tell of it."""

    card: RunCard
    account: Account
    who: str
    facts: list[tuple[str, str]]
    reasons: list[Reason]


@dataclass(frozen=True)
class Entry:
    """One line of the audit trail."""

    row: AuditEntry

    @property
    def who(self) -> str:
        return audit.name(self.row.who)

    @property
    def what(self) -> str:
        return ACTIONS.get(self.row.action, self.row.action)

    @property
    def mark(self) -> str:
        return MARKS.get(self.row.result, "idle")


@dataclass(frozen=True)
class Choice:
    """One of the links that narrow the list."""

    label: str
    url: str
    is_current: bool


@require_GET
def runs_page(request: SignedInRequest) -> HttpResponse:
    """What runs, and what ran: newest first, a page at a time."""
    wish = _wish(request)
    live = [] if wish.before else activity.live(request.user, wish)
    past, position = activity.past(request.user, wish)
    changeable = set(Account.objects.changeable_by(request.user).values_list("pk", flat=True))
    context = {
        "live": _rows(live, changeable),
        "past": _rows(past, changeable),
        "choices": [
            _libraries(request, wish),
            _choices(wish, "kind", activity.KINDS),
            _choices(wish, "state", {name: label for name, (label, _) in activity.STATES.items()}),
        ],
    }
    return _page(request, "metadata/activity.html", wish, position, context)


@require_GET
def trail(request: SignedInRequest) -> HttpResponse:
    """The audit trail: who had what done, when, and what came of it."""
    wish = _wish(request)
    entries, position = activity.entries(request.user, wish)
    context = {
        "entries": [Entry(entry) for entry in entries],
        "choices": [
            _libraries(request, wish),
            _choices(wish, "who", {name: label for name, (label, _) in activity.WHO.items()}),
        ],
    }
    return _page(request, "metadata/trail.html", wish, position, context)


def _page(
    request: SignedInRequest, template: str, wish: Narrowing, position: str, context: dict[str, Any]
) -> HttpResponse:
    """The page, with what both tabs have: where it is narrowed to, and its next page."""
    shared = {
        "here": "activity",
        "tabs": [
            Choice("Runs", reverse("metadata:activity") + _query(replace(wish, who="", before="")), "live" in context),
            Choice("Audit trail", reverse("metadata:trail") + _query(Narrowing(wish.library)), "entries" in context),
            Choice("Ledger", reverse("metadata:ledger") + _query(Narrowing(wish.library)), is_current=False),
        ],
        "is_narrowed": wish != Narrowing(before=wish.before),
        "newest_url": _query(replace(wish, before="")) or "?" if wish.before else "",
        "next_url": _query(replace(wish, before=position)) if position else "",
    }
    return render(request, template, shared | context)


def _wish(request: SignedInRequest) -> Narrowing:
    """What the address asks for; what it asks for wrongly is not asked for."""
    form = ActivityForm(request.GET)
    form.is_valid()
    return Narrowing(**form.cleaned_data)


def _query(wish: Narrowing) -> str:
    chosen = {name: value for name, value in asdict(wish).items() if value}
    return f"?{urlencode(chosen)}" if chosen else ""


def _choices(wish: Narrowing, name: str, labels: dict[str, str]) -> list[Choice]:
    now = getattr(wish, name)
    return [
        Choice(label, _query(replace(wish, before="", **{name: value})) or "?", value == now)
        for value, label in labels.items()
    ]


def _libraries(request: SignedInRequest, wish: Narrowing) -> list[Choice]:
    """Nothing to choose from where there is only one."""
    names = Account.objects.visible_to(request.user).order_by("nickname").values_list("nickname", flat=True)
    return _choices(wish, "library", {"": "All libraries"} | {name: name for name in names}) if len(names) > 1 else []


def _rows(found: list[Run], changeable: set[int]) -> list[Row]:
    """The runs, dressed with what the page tells of them."""
    began, reasons = activity.starters(found), activity.reasons(found)
    titles = activity.album_titles(found)
    rows = []
    for run in found:
        account: Account = run.account  # type: ignore[attr-defined]
        who = began.get(run.pk) or (audit.person(run.requested_by) if run.requested_by else audit.COMMAND)
        card = run_card(run, account.pk in changeable)
        rows.append(Row(card, account, audit.name(who), _facts(run, titles), reasons[run.pk]))
    return rows


def _facts(run: Run, titles: dict[str, str]) -> list[tuple[str, str]]:
    """What there is to know of a run of any kind, as (what, how much)."""
    if isinstance(run, SyncRun):
        albums = ", ".join(titles.get(key) or key for key in run.album_keys)
        return sync_cards.facts(run) + ([("Albums", albums)] if albums else [])
    if isinstance(run, Export):
        return export_cards.facts(run)
    if isinstance(run, ChangeSet):
        return change_cards.facts(run)
    processing = cast(ProcessingRun, run)
    facts = [
        ("Which photos", processing.get_only_display()),
        ("Of", str(processing.photo or processing.album or "the whole library")),
        ("Model", processing.model),
        ("Prompt", str(processing.prompt or "")),
        ("Told beside", processing.note),
        ("Described, skipped, failed", f"{processing.described:,}, {processing.skipped:,}, {processing.failed:,}"),
        ("Spent", f"${processing.spent_usd:,.4f}" if processing.spent_usd else ""),
        ("Budget", f"${processing.budget_usd:,.2f}" if processing.budget_usd is not None else ""),
    ]
    return [(what, value) for what, value in facts if value]
