"""How many words may be wrong, told from a look at some of them that were drawn at random.

A sample is drawn and stored before its first words are shown, and only ever added to: who asks for another one of the
same while it is open goes on with it. What it says is about the words that can be approved by it: those that its filter
found when it was drawn, still finds, and that say what they said then. Words that somebody decides on or changes leave
that set and the sample alike, which changes nothing for the others: nobody knew what would be drawn. What was found
wrong stays counted as wrong, even when somebody has put it right since, and is approved by no sample.

The bound is exact. Of n words drawn without replacement from N, of which M are wrong, X are wrong with
P(X ≤ k) = Σ C(M, i) · C(N − M, n − i) / C(N, n) over i ≤ k, which falls as M grows. The bound is the largest M under
which k or fewer would still turn up more often than once in 1 / (1 − confidence) samples (J. P. Buonaccorsi, A note on
confidence intervals for proportions in finite populations, The American Statistician 41, 1987, 215-218). It is computed
with whole numbers, so nothing is rounded. It holds for a number of looks that was settled before the first, and that is
why a sample has to be looked through before anything is approved by it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from metadata import bulk, queue, snapshots
from metadata.forms_review import Status
from metadata.models import AIMetadata, Decision, Sample, SampledWords
from metadata.queue import ReviewFilter
from smugmug.models import Account

if TYPE_CHECKING:
    from django.contrib.auth.models import User

CONFIDENCE = 0.95
MOST = 5_000  # that a sample may hold
TELLABLE = 60  # wrong ones: with more, how many looks it would take is a long calculation, and a number to despair of
WAITING = Status.WAITING.value


class CannotSample(Exception):
    """What was asked of a sample cannot be done now; str() is the sentence for the person."""


class AlreadyJudged(CannotSample):
    """The words are not as they were shown any more: str() says who was faster, and what they found."""


# --- The bound -------------------------------------------------------------------------------------------------


def bound(seen: int, wrong: int, population: int, confidence: float = CONFIDENCE) -> int:
    """At most so many of the population are wrong, where `seen` of them were looked at and `wrong` of these are."""
    if not 0 <= wrong <= seen <= population:
        raise ValueError(f"{wrong} wrong of {seen} seen of {population} cannot be")
    doubt = _doubt(confidence)
    conceivable = range(wrong + 1, population - (seen - wrong) + 1)
    return wrong + bisect_left(
        conceivable, 1, key=lambda in_all: not _is_likely(seen, wrong, population, in_all, doubt)
    )


def looks_needed(population: int, rate: float, confidence: float = CONFIDENCE, wrong: int = 0) -> int:
    """How many looks, with `wrong` found in them, it takes to say "at most that rate is wrong"; it may take all."""
    in_all = math.floor(Fraction(str(rate)) * population) + 1  # one more than may be
    if in_all > population:
        return 0
    doubt, most = _doubt(confidence), 1
    while most < population and _is_likely(most, wrong, population, in_all, doubt):
        most = min(2 * most, population)  # far below the population, where the numbers are short
    return bisect_left(range(most), 1, key=lambda seen: not _is_likely(seen, wrong, population, in_all, doubt))


def _is_likely(seen: int, wrong: int, population: int, in_all: int, doubt: Fraction) -> bool:
    """Whether P(X ≤ wrong) is above `doubt` where `in_all` of the population are wrong."""
    right = population - in_all
    least = max(0, seen - right)
    if least > wrong:
        return False
    term = math.comb(in_all, least) * math.comb(right, seen - least)
    ways = term
    for i in range(least, wrong):
        term = term * (in_all - i) * (seen - i) // ((i + 1) * (right - seen + i + 1))
        ways += term
    return ways * doubt.denominator > doubt.numerator * math.comb(population, seen)


def _doubt(confidence: float) -> Fraction:
    return 1 - Fraction(str(confidence))


def percent(part: int, whole: int) -> float:
    """In percent with one digit behind the point, never less than it is."""
    return math.ceil(1000 * part / whole) / 10 if whole else 0.0


# --- What a sample says ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """What a sample says so far about the `population` that can be approved by it, and what was found wrong."""

    drawn: int  # ever
    waiting: int  # drawn, and still to be looked at
    right: int
    wrong: int
    population: int

    @property
    def seen(self) -> int:
        return self.right + self.wrong

    @property
    def gone(self) -> int:
        """Drawn, and left out since somebody else decided on them or had them described again."""
        return self.drawn - self.waiting - self.seen

    @property
    def is_over(self) -> bool:
        """Whether all that were drawn have been looked at."""
        return self.seen > 0 and self.waiting == 0

    @property
    def at_most(self) -> int:
        return bound(self.seen, self.wrong, self.population)

    @property
    def percent(self) -> float:
        return percent(self.at_most, self.population)

    @property
    def remaining(self) -> int:
        """How many would be approved."""
        return self.population - self.wrong

    @property
    def unseen(self) -> int:
        return self.population - self.seen

    @property
    def at_most_unseen(self) -> int:
        """At most so many of those that nobody looked at are wrong."""
        return self.at_most - self.wrong

    @property
    def sentence(self) -> str:
        """For the decision that is made by it."""
        return (
            f"{self.seen:,} of {self.population:,} looked at, {self.wrong:,} wrong: "
            f"at most {self.at_most:,} wrong, {self.percent} % ({CONFIDENCE:.0%} sure)"
        )

    def more_looks(self, rate: float) -> int | None:
        """How many more looks without a fault it takes to say "at most that rate"; None where that is out of reach."""
        if self.wrong > min(TELLABLE, math.floor(Fraction(str(rate)) * self.population)):
            return None
        needed = looks_needed(self.population, rate, wrong=self.wrong)
        return max(needed - self.seen, 0) if needed - self.seen <= self.unseen else None


def filter_of(sample: Sample) -> ReviewFilter:
    return ReviewFilter.from_json(sample.filter)


def standing(sample: Sample, *, is_exact: bool = False) -> Standing:
    """Where the sample stands. The population is that of the drawing, which bounds it from above, or (`is_exact`) is
    counted now."""
    still = Exists(_current(sample).filter(pk=OuterRef("words")))
    counts = sample.drawn.annotate(still=still).aggregate(
        drawn=Count("pk"),
        waiting=Count("pk", filter=Q(is_right=None, still=True)),
        right=Count("pk", filter=Q(is_right=True, still=True)),
        wrong=Count("pk", filter=Q(is_right=False)),
        wrong_and_gone=Count("pk", filter=Q(is_right=False, still=False)),
    )
    gone = counts.pop("wrong_and_gone")
    return Standing(**counts, population=_current(sample).count() + gone if is_exact else sample.population)


def to_see(sample: Sample, count: int) -> list[SampledWords]:
    """Those that are to be looked at next, with their photos, in the order in which they were drawn."""
    still = Exists(_current(sample).filter(pk=OuterRef("words")))
    rows = sample.drawn.filter(still, is_right=None).order_by("position")
    return list(rows.select_related("words__photo__album", "words__photo__account")[:count])


def found_wrong(sample: Sample) -> list[SampledWords]:
    """Those found wrong, with their photos, in the order in which they were drawn."""
    rows = sample.drawn.filter(is_right=False).order_by("position")
    return list(rows.select_related("words__photo__album", "words__photo__account", "seen_by"))


def _current(sample: Sample) -> QuerySet[AIMetadata]:
    """What can be approved by the sample now."""
    return snapshots.unchanged(queue.matching([sample.account_id], filter_of(sample)), sample.snapshot_id)


# --- Drawing and looking -----------------------------------------------------------------------------------------


@transaction.atomic
def draw(account: Account, wanted: ReviewFilter, *, by: User, size: int) -> Sample:
    """A sample of at most `size` words out of all that the filter finds in the library; CannotSample where none.

    While one of the same filter is open, and there is still something to approve by it, it is that one, filled up.
    """
    if wanted.status != WAITING:
        raise CannotSample("Only words that wait for review can be approved after a sample.")
    wanted = replace(wanted, account=account.nickname, order="")
    Account.objects.select_for_update(no_key=True).get(pk=account.pk)  # two who draw the same draw one sample
    if begun := _begun(account, wanted):
        _fill(begun, size - begun.drawn.count())
        return begun
    snapshot = snapshots.take(account, queue.matching([account.pk], wanted))
    if not snapshot.size:
        raise CannotSample("No photo that waits for review matches.")
    sample = Sample.objects.create(
        account=account,
        filter=wanted.to_json(),
        population=snapshot.size,
        snapshot=snapshot,
        made_by=by,
        created_at=timezone.now(),
    )
    _fill(sample, size)
    return sample


def _begun(account: Account, wanted: ReviewFilter) -> Sample | None:
    """The sample of the same filter that is still open, where there is anything left to approve by it."""
    rows = Sample.objects.filter(account=account, filter=wanted.to_json()).select_related("account", "decision")
    return next((row for row in rows.newest_first() if row.is_open and _current(row).exists()), None)


@transaction.atomic
def extend(sample: Sample, *, size: int) -> int:
    """Draw at most `size` more, none of them drawn before, and say how many; CannotSample where none is left."""
    _lock(sample)
    found = _fill(sample, size)
    if not found:
        raise CannotSample("All that match have been drawn.")
    return found


def _fill(sample: Sample, size: int) -> int:
    """Draw so many more at random, at most MOST; how many that were."""
    if size <= 0:
        return 0
    rows = _current(sample).exclude(pk__in=sample.drawn.values("words")).order_by("?")
    found = list(rows.values_list("pk", flat=True)[: min(size, MOST)])
    last = sample.drawn.order_by("-position").values_list("position", flat=True).first() or 0
    SampledWords.objects.bulk_create(
        [SampledWords(sample=sample, words_id=pk, position=place) for place, pk in enumerate(found, last + 1)],
        batch_size=1_000,
    )
    return len(found)


def judge(drawn: SampledWords, *, by: User, version: int, is_right: bool) -> None:
    """Say whether the words of that version are right; AlreadyJudged where they are judged or changed already."""
    with transaction.atomic():
        _lock(drawn.sample)
        shown = _current(drawn.sample).filter(pk=OuterRef("words"), version=version)
        won = SampledWords.objects.filter(Exists(shown), pk=drawn.pk, is_right=None).update(
            is_right=is_right, seen_by=by, seen_at=timezone.now()
        )
    if not won:
        drawn.refresh_from_db()
        raise AlreadyJudged(_who_was_faster(drawn, by))


@transaction.atomic
def take_back(sample: Sample, *, by: User) -> SampledWords:
    """Take the person's newest verdict back; CannotSample where there is none."""
    _lock(sample)
    last = sample.drawn.filter(seen_by=by, is_right__isnull=False).order_by("-seen_at", "-position").first()
    if last is None:
        raise CannotSample("There is no verdict of yours to take back.")
    SampledWords.objects.filter(pk=last.pk).update(is_right=None, seen_by=None, seen_at=None)
    return last


