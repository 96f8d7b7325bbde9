"""The words for each photo, their history, and their vector."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Cast, Coalesce, Now
from pgvector.django import HalfVectorField, HnswIndex, VectorField

from metadata.models.runs import ProcessingRun
from smugmug.models import Account, Photo

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

EMBEDDING_LENGTH = 1_536
# By how sure the model was; where it did not say, before all others.
SURENESS = Coalesce("confidence_score", Value(-1.0))
# The columns that hold words, and so have a previous_ and a new_ column each in the history.
WORDS = ("ai_title", "ai_description", "ai_alt_text", "ai_tags", "ai_categories")


class AIMetadataQuerySet(models.QuerySet):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        return self.filter(photo__account__memberships__user_id__in=[user.pk])

    def changeable_by(self, user: User | AnonymousUser) -> Self:
        return self.filter(photo__account__in=Account.objects.changeable_by(user))

    def for_review(self) -> Self:
        """Words that wait for a person's decision, of photos that are still there."""
        return self.filter(
            processing_status=AIMetadata.Processing.COMPLETED,
            review_status=AIMetadata.Review.UNREVIEWED,
            photo__removed_at=None,
        )

    def with_photo(self) -> Self:
        return self.select_related("photo__album", "photo__account")

    def of_run(self, run: ProcessingRun) -> Self:
        return self.filter(run=run)

    def unfinished(self) -> Self:
        """Photos that wait for words or are being described."""
        return self.filter(processing_status__in=(AIMetadata.Processing.PENDING, AIMetadata.Processing.PROCESSING))

    def claimable(self) -> Self:
        """Photos that nobody works on: waiting, or left by a worker whose lease ran out."""
        return self.filter(
            Q(processing_status=AIMetadata.Processing.PENDING)
            | Q(processing_status=AIMetadata.Processing.PROCESSING, claimed_until__lt=Now())
        )

    def without_words(self) -> Self:
        """Photos that were skipped or could not be described."""
        return self.filter(processing_status__in=(AIMetadata.Processing.SKIPPED, AIMetadata.Processing.FAILED))

    def reasons(self) -> Any:
        """(status, sentence, how many), the most frequent first."""
        counted = self.order_by().values_list("processing_status", "error").annotate(count=models.Count("pk"))
        return counted.order_by("-count", "error")

    def without_vector(self) -> Self:
        """Words with no embedding of their own."""
        return self.filter(processing_status=AIMetadata.Processing.COMPLETED, photo__photo_embedding=None)


