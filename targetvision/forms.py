"""Fields that every form of the project may need."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from targetvision.models import Preference


class PlainField(forms.CharField):
    """Text that Postgres can keep: NUL is refused by Django, halves of surrogate pairs here."""

    def clean(self, value: Any) -> str:
        text: str = super().clean(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValidationError("This holds a character that cannot be stored.") from None
        return text

    def bound_data(self, data: Any, initial: Any) -> Any:
        """What the form shows again: half a surrogate pair could not be sent to the browser either."""
        return data.encode(errors="replace").decode() if isinstance(data, str) else data


class TagsField(PlainField):
    """Comma-separated tags → list, without empty ones and without repetitions that differ only in case."""

    def __init__(self, *, most: int = 50, longest: int = 60, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.most, self.longest = most, longest

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> list[str]:  # type: ignore[override]
        tags = _split(super().clean(value))
        if len(tags) > self.most:
            raise ValidationError(f"These are {len(tags)} tags; at most {self.most} fit.")
        if too_long := next((tag for tag in tags if len(tag) > self.longest), None):
            raise ValidationError(f"“{too_long[:40]}…” is longer than {self.longest} characters.")
        return tags

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the field holds other text than it was filled with: a tag with a comma would come back as two."""
        return _split(self.prepare_value(initial) or "") != _split(data or "")


def _split(text: str) -> list[str]:
    tags: dict[str, str] = {}
    for tag in text.split(","):
        if word := " ".join(tag.split()):
            tags.setdefault(word.casefold(), word)
    return list(tags.values())


class ThemeForm(forms.Form):
    theme = forms.ChoiceField(choices=Preference.Theme.choices, required=False)
    next = forms.CharField(required=False, max_length=2_000)


class TokenForm(forms.Form):
    """What a token is called, and for how many days it lasts."""

    name = PlainField(
        max_length=60,
        label="What is it for?",
        widget=forms.TextInput(attrs={"placeholder": "Nightly export", "autocomplete": "off"}),
        error_messages={"required": "Give it a name, so that you know it again."},
    )
    days = forms.TypedChoiceField(
        label="It lasts",
        choices=[("", "until it is revoked"), ("30", "30 days"), ("90", "90 days"), ("365", "a year")],
        coerce=int,
        empty_value=None,
        required=False,
        widget=forms.Select(attrs={"class": "select"}),
    )

    def clean_name(self) -> str:
        return " ".join(self.cleaned_data["name"].split())
