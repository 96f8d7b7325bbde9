"""Whom a photo is shown to: two curators never have the same one as their next."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone

from metadata import decks, review_claims, workflow
from metadata.models import AIMetadata, ReviewClaim
from metadata.queue import ReviewFilter
from smugmug.models import Account
from tests.factories import AIMetadataFactory, AlbumFactory, MembershipFactory, PhotoFactory

ALL = ReviewFilter()


@pytest.fixture
def rows(library_of_ada: Account) -> list[AIMetadata]:
    """Three that wait, in order."""
    album = AlbumFactory(account=library_of_ada)
    made = [AIMetadataFactory(photo=PhotoFactory(album=album), described=True) for _ in range(3)]
    return list(AIMetadata.objects.filter(pk__in=[row.pk for row in made]).order_by("sort_at", "pk"))


@pytest.fixture
def grace(library_of_ada: Account) -> Any:
    return MembershipFactory(account=library_of_ada, user__username="grace", role="curator").user


def claims() -> dict[Any, str]:
    return dict(ReviewClaim.objects.values_list("words", "user__username"))


def end_claims() -> None:
    ReviewClaim.objects.update(until=timezone.now())


@pytest.mark.django_db
def test_next_is_claimed_for_two_minutes_and_the_photos_behind_it_are_not(ada: Any, rows: list[AIMetadata]):
    before = timezone.now()

    assert decks.next_for(ada, ALL) == rows[0]

    assert claims() == {rows[0].pk: "ada"}
    assert 119 < (ReviewClaim.objects.get().until - before).total_seconds() < 125


@pytest.mark.django_db
def test_next_of_another_person_is_another_photo(ada: Any, grace: Any, rows: list[AIMetadata]):
    decks.next_for(ada, ALL)

    assert decks.next_for(grace, ALL) == rows[1]
    assert claims() == {rows[0].pk: "ada", rows[1].pk: "grace"}


@pytest.mark.django_db
def test_next_for_the_same_person_is_the_same_photo_again(ada: Any, rows: list[AIMetadata]):
    decks.next_for(ada, ALL)

    assert decks.next_for(ada, ALL) == rows[0]


@pytest.mark.django_db
def test_next_beyond_a_deck_gives_nobody_else_a_moment_with_it(ada: Any, grace: Any, rows: list[AIMetadata]):
    review_claims.hold(ada, [rows[0].pk, rows[1].pk])

    assert decks.next_for(ada, ALL, after=rows[1]) == rows[2]

    assert claims() == dict.fromkeys([row.pk for row in rows], "ada")
    assert decks.next_for(grace, ALL) is None


@pytest.mark.django_db
def test_next_takes_over_what_was_shown_more_than_two_minutes_ago(ada: Any, grace: Any, rows: list[AIMetadata]):
    decks.next_for(ada, ALL)
    end_claims()

    assert decks.next_for(grace, ALL) == rows[0]
    assert claims() == {rows[0].pk: "grace"}


@pytest.mark.django_db
def test_next_is_nothing_while_others_look_at_all_that_is_left(ada: Any, grace: Any, rows: list[AIMetadata]):
    AIMetadata.objects.exclude(pk=rows[0].pk).delete()
    decks.next_for(ada, ALL)

    assert decks.next_for(grace, ALL) is None
    review_claims.release(ada)
    assert decks.next_for(grace, ALL) == rows[0]


@pytest.mark.django_db
def test_show_by_address_takes_nothing_from_whom_it_is_shown_to(ada: Any, grace: Any, rows: list[AIMetadata]):
    assert review_claims.show(ada, rows[0])
    assert review_claims.show(grace, rows[1])

    assert not review_claims.show(grace, rows[0])

    assert claims() == {rows[0].pk: "ada", rows[1].pk: "grace"}
    assert review_claims.holder(grace, rows[0]) == "ada"
    assert (review_claims.holder(ada, rows[0]), review_claims.holder(ada, rows[2])) == ("", "")
    end_claims()
    assert review_claims.holder(grace, rows[0]) == ""


@pytest.mark.django_db
def test_show_of_words_that_are_gone_claims_nothing(ada: Any, library_of_ada: Account):
    assert not review_claims.show(ada, AIMetadata(pk=uuid4()))
    assert claims() == {}


@pytest.mark.django_db
def test_hold_takes_what_nobody_else_is_shown_and_lets_go_of_the_rest(ada: Any, grace: Any, rows: list[AIMetadata]):
    review_claims.show(grace, rows[1])
    review_claims.show(ada, rows[2])

    assert review_claims.hold(ada, [rows[0].pk, rows[1].pk]) == {rows[0].pk}

    assert claims() == {rows[0].pk: "ada", rows[1].pk: "grace"}


@pytest.mark.django_db
def test_deck_is_all_claimed_with_what_was_before_the_person_and_nothing_else(
    ada: Any, grace: Any, rows: list[AIMetadata]
):
    review_claims.show(grace, rows[1])
    review_claims.show(ada, rows[0])

    deck = decks.deck_for(ada, ALL, None, 6, beside=[rows[1].pk])

    assert (deck.rows, deck.held) == ([rows[0], rows[2]], {rows[0].pk, rows[2].pk})
    assert claims() == {rows[0].pk: "ada", rows[1].pk: "grace", rows[2].pk: "ada"}
    assert decks.deck_for(ada, ALL, rows[2], 6, beside=[rows[2].pk]) == ([], {rows[2].pk})
    assert claims() == {rows[1].pk: "grace", rows[2].pk: "ada"}


@pytest.mark.django_db
def test_deck_that_others_took_while_it_was_read_is_read_again(
    ada: Any, grace: Any, rows: list[AIMetadata], monkeypatch: pytest.MonkeyPatch
):
    hold = review_claims.hold

    def overtaken(user: Any, wanted: Any) -> set[Any]:
        if not claims():
            review_claims.show(grace, rows[0])
        return hold(user, wanted)

    monkeypatch.setattr(review_claims, "hold", overtaken)

    assert decks.deck_for(ada, ALL, None, 1).rows == [rows[1]]


@pytest.mark.django_db
def test_claim_of_another_person_binds_nobody_who_decides(ada: Any, grace: Any, rows: list[AIMetadata]):
    decks.next_for(ada, ALL)

    workflow.reject(rows[0], by=grace, version=rows[0].version, reason="Other")

    assert AIMetadata.objects.get(pk=rows[0].pk).review_status == "rejected"


@pytest.mark.django_db(transaction=True)
def test_next_for_many_at_the_same_moment_is_a_photo_of_their_own_for_each(library_of_ada: Account):
    people = [MembershipFactory(account=library_of_ada, role="curator").user for _ in range(6)]
    album = AlbumFactory(account=library_of_ada)
    for _ in range(12):
        AIMetadataFactory(photo=PhotoFactory(album=album), described=True)
    start = threading.Barrier(len(people))

    def work(person: Any) -> list[Any]:
        """Two photos, one after the other, at the same time as everybody else."""
        try:
            shown = []
            for _ in range(2):
                start.wait(timeout=20)
                first = decks.next_for(person, ALL)
                start.wait(timeout=20)
                shown.append(first.pk)
                AIMetadata.objects.filter(pk=first.pk).update(review_status="rejected", version=F("version") + 1)
            return shown
        finally:
            connection.close()

    with ThreadPoolExecutor(len(people)) as pool:
        shown = [pk for pks in pool.map(work, people) for pk in pks]

    assert len(shown) == len(set(shown)) == 12
