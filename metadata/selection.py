"""Which photos a run is about. Nothing here talks to the network.

What a person decided on or wrote is left alone unless it is asked for by name, and what must not leave the house is
skipped by name where the describer is on another machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import models, transaction
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Now

from metadata import prompts
from metadata.models import AIMetadata, ProcessingRun, Prompt
from smugmug.models import Account, Album, Photo

if TYPE_CHECKING:
    from metadata.describe import Describer
    from metadata.models.words import AIMetadataQuerySet

ROWS_A_STATEMENT = 1_000
IS_VIDEO = "This is a video; only pictures are described."
NOT_SENT = "Not sent: this library or an album with the photo is marked never to be sent to an AI server."

Processing = AIMetadata.Processing
# Nobody has decided on the words, and nobody wrote any since the AI's newest answer.
UNTOUCHED = Q(ai_metadata__review_status=AIMetadata.Review.UNREVIEWED) & (
    Q(ai_metadata__ai_answer=None) | Q(ai_metadata__ai_answer__version=F("ai_metadata__version"))
)
# Who has words keeps them, whatever becomes of the wish for others.
LEFT_OUT = Case(When(ai_description="", then=Value(Processing.SKIPPED)), default=Value(Processing.COMPLETED))
IS_DONE_WITH = Case(When(ai_description="", then=Value(Processing.PENDING)), default=Value(Processing.COMPLETED))


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks of a run: which photos, what the model is told beside its notes, and how much to spend (USD).

    `reason` narrows `only` to photos that failed with that sentence. `also_decided` takes those in whose words a
    person has approved, rejected or written.
    """

    album: Album | None = None
    photo: Photo | None = None
    only: str = ProcessingRun.Only.PENDING
    reason: str = ""
    also_decided: bool = False
    note: str = ""
    limit: int | None = None
    budget: Decimal | None = None

    @classmethod
    def of(cls, run: ProcessingRun) -> Wish:
        """What the run was started with."""
        names = ("album", "photo", "only", "reason", "also_decided", "note", "limit")
        return cls(**{name: getattr(run, name) for name in names}, budget=run.budget_usd)


def to_describe(account: Account, wish: Wish, *, describer: Describer) -> models.QuerySet[Photo]:
    """The photos that a run with this wish would describe, without those that it would skip, in its order."""
    photos = wanted(account, wish, prompt=prompts.active(account), model=describer.model).filter(is_video=False)
    photos = photos.filter(prompts.sendable(account)) if describer.sends_to else photos
    return photos[: wish.limit] if wish.limit else photos


def is_describable(photo: Photo, *, sends: bool) -> bool:
    """Whether a run could take the photo, whatever has been said of it; `sends`: pictures leave this machine."""
    if photo.is_video or photo.removed_at or not photo.account.is_connected:
        return False
    return not sends or Photo.objects.filter(prompts.sendable(photo.account), pk=photo.pk).exists()


def wanted(account: Account, wish: Wish, *, prompt: Prompt, model: str) -> models.QuerySet[Photo]:
    """The photos that a run with this wish looks at, in its order, whatever its limit."""
    photos = Photo.objects.present().filter(account=account)
    if wish.album:
        photos = photos.filter(standings__album=wish.album)
    if wish.photo:
        photos = photos.filter(pk=wish.photo.pk)
    if wish.only == ProcessingRun.Only.STALE:
        stale = prompts.stale(account, prompt, model, also_decided=wish.also_decided)
        photos = photos.filter(pk__in=stale.values("photo"))
    else:
        photos = photos.filter(_CONDITIONS[ProcessingRun.Only(wish.only)](wish))
    if not wish.also_decided:
        photos = photos.filter(Q(ai_metadata=None) | UNTOUCHED)
    return photos.order_by("album", "filename", "pk")


