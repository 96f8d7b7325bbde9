import os
import subprocess
import sys
import threading
import time

import django_rq
import pytest

from smugmug.pacing import LONGEST_HOLD, Pacer

# Takes slots for two seconds and prints when each was granted, by Redis's clock.
TAKER = """
import sys, time, redis
from smugmug.pacing import Pacer
server = redis.Redis.from_url(sys.argv[1])
pacer, ends = Pacer(server, float(sys.argv[2])), time.monotonic() + 2
while time.monotonic() < ends:
    pacer.wait()
    print(int(server.get("smugmug:last-slot")) / 1e6)
"""


@pytest.fixture
def redis():
    return django_rq.get_connection("smugmug")


def last_slot(redis):
    """When the last slot was granted, by Redis's clock: ours would add how long this machine takes to wake up."""
    return int(redis.get("smugmug:last-slot")) / 1e6


def grants(redis, pacer, count):
    """When so many slots came, one after the other."""
    found = []
    for _ in range(count):
        assert pacer.wait()
        found.append(last_slot(redis))
    return found


def most_in_a_second(moments):
    moments = sorted(set(moments))  # a grant may have been read twice
    return max(sum(first <= moment < first + 1 for moment in moments) for first in moments)


# --- Slots


def test_wait_for_the_first_slot_takes_no_time(redis):
    started = time.monotonic()

    assert Pacer(redis, 0.1).wait()

    assert time.monotonic() - started < 1


def test_wait_gives_slots_at_even_distances(redis):
    moments = grants(redis, Pacer(redis, 20), 6)

    distances = [later - earlier for earlier, later in zip(moments, moments[1:], strict=False)]
    assert all(distance >= 0.05049 for distance in distances)
    assert sum(distances) < 5 * 0.0505 + 0.5


def test_wait_of_who_is_late_pushes_the_next_slot_on(redis):
    """Were slots handed out ahead, a late caller and the next one would send at the same time."""
    pacer = Pacer(redis, 5)
    pacer.wait()
    time.sleep(0.5)  # two slots go by unused
    first, second, third = grants(redis, pacer, 3)

    assert second - first >= 0.2
    assert third - second >= 0.2


def test_wait_in_many_threads_never_gives_more_than_the_rate_in_a_second(redis):
    pacer, moments = Pacer(redis, 8), []

    def work():
        for _ in range(5):
            pacer.wait()
            moments.append(last_slot(redis))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(moments) == 20
    assert most_in_a_second(moments) <= 8
    assert max(moments) - min(moments) < 19 / 8 * 1.3  # and the budget is used


def test_wait_in_two_processes_never_gives_more_than_the_rate_in_a_second(redis):
    command = [sys.executable, "-c", TAKER, os.environ["REDIS_URL"], "8"]
    takers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    found = [[float(line) for line in taker.communicate(timeout=60)[0].split()] for taker in takers]

    assert [taker.returncode for taker in takers] == [0, 0]
    assert all(found)  # neither starved
    assert len(found[0] + found[1]) >= 12
    assert most_in_a_second(found[0] + found[1]) <= 8


def test_wait_under_another_key_has_its_own_budget(redis):
    started = time.monotonic()

    Pacer(redis, 0.1).wait()
    Pacer(redis, 0.1, key="other").wait()

    assert time.monotonic() - started < 1


def test_wait_leaves_no_key_in_redis_for_ever(redis):
    pacer = Pacer(redis, 4)
    pacer.wait()
    pacer.hold(5)
    pacer.slow_down(1, 5)

    assert len(redis.keys("smugmug:*")) == 3
    assert all(0 < redis.pttl(key) <= 7_200_000 for key in redis.keys("smugmug:*"))


# --- Patience


def test_wait_with_patience_is_refused_at_once_and_takes_nothing(redis):
    pacer = Pacer(redis, 0.1)
    pacer.wait()
    slot = redis.get("smugmug:last-slot")
    started = time.monotonic()

    assert pacer.wait(patience=2) is False

    assert time.monotonic() - started < 1
    assert redis.get("smugmug:last-slot") == slot


def test_wait_with_patience_enough_gets_its_slot(redis):
    pacer = Pacer(redis, 5)
    pacer.wait()
    started = time.monotonic()

    assert pacer.wait(patience=2) is True
    assert 0.15 < time.monotonic() - started < 1


