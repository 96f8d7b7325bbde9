"""The bound against brute force, and samples: drawn once, looked at once, accepted once."""

from __future__ import annotations

import math
import threading
from fractions import Fraction
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from metadata import bulk, sampling
from metadata.models import AIMetadata, Decision, MetadataHistory, Sample
from metadata.queue import ReviewFilter
from metadata.sampling import AlreadyJudged, CannotSample, bound, looks_needed, percent
from smugmug.models import Account
from tests.factories import AIMetadataFactory, AlbumFactory, MembershipFactory, PhotoFactory, UserFactory

EVERYTHING = ReviewFilter()


def chance(wrong: int, seen: int, population: int, in_all: int) -> Fraction:
    """P(X ≤ wrong), term by term."""
    ways = sum(math.comb(in_all, i) * math.comb(population - in_all, seen - i) for i in range(min(wrong, seen) + 1))
    return Fraction(ways, math.comb(population, seen))


def by_hand(seen: int, wrong: int, population: int, doubt: Fraction = Fraction(1, 20)) -> int:
    possible = range(wrong, population - (seen - wrong) + 1)
    return max(in_all for in_all in possible if chance(wrong, seen, population, in_all) > doubt)


class TestBound:
    @pytest.mark.parametrize("population", [1, 2, 7, 20, 41])
    def test_bound_is_the_largest_number_that_is_not_unlikely(self, population: int):
        for seen in range(population + 1):
            for wrong in range(seen + 1):
                assert bound(seen, wrong, population) == by_hand(seen, wrong, population), (seen, wrong)

    def test_bound_covers_the_truth_in_at_least_95_of_100_samples(self):
        population, seen = 40, 12
        for in_all in range(population + 1):
            covered = sum(
                math.comb(in_all, wrong) * math.comb(population - in_all, seen - wrong)
                for wrong in range(seen + 1)
                if wrong <= in_all and seen - wrong <= population - in_all and bound(seen, wrong, population) >= in_all
            )
            assert Fraction(covered, math.comb(population, seen)) >= Fraction(95, 100)

    @pytest.mark.parametrize(
        ("seen", "wrong", "population", "expected"),
        [
            (0, 0, 1_943, 1_943),  # nothing seen, nothing known
            (1_943, 4, 1_943, 4),  # all seen, all known
            (59, 0, 1_943, 94),
            (10, 0, 10_000_000, 2_588_657),  # 1 - 0.05 ** (1 / 10) of them: drawing with replacement
        ],
    )
    def test_bound_of_known_cases(self, seen: int, wrong: int, population: int, expected: int):
        assert bound(seen, wrong, population) == pytest.approx(expected, rel=1e-5)

    def test_bound_without_a_fault_comes_near_three_by_the_number_of_looks(self):
        assert bound(300, 0, 1_000_000) / 1_000_000 == pytest.approx(3 / 300, rel=0.01)

    @given(st.integers(2, 400), st.data())
    def test_bound_grows_with_faults_and_shrinks_with_looks(self, population: int, data: st.DataObject):
        seen = data.draw(st.integers(1, population - 1))
        wrong = data.draw(st.integers(0, seen - 1))
        here = bound(seen, wrong, population)

        assert wrong <= here <= population - (seen - wrong)
        assert bound(seen, wrong + 1, population) > here
        assert bound(seen + 1, wrong, population) <= here
        assert bound(seen, wrong, population + 1) >= here
        assert bound(seen, wrong, population, 0.99) >= here
        # One that was found wrong and went away may be counted without saying too little of the others.
        assert bound(seen + 1, wrong + 1, population + 1) - 1 >= here

    @pytest.mark.parametrize("case", [(5, 6, 10), (11, 0, 10), (5, -1, 10)])
    def test_bound_of_what_cannot_be_raises(self, case: tuple[int, int, int]):
        with pytest.raises(ValueError, match="cannot be"):
            bound(*case)

    @pytest.mark.parametrize(
        ("part", "whole", "expected"), [(94, 1_943, 4.9), (1, 100_000, 0.1), (0, 5, 0.0), (5, 5, 100.0), (0, 0, 0.0)]
    )
    def test_percent_never_says_less_than_it_is(self, part: int, whole: int, expected: float):
        assert percent(part, whole) == expected


