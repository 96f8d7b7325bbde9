"""What calls of models cost: dated prices, an estimate before a run, and the budget while it runs. USD, as Decimal.

What is not known is None and shown as unknown, never as 0. Prices are of a million tokens.
"""

from __future__ import annotations

import datetime
import json
import math
import re
import statistics
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import F, Q
from django.db.models.functions import Greatest, Length
from django.utils import timezone

from metadata import facts
from metadata.describe import SCHEMA, Usage
from metadata.models import AICall, ModelPrice, Note, ProcessingRun, Prompt
from smugmug.models import Account

ZERO = Decimal(0)
MILLION = Decimal(1_000_000)
DATED = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8})$")  # gpt-6-luna-2026-09-01 costs what gpt-6-luna costs

PILOT = 20  # photos, and as many answers as an estimate by measure needs
LOOKED_AT = 1_000  # newest calls
PATCH = 32  # pixels
TOKENS_A_PATCH = Decimal("1.2")
MOST_PATCHES, LONGEST_SIDE = 2_500, 2_048  # of a picture, at `detail: high`
SHAPES = (2.0, 1.5, 1.0)  # long side over short side: few patches, the usual 3:2, many patches
CHARACTERS_A_TOKEN = (5, 4, 3)
FACTS = (0, 40, 400)  # tokens of what is told about one photo, where the prompt wants facts told
ANSWER = (100, 200, 400)
THOUGHTS = (0, 500, 2_000)  # tokens, where the model is asked to think
EMBEDDED = (75, 150, 300)


# --- Prices ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens; `usd_cached` is None where cached tokens cost what others do."""

    usd_in: Decimal
    usd_cached: Decimal | None
    usd_out: Decimal


FREE = Price(ZERO, ZERO, ZERO)


class UnknownPrice(Exception):
    """A budget that nobody could keep; str() is the sentence for the person."""


def price_of(model: str, on: datetime.date | None = None) -> Price | None:
    """The newest price that has begun by that day (today), of the model or else of the one it is a dated copy of."""
    names = [model, base_name(model)]
    rows = ModelPrice.objects.filter(model__in=names, as_of__lte=on or timezone.now().date())
    row = min(rows, key=lambda row: (names.index(row.model), -row.as_of.toordinal()), default=None)
    return Price(row.usd_in, row.usd_cached, row.usd_out) if row else None


def base_name(model: str) -> str:
    """The model's name without the date of its copy."""
    return DATED.sub("", model)


def cost(usage: Usage, price: Price | None) -> Decimal | None:
    """What the tokens cost; None where the price, or the number of tokens that cost something, is unknown."""
    if price is None:
        return None
    cached = min(usage.tokens_cached or 0, usage.tokens_in or 0)
    plain = None if usage.tokens_in is None else usage.tokens_in - cached
    parts = (
        _part(plain, price.usd_in),
        _part(cached, price.usd_in if price.usd_cached is None else price.usd_cached),
        _part(usage.tokens_out, price.usd_out),
    )
    known = [part for part in parts if part is not None]
    return sum(known, ZERO) / MILLION if len(known) == len(parts) else None


def _part(tokens: int | None, usd: Decimal) -> Decimal | None:
    if not usd:
        return ZERO
    return None if tokens is None else tokens * usd


def is_local() -> bool:
    """Whether the built-in model describes, which costs nothing and sends nothing."""
    return bool(settings.AI_DESCRIBER == "local")


def dollars(amount: Decimal) -> str:
    """$1,234.50, $0.07, and what is less than a tenth with two figures that say something: $0.0049."""
    if not amount or amount >= Decimal("0.1"):
        return f"${amount:,.2f}"
    digits = max(2, 1 - amount.adjusted())
    return f"${amount:.{digits}f}"


