"""What a person decides about one photo, from a browser's strings to values."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError

from metadata.forms import WordsForm
from metadata.sides import FIELDS, NAMES
from targetvision.forms import PlainField

MOST_AHEAD = 5
LONGEST_DECK = 12


class ApproveForm(WordsForm):
    """The words, and whether they are for this frame of a burst `alone`."""

    alone = forms.BooleanField(required=False)


class TakeForm(forms.Form):
    """Which side's value is to stand in which field: `description:smugmug`."""

    take = forms.ChoiceField(
        choices=[(f"{field}:{side}", f"{field}:{side}") for field in FIELDS for side in NAMES],
        error_messages={"required": "Choose what to take.", "invalid_choice": "There is no such side to take."},
    )

    @property
    def field(self) -> str:
        return str(self.cleaned_data["take"]).partition(":")[0]

    @property
    def side(self) -> str:
        return str(self.cleaned_data["take"]).partition(":")[2]


class RegenerateForm(forms.Form):
    note = PlainField(
        max_length=2_000,
        required=False,
        label="What should the model know?",
        widget=forms.Textarea(attrs={"rows": 2, "class": "short", "placeholder": "The bird is a heron, not a stork."}),
    )


class UndoForm(forms.Form):
    """Which decision; the one that the person saw beside the button, so that pressing twice undoes one."""

    decision = forms.UUIDField(
        widget=forms.HiddenInput,
        error_messages={
            "required": "You have decided nothing that could be undone here.",
            "invalid": "There is no such decision.",
        },
    )


class DeckField(forms.Field):
    """Comma-separated ids → list of UUIDs, at most LONGEST_DECK of them."""

    def clean(self, value: Any) -> list[UUID]:
        texts = [text for text in str(value or "").split(",") if text][:LONGEST_DECK]
        try:
            return [UUID(text) for text in texts]
        except ValueError:
            raise ValidationError("That is no list of ids.") from None


class DeckForm(forms.Form):
    """Which cards a page wants: those `beyond` the words with that id, the one `of` a photo, the one `before` it.

    `deck` are the words that the person has before them already, the first of them on show.
    """

    beyond = forms.UUIDField(required=False)
    before = forms.UUIDField(required=False)
    of = forms.UUIDField(required=False)
    deck = DeckField(required=False)
    count = forms.IntegerField(required=False, min_value=1, max_value=MOST_AHEAD)


class TagsForm(forms.Form):
    """The beginning of a tag."""

    q = PlainField(max_length=60, required=False)
