"""Publishing for programs: prepare a change-set, look it through, arm it, follow it, take it back.

Arming is a person's: whoever is signed in, or made the token, names the library and the number.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from django.urls import reverse
from ninja import Field, Query, Router, Schema, Status
from pydantic import BaseModel, StrictBool, StrictInt, WithJsonSchema

from metadata import change_plan, jobs, publish
from metadata.api_filters import FilterWish
from metadata.forms_review import Status as State
from metadata.models import Change, ChangeSet
from smugmug.api import LONGEST_NICKNAME, RunStatus, chosen_account, named_account, run_status
from smugmug.models import Account, Album
from targetvision.access import SignedInRequest, changeable, visible
from targetvision.problems import ProblemError
from targetvision.schemas import CHANGES, READS, Page, Paging, PlainText, Wish, answers, page_of

router = Router(tags=["Publishing"])

BIGGEST_ID = 2**63 - 1
BIGGEST_INTEGER = 2**31 - 1
CHANGE_SETS = ChangeSet.objects.select_related("account", "requested_by")
Rule = ChangeSet.Rule
# By its values: a component called State is an account's already.
ChangeState = Annotated[Change.State, WithJsonSchema({"type": "string", "enum": Change.State.values})]


class ChangeSetWish(FilterWish):
    """Which approved words are to be written, into which fields, and by which rules; "" leaves a field alone."""

    status: State = Field(default=State.APPROVED, description="approved: nothing else is ever written.")
    caption: Rule = Field(default=Rule.NO, description="From the description.", examples=["empty"])
    title: Rule = Field(default=Rule.NO, description="From the title.")
    keywords: Rule = Field(default=Rule.NO, description="From the tags.", examples=["append"])


class ArmWish(Wish):
    """What is armed, named by the person."""

    account: PlainText = Field(max_length=LONGEST_NICKNAME, description="SmugMug's nickname of the library.")
    number: int = Field(strict=True, ge=0, le=BIGGEST_INTEGER, description="Of the pictures that will be changed.")


class LeaveOutWish(Wish):
    """Pictures to be left out of what will be written, or taken in again."""

    changes: list[StrictInt] = Field(max_length=1_000, description="Ids from the list of changes.")
    leave_out: StrictBool = True


class ChangesQuery(BaseModel):
    """Which of the pictures are asked for."""

    after: int = Field(default=0, ge=0, le=BIGGEST_ID, description="The id behind which the page begins.")
    page_size: int = Field(default=50, ge=1, le=100)
    state: ChangeState | None = None


class Planned(Schema):
    """What would be written, by kind."""

    pictures: int
    left_out: int
    captions: int
    titles: int
    pictures_added_to: int
    keywords_added: int
    pictures_removed_from: int
    keywords_removed: int


class ChangeSetOut(RunStatus):
    """A change-set: how far it is, and what came of it."""

    stage: ChangeSet.Stage
    filter: dict[str, str]
    rules: dict[str, str]
    found: int = Field(description="Approved photos that the filter found.")
    total: int | None
    done: int
    written: int
    unchanged: int
    conflicts: int
    failed: int
    reverted: int
    revert_conflicts: int
    revert_failed: int
    armed_by: str = Field(description="user:ada; empty as long as nobody has armed it.")
    armed_at: datetime.datetime | None
    revert_armed_by: str
    revert_armed_at: datetime.datetime | None
    number: int = Field(description="What is to be named where it is armed now, or where its revert is.")
    planned: Planned | None = Field(description="While it is only prepared.")
    changes_url: str


class ChangeSetPage(Page):
    items: list[ChangeSetOut]


class Words(Schema):
    """As SmugMug has them."""

    caption: str
    title: str
    keywords: list[str]


class ChangeOut(Schema):
    """One picture: what it is to get, and what SmugMug had and has."""

    id: int
    photo: UUID = Field(alias="photo_id")
    state: ChangeState
    sentence: str = Field(description="Why it is not done, or not wholly.")
    caption: str = Field(description="What it is to be; empty: left alone.")
    title: str = Field(description="What it is to be; empty: left alone.")
    add: list[str]
    remove: list[str]
    seen: Words = Field(description="At the preview.")
    before: Words | None = Field(description="When its turn came.")
    after: Words | None
    put_back: Words | None = Field(description="After the revert.")


class ChangeList(Schema):
    items: list[ChangeOut]
    next: str | None = Field(description="Address of the next page; null on the last.")


@router.post("", response=answers({201: ChangeSetOut}, *CHANGES), summary="Prepare a change-set")
def prepare_change_set(request: SignedInRequest, wish: ChangeSetWish) -> Status[dict[str, Any]]:
    """Work out what would be written to SmugMug, picture by picture. Nothing is written before a person arms it."""
    account = _account(request, wish)
    rules = {"caption": wish.caption, "title": wish.title, "keywords": wish.keywords}
    if not any(rules.values()):
        raise ProblemError(422, "Choose at least one of caption, title and keywords to be written.")
    if wish.status != State.APPROVED:
        raise ProblemError(422, "Only approved words are published.")
    made = publish.prepare(account, by=request.user, filter=wish.wanted(account), rules=rules)
    return Status(201, _out(made))


def _account(request: SignedInRequest, wish: ChangeSetWish) -> Account:
    """The library that is meant; 404 and 403 where it, or the album, is not the person's to change."""
    if wish.album is None:
        return chosen_account(request, wish.account or None)
    album: Album = changeable(request, Album.objects.select_related("account"), pk=wish.album)
    if wish.account and named_account(request, wish.account) != album.account:
        raise ProblemError(422, f"That album is not in the library {wish.account}.")
    return album.account


