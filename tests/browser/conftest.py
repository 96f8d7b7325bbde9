"""A real server, and one Chromium in front of it. What goes wrong inside a page fails the test."""

from __future__ import annotations

import copy
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.core.signals import request_finished, request_started
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Route, sync_playwright

from metadata import workflow
from metadata.models import AIMetadata
from smugmug import oauth, sync
from smugmug.models import Account, Album, Photo
from smugmug.sandbox import Sandbox
from tests import all_rows
from tests.browser.install import chromium_path
from tests.conftest import signed_in
from tests.factories import AIMetadataFactory, ProcessingRunFactory

ARGUMENTS = [
    "--no-sandbox",  # as root, in a container
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
]
DESK = {"width": 1440, "height": 900}
TELEPHONE = {"width": 390, "height": 844}
WAIT_MILLISECONDS = 10_000
REST_SECONDS = 0.1  # without a request, after which none is on its way any more
QUEUE_LENGTH = 8
LONG_DESCRIPTION = (
    "A grey tabby cat lies on a low stone wall in the evening sun and looks past the camera. Behind it, out of focus, "
    "a garden slopes down to a harbour with a handful of white sailing boats."
)

OpenPage = Callable[..., Page]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Photographs are taken only where somebody said where to put them."""
    if config.getoption("--screenshots"):
        return
    unwanted = [item for item in items if item.get_closest_marker("screenshots")]
    config.hook.pytest_deselected(items=unwanted)
    items[:] = [item for item in items if item not in unwanted]


@pytest.fixture
def screenshots(request: pytest.FixtureRequest) -> Path:
    """The directory that --screenshots names."""
    folder = Path(request.config.getoption("--screenshots")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium a process; it ends before other tests begin, whom Playwright's event loop would disturb."""
    path = chromium_path()
    if path is None:
        pytest.fail("There is no Chromium for the browser tests: run “make browser”.")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # That loop runs in this thread, and Django would take what the tests read for work inside a coroutine.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        running = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def live(live_server: Any, smugmug: Sandbox, settings: Any) -> Iterator[str]:
    """The address of a server whose SmugMug is the stand-in; it has come to rest when the test is over."""
    policy = copy.deepcopy(django_settings.CONTENT_SECURITY_POLICY)
    policy["DIRECTIVES"]["form-action"] = [*policy["DIRECTIVES"]["form-action"], smugmug.url]
    settings.CONTENT_SECURITY_POLICY = policy
    with _resting_afterwards():
        yield str(live_server.url)


@contextmanager
def _resting_afterwards() -> Iterator[None]:
    """Leave when no request is being answered, also of pages that are closed: the database is emptied next."""
    under_way: set[int] = set()
    moved = time.monotonic()

    def begin(**_: Any) -> None:
        nonlocal moved
        moved = time.monotonic()
        under_way.add(threading.get_ident())

    def end(**_: Any) -> None:
        under_way.discard(threading.get_ident())

    request_started.connect(begin)
    request_finished.connect(end)
    try:
        yield
        deadline = time.monotonic() + WAIT_MILLISECONDS / 1_000
        while (under_way or time.monotonic() < moved + REST_SECONDS) and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        request_started.disconnect(begin)
        request_finished.disconnect(end)


@pytest.fixture
def open_page(browser: Browser, live: str) -> Iterator[OpenPage]:
    """A new page, in a context of its own; `user` is signed in, `refusals` are the statuses the test provokes."""
    contexts: list[BrowserContext] = []
    troubles: list[str] = []

    def open_page(*, user: User | None = None, refusals: tuple[int, ...] = (), **options: Any) -> Page:
        context = browser.new_context(**{"base_url": live, "viewport": DESK, "reduced_motion": "reduce", **options})
        contexts.append(context)
        if user:
            cookie = signed_in(user).cookies[django_settings.SESSION_COOKIE_NAME]
            context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live}])
        context.set_default_timeout(WAIT_MILLISECONDS)
        return _watched(context.new_page(), live, troubles, refusals)

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


def intercept(page: Page, address: str | re.Pattern[str], answer: Callable[[Route], Any]) -> None:
    """Answer the page's requests to the address, from now on.

    Chromium begins to hand requests over a moment after it has said so, and on a busy machine later than a test presses
    the next key: so it is asked until it does.
    """
    page.route(address, answer)
    page.route("**/healthz?intercepted", lambda route: route.fulfill(body="intercepted"))
    for _ in range(100):
        if page.evaluate("fetch('/healthz?intercepted').then((answer) => answer.text())") == "intercepted":
            return
    raise AssertionError("Chromium hands no request over.")


def _watched(page: Page, ours: str, troubles: list[str], refusals: tuple[int, ...]) -> Page:
    """The page; where it shows one of ours, errors on the console, exceptions and lost requests become `troubles`."""

    def note(trouble: str) -> None:
        if page.url.startswith(ours):
            troubles.append(f"{page.url}: {trouble}")

    def on_console(message: ConsoleMessage) -> None:
        provoked = any(re.search(rf"(?:status of|Error Code) {status}\b", message.text) for status in refusals)
        if message.type in {"error", "warning"} and not provoked:
            note(message.text)

    def on_lost(request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the browser's own doing, when one leaves a page that still loads
            note(f"{request.method} {request.url}: {request.failure}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: note(str(error)))
    page.on("requestfailed", on_lost)
    return page


@pytest.fixture(scope="package")
def put_by() -> set[str]:
    """What a test has put by for those after it."""
    return set()


@pytest.fixture
def mirrored(live: str, put_by: set[str], request: pytest.FixtureRequest) -> Account:
    """The stand-in's library, connected by ada and synced: once, and put back as it was for each test."""
    if "mirrored" in put_by:
        all_rows.put_back()
        return Account.objects.select_related("owner").get()
    account: Account = request.getfixturevalue("account")
    run, _ = sync.start(account, by=account.owner)
    assert sync.carry_on(run, client=oauth.connect(account), seconds=60)
    all_rows.put_by()
    put_by.add("mirrored")
    return account


@pytest.fixture(autouse=True)
def _empty_disk() -> None:
    """The pictures stay for the next test, whose photos are the same."""


@pytest.fixture
def worked_on(mirrored: Account) -> Account:
    """A library in the middle of the work: words in every state, and a run that went partly wrong."""
    album = Album.objects.get(account=mirrored, title="Animals")
    photos = list(Photo.objects.in_album(album))
    words = [AIMetadataFactory(photo=photo, described=True) for photo in photos[:6]]
    AIMetadata.objects.update(ai_description=LONG_DESCRIPTION)
    for each in words:
        each.refresh_from_db()
    edited = {"ai_description": LONG_DESCRIPTION.replace("grey tabby", "ginger")}
    workflow.approve(words[0], by=mirrored.owner, version=1, changes=edited)
    workflow.reject(words[1], by=mirrored.owner, version=1, reason="Wrong subject")
    AIMetadataFactory(photo=photos[6], failed=True)
    errors = [{"key": "embedding", "title": "Embeddings", "sentence": "The model gave no vector. Try again later."}]
    ProcessingRunFactory(account=mirrored, state="partial", total=7, done=7, described=6, failed=1, errors=errors)
    return mirrored


@pytest.fixture
def queue(mirrored: Account) -> list[AIMetadata]:
    """Words that wait for review, in their order."""
    photos = Photo.objects.in_album(Album.objects.get(account=mirrored, title="Animals"))[:QUEUE_LENGTH]
    for photo in photos:
        AIMetadataFactory(photo=photo, described=True)
    return list(AIMetadata.objects.for_review().order_by("sort_at", "pk").select_related("photo__account__owner"))
