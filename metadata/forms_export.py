"""What is to be exported, and as what."""

from __future__ import annotations

from django import forms

from metadata.models import Export


class FormatForm(forms.Form):
    """As what; beside it in the same request stands a filter."""

    format = forms.ChoiceField(
        choices=Export.Format.choices,
        initial=Export.Format.CSV,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose a format.", "invalid_choice": "There is no format “%(value)s”."},
    )
