"""The whole way in a browser: connect, sync, describe, review, and what the photo remembers of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from playwright.sync_api import Page, expect

from metadata.models import AIMetadata, MetadataHistory
from smugmug.models import Photo, SyncRun
from smugmug.sandbox import Sandbox, library
from targetvision.processes import LEADER, lead
from tests.browser.conftest import OpenPage
from tests.conftest import use_sandbox
from tests.factories import UserFactory

ALBUMS, PHOTOS = 14, 2
WORKER = ("manage.py", "rqworker", "smugmug", "metadata", "--worker-class", "metadata.worker.Worker")
LONG = 60_000  # milliseconds

# Keeps every text that the card of a run has had, over reloads of the page.
COLLECT = """
new MutationObserver(() => {
    const seen = JSON.parse(sessionStorage.seen || '[]');
    for (const {textContent: text} of document.querySelectorAll('.run small.num'))
        if (text && !seen.includes(text)) seen.push(text);
    sessionStorage.seen = JSON.stringify(seen);
}).observe(document, {childList: true, subtree: true});
"""


@pytest.fixture
def smugmug(settings: Any) -> Iterator[Sandbox]:
    """A stand-in with so many albums that a sync at SmugMug's own pace can be watched."""
    with Sandbox(library=library(ALBUMS, PHOTOS)) as running:
        yield use_sandbox(running, settings)


@pytest.fixture
def worker(live: str, smugmug: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A worker as the Procfile starts it, on the test's database; it ends with the test, whatever becomes of that."""
    monkeypatch.setenv(LEADER, "")  # what lead() writes is undone
    database = os.environ["DATABASE_URL"].rpartition("/")[0]
    with lead(tmp_path / "leader"), (tmp_path / "worker.log").open("wb") as log:
        environment = {
            **os.environ,
            "DATABASE_URL": f"{database}/{connection.settings_dict['NAME']}",
            "SMUGMUG_API_URL": smugmug.url,
            "SMUGMUG_OAUTH_URL": smugmug.oauth_url,
            "SMUGMUG_REQUESTS_PER_SECOND": "4",
        }
        process = subprocess.Popen(
            [sys.executable, *WORKER], cwd=django_settings.BASE_DIR, env=environment, stdout=log, stderr=log
        )
        yield
        process.terminate()
        process.wait(20)


@pytest.mark.usefixtures("worker")
def test_walk_the_whole_way_in_a_browser_ends_with_words_that_a_person_approved(open_page: OpenPage) -> None:
    UserFactory(username="ada")
    page = open_page()
    sign_in(page)
    connect(page)
    assert len(sync_and_watch(page)) >= 3
    assert_polling_has_stopped(page)
    describe(page)
    approve_with_an_edit(page)
    look_at_its_history(page)


def sign_in(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("a long password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Connect your SmugMug library")).to_be_visible()


def connect(page: Page) -> None:
    page.get_by_role("link", name="Connect SmugMug").click()
    page.get_by_role("button", name="Continue to SmugMug").click()
    expect(page.get_by_role("heading", name="An application asks for access")).to_be_visible()
    page.get_by_role("button", name="Authorize").click()
    expect(page.get_by_text("demo is connected.")).to_be_visible()


def sync_and_watch(page: Page) -> list[str]:
    """The figures that the card of the sync showed while it ran, each once."""
    page.add_init_script(COLLECT)
    page.get_by_role("button", name="Sync").click()
    expect(page.get_by_role("progressbar", name="Syncing")).to_be_visible()
    expect(page.get_by_text("Sync finished")).to_be_visible(timeout=LONG)
    expect(page.locator(".way")).to_contain_text(f"photos in {ALBUMS} albums")
    run = SyncRun.objects.get()
    assert (run.state, run.done, run.total) == ("succeeded", ALBUMS, ALBUMS)
    assert Photo.objects.count() == ALBUMS * PHOTOS
    seen = json.loads(page.evaluate("sessionStorage.seen"))
    return [figures for figures in seen if figures.startswith("album ")]


def assert_polling_has_stopped(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(2_500)  # polls are a second apart
    assert [url for url in asked if "/runs/" in url] == []


def describe(page: Page) -> None:
    page.get_by_role("button", name=f"Describe {ALBUMS * PHOTOS}").click()
    expect(page.get_by_role("progressbar", name="Describing")).to_be_visible()
    expect(page.get_by_text("all of them")).to_be_visible(timeout=LONG)
    described = AIMetadata.objects.filter(processing_status="completed", review_status="unreviewed")
    assert described.count() == ALBUMS * PHOTOS


def approve_with_an_edit(page: Page) -> None:
    page.get_by_role("link", name="Start reviewing").click()
    first, second = AIMetadata.objects.for_review().order_by("sort_at", "pk").select_related("photo")[:2]
    title = page.get_by_role("heading", level=1)
    expect(title).to_have_text(first.photo.name)
    description = page.get_by_role("textbox", name="Description")
    expect(description).to_have_value(first.ai_description)
    description.fill("Seen by a person.")
    with page.expect_response(lambda response: response.request.method == "POST"):
        page.get_by_role("button", name="Approve").click()
    expect(title).to_have_text(second.photo.name)
    expect(description).to_have_value(second.ai_description)
    said = first.ai_description
    first.refresh_from_db()
    assert (first.review_status, first.ai_description) == ("approved", "Seen by a person.")
    second.refresh_from_db()
    assert second.review_status == "unreviewed"
    sources = (
        MetadataHistory.objects.filter(metadata=first).order_by("version").values_list("source", "new_description")
    )
    assert list(sources) == [("ai", said), ("person", "Seen by a person.")]


def look_at_its_history(page: Page) -> None:
    approved = AIMetadata.objects.select_related("photo").get(review_status="approved")
    page.goto(f"/photos/{approved.photo_id}/")
    person, machine = page.locator(".past > li").all()
    expect(person).to_contain_text("ada")
    expect(person).to_contain_text("edited and approved")
    expect(person.locator("ins").first).to_contain_text("Seen")
    expect(person.locator("del")).not_to_have_count(0)
    expect(machine).to_contain_text(approved.model)
    expect(machine).not_to_contain_text("ada")
    expect(machine.locator("ins, del")).to_have_count(0)
