"""The words for programs: photos with what the AI said of them; and describing, to start, follow, stop and price."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from ninja import Field, Query, Router, Schema, Status
from pydantic import BaseModel, ConfigDict

from metadata import jobs, money, process, prompts, selection
from metadata.models import AIMetadata, ProcessingRun
from smugmug import images
from smugmug.api import (
    LONGEST_NICKNAME,
    NICKNAME,
    RunStatus,
    StatusQuery,
    asked_for,
    chosen_account,
    refuse_disconnected,
    run_status,
)
from smugmug.models import Account, Album, Photo
from targetvision.access import SignedInRequest, changeable, visible
from targetvision.models import RunState
from targetvision.problems import ProblemError
from targetvision.schemas import CHANGES, READS, Page, Paging, PlainText, Wish, answers, page_of

photos_router = Router(tags=["SmugMug"])
router = Router(tags=["Processing"])


class WordsOut(Schema):
    """What the AI said of a photo, as people left it."""

    title: str = Field(alias="ai_title")
    description: str = Field(alias="ai_description")
    alt_text: str = Field(alias="ai_alt_text")
    tags: list[str] = Field(alias="ai_tags")
    categories: list[str] = Field(alias="ai_categories")
    confidence_score: float | None
    processing_status: AIMetadata.Processing
    review_status: AIMetadata.Review
    rejection_reason: str
    approved: bool
    approved_by: str = Field(description="user:ada")
    approved_at: datetime.datetime | None
    version: int
    describer: str
    model: str
    prompt: str
    error: str = Field(description="Why there are no words.")
    processed_at: datetime.datetime | None
    updated_at: datetime.datetime


class PhotoOut(Schema):
    id: UUID
    position: int = Field(description="In this album.")
    image_key: str
    image_id: str = Field(description="SmugMug's key and serial: the serial moves when the picture is replaced.")
    filename: str
    title: str
    caption: str
    keywords: list[str]
    date_taken: str | None = Field(description="What the camera's clock said: ISO 8601 without a time zone.")
    width: int | None
    height: int | None
    size_bytes: int | None
    format: str
    is_video: bool
    is_hidden: bool
    latitude: float | None
    longitude: float | None
    exif: dict[str, str]
    web_url: str = Field(alias="image_url", description="Its page on SmugMug.")
    thumbnail_url: str = Field(description="Ours, for the signed-in; good for a week.")
    large_url: str = Field(description="Ours, for the signed-in; good for a week.")
    uploaded_at: datetime.datetime | None
    remote_updated_at: datetime.datetime | None
    synced_at: datetime.datetime | None
    ai_metadata: WordsOut | None = Field(description="null as long as nobody wanted it described.")

    @staticmethod
    def resolve_date_taken(photo: Photo) -> str | None:
        return photo.date_taken.isoformat() if photo.date_taken else None

    @staticmethod
    def resolve_thumbnail_url(photo: Photo) -> str:
        return images.address(photo, "thumb")

    @staticmethod
    def resolve_large_url(photo: Photo) -> str:
        return images.address(photo, "large")

    @staticmethod
    def resolve_ai_metadata(photo: Photo) -> AIMetadata | None:
        return getattr(photo, "ai_metadata", None)


class PhotoPage(Page):
    items: list[PhotoOut]


@photos_router.get("/photos/{uuid:album_id}", response=answers({200: PhotoPage}, *READS), summary="Photos of an album")
def photos(request: SignedInRequest, album_id: UUID, paging: Query[Paging]) -> dict[str, Any]:
    """The photos that stand in an album, in SmugMug's order, with their words. The id of the album is ours."""
    album = visible(request, Album.objects.all(), pk=album_id)
    return page_of(request, Photo.objects.present().in_album(album).select_related("ai_metadata"), paging)


# --- Describing ------------------------------------------------------------------------------------------------

BIGGEST_INTEGER = 2**31 - 1
REASONS = 50
RUNS = ProcessingRun.objects.select_related("account", "requested_by", "album", "prompt")
Budget = Annotated[float, Field(strict=True, ge=0, le=10_000_000)]