@router.get("", response=answers({200: ChangeSetPage}, *READS), summary="Change-sets")
def list_change_sets(request: SignedInRequest, paging: Query[Paging]) -> dict[str, Any]:
    """The change-sets of your libraries, newest first."""
    page = page_of(request, CHANGE_SETS.visible_to(request.user).order_by("-created_at", "-pk"), paging)
    return {**page, "items": [_out(found) for found in page["items"]]}


@router.get("/{uuid:job}", response=answers({200: ChangeSetOut}, *READS), summary="A change-set")
def show_change_set(request: SignedInRequest, job: UUID) -> dict[str, Any]:
    """What it would write, how far it is, what came of it."""
    return _out(visible(request, CHANGE_SETS, pk=job))


@router.get("/{uuid:job}/changes", response=answers({200: ChangeList}, *READS), summary="Its pictures")
def list_changes(request: SignedInRequest, job: UUID, which: Query[ChangesQuery]) -> dict[str, Any]:
    """Each picture with what it is to get, and what SmugMug had and has, in an order that holds."""
    found = visible(request, CHANGE_SETS, pk=job)
    rows = Change.objects.filter(change_set=found).beyond(which.after)
    if which.state:
        rows = rows.filter(state=which.state)
    shown = list(rows[: which.page_size + 1])
    items, more = shown[: which.page_size], len(shown) > which.page_size
    state = f"&state={which.state.value}" if which.state else ""
    following = f"{request.path}?after={items[-1].pk}&page_size={which.page_size}{state}" if more else None
    return {"items": items, "next": following}


@router.post("/{uuid:job}/leave-out", response=answers({200: ChangeSetOut}, *CHANGES, 409), summary="Leave out")
def leave_out_changes(request: SignedInRequest, job: UUID, wish: LeaveOutWish) -> dict[str, Any]:
    """Leave pictures out, or take them in again. 409 once it is armed."""
    found = changeable(request, CHANGE_SETS, pk=job)
    try:
        publish.leave_out(found, [pk for pk in wish.changes if 0 < pk <= BIGGEST_ID], leave_out=wish.leave_out)
    except publish.Stale as exc:
        raise ProblemError(409, str(exc)) from None
    return _out(found)


