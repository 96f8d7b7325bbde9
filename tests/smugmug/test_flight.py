import threading
import time

import pytest

from smugmug.client import Page, SmugMugGone, SmugMugUnavailable
from smugmug.flight import Flight, PagedList


class Shelf:
    """Pages of numbers, as SmugMug would give them: never more than `cap` at once."""

    def __init__(self, count, cap=10):
        self.items, self.cap = list(range(1, count + 1)), cap
        self.total = count
        self.asked, self.at_once, self.most_at_once = [], 0, 0
        self.lock = threading.Lock()

    def page(self, start):
        with self.lock:
            self.asked.append(start)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(0.01)
        with self.lock:
            self.at_once -= 1
        items = self.items[start - 1 : start - 1 + self.cap]
        return Page(items=items, total=self.total, start=start, count=len(items), is_last=start + self.cap > self.total)


def collect(page, size=4):
    """The list as it is in the end, and how often the end was told."""
    ended = []
    with Flight(size) as flight:
        paged = PagedList(flight, page, key=str, on_end=ended.append)
        while flight.is_busy:
            flight.land(1)
    assert ended == [paged]
    return paged


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (1, 1), (10, 1), (11, 2), (95, 10)])
def test_paged_list_asks_for_each_page_once_and_keeps_the_order(count, requests):
    shelf = Shelf(count)

    paged = collect(shelf.page)

    assert paged.items == shelf.items
    assert paged.is_complete
    assert len(shelf.asked) == requests


def test_paged_list_asks_side_by_side_but_for_no_more_than_may_be_in_flight():
    shelf = Shelf(200)

    collect(shelf.page, size=4)

    assert shelf.most_at_once == 4


def test_paged_list_with_pages_shorter_than_the_first_leaves_no_hole():
    shelf = Shelf(30)

    def clamped(start):
        shelf.cap = 10 if start == 1 else 5
        return shelf.page(start)

    paged = collect(clamped, size=1)

    assert paged.items == shelf.items
    assert paged.is_complete


def test_paged_list_whose_order_moves_has_each_item_once_and_says_that_it_is_short():
    shelf = Shelf(20)

    def moving(start):
        page = shelf.page(start)
        return page if start == 1 else Page([10, *page.items[:-1]], page.total, start, page.count, is_last=True)

    paged = collect(moving)

    assert paged.items == list(range(1, 20))
    assert not paged.is_complete


def test_paged_list_with_a_failing_page_ends_once_with_its_error():
    shelf = Shelf(100)

    def failing(start):
        if start > 1:
            raise SmugMugUnavailable(f"page {start}")
        return shelf.page(start)

    paged = collect(failing)

    assert isinstance(paged.error, SmugMugUnavailable)
    assert not paged.is_complete


def test_paged_list_tells_of_each_page_as_it_comes():
    shelf, pages = Shelf(25), []

    with Flight(2) as flight:
        PagedList(flight, shelf.page, key=str, on_end=lambda paged: None, on_page=pages.append)
        while flight.is_busy:
            flight.land(1)

    assert sorted(len(page) for page in pages) == [5, 10, 10]


def test_flight_hands_errors_to_the_one_who_asked():
    caught = []

    def refuse():
        raise SmugMugGone("gone")

    with Flight(1) as flight:
        flight.ask(refuse, lambda future: caught.append(future.exception()))
        flight.land(1)

    assert [type(error) for error in caught] == [SmugMugGone]


def test_flight_waits_no_longer_than_it_is_told():
    release = threading.Event()

    with Flight(1) as flight:
        flight.ask(lambda: release.wait(5), lambda future: None)
        before = time.monotonic()
        flight.land(0.05)
        waited = time.monotonic() - before
        assert flight.is_busy
        release.set()

    assert waited < 2
