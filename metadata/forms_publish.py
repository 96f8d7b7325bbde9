"""Strings from a browser → what a change-set is about, what is left out of it, and what a person arms."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from metadata.models import ChangeSet
from targetvision.forms import PlainField

Rule = ChangeSet.Rule
LARGEST = 2**31 - 1
RULES = {"caption": Rule.EMPTY, "title": Rule.NO, "keywords": Rule.APPEND}  # what the form begins with


def _rule(label: str, name: str) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label,
        choices=Rule.choices,
        required=False,
        initial=RULES[name].value,
        widget=forms.RadioSelect,
        error_messages={"invalid_choice": "There is no such rule. Nothing was prepared."},
    )


class RulesForm(forms.Form):
    """Which fields are to be written, and how."""

    caption = _rule("Caption", "caption")
    title = _rule("Title", "title")
    keywords = _rule("Keywords", "keywords")

    def clean(self) -> None:
        if not self.errors and not any(self.cleaned_data.values()):
            raise ValidationError("Choose at least one of caption, title and keywords to be written.")

    @property
    def rules(self) -> dict[str, str]:
        """Field → its rule."""
        return {name: self.cleaned_data[name] for name in RULES}

    @property
    def trouble(self) -> str:
        """The first sentence of what is wrong."""
        return str(next(iter(self.errors.values()))[0]) if self.errors else ""


class LeaveOutForm(forms.Form):
    """Pictures of the page that are to be left out, or taken in again: the button says which."""

    out = forms.IntegerField(min_value=1, max_value=2**63 - 1, required=False)
    take_in = forms.IntegerField(min_value=1, max_value=2**63 - 1, required=False)

    def clean(self) -> None:
        given = [name for name in self.fields if self.cleaned_data.get(name)]
        if len(given) != 1:
            raise ValidationError("Which picture is meant? Nothing was left out.")

    @property
    def choice(self) -> tuple[int, bool]:
        """The row, and whether it is to be left out."""
        out: int | None = self.cleaned_data["out"]
        return (out, True) if out else (self.cleaned_data["take_in"], False)


class ArmForm(forms.Form):
    """What a person arms, in their own words: the library, and how many pictures."""

    account = PlainField(max_length=120, widget=forms.HiddenInput)
    number = PlainField(
        label="How many?",
        max_length=20,
        error_messages={"required": "Type how many pictures are meant. Nothing was armed."},
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )

    def clean_number(self) -> int:
        digits = "".join(self.cleaned_data["number"].replace(",", "").split())
        if not (digits.isascii() and digits.isdecimal()) or int(digits[:12]) > LARGEST:
            raise ValidationError("Type the number in digits. Nothing was armed.")
        return int(digits)

    @property
    def answer(self) -> dict[str, Any]:
        return {"account": self.cleaned_data["account"], "number": self.cleaned_data["number"]}
