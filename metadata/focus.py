"""One photo as the review page shows it: its words, what they differ from, and why they deserve a look.

Reads only; the number of queries never grows with the number of cards.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.db.models import Prefetch, prefetch_related_objects

from metadata import history, lanes, money, prompts, sides, stacks
from metadata.forms import RejectForm, WordsForm
from metadata.forms_focus import ApproveForm, RegenerateForm
from metadata.history import Step
from metadata.models import AIMetadata, Decision, MetadataHistory
from metadata.sides import Side
from metadata.stacks import Burst
from smugmug.models import Account, Photo

PRICE_SECONDS = 60
NOT_ALLOWED = "not_allowed"  # the doubt that names tags


@dataclass
class Card:
    """All that a card shows, and its forms, which a view may replace by what a person sent."""

    words: AIMetadata
    form: WordsForm
    reject_form: RejectForm
    again_form: RegenerateForm
    sides: dict[str, list[Side]]
    history: list[Step]
    doubts: list[str]
    burst: Burst | None
    may_describe: bool
    price: str

    @property
    def photo(self) -> Any:
        return self.words.photo

    @property
    def others(self) -> int:
        """How many other frames of the burst an approval writes."""
        return sum(frame.pk != self.words.pk for frame in self.burst.waiting) if self.burst else 0


def cards(rows: Sequence[AIMetadata]) -> list[Card]:
    """A card for each of the words."""
    steps = MetadataHistory.objects.order_by("-version")
    prefetch_related_objects(rows, Prefetch("history", queryset=steps), "photo__album", "photo__account")
    bursts = stacks.bursts(rows)
    describable = _describable(rows)
    accounts = {row.account_id: row.photo.account for row in rows}
    prices = {pk: price_again(account) for pk, account in accounts.items()}
    allowed = lanes.vocabularies({row.account_id for row in rows if NOT_ALLOWED in row.doubts})
    return [
        Card(
            words=row,
            form=ApproveForm.of(row, auto_id=f"{row.pk.hex}_%s"),
            reject_form=RejectForm(initial={"version": row.version}, auto_id=f"{row.pk.hex}_reject_%s"),
            again_form=RegenerateForm(auto_id=f"{row.pk.hex}_again_%s"),
            sides=sides.sides(row, answer_of(row)),
            history=history.steps(row),
            doubts=doubts(row, allowed.get(row.account_id, [])),
            burst=bursts.get(row.pk),
            may_describe=row.photo_id in describable,
            price=prices[row.account_id],
        )
        for row in rows
    ]


def card(words: AIMetadata) -> Card:
    """The same for one."""
    return cards([words])[0]


def doubts(words: AIMetadata, vocabulary: Collection[str]) -> list[str]:
    """Why the words deserve more than a glance, in sentences with what they are about."""
    unsure = f"Confidence {words.confidence_score:.2f}. " if words.confidence_score is not None else ""
    known = {tag.casefold() for tag in vocabulary}
    foreign = [f"“{tag}”" for tag in words.ai_tags if tag.casefold() not in known]
    told = {
        "unsure": unsure + lanes.DOUBTS["unsure"].sentence,
        "very_unsure": unsure + lanes.DOUBTS["very_unsure"].sentence,
        "short": f"The description has only {len(words.ai_description)} characters.",
        NOT_ALLOWED: f"Not among the allowed tags: {', '.join(foreign)}." if vocabulary and foreign else "",
    }
    return [told.get(name) or lanes.DOUBTS[name].sentence for name in words.doubts if name in lanes.DOUBTS]


def answer_of(words: AIMetadata) -> MetadataHistory | None:
    """The AI's newest answer."""
    steps = [step for step in words.history.all() if step.is_by_ai]
    return max(steps, key=lambda step: step.version, default=None)


class Undoable(NamedTuple):
    """A decision about one photo that can be undone, and what a person calls that photo."""

    pk: UUID
    name: str


def last_decision(user: Any) -> Undoable | None:
    """The person's last decision about one photo that stands and that they may undo."""
    decisions = Decision.objects.changeable_by(user).filter(requested_by=user, photo__isnull=False, undo="")
    parts = ("title", "filename", "image_key")  # of its name
    columns = ("pk", *(f"photo__photo__{part}" for part in parts))
    for pk, *values in decisions.order_by("-created_at").values_list(*columns)[:1]:
        return Undoable(pk, Photo(**dict(zip(parts, values, strict=True))).name)
    return None


def price_again(account: Account) -> str:
    """`about $0.0004`, for one more description; "" where it costs nothing. May be a minute old."""
    if money.is_local():
        return ""
    text: str = cache.get_or_set(f"review-price:{account.pk}", lambda: _price(account), PRICE_SECONDS) or ""
    return text


def _price(account: Account) -> str:
    estimate = money.estimate(
        account,
        photos=1,
        prompt=prompts.active(account),
        model=settings.OPENAI_MODEL,
        embedding_model=settings.OPENAI_EMBEDDING_MODEL,
        pixels=settings.AI_IMAGE_PIXELS,
    )
    if estimate.likely is None:
        return "at an unknown price"
    return f"about {money.dollars(estimate.likely)}" if estimate.likely else ""


def _describable(rows: Iterable[AIMetadata]) -> set[Any]:
    """The photos among these rows' that a run may take."""
    photos = [row.photo for row in rows]
    found = {
        photo.pk for photo in photos if photo.account.is_connected and not photo.is_video and photo.removed_at is None
    }
    if money.is_local():
        return found
    sendable: set[Any] = set()
    for account in {photo.account for photo in photos}:
        sendable |= set(Photo.objects.filter(prompts.sendable(account), pk__in=found).values_list("pk", flat=True))
    return sendable
