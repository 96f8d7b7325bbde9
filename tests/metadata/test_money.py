"""Prices, estimates, and budgets that are never passed."""

from __future__ import annotations

import importlib
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from metadata import money
from metadata.describe import PROMPT, Usage
from metadata.models import AICall, ModelPrice, Note, ProcessingRun, Prompt
from metadata.money import Estimate, Price
from smugmug.models import Account
from tests.factories import (
    AccountFactory,
    AICallFactory,
    AlbumFactory,
    ModelPriceFactory,
    PhotoFactory,
    ProcessingRunFactory,
)

pytestmark = pytest.mark.django_db

EMBEDDER = "embedder-1"


@pytest.fixture
def paid(settings: Any) -> None:
    """A server describes, for which prices are known."""
    settings.AI_DESCRIBER = "openai"
    settings.OPENAI_REASONING_EFFORT = "none"
    settings.AI_RUN_BUDGET_USD = None
    ModelPriceFactory(model="paid-1")
    ModelPriceFactory(model=EMBEDDER, usd_in=Decimal("0.02"), usd_out=0)


@pytest.fixture
def prompt(library_of_ada: Account) -> Prompt:
    return Prompt.objects.create(account=library_of_ada, name="Default", text=PROMPT, is_active=True)


def estimated(prompt: Prompt, *, photos: int = 100, model: str = "paid-1", pixels: int = 1024) -> Estimate:
    return money.estimate(
        prompt.account, photos=photos, prompt=prompt, model=model, embedding_model=EMBEDDER, pixels=pixels
    )


# --- Prices ----------------------------------------------------------------------------------------------------


def test_price_is_the_newest_that_has_begun():
    today = timezone.now().date()
    for days, usd in ((-30, 1), (-1, 2), (1, 3)):
        ModelPriceFactory(as_of=today + timedelta(days=days), usd_in=usd)

    assert money.price_of("paid-1") == Price(Decimal(2), None, Decimal(10))
    assert money.price_of("paid-1", on=today + timedelta(days=1)).usd_in == 3
    assert money.price_of("paid-1", on=today - timedelta(days=31)) is None


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("paid-1", 1),
        ("paid-1-2026-09-01", 1),
        ("paid-1-20260901", 1),
        ("paid-1-mini", 2),
        ("paid-1-mini-2026-09-01", 2),
        ("paid-1-2026-10-10", 7),  # has a price of its own
        ("paid-1-large", None),
        ("paid-1-large-2026-09-01", None),
        ("paid-10", None),
        ("paid", None),
        ("", None),
    ],
)
def test_price_of_a_dated_copy_is_that_of_its_model_and_of_no_other(model: str, usd: int | None):
    ModelPriceFactory()
    ModelPriceFactory(model="paid-1-mini", usd_in=2)
    ModelPriceFactory(model="paid-1-2026-10-10", usd_in=7, as_of=date(2025, 1, 1))

    price = money.price_of(model)

    assert (price.usd_in if price else None) == usd


LUNA = Price(Decimal("0.10"), Decimal("0.01"), Decimal("0.50"))
PLAIN = Price(Decimal("0.10"), None, Decimal("0.50"))


@pytest.mark.parametrize(
    ("usage", "price", "expected"),
    [
        (Usage(1_445, 0, 200), LUNA, "0.0002445"),
        (Usage(1_445, None, 200), LUNA, "0.0002445"),
        (Usage(1_000, 600, 0), LUNA, "0.000046"),
        (Usage(1_000, 600, 0), PLAIN, "0.0001"),
        (Usage(1_000, 5_000, 0), LUNA, "0.00001"),  # more cached than sent: all of it
        (Usage(150, None, None), Price(Decimal("0.02"), None, Decimal(0)), "0.000003"),
        (Usage(0, 0, 0), LUNA, "0"),
        (Usage(), money.FREE, "0"),
        (Usage(1_000, 0, None), LUNA, None),
        (Usage(None, None, 200), LUNA, None),
        (Usage(), LUNA, None),
        (Usage(1_000, 0, 200), None, None),
    ],
)
def test_cost_is_of_the_tokens_or_unknown_and_never_nothing_instead(
    usage: Usage, price: Price | None, expected: str | None
):
    assert money.cost(usage, price) == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("0", "$0.00"),
        ("1234.5", "$1,234.50"),
        ("0.25", "$0.25"),
        ("0.0734", "$0.073"),
        ("0.0049", "$0.0049"),
        ("0.00024451", "$0.00024"),
    ],
)
def test_dollars_say_something_however_little_it_is(amount: str, said: str):
    assert money.dollars(Decimal(amount)) == said


