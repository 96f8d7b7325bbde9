"""SIGKILL of workers while they describe: in the end every photo is described once, and next to nothing is paid twice.

    python bench/describe_kills.py [--kills 30] [--photos 400] [--seed N] [--patience 1]

Two workers as the Procfile starts them, eight calls in flight each, leases of four seconds, heartbeats of one; for each
an AI server of its own, of 0.7 s ± 20 %, so that it is known whose calls were in flight. A kill takes a worker with its
child, or the child alone. Baseline: as many calls as photos; what may come on top are the calls whose answers were not
written yet at the kills, for which the victim is stopped first.
With --patience leases and heartbeats are so many times as long: where other programs share the cores, a worker that is
kept from its heartbeats must not be taken for one that was killed.
Status 1 if a photo was described twice or not at all, has no vector, or more was paid than that.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import Any

from sync_kills import worker
from testbed import StandIn, account_of, services

from smugmug.sandbox import Sandbox, library
from tests.fakes.ai_server import AIServer, Call

WORKERS, IN_FLIGHT = 2, 8
LATENCY, SPREAD = 0.7, 0.2  # seconds, share
LONGEST_LIFE = 1.6  # seconds of work between two kills, at most
CLAIM, HEARTBEAT = 4, 1  # seconds
ARRIVAL = 0.3  # seconds in which a call that was sent has come to the server
STUCK = 60  # seconds until something is taken for stuck


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--photos", type=int, default=400)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--patience", type=int, default=1)
    options = parser.parse_args()
    print(f"seed {options.seed}")
    with ExitStack() as stack:
        smugmug = stack.enter_context(Sandbox(library=library(1, options.photos)))
        servers = [stack.enter_context(AIServer(latency=LATENCY, spread=SPREAD)) for _ in range(WORKERS)]
        settings = {
            "SMUGMUG_API_URL": smugmug.url,
            "SMUGMUG_REQUESTS_PER_SECOND": "1000",
            "AI_DESCRIBER": "openai",
            "OPENAI_BASE_URL": servers[0].url,
            "AI_CONCURRENCY": str(IN_FLIGHT),
            "CLAIM_SECONDS": str(CLAIM * options.patience),
            "HEARTBEAT_SECONDS": str(HEARTBEAT * options.patience),
        }
        folder = stack.enter_context(services(**settings))
        trial = Trial(smugmug, servers, folder, random.Random(options.seed))
        good = trial.run(options.kills)
    print("Every photo is described once." if good else "NOT every photo is described once, at its price.")
    sys.exit(not good)


class Trial:
    def __init__(self, smugmug: Sandbox, servers: list[AIServer], folder: Path, chance: random.Random) -> None:
        from metadata import process
        from smugmug import oauth, sync

        self.servers, self.folder, self.chance = servers, folder, chance
        self.lost: list[int] = []  # calls at each kill whose answers were never written
        self.lost_of = Counter[int]()  # the same by worker
        account = account_of(StandIn(smugmug.url, smugmug.nickname, *smugmug.grant()))
        mirrored, _ = sync.start(account, by=None)
        sync.carry_on(mirrored, client=oauth.connect(account), seconds=600)
        self.one, _ = process.start(account, by=None, describer=process.configured_describer())

    def run(self, kills: int) -> bool:
        """Kill that often, let what is left be done, and look at every row."""
        from metadata import jobs

        jobs.enqueue_for_all_workers(self.one)
        with ExitStack() as stack:
            workers = [stack.enter_context(self.worker(number)) for number in range(WORKERS)]
            while len(self.lost) < kills and self.is_at_work():
                time.sleep(self.chance.uniform(0.1, LONGEST_LIFE))
                victim = self.chance.choice([number for number in range(WORKERS) if self.in_flight(number)] or [0])
                if self.kill(workers[victim], victim):
                    workers[victim] = stack.enter_context(self.worker(victim))
            self.wait(lambda: not self.is_active(), 10 * STUCK)
        for server in self.servers:
            server.rests()
        return self.report(kills)

    def worker(self, number: int) -> AbstractContextManager[subprocess.Popen[bytes]]:
        """The worker of that number, with its AI server."""
        os.environ.update(OPENAI_BASE_URL=self.servers[number].url, OPENAI_MODEL=model(number))
        return worker(self.folder)

    def is_at_work(self) -> bool:
        """Wait until calls are in flight; False where the run is over before."""
        self.wait(lambda: not self.is_active() or any(map(self.in_flight, range(WORKERS))))
        return bool(self.one.is_active)

    def is_active(self) -> bool:
        """Whether the run goes on; what cron does is done on the way."""
        from metadata import jobs

        jobs.resume_stalled_processing()
        self.one.refresh_from_db()
        return bool(self.one.is_active)

    def in_flight(self, number: int) -> int:
        """Calls of a worker that are being answered."""
        return sum(call.ended is None for call in self.calls(number))

    def calls(self, number: int) -> list[Call]:
        return [call for call in tuple(self.servers[number].calls) if call.kind == "describe"]

    def kill(self, process: subprocess.Popen[bytes], number: int) -> bool:
        """The worker with its child, as when a machine goes (True); or the child alone, which does the work."""
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        horses = [int(pid) for pid in children.read_text().split()] if children.exists() else []
        is_whole = not horses or self.chance.random() < 0.5
        victims = [*horses, *[process.pid] * is_whole]  # the child is in a group of its own, and outlives its parent
        send(signal.SIGSTOP, victims)
        time.sleep(ARRIVAL)
        if horses:
            self.count_lost(number)
        send(signal.SIGKILL, victims)
        return is_whole

    def count_lost(self, number: int) -> None:
        """The calls of a stopped worker that come to nothing: for which it has written no words."""
        from metadata.models import MetadataHistory

        written = MetadataHistory.objects.filter(changed_by=f"ai:{model(number)}").count()
        self.lost.append(len(self.calls(number)) - written - self.lost_of[number])
        self.lost_of[number] += self.lost[-1]

    def report(self, kills: int) -> bool:
        """Print what came of it; whether it is what is claimed."""
        from metadata.models import AIMetadata, MetadataHistory, PhotoEmbedding

        rows = Counter(AIMetadata.objects.values_list("processing_status", "version"))
        photos, run = self.one.total, self.one
        paid, most = sum(server.paid for server in self.servers), photos + sum(self.lost)
        print(f"{len(self.lost)} kills in {run.seconds:.0f} s; {sum(self.lost)} calls not written at them")
        print(f"{photos} photos, {run.described} counted; rows by (state, version): {dict(rows)}")
        print(f"answers in history: {MetadataHistory.objects.count()}, vectors: {PhotoEmbedding.objects.count()}")
        print(f"calls paid: {paid}, at most {most}; paid ÷ photos: {paid / photos:.3f}")
        print(f"embedding calls paid: {sum(server.embeddings for server in self.servers)}")
        return (
            run.state == "succeeded"
            and rows == {("completed", 1): photos}
            and photos == run.described == MetadataHistory.objects.count() == PhotoEmbedding.objects.count()
            and paid <= most
            and len(self.lost) >= kills
        )

    def wait(self, condition: Callable[[], Any], seconds: float = STUCK) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                log = (self.folder / "worker.log").read_text(errors="replace")
                raise SystemExit(f"nothing moves any more; the workers' log ends with:\n{log[-3000:]}")
            time.sleep(0.1)


def model(number: int) -> str:
    """As which the AI server of that number answers, so that its answers are known in the history."""
    return f"some-model-{number}"


def send(number: signal.Signals, pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


if __name__ == "__main__":
    main()
