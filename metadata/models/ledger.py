"""What calls of models cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from metadata.models.runs import ProcessingRun
from smugmug.models import Account, Photo

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


class ModelPrice(models.Model):
    """What a model costs from a day on, in USD per million tokens. The newest row that has begun counts."""

    model = models.CharField(max_length=120)
    as_of = models.DateField()
    usd_in = models.DecimalField("USD per million tokens in", max_digits=10, decimal_places=4)
    usd_cached = models.DecimalField("cached tokens in", max_digits=10, decimal_places=4, null=True, blank=True)
    usd_out = models.DecimalField("tokens out", max_digits=10, decimal_places=4, default=0)

    class Meta:
        ordering = ["model", "-as_of"]
        constraints = [
            models.UniqueConstraint(fields=["model", "as_of"], name="metadata_one_price_a_day"),
            models.CheckConstraint(
                condition=Q(usd_in__gte=0, usd_out__gte=0) & (Q(usd_cached=None) | Q(usd_cached__gte=0)),
                name="metadata_price_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} from {self.as_of}"


class AICallQuerySet(models.QuerySet):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        return self.filter(account__in=Account.objects.visible_to(user))


class AICall(models.Model):
    """One call of a model: what it cost and what came of it. The ledger only grows."""

    class Kind(models.TextChoices):
        DESCRIBE = "describe", "Describe"
        EMBED = "embed", "Embed"

    class Outcome(models.TextChoices):
        OK = "ok", "Answered"
        OUTAGE = "outage", "No answer"
        REJECTED = "rejected", "Key, quota or model refused"
        BAD_ANSWER = "bad_answer", "Unusable answer"
        CUT_OFF = "cut_off", "Answer cut off"
        REFUSED = "refused", "Picture refused"

    account = models.ForeignKey(Account, null=True, on_delete=models.SET_NULL, related_name="ai_calls")
    run = models.ForeignKey(ProcessingRun, null=True, on_delete=models.SET_NULL, related_name="calls")
    photo = models.ForeignKey(Photo, null=True, on_delete=models.SET_NULL, related_name="+")
    kind = models.CharField(max_length=8, choices=Kind)
    prompt = models.CharField(max_length=64, blank=True)
    model = models.CharField(max_length=120)
    outcome = models.CharField(max_length=12, choices=Outcome)
    tokens_in = models.PositiveIntegerField(null=True)
    tokens_cached = models.PositiveIntegerField(null=True)
    tokens_out = models.PositiveIntegerField(null=True)
    cost = models.DecimalField("cost, USD", max_digits=12, decimal_places=8, null=True)
    ms = models.PositiveIntegerField()
    sent_to = models.CharField(max_length=255, blank=True, help_text="The server; empty: nothing left this machine.")
    bytes_sent = models.PositiveIntegerField(default=0, help_text="Of the picture or the texts.")
    created_at = models.DateTimeField(db_default=Now())

    objects = AICallQuerySet.as_manager()

    class Meta:
        verbose_name = "AI call"
        indexes = [
            models.Index(fields=["-created_at"], name="metadata_aicall_newest"),
            models.Index(fields=["account", "-created_at"], name="metadata_aicall_of_account"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} by {self.model}: {self.outcome}"
