"""The review page, one photo at a time: a queue of words that wait, and the parts of the page that tests look at."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from metadata.models import AIMetadata
from tests.browser.conftest import OpenPage

READY = 5  # cards behind the one on show
APPROVE = re.compile(r"/review/[0-9a-f-]+/approve")


def review(open_page: OpenPage, queue: list[AIMetadata], **options: object) -> Page:
    """The review page of ada, with the first photo of the queue and five more ready behind it."""
    page = open_page(user=queue[0].photo.account.owner, **options)
    page.goto("/review/")
    expect(page.locator("#strip li")).to_have_count(min(len(queue), 1 + READY))
    expect(title(page)).to_have_text(queue[0].photo.name)
    return page


def title(page: Page) -> Locator:
    return page.get_by_role("heading", level=1)


def description(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Description")


def said(page: Page) -> Locator:
    return page.locator("#said")


def saved(page: Page, act: Callable[[], None]) -> None:
    """Do what sends something, and wait for the answer."""
    with page.expect_response(lambda response: response.request.method == "POST"):
        act()


def all_saved(page: Page, *, left: int) -> None:
    """Wait until everything is saved, after which so many photos still wait."""
    expect(page.locator("#waiting-count")).to_have_text(re.compile(rf"^{left}\b"))


def retries_only_when_told(page: Page) -> None:
    """What could not be saved waits for “Try now”, which would be gone if the page had just tried by itself."""
    page.evaluate(
        "() => { const set = setTimeout; window.setTimeout = (act, after) => (after >= 1000 ? 0 : set(act, after)); }"
    )


def stands(words: AIMetadata) -> AIMetadata:
    words.refresh_from_db()
    return words


def states(queue: list[AIMetadata]) -> list[str]:
    return [stands(words).review_status for words in queue]
