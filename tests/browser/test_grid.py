"""The grid by mouse, by keyboard alone, by finger, and without JavaScript."""

from __future__ import annotations

import re

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Locator, Page, expect

from metadata.models import AIMetadata, Decision
from smugmug.models import Account, Album, Photo
from tests.browser.conftest import DESK, TELEPHONE, OpenPage, intercept
from tests.browser.test_pages import faults
from tests.factories import AIMetadataFactory

NUMBER = 10


@pytest.fixture
def rows(mirrored: Account) -> list[AIMetadata]:
    """Words that wait for review, in the order of the grid."""
    photos = Photo.objects.filter(account=mirrored).order_by("pk")[:NUMBER]
    return [
        AIMetadataFactory(
            photo=photo,
            described=True,
            ai_title=f"Photo {place}",
            ai_tags=["beach", "sea"] if place < 3 else ["beach"],
            confidence_score=0.9 - place / 100,
            lane="glance",
        )
        for place, photo in enumerate(photos)
    ]


@pytest.fixture
def page(open_page: OpenPage, mirrored: Account, rows: list[AIMetadata]) -> Page:
    page = open_page(user=mirrored.owner, refusals=(422,))
    page.goto("/review/grid/")
    expect(page.locator("[data-tile]")).to_have_count(NUMBER)
    return page


def tile(page: Page, place: int) -> Locator:
    return page.locator("[data-tile]").nth(place)


def box(page: Page, place: int) -> Locator:
    return tile(page, place).get_by_role("checkbox")


def marked(page: Page) -> list[int]:
    """The places of the tiles that are marked."""
    checked = page.locator("[data-tile] input[name=mark]").evaluate_all("boxes => boxes.map((box) => box.checked)")
    return [place for place, is_marked in enumerate(checked) if is_marked]


def approved(rows: list[AIMetadata]) -> list[int]:
    found = dict(AIMetadata.objects.values_list("pk", "review_status"))
    return [place for place, row in enumerate(rows) if found[row.pk] == "approved"]


# --- Mouse -----------------------------------------------------------------------------------------------------


def test_click_marks_and_approve_leaves_the_marked(page: Page, rows: list[AIMetadata]) -> None:
    tile(page, 1).click(position={"x": 60, "y": 60})  # on the picture
    tile(page, 4).click(position={"x": 60, "y": 220})  # on the words
    assert marked(page) == [1, 4]
    expect(page.get_by_role("status").filter(has_text="2 marked. 8 would be approved.")).to_have_count(1)
    page.get_by_role("button", name="Approve 8, leave 2").click()
    expect(page.get_by_text("8 photos approved.")).to_be_visible()
    expect(page.locator("[data-tile]")).to_have_count(2)
    assert approved(rows) == [0, 2, 3, 5, 6, 7, 8, 9]
    assert Decision.objects.get().changed == 8


def test_shift_and_click_marks_a_range_and_keeps_what_was_marked(page: Page) -> None:
    tile(page, 0).click()
    tile(page, 3).click()
    tile(page, 6).click(modifiers=["Shift"])
    expect(page.get_by_role("button", name="Approve 5, leave 5")).to_be_visible()
    assert marked(page) == [0, 3, 4, 5, 6]
    tile(page, 2).click(modifiers=["Shift"])
    expect(page.get_by_role("button", name="Approve 7, leave 3")).to_be_visible()
    assert marked(page) == [0, 2, 3]


def test_double_click_opens_the_photo_and_marks_nothing(page: Page, rows: list[AIMetadata]) -> None:
    tile(page, 2).dblclick()
    page.wait_for_url(f"**/review/?photo={rows[2].photo_id}")
    expect(page.get_by_role("heading", level=1)).to_have_text(rows[2].photo.name)
    assert approved(rows) == []


# --- Keyboard --------------------------------------------------------------------------------------------------


