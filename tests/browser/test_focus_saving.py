"""What is decided is saved once and for who decided it, can be taken back, and loses no text when it is not saved."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, Route, expect

from metadata import workflow
from metadata.models import AIMetadata, Decision
from tests.browser.conftest import QUEUE_LENGTH as COUNT
from tests.browser.conftest import OpenPage, intercept
from tests.browser.focus import (
    APPROVE,
    all_saved,
    description,
    retries_only_when_told,
    review,
    said,
    saved,
    stands,
    states,
    title,
)
from tests.factories import MembershipFactory, ProcessingRunFactory


@pytest.fixture
def page(open_page: OpenPage, queue: list[AIMetadata]) -> Page:
    return review(open_page, queue)


def sign_out(page: Page) -> None:
    page.context.clear_cookies(name=re.compile("session"))
    Session.objects.all().delete()


def sign_in(page: Page, user: User) -> None:
    """In another tab, where nobody is signed in or somebody else is."""
    user.set_password("a long password")
    user.save()
    page.context.clear_cookies(name=re.compile("session"))
    tab = page.context.new_page()
    tab.goto("/sign-in/?next=/review/")
    tab.get_by_label("Username").fill(user.username)
    tab.get_by_label("Password").fill("a long password")
    tab.get_by_role("button", name="Sign in").click()
    tab.wait_for_url("**/review/**")
    tab.close()


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


def test_press_u_while_it_is_being_saved_undoes_that_one_and_not_the_next(page: Page, queue: list[AIMetadata]) -> None:
    held: list[Route] = []
    intercept(page, APPROVE, lambda route: route.continue_() if held else held.append(route))
    with page.expect_request(APPROVE):
        page.keyboard.press("a")
    page.keyboard.press("u")
    expect(said(page)).to_have_text(f"“{queue[0].photo.name}” will be undone as soon as it is saved.")
    page.keyboard.press("a")
    expect(title(page)).to_have_text(queue[2].photo.name)
    held[0].continue_()

    expect(title(page)).to_have_text(queue[0].photo.name)
    expect(said(page)).to_have_text(f"Undone: “{queue[0].photo.name}” is as it was.")
    all_saved(page, left=COUNT - 1)
    assert states(queue)[:3] == ["unreviewed", "approved", "unreviewed"]


def test_press_u_after_a_lost_answer_does_not_say_that_it_was_not_sent(
    open_page: OpenPage, queue: list[AIMetadata]
) -> None:
    page = review(open_page, queue, refusals=(503,))
    retries_only_when_told(page)

    def lose(route: Route) -> None:
        route.fetch()
        route.fulfill(status=503, body="the proxy gave up")

    intercept(page, APPROVE, lose)
    page.keyboard.press("a")
    expect(page.locator("#tray")).to_contain_text("One decision is not saved yet")
    page.keyboard.press("u")
    expect(said(page)).to_have_text(f"“{queue[0].photo.name}” will be undone as soon as it is saved.")
    assert stands(queue[0]).review_status == "approved"
    page.unroute(APPROVE)
    page.get_by_role("button", name="Try now").click()

    expect(said(page)).to_have_text(f"Undone: “{queue[0].photo.name}” is as it was.")
    assert states(queue) == ["unreviewed"] * COUNT
    assert Decision.objects.count() == 1


def test_press_u_after_describing_again_takes_nothing_else_back_before_the_second_press(
    page: Page, queue: list[AIMetadata], enqueued: object
) -> None:
    saved(page, lambda: page.keyboard.press("a"))
    page.keyboard.press("g")
    saved(page, lambda: page.get_by_role("button", name="Describe it again").click())
    expect(title(page)).to_have_text(queue[2].photo.name)
    undo = page.locator("[data-undo]")
    expect(undo).to_have_attribute("title", re.compile(f"“{queue[1].photo.name}” described again cannot be taken back"))
    page.keyboard.press("u")

    expect(said(page)).to_contain_text(f"Press U once more to undo the decision on “{queue[0].photo.name}”.")
    expect(undo).to_have_accessible_name(f"Undo the decision on “{queue[0].photo.name}” U")
    assert stands(queue[0]).review_status == "approved"
    page.keyboard.press("u")
    expect(title(page)).to_have_text(queue[0].photo.name)
    assert states(queue) == ["unreviewed"] * COUNT


def test_press_u_after_something_was_refused_takes_nothing_else_back_before_the_second_press(
    open_page: OpenPage, queue: list[AIMetadata]
) -> None:
    grace = MembershipFactory(user__username="grace", account=queue[0].photo.account, role="curator").user
    page = review(open_page, queue, refusals=(409,))
    saved(page, lambda: page.keyboard.press("a"))
    workflow.approve(queue[1], by=grace, version=1, changes={})
    page.keyboard.press("a")
    expect(page.locator("#tray")).to_contain_text("grace was faster")
    page.keyboard.press("u")

    expect(said(page)).to_contain_text(f"“{queue[1].photo.name}” was not saved, so there is nothing to take back.")
    assert states(queue)[:2] == ["approved", "approved"]
    page.keyboard.press("u")
    expect(title(page)).to_have_text(queue[0].photo.name)
    assert states(queue)[:2] == ["unreviewed", "approved"]


def test_press_u_on_a_photo_that_was_typed_on_again_keeps_the_text(page: Page, queue: list[AIMetadata]) -> None:
    saved(page, lambda: page.keyboard.press("a"))
    page.keyboard.press("ArrowLeft")
    expect(title(page)).to_have_text(queue[0].photo.name)
    description(page).fill("A second thought")
    page.keyboard.press("Escape")
    page.keyboard.press("u")

    expect(said(page)).to_have_text(f"Undone: “{queue[0].photo.name}” is as it was.")
    expect(description(page)).to_have_value("A second thought")
    assert states(queue) == ["unreviewed"] * COUNT


# --- When it is not saved ----------------------------------------------------------------------------------------


def test_decide_while_the_server_cannot_be_reached_goes_on_and_saves_later(
    open_page: OpenPage, queue: list[AIMetadata]
) -> None:
    page = review(open_page, queue, refusals=(503,))
    retries_only_when_told(page)
    busy = lambda route: route.fulfill(status=503, body="busy")  # noqa: E731
    intercept(page, APPROVE, busy)
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
    intercept(page, APPROVE, busy)
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
    intercept(page, APPROVE, lambda route: route.fulfill(status=503, body="busy"))
    page.keyboard.press("a")
    expect(page.locator("#tray")).to_contain_text("One decision is not saved yet")
    description(page).fill("Typed.")
    page.keyboard.press("Escape")
    page.keyboard.press("a")  # it waits for the one before
    expect(title(page)).to_have_text(queue[2].photo.name)
    page.keyboard.press("u")

    expect(title(page)).to_have_text(queue[1].photo.name)
    expect(said(page)).to_have_text("Taken back; it had not been sent.")
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
    page = review(open_page, queue, refusals=(403,))
    retries_only_when_told(page)
    description(page).fill("Typed while signed out.")
    page.keyboard.press("Escape")
    sign_out(page)
    page.keyboard.press("a")
    expect(title(page)).to_have_text(queue[1].photo.name)
    expect(page.locator("#tray")).to_contain_text("You are signed out. One decision is not saved yet")
    sign_in(page, queue[0].photo.account.owner)
    page.get_by_role("button", name="Try now").click()

    all_saved(page, left=COUNT - 1)
    expect(page.locator("#tray")).to_be_empty()
    assert (stands(queue[0]).review_status, queue[0].ai_description) == ("approved", "Typed while signed out.")
    page.keyboard.press("u")  # the page's own token is an old one by now
    expect(said(page)).to_have_text(f"Undone: “{queue[0].photo.name}” is as it was.")
    assert states(queue) == ["unreviewed"] * COUNT
    with page.expect_navigation():
        page.locator("form[action$='/theme/']").evaluate("form => form.requestSubmit()")
    expect(title(page)).to_have_text(queue[0].photo.name)


def test_sign_in_as_somebody_else_files_nothing_under_their_name_and_waits_for_the_first(
    open_page: OpenPage, queue: list[AIMetadata]
) -> None:
    ada = queue[0].photo.account.owner
    grace = MembershipFactory(user__username="grace", account=queue[0].photo.account, role="curator").user
    page = review(open_page, queue, refusals=(403,))
    retries_only_when_told(page)
    sign_out(page)
    page.keyboard.press("a")
    expect(page.locator("#tray")).to_contain_text("You are signed out.")
    sign_in(page, grace)
    page.get_by_role("button", name="Try now").click()

    expect(page.locator("#tray")).to_contain_text(
        "grace is signed in here now. What ada decided waits until ada signs in"
    )
    assert Decision.objects.count() == 0
    sign_in(page, ada)
    page.get_by_role("button", name="Try now").click()
    all_saved(page, left=COUNT - 1)
    expect(page.locator("#tray")).to_be_empty()
    assert stands(queue[0]).approved_by == "user:ada"


def test_press_a_twice_at_once_decides_on_two_photos_once_each(page: Page, queue: list[AIMetadata]) -> None:
    page.keyboard.press("a")
    page.keyboard.press("a")
    expect(title(page)).to_have_text(queue[2].photo.name)
    all_saved(page, left=COUNT - 2)

    assert states(queue)[:3] == ["approved", "approved", "unreviewed"]
    assert Decision.objects.count() == 2


def test_decide_without_room_to_keep_it_saves_it_all_the_same(page: Page, queue: list[AIMetadata]) -> None:
    page.evaluate(
        """() => {
            for (let size = 2 ** 23; size >= 1; size /= 2) {
                try { sessionStorage.filler = (sessionStorage.filler ?? "") + "x".repeat(size); } catch {}
            }
        }"""
    )
    saved(page, lambda: page.keyboard.press("a"))

    expect(title(page)).to_have_text(queue[1].photo.name)
    all_saved(page, left=COUNT - 1)
    assert states(queue)[:2] == ["approved", "unreviewed"]


# --- What was typed ----------------------------------------------------------------------------------------------


def test_type_before_a_new_description_is_refused_gives_the_text_back(
    open_page: OpenPage, queue: list[AIMetadata]
) -> None:
    ProcessingRunFactory(account=queue[0].photo.account, state="running")
    page = review(open_page, queue, refusals=(422,))
    description(page).fill("A long text of mine.")
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    page.keyboard.type("heron,")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.get_by_role("textbox", name="What should the model know?").fill("It is a heron.")
    page.get_by_role("button", name="Describe it again").click()
    expect(page.locator("#tray")).to_contain_text("are being described just now")
    page.get_by_role("button", name="Look at it").click()

    expect(title(page)).to_have_text(queue[0].photo.name)
    expect(description(page)).to_have_value("A long text of mine.")
    expect(page.locator(".tags .chip")).to_contain_text(["heron"])
    expect(page.locator(".again textarea")).to_have_value("It is a heron.")
    assert states(queue) == ["unreviewed"] * COUNT


def test_type_before_a_rejection_loses_the_race_gives_the_text_back_even_after_a_reload(
    open_page: OpenPage, queue: list[AIMetadata]
) -> None:
    grace = MembershipFactory(user__username="grace", account=queue[0].photo.account, role="curator").user
    page = review(open_page, queue, refusals=(409,))
    description(page).fill("A long text of mine.")
    page.keyboard.press("Escape")
    workflow.approve(queue[0], by=grace, version=1, changes={"ai_description": "Hers.", "ai_title": "Her title"})
    page.keyboard.press("r")
    page.keyboard.press("1")
    expect(page.locator("#tray")).to_contain_text("grace was faster")
    page.reload()
    expect(page.locator("#tray")).to_contain_text("grace was faster")
    page.get_by_role("button", name="Look at it").click()

    expect(title(page)).to_have_text(queue[0].photo.name)
    expect(description(page)).to_have_value("A long text of mine.")
    expect(page.get_by_role("textbox", name="Title")).to_have_value("Her title")  # where nothing was typed
    expect(page.locator("#tray")).to_be_empty()
    assert stands(queue[0]).ai_description == "Hers."
    page.reload()
    expect(page.locator("#tray")).to_be_empty()


def test_leave_with_a_refused_text_keeps_it_for_the_next_page(open_page: OpenPage, queue: list[AIMetadata]) -> None:
    grace = MembershipFactory(user__username="grace", account=queue[0].photo.account, role="curator").user
    page = review(open_page, queue, refusals=(409,))
    description(page).fill("My own text")
    page.keyboard.press("Escape")
    workflow.approve(queue[0], by=grace, version=1, changes={"ai_description": "Hers."})
    page.keyboard.press("a")
    expect(page.locator("#tray")).to_contain_text("grace was faster")
    page.goto("/review/?tag=heron")
    expect(title(page)).to_have_text("Nothing matches")
    page.get_by_role("button", name="Look at it").click()
    expect(title(page)).to_have_text(queue[0].photo.name)
    expect(description(page)).to_have_value("Hers.")
    page.get_by_role("button", name="Look at it").click()

    expect(description(page)).to_have_value("My own text")
    assert stands(queue[0]).ai_description == "Hers."
    saved(page, lambda: page.keyboard.press("a"))
    assert stands(queue[0]).ai_description == "My own text"


def test_decide_and_get_half_an_answer_asks_again_and_saves_once(page: Page, queue: list[AIMetadata]) -> None:
    answers = iter(["half", "whole", "whole"])

    def answer(route: Route) -> None:
        if next(answers) == "half":
            route.fulfill(content_type="application/json", body='{"said": "x')
        else:
            route.continue_()

    intercept(page, APPROVE, answer)
    page.keyboard.press("a")
    expect(page.locator("#tray")).to_contain_text("The answer was cut off. One decision is not saved yet")
    all_saved(page, left=COUNT - 1)
    expect(page.locator("#tray")).not_to_contain_text("not saved")
    assert states(queue)[0] == "approved"
    assert Decision.objects.count() == 1


def test_lose_the_right_to_decide_before_it_is_saved_shows_what_was_typed(
    open_page: OpenPage, queue: list[AIMetadata]
) -> None:
    grace = MembershipFactory(account=queue[0].photo.account, role="curator", user__username="grace")
    page = open_page(user=grace.user, refusals=(403, 503))
    page.goto("/review/")
    page.wait_for_load_state("networkidle")
    intercept(page, APPROVE, lambda route: route.fulfill(status=503))
    description(page).fill("A heron among reeds.")
    page.locator("[data-approve]").click()
    expect(page.locator("#tray")).to_contain_text("busy or restarting")
    grace.role = "viewer"
    grace.save()
    page.on("dialog", lambda dialog: dialog.accept())
    page.unroute(APPROVE)
    page.goto("/review/")
    expect(page.locator("#tray")).to_contain_text("was not saved. The server would not take it (403).")
    expect(page.locator("#tray")).to_contain_text("What was sent: “A heron among reeds.")
    page.reload()
    expect(page.locator("#tray")).to_contain_text("A heron among reeds.")
    page.get_by_role("button", name="Put it away").click()
    expect(page.locator("#tray")).to_be_empty()
    assert not Decision.objects.exists()
