"""What an export writes in each format, and how it is carried out, stopped, begun anew, kept and swept."""

from __future__ import annotations

import csv
import datetime
import errno
import io
import itertools
import json
import os
import shutil
import subprocess
import time
import unicodedata
import uuid
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PureWindowsPath
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone
from rq.exceptions import ShutDownImminentException

from metadata import export, export_formats, export_rows, jobs, sidecars, workflow
from metadata.export_rows import Row
from metadata.models import AIMetadata, Export
from metadata.queue import ReviewFilter
from metadata.sidecars import Names, archive, safe
from smugmug.models import Account, AlbumPhoto, AuditEntry
from targetvision.models import RunState
from tests.conftest import together
from tests.factories import AccountFactory, AIMetadataFactory, AlbumFactory, ExportFactory, PhotoFactory

pytestmark = pytest.mark.django_db

APPROVED = ReviewFilter(status="approved")
DC = "{http://purl.org/dc/elements/1.1/}"
IPTC = "{http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/}"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
HOSTILE = "a ]]> <b>&amp; “ü” 👩‍👩‍👧 'x' \"y\" \x01\x0b\ufffe end"
UNLIKELY = {
    "ai_title": "Über die Brücke 🌉",
    "ai_description": "Zwei Schwäne, ein Boot & <Nebel>.\nZweite Zeile.",
    "ai_alt_text": "Schwäne im Nebel 🦢",
    "ai_tags": ["Schwäne", "Nebel & Licht", "日本", "🦢"],
}


