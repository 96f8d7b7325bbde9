"""Strings from the pages where many photos are decided on at once → values for a bulk decision."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError

from metadata.forms import REASONS
from metadata.models import Decision
from metadata.outlook import ACTS
from metadata.queue import BadFilter, ReviewFilter
from targetvision.forms import PlainField

MOST_SHOWN = 100  # photos on a page
TAG_LENGTH = 60
SHOWN = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):([0-9]{1,9})")
Kind = Decision.Kind
TAG_KINDS = (Kind.ADD_TAG, Kind.REMOVE_TAG, Kind.REPLACE_TAG)


class ShownField(forms.Field):
    """`id:version` for each photo that was on the page → {id: version}."""

    widget = forms.MultipleHiddenInput

    def clean(self, value: Any) -> dict[UUID, int]:
        found = [SHOWN.fullmatch(text) for text in value or []]
        if not found:
            raise ValidationError("There was no photo on this page.")
        if len(found) > MOST_SHOWN:
            raise ValidationError(f"A page holds at most {MOST_SHOWN} photos.")
        if not all(found):
            raise ValidationError("This page was not understood. Load it again.")
        return {UUID(match[1]): int(match[2]) for match in found if match}


class PageForm(forms.Form):
    """The photos of a page, with the version of each that was seen, and which of them are marked."""

    shown = ShownField()
    mark = forms.TypedMultipleChoiceField(required=False, coerce=UUID)

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        pairs = data.getlist("shown") if data is not None else []
        field = self.fields["mark"]
        assert isinstance(field, forms.TypedMultipleChoiceField)
        field.choices = [(pk, pk) for pk, _, _ in (pair.partition(":") for pair in pairs)]
        field.error_messages["invalid_choice"] = "A photo is marked that was not on this page."

    @property
    def marked(self) -> dict[UUID, int]:
        return {pk: version for pk, version in self.cleaned_data["shown"].items() if pk in self._marks}

    @property
    def unmarked(self) -> dict[UUID, int]:
        return {pk: version for pk, version in self.cleaned_data["shown"].items() if pk not in self._marks}

    @property
    def meant(self) -> dict[UUID, int]:
        """The marked ones, or all where none is marked."""
        return self.marked or self.unmarked

    @property
    def _marks(self) -> set[UUID]:
        return set(self.cleaned_data["mark"])


class FilterField(forms.CharField):
    """A filter as `text_form` gives it, whole or not at all → ReviewFilter."""

    def clean(self, value: Any) -> ReviewFilter:  # type: ignore[override]
        try:
            return ReviewFilter.read_text(super().clean(value))
        except BadFilter as exc:
            raise ValidationError(str(exc)) from None


class AllForm(forms.Form):
    """All that a filter finds, what is to be done with it, and how many the person saw that it finds."""

    filter = FilterField(required=False, max_length=4_000)
    act = forms.ChoiceField(choices=list(ACTS.items()))
    seen = forms.IntegerField(min_value=0, max_value=2**31 - 1)

    @property
    def trouble(self) -> str:
        return _first_sentence(self)


class ReasonForm(forms.Form):
    """Why words are rejected."""

    kind = Kind.REJECT

    reason = forms.ChoiceField(
        choices=[(reason, reason) for reason in REASONS],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose a reason."},
    )
    note = PlainField(max_length=500, required=False, label="Anything to add?")

    @property
    def params(self) -> dict[str, str]:
        """What a decision to reject needs."""
        reason, note = self.cleaned_data["reason"], self.cleaned_data["note"]
        return {"reason": f"{reason}: {note}" if note else reason}

    @property
    def trouble(self) -> str:
        return _first_sentence(self)


class TagField(PlainField):
    """One tag, without spaces around it or more than one within."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=TAG_LENGTH, required=False, **kwargs)

    def clean(self, value: Any) -> str:
        tag = " ".join(super().clean(value).split())
        if "," in tag:
            raise ValidationError("One tag at a time, please: without a comma.")
        return tag


class TagForm(forms.Form):
    """What becomes of a tag: `do` says whether one is added or replaced; a button named `remove` takes its tag away."""

    do = forms.ChoiceField(choices=[(kind, kind.label) for kind in TAG_KINDS], required=False)
    add = TagField()
    remove = TagField()
    old = TagField()
    new = TagField()

    def clean(self) -> None:
        given = self.cleaned_data
        needed = {Kind.REMOVE_TAG: ["remove"], Kind.ADD_TAG: ["add"], Kind.REPLACE_TAG: ["old", "new"]}[self.kind]
        for name in needed:
            if name not in self.errors and not given.get(name):
                self.add_error(name, "Type a tag.")
        if self.kind == Kind.REPLACE_TAG and given.get("old") and given.get("old") == given.get("new"):
            self.add_error("new", "That is the same tag.")

    @property
    def kind(self) -> Decision.Kind:
        given = self.cleaned_data
        return Kind.REMOVE_TAG if given.get("remove") else Kind(given.get("do") or Kind.ADD_TAG)

    @property
    def params(self) -> dict[str, str]:
        """What the decision needs."""
        given = self.cleaned_data
        if self.kind == Kind.REPLACE_TAG:
            return {"tag": given["old"], "to": given["new"]}
        return {"tag": given["remove"] if self.kind == Kind.REMOVE_TAG else given["add"]}

    @property
    def trouble(self) -> str:
        return _first_sentence(self)


def _first_sentence(form: forms.Form) -> str:
    return next((str(sentence) for errors in form.errors.values() for sentence in errors), "")
