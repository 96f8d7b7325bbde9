"""Words for the operator. They change through the workflow only, so that no edit goes round the history."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.forms import DecimalField, HiddenInput, IntegerField, ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from metadata import workflow
from metadata.models import (
    WORDS,
    AICall,
    AIMetadata,
    Change,
    ChangeSet,
    Decision,
    Export,
    MetadataHistory,
    ModelPrice,
    Note,
    PhotoEmbedding,
    PhotoSearch,
    ProcessingRun,
    Prompt,
    ReviewClaim,
    Sample,
    SampledWords,
    Snapshot,
)
from smugmug.admin import ReadOnlyAdmin

PRICE: dict[str, Any] = {"min_value": 0, "max_value": 1_000, "max_digits": 10, "decimal_places": 4}  # USD


class HistoryInline(admin.TabularInline):
    model = MetadataHistory
    fk_name = "metadata"
    ordering = ["-version"]
    fields = ["version", "changed_by", "change_reason", "new_description", "created_at"]
    readonly_fields = ["version", "changed_by", "change_reason", "new_description", "created_at"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class WordsAdminForm(ModelForm):
    """The words; `seen` is the version that was on the page."""

    seen = IntegerField(widget=HiddenInput, min_value=0, max_value=2**31 - 1)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["seen"] = self.instance.version


@admin.register(AIMetadata)
class AIMetadataAdmin(admin.ModelAdmin):
    form = WordsAdminForm
    list_display = [
        "photo",
        "ai_title",
        "processing_status",
        "review_status",
        "confidence_score",
        "model",
        "updated_at",
    ]
    list_filter = ["processing_status", "review_status", "describer", "model", "photo__account"]
    list_select_related = ["photo"]
    search_fields = ["photo__image_key", "photo__filename", "ai_title", "ai_description"]
    date_hierarchy = "processed_at"
    show_full_result_count = False
    inlines = [HistoryInline]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """All but the words."""
        return [field.name for field in AIMetadata._meta.fields if field.name not in WORDS]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: AIMetadata, form: ModelForm, change: bool) -> None:  # noqa: FBT001
        """An edit here is a decision like any other: it has an author and a row of history."""
        changes = {name: form.cleaned_data[name] for name in form.changed_data if name in WORDS}
        if changes:
            workflow.edit(obj, by=request.user, version=form.cleaned_data["seen"], changes=changes)  # type: ignore[arg-type]

    def change_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Where somebody was faster nothing is saved or logged: the page comes again, with what stands now."""
        try:
            return super().change_view(request, *args, **kwargs)
        except workflow.AlreadyDecided as exc:
            messages.error(request, str(exc))
            return HttpResponseRedirect(request.get_full_path())


@admin.register(MetadataHistory)
class MetadataHistoryAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "metadata", "version", "source", "changed_by", "change_reason"]
    list_filter = ["source"]
    search_fields = ["changed_by", "change_reason", "new_description"]
    date_hierarchy = "created_at"
    show_full_result_count = False


@admin.register(PhotoEmbedding)
class PhotoEmbeddingAdmin(ReadOnlyAdmin):
    list_display = ["photo", "model"]
    list_filter = ["model"]
    list_select_related = ["photo"]
    search_fields = ["photo__image_key"]
    fields = ["photo", "model"]
    show_full_result_count = False


@admin.register(PhotoSearch)
class PhotoSearchAdmin(ReadOnlyAdmin):
    list_display = ["photo", "account", "is_present"]
    list_filter = ["is_present"]
    list_select_related = ["photo", "account"]
    search_fields = ["photo__image_key"]
    show_full_result_count = False


@admin.register(ProcessingRun)
class ProcessingRunAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "account", "album", "only", "state", "done", "total", "failed", "model"]
    list_filter = ["state", "account", "describer"]
    list_select_related = ["account", "album"]
    search_fields = ["account__nickname", "album__title"]
    date_hierarchy = "created_at"


class ModelPriceForm(ModelForm):
    """A price; what cannot be one is said beside its field."""

    usd_in = DecimalField(label="USD per million tokens in", **PRICE)
    usd_cached = DecimalField(
        label="of these, cached ones", required=False, help_text="Empty: they cost what the others do.", **PRICE
    )
    usd_out = DecimalField(label="USD per million tokens out", help_text="0 for an embedding model.", **PRICE)


@admin.register(ModelPrice)
class ModelPriceAdmin(admin.ModelAdmin):
    """The newest price that has begun counts. A price that moves is a new row: what was paid before stays true."""

    form = ModelPriceForm
    fields = ["model", "as_of", "usd_in", "usd_cached", "usd_out"]
    list_display = ["model", "as_of", "usd_in", "usd_cached", "usd_out"]
    search_fields = ["model"]
    date_hierarchy = "as_of"


@admin.register(AICall)
class AICallAdmin(ReadOnlyAdmin):
    list_display = [
        "created_at",
        "account",
        "kind",
        "prompt",
        "model",
        "outcome",
        "tokens_in",
        "tokens_cached",
        "tokens_out",
        "cost",
        "ms",
        "sent_to",
        "photo",
    ]
    list_filter = ["kind", "outcome", "model", "prompt", "sent_to", "account"]
    list_select_related = ["account", "photo"]
    search_fields = ["photo__image_key", "model"]
    date_hierarchy = "created_at"
    show_full_result_count = False


@admin.register(Prompt)
class PromptAdmin(ReadOnlyAdmin):
    """Versions are made and activated on the prompts page, which keeps what was used as it was."""

    list_display = ["account", "__str__", "language", "is_active", "used_at", "created_by", "created_at"]
    list_filter = ["account", "is_active"]
    list_select_related = ["account"]


@admin.register(Note)
class NoteAdmin(ReadOnlyAdmin):
    list_display = ["account", "album", "updated_by", "updated_at"]
    list_filter = ["account"]
    list_select_related = ["account", "album"]


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "account", "kind", "requested_by", "state", "total", "changed", "undo", "undone_by"]
    list_filter = ["account", "kind", "state", "undo"]
    list_select_related = ["account", "requested_by"]
    show_full_result_count = False


@admin.register(Export)
class ExportAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "account", "format", "requested_by", "state", "total", "size_bytes", "removed_at"]
    list_filter = ["account", "format", "state"]
    list_select_related = ["account", "requested_by"]
    show_full_result_count = False


@admin.register(ChangeSet)
class ChangeSetAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "account", "stage", "state", "total", "done", "armed_by", "revert_armed_by"]
    list_filter = ["account", "stage", "state"]
    list_select_related = ["account"]
    show_full_result_count = False


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin):
    list_display = ["photo", "change_set", "state", "sentence", "changed_at"]
    list_filter = ["state"]
    list_select_related = ["photo", "change_set"]
    search_fields = ["photo__image_key", "photo__filename"]
    show_full_result_count = False


@admin.register(Sample)
class SampleAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "account", "population", "made_by", "decision"]
    list_filter = ["account"]
    list_select_related = ["account", "made_by", "decision__requested_by"]


@admin.register(SampledWords)
class SampledWordsAdmin(ReadOnlyAdmin):
    list_display = ["sample", "position", "words", "is_right", "seen_by", "seen_at"]
    list_select_related = ["sample", "words", "seen_by"]
    show_full_result_count = False


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnlyAdmin):
    list_display = ["taken_at", "account", "size"]
    list_filter = ["account"]
    list_select_related = ["account"]


@admin.register(ReviewClaim)
class ReviewClaimAdmin(ReadOnlyAdmin):
    list_display = ["words", "user", "until"]
    list_select_related = ["words", "user"]