class TestLooksNeeded:
    @given(st.integers(1, 500), st.sampled_from([0.05, 0.02, 0.01, 0.5]))
    def test_looks_needed_are_the_fewest_that_keep_the_bound(self, population: int, rate: float):
        looks = looks_needed(population, rate)

        allowed = Fraction(str(rate)) * population
        assert bound(looks, 0, population) <= allowed
        assert looks == 0 or bound(looks - 1, 0, population) > allowed

    @pytest.mark.parametrize(
        ("population", "rate", "expected"),
        [(1_943, 0.05, 58), (1_943, 0.02, 143), (1_943, 0.01, 269), (100_000, 0.01, 298), (20, 0.01, 19), (5, 1, 0)],
    )
    def test_looks_needed_in_known_cases(self, population: int, rate: float, expected: int):
        assert looks_needed(population, rate) == expected

    def test_looks_needed_with_a_fault_are_more(self):
        assert looks_needed(1_943, 0.05, wrong=1) > looks_needed(1_943, 0.05) + 20


@pytest.fixture
def waiting(library_of_ada: Account) -> list[AIMetadata]:
    """Twenty that wait for review in ada's library."""
    album = AlbumFactory(account=library_of_ada)
    return [AIMetadataFactory(photo=PhotoFactory(album=album), described=True, lane="glance") for _ in range(20)]


def draw(account: Account, size: int = 10, wanted: ReviewFilter = EVERYTHING) -> Sample:
    return sampling.draw(account, wanted, by=account.owner, size=size)


def look_at(sample: Sample, *, wrong: int = 0, count: int = 1_000) -> None:
    """Look at `count` of those that are to be seen; the first `wrong` are found wrong."""
    for place, drawn in enumerate(sampling.to_see(sample, count)):
        sampling.judge(drawn, by=sample.account.owner, version=drawn.words.version, is_right=place >= wrong)


def describe_again(words: AIMetadata) -> None:
    """The AI's words anew."""
    words.refresh_from_db()
    AIMetadata.objects.filter(pk=words.pk).update(version=words.version + 1)
    MetadataHistory.objects.create(metadata=words, version=words.version + 1, source="ai", changed_by="ai:m")


def words_of(sample: Sample) -> list[Any]:
    return list(sample.drawn.order_by("position").values_list("words", flat=True))


@pytest.mark.django_db
class TestDrawing:
    def test_draw_stores_all_of_it_before_the_first_is_shown(self, library_of_ada: Account, waiting: list[AIMetadata]):
        sample = draw(library_of_ada)

        places = list(sample.drawn.order_by("position").values_list("position", "is_right", "seen_by"))
        assert places == [(place, None, None) for place in range(1, 11)]
        assert (sample.population, sample.made_by, sample.decision) == (20, library_of_ada.owner, None)
        assert len(set(words_of(sample))) == 10
        assert [drawn.words_id for drawn in sampling.to_see(sample, 3)] == words_of(sample)[:3]

    def test_draw_is_random(self, library_of_ada: Account, waiting: list[AIMetadata]):
        drawn = set()
        for _ in range(5):
            drawn.add(tuple(words_of(draw(library_of_ada, 5))))
            Sample.objects.all().delete()

        assert len(drawn) > 1

    def test_draw_takes_only_what_the_filter_finds_in_that_library(
        self, library_of_ada: Account, waiting: list[AIMetadata]
    ):
        theirs = AIMetadataFactory(described=True, lane="look")
        AIMetadataFactory(photo=PhotoFactory(album=waiting[0].photo.album), approved=True, lane="look")
        AIMetadata.objects.filter(pk=waiting[0].pk).update(lane="look")

        sample = draw(library_of_ada, 100, ReviewFilter(lane="look"))

        assert words_of(sample) == [waiting[0].pk]
        assert theirs.pk not in words_of(sample)
        assert sampling.filter_of(sample) == ReviewFilter(account=library_of_ada.nickname, lane="look")

    def test_draw_from_nothing_or_from_what_is_decided_makes_no_sample(
        self, library_of_ada: Account, waiting: list[AIMetadata]
    ):
        with pytest.raises(CannotSample, match="No photo"):
            draw(library_of_ada, wanted=ReviewFilter(lane="read"))
        with pytest.raises(CannotSample, match="Only words that wait"):
            draw(library_of_ada, wanted=ReviewFilter(status="approved"))
        assert not Sample.objects.exists()

    def test_extend_adds_what_was_not_drawn_and_replaces_nothing(
        self, library_of_ada: Account, waiting: list[AIMetadata]
    ):
        sample = draw(library_of_ada, 15)
        look_at(sample, wrong=1)
        before = list(sample.drawn.order_by("position").values())

        assert sampling.extend(sample, size=100) == 5

        assert list(sample.drawn.order_by("position").values())[:15] == before
        assert sorted(words_of(sample)) == sorted(words.pk for words in waiting)
        assert sampling.standing(sample).waiting == 5
        with pytest.raises(CannotSample, match="have been drawn"):
            sampling.extend(sample, size=1)

    def test_draw_the_same_again_while_it_is_open_goes_on_with_it(
        self, library_of_ada: Account, waiting: list[AIMetadata]
    ):
        sample = draw(library_of_ada, 5)
        look_at(sample, wrong=5)
        before = list(sample.drawn.order_by("position").values())

        assert draw(library_of_ada, 3) == sample
        assert list(sample.drawn.order_by("position").values()) == before
        assert draw(library_of_ada, 8) == sample

        assert list(sample.drawn.order_by("position").values())[:5] == before
        now = sampling.standing(sample)
        assert (now.drawn, now.waiting, now.wrong) == (8, 3, 5)
        assert draw(library_of_ada, 5, ReviewFilter(lane="glance")) != sample

    def test_draw_the_same_again_after_all_of_it_was_described_anew_makes_another(
        self, library_of_ada: Account, waiting: list[AIMetadata]
    ):
        sample = draw(library_of_ada, 5)
        for words in waiting:
            describe_again(words)

        another = draw(library_of_ada, 5)

        assert another != sample
        assert (another.population, sampling.standing(another).waiting) == (20, 5)


