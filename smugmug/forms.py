"""Strings from a browser → values for the handshake."""

from django import forms


class CodeForm(forms.Form):
    """The six digits that SmugMug shows where it cannot send the browser back."""

    code = forms.RegexField(
        r"^\s*\d{6}\s*$",
        label="6-digit code",
        error_messages={"invalid": "The code has six digits.", "required": "Type the code that SmugMug shows."},
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "one-time-code", "maxlength": 12}),
    )
