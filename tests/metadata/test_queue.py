"""Which words are shown for review, to whom, in which order: filters, cursors, pages, counts."""

from __future__ import annotations

import datetime
from typing import Any
from uuid import uuid4

import pytest
from django.http import QueryDict
from django.utils import timezone

from metadata import queue
from metadata.models import AIMetadata
from metadata.queue import BadFilter, Cursor, ReviewFilter
from smugmug.models import Account
from tests.factories import (
    AccountFactory,
    AIMetadataFactory,
    AlbumFactory,
    MembershipFactory,
    PhotoFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db
ALL = ReviewFilter()

ANY_KEY = "8c5f0e0a-6f0f-4d53-9a53-2f4a1f2f3c11"


def words_in(account: Account, day: int = 1, **fields: Any) -> AIMetadata:
    """Described words of a photo taken on that day of May 2026."""
    photo = fields.pop("photo", {})
    album = photo.pop("album", None) or AlbumFactory(account=account)
    taken = datetime.datetime(2026, 5, day, 12)
    photo = PhotoFactory(album=album, date_taken=taken, **photo)
    row = AIMetadataFactory(photo=photo, **{"described": True, **fields})
    row.refresh_from_db()  # the database says when it was taken
    return row


def pks(rows: Any) -> list[Any]:
    return [row.pk for row in rows]


def page_of(user: Any, wanted: ReviewFilter, cursor: str, size: int) -> queue.Page:
    """The page of the libraries that the person may change."""
    return queue.page(queue.accounts_of(user, wanted), wanted, cursor, size)


# --- Filters -------------------------------------------------------------------------------------------------


def test_filter_read_from_its_own_address_is_the_same():
    album = uuid4()
    given = ReviewFilter(
        account="ada", status="all", album=album, after=datetime.date(2026, 1, 2), before=datetime.date(2026, 3, 4),
        lane="look", tag="red, blue & green", category="Animals", model="m-1", prompt="Default 1", text="50 % zoë",
        order="surest",
    )  # fmt: skip

    assert ReviewFilter.read(given.query()) == (given, {})
    assert ReviewFilter.read(QueryDict(f"{given.text_form()}&cursor=x&page=grid")) == (given, {})
    assert ReviewFilter.read_text(given.text_form()) == given
    assert ReviewFilter.from_json(given.to_json()) == given


def test_filter_that_asks_for_nothing_has_an_empty_address():
    assert ReviewFilter.read({}) == (ReviewFilter(), {})
    assert (ALL.query(), ALL.text_form(), ALL.is_narrow) == ({}, "", False)
    assert not ReviewFilter(order="surest").is_narrow
    assert ReviewFilter(lane="look").is_narrow
    assert ReviewFilter(lane="look", tag="cat").without("lane") == ReviewFilter(tag="cat")


def test_filter_of_an_address_keeps_what_makes_sense_and_names_the_rest():
    data = {"lane": "fast", "tag": "cat", "album": "1", "after": "yesterday", "before": "9999-01-01", "colour": "red"}

    found, sentences = ReviewFilter.read(data)

    assert found == ReviewFilter(tag="cat")
    assert sentences == {
        "lane": "There is no lane “fast”.",
        "album": "There is no such album.",
        "after": "Type a day as 2026-05-31.",
        "before": "Type a day between 1800 and 2200.",
    }


def test_filter_of_an_address_names_what_there_is_no_filter_by():
    asked = QueryDict(f"tag=cat&cursor=x&{'z' * 90}=1&colour=red&size=24&flavour=2&photo=1&odour=3")

    found, sentences = ReviewFilter.read(asked)

    assert found == ReviewFilter(tag="cat")
    assert sentences == {name: f"There is no filter by “{name}”." for name in ("colour", "flavour", "odour")}


@pytest.mark.parametrize(
    "text", ["colour=red", "lane=fast", "tag=a&tag=b", "&".join(f"x{number}=1" for number in range(50)), "tag=%00"]
)
def test_filter_of_a_button_is_refused_where_any_of_it_makes_no_sense(text: str):
    with pytest.raises(BadFilter):
        ReviewFilter.read_text(text)


def test_filter_that_is_kept_names_what_is_usual_too():
    assert ALL.to_json()["status"] == "waiting"


def test_words_are_those_that_fit_every_part_of_the_filter(library_of_ada: Account):
    album = AlbumFactory(account=library_of_ada)
    fitting = {"lane": "look", "ai_categories": ["People"], "prompt": "Default 1", "ai_tags": ["dog", "red"]}
    wanted = ReviewFilter(
        album=album.pk, after=datetime.date(2026, 5, 2), before=datetime.date(2026, 5, 3), lane="look", tag="dog",
        category="People", model="fake-1", prompt="Default 1", text="GREY",
    )  # fmt: skip
    found = [words_in(library_of_ada, day, photo={"album": album}, **fitting) for day in (2, 3)]
    words_in(library_of_ada, 1, photo={"album": album}, **fitting)
    words_in(library_of_ada, 4, photo={"album": album}, **fitting)
    words_in(library_of_ada, 2, **fitting)
    for other in (
        {"lane": "read"},
        {"ai_tags": ["dogs"]},
        {"ai_categories": []},
        {"model": "fake-2"},
        {"prompt": "Default 2"},
        {"ai_title": "", "ai_description": "Another.", "ai_alt_text": ""},
    ):
        words_in(library_of_ada, 2, photo={"album": album}, **{**fitting, **other})

    assert set(pks(queue.words(library_of_ada.owner, wanted))) == set(pks(found))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("waiting", {"waiting"}),
        ("approved", {"approved"}),
        ("rejected", {"rejected"}),
        ("all", {"waiting", "approved", "rejected"}),
    ],
)
def test_words_of_a_state_are_those_of_photos_still_there(library_of_ada: Account, status: str, expected: set[str]):
    rows = {
        "waiting": words_in(library_of_ada),
        "approved": words_in(library_of_ada, approved=True),
        "rejected": words_in(library_of_ada, review_status="rejected"),
        "failed": words_in(library_of_ada, described=False, failed=True),
        "gone": words_in(library_of_ada, photo={"removed_at": timezone.now()}),
    }

    found = queue.words(library_of_ada.owner, ReviewFilter(status=status))

    assert {name for name, row in rows.items() if row in found} == expected