@pytest.mark.django_db
class TestLooking:
    def test_judge_counts_each_once(self, library_of_ada: Account, waiting: list[AIMetadata]):
        sample = draw(library_of_ada)

        look_at(sample, wrong=1, count=4)

        now = sampling.standing(sample)
        assert (now.seen, now.wrong, now.waiting, now.gone) == (4, 1, 6, 0)
        assert now.at_most == bound(4, 1, 20)
        assert not now.is_over
        assert not AIMetadata.objects.exclude(review_status="unreviewed").exists()

    def test_judge_what_somebody_judged_says_who_was_faster(
        self, library_of_ada: Account, waiting: list[AIMetadata], curator_client: Any
    ):
        grace = library_of_ada.memberships.get(user__username="grace").user
        sample = draw(library_of_ada)
        drawn = sampling.to_see(sample, 1)[0]
        sampling.judge(drawn, by=grace, version=1, is_right=False)

        with pytest.raises(AlreadyJudged, match="grace was faster and found the words wrong"):
            sampling.judge(drawn, by=library_of_ada.owner, version=1, is_right=True)
        with pytest.raises(AlreadyJudged, match="You found the words wrong already"):
            sampling.judge(drawn, by=grace, version=1, is_right=True)

        drawn.refresh_from_db()
        assert (drawn.is_right, drawn.seen_by) == (False, grace)

    @pytest.mark.parametrize("change", [{"version": 2}, {"review_status": "rejected"}])
    def test_judge_words_that_are_not_those_shown_is_refused(
        self, library_of_ada: Account, waiting: list[AIMetadata], change: dict[str, Any]
    ):
        drawn = sampling.to_see(draw(library_of_ada), 1)[0]
        AIMetadata.objects.filter(pk=drawn.words_id).update(**change)

        with pytest.raises(AlreadyJudged, match="changed or decided on"):
            sampling.judge(drawn, by=library_of_ada.owner, version=1, is_right=True)

        drawn.refresh_from_db()
        assert (drawn.is_right, drawn.seen_at) == (None, None)

    def test_take_back_gives_the_persons_newest_verdict_back_and_no_other(
        self, library_of_ada: Account, waiting: list[AIMetadata], curator_client: Any
    ):
        grace = library_of_ada.memberships.get(user__username="grace").user
        sample = draw(library_of_ada)
        look_at(sample, count=2)
        sampling.judge(sampling.to_see(sample, 1)[0], by=grace, version=1, is_right=False)

        sampling.take_back(sample, by=library_of_ada.owner)

        verdicts = list(sample.drawn.order_by("position").values_list("is_right", flat=True)[:3])
        assert verdicts == [True, None, False]
        with pytest.raises(CannotSample, match="no verdict of yours"):
            sampling.take_back(sample, by=MembershipFactory(account=library_of_ada).user)

    def test_words_decided_on_before_they_were_looked_at_leave_the_sample_and_the_population(
        self, library_of_ada: Account, waiting: list[AIMetadata]
    ):
        sample = draw(library_of_ada)
        gone = sampling.to_see(sample, 10)[3]
        AIMetadata.objects.filter(pk=gone.words_id).update(review_status="rejected")
        look_at(sample)

        now = sampling.standing(sample, is_exact=True)

        assert (now.seen, now.gone, now.population, now.is_over) == (9, 1, 19, True)
        assert gone.pk not in sample.drawn.filter(is_right=True).values_list("pk", flat=True)

    def test_words_found_wrong_and_put_right_stay_counted_as_wrong(
        self, library_of_ada: Account, waiting: list[AIMetadata]
    ):
        sample = draw(library_of_ada)
        look_at(sample, wrong=2)
        before = sampling.standing(sample, is_exact=True)

        for drawn in sampling.found_wrong(sample):
            AIMetadata.objects.filter(pk=drawn.words_id).update(
                review_status="approved", approved_by="user:ada", approved_at=timezone.now()
            )

        now = sampling.standing(sample, is_exact=True)
        assert (now.wrong, now.at_most, now.population) == (before.wrong, before.at_most, 20)
        assert now.remaining == 18


