"""Bursts: frames of an album that were taken in a row and look alike stand as one stack.

A stack is named by the words of its first frame; every frame keeps words of its own, decided on or not. What a person
took out stays out, however often the album is stacked anew, until a person puts it back.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.db import connection, models, transaction
from django.db.models import F, Func, Q, Window
from django.db.models.functions import Lag
from django.utils.text import get_text_list

from metadata.bursts import hold
from metadata.describe.picture import distance
from metadata.models import AIMetadata, Decision
from smugmug.models import Account, Album

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from metadata.models.words import AIMetadataQuerySet

logger = logging.getLogger(__name__)

GAP = datetime.timedelta(seconds=10)  # from one frame to the next
ALIKE = 10  # of 64 bits by which the pictures of two frames in a row may differ
DRIFT = 14  # and from the first frame: cameras whose clock was never set give all pictures the same second
MOST_FRAMES = 50
IN_TIME = ("photo__date_taken", "photo__filename", "pk")

WRITE = """
UPDATE ai_metadata SET stack = given.stack
FROM unnest(%s::uuid[], %s::uuid[]) AS given (id, stack) WHERE ai_metadata.id = given.id
"""


class Frame(NamedTuple):
    pk: UUID
    taken: datetime.datetime
    look: int


@dataclass(frozen=True)
class Burst:
    """A stack as pages show it: its frames with their photos, in the order in which they were taken."""

    frames: list[AIMetadata]

    @property
    def waiting(self) -> list[AIMetadata]:
        return [frame for frame in self.frames if frame.waits_for_review]


# --- Stacking ---------------------------------------------------------------------------------------------------


@transaction.atomic
def restack(album_id: UUID) -> int:
    """Find the bursts among the photos at home in the album anew; how many rows had to be written."""
    _hold_album(album_id)
    moved = _moved(album_id, _frames())
    if moved:
        hold(moved)
        _write(moved)
    return len(moved)


def _moved(album_id: UUID, frames: AIMetadataQuerySet) -> dict[UUID, UUID | None]:
    """The rows of the album whose stack is another one with those frames than it is by now, and which one."""
    columns = ("pk", "photo__date_taken", "photo__perceptual_hash")
    in_time = frames.filter(photo__album=album_id).order_by(*IN_TIME)
    found = stacks_of(Frame(*row) for row in in_time.values_list(*columns))
    rows = AIMetadata.objects.filter(photo__album=album_id, stack__isnull=False)
    stands = dict(rows.values_list("pk", "stack"))
    return {pk: found.get(pk) for pk in {*found, *stands} if found.get(pk) != stands.get(pk)}


def _write(moved: dict[UUID, UUID | None]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(WRITE, [list(moved), list(moved.values())])


def catch_up(account: Account) -> None:
    """Stack anew, here and now, every album of the library whose bursts are not all found."""
    for album in behind(account):
        restack(album)


def stacks_of(frames: Iterable[Frame]) -> dict[UUID, UUID]:
    """The stack of each frame that is in one; the frames come in the order in which they were taken."""
    stacks: list[list[Frame]] = []
    for frame in frames:
        if stacks and _goes_on(stacks[-1], frame):
            stacks[-1].append(frame)
        else:
            stacks.append([frame])
    return {frame.pk: stack[0].pk for stack in stacks if len(stack) > 1 for frame in stack}


def _goes_on(stack: list[Frame], frame: Frame) -> bool:
    first, last = stack[0], stack[-1]
    return (
        len(stack) < MOST_FRAMES
        and frame.taken - last.taken <= GAP
        and distance(frame.look, last.look) <= ALIKE
        and distance(frame.look, first.look) <= DRIFT
    )


def _frames(*, back: UUID | None = None) -> AIMetadataQuerySet:
    """What can be a frame of a burst: a picture that is there, of known time and look, and was not taken out.

    `back` was, and is to be one again.
    """
    return AIMetadata.objects.filter(
        Q(unstacked=False) | Q(pk=back),
        photo__is_video=False,
        photo__removed_at=None,
        photo__date_taken__isnull=False,
        photo__perceptual_hash__isnull=False,
    )


def _hold_album(album_id: UUID) -> None:
    """Stack an album in one transaction at a time; others wait."""
    list(Album.objects.filter(pk=album_id).select_for_update(no_key=True).values_list("pk"))


class _Distance(Func):
    """describe.picture.distance(), in the database."""

    template = "bit_count((%(expressions)s)::bit(64))"
    arg_joiner = " # "
    output_field = models.IntegerField()


def behind(account: Account) -> list[UUID]:
    """The albums to be stacked anew: two frames in a row look like a burst and one of them is in no stack yet, or a
    frame in a stack cannot be one any more."""
    in_a_row: dict[str, Any] = {"partition_by": "photo__album", "order_by": IN_TIME}
    frames = _frames().filter(account=account)
    pairs = frames.annotate(
        album=F("photo__album"),
        taken=F("photo__date_taken"),
        look=F("photo__perceptual_hash"),
        last_taken=Window(Lag("photo__date_taken"), **in_a_row),
        last_look=Window(Lag("photo__perceptual_hash"), **in_a_row),
        last_stack=Window(Lag("stack"), **in_a_row),
    ).filter(Q(stack=None) | Q(last_stack=None), last_taken__gte=F("taken") - GAP)
    alike = pairs.alias(apart=_Distance("look", "last_look")).filter(apart__lte=ALIKE)
    no_frames = AIMetadata.objects.filter(account=account, stack__isnull=False).exclude(pk__in=frames.values("pk"))
    return sorted({*alike.values_list("album", flat=True), *no_frames.values_list("photo__album", flat=True)})


# --- Looking ----------------------------------------------------------------------------------------------------


def members(words: AIMetadata) -> AIMetadataQuerySet:
    """The frames of the stack that the words stand in, these among them, in time; nothing where they are in none."""
    if words.stack is None:
        return AIMetadata.objects.none()
    return AIMetadata.objects.filter(stack=words.stack, photo__removed_at=None).order_by(*IN_TIME)


def burst(words: AIMetadata) -> Burst | None:
    """The stack that the words stand in, for a page; None where they are in none."""
    return bursts([words]).get(words.pk)


def bursts(rows: Iterable[AIMetadata]) -> dict[UUID, Burst]:
    """The stacks that any of the rows stand in, by the id of the row; in one query however many."""
    stacks = {row.pk: row.stack for row in rows if row.stack}
    if not stacks:
        return {}
    frames = AIMetadata.objects.filter(stack__in=set(stacks.values()), photo__removed_at=None).select_related("photo")
    found: dict[UUID | None, list[AIMetadata]] = {}
    for frame in frames.order_by(*IN_TIME):
        found.setdefault(frame.stack, []).append(frame)
    return {pk: Burst(found[stack]) for pk, stack in stacks.items() if len(found.get(stack, [])) > 1}


def approved(words: AIMetadata, decision: Decision) -> str:
    """What an approval came to, as sentences: how many more of the burst it wrote, and which it left."""
    others = decision.changed - 1
    said = f"“{words.photo.name}” is approved{f', and {others} more of its burst' if others > 0 else ''}."
    return f"{said} {_left(words)}".rstrip() if decision.passed_over else said


def _left(words: AIMetadata) -> str:
    """Which frames wait on beside the words; "" where all have been decided on since."""
    waiting = members(words).for_review().exclude(pk=words.pk)
    names = [f"“{frame.photo.name}”" for frame in waiting.select_related("photo")]
    was, own, it = ("was", "its own", "it") if len(names) == 1 else ("were", "their own", "them")
    return f"{get_text_list(names, 'and')} {was} left: somebody has written words of {own} for {it}." if names else ""


def taken_out_near(words: AIMetadata, frames: list[AIMetadata]) -> list[AIMetadata]:
    """Frames that a person took out of the burst: those of its album and its time."""
    times = [frame.photo.date_taken for frame in frames or [words] if frame.photo.date_taken]
    if not times:
        return []
    out = AIMetadata.objects.filter(unstacked=True, photo__album=words.photo.album_id, photo__removed_at=None)
    near = out.filter(photo__date_taken__range=(min(times) - GAP, max(times) + GAP))
    return list(near.select_related("photo").order_by(*IN_TIME)[:MOST_FRAMES])


# --- Taking out -------------------------------------------------------------------------------------------------
# What changes is found first, under the album's lock, and then all of it is held at once: whoever decides on the burst
# meanwhile holds the same rows in the same order, and nobody waits in a ring.


@transaction.atomic
def take_out(words: AIMetadata, *, by: User) -> bool:
    """Let the frame stand alone from now on; False where it was in no stack any more."""
    _hold_album(words.photo.album_id)
    moved = _moved(words.photo.album_id, _frames().exclude(pk=words.pk))
    hold({*moved, words.pk})
    won = AIMetadata.objects.filter(pk=words.pk, stack__isnull=False).update(stack=None, unstacked=True)
    return _move_if(bool(won), moved, words, f"taken out of its stack by user:{by.get_username()}")


@transaction.atomic
def put_back(words: AIMetadata, *, by: User) -> bool:
    """Let the frame be stacked again; False where nobody had taken it out."""
    _hold_album(words.photo.album_id)
    moved = _moved(words.photo.album_id, _frames(back=words.pk))
    hold({*moved, words.pk})
    won = AIMetadata.objects.filter(pk=words.pk, unstacked=True).update(unstacked=False)
    return _move_if(bool(won), moved, words, f"put back into its stack by user:{by.get_username()}")


def _move_if(won: bool, moved: dict[UUID, UUID | None], words: AIMetadata, what: str) -> bool:  # noqa: FBT001
    if won:
        _write(moved)
        logger.info("words %s %s", words.pk, what)
    words.refresh_from_db(fields=["stack", "unstacked"])
    return won
