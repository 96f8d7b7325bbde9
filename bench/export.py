"""Exports of a large library: rows a second in each format, and whether memory grows with the rows.

    python bench/export.py [--photos 100000] [--fewer 10000]

Two libraries of approved words, edited ones among them, in a database of their own. Each export is carried out as a
job does it, in a process of its own, and so is its baseline: the same columns in the same order from the driver's own
server-side cursor, with nothing between that and csv, json or zipfile. Prints the rows a second of both, and the
exporting process's peak memory for many rows as a multiple of that for fewer (bound 1.2). What was written is counted.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import time
import zipfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from many_photos import fill
from testbed import SPAWN, services, set_up

BOUND = 1.2
FORMATS = ("csv", "jsonl", "xmp")
# All approved; of every tenth a person has changed the title since the AI's answer.
APPROVE = """
UPDATE ai_metadata m SET review_status = 'approved', approved_by = 'user:bench', approved_at = now(), version = 2,
    ai_answer_id = h.id, ai_title = CASE WHEN hashtext(m.id::text) %% 10 = 0 THEN 'Über ' || ai_title ELSE ai_title END
FROM metadata_history h WHERE h.metadata_id = m.id AND m.account_id = %s
"""


class Run(NamedTuple):
    """What an export took: rows, seconds, bytes written, and the most memory (bytes) that its process held."""

    rows: int
    seconds: float
    size: int
    memory: int

    @property
    def rate(self) -> float:
        return self.rows / self.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--fewer", type=int, default=10_000)
    options = parser.parse_args()
    with services() as folder:
        many, fewer = library("many", options.photos), library("fewer", options.fewer)
        for format in FORMATS:
            least = alone(ours, fewer, format, str(folder))
            most = alone(ours, many, format, str(folder))
            plain = alone(baseline, many, format, str(folder))
            assert (least.rows, most.rows, plain.rows) == (options.fewer, options.photos, options.photos)
            growth = most.memory / least.memory
            print(
                f"{format}: {most.rows:,} rows, {most.size / 2**20:.0f} MB in {most.seconds:.1f} s: "
                f"{most.rate:,.0f} rows a second, the plain loop {plain.rate:,.0f}: {most.rate / plain.rate:.2f} ×; "
                f"peak memory {most.memory / 2**20:.0f} MB, {growth:.2f} × that of {least.rows:,} rows (bound {BOUND})"
            )
            assert growth <= BOUND, format


def library(nickname: str, photos: int) -> int:
    """The id of a new account of so many approved words."""
    from django.contrib.auth.models import User
    from django.db import connection

    owner, _ = User.objects.get_or_create(username="bench")
    account = fill(owner, nickname, photos)
    with connection.cursor() as cursor:
        cursor.execute(APPROVE, [account.pk])
        cursor.execute("VACUUM ANALYZE")
    return int(account.pk)


def alone(task: Callable[[int, str, str], tuple[int, float, int]], account: int, format: str, folder: str) -> Run:
    """The task in a new process."""
    here, there = SPAWN.Pipe()
    process = SPAWN.Process(target=_measured, args=(task, account, format, folder, there))
    process.start()
    there.close()
    found: Run = here.recv()
    process.join()
    return found


def _measured(task: Any, account: int, format: str, folder: str, told: Connection) -> None:
    set_up()
    rows, seconds, size = task(account, format, folder)
    # Not ru_maxrss, which an exec inherits.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    told.send(Run(rows, seconds, size, int(peak.split()[1]) * 1024))


def ours(account: int, format: str, folder: str) -> tuple[int, float, int]:
    from metadata import export
    from metadata.queue import ReviewFilter
    from smugmug.models import Account

    library = Account.objects.get(pk=account)
    run, _ = export.start(library, by=library.owner, format=format, filter=ReviewFilter(status="approved"))
    began = time.perf_counter()
    export.carry_on(run)
    seconds = time.perf_counter() - began
    assert run.state == "succeeded", run.waiting_for
    path = export.path(run)
    rows = _count(path, format)
    export.delete(run, by=library.owner)
    return rows, seconds, run.size_bytes or 0


def _count(path: Path, format: str) -> int:
    """How many rows are in the file; a zip's by a reader that is not ours, in another process."""
    if format == "xmp":
        with subprocess.Popen(["unzip", "-Z1", path], stdout=subprocess.PIPE) as unzip:
            assert unzip.stdout
            return sum(1 for _ in unzip.stdout)
    with path.open("rb") as file:
        return sum(line.count(b"\n") for line in file) - (format == "csv")


# --- The baseline ------------------------------------------------------------------------------------------------


def baseline(account: int, format: str, folder: str) -> tuple[int, float, int]:
    import psycopg
    from django.db import connection

    sql, values = _statement(account, format)
    path = Path(folder, f"baseline.{format}")
    database = connection.settings_dict
    where = {"dbname": database["NAME"], **{name: database[name.upper()] for name in ("user", "password", "host")}}
    with psycopg.connect(**where) as plain, plain.cursor("bench") as cursor:
        cursor.itersize = 2_000
        began = time.perf_counter()
        cursor.execute(sql, values)
        rows = WRITERS[format](cursor, path)
        seconds = time.perf_counter() - began
    connection.close()
    size = path.stat().st_size
    path.unlink()
    return rows, seconds, size


def _statement(account: int, format: str) -> tuple[Any, Any]:
    """What the export asks the database, as it asks it."""
    from metadata import queue
    from metadata.export_rows import ANSWER, COLUMNS
    from metadata.queue import ReviewFilter

    columns = COLUMNS + ANSWER if format == "jsonl" else COLUMNS
    found = queue.matching([account], ReviewFilter(status="approved"))
    found = found.order_by("photo__album__title", "photo__album", "sort_at", "pk").values_list(*columns)
    return found.query.sql_with_params()


def _write_csv(rows: Any, path: Path) -> int:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(rows)
    return int(rows.rownumber)


def _write_json_lines(rows: Any, path: Path) -> int:
    names = [column.name for column in rows.description]
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False, default=str) + "\n")
    return int(rows.rownumber)


def _write_zip(rows: Any, path: Path) -> int:
    from xml.sax.saxutils import escape

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for number, row in enumerate(rows):
            tags = "".join(f"<rdf:li>{escape(tag)}</rdf:li>" for tag in row[3])
            words = "".join(f"<dc:x>{escape(text)}</dc:x>" for text in row[:3])
            file.writestr(f"{number}.xmp", f"<x:xmpmeta><rdf:RDF>{words}{tags}</rdf:RDF></x:xmpmeta>")
    return int(rows.rownumber)


WRITERS: dict[str, Callable[[Any, Path], int]] = {
    "csv": _write_csv,
    "jsonl": _write_json_lines,
    "xmp": _write_zip,
}


if __name__ == "__main__":
    main()
