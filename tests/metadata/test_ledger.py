"""Every call is a row; what is not known of it stays unknown."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from metadata import ledger
from metadata.describe import BadAnswer, CutOff, Outage, Refused, Rejected, UnusablePicture, Usage
from metadata.ledger import Call
from metadata.models import AICall
from smugmug.models import Account
from tests.factories import AccountFactory, AICallFactory, ModelPriceFactory, PhotoFactory, ProcessingRunFactory

pytestmark = pytest.mark.django_db


def call(**changes: Any) -> Call:
    given: dict[str, Any] = {
        "kind": "describe",
        "model": "paid-1",
        "outcome": "ok",
        "usage": Usage(1_000, 400, 200),
        "ms": 950,
        "prompt": "Default 3",
        "sent_to": "api.example.com",
        "bytes_sent": 123_456,
    }
    return Call(**given | changes)


# --- Writing ---------------------------------------------------------------------------------------------------


def test_record_keeps_all_there_is_to_know():
    ModelPriceFactory(usd_cached=Decimal("0.1"))
    run = ProcessingRunFactory()
    photo = PhotoFactory()

    row = ledger.record(run.account, call(), run=run, photo_id=photo.pk)

    kept = AICall.objects.get()
    assert kept == row
    assert (kept.account, kept.run, kept.photo) == (run.account, run, photo)
    assert (kept.kind, kept.model, kept.outcome, kept.prompt, kept.ms) == ("describe", "paid-1", "ok", "Default 3", 950)
    assert (kept.tokens_in, kept.tokens_cached, kept.tokens_out) == (1_000, 400, 200)
    assert kept.cost == Decimal("0.00264")  # 600 at $1, 400 at $0.10, 200 at $10 a million
    assert (kept.sent_to, kept.bytes_sent) == ("api.example.com", 123_456)


@pytest.mark.parametrize("outcome", AICall.Outcome.values)
def test_record_of_every_outcome_is_a_row_that_costs_its_tokens(library_of_ada: Account, outcome: str):
    ModelPriceFactory()

    ledger.record(library_of_ada, call(outcome=outcome))

    assert AICall.objects.get(outcome=outcome).cost == Decimal("0.003")


@pytest.mark.parametrize("usage", [Usage(), Usage(1_000, None, None), Usage(10**12, 0, 5), Usage(-5, 0, 5)])
def test_record_of_tokens_that_nobody_knows_has_an_unknown_cost(library_of_ada: Account, usage: Usage):
    ModelPriceFactory()

    assert ledger.record(library_of_ada, call(usage=usage)).cost is None


def test_record_at_an_unknown_price_has_an_unknown_cost(library_of_ada: Account):
    assert ledger.record(library_of_ada, call(model="mystery")).cost is None


def test_record_of_the_built_in_model_costs_nothing_and_sends_nothing(library_of_ada: Account):
    row = ledger.record(library_of_ada, call(model="efficientnet-lite0", usage=Usage(), sent_to=""))

    assert (row.cost, row.sent_to, row.bytes_sent) == (0, "", 0)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (None, "ok"),
        (Outage("x"), "outage"),
        (Rejected("x"), "rejected"),
        (BadAnswer("x"), "bad_answer"),
        (CutOff("x"), "cut_off"),
        (Refused("x"), "refused"),
        (UnusablePicture("x"), "bad_answer"),
    ],
)
def test_outcome_of_each_error_has_its_own_word(error: Any, word: str):
    assert ledger.outcome(error) == word


# --- Reading ---------------------------------------------------------------------------------------------------


@pytest.fixture
def calls(library_of_ada: Account) -> Any:
    """Five on two days, of two models and prompts."""
    first, second = datetime(2026, 11, 2, 23, 59, tzinfo=UTC), datetime(2026, 11, 3, 0, 1, tzinfo=UTC)
    ada = library_of_ada
    AICallFactory(account=ada, created_at=first, cost=Decimal("0.30"))
    AICallFactory(account=ada, created_at=first, unknown=True, outcome="outage", tokens_in=None, tokens_out=None)
    AICallFactory(account=ada, created_at=second, prompt="Default 2", sent_to="", bytes_sent=0, cost=0)
    AICallFactory(account=ada, created_at=second, kind="embed", prompt="", model="e-1", bytes_sent=500, tokens_out=None)
    AICallFactory(account=ada, created_at=second, outcome="refused", sent_to="other.test", tokens_cached=700)
    return AICall.objects.filter(account=ada)


def test_lines_by_day_hold_each_call_once_with_the_newest_first(calls: Any):
    new, old = ledger.lines(calls, by="")

    assert (f"{old.key}", old.calls, old.answered, old.troubles) == ("2026-11-02", 2, 1, [("No answer", 1)])
    assert (old.tokens_in, old.tokens_out, old.cost, old.unknown) == (1_000, 200, Decimal("0.30"), 1)
    assert (old.pictures, old.bytes_sent, old.sent_to) == (2, 200_000, "fake.test")
    assert old.spent == "≥ $0.30"
    assert (f"{new.key}", new.calls, new.answered, new.troubles) == ("2026-11-03", 3, 2, [("Picture refused", 1)])
    assert (new.pictures, new.bytes_sent, new.sent_to) == (1, 100_500, "fake.test, other.test")
    assert (new.tokens_in, new.tokens_cached, new.tokens_out) == (3_000, 700, 400)
    assert new.spent == "$0.020"


def test_lines_by_model_and_by_prompt_have_the_dearest_first(calls: Any):
    assert [(line.key, line.calls) for line in ledger.lines(calls, by="model")] == [("paid-1", 4), ("e-1", 1)]
    assert [(line.key, line.calls) for line in ledger.lines(calls, by="prompt")] == [
        ("Default 1", 3),
        ("", 1),
        ("Default 2", 1),
    ]


@pytest.mark.parametrize("by", list(ledger.GROUPINGS))
def test_total_is_the_same_however_calls_are_taken_together(calls: Any, by: str):
    whole = ledger.total(ledger.lines(calls, by=by))

    assert (whole.calls, whole.answered, whole.unknown, whole.cost) == (5, 3, 1, Decimal("0.32"))
    assert (whole.pictures, whole.bytes_sent, whole.sent_to) == (3, 300_500, "fake.test, other.test")


def test_spent_is_unknown_where_no_cost_is_known_and_nothing_where_all_was_free(library_of_ada: Account):
    AICallFactory(account=library_of_ada, unknown=True, model="mystery")
    AICallFactory(account=library_of_ada, cost=0, model="own")

    assert {line.key: line.spent for line in ledger.lines(AICall.objects.all(), by="model")} == {
        "mystery": "unknown",
        "own": "$0.00",
    }


def test_calls_of_a_person_are_those_of_their_libraries(library_of_ada: Account):
    mine, _ = AICallFactory(account=library_of_ada), AICallFactory(account=AccountFactory())
    AICallFactory(account=None)

    assert list(ledger.calls_of(library_of_ada.owner, library="", period="all")) == [mine]
    assert list(ledger.calls_of(library_of_ada.owner, library=library_of_ada.nickname, period="")) == [mine]
    assert list(ledger.calls_of(library_of_ada.owner, library="elsewhere", period="")) == []
