"""Strings from a browser about samples and figures → values."""

from __future__ import annotations

from typing import Any

from django import forms

from metadata import figures, sampling
from targetvision.forms import PlainField


class SizeForm(forms.Form):
    """How many words to draw; not more than there are."""

    size = forms.IntegerField(
        label="Another number",
        min_value=1,
        error_messages={"required": "Say how many to draw.", "min_value": "Draw one at least."},
    )

    def __init__(self, *args: Any, most: int = sampling.MOST, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.most = min(most, sampling.MOST)
        self.fields["size"].widget.attrs |= {"max": self.most, "inputmode": "numeric"}

    def clean_size(self) -> int:
        size: int = self.cleaned_data["size"]
        if size > self.most:
            raise forms.ValidationError(f"At most {self.most:,} can be drawn here.")
        return size


class VerdictForm(forms.Form):
    """What the person found about words of the sample; `version` is the one that was on the page."""

    drawn = forms.IntegerField(min_value=1, max_value=2**63 - 1)
    version = forms.IntegerField(min_value=0, max_value=2**31 - 1)
    verdict = forms.ChoiceField(choices=[("right", "Right"), ("wrong", "Wrong")])

    @property
    def is_right(self) -> bool:
        return bool(self.cleaned_data["verdict"] == "right")


class FiguresForm(forms.Form):
    """What of the figures an address asks for; what it asks for wrongly is not asked for."""

    period = forms.ChoiceField(choices=[(name, label) for name, (label, _) in figures.PERIODS.items()], required=False)
    library = PlainField(max_length=120, required=False)
