"""Strings from a browser → values for the workflow."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from metadata import activity, ledger
from metadata.describe import CATEGORIES
from metadata.facts import KEYWORD_LENGTH, BadTemplate, one_line, placeholders
from metadata.models import WORDS, AIMetadata, Note, Prompt
from metadata.prompts import CONTENT
from targetvision.forms import PlainField, TagsField

UUID_IN_ADDRESS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
NOTE_LENGTH = 2_000
PROMPT_LENGTH = 8_000
VOCABULARY = 2_000  # entries
REASONS = ("Wrong subject", "Invented details", "Too vague", "Not suitable", "Other")


class BlockField(PlainField):
    """Text of several lines, whose ends are the same whatever the browser sends."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> str:
        text = super().to_python(value) or ""
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.to_python(initial), data)


class WordsForm(forms.Form):
    """The words of a photo as a curator leaves them; `version` is the one that was on the page."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=2**31 - 1)
    title = BlockField(max_length=200, required=False)
    description = BlockField(
        max_length=5_000, widget=forms.Textarea(attrs={"rows": 4}), error_messages={"required": "Write a description."}
    )
    alt_text = BlockField(max_length=250, required=False)
    tags = TagsField(required=False)
    categories = forms.MultipleChoiceField(
        choices=[(name, name) for name in CATEGORIES], widget=forms.CheckboxSelectMultiple, required=False
    )

    @classmethod
    def of(cls, words: AIMetadata, **kwargs: Any) -> WordsForm:
        """The form filled with what stands now, or with `data` that may change it."""
        initial = {name.removeprefix("ai_"): getattr(words, name) for name in WORDS}
        return cls(initial={**initial, "version": words.version}, **kwargs)

    @property
    def changes(self) -> dict[str, Any]:
        """The words under the names of their columns; what was left as it was filled in is what stood, to the letter:
        a form cannot say everything that can stand, such as the order of categories."""
        return {name: self._value(name.removeprefix("ai_")) for name in WORDS}

    def _value(self, field: str) -> Any:
        is_left = field in self.initial and field not in self.changed_data
        return self.initial[field] if is_left else self.cleaned_data[field]


class RejectForm(forms.Form):
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=2**31 - 1)
    reason = forms.ChoiceField(
        choices=[(reason, reason) for reason in REASONS],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose a reason."},
    )
    note = PlainField(max_length=500, required=False)

    @property
    def sentence(self) -> str:
        note = self.cleaned_data["note"]
        return f"{self.cleaned_data['reason']}: {note}" if note else self.cleaned_data["reason"]


class ActivityForm(forms.Form):
    """What of the activity an address asks for; see activity.Narrowing."""

    library = PlainField(max_length=120, required=False)
    kind = forms.ChoiceField(choices=list(activity.KINDS.items()), required=False)
    state = forms.ChoiceField(choices=[(name, label) for name, (label, _) in activity.STATES.items()], required=False)
    who = forms.ChoiceField(choices=[(name, label) for name, (label, _) in activity.WHO.items()], required=False)
    before = PlainField(max_length=120, required=False)


class LinesField(BlockField):
    """One entry a line → list, without empty ones and without repetitions that differ only in case."""

    def __init__(self, *, most: int, longest: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.most, self.longest = most, longest

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> list[str]:  # type: ignore[override]
        entries: dict[str, str] = {}
        for line in super().clean(value).split("\n"):
            if entry := one_line(line, len(line)):
                entries.setdefault(entry.casefold(), entry)
        if len(entries) > self.most:
            raise ValidationError(f"These are {len(entries):,} entries; at most {self.most:,} fit.")
        if too_long := next((entry for entry in entries.values() if len(entry) > self.longest), None):
            raise ValidationError(f"“{too_long[:40]}…” is longer than {self.longest} characters.")
        return list(entries.values())


class VocabularyField(LinesField):
    """Allowed tags, one a line."""

    def clean(self, value: Any) -> list[str]:  # type: ignore[override]
        tags = super().clean(value)
        if with_comma := next((tag for tag in tags if "," in tag), None):
            raise ValidationError(f"“{with_comma}” holds a comma, which parts one tag from the next. Write it without.")
        return tags


class PromptForm(forms.Form):
    """What a version of a prompt holds; `seen` marks the content that was on the page."""

    seen = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)
    name = PlainField(max_length=40, help_text="Under another name it is a prompt of its own.")
    text = BlockField(
        max_length=PROMPT_LENGTH,
        widget=forms.Textarea(attrs={"rows": 16, "spellcheck": "false"}),
        help_text="In braces: {language}, {tag_count} and {categories} are filled in. Write {{ and }} for braces.",
        error_messages={"required": "Write what the model is to do."},
    )
    language = PlainField(max_length=40, help_text="The words are written in it; categories stay English.")
    tag_count = forms.IntegerField(label="Tags", min_value=1, max_value=50, help_text="At most so many a photo.")
    vocabulary = VocabularyField(
        label="Allowed tags",
        most=VOCABULARY,
        longest=KEYWORD_LENGTH,
        required=False,
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false"}),
        help_text="One a line; any other is dropped. Empty: any tag.",
    )
    facts = forms.MultipleChoiceField(
        label="Tell the model too",
        choices=Prompt.Fact.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Where it is known. Coordinates are never told.",
    )

    @classmethod
    def of(cls, prompt: Prompt, *, seen: str) -> PromptForm:
        """The form filled with what stands now."""
        return cls(initial={**{name: getattr(prompt, name) for name in CONTENT}, "seen": seen})

    def clean_name(self) -> str:
        return self._one_line("name")

    def clean_language(self) -> str:
        return self._one_line("language")

    def clean_text(self) -> str:
        text: str = self.cleaned_data["text"]
        try:
            placeholders(text)
        except BadTemplate as exc:
            raise ValidationError(str(exc)) from None
        return text

    def _one_line(self, name: str) -> str:
        text = one_line(self.cleaned_data[name], 40)
        if not text:
            raise ValidationError("Write something that can be read.")
        return text

    @property
    def changes(self) -> dict[str, Any]:
        """The content under the names of its columns."""
        return {name: value for name, value in self.cleaned_data.items() if name != "seen"}


class ActivateForm(forms.Form):
    """`instead_of` is the prompt that was in force on the page."""

    instead_of = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0, max_value=2**63 - 1)


class PreviewForm(forms.Form):
    """On which photo a prompt is tried: its id, or an address that holds it."""

    photo = PlainField(max_length=500, error_messages={"required": "Choose a photo."})

    def clean_photo(self) -> str:
        found = UUID_IN_ADDRESS.search(self.cleaned_data["photo"])
        if not found:
            raise ValidationError("Paste the address of a photo's page, or choose one of those above.")
        return found[0]


class NoteForm(forms.Form):
    """A note as a person leaves it, empty for none; `seen` is what was on the page."""

    seen = BlockField(widget=forms.HiddenInput, required=False, max_length=NOTE_LENGTH)
    text = BlockField(
        label="What you know",
        required=False,
        max_length=NOTE_LENGTH,
        widget=forms.Textarea(
            attrs={"rows": 3, "placeholder": "The bride is Zoë. Never name minors. The house is the old mill."}
        ),
    )

    @classmethod
    def of(cls, note: Note | None) -> NoteForm:
        """The form filled with what stands now."""
        text = note.text if note else ""
        return cls(initial={"text": text, "seen": text})


class LedgerForm(forms.Form):
    """What of the ledger an address asks for; what it asks for wrongly is not asked for."""

    by = forms.ChoiceField(choices=[(name, label) for name, (label, _) in ledger.GROUPINGS.items()], required=False)
    period = forms.ChoiceField(choices=[(name, label) for name, (label, _) in ledger.PERIODS.items()], required=False)
    library = PlainField(max_length=120, required=False)
    page = forms.IntegerField(min_value=1, max_value=1_000_000, required=False)
