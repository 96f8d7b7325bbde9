"""Strings from a browser → values for the handshake."""

from typing import Any

from django import forms
from django.contrib.auth.validators import UnicodeUsernameValidator

from smugmug.models import Membership, SyncRun
from targetvision.forms import PlainField


class CodeForm(forms.Form):
    """The six digits that SmugMug shows where it cannot send the browser back."""

    code = forms.RegexField(
        r"^\s*\d{6}\s*$",
        label="6-digit code",
        error_messages={"invalid": "The code has six digits.", "required": "Type the code that SmugMug shows."},
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "one-time-code", "maxlength": 12}),
    )


class SyncForm(forms.Form):
    """Which sync it shall be; without a choice, the usual one."""

    kind = forms.ChoiceField(
        choices=[(kind, kind.label) for kind in SyncRun.Kind if kind != SyncRun.Kind.ALBUMS],
        required=False,
        error_messages={"invalid_choice": "There is no such sync. Nothing was started."},
    )


class NeverSendForm(forms.Form):
    """On: nothing goes to an AI server. An empty answer is none: it must not take the protection away."""

    never_send = forms.TypedChoiceField(
        choices=[("on", "on"), ("off", "off")],
        coerce=lambda value: value == "on",
        error_messages={
            "required": "Shall it be sent or not? Nothing was changed.",
            "invalid_choice": "Shall it be sent or not? Nothing was changed.",
        },
    )


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Membership.Role.choices, initial=Membership.Role.CURATOR)


class MemberForm(RoleForm):
    """A person and what they may do."""

    username = PlainField(
        label="User name",
        max_length=150,
        validators=[UnicodeUsernameValidator()],
        error_messages={"required": "Whom shall it be?"},
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, auto_id=False)  # the page has one form for each library