# --- Before a run: the estimate --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will cost. The three amounts are None where a price is unknown.

    `basis`: measured, formula, free or unknown. `pilot` is what PILOT photos cost, where they would tell more.
    """

    low: Decimal | None
    likely: Decimal | None
    high: Decimal | None
    basis: str
    photos: int
    sentence: str
    pilot: Decimal | None = None

    @property
    def range(self) -> str:
        """`$0.98 to $1.22`, or what there is to say instead."""
        if self.low is None or self.high is None:
            return "Unknown"
        if not self.high:
            return "Free"
        low, high = dollars(self.low), dollars(self.high)
        return low if low == high else f"{low} to {high}"

    @property
    def likely_text(self) -> str:
        """`$1.10`, where it says more than the range."""
        return dollars(self.likely) if self.likely and self.low != self.high else ""


Amounts = tuple[Decimal, Decimal, Decimal]  # low, likely, high


def estimate(  # noqa: PLR0913 - one keyword for each thing the cost depends on
    account: Account, *, photos: int, prompt: Prompt, model: str, embedding_model: str, pixels: int
) -> Estimate:
    """What describing and embedding so many photos of the account will cost, and where that is known from.

    With `photos=1`, `high` is what to reserve for one photo.
    """
    if is_local():
        return Estimate(ZERO, ZERO, ZERO, "free", photos, "The built-in model works on this machine and costs nothing.")
    words, vectors = price_of(model), price_of(embedding_model)
    if words is None or vectors is None:
        return Estimate(None, None, None, "unknown", photos, unknown_sentence(model, embedding_model))
    found = _measured(account, prompt, model, words)
    each = found or _by_formula(account, prompt, words, pixels)
    embedding = [cost(Usage(tokens, None, 0), vectors) or ZERO for tokens in EMBEDDED]
    low, likely, high = ((one + more) * photos for one, more in zip(each, embedding, strict=True))
    if not high:
        return Estimate(ZERO, ZERO, ZERO, "free" if photos else "formula", photos, _nothing_sentence(photos, model))
    if found:
        sentence = f"About {dollars(likely)}: what photos of this library have cost with this prompt and model."
        return Estimate(low, likely, high, "measured", photos, sentence)
    pilot = (each[1] + embedding[1]) * PILOT
    return Estimate(low, likely, high, "formula", photos, _formula_sentence(photos, pilot), pilot)


def unknown_sentence(*models: str) -> str:
    """Which of the models have no price here, and what to do about it; "" where all have one."""
    missing = [model for model in dict.fromkeys(models) if price_of(model) is None]
    if not missing:
        return ""
    return (
        f"What {' and '.join(missing)} cost{'s' * (len(missing) == 1)} is not known here. Staff can enter it in the "
        "admin, under Model prices; for a server of your own that is 0."
    )


def _nothing_sentence(photos: int, model: str) -> str:
    return f"By the price entered for it, {model} costs nothing." if photos else "There is no photo to describe."


def _formula_sentence(photos: int, pilot: Decimal) -> str:
    reckoned = (
        "Reckoned from the size of a picture and of the prompt: too few photos of this library have been measured"
    )
    if photos <= PILOT:
        return f"{reckoned} with this prompt and model to know better."
    return (
        f"{reckoned} with this prompt and model. Describe {PILOT} first, about {dollars(pilot)}, "
        "and the estimate becomes exact."
    )


def _measured(account: Account, prompt: Prompt, model: str, price: Price) -> Amounts | None:
    """For one photo, at today's price, from the tokens of its newest calls; None where there are fewer than PILOT.

    Calls that were paid for and came to nothing are spread over those that gave words.
    """
    rows = AICall.objects.filter(account=account, kind=AICall.Kind.DESCRIBE, prompt=str(prompt))
    newest = rows.order_by("-created_at").values_list("model", "outcome", "tokens_in", "tokens_cached", "tokens_out")[
        :LOOKED_AT
    ]
    paid = [
        (outcome, amount)
        for name, outcome, *tokens in newest
        if base_name(name) == base_name(model) and (amount := cost(Usage(*tokens), price)) is not None
    ]
    good = [amount for outcome, amount in paid if outcome == AICall.Outcome.OK]
    if len(good) < PILOT:
        return None
    mean = sum((amount for _, amount in paid), ZERO) / len(good)
    spread = statistics.pstdev(good)
    return max(mean - spread, ZERO), mean, mean + spread


def _by_formula(account: Account, prompt: Prompt, price: Price, pixels: int) -> Amounts:
    """For one photo: the tokens of a picture, of the prompt with its notes, and of an answer."""
    characters = prompt_characters(account, prompt)
    thinks = settings.OPENAI_REASONING_EFFORT not in {"", "none"}
    amounts = []
    for each in range(3):
        told = characters // CHARACTERS_A_TOKEN[each] + (FACTS[each] if prompt.facts else 0)
        said = ANSWER[each] + (THOUGHTS[each] if thinks else 0)
        usage = Usage(image_tokens(pixels, SHAPES[each]) + told, None, said)
        amounts.append(cost(usage, price) or ZERO)
    low, likely, high = amounts
    return low, likely, high


def prompt_characters(account: Account, prompt: Prompt) -> int:
    """How long what is told beside each picture is, with the library's note, the longest of an album, and the form."""
    lengths: dict[Any, int] = dict(
        Note.objects.filter(account=account).values_list("album", Length("text"))  # None: of the account
    )
    longest = max((length for album, length in lengths.items() if album), default=0)
    form = len(json.dumps(SCHEMA))
    return len(facts.instructions(prompt, [])) + form + lengths.get(None, 0) + longest


