"""What a decision over all that a filter finds would do, told before it does it. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db.models import Count, Exists, F, Func, OuterRef, Q, QuerySet, TextField

from metadata import kinds, queue
from metadata.models import AIMetadata, Decision, MetadataHistory
from metadata.queue import ReviewFilter
from smugmug.models import Account
from targetvision.progress import count

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST_TAGS = 60
Kind, Review = Decision.Kind, AIMetadata.Review
KINDS = {"approve": Kind.APPROVE, "reject": Kind.REJECT}
ACTS = {"approve": "Approve", "reject": "Reject", "tags": "Tags"}


@dataclass(frozen=True)
class Outlook:
    """How many photos match, how many of them the act is about, and what else there is to know."""

    act: str
    total: int
    concerned: int
    by_others: int  # of those concerned, how many hold words that somebody else wrote
    approved: int
    tags: list[tuple[str, int]] = field(default_factory=list)

    @property
    def heading(self) -> str:
        """`Approve all 12,480 that match`, `Tags of the one that matches`."""
        if not self.total:
            return "Nothing matches"
        return f"{ACTS[self.act]}{' of' * (self.act == 'tags')} {all_that_match(self.total)}"

    @property
    def sentences(self) -> list[tuple[str, str]]:
        """(mark, sentence), the most important first."""
        told = {"approve": self._of_approving, "reject": self._of_rejecting, "tags": self._of_tags}[self.act]()
        if self.by_others:
            told.append(("wait", f"{count(self.by_others, 'photo')} among them: somebody else has edited the words."))
        return [*told, ("idle", "What somebody else decides on meanwhile is left as they leave it.")]

    def _of_approving(self) -> list[tuple[str, str]]:
        told = [("good", f"{count(self.concerned, 'photo')} will be approved, with the words as they stand now.")]
        left = self.total - self.concerned - self.approved
        return told + ([("idle", f"{count(left, 'photo')} without a description will be left.")] if left else [])

    def _of_rejecting(self) -> list[tuple[str, str]]:
        whose = "Its" if self.concerned == 1 else "Their"
        return [("bad", f"{count(self.concerned, 'photo')} will be rejected. {whose} words are kept."), *self._so_far]

    def _of_tags(self) -> list[tuple[str, str]]:
        return [("good", "Only the tag changes; what was decided about a photo stays."), *self._so_far]

    @property
    def _so_far(self) -> list[tuple[str, str]]:
        are = "is" if self.approved == 1 else "are"
        return [("wait", f"{count(self.approved, 'photo')} of them {are} approved now.")] if self.approved else []


def all_that_match(found: int, *, is_capped: bool = False) -> str:
    """`all 12,480 that match`, with a + where there are more; `the one that matches`."""
    return "the one that matches" if found == 1 else f"all {found:,}{'+' * is_capped} that match"


def look(accounts: Iterable[Account], wanted: ReviewFilter, act: str, *, user: User) -> Outlook:
    """What would happen to all that the filter finds in these libraries: counted now, not remembered."""
    rows = queue.matching([account.pk for account in accounts], wanted)
    rows = kinds.described(rows)
    concerned = kinds.concerns(KINDS[act], {}) if act in KINDS else ~Q(pk=None)
    by_hand = MetadataHistory.objects.filter(metadata=OuterRef("pk"), source=MetadataHistory.Source.PERSON)
    others = by_hand.exclude(changed_by=f"user:{user.get_username()}")
    counts = rows.aggregate(
        total=Count("pk"),
        concerned=Count("pk", filter=concerned),
        by_others=Count("pk", filter=concerned & Q(Exists(others))),
        approved=Count("pk", filter=Q(review_status=Review.APPROVED)),
    )
    return Outlook(act, **counts, tags=tags(rows) if act == "tags" else [])


def tags(rows: QuerySet[AIMetadata]) -> list[tuple[str, int]]:
    """(tag, how many of the rows have it), the most frequent first."""
    each = rows.annotate(tag=Func(F("ai_tags"), function="unnest", output_field=TextField()))
    return list(each.values_list("tag").annotate(times=Count("pk")).order_by("-times", "tag")[:MOST_TAGS])
