"""How long the server takes for a search, how much of the exact answer it finds, and whether that grows.

    python bench/search.py [--photos 100000] [--sample 200] [--keep FOLDER] [--prepare]

Two libraries, one a tenth of the other, each in a database of its own, with texts and vectors of 1,536 numbers as
`many_words` makes them. A search is what the page does: the question taken apart, both legs, fusion, and the first 40
photos with why they match; the vector of the question is in the cache and the data are in the memory of the system,
so that neither a model nor a disk is measured. Prints the 95th percentile for words in 0.1, 1, 10 and 50 % of the texts
(bound 60 ms), and that ÷ the same in the small library (bound 2); the recall among the nearest 50 against comparing
with all, for everything and under a filter that keeps 1 % (bound 0.98); how long making the index of vectors takes, and
its size.

With --keep what was prepared stays in the folder for the next time; --prepare does nothing but that.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

import many_words
from testbed import SPAWN, services

BOUND, GROWTH, RECALL = 0.060, 2.0, 0.98  # seconds, times, of the exact answer
PAGE, NEAREST = 40, 50
READY = "index.txt"
ALSO = {
    "narrowed": "a filter that keeps 1 %",
    "pages": "the whole page, by Django's test client",
}
ONE_IN_A_HUNDRED = 'tag:"one of {}"'
ENVIRONMENT = {
    "DEBUG": "false",
    "ALLOWED_HOSTS": "testserver",
    "AI_DESCRIBER": "openai",
    "OPENAI_API_KEY": "nobody is asked",
    "OPENAI_EMBEDDING_MODEL": many_words.MODEL,
}


class Figures(NamedTuple):
    """Of one library: seconds of each search by share of its words, and of pages; recalls; what the index took."""

    searches: dict[float, list[float]]
    pages: list[float]
    narrowed: list[float]
    recall: float
    narrow_recall: float
    index: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--sample", type=int, default=200, help="searches for each share")
    parser.add_argument("--keep", type=Path, help="where what was prepared stays")
    parser.add_argument("--prepare", action="store_true", help="prepare, and measure nothing")
    asked = parser.parse_args()
    folder = asked.keep or Path(mkdtemp(prefix="bench"))
    sizes = (asked.photos // 10, asked.photos)
    try:
        for photos in sizes:
            _apart(_prepare, folder / str(photos), photos)
        if not asked.prepare:
            _print(*(_apart(_measure, folder / str(photos), asked.sample) for photos in sizes))
    finally:
        if not asked.keep:
            shutil.rmtree(folder)


def _print(small: Figures, large: Figures) -> None:
    print(f"index of vectors: {large.index}")
    for share, seconds in large.searches.items():
        ratio = p95(seconds) / p95(small.searches[share])
        print(
            f"words in {share:.1%} of the texts: median {statistics.median(seconds) * 1_000:.1f} ms, "
            f"p95 {p95(seconds) * 1_000:.1f} ms (bound {BOUND * 1_000:.0f}); "
            f"÷ with a tenth of the photos {ratio:.2f} (bound {GROWTH:.0f})"
        )
    for name, what in ALSO.items():
        seconds = getattr(large, name)
        ratio = p95(seconds) / p95(getattr(small, name))
        print(f"{what}: p95 {p95(seconds) * 1_000:.1f} ms; ÷ with a tenth of the photos {ratio:.2f}")
    narrow = f"under a filter that keeps 1 % {large.narrow_recall:.4f}"
    print(f"recall@{NEAREST}: {large.recall:.4f}, {narrow} (bound {RECALL})")


def p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20, method="inclusive")[-1]


def _apart(task: Any, *given: Any) -> Any:
    """Done in a process of its own, which has its own database."""
    here, there = SPAWN.Pipe()
    process = SPAWN.Process(target=_answer, args=(task, given, there))
    process.start()
    there.close()
    found = here.recv()
    process.join()
    return found


def _answer(task: Any, given: Any, pipe: Any) -> None:
    pipe.send(task(*given))


# --- Preparing ---------------------------------------------------------------------------------------------------


def _prepare(folder: Path, photos: int) -> None:
    if (folder / READY).exists():
        return
    folder.mkdir(parents=True)
    with services(kept=folder, **ENVIRONMENT):
        from django.contrib.auth.models import User
        from django.db import connection

        user = User.objects.create_user("bench")
        with connection.cursor() as cursor:
            cursor.execute("DROP INDEX photo_embedding_hnsw")
            account = many_words.fill(user, "bench", photos)
            many_words.embed(account)
            took = _make_index()
            cursor.execute("VACUUM ANALYZE")
            cursor.execute("SELECT pg_relation_size('photo_embedding_hnsw') / 1000000")
            [size] = cursor.fetchone()
        (folder / READY).write_text(f"made in {took:.0f} s, {size:.0f} MB")


def _make_index() -> float:
    """As the migration makes it; in memory, and with both processors."""
    from django.db import connection

    from metadata.models import PhotoEmbedding

    with connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '2GB'")
        cursor.execute("SET max_parallel_maintenance_workers = 1")
    began = time.perf_counter()
    with connection.schema_editor() as editor:
        editor.add_index(PhotoEmbedding, PhotoEmbedding._meta.indexes[0])
    return time.perf_counter() - began


# --- Measuring ---------------------------------------------------------------------------------------------------


def _measure(folder: Path, sample: int) -> Figures:
    with services(kept=folder, **ENVIRONMENT) as data:
        from django.conf import settings
        from django.contrib.auth.models import User

        settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
        settings.STATIC_ROOT = data
        user = User.objects.get(username="bench")
        _read_all(folder)
        questions = list(_questions(sample))
        _remember(questions)
        searches: dict[float, list[float]] = {share: [] for share in many_words.SHARES}
        for share, text in [*questions[:40], *questions]:  # the first time everything gets warm
            searches[share].append(_timed(user, text))
        narrow = [f"{text} {ONE_IN_A_HUNDRED.format(n % 100)}" for n, (_, text) in enumerate(questions)]
        return Figures(
            {share: seconds[-sample:] for share, seconds in searches.items()},
            _pages(user, [text for _, text in questions[: sample // 2]]),
            [_timed(user, text) for text in narrow[:sample]],
            _recall(user, [""] * NEAREST),
            _recall(user, [ONE_IN_A_HUNDRED.format(n) for n in range(NEAREST)]),
            (folder / READY).read_text(),
        )


def _read_all(folder: Path) -> None:
    """Into the memory of the system, where the data of a library in use lie: no disk is measured."""
    for path in (folder / "postgres").rglob("*"):
        if path.is_file():
            path.read_bytes()


def _questions(sample: int) -> Iterator[tuple[float, str]]:
    """Each is asked once: a word of a share in turns, alone or with another one."""
    named = {share: words.split() for share, words in many_words.SHARES.items()}
    for n in range(sample):
        for share, words in named.items():
            word, other = words[n % len(words)], words[(n + 1 + n // len(words)) % len(words)]
            yield share, word if n % 2 else f"{word} -{other}x{n}"


def _remember(questions: list[tuple[float, str]]) -> None:
    """A vector for each question, as if a server had been asked before."""
    from django.core.cache import cache

    from metadata.search import Asked, meaning

    texts = sorted({Asked.read(text).meant for _, text in questions})
    found = (vector for batch in many_words.vectors(len(texts), seed=5) for vector in batch)
    for text, vector in zip(texts, found, strict=True):
        cache.set(meaning.key_of(text, many_words.MODEL), meaning.written(vector.tolist()), 3_600)


def _timed(user: Any, text: str) -> float:
    from metadata import search
    from metadata.search import Asked, hits

    began = time.perf_counter()
    found = search.find(user, Asked.read(text))
    hits.matches(user, found, found.hits(0, PAGE))
    assert found, text
    assert not found.sentence, (text, found.sentence)
    return time.perf_counter() - began


def _pages(user: Any, texts: list[str]) -> list[float]:
    from django.test import Client

    client, seconds = Client(), []
    client.force_login(user)
    client.get("/search/")
    for text in texts:
        began = time.perf_counter()
        assert client.get("/search/", {"q": text}).status_code == 200
        seconds.append(time.perf_counter() - began)
    return seconds


def _recall(user: Any, filters: list[str]) -> float:
    """How much of the exact NEAREST the leg of the vectors finds, for a vector of its own with each filter."""
    from django.db import connection

    from metadata.search import Asked, legs, meaning
    from smugmug.models import Account

    accounts = list(Account.objects.visible_to(user).values_list("pk", flat=True))
    vectors = (vector for batch in many_words.vectors(len(filters), seed=6) for vector in batch)
    shares = []
    for text, vector in zip(filters, vectors, strict=True):
        asked = Asked.read(text)
        words, found = legs.words_of(asked), legs.conditions(accounts, asked, [])
        held, written = found.and_words(words.must), meaning.written(vector.tolist())
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT e.photo_id FROM photo_embedding e JOIN photo_search s USING (photo_id) WHERE {held} "
                f"ORDER BY embedding <=> %s::vector LIMIT {NEAREST}",
                [*held.params, written],
            )
            exact = {str(pk) for [pk] in cursor.fetchall()}
        near = legs.by_vector(found, words, written, many_words.MODEL, NEAREST)
        shares.append(len(exact & {pk for pk, _ in near}) / len(exact))
    return statistics.mean(shares)


if __name__ == "__main__":
    main()
