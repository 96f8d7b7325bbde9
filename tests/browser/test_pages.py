"""Every page, narrow and wide, dark and light, and without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import Page, expect

from metadata import prompts, sampling
from metadata.models import AIMetadata, Decision, Export
from metadata.queue import ReviewFilter
from smugmug.models import Account, Album, Photo, SyncRun
from tests.browser.conftest import DESK, TELEPHONE, OpenPage
from tests.factories import AICallFactory, AlbumFactory, ExportFactory, PhotoFactory, UserFactory

NARROW = (390, 360)
LOOKS = [(DESK, "dark"), (DESK, "light"), (TELEPHONE, "dark")]  # the colours are the same in both widths
AXE = """() => axe.run({ resultTypes: ["violations"] }).then(
    ({ violations }) => violations.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 200)}`)
)"""
# Pages that are there whatever the library holds.
PLAIN = (
    "/",
    "/albums/",
    "/albums/?q=nowhere",
    "/search/",
    "/search/?q=cat",
    "/search/?q=zzyzx+status:lost",
    "/search/facets?q=cat",
    "/review/",
    "/review/grid/",
    "/review/all/?do=tags",
    "/review/samples/",
    "/review/samples/new",
    "/review/figures/",
    "/review/decisions/",
    "/review/decisions/?show=many",
    "/review/say-once/offer?account={nickname}&old=harbour&new=port",
    "/activity/",
    "/activity/?state=trouble",
    "/activity/audit/",
    "/smugmug/connect",
    "/settings/",
    "/settings/tokens/",
    "/api/docs",
    "/ledger/",
    "/ledger/?by=model&period=all",
    "/processing/{nickname}/estimate",
    "/password/",
    "/nowhere",
    "/exports/?tag=cat",
    "/settings/{nickname}/prompts/",
)


def addresses(account: Account) -> Iterator[str]:
    """Every page of a library in the middle of the work."""
    yield from (address.format(nickname=account.nickname) for address in PLAIN)
    album = Album.objects.get(account=account, title="Animals")
    approved = Photo.objects.get(ai_metadata__approved=True)
    yield f"/exports/{Export.objects.get().pk}/"
    yield f"/albums/{album.pk}/"
    yield f"/albums/{album.pk}/?show=failed"
    yield f"/settings/{account.nickname}/prompts/{prompts.active(account).pk}/"
    yield f"/photos/{approved.pk}/"
    yield f"/photos/{Photo.objects.filter(ai_metadata=None)[0].pk}/"
    yield f"/review/?photo={approved.pk}"
    yield f"/review/decisions/{Decision.objects.filter(kind='approve')[0].pk}/"
    burst = AIMetadata.objects.for_review()[:3]
    AIMetadata.objects.filter(pk__in=[frame.pk for frame in burst]).update(stack=burst[0].pk)
    yield f"/review/{burst[0].pk}/stack"
    yield f"/review/?photo={burst[0].photo_id}"
    yield from samples(account)


def samples(account: Account) -> Iterator[str]:
    """A sample to be looked through, and one that has been."""
    for seen in (False, True):
        sample = sampling.draw(account, ReviewFilter(), by=account.owner, size=2)
        yield f"/review/samples/{sample.pk}/"
        for drawn in sampling.to_see(sample, 2) if seen else ():
            sampling.judge(drawn, by=account.owner, version=drawn.words.version, is_right=False)
    yield f"/review/samples/{sample.pk}/"


def faults(page: Page) -> list[str]:
    """What axe finds, in both widths, in both colour schemes, and the widths at which the page scrolls sideways."""
    found = []
    page.evaluate(Axe().axe_script)  # once for all of its looks
    for viewport, scheme in LOOKS:
        resize(page, viewport["width"], viewport["height"])
        page.emulate_media(color_scheme=scheme)
        found += [f"{page.url} {viewport['width']} {scheme}: {fault}" for fault in page.evaluate(AXE)]
    return found + [f"{page.url} scrolls sideways at {width}" for width in NARROW if scrolls_sideways(page, width)]


def resize(page: Page, width: int, height: int) -> None:
    """Only where it makes a difference: Chromium takes its time over it."""
    if page.viewport_size != {"width": width, "height": height}:
        page.set_viewport_size({"width": width, "height": height})


def scrolls_sideways(page: Page, width: int) -> bool:
    resize(page, width, TELEPHONE["height"])
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


CUT_OFF = """() => {
    const parts = [...document.querySelectorAll(".bar a:not(.skip), .bar form.quick, .bar summary")];
    const boxes = parts.filter((part) => part.checkVisibility()).map((part) => {
        const end = Math.min(part.closest("nav")?.getBoundingClientRect().right ?? innerWidth, innerWidth);
        return { name: part.textContent.trim(), end, box: part.getBoundingClientRect() };
    });
    const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
    return boxes.filter(({ box, end }, number) => box.left < 0 || box.right > end + 1
        || boxes.slice(number + 1).some((other) => meet(box, other.box))).map(({ name }) => name);
}"""


def test_header_shows_all_its_links_whole_at_every_width(open_page: OpenPage, worked_on: Account) -> None:
    owner = worked_on.owner
    owner.first_name, owner.last_name = "Maximiliane", "von Habsburg-Lothringen"
    owner.save()
    cache.set(f"review-waiting:{owner.pk}", 10_001)
    page = open_page(user=owner)
    page.goto("/albums/")
    faults = {}
    for width in (360, 390, 480, 600, 601, 700, 768, 900, 901, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        links = page.get_by_role("link", name="Search", exact=True).count()
        faults[width] = [*page.evaluate(CUT_OFF), *([] if links == 1 else [f"{links} ways to search"])]
    assert {width: found for width, found in faults.items() if found} == {}

    page.set_viewport_size(TELEPHONE)
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement.textContent.trim()") != "Search":
        assert page.evaluate("document.activeElement.closest('.bar') !== null")
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_show_any_page_has_no_fault_that_axe_finds_and_fits_a_telephone(
    open_page: OpenPage, worked_on: Account
) -> None:
    SyncRun.objects.create(account=worked_on, total=6, done=2, state="running", waiting_for="Waiting for SmugMug.")
    AICallFactory(account=worked_on)
    AICallFactory(account=worked_on, unknown=True, outcome="outage")
    ExportFactory(account=worked_on, state="succeeded", holder=uuid4(), size_bytes=12_345, finished_at=timezone.now())
    page = open_page(user=worked_on.owner, refusals=(404,))
    found = []
    for address in addresses(worked_on):
        page.goto(address)
        found += faults(page)
    page.goto("/review/")
    for key in ("z", "r", "g", "?", "f"):
        page.keyboard.press(key)
        found += faults(page)
        page.keyboard.press("Escape")
    page.locator(".account > summary").click()
    found += faults(page)
    page.goto("/activity/")
    page.locator(".past summary").first.click()
    found += faults(page)
    page.goto(f"/albums/{Album.objects.get(account=worked_on, title='Animals').pk}/")
    page.locator(".extras > summary").click()
    assert found + faults(page) == []


def test_show_any_page_to_a_newcomer_has_no_fault_either(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/")
    expect(page.get_by_role("heading", name="Make the first user")).to_be_visible()
    found = faults(page)
    newcomer = UserFactory()
    page.goto("/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    found += faults(page)
    page = open_page(user=newcomer)
    for address in ("/", "/albums/", "/review/", "/activity/", "/activity/audit/"):
        page.goto(address)
        found += faults(page)
    page.goto("/smugmug/connect")
    page.get_by_role("button", name="Type a code instead").click()
    expect(page.get_by_role("button", name="Connect")).to_be_visible()
    assert found + faults(page) == []


def test_review_on_a_telephone_shows_the_whole_description_above_the_buttons(
    open_page: OpenPage, worked_on: Account
) -> None:
    page = open_page(user=worked_on.owner, viewport=TELEPHONE)
    page.goto("/review/")
    description = page.get_by_role("textbox", name="Description")
    place, buttons = description.bounding_box(), page.locator(".decide").bounding_box()
    assert place is not None
    assert buttons is not None
    assert place["y"] + place["height"] <= buttons["y"]
    assert buttons["y"] + buttons["height"] <= TELEPHONE["height"]
    assert description.evaluate("field => field.scrollHeight <= field.clientHeight")


def test_choose_the_dark_theme_darkens_every_page_whatever_the_system_wishes(
    open_page: OpenPage, library_of_ada: Account
) -> None:
    page = open_page(user=library_of_ada.owner, color_scheme="light")
    page.goto("/albums/")
    light = background(page)
    page.locator(".account > summary").click()
    page.get_by_role("button", name="Dark").click()
    page.wait_for_url("**/albums/")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    dark = background(page)
    page.goto("/")
    assert background(page) == dark != light


def test_forced_colours_still_show_where_one_is_and_what_was_decided(open_page: OpenPage, worked_on: Account) -> None:
    page = open_page(user=worked_on.owner, forced_colors="active")
    page.goto("/review/")
    look = "link => getComputedStyle(link).backgroundColor"
    here, elsewhere = page.get_by_role("link", name="Focus"), page.get_by_role("link", name="Grid")
    assert here.evaluate(look) != elsewhere.evaluate(look)
    assert page.locator("meter").first.evaluate("meter => getComputedStyle(meter).borderTopStyle") == "solid"
    page.keyboard.press("a")
    expect(page.locator("#strip .good")).to_have_count(1)
    # In one go: the strip is drawn anew whenever more photos are there.
    glyph = page.evaluate("getComputedStyle(document.querySelector('#strip .good'), '::after').content")
    assert "✓" in glyph


def background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))


def test_scroll_a_gallery_brings_the_rest_by_itself(open_page: OpenPage, live: str) -> None:
    album = big_album()
    page = open_page(user=album.account.owner)
    page.goto(f"/albums/{album.pk}/")
    expect(page.locator(".tile")).to_have_count(50)
    page.keyboard.press("End")
    expect(page.locator(".tile")).to_have_count(53)
    expect(page.get_by_role("link", name="More photos")).to_have_count(0)


def big_album() -> Album:
    """53 photos, of which a page of a gallery holds 50."""
    album = AlbumFactory()
    PhotoFactory.create_batch(53, album=album)
    return album


class TestWithoutJavaScript:
    def test_follow_more_photos_shows_the_rest(self, open_page: OpenPage, live: str) -> None:
        album = big_album()
        page = open_page(user=album.account.owner, java_script_enabled=False)
        page.goto(f"/albums/{album.pk}/")
        page.get_by_role("link", name="More photos").click()
        expect(page.locator(".tile")).to_have_count(3)
        expect(page.get_by_role("heading", level=1)).to_have_text(album.title)

    def test_press_sync_begins_one(self, open_page: OpenPage, mirrored: Account) -> None:
        page = open_page(user=mirrored.owner, java_script_enabled=False)
        page.goto("/")
        page.get_by_role("button", name="Sync").click()
        expect(page.get_by_text("Waiting for a worker")).to_be_visible()
        assert SyncRun.objects.active().filter(account=mirrored, requested_by=mirrored.owner).count() == 1

    def test_approve_and_reject_as_plain_forms_go_on_to_the_next(self, open_page: OpenPage, worked_on: Account) -> None:
        first, second, third = AIMetadata.objects.for_review().order_by("sort_at", "pk").select_related("photo")[:3]
        page = open_page(user=worked_on.owner, java_script_enabled=False)
        page.goto("/review/")
        page.get_by_role("textbox", name="Tags").fill("cat, wall")
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(second.photo.name)
        page.locator("summary", has_text="Reject").click()
        page.get_by_role("button", name="Too vague").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(third.photo.name)
        for words in (first, second, third):
            words.refresh_from_db()
        assert (first.review_status, first.ai_tags) == ("approved", ["cat", "wall"])
        assert (second.review_status, second.rejection_reason) == ("rejected", "Too vague")
        assert third.review_status == "unreviewed"
