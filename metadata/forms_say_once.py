"""Which word is to be replaced by which, as an address or a button says it."""

from __future__ import annotations

from django import forms
from django.core.validators import RegexValidator

from metadata.say_once import LETTERS
from targetvision.forms import PlainField

ONE_WORD = RegexValidator(r"\A[^\W\d_]+\Z", "Type one word, of letters alone.")


class SayOnceForm(forms.Form):
    """`old` is replaced by `new` in the library `account`."""

    account = PlainField(label="Library", max_length=120, error_messages={"required": "Choose a library."})
    old = PlainField(
        label="Replace",
        min_length=LETTERS,
        max_length=60,
        validators=[ONE_WORD],
        error_messages={
            "required": "Type the word that is wrong.",
            "min_length": "A word of fewer than four letters stands in too many sentences.",
        },
    )
    new = PlainField(
        label="By", max_length=60, validators=[ONE_WORD], error_messages={"required": "Type the word that is right."}
    )
