"""Text at rest that only this installation can read: OAuth tokens, and whatever is as secret."""

from __future__ import annotations

from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

from targetvision import env


def encrypt(text: str) -> str:
    """The text under the first of FIELD_ENCRYPTION_KEYS; "" stays ""."""
    return _fernet().encrypt(text.encode()).decode() if text else ""


def decrypt(token: str) -> str:
    """The text under any of FIELD_ENCRYPTION_KEYS; "" where none of them fits: it has to be entered again."""
    try:
        return _fernet().decrypt(token.encode()).decode() if token else ""
    except InvalidToken:
        return ""


def _fernet() -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in settings.FIELD_ENCRYPTION_KEYS])
    except ValueError:
        raise env.WrongSetting(
            "FIELD_ENCRYPTION_KEYS makes no sense; it takes a comma list of Fernet keys (32 bytes in base64)."
        ) from None


class EncryptedField(models.TextField):
    """A text column that is encrypted in the database and plain in Python."""

    def from_db_value(self, value: str | None, *_: Any) -> str | None:
        return value if value is None else decrypt(value)

    def get_prep_value(self, value: Any) -> Any:
        return value if value is None else encrypt(super().get_prep_value(value))