@pytest.mark.parametrize("text", ["the", "THE", "over the", "!"])
def test_words_by_a_text_without_any_word_to_search_for_are_found_as_it_is_written(library_of_ada: Account, text: str):
    row = words_in(library_of_ada, ai_description="Up and over the wall!")
    words_in(library_of_ada, ai_title="Cat", ai_description="A grey cat.", ai_alt_text="")

    assert pks(queue.words(library_of_ada.owner, ReviewFilter(text=text))) == [row.pk]


@pytest.mark.parametrize(
    ("wanted", "page", "focus"),
    [
        (ALL, "surest", "oldest"),
        (ReviewFilter(lane="glance"), "surest", "oldest"),
        (ReviewFilter(lane="read"), "least_sure", "least_sure"),
        (ReviewFilter(lane="look"), "least_sure", "least_sure"),
        (ReviewFilter(lane="look", status="all"), "oldest", "oldest"),
        (ReviewFilter(lane="look", order="surest"), "surest", "surest"),
        (ReviewFilter(status="approved"), "oldest", "oldest"),
    ],
)
def test_order_without_a_wish_is_the_least_sure_first_where_one_reads(wanted: ReviewFilter, page: str, focus: str):
    assert (queue.order_of_page(wanted), queue.order_of_focus(wanted)) == (page, focus)


def test_words_are_of_libraries_that_the_person_may_change(library_of_ada: Account):
    mine = words_in(library_of_ada)
    vera = MembershipFactory(account=library_of_ada, role="viewer").user
    words_in(AccountFactory())

    assert pks(queue.words(library_of_ada.owner, ALL)) == [mine.pk]
    assert pks(queue.words(vera, ALL)) == []
    assert pks(queue.words(vera, ALL, to_change=False)) == [mine.pk]
    assert pks(queue.words(UserFactory(), ALL, to_change=False)) == []