@pytest.mark.django_db
class TestAccepting:
    def test_accept_is_one_decision_over_the_filter_but_what_was_wrong(
        self, library_of_ada: Account, waiting: list[AIMetadata], enqueued: list[Any]
    ):
        sample = draw(library_of_ada, 10, ReviewFilter(lane="glance"))
        look_at(sample, wrong=1)

        decision = sampling.accept(sample, by=library_of_ada.owner)

        assert (decision.kind, decision.photo, decision.requested_by) == ("approve", None, library_of_ada.owner)
        assert ReviewFilter.from_json(decision.filter) == sampling.filter_of(sample)
        assert sample.drawn.get(is_right=False).words.review_status == "unreviewed"
        said = decision.params
        assert (said["sample"], said["seen"], said["wrong"], said["population"]) == (sample.pk, 10, 1, 20)
        assert said["at_most"] == bound(10, 1, 20)
        assert "10 of 20 looked at, 1 wrong" in said["sentence"]
        sample.refresh_from_db()
        assert sample.decision == decision
        assert AIMetadata.objects.filter(review_status="approved").count() == 19

    def test_accept_before_all_were_looked_at_decides_nothing(
        self, library_of_ada: Account, waiting: list[AIMetadata], enqueued: list[Any]
    ):
        sample = draw(library_of_ada)
        look_at(sample, count=9)

        with pytest.raises(CannotSample, match="Look at all"):
            sampling.accept(sample, by=library_of_ada.owner)

        assert not Decision.objects.exists()

    def test_accept_twice_makes_one_decision_and_closes_the_sample(
        self, library_of_ada: Account, waiting: list[AIMetadata], enqueued: list[Any]
    ):
        sample = draw(library_of_ada)
        look_at(sample)
        sampling.accept(sample, by=library_of_ada.owner)

        for late in (
            lambda: sampling.accept(sample, by=library_of_ada.owner),
            lambda: sampling.extend(sample, size=5),
            lambda: sampling.take_back(sample, by=library_of_ada.owner),
        ):
            with pytest.raises(CannotSample, match="accepted already"):
                late()

        assert Decision.objects.count() == 1
        assert sample.drawn.filter(is_right=True).count() == 10

    def test_accept_again_after_its_decision_was_undone_is_possible(
        self, library_of_ada: Account, waiting: list[AIMetadata], enqueued: list[Any]
    ):
        sample = draw(library_of_ada)
        look_at(sample)
        first = sampling.accept(sample, by=library_of_ada.owner)
        bulk.undo(first, by=library_of_ada.owner)

        second = sampling.accept(Sample.objects.get(pk=sample.pk), by=library_of_ada.owner)

        assert second != first
        assert Sample.objects.get().decision == second
        assert AIMetadata.objects.filter(review_status="approved").count() == 20

    def test_accept_leaves_out_what_was_described_after_the_drawing(
        self, library_of_ada: Account, waiting: list[AIMetadata], enqueued: list[Any]
    ):
        sample = draw(library_of_ada)
        again = sampling.to_see(sample, 1)[0].words
        late = AIMetadataFactory(photo=PhotoFactory(album=waiting[0].photo.album), described=True)
        describe_again(again)
        look_at(sample)

        decision = sampling.accept(sample, by=library_of_ada.owner)

        assert (decision.params["seen"], decision.params["population"], decision.changed) == (9, 19, 19)
        waits = AIMetadata.objects.filter(review_status="unreviewed").values_list("pk", flat=True)
        assert sorted(waits) == sorted([again.pk, late.pk])

    def test_accept_leaves_out_what_the_filter_has_come_to_find_since(
        self, library_of_ada: Account, waiting: list[AIMetadata], enqueued: list[Any]
    ):
        moved = [words.pk for words in waiting[:4]]
        AIMetadata.objects.filter(pk__in=moved).update(lane="look")
        sample = draw(library_of_ada, 5, ReviewFilter(lane="glance"))
        look_at(sample)
        AIMetadata.objects.update(lane="glance")

        decision = sampling.accept(sample, by=library_of_ada.owner)

        assert (decision.params["population"], decision.changed) == (16, 16)
        waits = AIMetadata.objects.filter(review_status="unreviewed").values_list("pk", flat=True)
        assert sorted(waits) == sorted(moved)

    def test_accept_after_words_were_rewritten_says_nothing_about_those(
        self, library_of_ada: Account, waiting: list[AIMetadata], enqueued: list[Any]
    ):
        sample = draw(library_of_ada, 20)
        look_at(sample)
        AIMetadata.objects.filter(pk=waiting[0].pk).update(ai_tags=["dog"])
        tags = {"tag": "dog", "to": "wolf"}
        bulk.decide(library_of_ada, by=UserFactory(), kind="replace_tag", filter=EVERYTHING, params=tags)

        now = sampling.standing(sample, is_exact=True)
        decision = sampling.accept(sample, by=library_of_ada.owner)

        assert (now.seen, now.right, now.gone, now.population) == (19, 19, 1, 19)
        assert decision.changed == 19
        waiting[0].refresh_from_db()
        assert waiting[0].review_status == "unreviewed"

    def test_accept_leaves_out_what_another_sample_found_wrong(
        self, library_of_ada: Account, waiting: list[AIMetadata], enqueued: list[Any]
    ):
        first = draw(library_of_ada, 5)
        look_at(first, wrong=5)
        wrong = words_of(first)
        mended = AIMetadata.objects.get(pk=wrong[0])
        describe_again(mended)
        second = draw(library_of_ada, 20, ReviewFilter(lane="glance"))
        look_at(second)

        sampling.accept(second, by=library_of_ada.owner)

        waits = AIMetadata.objects.filter(review_status="unreviewed").values_list("pk", flat=True)
        assert sorted(waits) == sorted(wrong[1:])


