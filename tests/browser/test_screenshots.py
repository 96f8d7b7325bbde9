"""Photographs of every page: not a test of anything, but what `make screenshots` is made of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page

from metadata import process, workflow
from metadata.models import AIMetadata, ProcessingRun
from smugmug import oauth
from smugmug.models import Account, Album, Photo, SyncRun
from tests.browser.conftest import DESK, TELEPHONE, OpenPage
from tests.factories import UserFactory

pytestmark = pytest.mark.screenshots


@pytest.fixture
def described(mirrored: Account) -> Account:
    """The demo library with the built-in model's words; grace has begun to review them."""
    mirrored.owner.first_name, mirrored.owner.last_name = "Ada", "Byron"
    mirrored.owner.save()
    describer = process.configured_describer()
    run, _ = process.start(mirrored, by=mirrored.owner, describer=describer)
    assert process.carry_on(run, describer=describer, client=oauth.connect(mirrored), seconds=300)
    grace = UserFactory(username="grace")
    for number, words in enumerate(AIMetadata.objects.for_review().order_by("sort_at", "pk")[:9]):
        if number % 4 == 3:
            workflow.reject(words, by=grace, version=words.version, reason="Wrong subject")
        else:
            better = f"{words.ai_description} Seen from close by, in soft light."
            changes = {"ai_description": better} if number % 2 else {}
            workflow.approve(words, by=grace, version=words.version, changes=changes)
    return mirrored


def pages(account: Account) -> Iterator[tuple[str, str]]:
    """(name, address) of the pages of a signed-in person."""
    animals = Album.objects.get(account=account, title="Animals")
    edited = Photo.objects.filter(ai_metadata__history__change_reason="edited and approved").first()
    assert edited is not None
    yield "dashboard", "/"
    yield "albums", "/albums/"
    yield "albums-none", "/albums/?q=nowhere"
    yield "album", f"/albums/{animals.pk}/"
    yield "photo", f"/photos/{edited.pk}/"
    yield "review", "/review/"
    yield "review-grid", "/review/grid/"
    yield "review-all", "/review/all/?do=approve"
    yield "search", "/search/?q=cat"
    yield "search-narrowed", "/search/?q=mountains+in+the+fog+status:waiting"
    yield "search-none", "/search/?q=zzyzx+album:Animals+colour:red"
    yield "search-like", f"/search/?like={edited.pk}"
    yield "search-empty", "/search/"
    yield "ledger", "/ledger/"
    yield "estimate", f"/processing/{account.nickname}/estimate?only=all"
    yield "activity", "/activity/"
    yield "trail", "/activity/audit/"
    yield "settings", "/settings/"
    yield "tokens", "/settings/tokens/"
    yield "api", "/api/docs"
    yield "connect", "/smugmug/connect"
    yield "password", "/password/"
    yield "not-found", "/nowhere"
    yield "admin", "/admin/metadata/aimetadata/"


class Camera:
    """Takes a page in both widths and both colour schemes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self, page: Page, name: str, *, whole: bool = True) -> None:
        for viewport in (DESK, TELEPHONE):
            for scheme in ("dark", "light"):
                page.set_viewport_size(viewport)
                page.emulate_media(color_scheme=scheme)
                page.evaluate("document.querySelectorAll('img').forEach((image) => (image.loading = 'eager'))")
                page.wait_for_load_state("networkidle")
                path = self.folder / f"{name}-{scheme}-{viewport['width']}.png"
                page.screenshot(path=path, full_page=whole)
                assert path.stat().st_size > 5_000


def test_photograph_every_page(open_page: OpenPage, screenshots: Path, described: Account) -> None:
    camera = Camera(screenshots)
    page = open_page()
    page.goto("/")
    camera.take(page, "sign-in")
    newcomer = open_page(user=UserFactory(username="newcomer"))
    for name, address in (("dashboard-new", "/"), ("albums-new", "/albums/"), ("review-new", "/review/")):
        newcomer.goto(address)
        camera.take(newcomer, name)
    described.owner.is_staff = described.owner.is_superuser = True
    described.owner.save()
    page = open_page(user=described.owner, refusals=(404,))
    for name, address in pages(described):
        page.goto(address)
        camera.take(
            page, name, whole=name not in {"review", "review-grid"}
        )  # its buttons stick to the edge of the window
    page.goto("/review/")
    page.keyboard.press("r")
    camera.take(page, "review-reject", whole=False)
    page.goto("/albums/")
    page.locator(".account > summary").click()
    camera.take(page, "menu", whole=False)
    under_way(described)
    page.goto("/")
    camera.take(page, "dashboard-busy")


def under_way(account: Account) -> None:
    """A sync that SmugMug holds up, and a describing run in full swing."""
    now = timezone.now()
    begun = {"state": "running", "requested_by": account.owner, "heartbeat_at": now}
    SyncRun.objects.create(
        account=account,
        total=6,
        done=4,
        photos_seen=31,
        requests_made=9,
        started_at=now - timedelta(seconds=3),
        waiting_for="Waiting for SmugMug until 14:03:20 UTC (it asked us to slow down).",
        **begun,
    )
    ProcessingRun.objects.create(
        account=account,
        total=58,
        done=31,
        described=31,
        describer="local",
        model="efficientnet-lite0",
        started_at=now - timedelta(seconds=8),
        **begun,
    )
