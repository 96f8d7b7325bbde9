"""The next photo is there before the last one is saved, and nothing is lost when that cannot be saved."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Locator, Page, Route, expect

from metadata import workflow
from metadata.models import AIMetadata, Decision, ReviewClaim
from smugmug.models import Account, Album, Photo
from tests.browser.conftest import TELEPHONE, OpenPage
from tests.factories import AIMetadataFactory, MembershipFactory

COUNT = 8
APPROVE = re.compile(r"/review/[0-9a-f-]+/approve")


@pytest.fixture
def queue(mirrored: Account) -> list[AIMetadata]:
    """Words that wait for review, in their order."""
    photos = Photo.objects.in_album(Album.objects.get(account=mirrored, title="Animals"))[:COUNT]
    for photo in photos:
        AIMetadataFactory(photo=photo, described=True)
    return list(AIMetadata.objects.for_review().order_by("sort_at", "pk").select_related("photo__account__owner"))


@pytest.fixture
def page(open_page: OpenPage, queue: list[AIMetadata]) -> Page:
    return review(open_page, queue)


def review(open_page: OpenPage, queue: list[AIMetadata], **options: object) -> Page:
    """The review page of ada, with the first photo of the queue and five more ready behind it."""
    page = open_page(user=queue[0].photo.account.owner, **options)
    page.goto("/review/")
    page.wait_for_load_state("networkidle")
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


def stands(words: AIMetadata) -> AIMetadata:
    words.refresh_from_db()
    return words


def states(queue: list[AIMetadata]) -> list[str]:
    return [stands(words).review_status for words in queue]


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


# --- Undo --------------------------------------------------------------------------------------------------------


def test_press_u_undoes_the_last_decision_and_again_the_one_before(page: Page, queue: list[AIMetadata]) -> None:
    saved(page, lambda: page.keyboard.press("a"))
    page.keyboard.press("r")
    saved(page, lambda: page.keyboard.press("1"))
    expect(title(page)).to_have_text(queue[2].photo.name)
    all_saved(page, left=COUNT - 2)
    page.keyboard.press("u")
    expect(title(page)).to_have_text(queue[1].photo.name)
    expect(said(page)).to_have_text(f"Undone: “{queue[1].photo.name}” is as it was.")
    assert states(queue)[:2] == ["approved", "unreviewed"]
    page.keyboard.press("u")
    expect(title(page)).to_have_text(queue[0].photo.name)
    assert states(queue) == ["unreviewed"] * COUNT
    page.keyboard.press("s")
    expect(title(page)).to_have_text(queue[1].photo.name)  # the others come after it again


def test_press_u_after_a_reload_still_undoes(page: Page, queue: list[AIMetadata]) -> None:
    saved(page, lambda: page.keyboard.press("a"))
    page.reload()
    page.wait_for_load_state("networkidle")
    page.keyboard.press("u")

    expect(title(page)).to_have_text(queue[0].photo.name)
    assert states(queue) == ["unreviewed"] * COUNT


# --- When it is not saved ----------------------------------------------------------------------------------------


def test_decide_while_the_server_cannot_be_reached_goes_on_and_saves_later(
    open_page: OpenPage, queue: list[AIMetadata]
) -> None:
    page = review(open_page, queue, refusals=(503,))
    busy = lambda route: route.fulfill(status=503, body="busy")  # noqa: E731
    page.route(APPROVE, busy)
    description(page).fill("Typed.")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    expect(title(page)).to_have_text(queue[1].photo.name)
    page.keyboard.press("a")
    expect(title(page)).to_have_text(queue[2].photo.name)
    expect(page.locator("#tray")).to_contain_text("2 decisions are not saved yet; nothing is lost.")
    assert states(queue)[:2] == ["unreviewed", "unreviewed"]

    page.unroute(APPROVE, busy)
    page.get_by_role("button", name="Try now").click()

    all_saved(page, left=COUNT - 2)
    expect(page.locator("#tray")).to_be_empty()
    assert states(queue)[:3] == ["approved", "approved", "unreviewed"]
    assert queue[0].ai_description == "Typed."


def test_leave_with_a_decision_unsaved_warns_and_sends_it_from_the_next_page(
    open_page: OpenPage, queue: list[AIMetadata]
) -> None:
    page = review(open_page, queue, refusals=(503,))
    busy = lambda route: route.fulfill(status=503, body="busy")  # noqa: E731
    page.route(APPROVE, busy)
    page.keyboard.press("a")
    expect(page.locator("#tray")).to_contain_text("One decision is not saved yet")
    warned: list[str] = []
    page.on("dialog", lambda dialog: (warned.append(dialog.type), dialog.accept()))
    page.get_by_role("link", name="Albums").click()
    page.wait_for_url("**/albums/")
    assert warned == ["beforeunload"]

    page.unroute(APPROVE, busy)
    saved(page, lambda: page.goto("/review/"))

    assert states(queue)[:2] == ["approved", "unreviewed"]


def test_undo_what_was_not_sent_yet_takes_it_back_unsent(open_page: OpenPage, queue: list[AIMetadata]) -> None:
    page = review(open_page, queue, refusals=(503,))
    page.route(APPROVE, lambda route: route.fulfill(status=503, body="busy"))
    description(page).fill("Typed.")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    expect(page.locator("#tray")).to_contain_text("One decision is not saved yet")
    page.keyboard.press("u")

    expect(title(page)).to_have_text(queue[0].photo.name)
    expect(description(page)).to_have_value("Typed.")
    assert Decision.objects.count() == 0


def test_lose_a_race_lists_it_and_gives_the_text_back(open_page: OpenPage, queue: list[AIMetadata]) -> None:
    grace = MembershipFactory(user__username="grace", account=queue[0].photo.account, role="curator").user
    page = review(open_page, queue, refusals=(409,))
    description(page).fill("My <own> text")
    page.keyboard.press("Escape")
    workflow.approve(queue[0], by=grace, version=1, changes={"ai_description": "Hers."})
    page.keyboard.press("a")
    expect(title(page)).to_have_text(queue[1].photo.name)  # at once, whatever comes of it
    expect(page.locator("#tray")).to_contain_text("grace was faster")
    assert stands(queue[0]).ai_description == "Hers."

    page.get_by_role("button", name="Look at it").click()

    expect(title(page)).to_have_text(queue[0].photo.name)
    expect(description(page)).to_have_value("My <own> text")
    expect(page.locator(".notice")).to_contain_text("with “Hers.”")
    expect(page.locator("#tray")).to_be_empty()
    saved(page, lambda: page.keyboard.press("a"))
    assert stands(queue[0]).ai_description == "My <own> text"  # knowingly now


def test_send_what_is_not_valid_comes_back_with_the_sentence_beside_its_field(
    open_page: OpenPage, queue: list[AIMetadata]
) -> None:
    page = review(open_page, queue, refusals=(422,))
    page.get_by_role("textbox", name="Title").fill("t" * 201)
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    expect(page.locator("#tray")).to_contain_text("at most 200 characters")
    page.get_by_role("button", name="Look at it").click()

    expect(page.get_by_role("textbox", name="Title")).to_have_value("t" * 201)
    expect(page.locator(".errorlist")).to_contain_text("at most 200 characters")
    assert states(queue) == ["unreviewed"] * COUNT


def test_sign_in_again_in_another_tab_saves_what_was_decided_meanwhile(
    open_page: OpenPage, queue: list[AIMetadata]
) -> None:
    owner = queue[0].photo.account.owner
    owner.set_password("a long password")
    owner.save()
    page = review(open_page, queue, refusals=(403,))
    description(page).fill("Typed while signed out.")
    page.keyboard.press("Escape")
    page.context.clear_cookies(name=re.compile("session"))
    Session.objects.all().delete()
    page.keyboard.press("a")
    expect(title(page)).to_have_text(queue[1].photo.name)
    expect(page.locator("#tray")).to_contain_text("You are signed out. One decision is not saved yet")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Sign in").click()
    tab = opened.value
    tab.get_by_label("Username").fill(owner.username)
    tab.get_by_label("Password").fill("a long password")
    tab.get_by_role("button", name="Sign in").click()
    tab.wait_for_url("**/review/**")
    page.get_by_role("button", name="Try now").click()

    all_saved(page, left=COUNT - 1)
    expect(page.locator("#tray")).to_be_empty()
    assert (stands(queue[0]).review_status, queue[0].ai_description) == ("approved", "Typed while signed out.")


def test_press_a_twice_at_once_decides_on_two_photos_once_each(page: Page, queue: list[AIMetadata]) -> None:
    page.keyboard.press("a")
    page.keyboard.press("a")
    expect(title(page)).to_have_text(queue[2].photo.name)
    all_saved(page, left=COUNT - 2)

    assert states(queue)[:3] == ["approved", "approved", "unreviewed"]
    assert Decision.objects.count() == 2


# --- Ahead -------------------------------------------------------------------------------------------------------


def test_show_the_next_photo_asks_for_no_picture_and_waits_for_nothing(page: Page, queue: list[AIMetadata]) -> None:
    held: list[Route] = []
    page.route(re.compile(r"/review/|/images?/"), lambda route: held.append(route))
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
