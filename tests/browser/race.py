"""Two people decide on the same photos at the same moment, each in a browser of their own; and what came of it."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from playwright.sync_api import Error, Page, expect

from metadata.models import AIMetadata, Decision, MetadataHistory

AHEAD = 250  # milliseconds until both press
PATIENCE = 10.0  # seconds until both know what came of it
# Presses the button at a time that both browsers know, so that neither waits for the other's test code.
PRESS = """([approve, at]) => {
    const button = document.querySelector(approve ? "[data-approve]" : ".reject .why button");
    setTimeout(() => button.click(), at - Date.now());
}"""


@dataclass(frozen=True)
class Press:
    """What somebody was about to save when both pressed: an approval with this text, or "" for a rejection."""

    who: str
    text: str


@dataclass(frozen=True)
class Outcome:
    """Who was told that it is saved, and the text that the other one got back."""

    winner: Press
    loser: Press
    given_back: str


def race(pages: dict[str, Page], words: AIMetadata, number: int) -> Outcome:
    """Both open the photo, write, and press at once; every fifth time the second one rejects."""
    presses = []
    for place, (who, page) in enumerate(pages.items()):
        _open(page, f"/review/?photo={words.photo_id}")
        expect(page.locator("[data-approve]")).to_be_visible()
        text = "" if place and number % 5 == 4 else f"Seen by {who}, {number}."
        if text:
            page.get_by_role("textbox", name="Description").fill(text)
        presses.append(Press(who, text))
    at = time.time() * 1000 + AHEAD
    for press, page in zip(presses, pages.values(), strict=True):
        page.evaluate(PRESS, [bool(press.text), at])
    lost = _who_lost(pages, presses)
    [winner] = [press for press in presses if press is not lost]
    page = pages[lost.who]
    look = page.locator("#tray").get_by_role("button", name="Look at it")
    if look.count():  # else it is on show again, nothing being left to go on to
        look.click()
    expect(page.locator("#said")).to_contain_text(f"{winner.who} was faster")
    return Outcome(winner, lost, page.get_by_role("textbox", name="Description").input_value())


def _open(page: Page, address: str) -> None:
    """Go there, without waiting for pictures; also where the page, past its last photo, is just leaving by itself."""
    try:
        page.goto(address, wait_until="domcontentloaded")
    except Error as exc:
        if "ERR_ABORTED" not in exc.message:
            raise
        page.wait_for_load_state("domcontentloaded")
        page.goto(address, wait_until="domcontentloaded")


def _who_lost(pages: dict[str, Page], presses: list[Press]) -> Press:
    """Who is told that it was not saved, by whom, and what stands now; the other one is told nothing of the kind."""
    deadline = time.monotonic() + PATIENCE
    told: list[Press] = []
    while not told and time.monotonic() < deadline:
        told = [press for press in presses if pages[press.who].get_by_text("was not saved.").count()]
        pages[presses[0].who].wait_for_timeout(20)
    [lost] = told
    [winner] = [press for press in presses if press is not lost]
    expect(pages[winner.who].get_by_text("was not saved.")).to_have_count(0)
    return lost


def faults(rows: list[AIMetadata], outcomes: list[Outcome]) -> list[str]:
    """What is not as it must be: one winner for each photo, no text lost, a history without holes."""
    found = []
    for row, outcome in zip(rows, outcomes, strict=True):
        before = row.ai_description
        row.refresh_from_db()
        winner, loser = outcome.winner, outcome.loser
        expected = ("approved", winner.text) if winner.text else ("rejected", before)
        if (row.review_status, row.ai_description) != expected:
            found.append(f"{row.pk}: {winner} won, and {row.review_status} “{row.ai_description}” stands")
        if loser.text and outcome.given_back != loser.text:
            found.append(f"{row.pk}: {loser} got “{outcome.given_back}” back")
        steps = list(MetadataHistory.objects.filter(metadata=row, source="person").values_list("version", "changed_by"))
        if steps != [(row.version, f"user:{winner.who}")]:
            found.append(f"{row.pk}: {winner} won, and the history has {steps}")
    decisions = Counter(Decision.objects.filter(photo__in=rows).values_list("photo", flat=True))
    return found + [f"{row.pk}: {decisions[row.pk]} decisions" for row in rows if decisions[row.pk] != 1]
