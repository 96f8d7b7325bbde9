"""Many photos at a glance: what each tile of the grid shows, and the tags they have together. Reads only; the number of
queries never grows with the number of photos."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count
from django.urls import reverse

from metadata import lanes, library, queue
from metadata.models import AIMetadata, MetadataHistory
from smugmug import images
from smugmug.models import Photo
from targetvision.progress import count

MOST_NAMED = 3
# All that a tile shows, or that its place in the list needs.
SHOWN = (
    "account", "ai_description", "ai_tags", "ai_title", "approved_by", "confidence_score", "doubts", "error", "lane",
    "processing_status", "rejection_reason", "review_status", "sort_at", "stack", "version",
    *(f"photo__{name}" for name in ("account", "filename", "image_id", "image_key", "title")),
)  # fmt: skip


@dataclass(frozen=True)
class Tile:
    """One photo of the grid."""

    words: AIMetadata
    number: str  # on the page, from 1
    frames: int  # of a burst, all of which wait and are decided on together; 1 where it stands alone
    url: str
    is_marked: bool

    @property
    def photo(self) -> Photo:
        return self.words.photo

    @property
    def image(self) -> str:
        """The address of its picture."""
        return images.address(self.photo, "thumb")

    @property
    def title(self) -> str:
        return self.words.ai_title or self.photo.name

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


def dressed(rows: queue.Rows) -> queue.Rows:
    """The rows with what a tile shows of them and of their photos, and nothing more: a page reads a hundred."""
    return rows.select_related("photo").only(*SHOWN)


def tiles(rows: Iterable[AIMetadata], *, marked: Collection[UUID], query: str) -> list[Tile]:
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


def tally(rows: Iterable[AIMetadata]) -> list[tuple[str, int]]:
    """(tag, how many of the rows have it), the most frequent first."""
    counts = Counter(tag for row in rows for tag in set(row.ai_tags))
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def who_was_faster(ids: Collection[UUID]) -> str:
    """`grace was faster on 2 photos: “Tom” is approved, “Rex” is rejected.`; "" for no photo."""
    if not ids:
        return ""
    last = (
        MetadataHistory.objects.filter(metadata__in=ids)
        .order_by("metadata", "-version")
        .distinct("metadata")
        .select_related("metadata__photo")
    )
    found: dict[str, list[AIMetadata]] = {}
    for step in last:
        found.setdefault(step.author, []).append(step.metadata)
    return " ".join(_sentence(who, lost) for who, lost in sorted(found.items()))


def _sentence(who: str, lost: list[AIMetadata]) -> str:
    named = [f"“{words.photo.name}” {_stands(words)}" for words in lost[:MOST_NAMED]]
    others = [f"and {len(lost) - MOST_NAMED} more"] if len(lost) > MOST_NAMED else []
    return f"{who} was faster on {count(len(lost), 'photo')}: {', '.join([*named, *others])}."


def _stands(words: AIMetadata) -> str:
    """What stands now."""
    if words.review_status == AIMetadata.Review.UNREVIEWED:
        return "waits with other words"
    return f"is {words.get_review_status_display().lower()}"
