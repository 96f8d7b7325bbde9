"""Strings from a browser → values for the workflow."""

from __future__ import annotations

from typing import Any

from django import forms

from metadata.describe import CATEGORIES
from metadata.models import WORDS, AIMetadata
from targetvision.forms import PlainField, TagsField

REASONS = ("Wrong subject", "Invented details", "Too vague", "Not suitable", "Other")


class WordsForm(forms.Form):
    """The words of a photo as a curator leaves them; `version` is the one that was on the page."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=2**31 - 1)
    title = PlainField(max_length=200, required=False)
    description = PlainField(
        max_length=5_000, widget=forms.Textarea(attrs={"rows": 4}), error_messages={"required": "Write a description."}
    )
    alt_text = PlainField(max_length=250, required=False)
    tags = TagsField(required=False)
    categories = forms.MultipleChoiceField(
        choices=[(name, name) for name in CATEGORIES], widget=forms.CheckboxSelectMultiple, required=False
    )

    @classmethod
    def of(cls, words: AIMetadata, **kwargs: Any) -> WordsForm:
        """The form filled with what stands now."""
        initial = {name.removeprefix("ai_"): getattr(words, name) for name in WORDS}
        return cls(initial={**initial, "version": words.version}, **kwargs)

    @property
    def changes(self) -> dict[str, Any]:
        """The words under the names of their columns."""
        return {name: self.cleaned_data[name.removeprefix("ai_")] for name in WORDS}


class RejectForm(forms.Form):
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=2**31 - 1)
    reason = forms.ChoiceField(
        choices=[(reason, reason) for reason in REASONS],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose a reason."},
    )
    note = PlainField(max_length=500, required=False)

    @property
    def sentence(self) -> str:
        note = self.cleaned_data["note"]
        return f"{self.cleaned_data['reason']}: {note}" if note else self.cleaned_data["reason"]