class AIMetadata(models.Model):
    """The words for one photo as they stand now."""

    class Processing(models.TextChoices):
        PENDING = "pending", "Waits to be described"
        PROCESSING = "processing", "Being described"
        COMPLETED = "completed", "Described"
        FAILED = "failed", "Failed"
        SKIPPED = "skipped", "Skipped"

    class Review(models.TextChoices):
        UNREVIEWED = "unreviewed", "Waits for review"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"

    class Lane(models.TextChoices):
        """How much of a person's attention the words ask for."""

        GLANCE = "glance", "Glance"
        READ = "read", "Read"
        LOOK = "look", "Must look"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, db_default=RandomUUID(), editable=False)
    photo = models.OneToOneField(Photo, on_delete=models.CASCADE, related_name="ai_metadata")
    # Both are copied from the photo by the database when the row is made: lists are kept in order by them.
    # An index of lists by account begins with it: one of its own would be written by every decision for nothing.
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+", editable=False, db_index=False)
    sort_at = models.DateTimeField(editable=False, help_text="When the photo was taken, else uploaded.")
    ai_title = models.TextField("title", blank=True, db_default="", default="")
    ai_description = models.TextField("description", blank=True, db_default="", default="")
    ai_alt_text = models.TextField("alt text", blank=True, db_default="", default="")
    ai_tags = ArrayField(models.TextField(), verbose_name="tags", default=list, blank=True)
    ai_categories = ArrayField(models.TextField(), verbose_name="categories", default=list, blank=True)
    confidence_score = models.FloatField(null=True, blank=True)
    processing_status = models.CharField(max_length=10, choices=Processing, default=Processing.PENDING)
    review_status = models.CharField(max_length=10, choices=Review, default=Review.UNREVIEWED)
    rejection_reason = models.TextField(blank=True, default="")
    lane = models.CharField(max_length=6, choices=Lane, blank=True, default="", db_default="")
    doubts = ArrayField(models.CharField(max_length=20), default=list, db_default=[], blank=True)
    stack = models.UUIDField(null=True, blank=True, help_text="The first words of the burst that the photo is of.")
    unstacked = models.BooleanField(default=False, db_default=False, help_text="A person took it out of its stack.")
    approved = models.GeneratedField(
        expression=Q(review_status="approved"),  # type: ignore[arg-type]
        output_field=models.BooleanField(),
        db_persist=True,
    )
    approved_by = models.CharField(max_length=160, blank=True, default="")
    approved_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=0)
    ai_answer = models.ForeignKey(
        "MetadataHistory",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="The newest answer of the AI.",
    )
    describer = models.CharField(max_length=16, blank=True, default="")
    model = models.CharField(max_length=120, blank=True, default="")
    prompt = models.CharField(max_length=64, blank=True, default="", db_default="")
    fingerprint = models.CharField(
        max_length=120, blank=True, default="", db_default="", help_text="Of all that the words were made from."
    )
    run = models.ForeignKey(
        ProcessingRun,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="rows",
        help_text="The run that describes the photo, or did so last.",
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True, default="")
    claimed_until = models.DateTimeField(null=True, blank=True)
    processed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True, db_default=Now())

    objects = AIMetadataQuerySet.as_manager()

    class Meta:
        db_table = "ai_metadata"
        verbose_name = verbose_name_plural = "AI metadata"
        constraints = [
            models.CheckConstraint(
                condition=Q(confidence_score=None) | Q(confidence_score__gte=0, confidence_score__lte=1),
                name="metadata_confidence_from_0_to_1",
            ),
            models.CheckConstraint(
                condition=Q(review_status="approved", approved_at__isnull=False) & ~Q(approved_by="")
                | ~Q(review_status="approved") & Q(approved_at=None, approved_by=""),
                name="metadata_approved_by_somebody_at_some_time",
            ),
            models.CheckConstraint(
                condition=~Q(processing_status="processing") | Q(claimed_until__isnull=False),
                name="metadata_processing_has_a_lease",
            ),
        ]
        indexes = [
            models.Index(
                fields=["run", "attempts", "id"],
                name="ai_metadata_queue",
                condition=Q(processing_status__in=("pending", "processing")),
            ),
            models.Index(
                fields=["account", "sort_at", "id"],
                name="ai_metadata_review_queue",
                condition=Q(processing_status="completed", review_status="unreviewed"),
            ),
            models.Index(
                F("account"),
                SURENESS,
                F("id"),
                name="ai_metadata_review_surest",
                condition=Q(processing_status="completed", review_status="unreviewed"),
            ),
            models.Index(
                fields=["account", "lane", "sort_at", "id"],
                name="ai_metadata_lane_in_time",
                condition=Q(processing_status="completed", review_status="unreviewed"),
            ),
            models.Index(
                F("account"),
                F("lane"),
                SURENESS,
                F("id"),
                name="ai_metadata_lane_surest",
                condition=Q(processing_status="completed", review_status="unreviewed"),
            ),
            models.Index(fields=["account"], name="ai_metadata_failed", condition=Q(processing_status="failed")),
            models.Index(fields=["account", "sort_at", "id"], name="ai_metadata_in_time"),
            models.Index(fields=["stack"], name="ai_metadata_stack", condition=Q(stack__isnull=False)),
            GinIndex(fields=["ai_tags"], name="ai_metadata_tags"),
        ]

    def __str__(self) -> str:
        return f"Words for {self.photo_id}"

    @property
    def is_described(self) -> bool:
        return self.processing_status == self.Processing.COMPLETED

    @property
    def waits_for_review(self) -> bool:
        return self.is_described and self.review_status == self.Review.UNREVIEWED

    @property
    def words(self) -> dict[str, Any]:
        """The columns that hold words, with what stands in them."""
        return {name: getattr(self, name) for name in WORDS}

    @property
    def text_to_embed(self) -> str:
        """What the vector of the photo is made from."""
        return "\n".join(filter(None, (self.ai_title, self.ai_description, ", ".join(self.ai_tags))))


