"""What each kind of decision over many photos is about, and how it is told. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.fields.array import ArrayContains  # type: ignore[attr-defined]
from django.db.models import F, Func, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Lower
from django.db.models.lookups import IRegex

from metadata import queue, rewording
from metadata.models import AIMetadata, Decision
from metadata.queue import ReviewFilter

Kind = Decision.Kind
Review = AIMetadata.Review
# What each kind needs to know.
PARAMS: dict[Kind, tuple[str, ...]] = {
    Kind.APPROVE: (),
    Kind.REJECT: ("reason",),
    Kind.ADD_TAG: ("tag",),
    Kind.REMOVE_TAG: ("tag",),
    Kind.REPLACE_TAG: ("tag", "to"),
    Kind.REPLACE_WORD: ("old", "new"),
}
REWORDS = (Kind.ADD_TAG, Kind.REMOVE_TAG, Kind.REPLACE_TAG, Kind.REPLACE_WORD)
_SENTENCES: dict[Kind, str] = {
    Kind.APPROVE: "approved",
    Kind.REJECT: "rejected: {reason}",
    Kind.ADD_TAG: "added the tag “{tag}”",
    Kind.REMOVE_TAG: "removed the tag “{tag}”",
    Kind.REPLACE_TAG: "replaced the tag “{tag}” by “{to}”",
    Kind.REPLACE_WORD: "replaced “{old}” by “{new}”",
}


def sentence(kind: str, params: Mapping[str, Any]) -> str:
    """How the history tells of it."""
    return _SENTENCES[Kind(kind)].format(**params)


def affected(decision: Decision) -> QuerySet[AIMetadata]:
    """The words that the decision's filter finds now, and that it would write."""
    found = queue.matching([decision.account_id], ReviewFilter.from_json(decision.filter))
    return described(found).filter(concerns(decision.kind, decision.params))


def described(rows: QuerySet[AIMetadata]) -> QuerySet[AIMetadata]:
    """Those that a decision may be about: with words."""
    return rows.filter(processing_status=AIMetadata.Processing.COMPLETED)


def concerns(kind: str, params: Mapping[str, Any]) -> Q:
    """Words that a decision of the kind has anything to do with; rewording.reword() knows it to the letter."""
    match kind:
        case Kind.APPROVE:
            return ~Q(review_status=Review.APPROVED) & ~Q(ai_description="")
        case Kind.REJECT:
            return ~Q(review_status=Review.REJECTED)
        case Kind.ADD_TAG:
            return ~_has_tag(params["tag"]) & Q(ai_tags__len__lt=rewording.MOST_TAGS)
        case Kind.REPLACE_WORD:
            return Q(review_status=Review.UNREVIEWED) & _has_word(params["old"])
    return _has_tag(params["tag"])


def _has_tag(tag: str) -> Q:
    """In capitals or not: an array is folded as one text."""
    folded = Cast(Lower(Cast("ai_tags", TextField())), ArrayField(TextField()))
    return Q(ArrayContains(folded, [tag.lower()]))


def _has_word(word: str) -> Q:
    pattern = rewording.whole_word(word)
    tags = Func(F("ai_tags"), Value("\n"), function="array_to_string", output_field=TextField())
    found = Q(IRegex(tags, pattern))
    for name in rewording.TEXTS:
        found |= Q(**{f"{name}__iregex": pattern})
    return found