@router.post("/{uuid:job}/arm", response=answers({202: ChangeSetOut}, *CHANGES, 409), summary="Arm a change-set")
def arm_change_set(request: SignedInRequest, job: UUID, wish: ArmWish) -> Status[dict[str, Any]]:
    """Let it be written: name the library, and how many pictures that changes. 409 where somebody was faster."""
    return _armed(request, job, wish, publish.arm)


@router.post("/{uuid:job}/revert", response=answers({202: ChangeSetOut}, *CHANGES, 409), summary="Take it back")
def revert_change_set(request: SignedInRequest, job: UUID, wish: ArmWish) -> Status[dict[str, Any]]:
    """Let all that it wrote be put back, armed in the same way."""
    return _armed(request, job, wish, publish.arm_revert)


def _armed(request: SignedInRequest, job: UUID, wish: ArmWish, let: Callable[..., None]) -> Status[dict[str, Any]]:
    found = changeable(request, CHANGE_SETS, pk=job)
    try:
        let(found, by=request.user, account=wish.account, number=wish.number)
    except publish.AlreadyArmed as exc:
        raise ProblemError(409, str(exc)) from None
    except publish.NotArmed as exc:
        raise ProblemError(422, str(exc)) from None
    jobs.publish_changes.delay(str(found.pk))
    return Status(202, _out(found))


@router.post("/{uuid:job}/discard", response=answers({200: ChangeSetOut}, *CHANGES, 409), summary="Throw it away")
def discard_change_set(request: SignedInRequest, job: UUID) -> dict[str, Any]:
    """Throw away what is only prepared. 409 where it is armed."""
    found = changeable(request, CHANGE_SETS, pk=job)
    return _changed(found, won=publish.discard(found), sentence="This is armed, or thrown away already")


@router.post("/{uuid:job}/pause", response=answers({200: ChangeSetOut}, *CHANGES, 409), summary="Pause publishing")
def pause_publishing(request: SignedInRequest, job: UUID) -> dict[str, Any]:
    """Stop until somebody lets it go on. 409 where it is not under way."""
    found = changeable(request, CHANGE_SETS, pk=job)
    return _changed(found, won=publish.pause(found, by=request.user), sentence="This is not under way")


@router.post("/{uuid:job}/resume", response=answers({200: ChangeSetOut}, *CHANGES, 409), summary="Resume publishing")
def resume_publishing(request: SignedInRequest, job: UUID) -> dict[str, Any]:
    """Let a paused one go on. 409 where it is not paused, or nobody has armed it."""
    found = changeable(request, CHANGE_SETS, pk=job)
    won = publish.resume(found, by=request.user)
    if won:
        jobs.publish_changes.delay(str(found.pk))
    return _changed(found, won=won, sentence="This is not armed and paused")


@router.post("/{uuid:job}/cancel", response=answers({200: ChangeSetOut}, *CHANGES, 409), summary="Cancel publishing")
def cancel_publishing(request: SignedInRequest, job: UUID) -> dict[str, Any]:
    """Stop it for good; what is written stays, and can be taken back. 409 where it is not under way."""
    found = changeable(request, CHANGE_SETS, pk=job)
    return _changed(found, won=publish.cancel(found, by=request.user), sentence="This is not under way")


def _changed(found: ChangeSet, *, won: bool, sentence: str) -> dict[str, Any]:
    if not won:
        raise ProblemError(
            409, f"{sentence}: {found.get_stage_display().lower()}, {found.get_state_display().lower()}."
        )
    return _out(found)


SAME = (
    "stage", "filter", "rules", "found", "total", "done", "written", "unchanged", "conflicts", "failed", "reverted",
    "revert_conflicts", "revert_failed", "armed_by", "armed_at", "revert_armed_by", "revert_armed_at",
)  # fmt: skip


def _out(found: ChangeSet) -> dict[str, Any]:
    planned = change_plan.count(found) if found.is_prepared else None
    number = planned.pictures if planned else publish.to_revert(found) if found.may_be_reverted else 0
    return run_status(found, queue="smugmug") | {
        **{name: getattr(found, name) for name in SAME},
        "number": number,
        "planned": planned,
        "changes_url": reverse("api:list_changes", args=[found.pk]),
    }
