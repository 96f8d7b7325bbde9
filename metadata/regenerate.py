"""One photo described once more, with a note for this time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metadata import jobs, process, selection
from metadata.forms_run import Only, WishForm
from smugmug.models import Photo

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from metadata.models import ProcessingRun


class NotPossible(Exception):
    """Nothing was begun; str() is the sentence for the person."""


def start(photo: Photo, *, by: User, note: str) -> ProcessingRun:
    """A run over this photo alone, whatever was decided on its words, within the budget a run has; it is enqueued.

    NotPossible where the picture cannot be had or must not be sent, where the budget could not be kept, or while other
    photos of the library are being described.
    """
    describer = process.configured_describer()
    if not selection.is_describable(photo, sends=bool(describer.sends_to)):
        raise NotPossible(_why_not(photo))
    wish = WishForm(
        {"photo": str(photo.pk), "only": Only.ALL, "also_decided": "on", "note": note}, account=photo.account
    )
    if not wish.is_valid():
        raise NotPossible(" ".join(str(error) for errors in wish.errors.values() for error in errors))
    run, is_new = process.start(photo.account, by=by, wish=wish.wish(), describer=describer)
    if not is_new:
        raise NotPossible("Photos of this library are being described just now. Ask again when that is done.")
    jobs.enqueue_for_all_workers(run)
    return run


def _why_not(photo: Photo) -> str:
    if photo.is_video:
        return selection.IS_VIDEO
    if photo.removed_at:
        return "This photo is gone from SmugMug."
    if not photo.account.is_connected:
        return f"{photo.account} is not connected, so its pictures cannot be fetched. Connect it again first."
    return selection.NOT_SENT
