"""The mirror for programs: start a sync, follow it, stop it; accounts and albums. Photos, with their words, are
metadata's."""

from __future__ import annotations

import datetime
from typing import Any, Literal
from uuid import UUID

from django.db.models import F, QuerySet
from django.http import Http404
from django.urls import reverse
from ninja import Field, Query, Router, Schema, Status
from pydantic import BaseModel

from smugmug import cards, jobs, sync
from smugmug.models import Account, Album, SyncRun
from smugmug.reading import ALBUM_LIST
from targetvision.access import SignedInRequest, changeable, visible
from targetvision.models import RunState
from targetvision.problems import ProblemError
from targetvision.progress import RunCard
from targetvision.schemas import CHANGES, READS, Page, Paging, PlainText, Wish, answers, page_of

router = Router(tags=["SmugMug"])

LONGEST_NICKNAME = 120
NICKNAME = "SmugMug's nickname of the library. May be left out where there is only one that you may change."


class SyncWish(Wish):
    """Which library is to be synced, and how thoroughly."""

    account: PlainText | None = Field(default=None, max_length=LONGEST_NICKNAME, description=NICKNAME)
    kind: Literal["full", "incremental", "verify"] = Field(
        default="full",
        examples=["incremental"],
        description="full reads every album; incremental those that SmugMug says have moved; verify compares "
        "everything slimly, because edits of captions and keywords move no album.",
    )


class StatusQuery(BaseModel):
    """Which run is asked for."""

    job: UUID | None = Field(default=None, description="The run; without it the newest that you may see.")
    account: PlainText | None = Field(
        default=None, max_length=LONGEST_NICKNAME, description="The newest of this library."
    )


class AlbumsQuery(Paging):
    """Which albums are asked for."""

    account: PlainText | None = Field(default=None, max_length=LONGEST_NICKNAME, description="Of this library alone.")
    q: PlainText = Field(
        default="", max_length=200, description="Part of the title, in whatever case.", examples=["holidays"]
    )


class Started(Schema):
    """A run that was started, or was under way already."""

    job: UUID
    state: RunState
    kind: str
    account: str
    is_new: bool = Field(description="False: it was under way already, and nothing was started.")
    status_url: str


class AlbumTrouble(Schema):
    """An album that could not be read, and why."""

    album_key: str | None = Field(description="null where it was the list of albums itself.")
    title: str
    sentence: str


class AlbumCounts(Schema):
    done: int
    total: int | None = Field(description="null as long as the albums are being listed.")
    locked: int


class PhotoCounts(Schema):
    seen: int
    new: int
    changed: int
    removed: int


class RunStatus(Schema):
    """How far a run is: what every kind of run tells."""

    job: UUID
    account: str
    state: RunState
    is_active: bool
    rate: float | None = Field(description="Done in a second, since the start.")
    seconds: float | None = Field(description="How long it has taken, up to now or its end.")
    seconds_left: float | None
    waiting_for: str = Field(description="A sentence: what it waits for, or why it stopped.")
    requested_by: str | None
    created_at: datetime.datetime
    started_at: datetime.datetime | None
    heartbeat_at: datetime.datetime | None
    finished_at: datetime.datetime | None
    resume_at: datetime.datetime | None = Field(description="When a paused run goes on by itself.")


class SyncStatus(RunStatus):
    """How far a sync is, and what it has found."""

    kind: SyncRun.Kind
    album_keys: list[str] = Field(description="The albums it is about; none: all.")
    albums: AlbumCounts
    photos: PhotoCounts
    requests_made: int
    errors: list[AlbumTrouble]


class AccountOut(Schema):
    """A library, and what you may do in it."""

    nickname: str
    name: str
    web_url: str
    state: Account.State
    role: Literal["owner", "curator", "viewer"]
    granted_access: str
    granted_permissions: str
    never_send: bool = Field(description="No picture or word of it goes to an AI server.")
    created_at: datetime.datetime