@pytest.fixture(autouse=True)
def _own_folder(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path


@pytest.fixture
def two_albums(library_of_ada: Account) -> list[AIMetadata]:
    """Approved: two in Zoo, one in Alps. And one in Zoo that waits, one of somebody else."""
    zoo, alps = (AlbumFactory(account=library_of_ada, title=title) for title in ("Zoo", "Alps"))
    wanted = ((zoo, "b.jpg", "Bear"), (zoo, "ä.jpg", "Ape"), (alps, "b.jpg", "Berg"))
    photos = [PhotoFactory(album=album, filename=name, date_taken=day(i)) for i, (album, name, _) in enumerate(wanted)]
    words = [
        AIMetadataFactory(photo=photo, approved=True, ai_title=title)
        for photo, (_, _, title) in zip(photos, wanted, strict=True)
    ]
    AIMetadataFactory(photo=PhotoFactory(album=zoo, filename="w.jpg"), described=True)
    AIMetadataFactory(approved=True)
    return words


def day(number: int) -> datetime.datetime:
    return datetime.datetime(2026, 5, 1 + number, 10)


def bytes_of(account: Account, format: str, wanted: ReviewFilter = APPROVED) -> bytes:
    return b"".join(export_formats.encode(export_rows.rows(account, wanted, format), account, wanted, format))


def table(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert file.testzip() is None
        return {name: file.read(name) for name in file.namelist()}


def words_in(sidecar: bytes) -> dict[str, list[str]]:
    """What an XML parser finds in it."""
    description = ET.fromstring(sidecar).find(f".//{RDF}Description")
    assert description is not None
    return {element.tag: [item.text or "" for item in element.iter(f"{RDF}li")] for element in description}


def started(account: Account, format: str = "csv", wanted: ReviewFilter = APPROVED) -> Export:
    return export.start(account, by=account.owner, format=format, filter=wanted)[0]


def files() -> set[str]:
    return {path.name for path in export.folder().iterdir()}


# --- CSV and JSON Lines ------------------------------------------------------------------------------------------


def test_csv_holds_what_is_approved_by_album_and_excel_reads_its_umlauts(
    library_of_ada: Account, two_albums: list[AIMetadata], django_assert_num_queries: Any
):
    with django_assert_num_queries(1):
        data = bytes_of(library_of_ada, "csv")

    assert data.startswith(b"\xef\xbb\xbfalbum,file,title,")
    rows = table(data)
    assert [(row["album"], row["file"], row["title"]) for row in rows] == [
        ("Alps", "b.jpg", "Berg"),
        ("Zoo", "b.jpg", "Bear"),
        ("Zoo", "ä.jpg", "Ape"),
    ]
    assert rows[0] == rows[0] | {
        "tags": "cat; grey",
        "approved by": "grace",
        "approved at (UTC)": "2026-01-02 03:04:00",
        "confidence": "0.8",
        "taken": "2026-05-03 10:00:00",
    }


@pytest.mark.parametrize("first", list("=+-@\t\r\n") + ["＝", "＋", "－", "＠"])
def test_csv_fields_that_begin_like_a_formula_do_nothing_in_a_spreadsheet(first: str, library_of_ada: Account):
    text = f'{first}cmd|"/c calc"!A1'
    photo = PhotoFactory(album=AlbumFactory(account=library_of_ada, title=text), filename=text, caption=text)
    AIMetadataFactory(photo=photo, approved=True, ai_title=text, ai_tags=[text, "a-b"], ai_description=f"a{text}")

    [row] = table(bytes_of(library_of_ada, "csv"))

    assert {row[name] for name in ("album", "file", "title", "caption on SmugMug")} == {f"'{text}"}
    assert row["tags"] == f"'{text}; a-b"
    assert row["description"] == f"a{text}"
    assert row["confidence"] == "0.8"


def test_json_lines_tell_who_approved_and_what_the_ai_said_where_it_differs(library_of_ada: Account, ada: Any):
    photo = PhotoFactory(album=AlbumFactory(account=library_of_ada), date_taken=day(0))
    words = AIMetadataFactory(photo=photo, described=True, prompt="Default 1")
    AIMetadata.objects.filter(pk=words.pk).update(ai_answer=words.history.get())
    workflow.approve(words, by=ada, version=1, changes={"ai_title": "Kätzchen\u2028🐈", "ai_tags": ["cat", "wall"]})
    unchanged = AIMetadataFactory(photo=PhotoFactory(album=photo.album), approved=True)
    AIMetadata.objects.filter(pk=unchanged.pk).update(ai_answer=unchanged.history.get())

    lines = bytes_of(library_of_ada, "jsonl").split(b"\n")

    assert lines.pop() == b""
    edited, plain = sorted(map(json.loads, lines), key=lambda found: found["title"], reverse=True)
    assert (edited["title"], edited["tags"]) == ("Kätzchen\u2028🐈", ["cat", "wall"])
    assert (edited["photo"]["date_taken"], edited["library"]) == ("2026-05-01T10:00:00", library_of_ada.nickname)
    told = edited["provenance"]
    assert told["ai_said"] == {"title": "A cat", "tags": ["cat", "grey"]}
    assert (told["approved_by"], told["version"], told["model"], told["prompt"]) == (
        "user:ada",
        2,
        "fake-1",
        "Default 1",
    )
    assert datetime.datetime.fromisoformat(told["approved_at"]).tzinfo is not None
    assert plain["provenance"]["ai_said"] == {}


# --- Sidecars ------------------------------------------------------------------------------------------------------


def test_sidecars_hold_the_words_as_an_xml_parser_reads_them_and_no_illegal_character(library_of_ada: Account):
    photo = PhotoFactory(album=AlbumFactory(account=library_of_ada, title="Zoo"), filename="IMG_1.jpg")
    AIMetadataFactory(photo=photo, approved=True, ai_title=HOSTILE, ai_alt_text="", ai_description="a\r\nb\rc\n\td")
    AIMetadata.objects.update(ai_tags=["<x>", "ü&", "\x02"])

    found = unpacked(bytes_of(library_of_ada, "xmp"))

    assert list(found) == ["Zoo/IMG_1.jpg.xmp"]
    clean = HOSTILE.replace("\x01\x0b\ufffe", "")
    assert words_in(found["Zoo/IMG_1.jpg.xmp"]) == {
        f"{DC}title": [clean],
        f"{DC}description": ["a\r\nb\rc\n\td"],
        f"{DC}subject": ["<x>", "ü&", ""],
    }


def test_sidecars_are_in_a_folder_for_each_album_each_name_once(library_of_ada: Account, two_albums: list[AIMetadata]):
    twin = AlbumFactory(account=library_of_ada, title="zoo", album_key="TWIN")
    for i, (name, key) in enumerate((("B.JPG", "K1"), ("b.jpg", "K2"), ("../../b.jpg", "K3"), ("", "K4"))):
        photo = PhotoFactory(album=twin, filename=name, image_key=key, date_taken=day(i))
        AIMetadataFactory(photo=photo, approved=True)

    found = unpacked(bytes_of(library_of_ada, "xmp"))

    assert sorted(found) == [
        "Alps/b.jpg.xmp",
        "Zoo/b.jpg.xmp",
        "Zoo/ä.jpg.xmp",
        "zoo-TWIN/B.JPG.xmp",
        "zoo-TWIN/K4.xmp",
        "zoo-TWIN/_.._b.jpg.xmp",
        "zoo-TWIN/b-K2.jpg.xmp",
    ]


def test_sidecars_of_an_album_are_in_its_folder_also_those_collected_into_it(
    library_of_ada: Account, two_albums: list[AIMetadata]
):
    best = AlbumFactory(account=library_of_ada, title="Best: 2026")
    for number, words in enumerate(two_albums):
        AlbumPhoto.objects.create(album=best, photo=words.photo, position=number, origin="Collected")

    found = unpacked(bytes_of(library_of_ada, "xmp", ReviewFilter(status="approved", album=best.pk)))

    names = ["b.jpg.xmp", "ä.jpg.xmp", f"b-{two_albums[2].photo.image_key}.jpg.xmp"]
    assert sorted(found) == sorted(f"Best_ 2026/{name}" for name in names)


@pytest.mark.parametrize(
    "wanted",
    [
        "../../etc/passwd",
        "..\\..\\x.jpg",
        "C:\\x",
        "/etc/x",
        "..",
        ".",
        "",
        " ",
        "con",
        "CON.jpg",
        "con .jpg",
        "nul",
        "LPT¹.png",
        'a:b|c?d*e<f>g"h',
        "x\x00y\x1fz\u202egpj.exe",
        "-rf",
        "trailing. . .",
        "~",
        "ü" * 300 + ".jpg",
        "👩‍👩‍👧" * 90,
        "x" * 300,
        ".hidden",
        "e\u0301.jpg",
    ],
)
def test_names_are_safe_on_every_system_and_lead_nowhere(wanted: str):
    name = safe(wanted, instead="KEY")

    assert name
    assert PureWindowsPath(name).parts == (name,)
    assert not PureWindowsPath(f"{name}.xmp").is_reserved()
    assert Path("/in", name).resolve().parent == Path("/in")
    assert len(f"{name}-{'k' * 32}-99.xmp".encode()) <= 255
    assert name == unicodedata.normalize("NFC", name).strip(" .")
    assert not set(name) & set('<>:"/\\|?*\x00\u202e')
    assert name[0] != "-"


def test_names_are_given_once_whatever_is_wanted():
    names = Names()

    given = [
        names.give(wanted, "K") for wanted in ("a.jpg", "A.JPG", "a-K.jpg", "ä.jpg", "a\u0308.jpg", "", "k", "a.jpg")
    ]

    assert given[:2] == ["a.jpg", "A-K.JPG"]
    assert len({unicodedata.normalize("NFC", name).casefold() for name in given}) == len(given)


def test_zip_is_opened_by_unzip_and_its_sidecars_are_read_by_exiftool(library_of_ada: Account, tmp_path: Path):
    if not shutil.which("unzip") or not shutil.which("exiftool"):
        pytest.skip("needs unzip and exiftool (Debian's unzip and libimage-exiftool-perl)")
    album = AlbumFactory(account=library_of_ada, title="Über: Zoo 🦁")
    for name in ("Möwe 🐦.jpg", "con.jpg"):
        AIMetadataFactory(photo=PhotoFactory(album=album, filename=name), approved=True, **UNLIKELY)
    (tmp_path / "x.zip").write_bytes(bytes_of(library_of_ada, "xmp"))
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}

    subprocess.run(["unzip", "-q", "x.zip", "-d", "out"], cwd=tmp_path, env=environment, check=True)
    tags = ["-XMP-dc:all", "-XMP-iptcCore:all"]
    said = subprocess.run(
        ["exiftool", "-j", "-r", "-struct", "-ext", "xmp", *tags, "out"],
        cwd=tmp_path,
        env=environment,
        check=True,
        capture_output=True,
    ).stdout

    read = {found.pop("SourceFile"): found for found in json.loads(said)}
    assert set(read) == {"out/Über_ Zoo 🦁/Möwe 🐦.jpg.xmp", "out/Über_ Zoo 🦁/_con.jpg.xmp"}
    assert (
        list(read.values())
        == [
            {
                "Title": UNLIKELY["ai_title"],
                "Description": UNLIKELY["ai_description"],
                "Subject": UNLIKELY["ai_tags"],
                "AltTextAccessibility": UNLIKELY["ai_alt_text"],
            }
        ]
        * 2
    )


def test_zip_of_more_files_than_a_short_directory_counts_is_read_back(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sidecars, "ZIP_DEFLATED", zipfile.ZIP_STORED)  # sooner done
    row = Row(
        *["t", "d", "a", ["x"], [], 0.5, "approved", "", "", None, 1, "", "", "", None, timezone.now()], *[""] * 11
    )

    many = (row._replace(filename=f"{number}.jpg", album_id=1, album_title="A") for number in range(66_000))
    data = b"".join(archive(many))  # type: ignore[arg-type]

    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert len(file.namelist()) == 66_000
        assert words_in(file.read("A/65999.jpg.xmp"))[f"{DC}title"] == ["t"]


# --- The run -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", Export.Format.values)
def test_export_writes_a_file_that_nobody_else_on_the_machine_reads(
    format: str, library_of_ada: Account, two_albums: list[AIMetadata]
):
    made = started(library_of_ada, format)

    export.carry_on(made)

    assert (made.state, made.done, made.total, made.attempts) == (RunState.SUCCEEDED, 3, 3, 1)
    path = export.path(made)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_size == made.size_bytes
    if format != "xmp":  # which holds the time
        assert path.read_bytes() == bytes_of(library_of_ada, format)
    assert AuditEntry.objects.get().detail == f"{made.get_format_display()}, 3 photos, approved"


def test_start_where_the_same_ended_just_now_begins_anew(
    library_of_ada: Account, two_albums: list[AIMetadata], monkeypatch: pytest.MonkeyPatch
):
    create, failures = Export.objects.create, [IntegrityError("one is active")]

    def lose_once(**fields: Any) -> Export:
        if failures:
            raise failures.pop()
        return create(**fields)

    monkeypatch.setattr(Export.objects, "create", lose_once)
    made, is_new = export.start(library_of_ada, by=None, format="csv", filter=ReviewFilter(status="approved"))

    assert is_new
    assert list(Export.objects.all()) == [made]


def test_start_where_nothing_fits_makes_nothing(library_of_ada: Account):
    with pytest.raises(export.NotPossible, match="No photo fits"):
        started(library_of_ada)

    assert not Export.objects.exists()
    assert not AuditEntry.objects.exists()


def test_start_where_the_disk_has_too_little_room_makes_nothing(
    library_of_ada: Account, two_albums: list[AIMetadata], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(export, "_free", lambda: 5 * export.MIB)

    with pytest.raises(export.NotPossible, match="about 256 MB are needed, 5 MB are free"):
        started(library_of_ada)

    assert not Export.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_start_by_two_at_once_makes_one(library_of_ada: Account, two_albums: list[AIMetadata]):
    results: list[tuple[Export, bool]] = []

    def start() -> None:
        results.append(export.start(library_of_ada, by=library_of_ada.owner, format="csv", filter=APPROVED))

    together(start, start)

    assert sorted(is_new for _, is_new in results) == [False, True]
    assert results[0][0] == results[1][0] == Export.objects.get()


def break_into(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """After the first row of the file is written."""
    rows = export_rows.rows

    def interrupted(*args: Any) -> Iterator[Row]:
        for number, row in enumerate(rows(*args)):
            if number == 1:
                act()
            yield row

    monkeypatch.setattr(export_rows, "rows", interrupted)
    monkeypatch.setattr(export, "BEAT_SECONDS", 0.0)


def test_carry_on_that_is_cancelled_leaves_nothing(
    library_of_ada: Account, two_albums: list[AIMetadata], monkeypatch: pytest.MonkeyPatch
):
    made = started(library_of_ada)
    break_into(monkeypatch, lambda: export.cancel(Export.objects.get(), by=library_of_ada.owner) and None)

    export.carry_on(made)

    assert (made.state, made.has_file) == (RunState.CANCELLED, False)
    assert files() == set()


def test_carry_on_that_is_overtaken_leaves_the_file_of_the_other(
    library_of_ada: Account, two_albums: list[AIMetadata], monkeypatch: pytest.MonkeyPatch
):
    made = started(library_of_ada)

    def overtake() -> None:
        monkeypatch.undo()
        Export.objects.update(heartbeat_at=timezone.now() - datetime.timedelta(hours=1))
        export.carry_on(Export.objects.get())

    folder = export.folder()
    break_into(monkeypatch, overtake)
    export.carry_on(made)

    kept = Export.objects.get()
    assert (kept.state, kept.attempts) == (RunState.SUCCEEDED, 2)
    assert len(table(export.path(kept).read_bytes())) == 3
    assert {path.name for path in folder.iterdir()} == {export.path(kept).name}


@pytest.mark.parametrize("trouble", [errno.ENOSPC, errno.EDQUOT])
def test_carry_on_where_the_disk_runs_full_says_so_and_leaves_nothing(
    trouble: int, library_of_ada: Account, two_albums: list[AIMetadata], monkeypatch: pytest.MonkeyPatch
):
    made = started(library_of_ada)

    def fail() -> None:
        raise OSError(trouble, os.strerror(trouble))

    break_into(monkeypatch, fail)
    export.carry_on(made)

    assert (made.state, made.waiting_for) == (RunState.FAILED, export.FULL)
    assert files() == set()


def test_carry_on_leaves_room_for_the_database(
    library_of_ada: Account, two_albums: list[AIMetadata], monkeypatch: pytest.MonkeyPatch
):
    made = started(library_of_ada)
    monkeypatch.setattr(export, "_free", lambda: export.MIB)

    export.carry_on(made)

    assert (made.state, made.waiting_for, files()) == (RunState.FAILED, export.FULL, set())


def test_write_export_of_a_worker_that_is_stopped_is_begun_anew(
    library_of_ada: Account, two_albums: list[AIMetadata], monkeypatch: pytest.MonkeyPatch, enqueued: list[Any]
):
    made = started(library_of_ada)

    def stop() -> None:
        raise ShutDownImminentException("stop", {})

    with monkeypatch.context() as patch:
        break_into(patch, stop)
        with pytest.raises(ShutDownImminentException):
            jobs.write_export(str(made.pk))
    assert files() == set()
    assert enqueued == [("write_export", (str(made.pk),))]

    jobs.write_export(str(made.pk))

    made.refresh_from_db()
    assert (made.state, made.done) == (RunState.SUCCEEDED, 3)


def test_resume_stalled_exports_begins_what_a_kill_left_but_not_for_ever(
    library_of_ada: Account, two_albums: list[AIMetadata], enqueued: list[Any]
):
    long_ago = timezone.now() - datetime.timedelta(minutes=5)
    made = ExportFactory(account=library_of_ada, state="running", heartbeat_at=long_ago, attempts=export.ATTEMPTS)
    alive = ExportFactory(account=library_of_ada, format="xmp", state="running", heartbeat_at=timezone.now())

    jobs.resume_stalled_exports()
    jobs.write_export(str(made.pk))

    assert enqueued == [("write_export", (str(made.pk),))]
    made.refresh_from_db()
    assert (made.state, made.waiting_for) == (RunState.FAILED, export.OFTEN.format(export.ATTEMPTS))
    alive.refresh_from_db()
    assert alive.state == RunState.RUNNING


def test_write_export_that_is_over_or_gone_does_nothing(library_of_ada: Account, two_albums: list[AIMetadata]):
    made = started(library_of_ada)
    jobs.write_export(str(made.pk))
    before = files()

    jobs.write_export(str(made.pk))
    jobs.write_export(str(uuid.uuid4()))

    assert files() == before
    assert Export.objects.get().attempts == 1


def test_begin_export_writes_a_small_one_at_once_and_leaves_a_big_one_to_the_workers(
    library_of_ada: Account, two_albums: list[AIMetadata], enqueued: list[Any]
):
    small, big = started(library_of_ada), started(library_of_ada, "jsonl")
    big.total = export.SMALL + 1

    for made in (small, big):
        jobs.begin_export(made)

    assert (small.state, big.state) == (RunState.SUCCEEDED, RunState.QUEUED)
    assert enqueued == [("write_export", (str(big.pk),))]


def test_sweep_deletes_what_is_a_week_old_and_what_belongs_to_nobody(
    library_of_ada: Account, two_albums: list[AIMetadata]
):
    old, new = started(library_of_ada), started(library_of_ada, "jsonl")
    for made in (old, new):
        export.carry_on(made)
    Export.objects.filter(pk=old.pk).update(finished_at=timezone.now() - datetime.timedelta(days=7, seconds=1))
    Export.objects.filter(pk=new.pk).update(finished_at=timezone.now() - datetime.timedelta(days=6, hours=23))
    for name, age in (("stray", 90_000), ("being-written", 60)):
        (export.folder() / name).write_text("x")
        os.utime(export.folder() / name, (time.time() - age,) * 2)

    assert export.sweep() == 2
    assert export.sweep() == 0

    assert files() == {export.path(new).name, "being-written"}
    old.refresh_from_db()
    assert (old.state, old.has_file, old.removed_at is not None) == (RunState.SUCCEEDED, False, True)


def test_rows_come_through_a_cursor_of_the_database_however_many(
    library_of_ada: Account, two_albums: list[AIMetadata], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(export_rows, "AT_A_TIME", 1)
    rows = export_rows.rows(library_of_ada, APPROVED, "csv")

    first = list(itertools.islice(rows, 1))
    AIMetadata.objects.update(ai_title="Changed since")

    assert [row.title for row in (*first, *rows)] == ["Berg", "Bear", "Ape"]


def test_export_of_another_library_holds_nothing_of_this_one(two_albums: list[AIMetadata]):
    other = AccountFactory()
    photo = PhotoFactory(album=AlbumFactory(account=other))
    AIMetadataFactory(photo=photo, approved=True, ai_title="Theirs")

    assert [row["title"] for row in table(bytes_of(other, "csv"))] == ["Theirs"]
    assert table(bytes_of(other, "csv", ReviewFilter(status="approved", album=two_albums[0].photo.album_id))) == []
