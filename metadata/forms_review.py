"""What of the words waiting for review, or decided on, an address or a button asks for."""

from __future__ import annotations

import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from metadata.models import AIMetadata
from targetvision.forms import PlainField

FIRST_DAY, LAST_DAY = datetime.date(1800, 1, 1), datetime.date(2200, 12, 31)


class Status(models.TextChoices):
    """Which words are shown, by what became of them."""

    WAITING = "waiting", "Waiting"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    ALL = "all", "All described"


class Order(models.TextChoices):
    """Which come first."""

    OLDEST = "oldest", "Oldest first"
    SUREST = "surest", "Surest first"
    LEAST_SURE = "least_sure", "Least sure first"


def _day(label: str) -> forms.DateField:
    years = "Type a day between 1800 and 2200."
    return forms.DateField(
        label=label,
        required=False,
        input_formats=["%Y-%m-%d"],
        validators=[MinValueValidator(FIRST_DAY, years), MaxValueValidator(LAST_DAY, years)],
        error_messages={"invalid": "Type a day as 2026-05-31."},
        widget=forms.DateInput(attrs={"type": "date"}),
    )


def _choice(label: str, choices: Any, unknown: str) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label,
        choices=[("", "Any"), *choices.choices],
        required=False,
        error_messages={"invalid_choice": f"There is no {unknown} “%(value)s”."},
    )


class FilterForm(forms.Form):
    """Strings from an address → the values of a ReviewFilter, by the same names. Nothing has to be given."""

    account = PlainField(label="Library", max_length=120, required=False)
    status = _choice("State", Status, "state")
    album = forms.UUIDField(required=False, error_messages={"invalid": "There is no such album."})
    after = _day("Taken from")
    before = _day("Taken until")
    lane = _choice("Lane", AIMetadata.Lane, "lane")
    tag = PlainField(max_length=60, required=False)
    category = PlainField(max_length=60, required=False)
    model = PlainField(max_length=120, required=False)
    prompt = PlainField(max_length=64, required=False)
    text = PlainField(max_length=200, required=False)
    order = _choice("Order", Order, "order")

    def clean(self) -> None:
        first, last = self.cleaned_data.get("after"), self.cleaned_data.get("before")
        if first and last and last < first:
            self.add_error("before", ValidationError("This day is before the first one."))

    @property
    def values(self) -> dict[str, Any]:
        """What was given and makes sense, by name; what was not given is not among it."""
        return {name: value for name, value in self.cleaned_data.items() if value}

    @property
    def sentences(self) -> dict[str, str]:
        """What makes no sense, by name: one sentence each."""
        return {str(name): " ".join(map(str, errors)) for name, errors in self.errors.items()}
