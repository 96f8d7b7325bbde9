"""manage.py export_metadata: to a file or to standard output, for cron and for people."""

from __future__ import annotations

import io
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from metadata import export_rows
from metadata.models import AIMetadata, Export
from smugmug.models import Account, AuditEntry
from tests.factories import AIMetadataFactory, AlbumFactory, PhotoFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def words(library_of_ada: Account) -> AIMetadata:
    """Approved, in Zoo; another waits."""
    photo = PhotoFactory(album=AlbumFactory(account=library_of_ada, title="Zoo"), filename="b.jpg")
    AIMetadataFactory(photo=PhotoFactory(album=photo.album), described=True, ai_title="Waits")
    return AIMetadataFactory(photo=photo, approved=True, ai_title="Über")


def run(words: AIMetadata, *arguments: str) -> None:
    call_command("export_metadata", words.photo.account.nickname, *arguments)


def test_export_to_standard_output_holds_nothing_but_the_file(words: AIMetadata, monkeypatch: pytest.MonkeyPatch):
    out = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", out)

    run(words, "--format", "csv")

    text = out.buffer.getvalue().decode("utf-8-sig")  # type: ignore[attr-defined]
    assert text.startswith("album,file,title,")
    assert "Über" in text
    assert "Waits" not in text


def test_export_to_a_file_is_there_whole_and_is_told_in_the_audit_trail(
    words: AIMetadata, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    target = tmp_path / "words.zip"

    run(words, "--format", "xmp", "--album", words.photo.album.album_key, "--output", str(target))

    assert zipfile.ZipFile(target).namelist() == ["Zoo/b.jpg.xmp"]
    assert os.listdir(tmp_path) == ["words.zip"]
    assert f"1 photos of {words.photo.account} are in {target}." in capsys.readouterr().err
    assert AuditEntry.objects.get().detail == "XMP sidecars, 1 photos, approved"
    assert not Export.objects.exists()


def test_export_of_another_state_takes_those(words: AIMetadata, tmp_path: Path):
    run(words, "--format", "jsonl", "--status", "waiting", "--output", str(tmp_path / "x"))

    assert b'"title":"Waits"' in (tmp_path / "x").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--tag", "nowhere"], "No photo of .* fits"),
        (["--album", "NOWHERE"], "has no album 'NOWHERE'"),
        (["--after", "yesterday"], "Type a day as 2026-05-31."),
        (["--output", "/nowhere/at/all"], "cannot be written: no such file"),
    ],
)
def test_export_of_what_cannot_be_says_so(arguments: list[str], sentence: str, words: AIMetadata):
    with pytest.raises(CommandError, match=sentence):
        run(words, "--format", "csv", *arguments)

    assert not AuditEntry.objects.exists()


def test_export_to_a_file_that_is_there_needs_force(words: AIMetadata, tmp_path: Path):
    target = tmp_path / "words.csv"
    target.write_text("mine")

    with pytest.raises(CommandError, match="is there already"):
        run(words, "--format", "csv", "--output", str(target))
    assert target.read_text() == "mine"

    run(words, "--format", "csv", "--output", str(target), "--force")
    assert target.read_text() != "mine"


def test_export_that_breaks_off_leaves_the_old_file(words: AIMetadata, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    target = tmp_path / "words.csv"
    target.write_text("old")

    def broken(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(export_rows, "rows", broken)
    with pytest.raises(KeyboardInterrupt):
        run(words, "--format", "csv", "--output", str(target), "--force")

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"words.csv": "old"}


def test_export_of_an_unknown_account_says_so():
    with pytest.raises(CommandError, match="There is no account 'nobody' here."):
        call_command("export_metadata", "nobody", "--format", "csv")
