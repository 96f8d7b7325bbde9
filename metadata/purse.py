"""A run's money as the engine spends it: put aside before each call, and a row in the ledger after it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.conf import settings

from metadata import ledger, money
from metadata.calls import Outcome
from metadata.describe import DescribeError, Describer, Usage
from metadata.ledger import Call
from metadata.models import AICall, ProcessingRun, Prompt
from metadata.outages import Pause
from smugmug.models import Account

USED_UP = "The budget is used up"


def call_of(kind: str, outcome: Outcome, describer: Describer, *, prompt: str = "") -> Call:
    """The ledger's line for a call that was made."""
    result, error = outcome.answer or outcome.error, outcome.error
    embeds = kind == AICall.Kind.EMBED
    return Call(
        kind=kind,
        model=getattr(result, "model", "") or (describer.embedding_model if embeds else describer.model),
        outcome=ledger.outcome(error if isinstance(error, DescribeError) else None),
        usage=getattr(result, "usage", Usage()),
        ms=outcome.ms or 0,
        prompt="" if embeds else prompt,
        sent_to=describer.sends_to,
        bytes_sent=outcome.bytes_sent,
    )


@dataclass(frozen=True)
class Purse:
    """What calls of each kind may cost at most, as far as is known (USD); None where nobody knows.

    What a worker that died had put aside stays aside: its calls were probably paid for.
    """

    run: ProcessingRun
    account: Account
    describer: Describer
    prompt: str
    amounts: dict[str, Decimal | None]

    @classmethod
    def of(cls, run: ProcessingRun, describer: Describer, prompt: Prompt) -> Purse:
        """As prices and measured tokens are now."""
        each = money.estimate(
            run.account,
            photos=1,
            prompt=prompt,
            model=describer.model,
            embedding_model=describer.embedding_model,
            pixels=settings.AI_IMAGE_PIXELS,
        )
        texts = Usage(money.EMBEDDED[-1] * settings.AI_BATCH_SIZE, None, 0)
        price = money.price_of(describer.embedding_model) if describer.sends_to else money.FREE
        amounts = {AICall.Kind.DESCRIBE: each.high, AICall.Kind.EMBED: money.cost(texts, price)}
        return cls(run, run.account, describer, str(prompt), {str(kind): amount for kind, amount in amounts.items()})

    def take(self, kind: str) -> bool:
        """Put aside what a call may cost; False where the budget does not hold it any more."""
        return money.reserve(self.run, self.amounts[kind])

    def enter(self, kind: str, outcome: Outcome, *, photo_id: UUID | None = None) -> None:
        """The call is over: it is in the ledger, and what it did not cost is free again."""
        if outcome.ms is None:  # it was not made
            money.settle(self.run, self.amounts[kind], money.ZERO)
            return
        call = call_of(kind, outcome, self.describer, prompt=self.prompt)
        row = ledger.record(self.account, call, run=self.run, photo_id=photo_id)
        is_unanswered = call.outcome in (AICall.Outcome.OUTAGE, AICall.Outcome.REJECTED)
        money.settle(self.run, self.amounts[kind], money.ZERO if is_unanswered and row.cost is None else row.cost)

    def spent(self) -> Pause:
        """Why the run stops: nobody but a person can let it go on."""
        run = ProcessingRun.objects.get(pk=self.run.pk)
        if None in self.amounts.values():
            return Pause(money.unknown_sentence(self.describer.model, self.describer.embedding_model), None)
        left = max((run.total or 0) - run.done, 0)
        return Pause(
            f"{USED_UP}: {money.dollars(run.spent_usd)} of {money.dollars(run.budget_usd or money.ZERO)} "
            f"spent, {left:,} photo{'s' * (left != 1)} left. Raise the budget to go on, or cancel.",
            None,
        )
