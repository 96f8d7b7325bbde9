"""What the API's review takes and gives."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Field, Schema
from pydantic import BaseModel, StringConstraints

from metadata.api import WordsOut
from metadata.api_filters import FilterQuery, FilterWish, OrderedQuery
from metadata.describe import CATEGORIES
from metadata.forms import REASONS
from metadata.models import AIMetadata, Decision
from smugmug import images
from smugmug.api import RunStatus
from targetvision.problems import Problem
from targetvision.schemas import Page, Paging, PlainText, Wish

BIGGEST_INTEGER = 2**31 - 1
Version = Annotated[
    int, Field(strict=True, ge=0, le=BIGGEST_INTEGER, description="The version of the words that you saw.")
]
OneTag = Annotated[str, StringConstraints(pattern=r"^[^,\x00]*$", max_length=60)]
Reason = Annotated[PlainText, Field(max_length=40, json_schema_extra={"enum": list(REASONS)})]
Category = Annotated[PlainText, Field(max_length=60, json_schema_extra={"enum": list(CATEGORIES)})]
Flag = Annotated[bool, Field(strict=True)]


# --- What is sent ------------------------------------------------------------------------------------------------


class QueueQuery(OrderedQuery):
    """Which words, from where on."""

    cursor: PlainText = Field(default="", max_length=120, description="As it stands in `next`.")
    page_size: int = Field(default=50, ge=1, le=100)


class WordsWish(Wish):
    """The words as you leave them; what is left out, or null, stays as it is."""

    version: Version
    title: PlainText | None = Field(default=None, max_length=200)
    description: PlainText | None = Field(default=None, max_length=5_000)
    alt_text: PlainText | None = Field(default=None, max_length=250)
    tags: list[OneTag] | None = Field(default=None, max_length=50)
    categories: list[Category] | None = Field(default=None, max_length=len(CATEGORIES))


class ApproveWish(WordsWish):
    """The version that you saw, and what you change in the words before they are approved."""

    alone: Flag = Field(default=False, description="Not the frames beside it that were taken in one burst.")


class RejectWish(Wish):
    """Why the words are no good."""

    version: Version
    reason: Reason = Field(examples=["Too vague"])
    note: PlainText = Field(default="", max_length=500)


class Act(BaseModel):
    """What is to be decided."""

    kind: Literal["approve", "reject", "add_tag", "remove_tag", "replace_tag", "replace_word"] = Field(
        examples=["approve"]
    )
    old: OneTag = Field(default="", description="The tag that is removed or replaced; for replace_word the word.")
    new: OneTag = Field(default="", description="The tag that is added; what stands there instead.")


class PreviewQuery(Act, FilterQuery):
    """What would be decided, and on which words."""


class DecisionWish(Act, Wish):
    """One decision on all that a filter finds in one library."""

    filter: FilterWish = Field(description="On which words; {} is all that wait.", examples=[{"lane": "glance"}])
    reason: Reason | None = Field(default=None, description="For reject.")
    note: PlainText = Field(default="", max_length=500, description="For reject.")
    seen: Annotated[int, Field(strict=True, ge=0, le=BIGGEST_INTEGER)] | None = Field(
        default=None, description="How many you saw that match: where more do by now, nothing is done."
    )


class DecisionsQuery(Paging):
    """Which decisions are asked for."""

    show: Literal["", "mine", "many"] = Field(default="", description="mine: yours; many: over a filter or a page.")


# --- What is answered --------------------------------------------------------------------------------------------


class ReviewItem(Schema):
    """A photo with its words, as a decision on them needs it."""

    photo: UUID = Field(alias="photo_id")
    account: str
    album: str
    filename: str
    image_key: str
    thumbnail_url: str = Field(description="Ours; good for a week.")
    large_url: str = Field(description="Ours; good for a week.")
    lane: str
    doubts: list[str] = Field(description="Why it does not stand in a better lane.")
    words: WordsOut

    @staticmethod
    def resolve_account(row: AIMetadata) -> str:
        return row.photo.account.nickname

    @staticmethod
    def resolve_album(row: AIMetadata) -> str:
        return str(row.photo.album)

    @staticmethod
    def resolve_filename(row: AIMetadata) -> str:
        return row.photo.filename

    @staticmethod
    def resolve_image_key(row: AIMetadata) -> str:
        return row.photo.image_key

    @staticmethod
    def resolve_thumbnail_url(row: AIMetadata) -> str:
        return images.address(row.photo, "thumb")

    @staticmethod
    def resolve_large_url(row: AIMetadata) -> str:
        return images.address(row.photo, "large")

    @staticmethod
    def resolve_words(row: AIMetadata) -> AIMetadata:
        return row


class QueueItem(ReviewItem):
    frames: int = Field(description="Of a burst, which are approved together; 1 where it stands alone.")


class QueuePage(Schema):
    """Some of the words; whatever is decided meanwhile, nothing is left out and nothing comes twice."""

    items: list[QueueItem]
    found: int = Field(description="How many there are in all; may be a minute old.")
    is_capped: bool = Field(description="There are more than `found`.")
    next: str | None = Field(description="Address of what comes after; null at the end.")


class KeptOut(Schema):
    """A photo of which an undo left something, because it was changed since."""

    photo: UUID
    fields: str
    changed_by: str


class DecisionOut(RunStatus):
    """What was decided, how far it is carried out, and what became of it."""

    kind: Literal["approve", "reject", "edit", "add_tag", "remove_tag", "replace_tag", "replace_word"]
    photo: UUID | None = Field(description="null where it is over a filter, or over a page.")
    filter: dict[str, str]
    params: dict[str, Any] = Field(description="Reason, tag, word: what the kind needs.")
    total: int | None
    done: int
    changed: int = Field(description="Words that it has written.")
    passed_over: int = Field(description="Words that somebody else had changed meanwhile.")
    undo: Decision.Undo
    undone: int
    undo_kept: int = Field(description="Words left by the undo, because they were changed since.")
    undone_by: str
    undone_at: datetime.datetime | None
    status_url: str


class DecisionStatus(DecisionOut):
    """The same, and after an undo what was kept."""

    kept: list[KeptOut] = Field(description="The first 50.")


class DecisionPage(Page):
    items: list[DecisionOut]


class Decided(Schema):
    """A decision on one photo, and the words as they stand now."""

    decision: DecisionOut
    now: ReviewItem


class LostRace(Problem):
    """Somebody was faster: nothing was written. What they left is in `now`, with the version to go on from."""

    changed_by: str = Field(description="user:ada, ai:gpt-6-luna")
    now: ReviewItem


class PreviewOut(Schema):
    """What a decision would come to; nothing is decided."""

    account: str
    matching: int
    changing: int = Field(description="Of those, the ones that it would change.")
