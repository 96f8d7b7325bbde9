"""Every secret under a new key, whatever happens on the way."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from smugmug.models import Account
from targetvision import encryption, keys
from tests.factories import AccountFactory
from tests.targetvision.programs import ROOT

LEADER = "import sys; from pathlib import Path; from targetvision.processes import lead; "
LEADER += "lock = lead(Path(sys.argv[1])); print('leading', flush=True); sys.stdin.read()"


@pytest.fixture
def keys_file(tmp_path: Path, settings: Any, monkeypatch: Any) -> Path:
    """DATA_DIR/keys.env, and the settings as they are after a start with it."""
    monkeypatch.setenv("TARGETVISION_LEADER", "")  # lead() sets it, for children
    path = tmp_path / keys.FILE
    keys.make_file(path)
    settings.DATA_DIR = tmp_path
    settings.FIELD_ENCRYPTION_KEYS = keys.field_keys(path)
    return path


@pytest.fixture
def account(db: None, keys_file: Path) -> Account:
    return AccountFactory(oauth_token="the token", oauth_token_secret="the secret")


def stored() -> tuple[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT oauth_token, oauth_token_secret FROM smugmug_account")
        (row,) = cursor.fetchall()
    return row


def readable(settings: Any, chain: list[str]) -> tuple[str, str]:
    """What a process that starts with these keys reads."""
    settings.FIELD_ENCRYPTION_KEYS = chain
    account = Account.objects.get()
    return account.oauth_token, account.oauth_token_secret


def test_rotate_with_a_new_key_leaves_nothing_under_the_old_one(
    account: Account, keys_file: Path, settings: Any, capsys: Any
) -> None:
    before, (old,) = stored(), keys.field_keys(keys_file)
    secret_key = keys_file.read_text().splitlines()[0]

    call_command("rotate_keys", new_key=True)

    new, kept = keys.field_keys(keys_file)
    assert kept == old != new
    assert stat.S_IMODE(keys_file.stat().st_mode) == 0o600
    assert keys_file.read_text().splitlines()[0] == secret_key
    assert not set(before) & set(stored())
    assert readable(settings, [new]) == ("the token", "the secret")
    assert readable(settings, [old]) == ("", "")
    assert "Encrypted 2 values" in capsys.readouterr().out
    assert list(keys_file.parent.iterdir()) == [keys_file, keys_file.parent / "up.lock"]


def test_rotate_and_drop_the_old_key_keeps_only_the_new_one(account: Account, keys_file: Path, settings: Any) -> None:
    (old,) = keys.field_keys(keys_file)

    call_command("rotate_keys", new_key=True, drop_old=True)

    (new,) = keys.field_keys(keys_file)
    assert new != old
    assert readable(settings, [new]) == ("the token", "the secret")


def test_rotate_keys_of_the_environment_uses_their_first(account: Account, settings: Any) -> None:
    new = Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [new, *settings.FIELD_ENCRYPTION_KEYS]
    before = stored()

    call_command("rotate_keys")

    assert not set(before) & set(stored())
    assert readable(settings, [new]) == ("the token", "the secret")


def test_make_a_new_key_for_keys_of_the_environment_is_refused(
    account: Account, keys_file: Path, settings: Any
) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    before = stored(), keys_file.read_text()

    with pytest.raises(CommandError, match="from your environment"):
        call_command("rotate_keys", new_key=True)

    assert (stored(), keys_file.read_text()) == before


def test_rotate_with_an_unreadable_row_names_it_and_drops_no_key(
    account: Account, keys_file: Path, settings: Any, capsys: Any
) -> None:
    lost = Fernet(Fernet.generate_key()).encrypt(b"whatever").decode()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE smugmug_account SET oauth_token = %s", [lost])

    with pytest.raises(SystemExit) as stop:
        call_command("rotate_keys", new_key=True, drop_old=True)

    assert stop.value.code == 1
    said = capsys.readouterr().err
    assert f"smugmug.Account {account.pk}: oauth_token\n" in said
    assert f"{account.pk}: oauth_token_secret" not in said
    assert stored()[0] == lost
    assert readable(settings, keys.field_keys(keys_file)[:1])[1] == "the secret"
    assert len(keys.field_keys(keys_file)) == 2


def test_rotate_while_it_runs_is_refused(account: Account, keys_file: Path) -> None:
    before = stored(), keys_file.read_text()
    leader = subprocess.Popen(
        [sys.executable, "-c", LEADER, str(keys_file.parent / "up.lock")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert leader.stdout is not None
        leader.stdout.readline()

        with pytest.raises(CommandError, match="stop it first"):
            call_command("rotate_keys", new_key=True)
    finally:
        leader.communicate()

    assert (stored(), keys_file.read_text()) == before


def test_reencrypt_beside_somebody_who_writes_keeps_what_they_wrote(
    account: Account, settings: Any, monkeypatch: Any
) -> None:
    found = list(encryption._stored())
    Account.objects.update(oauth_token="a newer token")
    monkeypatch.setattr(encryption, "_stored", lambda: found)

    done, unreadable = encryption.reencrypt()

    assert (done, unreadable) == (1, [])
    assert readable(settings, settings.FIELD_ENCRYPTION_KEYS) == ("a newer token", "the secret")
