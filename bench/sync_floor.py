"""How near a sync comes to the fastest that 4 requests a second allow, and that it never exceeds them.

    python bench/sync_floor.py [--albums 1000] [--photos 60] [--shared 300]

Against a stand-in as slow as SmugMug (0.2 s + 30 ms an item), in a process of its own. Prints wall ÷ (requests ÷ 4 s)
of a full sync (bound 1.05), the most requests in any one second at the server (bound 4), alone and with two processes
that sync two accounts, and the requests of a full sync and of an incremental one that finds nothing changed.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence

from testbed import SPAWN, Log, StandIn, account_of, services, stand_ins, sync

RATE = 4.0  # requests a second, SMUGMUG_REQUESTS_PER_SECOND's default
A_PAGE = 100  # albums, and images


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--albums", type=int, default=1_000)
    parser.add_argument("--photos", type=int, default=60, help="in each album")
    parser.add_argument("--shared", type=int, default=300, help="albums of each of the two accounts")
    options = parser.parse_args()
    with services(SMUGMUG_REQUESTS_PER_SECOND=str(RATE)):
        alone(options.albums, options.photos)
        together(options.albums, options.shared, options.photos)


def alone(albums: int, photos: int) -> None:
    """One account in full, then again what changed: nothing."""
    with stand_ins([range(albums)], photos) as ([smugmug], log):
        account = account_of(smugmug)
        before = log()
        wall = timed_sync((smugmug, start(account, "full")))
        full = log()
        timed_sync((smugmug, start(account, "incremental")))
        again = log()
    requests = len(full.requests)
    lists = math.ceil(albums / A_PAGE)
    bound = lists + albums * max(1, math.ceil(photos / A_PAGE)) + 1
    print(f"{albums:,} albums of {photos}: {requests:,} requests (at most {bound:,}) in {wall:.1f} s")
    print(f"  wall ÷ (requests ÷ {RATE:g} s): {wall / (requests / RATE):.3f} (bound 1.05)")
    print(f"  most requests in any one second: {busiest_second(full)} (bound {RATE:g})")
    milliseconds = 1000 * (full.processor_seconds - before.processor_seconds) / requests
    print(f"  the stand-in's own processor time: {milliseconds:.0f} ms a request")
    print(f"incremental with nothing changed: {len(again.requests) - requests} requests (at most {lists + 1})")


def together(first: int, albums: int, photos: int) -> None:
    """Two accounts, each synced by a process of its own; they share nothing but the Redis."""
    numbers = [range(first, first + albums), range(first + albums, first + 2 * albums)]
    with stand_ins(numbers, photos) as (smugmugs, log):
        wall = timed_sync(*((smugmug, start(account_of(smugmug), "full")) for smugmug in smugmugs))
        both = log()
    print(f"two processes, {albums:,} albums each: {len(both.requests):,} requests in {wall:.1f} s")
    print(f"  wall ÷ (requests ÷ {RATE:g} s): {wall / (len(both.requests) / RATE):.3f}")
    print(f"  most requests in any one second: {busiest_second(both)} (bound {RATE:g})")


def start(account: object, kind: str) -> str:
    from smugmug import sync as syncs

    run, is_new = syncs.start(account, by=None, kind=kind)  # type: ignore[arg-type]
    assert is_new
    return str(run.pk)


def timed_sync(*work: tuple[StandIn, str]) -> float:
    """Seconds from the first start to the last end, by the runs' own clocks: Python's start is not part of a sync."""
    from smugmug.models import SyncRun

    processes = [SPAWN.Process(target=sync, args=each) for each in work]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    runs = list(SyncRun.objects.filter(pk__in=[run for _, run in work]))
    assert all(run.state == "succeeded" for run in runs), [(run.state, run.waiting_for, run.errors[:3]) for run in runs]
    return (max(run.finished_at for run in runs) - min(run.started_at for run in runs)).total_seconds()


def busiest_second(log: Log) -> int:
    """The most requests that came in within less than a second, wherever it begins."""
    times: Sequence[float] = [moment for moment, _ in log.requests]
    most, first = 0, 0
    for last, moment in enumerate(times):
        while moment - times[first] >= 1:
            first += 1
        most = max(most, last - first + 1)
    return most


if __name__ == "__main__":
    started = time.monotonic()
    main()
    print(f"({time.monotonic() - started:.0f} s)")
