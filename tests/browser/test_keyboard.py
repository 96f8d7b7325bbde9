"""Everything by keyboard alone, and keys that type where somebody types."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from metadata.models import AIMetadata
from smugmug.models import Account, SyncRun
from tests.browser.conftest import LONG_DESCRIPTION, OpenPage


@pytest.fixture
def queue(worked_on: Account) -> list[AIMetadata]:
    """The words that wait for review, in their order."""
    return list(AIMetadata.objects.for_review().order_by("sort_at", "pk").select_related("photo"))


@pytest.fixture
def page(open_page: OpenPage, worked_on: Account, queue: list[AIMetadata]) -> Page:
    """The review page, with the first photo of the queue."""
    page = open_page(user=worked_on.owner)
    page.goto("/review/")
    expect(title(page)).to_have_text(queue[0].photo.name)
    return page


def title(page: Page) -> Locator:
    return page.get_by_role("heading", level=1)


def stands(words: AIMetadata) -> Any:
    words.refresh_from_db()
    return words


def press_and_save(page: Page, key: str) -> None:
    """Press a key that decides, and wait until that is saved behind the page."""
    with page.expect_response(lambda response: response.request.method == "POST"):
        page.keyboard.press(key)


def test_press_a_approves_and_brings_the_next_photo(page: Page, queue: list[AIMetadata]) -> None:
    press_and_save(page, "a")
    expect(title(page)).to_have_text(queue[1].photo.name)
    expect(page.get_by_role("status").get_by_text(f"Approved. Next: {queue[1].photo.name}.")).to_be_visible()
    assert stands(queue[0]).review_status == "approved"
    assert stands(queue[1]).review_status == "unreviewed"


def test_type_an_a_into_the_description_writes_it_and_approves_nothing(page: Page, queue: list[AIMetadata]) -> None:
    page.keyboard.press("e")
    expect(page.get_by_role("textbox", name="Description")).to_be_focused()
    page.keyboard.press("ControlOrMeta+End")
    page.keyboard.type(" A sax.")
    expect(page.get_by_role("textbox", name="Description")).to_have_value(f"{LONG_DESCRIPTION} A sax.")
    expect(title(page)).to_have_text(queue[0].photo.name)
    assert stands(queue[0]).review_status == "unreviewed"
    page.keyboard.press("Escape")
    press_and_save(page, "a")
    expect(title(page)).to_have_text(queue[1].photo.name)
    assert stands(queue[0]).ai_description == f"{LONG_DESCRIPTION} A sax."


def test_press_r_and_a_number_rejects_with_that_reason(page: Page, queue: list[AIMetadata]) -> None:
    page.keyboard.press("2")  # asleep while the reasons are closed
    page.keyboard.press("r")
    expect(page.get_by_role("button", name="Invented details")).to_be_visible()
    assert stands(queue[0]).review_status == "unreviewed"
    press_and_save(page, "2")
    expect(title(page)).to_have_text(queue[1].photo.name)
    assert (stands(queue[0]).review_status, queue[0].rejection_reason) == ("rejected", "Invented details")


def test_press_escape_closes_the_reasons_and_decides_nothing(page: Page, queue: list[AIMetadata]) -> None:
    page.keyboard.press("r")
    expect(page.get_by_role("button", name="Invented details")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Invented details")).to_be_hidden()
    page.keyboard.press("2")
    page.wait_for_load_state("networkidle")
    assert stands(queue[0]).review_status == "unreviewed"


def test_press_g_and_type_writes_the_note_and_decides_nothing(page: Page, queue: list[AIMetadata]) -> None:
    page.keyboard.press("g")
    note = page.get_by_role("textbox", name="What should the model know?")
    expect(note).to_be_focused()
    page.keyboard.type("A heron")
    expect(note).to_have_value("A heron")
    page.keyboard.press("Escape")
    expect(note).to_be_hidden()
    expect(title(page)).to_be_focused()
    expect(title(page)).to_have_text(queue[0].photo.name)
    assert {stands(words).review_status for words in queue} == {"unreviewed"}


def test_press_letters_while_the_reasons_are_open_decides_nothing(page: Page, queue: list[AIMetadata]) -> None:
    page.keyboard.press("r")
    for key in ("a", "s", "g", "e"):
        page.keyboard.press(key)
    expect(page.get_by_role("button", name="Invented details")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("textbox", name="Anything to add?")).to_be_focused()
    page.keyboard.type("blurred")
    page.keyboard.press("Escape")
    press_and_save(page, "5")
    expect(title(page)).to_have_text(queue[1].photo.name)
    assert (stands(queue[0]).review_status, queue[0].rejection_reason) == ("rejected", "Other: blurred")


def test_press_f_leads_into_the_filter_and_escape_back(page: Page, queue: list[AIMetadata]) -> None:
    page.keyboard.press("f")
    expect(page.get_by_label("Text", exact=True)).to_be_focused()
    page.keyboard.type("a")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Album", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Text", exact=True)).to_be_hidden()
    expect(title(page)).to_be_focused()
    assert stands(queue[0]).review_status == "unreviewed"


def test_press_question_mark_leads_into_the_help_and_escape_back(page: Page) -> None:
    page.set_viewport_size({"width": 720, "height": 450})  # a desk's window at 200 %
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys").get_by_role("button", name="Close")).to_be_focused()
    expect(page.get_by_role("dialog", name="Keys")).to_be_in_viewport(ratio=1)
    page.keyboard.press("Escape")
    expect(title(page)).to_be_focused()


def test_a_zoomed_photo_is_reached_by_tab_and_says_what_it_is(page: Page) -> None:
    page.keyboard.press("z")
    photo = page.get_by_role("figure", name="Photo, zoomed: the arrows move it")
    expect(photo).to_have_attribute("tabindex", "0")
    photo.focus()
    page.keyboard.press("z")
    expect(page.locator("[data-pan]")).not_to_have_attribute("tabindex", "0")
    expect(title(page)).to_be_focused()


def test_press_s_skips_to_the_next_and_decides_nothing(page: Page, queue: list[AIMetadata]) -> None:
    page.keyboard.press("s")
    expect(title(page)).to_have_text(queue[1].photo.name)
    assert stands(queue[0]).review_status == "unreviewed"


def test_edit_tags_by_keyboard_saves_what_the_chips_show(page: Page, queue: list[AIMetadata]) -> None:
    page.keyboard.press("t")
    expect(page.get_by_role("combobox", name="Tags")).to_be_focused()
    page.keyboard.press("Backspace")  # takes the last one away
    page.keyboard.type("harbour,wall")
    page.keyboard.press("Enter")
    expect(page.locator(".tags .chip")).to_contain_text(["cat", "harbour", "wall"])
    expect(title(page)).to_have_text(queue[0].photo.name)
    page.keyboard.press("Escape")
    press_and_save(page, "a")
    expect(title(page)).to_have_text(queue[1].photo.name)
    assert stands(queue[0]).ai_tags == ["cat", "harbour", "wall"]


def test_take_a_frame_out_of_its_burst_leaves_the_focus_on_the_heading(page: Page, queue: list[AIMetadata]) -> None:
    AIMetadata.objects.filter(pk__in=[frame.pk for frame in queue[:3]]).update(stack=queue[0].pk)
    page.goto(f"/review/{queue[0].pk}/stack")
    page.get_by_role("button", name=f"Take out {queue[2].photo.name}").press("Enter")
    expect(title(page)).to_have_text("No burst")  # the others do not look alike
    expect(title(page)).to_be_focused()
    assert stands(queue[0]).review_status == "unreviewed"


def test_take_the_skip_link_moves_past_the_navigation(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


@pytest.mark.parametrize("address", ["/", "/albums/", "/review/", "/activity/", "/smugmug/connect"])
def test_walk_by_tab_shows_where_one_is(page: Page, address: str) -> None:
    page.goto(address)
    unseen, visited = [], 0
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUS)
        if focused is None:
            break
        visited += 1
        unseen += [focused["html"]] if not focused["shown"] else []
    assert visited > 5
    assert unseen == []


def test_open_a_past_run_and_choose_another_sync_by_keyboard(page: Page, worked_on: Account) -> None:
    page.goto("/activity/")
    run = page.locator(".past details").first
    run.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(run.locator(".facts")).to_be_visible()
    page.goto("/")
    page.get_by_role("button", name="Sync changes").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Check everything")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Check everything")).to_be_hidden()
    assert not SyncRun.objects.active().exists()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Checking everything in demo")).to_be_visible()
    assert SyncRun.objects.active().get().kind == "verify"


# An outline, on the element or on the box it stands in; None past the last element.
FOCUS = """() => {
    const element = document.activeElement;
    if (!element || element === document.body) return null;
    const outlined = (each) => {
        const style = each && getComputedStyle(each);
        return style && style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
    };
    const box = element.parentElement;
    return {html: element.outerHTML.slice(0, 120), shown: outlined(element) || outlined(box)};
}"""