def test_seeded_prices_are_those_of_november_2026_and_go_away_again():
    migration = importlib.import_module("metadata.migrations.0004_seed_model_prices")
    ModelPrice.objects.all().delete()
    ModelPriceFactory(model="mine")

    migration.seed(apps, None)
    migration.seed(apps, None)

    luna = ModelPrice.objects.get(model="gpt-6-luna")
    assert (luna.as_of, luna.usd_in, luna.usd_cached, luna.usd_out) == (
        date(2026, 11, 1),
        Decimal("0.10"),
        Decimal("0.01"),
        Decimal("0.50"),
    )
    assert ModelPrice.objects.get(model="gpt-6-sol").usd_cached is None
    assert ModelPrice.objects.get(model="text-embedding-3-small").usd_out == 0
    ModelPrice.objects.filter(model="gpt-6-sol").update(usd_in=9)
    migration.unseed(apps, None)
    assert set(ModelPrice.objects.values_list("model", flat=True)) == {"mine", "gpt-6-sol"}


def test_calls_from_before_learn_their_account_from_their_run_or_photo():
    migration = importlib.import_module("metadata.migrations.0005_fill_accounts_of_calls")
    run, photo = ProcessingRunFactory(), PhotoFactory()
    of_run, of_photo, of_nobody = (AICallFactory(account=None, **more) for more in ({"run": run}, {"photo": photo}, {}))
    other = AICallFactory(run=run)

    migration.fill(apps, None)

    found = dict(AICall.objects.values_list("pk", "account"))
    assert found == {
        of_run.pk: run.account_id,
        of_photo.pk: photo.account_id,
        of_nobody.pk: None,
        other.pk: other.account_id,
    }


# --- The estimate ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pixels", "tokens"), [(600, 297), (800, 510), (1024, 845), (1600, 2040), (2048, 2880), (4096, 2880)]
)
def test_image_tokens_of_a_usual_photo_are_what_openai_counts(pixels: int, tokens: int):
    assert money.image_tokens(pixels) == tokens


@pytest.mark.parametrize("shape", [1.0, 1.33, 1.5, 1.78, 3.0])
@pytest.mark.parametrize("pixels", [128, 1024, 2048, 4096])
def test_image_tokens_stay_within_the_patches_of_the_limit(pixels: int, shape: float):
    assert 0 < money.image_tokens(pixels, shape) <= 3_000


def test_estimate_with_the_built_in_model_is_free(prompt: Prompt, settings: Any):
    settings.AI_DESCRIBER = "local"

    found = estimated(prompt, model="gpt-6-luna")

    assert (found.low, found.likely, found.high, found.basis, found.range) == (0, 0, 0, "free", "Free")
    assert found.pilot is None


def test_estimate_of_an_unknown_model_is_unknown_and_says_where_to_enter_its_price(paid: None, prompt: Prompt):
    found = estimated(prompt, model="mystery")

    assert (found.low, found.likely, found.high, found.basis) == (None, None, None, "unknown")
    assert found.range == "Unknown"
    assert found.sentence.startswith("What mystery costs is not known here.")
    assert "Model prices" in found.sentence


def test_estimate_with_an_unknown_embedding_model_is_unknown_too(paid: None, prompt: Prompt):
    ModelPrice.objects.filter(model=EMBEDDER).delete()

    found = estimated(prompt)

    assert found.basis == "unknown"
    assert "What embedder-1 costs" in found.sentence


def test_estimate_by_formula_is_wide_and_offers_a_pilot(paid: None, prompt: Prompt):
    ModelPriceFactory(model="gpt-6-luna", usd_in=Decimal("0.10"), usd_out=Decimal("0.50"), as_of=date(2026, 1, 2))

    found = estimated(prompt, photos=100_000, model="gpt-6-luna")

    assert found.basis == "formula"
    assert found.low < found.likely < found.high
    assert 20 < found.likely < 32  # USD; computed elsewhere: 24
    assert found.high > 2 * found.low
    assert found.pilot == found.likely / 5_000
    assert f"Describe 20 first, about {money.dollars(found.pilot)}, and the estimate becomes exact." in found.sentence


