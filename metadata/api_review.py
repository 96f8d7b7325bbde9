"""Review for programs: what waits, decisions on one photo or on all that a filter finds, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse
from ninja import Query, Router, Status

from metadata import bulk, decided, kinds, queue, tiles, workflow
from metadata.api_filters import FilterQuery, refuse_unknown
from metadata.api_review_shapes import (
    Act,
    ApproveWish,
    Decided,
    DecisionOut,
    DecisionPage,
    DecisionsQuery,
    DecisionStatus,
    DecisionWish,
    LostRace,
    PreviewOut,
    PreviewQuery,
    QueuePage,
    QueueQuery,
    RejectWish,
    ReviewItem,
    WordsWish,
)
from metadata.forms import RejectForm
from metadata.forms_focus import ApproveForm
from metadata.forms_grid import ReasonForm, TagForm
from metadata.forms_say_once import SayOnceForm
from metadata.models import AIMetadata, Decision
from metadata.queue import ReviewFilter
from smugmug.api import chosen_account, run_status
from targetvision.access import SignedInRequest, changeable, visible
from targetvision.problems import ProblemError
from targetvision.schemas import CHANGES, READS, answers, page_of

if TYPE_CHECKING:
    from django import forms

    from smugmug.models import Account

router = Router(tags=["Review"])

FIELDS = ("title", "description", "alt_text", "tags", "categories")
DECISIONS = Decision.objects.select_related("account", "requested_by", "photo")

# --- One photo ---------------------------------------------------------------------------------------------------


@router.get("", response=answers({200: QueuePage}, *READS), summary="What waits for review")
def review_queue(request: SignedInRequest, which: Query[QueueQuery]) -> dict[str, Any]:
    """The words that a filter finds in your libraries, in an order that holds while people decide."""
    refuse_unknown(request, QueueQuery)
    wanted = which.wanted()
    order = queue.order_of_page(wanted)
    if which.cursor and not queue.Cursor.read(which.cursor, order):
        raise ProblemError(422, "cursor is none of this list.")
    changeable_in = queue.accounts_of(request.user, wanted)
    accounts = changeable_in or queue.accounts_of(request.user, wanted, to_change=False)
    page = queue.page(accounts, wanted, which.cursor, which.page_size)
    if which.cursor and not page.previous_cursor:  # nothing is left beyond it, and this is the first page again
        page = queue.Page([])
    found, is_capped = queue.count(request.user, wanted, to_change=bool(changeable_in))
    _complete(page.rows)
    following = urlencode({**request.GET.dict(), "cursor": page.next_cursor})
    following_url = f"{request.path}?{following}" if page.next_cursor else None
    return {"items": page.rows, "found": found, "is_capped": is_capped, "next": following_url}


def _complete(rows: list[AIMetadata]) -> None:
    """Add what the answer tells beside what the queue reads of a row: two queries."""
    frames = tiles.waiting_frames(row.stack for row in rows)
    times = dict(AIMetadata.objects.filter(pk__in=[row.pk for row in rows]).values_list("pk", "processed_at"))
    for row in rows:
        row.processed_at = times.get(row.pk)
        row.frames = frames.get(row.stack, 1) if row.waits_for_review else 1  # type: ignore[attr-defined]


@router.get("/photos/{uuid:photo}", response=answers({200: ReviewItem}, *READS), summary="The words of a photo")
def review_photo(request: SignedInRequest, photo: UUID) -> AIMetadata:
    """The words as they stand, with their version. 404 as long as nobody wanted the photo described."""
    words: AIMetadata = visible(request, AIMetadata.objects.with_photo(), photo=photo)
    return words


@router.post(
    "/photos/{uuid:photo}/approve",
    response=answers({200: Decided}, *CHANGES) | {409: LostRace},
    summary="Approve the words of a photo",
)
def approve_words(request: SignedInRequest, photo: UUID, wish: ApproveWish) -> dict[str, Any]:
    """Approve the words as you leave them, and those of its burst. 409 where somebody was faster: who, and what."""
    words = _to_change(request, photo)
    try:
        decision = workflow.approve(
            words, by=request.user, version=wish.version, changes=_changes(words, wish), members=not wish.alone
        )
    except workflow.NothingToApprove as exc:
        raise ProblemError(422, str(exc)) from None
    except workflow.AlreadyDecided as exc:
        raise _lost(words, exc) from None
    return _decided(decision, words)


@router.post(
    "/photos/{uuid:photo}/reject",
    response=answers({200: Decided}, *CHANGES) | {409: LostRace},
    summary="Reject the words of a photo",
)
def reject_words(request: SignedInRequest, photo: UUID, wish: RejectWish) -> dict[str, Any]:
    """Reject the words with a reason; they stay as they are. 409 where somebody was faster: who, and what."""
    words = _to_change(request, photo)
    form = RejectForm(wish.model_dump())
    _refuse_mistakes(form)
    try:
        decision = workflow.reject(words, by=request.user, version=wish.version, reason=form.sentence)
    except workflow.AlreadyDecided as exc:
        raise _lost(words, exc) from None
    return _decided(decision, words)


@router.post(
    "/photos/{uuid:photo}/edit",
    response=answers({200: Decided}, *CHANGES) | {409: LostRace},
    summary="Edit the words of a photo",
)
def edit_words(request: SignedInRequest, photo: UUID, wish: WordsWish) -> dict[str, Any]:
    """Change words and leave their review as it is. 409 where somebody was faster: who, and what."""
    words = _to_change(request, photo)
    if not words.is_described:
        raise ProblemError(422, "This photo is not described yet. Approve it with a description of yours instead.")
    changes = _changes(words, wish)
    if not changes:
        raise ProblemError(422, "Say what is to be changed.")
    try:
        decision = workflow.edit(words, by=request.user, version=wish.version, changes=changes)
    except workflow.AlreadyDecided as exc:
        raise _lost(words, exc) from None
    return _decided(decision, words)


# --- All that match ----------------------------------------------------------------------------------------------


@router.get("/preview", response=answers({200: PreviewOut}, *READS, 403), summary="What a decision would do")
def preview_decision(request: SignedInRequest, which: Query[PreviewQuery]) -> dict[str, Any]:
    """How many words a filter finds, and how many of them a decision would change. Nothing is decided."""
    refuse_unknown(request, PreviewQuery)
    account, wanted = _meant(request, which)
    params = {} if which.kind == "reject" else _params(which)
    found = bulk.preview(which.kind, wanted, params, request.user)
    return {"account": account.nickname, "matching": found.matching, "changing": found.changing}


@router.post("/decisions", response=answers({202: DecisionOut}, *CHANGES, 409), summary="Decide on all that match")
def decide(request: SignedInRequest, wish: DecisionWish) -> Status[dict[str, Any]]:
    """One decision on all that the filter finds now in one library, carried out in the background; it can be undone as
    a whole. What somebody else decides on meanwhile is left as they leave it."""
    account, wanted = _meant(request, wish.filter)
    params = _params(wish)
    found = kinds.described(queue.matching([account.pk], wanted)).count()
    if wish.seen is not None and found > wish.seen:
        raise ProblemError(409, f"{found - wish.seen} more match than you saw, so nothing was done. Look again.")
    if not found:
        raise ProblemError(422, "Nothing matches that filter.")
    decision = bulk.decide(account, by=request.user, kind=wish.kind, filter=wanted, params=params)
    return Status(202, _told(decision))


@router.get("/decisions", response=answers({200: DecisionPage}, *READS), summary="Decisions")
def list_decisions(request: SignedInRequest, which: Query[DecisionsQuery]) -> dict[str, Any]:
    """What was decided in your libraries, newest first."""
    rows = decided.narrowed(DECISIONS.visible_to(request.user), request.user, which.show)
    page = page_of(request, rows.order_by("-created_at", "-pk"), which)
    return page | {"items": [_told(row) for row in page["items"]]}


@router.get("/decisions/{uuid:pk}", response=answers({200: DecisionStatus}, *READS), summary="How far a decision is")
def decision_status(request: SignedInRequest, pk: UUID) -> dict[str, Any]:
    """How much of it is carried out, or taken back; and what an undo kept, and why."""
    return _status(visible(request, DECISIONS, pk=pk))


@router.post(
    "/decisions/{uuid:pk}/undo",
    response=answers({200: DecisionStatus, 202: DecisionStatus}, *CHANGES, 409),
    summary="Undo a decision",
)
def undo_decision(request: SignedInRequest, pk: UUID) -> Status[dict[str, Any]]:
    """Take back what a decision wrote, where it still stands: 200 when that is done, 202 while it is being done."""
    decision: Decision = changeable(request, DECISIONS, pk=pk)
    try:
        bulk.undo(decision, by=request.user)
    except bulk.AlreadyUndone as exc:
        raise ProblemError(409, str(exc)) from None
    return Status(200 if decision.undo == Decision.Undo.DONE else 202, _status(decision))


@router.post(
    "/decisions/{uuid:pk}/cancel", response=answers({200: DecisionStatus}, *CHANGES, 409), summary="Stop a decision"
)
def cancel_decision(request: SignedInRequest, pk: UUID) -> dict[str, Any]:
    """Stop one that is under way; what was written stays, and can be undone, or gone on with. 409 where it is over."""
    decision: Decision = changeable(request, DECISIONS, pk=pk)
    if not bulk.cancel(decision):
        raise ProblemError(409, f"This decision is over: {decision.get_state_display().lower()}.")
    return _status(decision)


@router.post(
    "/decisions/{uuid:pk}/resume", response=answers({200: DecisionStatus}, *CHANGES, 409), summary="Resume a decision"
)
def resume_decision(request: SignedInRequest, pk: UUID) -> dict[str, Any]:
    """Go on with one that was stopped, with the next photo. 409 where it was not stopped, or is undone."""
    decision: Decision = changeable(request, DECISIONS, pk=pk)
    if not bulk.go_on(decision):
        raise ProblemError(409, "It cannot go on: it is under way, over, or undone.")
    return _status(decision)


# --- From wishes to values ---------------------------------------------------------------------------------------


def _to_change(request: SignedInRequest, photo: UUID) -> AIMetadata:
    words: AIMetadata = changeable(request, AIMetadata.objects.with_photo(), photo=photo)
    return words


def _meant(request: SignedInRequest, which: FilterQuery) -> tuple[Account, ReviewFilter]:
    """The one library that is meant, which the person may change, and the filter in it."""
    account = chosen_account(request, which.account or None)
    return account, which.wanted(account)


def _changes(words: AIMetadata, wish: WordsWish) -> dict[str, Any]:
    """What the wish changes, by the names of the columns; held to the same limits as on the pages."""
    given = {name: value for name in FIELDS if (value := getattr(wish, name)) is not None}
    form = ApproveForm({"version": wish.version, **given, "tags": ", ".join(given.get("tags", ()))})
    _refuse_mistakes(form, only=set(given))
    return {f"ai_{name}": form.cleaned_data[name] for name in given}


def _params(act: Act) -> dict[str, str]:
    """What a decision of that kind needs to know."""
    form: ReasonForm | TagForm | SayOnceForm
    match act.kind:
        case "approve":
            return {}
        case "reject":
            form = ReasonForm({"reason": getattr(act, "reason", None), "note": getattr(act, "note", "")})
        case "replace_word":
            form = SayOnceForm({"account": "-", "old": act.old, "new": act.new})
        case "remove_tag":
            form = TagForm({"do": act.kind, "remove": act.old})
        case _:
            form = TagForm({"do": act.kind, "add": act.new, "old": act.old, "new": act.new})
    _refuse_mistakes(form, names={"add": "new", "remove": "old"})
    return {"old": act.old, "new": act.new} if isinstance(form, SayOnceForm) else form.params


def _refuse_mistakes(form: forms.Form, *, only: set[str] | None = None, names: dict[str, str] | None = None) -> None:
    """422 with what is wrong in the form, as mistakes in the body; `names` are the wish's own."""
    form.is_valid()
    errors = [
        {"where": "body", "field": (names or {}).get(name, name), "detail": str(sentence)}
        for name, sentences in form.errors.items()
        for sentence in sentences
        if only is None or name in only
    ]
    if errors:
        raise ProblemError(422, errors[0]["detail"], errors=errors)