class MetadataHistory(models.Model):
    """One step in the life of a photo's words. Rows are added, never changed."""

    class Source(models.TextChoices):
        AI = "ai", "AI"
        PERSON = "person", "Person"
        UNDO = "undo", "Undo"
        IMPORT = "import", "Import"

    # The constraint and the indexes below serve the keys too: each index less is paid back by every step.
    metadata = models.ForeignKey(AIMetadata, on_delete=models.CASCADE, related_name="history", db_index=False)
    version = models.PositiveIntegerField()
    source = models.CharField(max_length=6, choices=Source)
    previous_title = models.TextField(blank=True, default="")
    new_title = models.TextField(blank=True, default="")
    previous_description = models.TextField(blank=True, default="")
    new_description = models.TextField(blank=True, default="")
    previous_alt_text = models.TextField(blank=True, default="")
    new_alt_text = models.TextField(blank=True, default="")
    previous_tags = ArrayField(models.TextField(), default=list, blank=True)
    new_tags = ArrayField(models.TextField(), default=list, blank=True)
    previous_categories = ArrayField(models.TextField(), default=list, blank=True)
    new_categories = ArrayField(models.TextField(), default=list, blank=True)
    previous_review_status = models.CharField(max_length=10, blank=True, default="")
    new_review_status = models.CharField(max_length=10, blank=True, default="")
    previous_rejection_reason = models.TextField(blank=True, default="", db_default="")
    new_rejection_reason = models.TextField(blank=True, default="", db_default="")
    # Whose approval a step took away or replaced, so that an undo can give it back.
    previous_approved_by = models.CharField(max_length=160, blank=True, default="", db_default="")
    previous_approved_at = models.DateTimeField(null=True, blank=True)
    decision = models.ForeignKey(
        "metadata.Decision",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="steps",
        db_index=False,
    )
    came_from = models.ForeignKey(
        AIMetadata,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
        help_text="The frame of a burst whose approval wrote this.",
    )
    changed_by = models.CharField(max_length=160)
    change_reason = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "metadata_history"
        verbose_name_plural = "metadata history"
        constraints = [models.UniqueConstraint(fields=["metadata", "version"], name="metadata_one_step_a_version")]
        indexes = [
            models.Index(
                fields=["decision", "metadata"],
                name="metadata_history_of_decision",
                condition=Q(decision__isnull=False),
            ),
            models.Index(fields=["came_from"], name="metadata_history_of_frame", condition=Q(came_from__isnull=False)),
            models.Index(
                fields=["-created_at", "-id"], name="metadata_history_of_people", condition=Q(source="person")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.changed_by}, version {self.version}"

    @property
    def is_by_ai(self) -> bool:
        return self.source == self.Source.AI

    @property
    def author(self) -> str:
        """The name alone: `ada` of `user:ada`, `gpt-6-luna` of `ai:gpt-6-luna`."""
        return self.changed_by.partition(":")[2]


class PhotoEmbedding(models.Model):
    """The vector of a photo's words. It stands apart: a rewritten row would enter the index's graph again."""

    photo = models.OneToOneField(Photo, primary_key=True, on_delete=models.CASCADE, related_name="photo_embedding")
    model = models.CharField(max_length=120)
    embedding = VectorField(dimensions=EMBEDDING_LENGTH)

    class Meta:
        db_table = "photo_embedding"
        indexes = [
            HnswIndex(
                OpClass(Cast(F("embedding"), HalfVectorField(dimensions=EMBEDDING_LENGTH)), name="halfvec_cosine_ops"),
                name="photo_embedding_hnsw",
                m=16,
                ef_construction=64,
            )
        ]

    def __str__(self) -> str:
        return f"{self.photo_id} by {self.model}"
