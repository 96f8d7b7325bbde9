"""Which word or tag is to be replaced by which, as an address or a button says it."""

from __future__ import annotations

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from metadata.forms_grid import TagField
from metadata.say_once import EVERYDAY, LETTERS, Kind
from targetvision.forms import PlainField

ONE_WORD = RegexValidator(r"\A[^\W\d_]+\Z", "Type one word, of letters alone.")


class SayOnceForm(forms.Form):
    """The word `old` is replaced by `new` in the library `account`."""

    kind = Kind.REPLACE_WORD
    what = "word"

    account = PlainField(label="Library", max_length=120, error_messages={"required": "Choose a library."})
    old = PlainField(
        label="Replace",
        min_length=LETTERS,
        max_length=60,
        validators=[ONE_WORD],
        error_messages={
            "required": "Type the word that is wrong.",
            "min_length": "A word of fewer than three letters stands in too many sentences.",
        },
    )
    new = PlainField(
        label="By", max_length=60, validators=[ONE_WORD], error_messages={"required": "Type the word that is right."}
    )

    def clean_old(self) -> str:
        old: str = self.cleaned_data["old"]
        if old.casefold() in EVERYDAY:
            raise ValidationError(f"“{old}” stands in too many sentences.")
        return old


class SayTagOnceForm(forms.Form):
    """The same of tags."""

    kind = Kind.REPLACE_TAG
    what = "tag"

    account = PlainField(label="Library", max_length=120, error_messages={"required": "Choose a library."})
    old = TagField(label="Replace the tag")
    new = TagField(label="By the tag")

    def clean(self) -> None:
        for name in ("old", "new"):
            if name not in self.errors and not self.cleaned_data.get(name):
                self.add_error(name, "Type a tag.")
        if not self.errors and self.cleaned_data["old"].casefold() == self.cleaned_data["new"].casefold():
            self.add_error("new", "That is the same tag.")
