"""A prompt tried on one photo: a call that is paid for and in the ledger like any other, and no words are written."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django_rq import get_connection

from metadata import calls, ledger, prompts
from metadata.calls import Outcome, Turns
from metadata.claims import Claim
from metadata.describe import Answer, Brief, DescribeError, Describer, UnusablePicture, Usage
from metadata.describe.picture import prepare
from metadata.library import DESCRIBED, REVIEWED
from metadata.models import AICall, Prompt
from smugmug.client import SmugMugClient, SmugMugError
from smugmug.models import Account, Photo

PATIENCE_SECONDS = 10.0  # of a person who waits, for a turn among the calls of runs
TO_CHOOSE_FROM = 6


class NotPossible(Exception):
    """Nothing was sent; str() is the sentence for the person."""


@dataclass(frozen=True)
class Preview:
    """What came of it: an answer, or the sentence why there is none; `call` is None where the model was not reached."""

    photo: Photo
    brief: Brief
    answer: Answer | None
    sentence: str
    call: AICall | None


def candidates(account: Account, *, sends: bool) -> list[Photo]:
    """A few photos to try a prompt on: such as wait for review, else any; `sends` says that they leave this machine."""
    photos = Photo.objects.present().filter(account=account, is_video=False).order_by("image_key")
    photos = photos.filter(prompts.sendable(account)) if sends else photos
    waiting = photos.filter(DESCRIBED & ~REVIEWED)[:TO_CHOOSE_FROM]
    return list(waiting) or list(photos[:TO_CHOOSE_FROM])


def photo_of(account: Account, pk: UUID, *, describer: Describer) -> Photo:
    """That photo of the account; NotPossible where there is none, or it is no picture, or must not be sent."""
    photos = Photo.objects.present().filter(account=account, pk=pk).select_related("album")
    photo = photos.first()
    if photo is None:
        raise NotPossible("There is no such photo in this library.")
    if photo.is_video:
        raise NotPossible("This is a video; only pictures are described.")
    if describer.sends_to and not photos.filter(prompts.sendable(account)).exists():
        raise NotPossible("Nothing was sent: this photo is marked never to be sent to an AI server.")
    return photo


def preview(prompt: Prompt, photo: Photo, *, describer: Describer, client: SmugMugClient) -> Preview:
    """Have the photo described as a run with this prompt would; NotPossible where the AI server is kept busy by runs.

    The network may take its time: meanwhile the connection is in the pool, for other pages.
    """
    briefing = prompts.briefing_for(prompt, model=describer.model)
    brief = briefing.brief(photo, photo.album)
    claim = Claim(
        pk=photo.pk,  # of no row: nothing is written
        photo_id=photo.pk,
        image_id=photo.image_id,
        large_url=photo.large_url,
        version=0,
        attempts=0,
        until=timezone.now(),
        brief=brief,
        fingerprint=briefing.fingerprint(photo),
        prompt=str(prompt),
    )
    if not connection.in_atomic_block:
        connection.close()
    outcome = _asked(claim, describer, client)
    call = None if outcome.ms is None else _recorded(prompt, photo, outcome, describer)
    answer = outcome.answer if isinstance(outcome.answer, Answer) else None
    return Preview(photo, brief, answer, outcome.error.advice if outcome.error else "", call)


def _asked(claim: Claim, describer: Describer, client: SmugMugClient) -> Outcome:
    turns = Turns.of(describer, get_connection("metadata"))
    try:
        picture = prepare(calls.fetch(claim, client), pixels=settings.AI_IMAGE_PIXELS)
    except (SmugMugError, UnusablePicture) as exc:
        return Outcome(error=exc)
    if turns.pacer and not turns.pacer.wait(PATIENCE_SECONDS):
        raise NotPossible("The AI server is busy with photos of a run. Nothing was sent; try again in a minute.")
    return calls.ask(claim, picture, describer, turns)


def _recorded(prompt: Prompt, photo: Photo, outcome: Outcome, describer: Describer) -> AICall:
    error = outcome.error if isinstance(outcome.error, DescribeError) else None
    result = outcome.answer or error
    call = ledger.Call(
        kind=AICall.Kind.DESCRIBE,
        model=getattr(result, "model", "") or describer.model,
        outcome=ledger.outcome(error),
        usage=getattr(result, "usage", Usage()),
        ms=outcome.ms or 0,
        prompt=str(prompt),
        sent_to=describer.sends_to,
        bytes_sent=outcome.bytes_sent,
    )
    return ledger.record(prompt.account, call, photo_id=photo.pk)
