"""DATA_DIR/keys.env: the keys that an installation with embedded services makes for itself.

Whoever has this file and a backup can read the tokens; whoever has only one of them cannot.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

FILE = "keys.env"


def make_key() -> str:
    """A new key for FIELD_ENCRYPTION_KEYS."""
    from cryptography.fernet import Fernet  # noqa: PLC0415 - 40 ms that only few starts need

    return Fernet.generate_key().decode()


def make_file(path: Path) -> None:
    """Make the file with new keys, unless there is one."""
    draft = _draft(path, f"SECRET_KEY={secrets.token_urlsafe(50)}\nFIELD_ENCRYPTION_KEYS={make_key()}\n")
    try:
        os.link(draft, path)  # fails where another process was faster: its keys are the keys
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def field_keys(path: Path) -> list[str]:
    """FIELD_ENCRYPTION_KEYS as the file has it; empty where there is no file."""
    if not path.exists():
        return []
    lines = dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
    return [key.strip() for key in lines.get("FIELD_ENCRYPTION_KEYS", "").split(",") if key.strip()]


def set_field_keys(path: Path, keys: list[str]) -> None:
    """Write FIELD_ENCRYPTION_KEYS into the file; what else it holds stays. All of it or nothing."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("FIELD_ENCRYPTION_KEYS=")]
    _draft(path, "\n".join([*lines, f"FIELD_ENCRYPTION_KEYS={','.join(keys)}\n"])).replace(path)


def _draft(path: Path, text: str) -> Path:
    """The text on the disk, readable for its owner alone, beside its place."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    return draft
