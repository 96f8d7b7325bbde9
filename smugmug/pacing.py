"""The request budget that all processes share: even slots, handed out by Redis.

A moving window of 4 a second lets 7 requests through in one second (4 at its end, 3 at the next one's start); slots
1/rate apart never more than 4. The hundredth on top keeps the rate below the limit when clocks differ.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

MARGIN = 1.01

# KEYS[1] holds the time of the next free slot; ARGV[1] is the distance of two slots. Microseconds, by Redis's clock.
TAKE_SLOT = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local slot = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
redis.call('SET', KEYS[1], string.format('%.0f', slot + tonumber(ARGV[1])), 'PX', 600000)
return string.format('%.0f', slot - now)
"""


def pacer(redis: Any, rate: float, key: str = "smugmug:next-slot") -> Callable[[], None]:
    """A function that returns when its caller's slot has come; `rate` in requests a second over all processes."""
    take = redis.register_script(TAKE_SLOT)
    distance = MARGIN / rate * 1_000_000

    def wait() -> None:
        time.sleep(int(take(keys=[key], args=[distance])) / 1_000_000)

    return wait
