"""How much of a person's attention words ask for: glance, read, or look at the picture.

Each doubt asks for one of the lanes, and the words stand in the one that asks for most; without any doubt a glance
does. Doubts come from the words, from how sure the model was, from the library's caption, and from the allowed tags.
"""

from __future__ import annotations

import datetime
import re
import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from django.core.cache import cache
from django.db import transaction

from metadata.models import AIMetadata, Prompt
from metadata.models.words import AIMetadataQuerySet
from smugmug.models import Account, SyncRun
from targetvision.models import database_time

GLANCE, READ, LOOK = AIMetadata.Lane.GLANCE, AIMetadata.Lane.READ, AIMetadata.Lane.LOOK
UNSURE, VERY_UNSURE = 0.75, 0.5  # confidence below these
SHORT, LONG = 20, 1_000  # characters of a description
ALIKE = 0.2  # share of the caption's words that the AI has to have found too
STEM = 4  # letters by which words are compared: sleeps, sleeping
ROWS_A_STATEMENT = 500
LAST_PASS = "lanes-last-pass"  # in the cache: where that forgets it, all that waits is judged once more
READ_EARLIER = datetime.timedelta(minutes=15)  # than it was written, at most: a list is read before it is saved


class Pass(NamedTuple):
    """How far words were judged anew whose photos were read since a time (None: whenever): up to an id, since when."""

    since: datetime.datetime | None = None
    after: UUID | None = None
    began: datetime.datetime | None = None


class Doubt(NamedTuple):
    """What it asks for, and what a page says of it."""

    lane: str
    sentence: str


DOUBTS: dict[str, Doubt] = {
    "very_unsure": Doubt(LOOK, "The model was not sure."),
    "unsure": Doubt(READ, "The model was not quite sure."),
    "no_confidence": Doubt(READ, "The model did not say how sure it was."),
    "no_description": Doubt(LOOK, "There is no description."),
    "short": Doubt(READ, f"The description is shorter than {SHORT} characters."),
    "long": Doubt(READ, f"The description is longer than {LONG:,} characters."),
    "no_title": Doubt(READ, "There is no title."),
    "speaks_of_itself": Doubt(LOOK, "The model speaks of itself instead of the picture."),
    "knows_nothing": Doubt(READ, "The words say that something is unknown."),
    "guesses": Doubt(READ, "The words guess."),
    "says_picture": Doubt(READ, "The words say “photo of” or the like."),
    "not_allowed": Doubt(READ, "A tag is not among the allowed ones."),
    "caption_differs": Doubt(READ, "SmugMug’s caption says something else."),
}

# What words should not hold, and the doubt that it raises.
PHRASES: dict[str, tuple[str, ...]] = {
    "speaks_of_itself": ("as an ai", "language model", "i cannot", "i can't", "i am unable", "i'm unable", "i'm sorry"),
    "knows_nothing": ("unknown", "unidentified", "unidentifiable", "not recognise", "not recognize"),
    "guesses": ("appears to be", "seems to be", "might be", "may be", "could be", "perhaps", "possibly", "probably"),
    "says_picture": ("image of", "photo of", "photograph of", "picture of", "this image", "this photo", "this picture"),
}
_PHRASE = re.compile(
    "|".join(rf"(?P<{name}>\b(?:{'|'.join(map(re.escape, phrases))})\b)" for name, phrases in PHRASES.items())
)
_WORD = re.compile(r"[^\W\d_]{4,}")
_SAYS_NOTHING = frozenset(
    ("with", "from", "this", "that", "over", "into", "they", "have", "been", "were", "their", "there", "where", "when")
)
_MARKUP = re.compile(r"<[^>]*>")
# What cameras write where a caption belongs.
_BY_CAMERAS = re.compile(r"(?:olympus|samsung|minolta) digital camera|sony dsc|kodak digital.*|dcim\\.*", re.IGNORECASE)


class Verdict(NamedTuple):
    """The lane, and the names of the doubts (see DOUBTS) in the order of that table."""

    lane: str
    doubts: list[str]


def judge(
    words: Mapping[str, Any], confidence: float | None, human_caption: str, vocabulary: Collection[str]
) -> Verdict:
    """The lane for words (by their columns' names) that a model was so sure of (0 to 1; None where it did not say).

    `human_caption` is what SmugMug has; `vocabulary` the tags that are allowed, all of them where it is empty.
    """
    found = {
        _doubt_of(confidence),
        _doubt_of_length(words["ai_description"]),
        "" if words["ai_title"] else "no_title",
        *_doubts_of_phrases(words),
        "not_allowed" if vocabulary and not _keys(tuple(words["ai_tags"])) <= _keys(tuple(vocabulary)) else "",
        "caption_differs" if _differs(human_caption, words) else "",
    }
    doubts = [name for name in DOUBTS if name in found]
    lanes = {DOUBTS[name].lane for name in doubts}
    return Verdict(next((lane.value for lane in (LOOK, READ) if lane in lanes), GLANCE.value), doubts)


def _doubt_of(confidence: float | None) -> str:
    if confidence is None:
        return "no_confidence"
    if confidence < VERY_UNSURE:
        return "very_unsure"
    return "unsure" if confidence < UNSURE else ""


