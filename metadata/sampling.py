"""How many words may be wrong, told from a look at some of them that were drawn at random.

A sample is drawn and stored before its first words are shown, and only ever added to. What it says is about the words
that can be approved by it: those that its filter still finds, as they were described when it was drawn. Words that
somebody decides on before they are looked at leave that set and the sample alike, which changes nothing for the others:
nobody knew what would be drawn. What was found wrong stays counted as wrong, even when somebody has put it right since.

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
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Window
from django.utils import timezone

from metadata import bulk, queue
from metadata.forms_review import Status
from metadata.models import AIMetadata, Decision, Sample, SampledWords
from metadata.queue import ReviewFilter
from smugmug.models import Account

if TYPE_CHECKING:
    from django.contrib.auth.models import User

CONFIDENCE = 0.95
MOST = 5_000  # that a sample may hold
NEWCOMERS = 2_000  # described since the sample was drawn: more of them than that call for another one
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
        if self.wrong > math.floor(Fraction(str(rate)) * self.population):
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


def _matching(sample: Sample) -> QuerySet[AIMetadata]:
    return queue.matching([sample.account_id], filter_of(sample))


def _newcomer(sample: Sample) -> Q:
    """Described since the sample was drawn, so that they had no chance of being in it."""
    return Q(processed_at__gt=sample.created_at)


def _current(sample: Sample) -> QuerySet[AIMetadata]:
    """What can be approved by the sample now."""
    return _matching(sample).exclude(_newcomer(sample))


# --- Drawing and looking -----------------------------------------------------------------------------------------


@transaction.atomic
def draw(account: Account, wanted: ReviewFilter, *, by: User, size: int) -> Sample:
    """A new sample of at most `size` words out of all that the filter finds in the library; CannotSample where none."""
    if wanted.status != WAITING:
        raise CannotSample("Only words that wait for review can be approved after a sample.")
    wanted = replace(wanted, account=account.nickname, order="")
    found = _at_random(queue.matching([account.pk], wanted), size)
    if not found:
        raise CannotSample("No photo that waits for review matches.")
    sample = Sample.objects.create(
        account=account, filter=wanted.to_json(), population=found[0][1], made_by=by, created_at=timezone.now()
    )
    _add(sample, [pk for pk, _ in found], after=0)
    return sample


@transaction.atomic
def extend(sample: Sample, *, size: int) -> int:
    """Draw at most `size` more, none of them drawn before, and say how many; CannotSample where none is left."""
    _lock(sample)
    drawn = sample.drawn.order_by("-position").values_list("position", flat=True)
    found = _at_random(_current(sample).exclude(pk__in=sample.drawn.values("words")), size)
    if not found:
        raise CannotSample("All that match have been drawn.")
    _add(sample, [pk for pk, _ in found], after=drawn.first() or 0)
    return len(found)


def judge(drawn: SampledWords, *, by: User, version: int, is_right: bool) -> None:
    """Say whether the words of that version are right; AlreadyJudged where they are judged or changed already."""
    with transaction.atomic():
        _lock(drawn.sample)
        shown = AIMetadata.objects.filter(
            pk=OuterRef("words"), version=version, review_status=AIMetadata.Review.UNREVIEWED
        )
        won = SampledWords.objects.filter(Exists(shown), pk=drawn.pk, is_right=None).update(
            is_right=is_right, seen_by=by, seen_at=timezone.now()
        )
    if not won:
        drawn.refresh_from_db()
        raise AlreadyJudged(_who_was_faster(drawn))


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
    if now.population > sample.population:
        raise CannotSample("More photos match now than when the sample was drawn. Draw another one.")
    left_out = _left_out(sample)
    decision = bulk.decide(
        sample.account,
        by=by,
        kind=Decision.Kind.APPROVE,
        filter=filter_of(sample),
        except_ids=left_out,
        params={"sample": sample.pk, "sentence": now.sentence, "sure": CONFIDENCE} | _numbers(now),
    )
    Sample.objects.filter(pk=sample.pk).update(decision=decision)
    sample.decision = decision
    return decision


def _numbers(now: Standing) -> dict[str, Any]:
    return {name: getattr(now, name) for name in ("seen", "wrong", "population", "at_most", "percent")}


def _left_out(sample: Sample) -> list[UUID]:
    """What the filter finds and the sample says nothing for: what was found wrong, and what came after it."""
    wrong = list(sample.drawn.filter(is_right=False).values_list("words", flat=True))
    newcomers = list(_matching(sample).filter(_newcomer(sample)).values_list("pk", flat=True)[: NEWCOMERS + 1])
    if len(newcomers) > NEWCOMERS:
        raise CannotSample(f"More than {NEWCOMERS:,} photos were described since the sample was drawn. Draw another.")
    return sorted({*wrong, *newcomers})


def _at_random(rows: QuerySet[AIMetadata], size: int) -> list[tuple[UUID, int]]:
    """At most `size` ids in random order, each with the number of all rows."""
    everything = rows.order_by("?").annotate(everything=Window(Count("*"))).values_list("pk", "everything")
    return list(everything[: min(size, MOST)])


def _add(sample: Sample, words: list[UUID], *, after: int) -> None:
    SampledWords.objects.bulk_create(
        [SampledWords(sample=sample, words_id=pk, position=place) for place, pk in enumerate(words, after + 1)],
        batch_size=1_000,
    )


def _lock(sample: Sample) -> None:
    """Keep the sample from changing until the transaction ends; CannotSample where it has been accepted."""
    row = Sample.objects.select_for_update(of=("self",)).select_related("decision").get(pk=sample.pk)
    if not row.is_open:
        raise CannotSample("This sample was accepted already.")


def _who_was_faster(drawn: SampledWords) -> str:
    if drawn.is_right is None:
        return "The words have been changed or decided on meanwhile."
    who = drawn.seen_by.get_username() if drawn.seen_by else "Somebody"
    return f"{who} was faster and found the words {'right' if drawn.is_right else 'wrong'}."
