"""Many photos at a glance: what each tile of the grid shows, and the tags they have together. Reads only; the number of
queries never grows with the number of photos."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from django.db.models import Count, F
from django.urls import reverse
from django.utils.text import Truncator

from metadata import lanes, library, queue
from metadata.models import AIMetadata, Decision, MetadataHistory
from smugmug import images
from targetvision.progress import count

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST_NAMED = 3
SAID = 60  # characters of what somebody wrote
LANES: dict[str, str] = dict(AIMetadata.Lane.choices)


class Shown(NamedTuple):
    """What a tile shows of words and their photo, or what their place in the list needs, under the names of the
    columns. A page reads a hundred, and rows of the models would take twice as long."""

    pk: UUID
    account_id: int
    ai_description: str
    ai_tags: list[str]
    ai_title: str
    approved_by: str
    confidence_score: float | None
    doubts: list[str]
    error: str
    lane: str
    processing_status: str
    rejection_reason: str
    review_status: str
    sort_at: datetime.datetime
    stack: UUID | None
    version: int
    photo_id: UUID
    photo__filename: str
    photo__image_id: str
    photo__image_key: str
    photo__title: str

    @property
    def waits_for_review(self) -> bool:
        return (
            self.processing_status == AIMetadata.Processing.COMPLETED
            and self.review_status == AIMetadata.Review.UNREVIEWED
        )


@dataclass(frozen=True)
class Tile:
    """One photo of the grid."""

    words: Shown
    number: str  # on the page, from 1
    frames: int  # of a burst, all of which wait and are decided on together; 1 where it stands alone
    url: str
    is_marked: bool

    @property
    def pk(self) -> str:
        return str(self.words.pk)

    @property
    def image(self) -> str:
        """The address of its picture."""
        return images.address_of(self.words.photo_id, self.words.photo__image_id, "thumb")

    @property
    def title(self) -> str:
        words = self.words
        return words.ai_title or words.photo__title or words.photo__filename or words.photo__image_key

    @property
    def lane(self) -> str:
        """What a person calls its lane; not get_lane_display(), which builds a dict for each."""
        return LANES.get(self.words.lane, "")

    @property
    def waits(self) -> bool:
        return self.words.waits_for_review

    @property
    def mark(self) -> str:
        return library.mark(self.words)[0]

    @property
    def mark_title(self) -> str:
        return library.mark(self.words)[1]

    @property
    def doubts(self) -> str:
        """Why it does not stand in a better lane, in sentences."""
        return " ".join(lanes.DOUBTS[name].sentence for name in self.words.doubts if name in lanes.DOUBTS)

    @property
    def sureness(self) -> str:
        """0.87, "" where the model did not say."""
        score = self.words.confidence_score
        return "" if score is None else f"{score:.2f}"

    @property
    def tags_json(self) -> str:
        return json.dumps(self.words.ai_tags)


def dressed(rows: queue.Rows) -> Iterator[Shown]:
    """The rows as tiles show them."""
    return (Shown(*values) for values in rows.values_list(*Shown._fields))


def tiles(rows: Iterable[Shown], *, marked: Collection[UUID], query: str) -> list[Tile]:
    """The rows as tiles; `query` is the filter as an address, with which a photo is opened."""
    rows = list(rows)
    frames = waiting_frames(row.stack for row in rows)
    focus, end = reverse("metadata:review"), f"&{query}" if query else ""
    return [
        Tile(
            row,
            number=str(number),
            frames=frames.get(row.stack, 1) if row.waits_for_review else 1,
            url=f"{focus}?photo={row.photo_id}{end}",
            is_marked=row.pk in marked,
        )
        for number, row in enumerate(rows, start=1)
    ]


def waiting_frames(stacks: Iterable[UUID | None]) -> dict[UUID | None, int]:
    """How many frames of each stack wait for review."""
    wanted = {stack for stack in stacks if stack}
    if not wanted:
        return {}
    rows = AIMetadata.objects.for_review().filter(stack__in=wanted).values_list("stack")
    return dict(rows.annotate(frames=Count("pk")).order_by())


def tally(rows: Iterable[Shown]) -> list[tuple[str, int]]:
    """(tag, how many of the rows have it), the most frequent first."""
    counts = Counter(tag for row in rows for tag in set(row.ai_tags))
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def done_before(asked: Decision, seen: Mapping[UUID, int]) -> set[UUID]:
    """Those of the words that a decision like this one has just brought from the version that was seen to the one that
    stands: the same form was sent twice."""
    steps = MetadataHistory.objects.filter(
        metadata__in=seen,
        metadata__version=F("version"),
        decision__requested_by=asked.requested_by,
        decision__kind=asked.kind,
        decision__params__contains=asked.params,
    )
    return {pk for pk, version in steps.values_list("metadata", "version") if version == seen[pk] + 1}


def who_was_faster(ids: Collection[UUID], *, asking: User) -> str:
    """`grace was faster on 2 photos: “Tom” is approved with “A cat”, “Rex” is rejected: Other.`; "" for no photo."""
    if not ids:
        return ""
    last = (
        MetadataHistory.objects.filter(metadata__in=ids)
        .order_by("metadata", "-version")
        .distinct("metadata")
        .select_related("metadata__photo")
    )
    found: dict[str, list[MetadataHistory]] = {}
    for step in last:
        who = "" if step.changed_by == f"user:{asking.get_username()}" else step.author
        found.setdefault(who, []).append(step)
    return " ".join(_sentence(who, steps) for who, steps in sorted(found.items()))


def _sentence(who: str, lost: list[MetadataHistory]) -> str:
    named = [f"“{step.metadata.photo.name}” {_stands(step)}" for step in lost[:MOST_NAMED]]
    others = [f"and {len(lost) - MOST_NAMED} more"] if len(lost) > MOST_NAMED else []
    photos = count(len(lost), "photo")
    told = f"{who} was faster on {photos}" if who else f"You have changed {photos} since this page was loaded"
    return f"{told}: {', '.join([*named, *others])}."


def _stands(step: MetadataHistory) -> str:
    """What stands now, and what of it the step wrote; else what the words begin with."""
    words, review = step.metadata, AIMetadata.Review
    if words.review_status == review.REJECTED:
        return f"is rejected: {Truncator(words.rejection_reason).chars(SAID)}"
    wrote = step.new_description if step.new_description != step.previous_description else ""
    wrote = step.new_title if step.new_title != step.previous_title else wrote
    said = Truncator(wrote or words.ai_title or words.ai_description or "no words").chars(SAID)
    return f"is approved with “{said}”" if words.review_status == review.APPROVED else f"waits with “{said}”"