class AccountPage(Page):
    items: list[AccountOut]


class AlbumOut(Schema):
    id: UUID
    account: str
    album_key: str
    album_id: str = Field(description="SmugMug's node id.")
    title: str
    description: str
    image_count: int = Field(description="As SmugMug counts them.")
    url_path: str
    web_url: str
    privacy: str
    security_type: str
    is_locked: bool
    never_send: bool
    last_updated: datetime.datetime | None
    images_last_updated: datetime.datetime | None
    created_at: datetime.datetime
    synced_at: datetime.datetime | None = Field(description="When its pictures were last read completely.")
    photos_url: str

    @staticmethod
    def resolve_account(album: Album) -> str:
        return album.account.nickname

    @staticmethod
    def resolve_photos_url(album: Album) -> str:
        return reverse("api:photos", args=[album.pk])


class AlbumPage(Page):
    items: list[AlbumOut]


@router.post("/sync", response=answers({202: Started}, *CHANGES, 409, 429), summary="Start a sync")
def start_sync(request: SignedInRequest, wish: SyncWish | None = None) -> Status[dict[str, Any]]:
    """Begin to bring a library in, or learn which sync of it is under way."""
    wish = wish or SyncWish()
    account = chosen_account(request, wish.account)
    return _begin(request, account, kind=SyncRun.Kind(wish.kind))


@router.post("/sync/album/{album_key}", response=answers({202: Started}, *CHANGES, 409, 429), summary="Sync one album")
def start_album_sync(request: SignedInRequest, album_key: PlainText) -> Status[dict[str, Any]]:
    """Read one album again, by SmugMug's key of it."""
    album = changeable(request, Album.objects.select_related("account"), album_key=album_key)
    return _begin(request, album.account, kind=SyncRun.Kind.ALBUMS, album_keys=[album_key])


@router.get("/sync/status", response=answers({200: SyncStatus}, *READS), summary="How far a sync is")
def sync_status(request: SignedInRequest, which: Query[StatusQuery]) -> dict[str, Any]:
    """The sync that is asked for, else the newest that you may see; 404 where there is none."""
    return _status(asked_for(request, SyncRun.objects.select_related("account", "requested_by"), which))


@router.post("/sync/{uuid:job}/cancel", response=answers({200: SyncStatus}, *CHANGES, 409), summary="Cancel a sync")
def cancel_sync(request: SignedInRequest, job: UUID) -> dict[str, Any]:
    """Stop a sync; what it has brought in stays. 409 where it is over."""
    run = changeable(request, SyncRun.objects.select_related("account", "requested_by"), pk=job)
    if not sync.cancel(run, by=request.user):
        raise ProblemError(409, f"This sync is over: {run.get_state_display().lower()}.")
    return _status(run)


@router.post("/sync/{uuid:job}/retry", response=answers({202: Started}, *CHANGES, 409, 429), summary="Retry albums")
def retry_sync(request: SignedInRequest, job: UUID) -> Status[dict[str, Any]]:
    """Read again just the albums that failed in a sync; all of it where it failed as a whole. 409 where none did."""
    run = changeable(request, SyncRun.objects.select_related("account"), pk=job)
    if run.state not in cards.RETRIED:
        state = run.get_state_display().lower()
        raise ProblemError(409, f"This sync has left nothing over to be read again: {state}.")
    return _begin(request, run.account, again=run)


@router.get("/accounts", response=answers({200: AccountPage}, *READS), summary="Libraries")
def accounts(request: SignedInRequest, paging: Query[Paging]) -> dict[str, Any]:
    """The libraries you are in, by nickname."""
    rows = Account.objects.visible_to(request.user).annotate(role=F("memberships__role")).order_by("nickname")
    return page_of(request, rows, paging)


