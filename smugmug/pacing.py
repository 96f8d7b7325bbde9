"""The request budget that all processes share: even slots, handed out by Redis at the moment of sending.

A moving window of 4 a second lets 7 requests through in one second (4 at its end, 3 at the next one's start); grants
1/rate apart never more than 4. Nothing is reserved ahead: who is late gets a later slot, and pushes the next one on.
What is on top keeps the rate below the limit where requests are not equally long on their way: measured on a busy
machine with two cores, five in a row came up to 10 ms nearer to each other than their slots are.
"""

from __future__ import annotations

import threading
import time
from typing import Any

MARGIN = 1.015
MICROSECONDS = 1_000_000
LONGEST_HOLD = 3600  # seconds; a window of SmugMug's budget is not known to be longer
FORGOTTEN = 2 * LONGEST_HOLD * 1000  # milliseconds after which a slot long past leaves Redis

# KEYS: last slot, hold, distance while slowed down; ARGV[1]: our own distance of two slots, 0 for no slots at all.
# Microseconds since 1970, by Redis's clock. Returns how long there is no slot, 0 being a grant, and the distance.
GRANT = f"""
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local hold = tonumber(redis.call('GET', KEYS[2]) or '0')
local distance = math.max(tonumber(ARGV[1]), tonumber(redis.call('GET', KEYS[3]) or '0'))
local slot = 0
if distance > 0 then slot = tonumber(redis.call('GET', KEYS[1]) or '0') + distance end
local away = math.max(hold, slot) - now
if ARGV[2] == 'take' and away <= 0 and distance > 0 then
  redis.call('SET', KEYS[1], string.format('%.0f', now), 'PX', {FORGOTTEN})
end
return {{string.format('%.0f', math.max(away, 0)), string.format('%.0f', distance)}}
"""
# KEYS[1]: hold; ARGV[1]: how long from now. A longer hold that is in force stays.
HOLD = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local ends = now + tonumber(ARGV[1])
if ends > tonumber(redis.call('GET', KEYS[1]) or '0') then
  redis.call('SET', KEYS[1], string.format('%.0f', ends), 'PX', math.ceil(tonumber(ARGV[1]) / 1000))
end
"""


class Pacer:
    """`rate` requests a second over all processes that share the Redis and the key; None: as many as there are.

    Safe to share between threads: of a process only one at a time asks Redis, the others queue up behind it.
    """

    def __init__(self, redis: Any, rate: float | None, *, key: str = "smugmug") -> None:
        self._redis = redis
        self._distance = MARGIN / rate * MICROSECONDS if rate else 0
        self._last, self._hold, self._slow = (f"{key}:{name}" for name in ("last-slot", "hold", "distance"))
        self._grant = redis.register_script(GRANT)
        self._set_hold = redis.register_script(HOLD)
        self._turn = threading.Lock()
        self._queue: set[int] = set()  # threads that wait

    def wait(self, patience: float | None = None) -> bool:
        """True when the caller's slot has come: send now.

        False at once, and nothing is taken, where it would be farther than `patience` seconds.
        """
        deadline = None if patience is None else time.monotonic() + patience
        if patience is not None and self.seconds_away() > patience:
            return False
        self._queue.add(threading.get_ident())
        try:
            if not self._turn.acquire(timeout=-1 if patience is None else patience):
                return False
            try:
                return self._wait_for_grant(deadline)
            finally:
                self._turn.release()
        finally:
            self._queue.discard(threading.get_ident())

    def seconds_away(self) -> float:
        """How far a slot is for who asks now, as far as that is known: other processes' queues are not."""
        away, distance = self._ask("look")
        return (away + len(self._queue) * distance) / MICROSECONDS

    def hold(self, seconds: float) -> None:
        """Nobody gets a slot before that, at most an hour; a longer hold in force stays."""
        if seconds > 0:
            self._set_hold(keys=[self._hold], args=[min(seconds, LONGEST_HOLD) * MICROSECONDS])

    def slow_down(self, distance_seconds: float, seconds: float) -> None:
        """For so long, slots at least that far apart, the next one from the last one too."""
        if seconds > 0:
            milliseconds = int(min(seconds, LONGEST_HOLD) * 1000) or 1
            distance = min(distance_seconds, LONGEST_HOLD) * MICROSECONDS
            self._redis.set(self._slow, f"{distance:.0f}", px=milliseconds)

    def held_until(self) -> float | None:
        """When a hold ends that is in force and longer than a slot, in seconds since 1970 by our clock."""
        left = self._redis.pttl(self._hold) / 1000  # -2 ms where there is none
        return time.time() + left if left > self._distance / MICROSECONDS else None

    def _wait_for_grant(self, deadline: float | None) -> bool:
        while away := self._ask("take")[0]:
            if deadline is not None and time.monotonic() + away / MICROSECONDS > deadline:
                return False
            time.sleep(away / MICROSECONDS)
        return True

    def _ask(self, how: str) -> tuple[int, int]:
        away, distance = self._grant(keys=[self._last, self._hold, self._slow], args=[self._distance, how])
        return int(away), int(distance)