def test_wait_with_patience_counts_those_who_queue_before(redis):
    pacer = Pacer(redis, 1)
    pacer.wait()
    threads = [threading.Thread(target=pacer.wait) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)

    assert pacer.seconds_away() > 2
    assert pacer.wait(patience=2) is False
    assert all(thread.is_alive() for thread in threads)
    for thread in threads:
        thread.join()


def test_wait_with_patience_ends_when_a_hold_comes_meanwhile(redis):
    pacer, answers = Pacer(redis, 2), []
    pacer.wait()
    thread = threading.Thread(target=lambda: answers.append(pacer.wait(patience=3)))
    thread.start()
    Pacer(redis, 2).hold(30)
    thread.join(timeout=3)

    assert answers == [False]


# --- Hold


def test_hold_keeps_slots_from_every_pacer_until_it_ends(redis):
    pacer, other = Pacer(redis, 100), Pacer(redis, 100)
    pacer.hold(0.5)
    started = time.monotonic()

    assert other.wait(patience=0.2) is False
    assert other.wait() is True
    assert time.monotonic() - started >= 0.49


def test_hold_never_shortens_a_longer_one(redis):
    pacer = Pacer(redis, 100)
    pacer.hold(60)
    pacer.hold(1)

    assert 58 < pacer.seconds_away() <= 60
    pacer.hold(90)
    assert 88 < pacer.seconds_away() <= 90


@pytest.mark.parametrize("seconds", [0, -5])
def test_hold_of_no_time_holds_nothing(redis, seconds):
    pacer = Pacer(redis, 100)

    pacer.hold(seconds)

    assert pacer.seconds_away() == 0


def test_hold_of_years_is_cut_to_an_hour(redis):
    pacer = Pacer(redis, 100)

    pacer.hold(10**9)

    assert LONGEST_HOLD - 5 < pacer.seconds_away() <= LONGEST_HOLD


def test_held_until_says_when_a_hold_ends_and_nothing_of_mere_slots(redis):
    pacer, other = Pacer(redis, 0.1), Pacer(redis, 0.1)
    pacer.wait()
    assert other.held_until() is None

    pacer.hold(5)
    assert other.held_until() is None  # a slot takes longer

    pacer.hold(60)
    assert time.time() + 58 < other.held_until() <= time.time() + 60.1


def test_hold_without_a_rate_is_all_that_is_waited_for(redis):
    pacer = Pacer(redis, None, key="ai")
    started = time.monotonic()
    assert all(pacer.wait() for _ in range(50))
    assert time.monotonic() - started < 1
    assert redis.keys("*slot*") == []

    pacer.hold(0.5)

    assert pacer.wait(patience=0.1) is False
    assert pacer.wait() is True
    assert time.monotonic() - started >= 0.5
    assert pacer.held_until() is None


# --- Slow down


def test_slow_down_puts_slots_of_every_pacer_further_apart(redis):
    pacer, other = Pacer(redis, 100), Pacer(redis, 100)
    pacer.slow_down(0.3, 30)

    first, second, third = grants(redis, other, 3)

    assert second - first >= 0.3
    assert third - second >= 0.3


def test_slow_down_moves_the_very_next_slot(redis):
    pacer = Pacer(redis, 100)
    pacer.wait()
    pacer.slow_down(20, 30)

    assert 19 < pacer.seconds_away() <= 20
    pacer.slow_down(5, 30)
    assert 4 < pacer.seconds_away() <= 5


def test_slow_down_ends_by_itself(redis):
    pacer = Pacer(redis, 100)
    pacer.slow_down(1, 0.2)
    time.sleep(0.3)

    first, second = grants(redis, pacer, 2)

    assert second - first < 0.5


def test_slow_down_below_our_own_distance_speeds_nothing_up(redis):
    pacer = Pacer(redis, 5)
    pacer.slow_down(0.01, 30)

    first, second = grants(redis, pacer, 2)

    assert second - first >= 0.2


def test_slow_down_until_a_time_that_is_past_slows_nothing(redis):
    pacer = Pacer(redis, 100)

    pacer.slow_down(10, -3)

    assert redis.exists("smugmug:distance") == 0