# --- From values to answers --------------------------------------------------------------------------------------


def _lost(words: AIMetadata, exc: workflow.AlreadyDecided) -> ProblemError:
    """Who was faster, and what stands now."""
    last = words.history.order_by("-version").first()
    now = ReviewItem.from_orm(words).model_dump(mode="json")
    return ProblemError(409, str(exc), changed_by=last.changed_by if last else "", now=now)


def _decided(decision: Decision, words: AIMetadata) -> dict[str, Any]:
    decision.refresh_from_db()  # a burst was counted in
    return {"decision": _told(decision), "now": words}


def _told(decision: Decision) -> dict[str, Any]:
    same = ("kind", "filter", "params", "total", "done", "changed", "passed_over")
    undo = ("undo", "undone", "undo_kept", "undone_by", "undone_at")
    return run_status(decision, queue="metadata") | {
        **{name: getattr(decision, name) for name in (*same, *undo)},
        "photo": decision.photo.photo_id if decision.photo else None,
        "status_url": reverse("api:decision_status", args=[decision.pk]),
    }


def _status(decision: Decision) -> dict[str, Any]:
    kept = [{"photo": each.photo.pk, "fields": each.fields, "changed_by": each.who} for each in decided.kept(decision)]
    return _told(decision) | {"kept": kept}