def at_once(*actions: Any) -> list[Exception | None]:
    """What each raised, all of them begun together on connections of their own."""
    barrier, raised = threading.Barrier(len(actions)), [None] * len(actions)

    def run(place: int, action: Any) -> None:
        barrier.wait()
        try:
            action()
        except CannotSample as exc:
            raised[place] = exc
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


@pytest.mark.django_db(transaction=True)
def test_two_people_judging_the_same_words_have_one_winner(library_of_ada: Account, waiting: list[AIMetadata]):
    grace = MembershipFactory(account=library_of_ada, role="curator").user
    sample = draw(library_of_ada, 5)
    for drawn in sampling.to_see(sample, 5):
        raised = at_once(
            lambda drawn=drawn: sampling.judge(drawn, by=grace, version=1, is_right=False),
            lambda drawn=drawn: sampling.judge(drawn, by=library_of_ada.owner, version=1, is_right=True),
        )
        assert sum(each is None for each in raised) == 1
        drawn.refresh_from_db()
        assert (drawn.is_right, drawn.seen_by) == (
            (False, grace) if raised[0] is None else (True, library_of_ada.owner)
        )


@pytest.mark.django_db(transaction=True)
def test_two_people_accepting_and_extending_at_once_make_one_decision(
    library_of_ada: Account, waiting: list[AIMetadata], enqueued: list[Any]
):
    sample = draw(library_of_ada, 5)
    look_at(sample)

    raised = at_once(
        *(lambda: sampling.accept(Sample.objects.get(pk=sample.pk), by=library_of_ada.owner) for _ in range(3)),
        lambda: sampling.extend(sample, size=3),
    )

    sample.refresh_from_db()
    assert Decision.objects.count() == (sample.decision is not None)
    # Whoever came first: a decision by all that had been drawn, or more drawn and no decision.
    assert (sample.decision is None) == (raised[3] is None)
    assert sample.drawn.count() == (8 if raised[3] is None else 5)


@pytest.mark.django_db(transaction=True)
def test_two_people_drawing_the_same_at_once_draw_one_sample(library_of_ada: Account, waiting: list[AIMetadata]):
    grace = MembershipFactory(account=library_of_ada, role="curator").user
    people = [library_of_ada.owner, grace, grace]

    at_once(*(lambda by=by: sampling.draw(library_of_ada, EVERYTHING, by=by, size=5) for by in people))

    assert Sample.objects.get().drawn.count() == 5
