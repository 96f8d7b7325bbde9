"""What is shown one photo after the other; whom it is claimed for is in test_review_claims."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from metadata import decks
from metadata.queue import ReviewFilter
from smugmug.models import Account
from tests.metadata.test_queue import ALL, pks, words_in

pytestmark = pytest.mark.django_db


def test_next_are_the_oldest_that_follow(library_of_ada: Account):
    rows = [words_in(library_of_ada, day) for day in range(1, 9)]
    user = library_of_ada.owner

    assert pks(decks.deck_for(user, ALL, None, 6).rows) == pks(rows[:6])
    assert pks(decks.deck_for(user, ALL, rows[0], 3).rows) == pks(rows[1:4])
    assert pks(decks.deck_for(user, ReviewFilter(order="least_sure"), None, 1).rows) == [min(pks(rows))]
    assert decks.deck_for(user, ALL, rows[-1], 6).rows == []
    assert (decks.next_for(user, ALL, rows[0]), decks.next_for(user, ALL, rows[-1])) == (rows[1], None)


def test_next_takes_as_many_queries_for_one_row_as_for_three(library_of_ada: Account):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert decks.deck_for(library_of_ada.owner, ALL, None, 6).rows[0].photo.album.title
        return len(captured)

    words_in(library_of_ada)
    of_one = queries()
    words_in(library_of_ada)
    words_in(library_of_ada)

    assert queries() == of_one
