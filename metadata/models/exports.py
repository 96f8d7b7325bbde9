"""Words taken out into files."""

from __future__ import annotations

import datetime

from django.db import models
from django.db.models import F, Q, TextField
from django.db.models.functions import MD5, Cast

from smugmug.models import Account
from targetvision.models import ACTIVE, Run, RunState

KEPT = datetime.timedelta(days=7)


class Export(Run):
    """The words that a filter finds in a library, as one file, which is kept for a week.

    `total` is how many photos it is about, `done` how many are written. The file bears the names of the export and of
    the `holder` who finished it (see metadata/export.py).
    """

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        JSON_LINES = "jsonl", "JSON Lines"
        XMP = "xmp", "XMP sidecars"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="exports")
    format = models.CharField(max_length=5, choices=Format)
    filter = models.JSONField(default=dict, help_text="What it is about, as in the address of the review pages.")
    size_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="How often it was begun; a kill costs one.")
    removed_at = models.DateTimeField(null=True, blank=True, help_text="When its file was deleted.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                F("account"),
                F("format"),
                MD5(Cast("filter", TextField())),  # a filter in full may be longer than a row of an index
                condition=Q(state__in=ACTIVE),
                name="metadata_one_active_export_of_the_same",
            )
        ]
        indexes = [models.Index(fields=["account", "-created_at"], name="metadata_export_newest")]

    def __str__(self) -> str:
        return f"{self.get_format_display()} of {self.account}, {self.state}"

    @property
    def has_file(self) -> bool:
        return self.state == RunState.SUCCEEDED and self.removed_at is None

    @property
    def kept_until(self) -> datetime.datetime | None:
        """When its file is deleted; None where there is none."""
        return self.finished_at + KEPT if self.has_file and self.finished_at else None