@transaction.atomic
def accept(sample: Sample, *, by: User) -> Decision:
    """Approve all that the sample is about but what was found wrong, as one decision; CannotSample says why not."""
    _lock(sample)
    now = standing(sample, is_exact=True)
    if not now.is_over:
        raise CannotSample("Look at all that were drawn first: the bound is for all of them together.")
    decision = bulk.decide(
        sample.account,
        by=by,
        kind=Decision.Kind.APPROVE,
        filter=filter_of(sample),
        among=_current(sample).exclude(pk__in=_known_wrong(sample.account)),
        params={"sample": sample.pk, "sentence": now.sentence, "sure": CONFIDENCE} | _numbers(now),
    )
    Sample.objects.filter(pk=sample.pk).update(decision=decision)
    sample.decision = decision
    return decision


def _known_wrong(account: Account) -> set[UUID]:
    """What was found wrong in any sample of the library, and still says the same."""
    samples = Sample.objects.filter(account=account, drawn__is_right=False).distinct()
    found: set[UUID] = set()
    for sample in samples:
        wrong = AIMetadata.objects.filter(pk__in=sample.drawn.filter(is_right=False).values("words"))
        found |= set(snapshots.unchanged(wrong, sample.snapshot_id).values_list("pk", flat=True))
    return found


def _numbers(now: Standing) -> dict[str, Any]:
    return {name: getattr(now, name) for name in ("seen", "wrong", "population", "at_most", "percent")}


def _lock(sample: Sample) -> None:
    """Keep the sample from changing until the transaction ends; CannotSample where it has been accepted."""
    row = Sample.objects.select_for_update(of=("self",)).select_related("decision").get(pk=sample.pk)
    if not row.is_open:
        raise CannotSample("This sample was accepted already.")


def _who_was_faster(drawn: SampledWords, by: User) -> str:
    if drawn.is_right is None:
        return "The words have been changed or decided on meanwhile."
    found = "right" if drawn.is_right else "wrong"
    if drawn.seen_by == by:
        return f"You found the words {found} already."
    return f"{drawn.seen_by or 'Somebody'} was faster and found the words {found}."