def test_words_of_a_library_by_its_name_are_of_no_other(library_of_ada: Account):
    other = AccountFactory(owner=library_of_ada.owner)
    words_in(library_of_ada)
    theirs = words_in(other)
    strangers = AccountFactory()
    words_in(strangers)

    assert pks(queue.words(library_of_ada.owner, ReviewFilter(account=other.nickname))) == [theirs.pk]
    assert pks(queue.words(library_of_ada.owner, ReviewFilter(account=strangers.nickname))) == []


# --- Order and pages -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("libraries", [1, 2])
@pytest.mark.parametrize("order", ["oldest", "surest", "least_sure"])
def test_pages_show_every_row_once_in_order_there_and_back(library_of_ada: Account, order: str, libraries: int):
    accounts = [library_of_ada, AccountFactory(owner=library_of_ada.owner)][:libraries]
    rows = [
        words_in(
            accounts[number % libraries], 1 + number // 4, confidence_score=[None, 0.1, 0.1, 0.1 + 0.2][number % 4]
        )
        for number in range(9)
    ]
    user, wanted = library_of_ada.owner, ReviewFilter(order=order)
    keys = {
        "oldest": lambda row: (row.sort_at, row.pk),
        "least_sure": lambda row: (-1 if row.confidence_score is None else row.confidence_score, row.pk),
    }
    keys["surest"] = keys["least_sure"]
    expected = pks(sorted(rows, key=keys[order], reverse=order == "surest"))

    there = [page_of(user, wanted, "", 2)]
    while there[-1].next_cursor:
        there.append(page_of(user, wanted, there[-1].next_cursor, 2))
    back = [there[-1]]
    while back[-1].previous_cursor:
        back.append(page_of(user, wanted, back[-1].previous_cursor, 2))

    assert [pk for page in there for pk in pks(page.rows)] == expected
    assert [len(page.rows) for page in there] == [2, 2, 2, 2, 1]
    # Backwards the odd one stands elsewhere, so the first page is read whole.
    assert [pks(page.rows) for page in back] == [
        expected[8:],
        expected[6:8],
        expected[4:6],
        expected[2:4],
        expected[:2],
    ]
    assert back[-1].previous_cursor == ""


@pytest.mark.parametrize("cursor", ["x", "after_", "after_2026_1", f"after_nan_{ANY_KEY}", f"up_0.5_{ANY_KEY}", "\x00"])
def test_page_of_a_bad_cursor_is_the_first(library_of_ada: Account, cursor: str):
    row = words_in(library_of_ada)

    assert pks(page_of(library_of_ada.owner, ALL, cursor, 2).rows) == [row.pk]


@pytest.mark.parametrize("key", ["2026-05-01", "2026-05-01T12:00:00", "0.5", "now"])
def test_cursor_in_time_needs_a_whole_moment(key: str):
    assert Cursor.read(f"after_{key}_{uuid4()}", "oldest") is None


@pytest.mark.parametrize(
    "key", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2020-01-01T00:00:00+00:00:01.5"]
)
def test_page_of_a_moment_at_the_ends_of_time_is_answered(library_of_ada: Account, key: str):
    row = words_in(library_of_ada)
    wanted = ReviewFilter(order="oldest")

    for direction in ("after", "before"):
        assert pks(page_of(library_of_ada.owner, wanted, f"{direction}_{key}_{ANY_KEY}", 2).rows) == [row.pk]


def test_page_whose_rows_were_all_decided_meanwhile_is_the_first(library_of_ada: Account):
    rows = [words_in(library_of_ada, day) for day in (1, 2, 3)]
    wanted = ReviewFilter(order="oldest")
    cursor = page_of(library_of_ada.owner, wanted, "", 2).next_cursor
    AIMetadata.objects.filter(pk=rows[2].pk).update(review_status="rejected")

    page = page_of(library_of_ada.owner, wanted, cursor, 2)

    assert (pks(page.rows), page.next_cursor, page.previous_cursor) == (pks(rows[:2]), "", "")


def test_page_goes_on_at_its_place_when_its_last_row_was_decided(library_of_ada: Account):
    rows = [words_in(library_of_ada, day) for day in (1, 2, 3)]
    wanted = ReviewFilter(order="oldest")
    cursor = page_of(library_of_ada.owner, wanted, "", 2).next_cursor
    AIMetadata.objects.filter(pk=rows[1].pk).update(review_status="rejected")

    assert pks(page_of(library_of_ada.owner, wanted, cursor, 2).rows) == [rows[2].pk]