@router.get("/albums", response=answers({200: AlbumPage}, *READS), summary="Albums")
def albums(request: SignedInRequest, which: Query[AlbumsQuery]) -> dict[str, Any]:
    """The albums of your libraries, those first whose pictures changed last."""
    rows = Album.objects.visible_to(request.user).present().named_like(which.q).newest_first().select_related("account")
    if which.account:
        rows = rows.filter(account=named_account(request, which.account))
    return page_of(request, rows, which)


def chosen_account(request: SignedInRequest, nickname: str | None) -> Account:
    """The library of that nickname, else the only one the person may change; refused where that is not clear."""
    account: Account
    if nickname is not None:
        account = changeable(request, Account.objects.all(), pk=named_account(request, nickname).pk)
        return account
    mine = list(Account.objects.changeable_by(request.user).order_by("nickname"))
    if len(mine) > 1:
        raise ProblemError(422, f"Say which library, as “account”: {', '.join(map(str, mine))}.")
    account = mine[0] if mine else changeable(request, Account.objects.all())
    return account


def named_account(request: SignedInRequest, nickname: str) -> Account:
    """The library of that nickname; Http404 with a sentence where the person is in none such."""
    try:
        account: Account = visible(request, Account.objects.all(), nickname=nickname)
    except Http404:
        hint = " A nickname is what stands in SmugMug's address, not an e-mail address." if "@" in nickname else ""
        raise Http404(f"You are in no library called “{nickname}”.{hint}") from None
    return account


def asked_for(request: SignedInRequest, runs: QuerySet[Any], which: StatusQuery) -> Any:
    """The run that is asked for, else the newest; Http404 where there is none that the person may see."""
    if which.job:
        return visible(request, runs, pk=which.job)
    if which.account:
        runs = runs.filter(account=named_account(request, which.account))
    try:
        return visible(request, runs.newest_first())  # type: ignore[attr-defined]
    except Http404:
        raise Http404("There has been no such run yet.") from None


def refuse_disconnected(account: Account) -> None:
    """409 where SmugMug cannot be asked for anything of the library."""
    if not account.is_connected:
        raise ProblemError(409, f"{account} is not connected to SmugMug. Connect it again first.")


def run_status(run: Any, *, queue: str) -> dict[str, Any]:
    """What RunStatus tells, of a run of either kind; `queue` is where its jobs wait."""
    same = ("state", "is_active", "rate", "seconds", "seconds_left")
    times = ("created_at", "started_at", "heartbeat_at", "finished_at", "resume_at")
    return {
        "job": run.pk,
        "account": run.account.nickname,
        "waiting_for": RunCard(run, title="", figures="", queue=queue).waiting,
        "requested_by": run.requested_by.get_username() if run.requested_by else None,
        **{name: getattr(run, name) for name in (*same, *times)},
    }


def _begin(
    request: SignedInRequest, account: Account, *, again: SyncRun | None = None, **wish: Any
) -> Status[dict[str, Any]]:
    refuse_disconnected(account)
    try:
        run, is_new = sync.retry(again, by=request.user) if again else sync.start(account, by=request.user, **wish)
    except sync.TooManyStarts as exc:
        raise ProblemError(429, str(exc), headers={"Retry-After": str(exc.retry_after)}) from None
    if is_new:
        jobs.sync_account.delay(str(run.pk))
    started = {
        "job": run.pk,
        "state": run.state,
        "kind": run.kind,
        "account": account.nickname,
        "is_new": is_new,
        "status_url": f"{reverse('api:sync_status')}?job={run.pk}",
    }
    return Status(202, started)


def _status(run: SyncRun) -> dict[str, Any]:
    return run_status(run, queue="smugmug") | {
        "kind": run.kind,
        "album_keys": run.album_keys,
        "albums": {"done": run.done, "total": run.total, "locked": run.albums_locked},
        "photos": {name: getattr(run, f"photos_{name}") for name in ("seen", "new", "changed", "removed")},
        "requests_made": run.requests_made,
        "errors": [
            {**error, "album_key": None if error["key"] == ALBUM_LIST else error["key"]} for error in run.errors
        ],
    }
