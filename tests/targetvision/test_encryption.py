from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from django.db import connection

from smugmug.models import Account
from targetvision.encryption import decrypt, encrypt
from tests.factories import AccountFactory


@pytest.fixture
def keys(settings):
    """An old key and a new one; the old is in use."""
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [old]
    return old, new


@pytest.mark.parametrize("text", ["a token", "ключ ☂", "x" * 5_000])
def test_encrypt_gives_what_only_decrypt_reads(keys, text):
    token = encrypt(text)

    assert decrypt(token) == text
    assert text not in token
    assert token != encrypt(text)


def test_encrypt_nothing_gives_nothing(keys):
    assert (encrypt(""), decrypt("")) == ("", "")


def test_decrypt_under_an_old_key_still_reads_and_new_text_takes_the_first(keys, settings):
    old, new = keys
    token = encrypt("a token")

    settings.FIELD_ENCRYPTION_KEYS = [new, old]

    assert decrypt(token) == "a token"
    assert Fernet(new).decrypt(encrypt("another").encode()) == b"another"


def test_decrypt_under_an_unknown_key_gives_nothing(keys, settings):
    _, new = keys
    token = encrypt("a token")

    settings.FIELD_ENCRYPTION_KEYS = [new]

    assert decrypt(token) == ""


@pytest.mark.parametrize("token", ["no token at all", "gAAAAA", "ключ"])
def test_decrypt_nonsense_gives_nothing(keys, token):
    assert decrypt(token) == ""


def column(account: Account) -> tuple[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT oauth_token, oauth_token_secret FROM smugmug_account WHERE id = %s", [account.pk])
        return cursor.fetchone()


@pytest.mark.django_db
def test_encrypted_field_is_plain_in_python_and_not_in_the_database(keys):
    account = AccountFactory(oauth_token="a token", oauth_token_secret="a secret")

    read = Account.objects.get(pk=account.pk)

    assert (read.oauth_token, read.oauth_token_secret) == ("a token", "a secret")
    stored = column(account)
    assert [decrypt(value) for value in stored] == ["a token", "a secret"]
    assert "a token" not in stored
    assert "a secret" not in stored


@pytest.mark.django_db
def test_encrypted_field_under_an_unknown_key_reads_as_empty_and_stays(keys, settings):
    account = AccountFactory(oauth_token="a token")
    before = column(account)
    old, new = keys

    settings.FIELD_ENCRYPTION_KEYS = [new]

    assert Account.objects.get(pk=account.pk).oauth_token == ""
    assert column(account) == before
    settings.FIELD_ENCRYPTION_KEYS = [new, old]
    assert Account.objects.get(pk=account.pk).oauth_token == "a token"
