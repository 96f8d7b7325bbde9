"""Whose fault a failure is, what it costs, and when the run pauses."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from metadata import outages
from metadata.describe import BadAnswer, CutOff, Outage, Refused, Rejected, UnusablePicture
from metadata.outages import IN_A_ROW, MENDED_BY_PEOPLE, OF_ONE_PHOTO, Cost, Outages, Pause
from smugmug.client import SmugMugGone, SmugMugNonsense, SmugMugRefused, SmugMugUnavailable
from smugmug.oauth import NotConfigured, TokensUnreadable

PHOTO = UUID(int=1)


def fail(ailing: Outages, error: Any, times: int) -> None:
    for _ in range(times):
        ailing.weigh(uuid4(), error)


@pytest.mark.parametrize("error", [Outage("HTTP 500"), SmugMugUnavailable("HTTP 500")])
def test_weigh_one_outage_costs_nothing(error: Any):
    assert Outages(0).weigh(PHOTO, error) == Cost.NOTHING


@pytest.mark.parametrize("error", [Outage("HTTP 500"), SmugMugUnavailable("HTTP 500")])
def test_weigh_outages_in_a_row_pauses_for_a_minute(error: Any):
    ailing = Outages(0)
    fail(ailing, error, IN_A_ROW - 1)

    with pytest.raises(Pause, match=error.advice) as pause:
        ailing.weigh(PHOTO, error)

    assert pause.value.seconds == 60


def test_weigh_outages_with_answers_between_them_never_pauses():
    ailing = Outages(0)

    for _ in range(9):
        fail(ailing, Outage("HTTP 500"), IN_A_ROW - 1)
        ailing.answered()

    assert ailing.in_a_row == 0


@pytest.mark.parametrize(("pauses", "seconds"), [(1, 120), (2, 300), (3, 600), (4, 900), (5, 900), (99, 900)])
def test_weigh_the_first_outage_after_pauses_pauses_at_once_and_longer(pauses: int, seconds: int):
    with pytest.raises(Pause) as pause:
        Outages(pauses).weigh(PHOTO, Outage("HTTP 500"))

    assert pause.value.seconds == seconds


def test_answered_after_a_pause_makes_careless_again():
    ailing = Outages(3)
    assert ailing.is_careful

    ailing.answered()

    assert not ailing.is_careful
    assert ailing.weigh(PHOTO, Outage("HTTP 500")) == Cost.NOTHING


@pytest.mark.parametrize("error", [Rejected("HTTP 401"), SmugMugRefused("401"), NotConfigured(), TokensUnreadable()])
def test_weigh_what_a_person_must_mend_pauses_at_once_for_a_quarter_of_an_hour(error: Any):
    with pytest.raises(Pause, match=error.advice.split(".")[0]) as pause:
        Outages(0).weigh(PHOTO, error)

    assert pause.value.seconds == MENDED_BY_PEOPLE == 900


@pytest.mark.parametrize(
    ("error", "cost"),
    [
        (BadAnswer("x"), Cost.ATTEMPT),
        (CutOff("x"), Cost.ATTEMPT),
        (SmugMugGone("x"), Cost.ATTEMPT),
        (SmugMugNonsense("x"), Cost.ATTEMPT),
        (Refused("x"), Cost.ALL),
        (UnusablePicture("x"), Cost.ALL),
    ],
)
def test_weigh_what_ails_a_photo_costs_it(error: Any, cost: Cost):
    assert Outages(0).weigh(PHOTO, error) == cost


def test_weigh_outages_at_one_photo_while_others_are_answered_is_that_photos_doing():
    ailing = Outages(0)
    costs = []

    for _ in range(OF_ONE_PHOTO):
        costs.append(ailing.weigh(PHOTO, Outage("HTTP 500")))
        ailing.answered()

    assert costs == [Cost.NOTHING, Cost.NOTHING, Cost.ATTEMPT]
    assert ailing.weigh(PHOTO, Outage("HTTP 500")) == Cost.NOTHING
    assert outages.reason(Outage("HTTP 500")) == outages.AT_THIS_PHOTO
    assert outages.reason(BadAnswer("x")) == BadAnswer.advice


def test_weigh_outages_at_the_only_photo_costs_it_nothing():
    ailing = Outages(0)

    costs = {ailing.weigh(PHOTO, Outage("HTTP 500")) for _ in range(IN_A_ROW - 1)}

    assert costs == {Cost.NOTHING}


@pytest.mark.parametrize(("pauses", "attempts", "costs"), [(0, 1, False), (1, 0, False), (1, 1, True)])
def test_weigh_an_outage_after_a_pause_costs_only_a_photo_that_was_suspected_before(
    pauses: int,
    attempts: int,
    costs: bool,  # noqa: FBT001
):
    ailing = Outages(pauses)

    if not pauses:
        fail(ailing, Outage("HTTP 500"), IN_A_ROW - 1)

    with pytest.raises(Pause) as pause:
        ailing.weigh(PHOTO, Outage("HTTP 500"), attempts=attempts)

    assert pause.value.costs_attempt is costs


def test_weigh_being_told_to_wait_is_no_outage_and_no_photos_doing():
    ailing = Outages(0)

    costs = {ailing.weigh(PHOTO, Outage("HTTP 429", retry_after=1)) for _ in range(50)}

    assert costs == {Cost.NOTHING}


def test_weigh_being_told_to_wait_for_long_pauses_for_so_long():
    with pytest.raises(Pause) as pause:
        Outages(0).weigh(PHOTO, Outage("HTTP 429", retry_after=1_800))

    assert pause.value.seconds == 1_800


def test_weigh_being_told_to_wait_again_and_again_pauses(monkeypatch: pytest.MonkeyPatch):
    now = [1_000.0]
    monkeypatch.setattr(outages.time, "monotonic", lambda: now[0])
    ailing, told = Outages(0), Outage("HTTP 429", retry_after=1)
    ailing.weigh(PHOTO, told)
    now[0] += outages.LIMITED_FOR + 1

    with pytest.raises(Pause) as pause:
        ailing.weigh(PHOTO, told)

    assert pause.value.seconds == 60
