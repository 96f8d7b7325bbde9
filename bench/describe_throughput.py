"""How much of an AI server's time two workers use, and what a photo costs our processors.

    python bench/describe_throughput.py [--photos 500] [--workers 2] [--in-flight 8]

A server that takes 1.0 s ± 20 % an answer, and 0.2 s for a batch of vectors; photographs of 1,024 pixels from a
stand-in SmugMug; both in processes of their own. Baseline: calls in flight ÷ latency, which is what such a server could
give if it never waited for us. Prints photos a second ÷ that, embedding calls ÷ batches, and milliseconds of processor
time a photo by step.
"""

from __future__ import annotations

import argparse
import functools
import io
import math
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from PIL import Image
from testbed import ROOT, SPAWN, StandIn, account_of, services, set_up

from smugmug.sandbox import Sandbox, library
from smugmug.sandbox.messages import Call, Reply

LATENCY, SPREAD, EMBEDDING_LATENCY = 1.0, 0.2, 0.2  # seconds, share, seconds
BATCH = 20
ALBUM = 100  # photos
PHOTOS, PIXELS, JPEG = ROOT / "smugmug" / "sandbox" / "photos", 1024, "image/jpeg"
LEAST_USE, MOST_MILLISECONDS = 0.9, 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--in-flight", type=int, default=8, help="by each worker")
    options = parser.parse_args()
    albums = math.ceil(options.photos / ALBUM)
    with beside(serve_ai) as ai, beside(serve_smugmug, albums) as smugmug:
        stand_in, pictures = smugmug.first
        kilobytes = sum(map(len, pictures)) / len(pictures) / 1000
        print(f"{len(pictures)} different photographs, {kilobytes:.0f} kB on average")
        settings = {
            "SMUGMUG_API_URL": stand_in.url,
            "SMUGMUG_REQUESTS_PER_SECOND": "1000",
            "AI_DESCRIBER": "openai",
            "OPENAI_BASE_URL": ai.first,
            "AI_CONCURRENCY": str(options.in_flight),
            "AI_BATCH_SIZE": str(BATCH),
        }
        with services(**settings):
            run = prepare(stand_in, options.photos)
            shares = described_by(options.workers, str(run.pk))
            run.refresh_from_db()
        good = report(run, shares, ai.ask(), in_flight=options.workers * options.in_flight)
    sys.exit(not good)


def prepare(stand_in: StandIn, photos: int) -> Any:
    """A run over so many photos of the mirrored library."""
    from metadata import process
    from smugmug import oauth, sync

    account = account_of(stand_in)
    mirrored, _ = sync.start(account, by=None)
    sync.carry_on(mirrored, client=oauth.connect(account), seconds=600)
    wish = process.Wish(limit=photos)
    return process.start(account, by=None, wish=wish, describer=process.configured_describer())[0]


def report(run: Any, shares: list[Counter[str]], seen: dict[str, float], *, in_flight: int) -> bool:
    """Print what came of it; whether it is what is claimed."""
    seconds = (run.finished_at - run.started_at).total_seconds()
    use = run.described / seconds / (in_flight / LATENCY)
    batches = math.ceil(run.described / BATCH)
    steps: Counter[str] = Counter()
    for share in shares:
        steps.update(share)
    whole = 1000 * steps.pop("whole") / run.described
    milliseconds = {name: 1000 * spent / run.described for name, spent in steps.items()}
    milliseconds["the rest: threads, HTTP of the pool, logs"] = whole - sum(milliseconds.values())
    print(f"{run.described} photos described, {run.failed} failed, in {seconds:.1f} s; {seen['paid']:.0f} calls paid")
    print(f"most calls in flight: {seen['most_in_flight']:.0f}; an answer took {seen['mean_seconds']:.3f} s on average")
    print(f"photos a second ÷ (calls in flight ÷ latency): {use:.3f}")
    print(f"embedding calls ÷ batches: {seen['embeddings']:.0f} ÷ {batches} = {seen['embeddings'] / batches:.2f}")
    for name, spent in milliseconds.items():
        print(f"{spent:7.2f} ms  {name}")
    print(f"{whole:7.2f} ms  of processor time a photo, in all")
    is_whole = run.state == "succeeded" and seen["paid"] == run.described
    return is_whole and use >= LEAST_USE and seen["embeddings"] <= batches and whole <= MOST_MILLISECONDS


# --- Workers ----------------------------------------------------------------------------------------------------