def _doubt_of_length(description: str) -> str:
    if not description:
        return "no_description"
    if len(description) < SHORT:
        return "short"
    return "long" if len(description) > LONG else ""


def _doubts_of_phrases(words: Mapping[str, Any]) -> set[str]:
    texts = (words["ai_title"], words["ai_description"], words["ai_alt_text"], *words["ai_tags"])
    text = " | ".join(texts).casefold().replace("’", "'")
    return {match.lastgroup for match in _PHRASE.finditer(text) if match.lastgroup}


def _differs(caption: str, words: Mapping[str, Any]) -> bool:
    """Whether the AI found next to nothing of what the caption names."""
    caption = _MARKUP.sub(" ", caption).strip()
    named = set() if _BY_CAMERAS.fullmatch(caption) else _stems(caption)
    if not named:
        return False
    texts = (words["ai_title"], words["ai_description"], words["ai_alt_text"], *words["ai_tags"])
    return len(named & _stems(" ".join(texts))) < ALIKE * len(named)


def _stems(text: str) -> set[str]:
    return {word[:STEM] for word in _WORD.findall(text.casefold()) if word not in _SAYS_NOTHING}


@lru_cache(maxsize=1_024)
def _keys(tags: tuple[str, ...]) -> frozenset[str]:
    """What is the same for two spellings of a tag."""
    return frozenset(" ".join(tag.split()).casefold() for tag in tags)


# --- Rows ------------------------------------------------------------------------------------------------------


def vocabularies(accounts: Collection[int]) -> dict[int, list[str]]:
    """The tags allowed in each account by its prompt in force, by the account's id; none there: all are."""
    rows = Prompt.objects.filter(account__in=accounts, is_active=True).exclude(vocabulary=[])
    return dict(rows.values_list("account", "vocabulary"))


def vocabulary_of(account: int) -> list[str]:
    """The tags allowed in one account; empty: all are."""
    return vocabularies([account]).get(account, [])


def recompute(account: Account, *, seconds: float, after: UUID | None = None) -> UUID | None:
    """Judge the account's described words anew in the order of ids, for so long; the last id, None where all is done.

    Rows that somebody else is just writing are left to them.
    """
    rows = AIMetadata.objects.filter(account=account, processing_status=AIMetadata.Processing.COMPLETED)
    return _judge_on(rows, after, seconds)


def _judge_on(rows: AIMetadataQuerySet, after: UUID | None, seconds: float) -> UUID | None:
    until = time.monotonic() + seconds
    while last := _judge_some(rows.filter(pk__gt=after) if after else rows):
        after = last
        if time.monotonic() > until:
            return after
    return None


def judge_read_since(*, seconds: float) -> None:
    """Judge the waiting words anew whose photos were read from SmugMug since this was done last: the caption there may
    say something else by now. For so long; the next time goes on where this one ends."""
    last: Pass = cache.get(LAST_PASS) or Pass()
    waiting = AIMetadata.objects.filter(
        processing_status=AIMetadata.Processing.COMPLETED, review_status=AIMetadata.Review.UNREVIEWED
    )
    if last.since:
        if not SyncRun.objects.filter(heartbeat_at__gte=last.since).exists():
            return
        waiting = waiting.filter(photo__synced_at__gte=last.since)
    began = last.began or database_time()
    after = _judge_on(waiting, last.after, seconds)
    following = Pass(last.since, after, began) if after else Pass(began - READ_EARLIER)
    cache.set(LAST_PASS, following, timeout=None)


def judge_unjudged(*, seconds: float) -> int:
    """Judge words that wait for review and that nobody has judged yet, for so long; about how many those were."""
    accounts = Account.objects.values_list("pk", flat=True)
    waiting = AIMetadata.objects.filter(
        account__in=list(accounts),
        lane="",
        processing_status=AIMetadata.Processing.COMPLETED,
        review_status=AIMetadata.Review.UNREVIEWED,
    )
    until, batches = time.monotonic() + seconds, 0
    while time.monotonic() < until and _judge_some(waiting):
        batches += 1
    return batches * ROWS_A_STATEMENT


def judge_rows(pks: Collection[UUID]) -> None:
    """Judge these words anew, whoever else looks at them: for those that have just rewritten them."""
    known = list(pks)
    for start in range(0, len(known), ROWS_A_STATEMENT):
        _judge_some(AIMetadata.objects.filter(pk__in=known[start : start + ROWS_A_STATEMENT]))


@transaction.atomic
def _judge_some(rows: AIMetadataQuerySet) -> UUID | None:
    """Judge the first of the rows, and write those whose verdict is another; the last one's id, None without any."""
    batch = list(
        rows.select_related("photo")
        .order_by("pk")
        .select_for_update(of=("self",), no_key=True, skip_locked=True)[:ROWS_A_STATEMENT]
    )
    allowed = vocabularies({row.account_id for row in batch})
    changed: dict[tuple[str, ...], list[UUID]] = defaultdict(list)
    for row in batch:
        verdict = judge(row.words, row.confidence_score, row.photo.caption, allowed.get(row.account_id, []))
        if verdict != (row.lane, row.doubts):
            changed[verdict.lane, *verdict.doubts].append(row.pk)
    for (lane, *doubts), pks in changed.items():
        AIMetadata.objects.filter(pk__in=pks).update(lane=lane, doubts=doubts)
    return batch[-1].pk if batch else None
