"""The mirror of a SmugMug library, and who may see it. Nothing here talks to the network."""

from __future__ import annotations

import datetime
import uuid
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from targetvision.encryption import EncryptedField
from targetvision.models import ACTIVE, Run

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


class WallClockField(models.DateTimeField):
    """A timestamp without time zone: what the camera's clock said, wherever it was."""

    def db_type(self, connection: Any) -> str:
        return "timestamp without time zone"

    def get_prep_value(self, value: Any) -> Any:
        return self.to_python(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:  # noqa: FBT001, FBT002
        return value if prepared else self.get_prep_value(value)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            value = datetime.datetime.fromisoformat(value)
        return value.replace(tzinfo=None) if isinstance(value, datetime.datetime) else value


class AccountQuerySet(models.QuerySet):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Accounts the person is a member of, in whatever role."""
        # IN, because "= None" would find for nobody the libraries that have no member.
        return self.filter(memberships__user_id__in=[user.pk])

    def changeable_by(self, user: User | AnonymousUser) -> Self:
        """Accounts in which the person may start runs and decide on words: as owner or curator."""
        roles = (Membership.Role.OWNER, Membership.Role.CURATOR)
        return self.filter(memberships__user_id=user.pk, memberships__role__in=roles)

    def owned_by(self, user: User | AnonymousUser) -> Self:
        """Accounts in which the person decides who else gets in."""
        return self.filter(memberships__user_id=user.pk, memberships__role=Membership.Role.OWNER)

    def with_members(self) -> Self:
        return self.select_related("owner").prefetch_related(
            models.Prefetch("memberships", Membership.objects.select_related("user").order_by("user__username"))
        )

    def connected(self) -> Self:
        return self.filter(state=Account.State.CONNECTED)


class Account(models.Model):
    """One SmugMug library and our access to it."""

    class State(models.TextChoices):
        CONNECTED = "connected", "Connected"
        REFUSED = "refused", "Refused by SmugMug"
        DISCONNECTED = "disconnected", "Disconnected"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    nickname = models.CharField(max_length=120, unique=True)
    name = models.CharField(max_length=255, blank=True)
    web_url = models.URLField(max_length=500, blank=True)
    oauth_token = EncryptedField(blank=True)
    oauth_token_secret = EncryptedField(blank=True)
    granted_access = models.CharField(max_length=10, blank=True)
    granted_permissions = models.CharField(max_length=10, blank=True)
    state = models.CharField(max_length=12, choices=State, default=State.CONNECTED)
    never_send = models.BooleanField(
        default=False, db_default=False, help_text="No picture or word of it goes to an AI server."
    )
    created_at = models.DateTimeField(db_default=Now())

    objects = AccountQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="connected") | (~Q(oauth_token="") & ~Q(oauth_token_secret="")),
                name="smugmug_connected_account_has_tokens",
            )
        ]

    def __str__(self) -> str:
        return self.nickname

    @property
    def is_connected(self) -> bool:
        return self.state == self.State.CONNECTED


class MembershipQuerySet(models.QuerySet):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """The members of the libraries the person is in."""
        return self.filter(account__in=Account.objects.visible_to(user))


class Membership(models.Model):
    """Who may do what in an account."""

    class Role(models.TextChoices):
        OWNER = "owner", "Owner"
        CURATOR = "curator", "Curator"
        VIEWER = "viewer", "Viewer"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "account"], name="smugmug_one_membership_each")]

    def __str__(self) -> str:
        return f"{self.user} in {self.account}: {self.role}"


class AlbumQuerySet(models.QuerySet):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        return self.filter(account__memberships__user_id__in=[user.pk])

    def changeable_by(self, user: User | AnonymousUser) -> Self:
        return self.filter(account__in=Account.objects.changeable_by(user))

    def present(self) -> Self:
        """Albums that are on SmugMug as far as is known."""
        return self.filter(removed_at=None)

    def named_like(self, text: str) -> Self:
        """Albums with the text in their title; all of them for ""."""
        return self.filter(title__icontains=text) if text else self

    def newest_first(self) -> Self:
        """By the last change of its pictures on SmugMug; the key decides between equals."""
        return self.order_by(models.F("images_last_updated").desc(nulls_last=True), "album_key")


class Album(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, db_default=RandomUUID(), editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="albums")
    user_id = models.CharField("nickname", max_length=120)
    album_key = models.CharField(max_length=32, unique=True)
    album_id = models.CharField("SmugMug's node id", max_length=32, blank=True)
    title = models.TextField(blank=True)
    description = models.TextField(blank=True)
    image_count = models.PositiveIntegerField(default=0)
    last_updated = models.DateTimeField(null=True, blank=True)
    images_last_updated = models.DateTimeField(null=True, blank=True)
    url_path = models.TextField(blank=True)
    web_url = models.TextField(blank=True)
    privacy = models.CharField(max_length=16, blank=True)
    security_type = models.CharField(max_length=16, blank=True)
    is_locked = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())
    synced_at = models.DateTimeField(null=True, blank=True, help_text="When its pictures were last read completely.")
    listed_at = models.DateTimeField(null=True, blank=True, help_text="When SmugMug's list of albums last held it.")
    moved_at = models.DateTimeField(null=True, blank=True, help_text="When that list last said that it had changed.")
    never_send = models.BooleanField(
        default=False, db_default=False, help_text="No picture or word of it goes to an AI server."
    )
    removed_at = models.DateTimeField(null=True, blank=True)

    objects = AlbumQuerySet.as_manager()

    class Meta:
        db_table = "smugmug_albums"
        indexes = [
            models.Index(fields=["user_id"], name="smugmug_albums_user_id"),
            models.Index(
                models.F("account"),
                models.F("images_last_updated").desc(nulls_last=True),
                models.F("album_key"),
                name="smugmug_albums_newest",
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.album_key


class PhotoQuerySet(models.QuerySet):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        return self.filter(account__memberships__user_id__in=[user.pk])

    def changeable_by(self, user: User | AnonymousUser) -> Self:
        return self.filter(account__in=Account.objects.changeable_by(user))

    def present(self) -> Self:
        return self.filter(removed_at=None)

    def in_album(self, album: Album) -> Self:
        """The photos that stand in the album, in SmugMug's order; adds `position`."""
        return (
            self.filter(standings__album=album)
            .annotate(position=models.F("standings__position"))
            .order_by("position", "image_key")
        )


class Photo(models.Model):
    """One picture, however many albums it stands in."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, db_default=RandomUUID(), editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="photos")
    album = models.ForeignKey(Album, on_delete=models.CASCADE, related_name="home_photos")
    image_key = models.CharField(max_length=32, unique=True)
    image_id = models.CharField("key and serial", max_length=48)
    filename = models.TextField(blank=True)
    title = models.TextField(blank=True)
    caption = models.TextField(blank=True)
    keywords = ArrayField(models.TextField(), default=list, blank=True)
    date_taken = WallClockField(null=True, blank=True)
    image_url = models.TextField(blank=True)
    thumbnail_url = models.TextField(blank=True)
    large_url = models.TextField(blank=True)
    original_url = models.TextField(blank=True)
    width = models.PositiveIntegerField(null=True, blank=True)
    height = models.PositiveIntegerField(null=True, blank=True)
    size_bytes = models.BigIntegerField(null=True, blank=True)
    format = models.CharField(max_length=16, blank=True)
    is_video = models.BooleanField(default=False)
    is_hidden = models.BooleanField(default=False)
    latitude = models.FloatField(null=True, blank=True)
    longitude = models.FloatField(null=True, blank=True)
    archived_md5 = models.CharField(max_length=32, blank=True)
    exif = models.JSONField(default=dict, blank=True)
    uploaded_at = models.DateTimeField(null=True, blank=True)
    remote_updated_at = models.DateTimeField(null=True, blank=True)
    perceptual_hash = models.BigIntegerField(null=True, blank=True, help_text="Of how it looks: 64 bits, as a dHash.")
    is_fresh = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Read so soon after its upload that SmugMug may not have known all of it.",
    )
    created_at = models.DateTimeField(db_default=Now())
    synced_at = models.DateTimeField(null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)

    objects = PhotoQuerySet.as_manager()

    class Meta:
        db_table = "smugmug_photos"
        indexes = [
            models.Index(fields=["account", "image_key"], name="smugmug_photos_account_key"),
            models.Index(fields=["account"], name="smugmug_photos_fresh", condition=Q(is_fresh=True)),
        ]

    def __str__(self) -> str:
        return self.title or self.filename or self.image_key

    @property
    def name(self) -> str:
        """What a person calls the photo: its title, else its file name, else its key."""
        return str(self)

    @property
    def long_side(self) -> int:
        return max(self.width or 0, self.height or 0)


class AlbumPhoto(models.Model):
    """A photo stands in an album: in its own, or collected into another."""

    album = models.ForeignKey(Album, on_delete=models.CASCADE, related_name="standings")
    photo = models.ForeignKey(Photo, on_delete=models.CASCADE, related_name="standings")
    position = models.PositiveIntegerField(default=0)
    origin = models.CharField(max_length=16, blank=True)

    class Meta:
        db_table = "smugmug_album_photos"
        constraints = [models.UniqueConstraint(fields=["album", "photo"], name="smugmug_photo_once_in_album")]
        indexes = [models.Index(fields=["album", "position", "photo"], name="smugmug_album_order")]

    def __str__(self) -> str:
        return f"{self.photo} in {self.album}"


class SyncRun(Run):
    """One reading of an account's library into the mirror."""

    class Kind(models.TextChoices):
        FULL = "full", "Full sync"
        INCREMENTAL = "incremental", "Sync of what changed"
        VERIFY = "verify", "Check of everything"
        ALBUMS = "albums", "Sync of single albums"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="sync_runs")
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.FULL)
    album_keys = ArrayField(
        models.CharField(max_length=32), default=list, blank=True, help_text="The albums it is about; none: all."
    )
    albums_listed_at = models.DateTimeField(null=True, blank=True)
    photos_seen = models.PositiveIntegerField(default=0)
    photos_new = models.PositiveIntegerField(default=0)
    photos_changed = models.PositiveIntegerField(default=0)
    photos_removed = models.PositiveIntegerField(default=0)
    requests_made = models.PositiveIntegerField(default=0)
    albums_locked = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account"], condition=Q(state__in=ACTIVE), name="smugmug_one_active_sync_per_account"
            )
        ]
        indexes = [models.Index(fields=["account", "-created_at"], name="smugmug_syncrun_newest")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.account}, {self.state}"


class AuditQuerySet(models.QuerySet):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        return self.filter(account__memberships__user_id__in=[user.pk])

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-pk")


class AuditEntry(models.Model):
    """Who had which operation done to a library, and what came of it. Rows are added, never changed."""

    account = models.ForeignKey(Account, null=True, on_delete=models.SET_NULL, related_name="audit_entries")
    nickname = models.CharField(max_length=120)
    who = models.CharField(max_length=160, help_text="user:ada, command, or schedule")
    action = models.CharField(max_length=40)
    run = models.UUIDField(null=True, blank=True)
    result = models.CharField(max_length=20)
    detail = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = AuditQuerySet.as_manager()

    class Meta:
        db_table = "smugmug_audit"
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["account", "-created_at"], name="smugmug_audit_newest")]

    def __str__(self) -> str:
        return f"{self.who}: {self.action} of {self.nickname}, {self.result}"