class Choice(BaseModel):
    """Which photos are meant."""

    account: PlainText | None = Field(default=None, max_length=LONGEST_NICKNAME, description=NICKNAME)
    only: ProcessingRun.Only = Field(
        default=ProcessingRun.Only.PENDING,
        strict=False,
        description="stale: described from something else than would be sent now.",
    )
    album: UUID | None = Field(default=None, strict=False, description="Our id of an album: of its photos alone.")
    photo: UUID | None = Field(default=None, strict=False, description="Our id of a photo: it alone.")
    reason: PlainText = Field(default="", max_length=1_000, description="Of the failed, only those with this sentence.")
    also_decided: bool = Field(default=False, description="Also those on whose words a person has decided.")
    limit: int | None = Field(
        default=None, ge=1, le=BIGGEST_INTEGER, description="At most so many photos.", examples=[20]
    )


class ProcessingWish(Choice, Wish):
    """What is to be described, what the model is told beside its notes, and what it may cost."""

    model_config = ConfigDict(strict=True)

    note: PlainText = Field(default="", max_length=2_000, description="What the model is told in this run alone.")
    budget: Budget | None = Field(
        default=None,
        description="USD that the run may spend; without it, what the settings say.",
        examples=[5.0],
    )


class BudgetWish(Wish):
    """What a run may spend from now on."""

    budget: Budget | None = Field(description="USD; null: no bound.", examples=[10.0])


class ProcessingStarted(Schema):
    """A run that was started, or was under way already."""

    job: UUID
    state: RunState
    account: str
    is_new: bool = Field(description="False: another was under way already, and nothing was started.")
    status_url: str


class Trouble(Schema):
    """What a run could not do, and why."""

    key: str
    title: str
    sentence: str


class Reason(Schema):
    """Why photos of a run have no words, and how many those are."""

    status: AIMetadata.Processing
    reason: str
    photos: int


class ProcessingStatus(RunStatus):
    """How far describing is, and what it has cost."""

    only: ProcessingRun.Only
    album: UUID | None
    photo: UUID | None
    model: str
    prompt: str | None
    total: int | None = Field(description="Photos; null as long as they are being counted.")
    done: int
    described: int
    skipped: int
    failed: int
    budget_usd: float | None
    spent_usd: float
    reserved_usd: float = Field(description="Put aside for calls that are under way.")
    reasons: list[Reason]
    errors: list[Trouble]


class EstimateOut(Schema):
    """What describing would cost, in USD; null where a price is unknown."""

    account: str
    photos: int
    low: float | None
    likely: float | None
    high: float | None
    basis: str = Field(description="measured, formula, free or unknown.")
    sentence: str


@router.post("", response=answers({202: ProcessingStarted}, *CHANGES, 409), summary="Describe photos")
def start_processing(request: SignedInRequest, wish: ProcessingWish | None = None) -> Status[dict[str, Any]]:
    """Begin to describe the photos that are meant, or learn which run is under way."""
    asked = wish or ProcessingWish()
    account, meant = _meant(request, asked, note=asked.note, budget=_dollars(asked.budget))
    refuse_disconnected(account)
    try:
        run, is_new = process.start(account, by=request.user, wish=meant, describer=process.configured_describer())
    except money.UnknownPrice as exc:
        raise ProblemError(422, str(exc)) from None
    if is_new:
        jobs.enqueue_for_all_workers(run)
    started = {
        "job": run.pk,
        "state": run.state,
        "account": account.nickname,
        "is_new": is_new,
        "status_url": f"{reverse('api:processing_status')}?job={run.pk}",
    }
    return Status(202, started)


@router.get("/status", response=answers({200: ProcessingStatus}, *READS), summary="How far describing is")
def processing_status(request: SignedInRequest, which: Query[StatusQuery]) -> dict[str, Any]:
    """The run that is asked for, else the newest that you may see; 404 where there is none."""
    return _status(asked_for(request, RUNS, which))


@router.get("/estimate", response=answers({200: EstimateOut}, *READS, 403), summary="What describing would cost")
def estimate_processing(request: SignedInRequest, which: Query[Choice]) -> dict[str, Any]:
    """How many photos are meant, and what describing them would cost. Nothing is started."""
    account, meant = _meant(request, which)
    describer = process.configured_describer()
    found = money.estimate(
        account,
        photos=selection.to_describe(account, meant, describer=describer).count(),
        prompt=prompts.active(account),
        model=describer.model,
        embedding_model=describer.embedding_model,
        pixels=settings.AI_IMAGE_PIXELS,
    )
    names = ("photos", "low", "likely", "high", "basis", "sentence")
    return {"account": account.nickname, **{name: getattr(found, name) for name in names}}


