"""The mirror for the operator. What SmugMug says is read-only here: the next sync would write over it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest

from smugmug.models import Account, Album, AlbumPhoto, AuditEntry, Membership, Photo, SyncRun


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows to look at; they are made and changed by runs."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MembershipInline(admin.TabularInline):
    model = Membership
    extra = 0
    autocomplete_fields = ["user"]


@admin.register(Account)
class AccountAdmin(admin.ModelAdmin):
    """Tokens are on no page; an account is made by connecting it."""

    list_display = ["nickname", "name", "owner", "state", "granted_access", "granted_permissions", "created_at"]
    list_filter = ["state"]
    list_select_related = ["owner"]
    search_fields = ["nickname", "name", "owner__username"]
    readonly_fields = ["nickname", "name", "web_url", "state", "granted_access", "granted_permissions", "created_at"]
    fields = ["owner", *readonly_fields]
    autocomplete_fields = ["owner"]
    inlines = [MembershipInline]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Account, form: ModelForm, change: bool) -> None:  # noqa: FBT001
        """Write what was changed alone: tokens that cannot be read here would be written back as none."""
        obj.save(update_fields=form.changed_data)


@admin.register(Album)
class AlbumAdmin(ReadOnlyAdmin):
    list_display = ["title", "account", "album_key", "image_count", "privacy", "is_locked", "synced_at", "removed_at"]
    list_filter = ["account", "is_locked", "privacy", ("removed_at", admin.EmptyFieldListFilter)]
    list_select_related = ["account"]
    search_fields = ["title", "album_key", "url_path"]
    date_hierarchy = "images_last_updated"


@admin.register(Photo)
class PhotoAdmin(ReadOnlyAdmin):
    list_display = ["name", "account", "album", "filename", "image_id", "date_taken", "is_video", "removed_at"]
    list_filter = ["account", "format", "is_video", "is_hidden", ("removed_at", admin.EmptyFieldListFilter)]
    list_select_related = ["account", "album"]
    search_fields = ["image_key", "filename", "title", "caption"]
    show_full_result_count = False


@admin.register(AlbumPhoto)
class AlbumPhotoAdmin(ReadOnlyAdmin):
    list_display = ["album", "position", "photo", "origin"]
    list_filter = ["origin"]
    list_select_related = ["album", "photo"]
    search_fields = ["album__album_key", "photo__image_key"]
    show_full_result_count = False


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin):
    list_display = ["user", "account", "role"]
    list_filter = ["role", "account"]
    list_select_related = ["user", "account"]
    search_fields = ["user__username", "account__nickname"]
    autocomplete_fields = ["user", "account"]


@admin.register(SyncRun)
class SyncRunAdmin(ReadOnlyAdmin):
    list_display = [
        "created_at",
        "account",
        "kind",
        "state",
        "done",
        "total",
        "photos_seen",
        "photos_new",
        "photos_changed",
        "photos_removed",
        "requests_made",
        "resume_at",
        "requested_by",
    ]
    list_filter = ["kind", "state", "account"]
    list_select_related = ["account", "requested_by"]
    search_fields = ["account__nickname"]
    date_hierarchy = "created_at"


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "who", "action", "nickname", "result", "detail", "run"]
    list_filter = ["action", "result", "account"]
    search_fields = ["who", "nickname", "detail"]
    date_hierarchy = "created_at"
    show_full_result_count = False
