"""What is to be written to SmugMug, who armed it, and what SmugMug had before and after."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from smugmug.models import Account, Photo
from targetvision.models import ACTIVE, Run, RunQuerySet, RunState

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

ARMED = Q(armed_by__startswith="user:", armed_at__isnull=False)
REVERT_ARMED = Q(revert_armed_by__startswith="user:", revert_armed_at__isnull=False)


class ChangeSetQuerySet(RunQuerySet):
    def active(self) -> Self:
        """Armed, and not over."""
        return super().active().exclude(stage="prepared")

    def armed(self) -> Self:
        """Those that were armed at some time: before that nothing has run."""
        return self.exclude(stage="prepared")

    def left_halfway(self) -> Self:
        """Stopped for a while, with pictures of which nobody has recorded whether they were written."""
        waited = timezone.now() - datetime.timedelta(seconds=3 * settings.HEARTBEAT_SECONDS)
        halfway = Change.objects.filter(change_set=OuterRef("pk")).halfway()
        return self.armed().exclude(state__in=ACTIVE).filter(Exists(halfway), finished_at__lt=waited)


class ChangeSet(Run):
    """Words that people have approved, to be written to SmugMug: prepared, armed by a person, written, reverted.

    While it is only prepared its state is paused (or cancelled: thrown away), and the database lets it be no other.
    `total` and `done` count pictures of the stage that it is in.
    """

    class Rule(models.TextChoices):
        NO = "", "Leave it alone"
        EMPTY = "empty", "Only where it is empty"
        APPEND = "append", "Add to what is there"
        REPLACE = "replace", "Replace what is there"

    class Stage(models.TextChoices):
        PREPARED = "prepared", "Prepared"
        WRITING = "writing", "Armed"
        REVERTING = "reverting", "Being taken back"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="change_sets")
    filter = models.JSONField(
        default=dict, help_text="What it is about, as in the page's address; approved words only."
    )
    caption_rule = models.CharField(max_length=8, choices=Rule, blank=True, default=Rule.NO)
    title_rule = models.CharField(max_length=8, choices=Rule, blank=True, default=Rule.NO)
    keywords_rule = models.CharField(max_length=8, choices=Rule, blank=True, default=Rule.NO)
    stage = models.CharField(max_length=9, choices=Stage, default=Stage.PREPARED)
    found = models.PositiveIntegerField(default=0, help_text="Approved photos that the filter found.")
    armed_by = models.CharField(max_length=160, blank=True, help_text="user:ada")
    armed_at = models.DateTimeField(null=True, blank=True)
    revert_armed_by = models.CharField(max_length=160, blank=True)
    revert_armed_at = models.DateTimeField(null=True, blank=True)
    written = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0, help_text="Had it already when their turn came.")
    conflicts = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    reverted = models.PositiveIntegerField(default=0)
    revert_conflicts = models.PositiveIntegerField(default=0)
    revert_failed = models.PositiveIntegerField(default=0)

    objects: ClassVar[Any] = ChangeSetQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(stage="prepared") | ARMED, name="metadata_written_only_when_armed"),
            models.CheckConstraint(
                condition=~Q(stage="reverting") | REVERT_ARMED, name="metadata_reverted_only_when_armed"
            ),
            models.CheckConstraint(
                condition=~Q(stage="prepared") | Q(state__in=("paused", "cancelled")),
                name="metadata_prepared_change_set_rests",
            ),
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(state__in=ACTIVE) & ~Q(stage="prepared"),
                name="metadata_one_active_change_set_per_account",
            ),
        ]
        indexes = [models.Index(fields=["account", "-created_at"], name="metadata_change_set_newest")]

    def __str__(self) -> str:
        return f"Change-set of {self.account_id}, {self.get_stage_display().lower()}, {self.state}"

    @property
    def is_prepared(self) -> bool:
        """Whether it waits for a person to arm it."""
        return self.stage == self.Stage.PREPARED and self.state == RunState.PAUSED

    @property
    def is_discarded(self) -> bool:
        return self.stage == self.Stage.PREPARED and self.state == RunState.CANCELLED

    @property
    def is_reverting(self) -> bool:
        """Whether it is being taken back, or has been."""
        return self.stage == self.Stage.REVERTING

    @property
    def may_be_reverted(self) -> bool:
        """Whether it is over and not wholly taken back, as far as that is ours to do."""
        is_done = self.state in (RunState.SUCCEEDED, RunState.PARTIAL)
        is_back = self.is_reverting and is_done and not self.revert_failed
        return self.stage != self.Stage.PREPARED and not self.is_active and not is_back

    @property
    def rules(self) -> dict[str, str]:
        """Field → its rule, for those that are to be written."""
        rules = {name: getattr(self, f"{name}_rule") for name in ("caption", "title", "keywords")}
        return {name: rule for name, rule in rules.items() if rule}

    def _change(self, condition: Q, **changes: Any) -> bool:
        """Nobody works on, pauses or resumes what no person has armed."""
        return super()._change(condition & ARMED, **changes)


class ChangeQuerySet(models.QuerySet):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        return self.filter(change_set__account__memberships__user_id__in=[user.pk])

    def in_state(self, *states: str) -> Self:
        return self.filter(state__in=states)

    def touched(self) -> Self:
        """Pictures on which something of ours stands, or may stand."""
        return self.filter(before__isnull=False, state__in=Change.TOUCHED)

    def halfway(self) -> Self:
        """Pictures to which something was to be sent, and of which it is not known whether it arrived."""
        return self.filter(state__in=(Change.State.WRITING, Change.State.REVERTING))

    def unfinished(self, change_set: ChangeSet, *, reverting: bool) -> Self:
        """What has still to be come to: of writing the change-set, or of taking it back."""
        rows = self.filter(change_set=change_set)
        return rows.touched() if reverting else rows.filter(state__in=Change.OPEN)

    def beyond(self, pk: int) -> Self:
        """Those after a place in the list, in its order."""
        return self.filter(pk__gt=pk).order_by("pk")


class Change(models.Model):
    """What one picture is to get, once, however many albums show it; and what SmugMug had before and after.

    `seen`, `before`, `after` and `put_back` are {"caption", "title", "keywords"}: as the mirror had them at the
    preview, as SmugMug had them when its turn came, when it was over, and after the revert.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waits"
        LEFT_OUT = "left_out", "Left out"
        WRITING = "writing", "Being written"
        WRITTEN = "written", "Written"
        UNCHANGED = "unchanged", "Had it already"
        CONFLICT = "conflict", "Changed on SmugMug"
        FAILED = "failed", "Failed"
        REVERTING = "reverting", "Being put back"
        REVERTED = "reverted", "Put back"
        REVERT_CONFLICT = "revert_conflict", "Kept: changed since"
        REVERT_FAILED = "revert_failed", "Could not be put back"

    OPEN = (State.WAITING, State.WRITING)
    # In these, something of ours may stand on SmugMug, if the picture's turn had come.
    TOUCHED = (State.WRITING, State.WRITTEN, State.CONFLICT, State.FAILED, State.REVERTING)

    change_set = models.ForeignKey(ChangeSet, on_delete=models.CASCADE, related_name="changes", db_index=False)
    photo = models.ForeignKey(Photo, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=15, choices=State, default=State.WAITING, db_default=State.WAITING)
    words_version = models.PositiveIntegerField(help_text="Of the approved words that it was made from.")
    seen = models.JSONField()
    caption = models.TextField(blank=True, help_text="What it is to be; empty: left alone.")
    title = models.TextField(blank=True, help_text="What it is to be; empty: left alone.")
    add = ArrayField(models.TextField(), default=list, blank=True)
    remove = ArrayField(models.TextField(), default=list, blank=True)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)
    put_back = models.JSONField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    sentence = models.TextField(blank=True, default="", db_default="", help_text="Why it is not done, or not wholly.")
    changed_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[Any] = ChangeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["change_set", "photo"], name="metadata_picture_changed_once"),
            models.CheckConstraint(
                condition=Q(state__in=("waiting", "left_out", "unchanged", "conflict", "failed"))
                | Q(before__isnull=False),
                name="metadata_intent_before_writing",
            ),
        ]
        indexes = [models.Index(fields=["change_set", "state", "id"], name="metadata_change_in_state")]

    def __str__(self) -> str:
        return f"{self.photo_id}: {self.state}"