def image_tokens(pixels: int, shape: float = 1.5) -> int:
    """What a picture of that long side costs at `detail: high` by the patch formula of OpenAI's models.

    `shape` is its long side over its short one.
    """
    width = min(pixels, LONGEST_SIDE)
    height = round(width / shape)
    columns, rows = math.ceil(width / PATCH), math.ceil(height / PATCH)
    if columns * rows > MOST_PATCHES:
        shrunk = math.sqrt(MOST_PATCHES / (width * height)) * PATCH
        wide, high = width * shrunk / PATCH, height * shrunk / PATCH
        fit = min(math.floor(wide) / wide, math.floor(high) / high)
        columns, rows = math.floor(wide * fit + 1e-9), math.floor(high * fit + 1e-9)
    return math.ceil(columns * rows * TOKENS_A_PATCH)


# --- While it runs: the budget ---------------------------------------------------------------------------------


def budget_for(given: Decimal | None, *models: str) -> Decimal | None:
    """What a run over these models may spend: what it is given, else AI_RUN_BUDGET_USD; None: no bound.

    UnknownPrice where nobody could tell when it is spent.
    """
    budget = settings.AI_RUN_BUDGET_USD if given is None else given
    if budget is None or is_local():
        return given
    if sentence := unknown_sentence(*models):
        raise UnknownPrice(f"A budget cannot be kept: {sentence[0].lower()}{sentence[1:]}")
    return Decimal(budget)


def reserve(run: ProcessingRun, amount: Decimal | None) -> bool:
    """Put the amount of a call aside before it is made; False where the run's budget does not hold it any more.

    One statement, so that whoever calls at the same time cannot pass the budget together. A run without a budget may
    always; one with a budget never makes a call of which nobody knows what it costs (None).
    """
    room = Q(budget_usd=None)
    if amount is not None:
        room |= Q(budget_usd__gte=F("spent_usd") + F("reserved_usd") + amount)
    won = ProcessingRun.objects.filter(room, pk=run.pk).update(reserved_usd=F("reserved_usd") + (amount or ZERO))
    return bool(won)


def settle(run: ProcessingRun, reserved: Decimal | None, spent: Decimal | None) -> None:
    """A call is over: what was put aside for it is free again, and what it cost is spent.

    Where nobody knows what it cost (None), what was put aside counts as spent.
    """
    aside = reserved or ZERO
    ProcessingRun.objects.filter(pk=run.pk).update(
        reserved_usd=Greatest(F("reserved_usd") - aside, ZERO),
        spent_usd=F("spent_usd") + (aside if spent is None else spent),
    )
