"""What people decide, one photo at a time or over all that match, and what they looked at before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from metadata.models.words import AIMetadata
from smugmug.models import Account
from targetvision.models import Run

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


class Snapshot(models.Model):
    """What a filter found at one moment: words, each at a version. See snapshots.py."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    taken_at = models.DateTimeField(db_default=Now())
    size = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.size} words at {self.taken_at}"


class Found(models.Model):
    """Words of a snapshot. So many are written at once that no key is checked: what is gone matches nothing."""

    pk = models.CompositePrimaryKey("snapshot_id", "words_id")
    snapshot = models.ForeignKey(
        Snapshot, on_delete=models.CASCADE, related_name="found", db_constraint=False, db_index=False
    )
    words = models.ForeignKey(
        AIMetadata, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    version = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.words_id} at version {self.version}"


class Decision(Run):
    """One decision of a person: over one photo, or over all that a filter finds; carried out, and undone, in chunks.

    `total` is how many it is about, `done` how many it has come to. Who made it is `requested_by`.
    """

    class Kind(models.TextChoices):
        APPROVE = "approve", "Approve"
        REJECT = "reject", "Reject"
        EDIT = "edit", "Edit"
        ADD_TAG = "add_tag", "Add a tag"
        REMOVE_TAG = "remove_tag", "Remove a tag"
        REPLACE_TAG = "replace_tag", "Replace a tag"
        REPLACE_WORD = "replace_word", "Replace a word"

    class Undo(models.TextChoices):
        NO = "", "Stands"
        UNDER_WAY = "under_way", "Is being undone"
        DONE = "done", "Undone"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="decisions")
    kind = models.CharField(max_length=12, choices=Kind)
    photo = models.ForeignKey(
        AIMetadata,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="decisions",
        help_text="The words it is about, where it is about one photo.",
    )
    filter = models.JSONField(default=dict, blank=True, help_text="What it is about else, as in the page's address.")
    snapshot = models.ForeignKey(
        Snapshot,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="What the filter found when it was made; gone when it is over.",
    )
    params = models.JSONField(default=dict, blank=True, help_text="Reason, tag, word: what the kind needs.")
    cursor = models.UUIDField(null=True, blank=True, help_text="The last words it has come to, in the order of ids.")
    changed = models.PositiveIntegerField(default=0, help_text="Words it has written.")
    passed_over = models.PositiveIntegerField(default=0, help_text="Words that somebody else had changed meanwhile.")
    undo = models.CharField(max_length=9, choices=Undo, blank=True, default=Undo.NO)
    undo_cursor = models.UUIDField(null=True, blank=True)
    undone = models.PositiveIntegerField(default=0, help_text="Words put back.")
    undo_kept = models.PositiveIntegerField(default=0, help_text="Words left, because they were changed since.")
    undone_by = models.CharField(max_length=160, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["account", "-created_at"], name="metadata_decision_newest")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} by {self.requested_by}"

    @property
    def is_bulk(self) -> bool:
        return self.photo_id is None


class ReviewClaim(models.Model):
    """Whom a photo is shown to just now, so that it is shown to nobody else. Soft: it binds nobody who decides."""

    words = models.OneToOneField(AIMetadata, primary_key=True, on_delete=models.CASCADE, related_name="review_claim")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    until = models.DateTimeField()  # in no index: every page of review writes it anew, in place

    def __str__(self) -> str:
        return f"{self.words_id} shown to {self.user}"


class SampleQuerySet(models.QuerySet):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        return self.filter(account__in=Account.objects.visible_to(user))

    def changeable_by(self, user: User | AnonymousUser) -> Self:
        return self.filter(account__in=Account.objects.changeable_by(user))

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-pk")


class Sample(models.Model):
    """Words drawn at random from all that a filter finds, to be looked at before the rest is approved unseen.

    Drawn and stored before the first is shown; a later one adds to it and never replaces it.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="samples")
    filter = models.JSONField(default=dict)
    population = models.PositiveIntegerField(help_text="How many the filter found when it was drawn.")
    snapshot = models.ForeignKey(
        Snapshot,
        null=True,
        editable=False,
        on_delete=models.RESTRICT,
        related_name="+",
        help_text="Which ones: what it is drawn from, and about.",
    )
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    decision = models.ForeignKey(Decision, null=True, blank=True, on_delete=models.SET_NULL, related_name="samples")
    created_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[Any] = SampleQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["account", "-created_at"], name="metadata_sample_newest")]

    def __str__(self) -> str:
        return f"Sample of {self.population}"

    @property
    def is_open(self) -> bool:
        """Whether it can be looked through: it has not been accepted, or that was undone."""
        return self.snapshot_id is not None and (self.decision is None or self.decision.undo == Decision.Undo.DONE)


class SampledWords(models.Model):
    """One of a sample's words, in the order in which they were drawn, and what the person found."""

    sample = models.ForeignKey(Sample, on_delete=models.CASCADE, related_name="drawn")
    words = models.ForeignKey(AIMetadata, on_delete=models.CASCADE, related_name="+")
    position = models.PositiveIntegerField()
    is_right = models.BooleanField(null=True, blank=True)
    seen_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "sampled words"
        constraints = [
            models.UniqueConstraint(fields=["sample", "words"], name="metadata_drawn_once"),
            models.UniqueConstraint(fields=["sample", "position"], name="metadata_one_at_each_place"),
            models.CheckConstraint(
                condition=Q(is_right=None) | Q(seen_at__isnull=False), name="metadata_judged_at_some_time"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.position} of {self.sample}"