def test_estimate_of_few_photos_offers_no_pilot(paid: None, prompt: Prompt):
    assert "Describe 20 first" not in estimated(prompt, photos=20).sentence


def test_estimate_by_formula_grows_with_notes_pictures_and_thoughts(paid: None, prompt: Prompt, settings: Any):
    plain = estimated(prompt)
    Note.objects.create(account=prompt.account, text="x" * 4_000)
    noted = estimated(prompt)
    Note.objects.create(account=prompt.account, album=AlbumFactory(account=prompt.account), text="y" * 8_000)
    with_album = estimated(prompt)

    assert noted.likely == plain.likely + Decimal(100 * 1_000) / 1_000_000
    assert with_album.likely == noted.likely + Decimal(100 * 2_000) / 1_000_000
    assert estimated(prompt, pixels=2048).likely > with_album.likely
    settings.OPENAI_REASONING_EFFORT = "medium"
    assert estimated(prompt).high > 2 * with_album.high


def test_estimate_from_twenty_answers_is_what_they_cost(paid: None, prompt: Prompt):
    for tokens in [100, 300] * 10:
        AICallFactory(account=prompt.account, tokens_in=1_000, tokens_out=tokens)

    found = estimated(prompt, photos=1_000)

    # 1,000 tokens in at $1 and 200 ± 100 out at $10 a million, and 150 (75 to 300) to embed at $0.02
    assert found.basis == "measured"
    assert found.likely == Decimal(1_000) * (Decimal("0.003") + Decimal("0.000003"))
    assert found.low == Decimal(1_000) * (Decimal("0.002") + Decimal("0.0000015"))
    assert found.high == Decimal(1_000) * (Decimal("0.004") + Decimal("0.000006"))
    assert found.pilot is None
    assert found.sentence.startswith("About $3.00: ")


def test_estimate_spreads_what_was_paid_for_nothing_over_what_came(paid: None, prompt: Prompt):
    for _ in range(20):
        AICallFactory(account=prompt.account)
    before = estimated(prompt).likely
    for _ in range(20):
        AICallFactory(account=prompt.account, outcome="bad_answer")
    AICallFactory(account=prompt.account, outcome="outage", tokens_in=None, tokens_cached=None, tokens_out=None)

    embedding = Decimal("0.0003")  # of the 100 photos
    assert estimated(prompt).likely - embedding == 2 * (before - embedding)


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "Default 2"},
        {"model": "paid-1-mini"},
        {"kind": "embed"},
        {"outcome": "refused"},
        {"tokens_out": None},
        {"account": None},
    ],
)
def test_estimate_takes_no_measure_from_other_calls(paid: None, prompt: Prompt, other: dict[str, Any]):
    for _ in range(19):
        AICallFactory(account=prompt.account, model="paid-1-2026-09-01")
    for _ in range(20):
        AICallFactory(**{"account": prompt.account, **other})

    assert estimated(prompt).basis == "formula"
    AICallFactory(account=prompt.account)
    assert estimated(prompt).basis == "measured"


def test_estimate_of_another_library_takes_no_measure_from_this_one(paid: None, prompt: Prompt):
    for _ in range(20):
        AICallFactory(account=prompt.account)
    other = Prompt.objects.create(account=AccountFactory(), name="Default", text=PROMPT, is_active=True)

    assert (estimated(prompt).basis, estimated(other).basis) == ("measured", "formula")


def test_estimate_for_nothing_is_nothing(paid: None, prompt: Prompt):
    found = estimated(prompt, photos=0)

    assert (found.high, found.sentence) == (0, "There is no photo to describe.")


def test_estimate_at_a_price_of_nothing_is_free(paid: None, prompt: Prompt):
    ModelPriceFactory(model="llava", usd_in=0, usd_out=0)
    ModelPrice.objects.filter(model=EMBEDDER).update(usd_in=0)

    found = estimated(prompt, model="llava")

    assert (found.basis, found.range) == ("free", "Free")
    assert found.sentence == "By the price entered for it, llava costs nothing."