def test_arrows_move_the_cursor_and_keys_mark_what_it_is_on(page: Page) -> None:
    expect(box(page, 0)).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    expect(box(page, 2)).to_be_focused()
    assert marked(page) == [1, 2]
    page.keyboard.press("x")
    assert marked(page) == [1]
    page.keyboard.press("End")
    expect(box(page, NUMBER - 1)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(box(page, NUMBER - 1)).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    below = page.evaluate("document.activeElement.closest('li').getBoundingClientRect().top")
    first = tile(page, 0).bounding_box()
    assert first is not None
    assert below > first["y"] + first["height"]


def test_shift_and_arrows_take_along_and_let_go(page: Page) -> None:
    page.keyboard.press("ArrowRight")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    assert marked(page) == [1, 2, 3, 4]
    page.keyboard.press("Shift+ArrowLeft")
    assert marked(page) == [1, 2, 3]


def test_control_a_marks_the_whole_page_and_again_nothing(page: Page, rows: list[AIMetadata]) -> None:
    page.keyboard.press("Control+a")
    assert marked(page) == list(range(NUMBER))
    expect(page.get_by_role("button", name=f"Approve 0, leave {NUMBER}")).to_be_disabled()
    page.keyboard.press("a")
    page.keyboard.press("Control+a")
    assert marked(page) == []
    assert approved(rows) == []


def test_a_approves_the_page_and_u_takes_it_back(page: Page, rows: list[AIMetadata]) -> None:
    page.keyboard.press("x")
    page.keyboard.press("a")
    expect(page.get_by_text("9 photos approved.")).to_be_visible()
    expect(page.locator("[data-tile]")).to_have_count(1)
    expect(box(page, 0)).to_be_focused()
    assert approved(rows) == list(range(1, NUMBER))
    page.keyboard.press("u")
    expect(page.locator("[data-tile]")).to_have_count(NUMBER)
    assert approved(rows) == []


def test_r_and_a_number_reject_the_marked_with_that_reason(page: Page, rows: list[AIMetadata]) -> None:
    page.keyboard.press("2")  # asleep while the reasons are closed
    page.keyboard.press("x")
    page.keyboard.press("r")
    expect(page.get_by_role("button", name="Invented details")).to_be_visible()
    page.keyboard.press("2")
    expect(page.get_by_text("1 photo rejected.")).to_be_visible()
    expect(page.locator("[data-tile]")).to_have_count(NUMBER - 1)
    rows[0].refresh_from_db()
    assert (rows[0].review_status, rows[0].rejection_reason) == ("rejected", "Invented details")
    assert approved(rows) == []


def test_enter_opens_the_photo_under_the_cursor(page: Page, rows: list[AIMetadata]) -> None:
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/review/?photo={rows[1].photo_id}")
    assert approved(rows) == []


def test_tags_of_the_marked_are_counted_and_changed_by_keyboard(page: Page, rows: list[AIMetadata]) -> None:
    page.keyboard.press("t")
    sea = page.locator("[data-tag=sea]")
    expect(sea).to_contain_text(f"3 of {NUMBER}")
    page.keyboard.press("Escape")
    for place in (0, 5):
        tile(page, place).click()
    page.keyboard.press("t")
    expect(sea).to_contain_text("1 of 2")
    expect(page.locator("[data-tag=beach]").first).to_contain_text("2 of 2")
    page.get_by_label("Add", exact=True).fill("low sun")
    page.keyboard.press("Enter")
    expect(page.get_by_text("“low sun” added to 2 photos.")).to_be_visible()
    found = dict(AIMetadata.objects.values_list("pk", "ai_tags"))
    assert [place for place, row in enumerate(rows) if "low sun" in found[row.pk]] == [0, 5]
    assert approved(rows) == []


def test_a_tag_that_is_begun_is_completed_and_added_only_when_asked(page: Page, rows: list[AIMetadata]) -> None:
    page.keyboard.press("t")
    field = page.locator("#add")
    expect(field).to_be_focused()
    page.keyboard.type("se")
    expect(page.locator("#add-list option")).to_have_attribute("value", "sea")
    field.evaluate("""field => {
        field.value = "sea";  // as the browser does when a person chooses
        field.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: "insertReplacementText" }));
    }""")
    assert Decision.objects.count() == 0
    page.keyboard.press("Enter")
    expect(page.get_by_text("“sea” added to 7 photos.")).to_be_visible()
    assert Decision.objects.get().changed == 7


def test_type_into_a_field_writes_and_marks_nothing(page: Page, rows: list[AIMetadata]) -> None:
    page.keyboard.press("t")
    page.keyboard.type("xa")
    page.keyboard.press("Control+a")
    assert marked(page) == []
    expect(page.get_by_label("Add", exact=True)).to_have_value("xa")
    assert approved(rows) == []


def test_escape_closes_the_tags_and_leads_back_to_the_tile(page: Page, rows: list[AIMetadata]) -> None:
    page.keyboard.press("ArrowRight")
    page.keyboard.press("t")
    expect(page.locator("#add")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#add")).to_be_hidden()
    expect(box(page, 1)).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    assert marked(page) == [2]
    assert approved(rows) == []


def test_escape_on_a_tile_closes_the_menu_that_is_open(page: Page) -> None:
    page.locator("details:has(#add)").evaluate("menu => menu.open = true")
    expect(box(page, 0)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#add")).to_be_hidden()
    expect(box(page, 0)).to_be_focused()


def test_letters_while_the_reasons_are_open_neither_mark_nor_approve(page: Page, rows: list[AIMetadata]) -> None:
    page.keyboard.press("x")
    page.keyboard.press("r")
    for key in ("x", "a", "t", "Control+a"):
        page.keyboard.press(key)
    expect(page.get_by_role("button", name="Invented details")).to_be_visible()
    assert marked(page) == [0]
    page.keyboard.press("Tab")
    expect(page.get_by_label("Anything to add?")).to_be_focused()
    page.keyboard.type("blurred")
    page.keyboard.press("Escape")
    page.keyboard.press("5")
    expect(page.get_by_text("1 photo rejected.")).to_be_visible()
    rows[0].refresh_from_db()
    assert rows[0].rejection_reason == "Other: blurred"
    assert approved(rows) == []


def test_r_without_a_mark_opens_nothing_and_says_why(page: Page, rows: list[AIMetadata]) -> None:
    page.keyboard.press("r")
    expect(page.get_by_role("status").filter(has_text="Mark what to reject first")).to_have_count(1)
    expect(page.get_by_role("button", name="Invented details")).to_be_hidden()
    expect(box(page, 0)).to_be_focused()
    page.locator("summary", has_text="Reject marked").click()
    expect(page.get_by_role("button", name="Invented details")).to_be_hidden()


def test_the_button_counts_every_frame_of_the_bursts_on_the_page(page: Page, rows: list[AIMetadata]) -> None:
    AIMetadata.objects.filter(pk__in=[row.pk for row in rows[:3]]).update(stack=rows[0].pk)
    page.reload()
    expect(page.locator("[data-tile]")).to_have_count(NUMBER - 2)
    expect(page.get_by_role("button", name=f"Approve {NUMBER} ({NUMBER - 2} shown)")).to_be_visible()
    tile(page, 0).click()
    expect(page.get_by_role("button", name="Approve 7, leave 1")).to_be_visible()
    tile(page, 0).click()
    page.get_by_role("button", name=f"Approve {NUMBER}").click()
    expect(page.get_by_text(f"{NUMBER} photos approved.")).to_be_visible()


@pytest.mark.parametrize(("width", "height"), [(390, 844), (360, 640), (720, 450)])
def test_the_dock_covers_neither_the_cursor_nor_the_tags(page: Page, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.keyboard.press("End")
    for place in range(NUMBER - 1):
        page.keyboard.press("ArrowLeft")
        covered = page.evaluate(
            """() => document.activeElement.closest('li').getBoundingClientRect().bottom
                > document.querySelector('.dock').getBoundingClientRect().top"""
        )
        assert not covered, place
    page.keyboard.press("t")
    expect(page.locator("#add")).to_be_in_viewport(ratio=1)
    assert page.locator(".pop:visible").evaluate("pop => pop.getBoundingClientRect().top") >= 0


def test_tag_some_keeps_them_marked_for_the_next_tag(page: Page) -> None:
    tile(page, 1).click()
    tile(page, 3).click()
    page.keyboard.press("t")
    page.keyboard.type("one")
    page.keyboard.press("Enter")
    expect(page.get_by_text("“one” added to 2 photos.")).to_be_visible()
    assert marked(page) == [1, 3]
    expect(page.get_by_role("button", name="Approve 8, leave 2")).to_be_visible()


def test_approve_while_the_server_has_trouble_says_so_and_keeps_the_page(
    open_page: OpenPage, mirrored: Account, rows: list[AIMetadata]
) -> None:
    page = open_page(user=mirrored.owner, refusals=(500,))
    page.goto("/review/grid/")
    tile(page, 2).click()
    intercept(page, "**/review/grid/approve*", lambda route: route.fulfill(status=500))
    for _ in range(2):
        page.keyboard.press("a")
        expect(page.locator("#messages")).to_contain_text("No answer came that this was done.")
    expect(page.locator("#messages .message")).to_have_count(1)
    assert marked(page) == [2]
    page.unroute("**/review/grid/approve*")
    page.keyboard.press("a")
    expect(page.get_by_text("9 photos approved.")).to_be_visible()
    assert Decision.objects.get().changed == 9


# --- Fingers, and no JavaScript --------------------------------------------------------------------------------


def test_tap_marks_and_a_long_press_opens(open_page: OpenPage, mirrored: Account, rows: list[AIMetadata]) -> None:
    page = open_page(user=mirrored.owner, viewport=TELEPHONE, has_touch=True, is_mobile=True)
    page.goto("/review/grid/")
    tile(page, 1).tap()
    expect(page.get_by_role("button", name="Approve 9, leave 1")).to_be_visible()
    place = tile(page, 0).bounding_box()
    assert place is not None
    finger = page.context.new_cdp_session(page)
    point = {"x": place["x"] + 60, "y": place["y"] + 60}
    finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    page.wait_for_url(f"**/review/?photo={rows[0].photo_id}")
    assert approved(rows) == []


def test_what_fingers_meet_in_the_grid_is_large_enough(
    open_page: OpenPage, mirrored: Account, rows: list[AIMetadata]
) -> None:
    page = open_page(user=mirrored.owner, viewport=TELEPHONE, has_touch=True, is_mobile=True)
    page.goto("/review/grid/")
    small = page.evaluate(
        """() => [...document.querySelectorAll('.dock .btn, .shot .open')]
            .filter((each) => each.checkVisibility() && each.getBoundingClientRect().height < 44)
            .map((each) => each.outerHTML.slice(0, 90))"""
    )
    assert small == []
    expect(page.get_by_text("a long press opens")).to_be_visible()
    expect(page.locator("kbd").first).to_be_hidden()


def test_a_narrow_window_at_a_desk_still_shows_the_keys(page: Page) -> None:
    page.set_viewport_size({"width": 720, "height": 450})
    expect(page.get_by_role("button", name=f"Approve {NUMBER}").locator("kbd")).to_be_visible()
    expect(page.get_by_text("a long press opens")).to_be_hidden()


def test_approve_reject_and_tag_as_plain_forms(open_page: OpenPage, mirrored: Account, rows: list[AIMetadata]) -> None:
    page = open_page(user=mirrored.owner, java_script_enabled=False)
    page.goto("/review/grid/")
    box(page, 2).check()
    page.locator("summary", has_text="Tags").click()
    page.get_by_label("Add", exact=True).fill("low sun")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("“low sun” added to 1 photo.")).to_be_visible()
    box(page, 0).check()
    page.locator("summary", has_text="Reject marked").click()
    page.get_by_role("button", name="Too vague").click()
    expect(page.locator("[data-tile]")).to_have_count(NUMBER - 1)
    box(page, 0).check()
    page.get_by_role("button", name="Approve the unmarked").click()
    expect(page.locator("[data-tile]")).to_have_count(1)
    assert approved(rows) == list(range(2, NUMBER))


def test_approve_all_that_match_goes_by_a_page_that_tells_what_will_happen(page: Page, rows: list[AIMetadata]) -> None:
    page.get_by_role("link", name=f"All {NUMBER} that match…").click()
    expect(page.get_by_text(f"{NUMBER} photos will be approved")).to_be_visible()
    assert approved(rows) == []
    page.get_by_role("button", name=f"Approve {NUMBER}").click()
    page.wait_for_url("**/review/grid/")
    expect(page.get_by_text(f"{NUMBER} photos approved", exact=True)).to_be_visible()
    assert approved(rows) == list(range(NUMBER))
    page.get_by_role("button", name="Undo").first.click()
    expect(page.locator("[data-tile]")).to_have_count(NUMBER)
    assert approved(rows) == []


# --- For everyone ----------------------------------------------------------------------------------------------


def test_show_the_grid_in_any_state_has_no_fault_that_axe_finds(page: Page, mirrored: Account) -> None:
    album = Album.objects.get(account=mirrored, title="Animals")
    AIMetadata.objects.filter(photo__in=Photo.objects.in_album(album)).update(stack=None)
    found = faults(page)
    page.set_viewport_size(DESK)
    page.keyboard.press("x")
    for key in ("t", "r"):
        page.keyboard.press(key)
        found += faults(page)
        page.set_viewport_size(DESK)
        page.keyboard.press("Escape")
    for address in ("/review/grid/?size=100", "/review/grid/?status=all", "/review/grid/?tag=none"):
        page.goto(address)
        found += faults(page)
    for act in ("approve", "reject", "tags"):
        page.goto(f"/review/all/?do={act}")
        found += faults(page)
    assert "\n".join(found) == ""


# --- Signed out meanwhile --------------------------------------------------------------------------------------


def test_sign_in_again_in_another_tab_keeps_the_marks_and_what_was_typed(
    page: Page, mirrored: Account, rows: list[AIMetadata]
) -> None:
    mirrored.owner.set_password("a long password")
    mirrored.owner.save()
    box(page, 1).check()
    page.keyboard.press("r")
    page.get_by_label("Anything to add?").fill("Typed while signed out")
    page.context.clear_cookies(name=re.compile("session"))
    Session.objects.all().delete()
    page.get_by_role("button", name="Too vague").click()
    expect(page.get_by_text("You are signed out, so nothing was done.")).to_be_visible()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="sign in in another tab").click()
    tab = opened.value
    tab.get_by_label("Username").fill(mirrored.owner.username)
    tab.get_by_label("Password").fill("a long password")
    tab.get_by_role("button", name="Sign in").click()
    tab.wait_for_url("**/review/grid/**")
    page.bring_to_front()
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(page.get_by_text("You are signed out")).to_have_count(0)
    assert marked(page) == [1]
    page.locator("summary", has_text="Reject 1 marked").click()
    page.get_by_role("button", name="Too vague").click()

    expect(page.get_by_text("1 photo rejected.")).to_be_visible()
    rows[1].refresh_from_db()
    assert (rows[1].review_status, rows[1].rejection_reason) == ("rejected", "Too vague: Typed while signed out")
    assert approved(rows) == []