def _pending(_wish: Wish) -> Q:
    left_over = Q(ai_metadata__processing_status=Processing.PROCESSING, ai_metadata__claimed_until__lt=Now())
    held_back = Q(ai_metadata__processing_status=Processing.SKIPPED, ai_metadata__error=NOT_SENT)
    return (
        Q(ai_metadata=None)
        | Q(ai_metadata__processing_status=Processing.PENDING)
        | left_over
        | held_back  # the mark may have been taken away; plan() skips it again where it was not
    )


def _failed(wish: Wish) -> Q:
    failed = Q(ai_metadata__processing_status=Processing.FAILED)
    return failed & Q(ai_metadata__error=wish.reason) if wish.reason else failed


def _all(_wish: Wish) -> Q:
    in_other_hands = Q(ai_metadata__processing_status=Processing.PROCESSING, ai_metadata__claimed_until__gte=Now())
    return Q(ai_metadata=None) | ~in_other_hands


_CONDITIONS = {
    ProcessingRun.Only.PENDING: _pending,
    ProcessingRun.Only.FAILED: _failed,
    ProcessingRun.Only.ALL: _all,
}


@transaction.atomic
def plan(run: ProcessingRun, *, sends: bool) -> None:
    """Once a run: give each photo its row, put the run's name on those it is to describe, and count them.

    `sends` says that pictures leave this machine.
    """
    locked = ProcessingRun.objects.select_for_update().get(pk=run.pk)
    if locked.total is not None or locked.prompt is None:
        run.refresh_from_db()
        return
    put_back(AIMetadata.objects.filter(photo__account=locked.account_id).exclude(run=locked))
    photos = wanted(locked.account, Wish.of(locked), prompt=locked.prompt, model=locked.model)
    pks = list(photos.values_list("pk", flat=True)[: locked.limit])
    for start in range(0, len(pks), ROWS_A_STATEMENT):
        _mark(locked, pks[start : start + ROWS_A_STATEMENT])
    rows = AIMetadata.objects.of_run(locked)
    total, films = rows.count(), rows.filter(photo__is_video=True)
    skipped = films.update(processing_status=LEFT_OUT, error=IS_VIDEO) + (hold_back(locked) if sends else 0)
    run.beat(total=total, done=skipped, skipped=skipped)


def _mark(run: ProcessingRun, photos: list[UUID]) -> None:
    new = [AIMetadata(photo_id=photo, run=run) for photo in photos]
    AIMetadata.objects.bulk_create(new, ignore_conflicts=True)
    rows = AIMetadata.objects.filter(photo__in=photos).exclude(run=run)
    if not run.also_decided:  # again: a person may have decided just now
        rows = rows.filter(review_status=AIMetadata.Review.UNREVIEWED)
    rows.update(run=run, processing_status=Processing.PENDING, attempts=0, error="", claimed_until=None)


def unfinished(run: ProcessingRun) -> AIMetadataQuerySet:
    """Photos of the run that wait or are being described; what a person has decided on meanwhile waits for none."""
    rows = AIMetadata.objects.of_run(run).unfinished()
    return rows if run.also_decided else rows.filter(review_status=AIMetadata.Review.UNREVIEWED)


def hold_back(run: ProcessingRun) -> int:
    """Skip what waits and may not be sent to another machine; how many those were."""
    account = Account.objects.get(pk=run.account_id)
    if not account.never_send and not account.albums.filter(never_send=True).exists():
        return 0
    barred = Photo.objects.filter(account=account).exclude(prompts.sendable(account))
    waiting = unfinished(run).claimable().filter(photo__in=barred)
    return waiting.update(processing_status=LEFT_OUT, error=NOT_SENT, claimed_until=None)


def put_back(rows: models.QuerySet[AIMetadata]) -> None:
    """Of rows that no run works on any more, those with words are described as before, and the others wait."""
    abandoned = Q(processing_status=Processing.PENDING) & ~Q(ai_description="") | Q(
        processing_status=Processing.PROCESSING, claimed_until__lt=Now()
    )
    rows.filter(abandoned).update(processing_status=IS_DONE_WITH, claimed_until=None)