def described_by(workers: int, run_id: str) -> list[Counter[str]]:
    """The run done by so many processes, begun together: processor seconds of each, by step."""
    ready, told = SPAWN.Barrier(workers), SPAWN.Queue()
    processes = [SPAWN.Process(target=work, args=(run_id, ready, told)) for _ in range(workers)]
    for process in processes:
        process.start()
    shares = [told.get(timeout=600) for _ in processes]
    for process in processes:
        process.join()
    return shares


def work(run_id: str, ready: Any, told: Any) -> None:
    """One worker's share, in a process of its own."""
    set_up()
    from metadata import process
    from metadata.models import ProcessingRun
    from smugmug import oauth

    steps = measured()
    run = ProcessingRun.objects.select_related("account").get(pk=run_id)
    describer, client = process.configured_describer(), oauth.connect(run.account)
    ready.wait(60)
    started, mine = time.process_time(), time.thread_time()
    process.carry_on(run, describer=describer, client=client, seconds=3600)
    steps["database and bookkeeping"] = time.thread_time() - mine
    steps["whole"] = time.process_time() - started
    told.put(steps)


def measured() -> Counter[str]:
    """Processor seconds that the threads spend in each step, from now on."""
    from PIL import Image

    from metadata import calls
    from metadata.describe import picture
    from metadata.describe.openai import OpenAIDescriber

    steps: Counter[str] = Counter()
    lock = threading.Lock()

    def clock(holder: Any, name: str, step: str, *, inside: str = "") -> None:
        function: Callable[..., Any] = getattr(holder, name)

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            started = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                spent = time.thread_time() - started
                with lock:
                    steps[step] += spent
                    steps[inside or step] -= spent if inside else 0

        setattr(holder, name, timed)

    clock(calls, "fetch", "fetch")
    clock(picture, "decode", "decode")
    clock(Image.Image, "thumbnail", "resize", inside="decode")
    clock(picture, "encode", "encode")
    clock(picture, "dhash", "perceptual hash")
    clock(OpenAIDescriber, "describe", "ask: base64, HTTP, JSON, cleaning")
    clock(OpenAIDescriber, "embed", "embed")
    return steps


# --- Servers ----------------------------------------------------------------------------------------------------


class Beside:
    """Something that runs in a process of its own: what it said `first`, and what it answers now."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.first = pipe.recv()

    def ask(self) -> Any:
        self._pipe.send("?")
        return self._pipe.recv()


@contextmanager
def beside(serve: Callable[..., None], *arguments: Any) -> Iterator[Beside]:
    here, there = SPAWN.Pipe()
    process = SPAWN.Process(target=serve, args=(there, *arguments), daemon=True)
    process.start()
    there.close()
    try:
        yield Beside(here)
    finally:
        here.close()
        process.join(20)


def asked(pipe: Connection) -> bool:
    """Whether there is one more question; False when the other end is gone."""
    try:
        return bool(pipe.recv())
    except EOFError:
        return False


def serve_ai(pipe: Connection) -> None:
    from tests.fakes.ai_server import AIServer

    with AIServer(latency=LATENCY, spread=SPREAD, embedding_latency=EMBEDDING_LATENCY) as server:
        pipe.send(server.url)
        while asked(pipe):
            took = [call.ended - call.started for call in server.calls if call.kind == "describe" and call.ended]
            pipe.send(
                {
                    "paid": server.paid,
                    "embeddings": server.embeddings,
                    "most_in_flight": server.most_in_flight,
                    "mean_seconds": sum(took) / len(took),
                }
            )


class LargePictures(Sandbox):
    """A SmugMug whose pictures are all of the size that is asked for, which half of the sample photographs are not."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pictures = [made for path in sorted(PHOTOS.glob("*.jpg")) if (made := large(path))]

    def _answer_picture(self, call: Call) -> Reply:
        return Reply(200, self.pictures[zlib.crc32(call.path.encode()) % len(self.pictures)], {"Content-Type": JPEG})


def large(path: Path) -> bytes | None:
    """The photograph with PIXELS on its long side, as SmugMug compresses it; None where it is smaller."""
    with Image.open(path) as photo:
        if max(photo.size) < PIXELS:
            return None
        photo.thumbnail((PIXELS, PIXELS), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        photo.save(out, "JPEG", quality=90)
        return out.getvalue()


def serve_smugmug(pipe: Connection, albums: int) -> None:
    with LargePictures(library=library(albums, ALBUM)) as smugmug:
        pipe.send((StandIn(smugmug.url, smugmug.nickname, *smugmug.grant()), smugmug.pictures))
        asked(pipe)


if __name__ == "__main__":
    main()