def test_page_of_many_begins_with_the_surest_that_wait_and_the_oldest_that_are_decided(library_of_ada: Account):
    for status in ("unreviewed", "rejected"):
        words_in(library_of_ada, 1, confidence_score=0.1, review_status=status)
        words_in(library_of_ada, 2, confidence_score=0.9, review_status=status)

    waiting = page_of(library_of_ada.owner, ALL, "", 9).rows
    rejected = page_of(library_of_ada.owner, ReviewFilter(status="rejected"), "", 9).rows

    assert [row.confidence_score for row in waiting] == [0.9, 0.1]
    assert [row.confidence_score for row in rejected] == [0.1, 0.9]


def test_page_shows_a_burst_once_by_the_first_of_its_frames_that_fit(library_of_ada: Account):
    lanes = ("look", "glance", "look")
    frames = [words_in(library_of_ada, day, lane=lane) for day, lane in enumerate(lanes, start=1)]
    AIMetadata.objects.filter(pk__in=pks(frames)).update(stack=frames[1].pk)
    alone = words_in(library_of_ada, 4, lane="look")
    user = library_of_ada.owner

    def shown(**wanted: Any) -> list[Any]:
        return pks(page_of(user, ReviewFilter(order="oldest", **wanted), "", 9).rows)

    assert shown() == [frames[1].pk, alone.pk]
    assert shown(lane="look") == [frames[0].pk, alone.pk]
    assert shown(status="all") == [*pks(frames), alone.pk]
    AIMetadata.objects.filter(pk=frames[1].pk).update(review_status="rejected")
    assert shown() == [frames[0].pk, alone.pk]


@pytest.mark.parametrize("libraries", [1, 2])
def test_page_takes_two_queries_however_many_rows(
    library_of_ada: Account, libraries: int, django_assert_num_queries: Any
):
    accounts = [library_of_ada, AccountFactory(owner=library_of_ada.owner)][:libraries]
    user = library_of_ada.owner

    for number in (1, 3):
        for _ in range(number):
            words_in(accounts[-1])
        with django_assert_num_queries(2):
            rows = page_of(user, ALL, "", 50).rows
            assert {(row.photo.album.title, row.photo.account.nickname) for row in rows}


# --- How many ------------------------------------------------------------------------------------------------


def test_count_stops_at_its_cap(library_of_ada: Account):
    for _ in range(3):
        words_in(library_of_ada)

    assert queue.count(library_of_ada.owner, ALL, cap=3) == (3, False)
    assert queue.count(library_of_ada.owner, ALL, cap=2) == (2, True)


def test_count_may_be_a_minute_old_but_is_of_the_same_question(library_of_ada: Account):
    other = AccountFactory()
    words_in(other)
    assert queue.count(library_of_ada.owner, ALL) == (0, False)
    words_in(library_of_ada, lane="look")

    assert queue.count(library_of_ada.owner, ALL) == (0, False)
    assert queue.count(library_of_ada.owner, ReviewFilter(lane="look")) == (1, False)
    assert queue.count(other.owner, ALL) == (1, False)


def test_lanes_are_counted_each_for_itself(library_of_ada: Account):
    words_in(library_of_ada, lane="look")
    words_in(library_of_ada, lane="look", ai_tags=["dog"])
    words_in(library_of_ada, lane="read", ai_tags=["dog"])

    found = queue.count_lanes(library_of_ada.owner, ReviewFilter(tag="dog", lane="glance"))

    assert found == {"glance": (0, False), "read": (1, False), "look": (1, False)}


def test_waiting_are_counted_anew_each_time_as_long_as_they_are_few(
    library_of_ada: Account, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queue, "FEW", 2)
    found = []
    for _ in range(4):
        words_in(library_of_ada)
        found.append(queue.count_waiting(library_of_ada.owner))

    assert found == [1, 2, 3, 3]
    assert queue.count_waiting(AccountFactory().owner) == 0


def test_waiting_are_counted_no_further_than_a_page_shows(library_of_ada: Account, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(queue, "COUNT_TO", 1)
    for _ in range(3):
        words_in(library_of_ada)

    assert queue.count_waiting(library_of_ada.owner) == 2
