import os
import subprocess
import sys
import threading
from types import SimpleNamespace

import django_rq
import pytest

from smugmug import pacing

KEY = "smugmug:next-slot"
# Takes so many slots of ten seconds each, without waiting for any of them.
TAKER = """
import sys, redis
from types import SimpleNamespace
from smugmug import pacing
pacing.time = SimpleNamespace(sleep=lambda seconds: None)
wait = pacing.pacer(redis.Redis.from_url(sys.argv[1]), 0.1)
for _ in range(int(sys.argv[2])):
    wait()
"""


@pytest.fixture
def redis():
    return django_rq.get_connection("smugmug")


@pytest.fixture
def slept(monkeypatch):
    """How long callers would have slept, in seconds."""
    pauses = []
    monkeypatch.setattr(pacing, "time", SimpleNamespace(sleep=pauses.append))
    return pauses


def now(redis):
    """Redis's clock, in microseconds."""
    seconds, microseconds = redis.time()
    return seconds * 1_000_000 + microseconds


def next_slot(redis):
    return int(redis.get(KEY))


def test_take_slots_hands_them_out_evenly(redis, slept):
    wait = pacing.pacer(redis, 4)
    slots = []
    for _ in range(6):
        wait()
        slots.append(next_slot(redis))

    assert [later - earlier for earlier, later in zip(slots, slots[1:], strict=False)] == [252_500] * 5
    assert slept[0] == 0
    assert all(earlier < later for earlier, later in zip(slept, slept[1:], strict=False))
    assert 0.2525 * 4 < slept[-1] <= 0.2525 * 5  # 5 slots ahead, less the time that the test took


def test_take_slots_never_gives_more_than_the_rate_in_any_second(redis, slept):
    wait = pacing.pacer(redis, 4)
    slots = []
    for _ in range(12):
        wait()
        slots.append(next_slot(redis) - 252_500)

    assert all(fifth - first > 1_000_000 for first, fifth in zip(slots, slots[4:], strict=False))


def test_take_slots_from_two_pacers_share_one_budget(redis, slept):
    pacers = [pacing.pacer(redis, 4), pacing.pacer(redis, 4)]
    slots = []
    for turn in range(6):
        pacers[turn % 2]()
        slots.append(next_slot(redis))

    assert [later - earlier for earlier, later in zip(slots, slots[1:], strict=False)] == [252_500] * 5


def test_take_slots_under_another_key_has_its_own_budget(redis, slept):
    pacing.pacer(redis, 0.1)()
    pacing.pacer(redis, 0.1, key="other")()

    assert slept == [0, 0]


def test_take_slots_from_many_threads_gives_each_its_own(redis, slept):
    wait = pacing.pacer(redis, 0.1)
    wait()
    first = next_slot(redis)
    threads = [threading.Thread(target=wait) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert next_slot(redis) - first == 10 * 10_100_000
    assert len(set(slept)) == 11


def test_take_slots_from_two_processes_share_one_budget(redis, slept):
    pacing.pacer(redis, 0.1)()
    first = next_slot(redis)
    command = [sys.executable, "-c", TAKER, os.environ["REDIS_URL"], "5"]
    takers = [subprocess.Popen(command) for _ in range(2)]

    assert [taker.wait(timeout=60) for taker in takers] == [0, 0]
    assert next_slot(redis) - first == 10 * 10_100_000


def test_take_a_slot_after_a_pause_saves_no_budget_up(redis, slept):
    redis.set(KEY, now(redis) - 60_000_000)
    wait = pacing.pacer(redis, 4)

    before = now(redis)
    wait()
    wait()

    assert slept[0] == 0
    assert slept[1] > 0
    assert next_slot(redis) >= before + 2 * 252_500


def test_take_a_slot_leaves_a_key_that_goes_away(redis, slept):
    pacing.pacer(redis, 4)()

    assert 0 < redis.pttl(KEY) <= 600_000


def test_wait_sleeps_until_the_slot(redis):
    wait = pacing.pacer(redis, 20)
    wait()
    slot = next_slot(redis)
    wait()

    assert now(redis) >= slot
