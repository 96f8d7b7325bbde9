"""How many calls SmugMug allows in an hour."""

import threading

WINDOW = 3600  # seconds


class RateLimit:
    """Counts calls in a fixed window, as SmugMug does."""

    def __init__(self, calls: int) -> None:
        self._calls = calls
        self._lock = threading.Lock()
        self._ends = 0.0
        self._left = calls

    def take(self, now: float) -> tuple[bool, dict[str, str]]:
        """Whether one more call is allowed, and the headers that say how many are left until when.

        `now` is in seconds since 1970, and so is the header.
        """
        with self._lock:
            if now >= self._ends:
                self._ends, self._left = now + WINDOW, self._calls
            is_allowed = self._left > 0
            self._left = max(0, self._left - 1)
            headers = {"X-RateLimit-Remaining": str(self._left), "X-RateLimit-Reset": str(int(self._ends))}
            if not is_allowed:
                headers["Retry-After"] = str(int(self._ends - now) + 1)
        return is_allowed, headers