@router.post(
    "/{uuid:job}/cancel", response=answers({200: ProcessingStatus}, *CHANGES, 409), summary="Cancel describing"
)
def cancel_processing(request: SignedInRequest, job: UUID) -> dict[str, Any]:
    """Stop a run; every answer that has come stays. 409 where it is over."""
    run = changeable(request, RUNS, pk=job)
    return _changed(run, won=process.cancel(run, by=request.user), sentence="This run is over")


@router.post("/{uuid:job}/pause", response=answers({200: ProcessingStatus}, *CHANGES, 409), summary="Pause describing")
def pause_processing(request: SignedInRequest, job: UUID) -> dict[str, Any]:
    """Stop a run until somebody lets it go on. 409 where it is over, or paused already."""
    run = changeable(request, RUNS, pk=job)
    return _changed(run, won=process.pause(run, by=request.user), sentence="This run is not under way")


@router.post(
    "/{uuid:job}/resume", response=answers({200: ProcessingStatus}, *CHANGES, 409), summary="Resume describing"
)
def resume_processing(request: SignedInRequest, job: UUID) -> dict[str, Any]:
    """Let a paused run go on. 409 where it is not paused."""
    run = changeable(request, RUNS, pk=job)
    won = process.resume(run, by=request.user)
    if won:
        jobs.enqueue_for_all_workers(run)
    return _changed(run, won=won, sentence="This run is not paused")


@router.post("/{uuid:job}/budget", response=answers({200: ProcessingStatus}, *CHANGES, 409), summary="Change a budget")
def change_budget(request: SignedInRequest, job: UUID, wish: BudgetWish) -> dict[str, Any]:
    """Set what a run may spend; one that had used its budget up goes on. 409 where it is over."""
    run = changeable(request, RUNS, pk=job)
    try:
        won = process.set_budget(run, _dollars(wish.budget), by=request.user)
    except money.UnknownPrice as exc:
        raise ProblemError(422, str(exc)) from None
    if run.state == RunState.QUEUED:
        jobs.enqueue_for_all_workers(run)
    return _changed(run, won=won, sentence="This run is over")


def _meant(request: SignedInRequest, choice: Choice, **more: Any) -> tuple[Account, selection.Wish]:
    """The library and the photos that are meant; all of them the person's to change."""
    album = changeable(request, Album.objects.select_related("account"), pk=choice.album) if choice.album else None
    photo = changeable(request, Photo.objects.select_related("account"), pk=choice.photo) if choice.photo else None
    of_it = album or photo
    account = of_it.account if of_it and choice.account is None else chosen_account(request, choice.account)
    if any(row and row.account_id != account.pk for row in (album, photo)):
        raise ProblemError(422, f"That is not in the library {account}.")
    wish = {name: getattr(choice, name) for name in ("only", "reason", "also_decided", "limit")}
    return account, selection.Wish(album=album, photo=photo, **wish, **more)


def _dollars(amount: float | None) -> Decimal | None:
    """As the column holds it."""
    return None if amount is None else Decimal(str(amount)).quantize(Decimal("0.0001"))


def _changed(run: ProcessingRun, *, won: bool, sentence: str) -> dict[str, Any]:
    if not won:
        raise ProblemError(409, f"{sentence}: {run.get_state_display().lower()}.")
    return _status(run)


def _status(run: ProcessingRun) -> dict[str, Any]:
    reasons = AIMetadata.objects.of_run(run).without_words().reasons()[:REASONS]
    same = ("only", "model", "total", "done", "described", "skipped", "failed", "errors")
    return run_status(run, queue="metadata") | {
        **{name: getattr(run, name) for name in (*same, "budget_usd", "spent_usd", "reserved_usd")},
        "album": run.album_id,
        "photo": run.photo_id,
        "prompt": str(run.prompt) if run.prompt else None,
        "reasons": [{"status": status, "reason": error, "photos": count} for status, error, count in reasons],
    }
