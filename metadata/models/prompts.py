"""What the model is asked, and what people tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from metadata.describe.answer import without_commas
from smugmug.models import Account, Album

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


class PromptQuerySet(models.QuerySet):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        return self.filter(account__in=Account.objects.visible_to(user))

    def changeable_by(self, user: User | AnonymousUser) -> Self:
        return self.filter(account__in=Account.objects.changeable_by(user))


class AllowedTagField(models.TextField):
    """A tag as it can stand among others in one text, whatever was written when commas in it were let through."""

    def from_db_value(self, value: str, *_: Any) -> str:
        return without_commas(value)

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        """To the database it is text."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.TextField", args, kwargs


class Prompt(models.Model):
    """What the model is asked about an account's photos. A version that was used is never changed."""

    class Fact(models.TextChoices):
        """What may be told to the model beside the picture. Never coordinates."""

        CAPTION = "caption", "SmugMug's caption"
        KEYWORDS = "keywords", "SmugMug's keywords"
        ALBUM = "album", "Album title"
        DATE = "date", "Date taken"
        CAMERA = "camera", "Camera"
        PLACE = "place", "Name of the place"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="prompts")
    name = models.CharField(max_length=40)
    version = models.PositiveIntegerField(default=1)
    text = models.TextField()
    language = models.CharField(max_length=40, default="English")
    tag_count = models.PositiveSmallIntegerField(default=15)
    vocabulary = ArrayField(AllowedTagField(), default=list, blank=True, help_text="The only tags allowed; none: any.")
    facts = ArrayField(models.CharField(max_length=8, choices=Fact), default=list, blank=True)
    is_active = models.BooleanField(default=False)
    used_at = models.DateTimeField(null=True, blank=True)
    created_by = models.CharField(max_length=160, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = PromptQuerySet.as_manager()

    class Meta:
        ordering = ["name", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["account", "name", "version"], name="metadata_prompt_version_once"),
            models.UniqueConstraint(
                fields=["account"], condition=Q(is_active=True), name="metadata_one_active_prompt_per_account"
            ),
            models.CheckConstraint(
                condition=Q(tag_count__gte=1, tag_count__lte=50), name="metadata_prompt_asks_for_1_to_50_tags"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class Note(models.Model):
    """What a person knows and the model must take for true: of a whole account, or of one album."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="notes")
    album = models.OneToOneField(Album, null=True, blank=True, on_delete=models.CASCADE, related_name="note")
    text = models.TextField()
    updated_by = models.CharField(max_length=160)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account"], condition=Q(album=None), name="metadata_one_note_per_account")
        ]

    def __str__(self) -> str:
        return f"Note for {self.album or self.account}"