# --- The budget ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "default", "expected"),
    [(None, None, None), (None, "5", "5"), ("2.50", "5", "2.50"), ("0", "5", "0")],
)
def test_budget_is_what_is_given_or_else_what_the_settings_say(
    paid: None, settings: Any, given: str | None, default: str | None, expected: str | None
):
    settings.AI_RUN_BUDGET_USD = Decimal(default) if default else None

    budget = money.budget_for(Decimal(given) if given else None, "paid-1", EMBEDDER)

    assert budget == (Decimal(expected) if expected else None)


def test_budget_without_a_known_price_is_refused_and_none_is_needed(paid: None, settings: Any):
    with pytest.raises(money.UnknownPrice, match="A budget cannot be kept: what mystery costs is not known here"):
        money.budget_for(Decimal(1), "mystery", EMBEDDER)
    with pytest.raises(money.UnknownPrice, match="what mystery and riddle cost is not known here"):
        money.budget_for(Decimal(1), "mystery", "riddle")

    assert money.budget_for(None, "mystery", EMBEDDER) is None
    settings.AI_RUN_BUDGET_USD = Decimal(5)
    with pytest.raises(money.UnknownPrice):
        money.budget_for(None, "mystery", EMBEDDER)
    settings.AI_DESCRIBER = "local"
    assert money.budget_for(Decimal(1), "mystery", EMBEDDER) == 1


def test_reserve_within_the_budget_puts_aside_and_beyond_it_changes_nothing():
    run = ProcessingRunFactory(budget_usd=Decimal("1.00"), spent_usd=Decimal("0.30"), reserved_usd=Decimal("0.20"))

    assert money.reserve(run, Decimal("0.50"))
    assert not money.reserve(run, Decimal("0.00000001"))

    run.refresh_from_db()
    assert (run.spent_usd, run.reserved_usd) == (Decimal("0.30"), Decimal("0.70"))


def test_reserve_without_a_budget_is_always_granted():
    run = ProcessingRunFactory(spent_usd=Decimal(999))

    assert money.reserve(run, Decimal(100))
    assert money.reserve(run, None)

    run.refresh_from_db()
    assert run.reserved_usd == 100


def test_reserve_an_unknown_amount_of_a_budget_is_refused():
    run = ProcessingRunFactory(budget_usd=Decimal(1_000))

    assert not money.reserve(run, None)


def test_settle_frees_what_was_aside_and_counts_what_was_spent():
    run = ProcessingRunFactory(reserved_usd=Decimal("0.50"), spent_usd=Decimal("0.10"))

    money.settle(run, Decimal("0.20"), Decimal("0.05"))

    run.refresh_from_db()
    assert (run.reserved_usd, run.spent_usd) == (Decimal("0.30"), Decimal("0.15"))


def test_settle_of_an_unknown_cost_counts_what_was_aside():
    run = ProcessingRunFactory(reserved_usd=Decimal("0.50"))

    money.settle(run, Decimal("0.20"), None)

    run.refresh_from_db()
    assert (run.reserved_usd, run.spent_usd) == (Decimal("0.30"), Decimal("0.20"))


def test_settle_never_leaves_less_than_nothing_aside():
    run = ProcessingRunFactory(reserved_usd=Decimal("0.10"))

    money.settle(run, Decimal("0.20"), Decimal(0))

    run.refresh_from_db()
    assert run.reserved_usd == 0


@pytest.mark.django_db(transaction=True)
def test_reserve_from_many_threads_never_passes_the_budget_together():
    run = ProcessingRunFactory(budget_usd=Decimal("1.00"))
    amount, spent = Decimal("0.07"), Decimal("0.05")

    def call(_: int) -> bool:
        """A call as an engine makes it: never without something put aside."""
        try:
            if not money.reserve(run, amount):
                return False
            money.settle(run, amount, spent)
            return True
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        made = sum(pool.map(call, range(60)))

    found = ProcessingRun.objects.get(pk=run.pk)
    assert found.reserved_usd == 0
    assert found.spent_usd == made * spent
    assert Decimal("0.60") < found.spent_usd <= Decimal("1.00")


@pytest.mark.django_db(transaction=True)
def test_reserve_the_last_of_a_budget_twice_at_once_is_granted_once():
    run = ProcessingRunFactory(budget_usd=Decimal("1.00"))

    def call(_: int) -> bool:
        try:
            return money.reserve(run, Decimal("0.60"))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(call, range(4))) == [False, False, False, True]

    assert ProcessingRun.objects.get(pk=run.pk).reserved_usd == Decimal("0.60")
