"""The next photo is there before the last one is saved, and every action is one key."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from metadata.models import AIMetadata, Decision, ReviewClaim
from smugmug.models import Photo
from tests.browser.conftest import QUEUE_LENGTH as COUNT
from tests.browser.conftest import TELEPHONE, OpenPage, intercept
from tests.browser.focus import all_saved, description, review, said, saved, stands, states, title
from tests.factories import MembershipFactory

CARDS = re.compile("/review/cards")


@pytest.fixture
def page(open_page: OpenPage, queue: list[AIMetadata]) -> Page:
    return review(open_page, queue)


# --- By keyboard alone -----------------------------------------------------------------------------------------


def test_walk_the_whole_queue_by_keyboard_alone(page: Page, queue: list[AIMetadata]) -> None:
    names = [words.photo.name for words in queue]
    page.keyboard.press("a")
    expect(title(page)).to_have_text(names[1])
    page.keyboard.press("r")
    page.keyboard.press("3")
    expect(title(page)).to_have_text(names[2])
    page.keyboard.press("s")
    expect(title(page)).to_have_text(names[3])
    page.keyboard.press("e")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("A heron stands in the reeds.")
    page.keyboard.press("ControlOrMeta+Enter")
    expect(title(page)).to_have_text(names[4])
    for name in names[5:]:
        page.keyboard.press("a")
        expect(title(page)).to_have_text(name)
    page.keyboard.press("a")
    expect(title(page)).to_have_text(names[2])  # what was skipped comes again
    page.keyboard.press("a")
    expect(title(page)).to_have_text("All caught up")
    assert states(queue) == ["approved", "rejected", *["approved"] * (COUNT - 2)]
    assert queue[1].rejection_reason == "Too vague"
    assert queue[3].ai_description == "A heron stands in the reeds."
    assert Decision.objects.count() == COUNT


def test_press_a_announces_what_was_done_and_what_comes(page: Page, queue: list[AIMetadata]) -> None:
    saved(page, lambda: page.keyboard.press("a"))

    expect(said(page)).to_have_text(f"Approved. Next: {queue[1].photo.name}.")
    assert said(page).get_attribute("role") == "status"
    expect(title(page)).to_be_focused()
    expect(page).to_have_url(re.compile(f"photo={queue[1].photo_id}"))
    expect(page.locator("#waiting-count")).to_contain_text(str(COUNT - 1))


def test_press_the_arrows_goes_on_and_back_and_keeps_what_is_typed(page: Page, queue: list[AIMetadata]) -> None:
    description(page).fill("Half a sentence")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    expect(title(page)).to_have_text(queue[1].photo.name)
    page.keyboard.press("ArrowLeft")

    expect(title(page)).to_have_text(queue[0].photo.name)
    expect(description(page)).to_have_value("Half a sentence")
    page.keyboard.press("ArrowLeft")
    expect(said(page)).to_have_text("This is the first one.")
    assert states(queue) == ["unreviewed"] * COUNT


def test_press_left_after_a_decision_shows_it_as_it_stands_now(page: Page, queue: list[AIMetadata]) -> None:
    page.keyboard.press("a")
    expect(title(page)).to_have_text(queue[1].photo.name)
    page.keyboard.press("ArrowLeft")

    expect(title(page)).to_have_text(queue[0].photo.name)
    expect(page.locator(".what .chip.on")).to_have_text("Approved by ada")


def test_press_left_twice_at_once_shows_no_photo_twice(page: Page, queue: list[AIMetadata]) -> None:
    for number in (1, 2):
        page.keyboard.press("a")
        expect(title(page)).to_have_text(queue[number].photo.name)
    all_saved(page, left=COUNT - 2)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(title(page)).to_have_text(queue[1].photo.name)
    page.wait_for_load_state("networkidle")
    expect(title(page)).to_have_text(queue[1].photo.name)
    page.keyboard.press("ArrowLeft")
    expect(title(page)).to_have_text(queue[0].photo.name)
    for number in (1, 2):
        page.keyboard.press("ArrowRight")
        expect(title(page)).to_have_text(queue[number].photo.name)
    assert states(queue)[:3] == ["approved", "approved", "unreviewed"]


def test_press_left_and_go_on_at_once_stays_where_one_went(page: Page, queue: list[AIMetadata]) -> None:
    saved(page, lambda: page.keyboard.press("a"))
    held: list[Route] = []
    intercept(page, re.compile("/review/cards.*of="), lambda route: held.append(route))
    with page.expect_request(re.compile("/review/cards.*of=")):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("s")
    expect(title(page)).to_have_text(queue[2].photo.name)
    page.keyboard.press("ArrowLeft")
    expect(title(page)).to_have_text(queue[1].photo.name)
    with page.expect_response(re.compile("/review/cards.*of=")):
        held[0].continue_()
    page.keyboard.press("ArrowRight")

    expect(title(page)).to_have_text(queue[2].photo.name)
    assert states(queue)[:3] == ["approved", "unreviewed", "unreviewed"]


def test_press_question_mark_shows_the_keys_which_then_decide_nothing(page: Page, queue: list[AIMetadata]) -> None:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("a")
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    expect(title(page)).to_have_text(queue[0].photo.name)
    assert states(queue) == ["unreviewed"] * COUNT


def test_press_z_zooms_and_the_arrows_then_move_the_photo(page: Page, queue: list[AIMetadata]) -> None:
    figure = page.locator("[data-pan]")
    page.keyboard.press("z")
    expect(figure).to_have_class("zoomed")
    page.wait_for_load_state("networkidle")
    before = figure.evaluate("box => box.scrollTop")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")

    assert figure.evaluate("box => box.scrollTop") > before
    expect(title(page)).to_have_text(queue[0].photo.name)
    page.keyboard.press("z")
    expect(figure).not_to_have_class("zoomed")


def test_complete_a_tag_by_keyboard_offers_the_librarys_own(page: Page, queue: list[AIMetadata]) -> None:
    AIMetadata.objects.filter(pk=queue[-1].pk).update(ai_tags=["heron"])
    page.keyboard.press("t")
    page.keyboard.type("her")

    expect(page.locator("datalist option")).to_have_attribute("value", "heron")


def test_take_a_side_fills_the_field_and_saves_nothing_yet(open_page: OpenPage, queue: list[AIMetadata]) -> None:
    Photo.objects.filter(pk=queue[0].photo_id).update(caption="A heron.", keywords=["heron", "reeds"])
    page = review(open_page, queue)
    page.get_by_role("button", name="Take SmugMug’s description").click()
    page.get_by_role("button", name="Take SmugMug’s tags").click()

    expect(description(page)).to_have_value("A heron.")
    expect(page.locator(".tags .chip")).to_contain_text(["heron", "reeds"])
    assert stands(queue[0]).version == 1
    saved(page, lambda: page.locator("[data-approve]").click())
    assert (stands(queue[0]).ai_description, queue[0].ai_tags) == ("A heron.", ["heron", "reeds"])


# --- Ahead -------------------------------------------------------------------------------------------------------


def test_show_the_next_photo_asks_for_no_picture_and_waits_for_nothing(page: Page, queue: list[AIMetadata]) -> None:
    held: list[Route] = []
    intercept(page, re.compile(r"/review/|/images?/"), lambda route: held.append(route))
    for words in queue[1:6]:
        page.keyboard.press("a")
        expect(title(page)).to_have_text(words.photo.name)
        assert page.locator("[data-pan] img").evaluate("picture => picture.complete && picture.naturalWidth > 0")

    assert states(queue) == ["unreviewed"] * COUNT
    for route in held:
        route.continue_()
    page.unroute_all(behavior="wait")


def test_go_on_holds_what_is_ready_and_lets_go_of_what_was_decided(page: Page, queue: list[AIMetadata]) -> None:
    saved(page, lambda: page.keyboard.press("a"))
    with page.expect_response(re.compile("/review/cards")):
        saved(page, lambda: page.keyboard.press("a"))

    held = set(ReviewClaim.objects.values_list("words", flat=True))
    assert queue[0].pk not in held
    assert {words.pk for words in queue[2:]} == held


def test_type_on_a_photo_that_others_are_shown_by_now_keeps_it_in_the_row(
    open_page: OpenPage, queue: list[AIMetadata]
) -> None:
    grace = MembershipFactory(user__username="grace", account=queue[0].photo.account, role="curator").user
    page = review(open_page, queue, refusals=(503,))
    intercept(page, CARDS, lambda route: route.fulfill(status=503, body="busy"))
    for words in queue[1:4]:
        page.keyboard.press("ArrowRight")
        expect(title(page)).to_have_text(words.photo.name)
    description(page).fill("Half a sentence")
    page.keyboard.press("Escape")
    page.unroute(CARDS)
    ReviewClaim.objects.filter(words__in=[queue[3].pk, queue[4].pk]).update(user=grace)
    with page.expect_response(CARDS):
        page.keyboard.press("ArrowLeft")
    expect(page.locator("#strip img").nth(3)).to_have_attribute("alt", queue[5].photo.name)  # the fourth one is dropped
    page.keyboard.press("ArrowRight")

    expect(title(page)).to_have_text(queue[3].photo.name)
    expect(description(page)).to_have_value("Half a sentence")
    page.keyboard.press("ArrowRight")
    expect(title(page)).to_have_text(queue[5].photo.name)


def test_go_on_keeps_no_pictures_of_what_was_decided_on(page: Page, queue: list[AIMetadata]) -> None:
    page.evaluate(
        """() => {
            window.cards = [];
            const replace = Element.prototype.replaceWith;
            Element.prototype.replaceWith = function (...others) {
                if (this.matches("[data-card]")) window.cards.push(new WeakRef(this));
                return replace.apply(this, others);
            };
        }"""
    )
    for number in range(1, 7):
        saved(page, lambda: page.keyboard.press("a"))
        expect(title(page)).to_have_text(queue[number].photo.name)
    all_saved(page, left=COUNT - 6)
    page.context.new_cdp_session(page).send("HeapProfiler.collectGarbage")

    assert page.evaluate("() => window.cards.filter((card) => card.deref()).length") <= 2
    expect(page.locator("#strip img").first).to_have_attribute("alt", f"{queue[5].photo.name}: Approved")


# --- Without JavaScript ------------------------------------------------------------------------------------------


def test_review_without_javascript_does_everything_page_by_page(open_page: OpenPage, queue: list[AIMetadata]) -> None:
    Photo.objects.filter(pk=queue[2].photo_id).update(caption="A heron.")
    page = open_page(user=queue[0].photo.account.owner, java_script_enabled=False)
    page.goto("/review/")
    page.get_by_role("button", name="Approve").click()
    expect(title(page)).to_have_text(queue[1].photo.name)
    page.get_by_role("button", name="Undo").click()
    expect(title(page)).to_have_text(queue[0].photo.name)
    page.get_by_role("link", name="Skip S").click()
    expect(title(page)).to_have_text(queue[1].photo.name)
    page.get_by_role("link", name="Previous photo").click()
    expect(title(page)).to_have_text(queue[0].photo.name)
    page.get_by_role("link", name="Next photo").click()
    page.get_by_role("link", name="Next photo").click()
    page.get_by_role("textbox", name="Title").fill("Typed")
    page.get_by_role("button", name="Take SmugMug’s description").click()
    expect(description(page)).to_have_value("A heron.")
    expect(page.get_by_role("textbox", name="Title")).to_have_value("Typed")
    page.get_by_role("button", name="Help").click()
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    assert states(queue) == ["unreviewed"] * COUNT
    assert (stands(queue[2]).ai_description, queue[2].ai_title) == ("A heron.", "Typed")


def test_filter_without_javascript_has_a_page_of_its_own(open_page: OpenPage, queue: list[AIMetadata]) -> None:
    AIMetadata.objects.filter(pk=queue[3].pk).update(ai_tags=["heron"])
    page = open_page(user=queue[0].photo.account.owner, java_script_enabled=False)
    page.goto("/review/")
    page.locator(".filters summary").click()
    page.get_by_role("link", name="All filters").click()
    page.get_by_label("Tag").fill("heron")
    page.get_by_role("button", name="Show these").click()

    expect(title(page)).to_have_text(queue[3].photo.name)
    page.get_by_role("link", name="Any tag").click()
    expect(title(page)).to_have_text(queue[0].photo.name)


def test_touch_targets_of_the_review_page_are_large_enough(open_page: OpenPage, queue: list[AIMetadata]) -> None:
    page = review(open_page, queue, viewport=TELEPHONE)
    small = page.evaluate(
        """() => [...document.querySelectorAll('.decide .btn, .strip .btn, .filters a, .filters summary')]
            .filter((each) => each.checkVisibility() && each.getBoundingClientRect().height < 44)
            .map((each) => each.outerHTML.slice(0, 90))"""
    )
    assert small == []
