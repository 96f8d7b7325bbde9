"""What a person asks of a run, from a browser's strings to a Wish."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from metadata import money
from metadata.models import ProcessingRun
from metadata.selection import Wish
from smugmug.models import Account, Album, Photo
from targetvision.forms import PlainField

Only = ProcessingRun.Only


class RowField(forms.ModelChoiceField):
    """A row named by its id. A text that is no id names no row either."""

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except ValidationError:
            raise ValidationError(self.error_messages["invalid_choice"], code="invalid_choice") from None


class WishForm(forms.Form):
    """Which photos of the account, and for how much. Nothing has to be given: that is what nobody described yet.

    Where it is not valid, `views.estimate.answer` shows it again with status 422.
    """

    only = forms.ChoiceField(choices=Only.choices, required=False)
    album = RowField(Album.objects.none(), required=False)
    photo = RowField(Photo.objects.none(), required=False)
    reason = PlainField(max_length=1_000, required=False)
    also_decided = forms.BooleanField(required=False, label="Also photos on whose words somebody has decided")
    note = PlainField(
        max_length=2_000,
        required=False,
        label="For this time, the model should know",
        widget=forms.Textarea(attrs={"rows": 2, "class": "short"}),
    )
    limit = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        label="At most so many photos",
        error_messages={"invalid": "Type a whole number.", "min_value": "At least one photo."},
        widget=forms.NumberInput(attrs={"min": 1, "inputmode": "numeric", "placeholder": "all"}),
    )
    budget_usd = forms.DecimalField(
        required=False,
        min_value=0,
        max_digits=12,
        decimal_places=4,
        label="Budget, USD",
        error_messages={
            "invalid": "Type an amount, like 5 or 2.50.",
            "min_value": "A budget cannot be less than nothing.",
            "max_digits": "That is more than a run can cost.",
            "max_whole_digits": "That is more than a run can cost.",
            "max_decimal_places": "At most four decimal places.",
        },
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "placeholder": "no bound"}),
    )

    def __init__(self, data: Any = None, *, account: Account) -> None:
        super().__init__(data)
        self.account = account
        self._choice("album").queryset = Album.objects.present().filter(account=account)
        self._choice("photo").queryset = Photo.objects.present().filter(account=account)
        for name in ("album", "photo"):
            self._choice(name).error_messages["invalid_choice"] = f"There is no such {name} in this library."

    def _choice(self, name: str) -> RowField:
        field = self.fields[name]
        assert isinstance(field, RowField)
        return field

    def clean_only(self) -> str:
        return self.cleaned_data["only"] or Only.PENDING

    def clean_budget_usd(self) -> Any:
        """The budget that counts; refused where nobody could tell when it is spent."""
        try:
            return money.budget_for(
                self.cleaned_data["budget_usd"], settings.OPENAI_MODEL, settings.OPENAI_EMBEDDING_MODEL
            )
        except money.UnknownPrice as exc:
            raise ValidationError(str(exc)) from None

    def wish(self) -> Wish:
        """What was asked for; of a form that is not valid, as much of it as is good."""
        given = self.cleaned_data
        return Wish(
            album=given.get("album"),
            photo=given.get("photo"),
            only=given.get("only", Only.PENDING),
            reason=given.get("reason", ""),
            also_decided=given.get("also_decided", False),
            note=given.get("note", ""),
            limit=given.get("limit"),
            budget=given.get("budget_usd"),
        )


class BudgetForm(forms.Form):
    """What a run that is under way may spend; nothing typed: no bound."""

    budget_usd = WishForm.base_fields["budget_usd"]

    def __init__(self, data: Any = None, *, run: ProcessingRun, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.run = run

    def clean_budget_usd(self) -> Any:
        """Refused where it is spent already, or where nobody could tell when it is."""
        budget = self.cleaned_data["budget_usd"]
        if budget is not None and budget <= self.run.spent_usd:
            raise ValidationError(f"{money.dollars(self.run.spent_usd)} are spent already. Type more than that.")
        try:
            return budget and money.budget_for(budget, self.run.model, settings.OPENAI_EMBEDDING_MODEL)
        except money.UnknownPrice as exc:
            raise ValidationError(str(exc)) from None
