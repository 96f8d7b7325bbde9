"""Text at rest that only this installation can read: OAuth tokens, and whatever is as secret."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import TextField, Value
from django.db.models.functions import Cast


def encrypt(text: str) -> str:
    """The text under the first of FIELD_ENCRYPTION_KEYS; "" stays ""."""
    return _fernet().encrypt(text.encode()).decode() if text else ""


def decrypt(token: str) -> str:
    """The text under any of FIELD_ENCRYPTION_KEYS; "" where none of them fits: it has to be entered again."""
    try:
        return _fernet().decrypt(token.encode()).decode() if token else ""
    except InvalidToken:
        return ""


def _fernet(keys: Sequence[str] | None = None) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys or settings.FIELD_ENCRYPTION_KEYS])


class EncryptedField(models.TextField):
    """A text column that is encrypted in the database and plain in Python."""

    def from_db_value(self, value: str | None, *_: Any) -> str | None:
        return value if value is None else decrypt(value)

    def get_prep_value(self, value: Any) -> Any:
        return value if value is None else encrypt(super().get_prep_value(value))


def reencrypt(keys: Sequence[str] | None = None) -> tuple[int, list[str]]:
    """Put every encrypted column under the first of `keys` (default: FIELD_ENCRYPTION_KEYS), whichever it is under.

    Returns how many values were, and the names of those that no key reads, which stay as they are.
    """
    fernet = _fernet(keys)
    done, unreadable = 0, []
    for model, field, pk, token in _stored():
        try:
            fresh = fernet.rotate(token.encode()).decode()
        except InvalidToken:
            unreadable.append(f"{model._meta.label} {pk}: {field}")
            continue
        # Only where nobody has written meanwhile; an expression, because a plain value would be encrypted once more.
        row = model._base_manager.annotate(token=Cast(field, TextField())).filter(pk=pk, token=token)
        done += row.update(**{field: Value(fresh, TextField())})
    return done, unreadable


def unreadable() -> list[str]:
    """The names of the stored values that none of FIELD_ENCRYPTION_KEYS reads."""
    return [f"{model._meta.label} {pk}: {field}" for model, field, pk, token in _stored() if not decrypt(token)]


def _stored() -> Iterator[tuple[type[models.Model], str, Any, str]]:
    """Every encrypted value of every app: its model, field and key, and what the database holds."""
    for model in apps.get_models():
        if model._meta.proxy or not model._meta.managed:
            continue
        for field in model._meta.local_concrete_fields:
            if isinstance(field, EncryptedField):
                rows = model._base_manager.annotate(token=Cast(field.name, TextField())).exclude(token="")
                for pk, token in rows.values_list("pk", "token"):
                    yield model, field.name, pk, token
