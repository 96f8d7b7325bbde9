"""Passes of the describer over a library."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from metadata.models.prompts import Prompt
from smugmug.models import Account, Album, Photo
from targetvision.models import ACTIVE, Run


class ProcessingRun(Run):
    """One pass of the describer over photos of an account."""

    class Only(models.TextChoices):
        PENDING = "pending", "Not described yet"
        FAILED = "failed", "Failed before"
        STALE = "stale", "Described from something else than would be sent now"
        ALL = "all", "All, described or not"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="processing_runs")
    album = models.ForeignKey(Album, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    only = models.CharField(max_length=8, choices=Only, default=Only.PENDING)
    photo = models.ForeignKey(Photo, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    reason = models.TextField(blank=True, help_text="Only those that failed with this sentence.")
    also_decided = models.BooleanField(default=False, help_text="Also photos whose words a person has decided on.")
    note = models.TextField(blank=True, help_text="What the model is told in this run beside the notes that stand.")
    limit = models.PositiveIntegerField(null=True, blank=True)
    describer = models.CharField(max_length=16, blank=True)
    model = models.CharField(max_length=120, blank=True)
    prompt = models.ForeignKey(Prompt, null=True, blank=True, on_delete=models.PROTECT, related_name="runs")
    budget_usd = models.DecimalField("budget, USD", max_digits=12, decimal_places=4, null=True, blank=True)
    reserved_usd = models.DecimalField("reserved, USD", max_digits=14, decimal_places=8, default=0)
    spent_usd = models.DecimalField("spent, USD", max_digits=14, decimal_places=8, default=0)
    described = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account"], condition=Q(state__in=ACTIVE), name="metadata_one_active_processing_per_account"
            ),
            models.CheckConstraint(
                condition=Q(budget_usd=None) | Q(budget_usd__gte=0), name="metadata_budget_not_negative"
            ),
        ]
        indexes = [models.Index(fields=["account", "-created_at"], name="metadata_processing_newest")]

    def __str__(self) -> str:
        return f"Describing {self.album or self.account}, {self.state}"

    def release(self) -> bool:
        """The same for the run's photos: whoever held one is gone."""
        self.rows.filter(processing_status="processing").update(processing_status="pending", claimed_until=None)
        return super().release()
