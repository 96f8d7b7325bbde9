"""Requests to SmugMug's API on their way: paced, signed anew at every attempt, repeated only where that is safe.

A read is repeated after whatever may pass. A change is repeated only where SmugMug says that it did nothing: after
429 and after a used nonce. Whether one that ended in an error was made, only SmugMug knows.
"""

from __future__ import annotations

import datetime
import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import requests

from smugmug.errors import (
    ClockOff,
    SmugMugGone,
    SmugMugLocked,
    SmugMugNonsense,
    SmugMugNotGranted,
    SmugMugRefused,
    SmugMugUnavailable,
)
from smugmug.pacing import Pacer
from smugmug.records import Json

TIMEOUT = (10, 90)  # connect, read; seconds. A page of 100 images takes SmugMug about 4
ATTEMPTS = 6
PATIENCE = 300  # seconds that a slot may be away: for 16 in flight where 200 requests are to last an hour
HOLDS = 10  # how often SmugMug may have one request wait
NONCES = 3  # how often it may take one for used: it repeats slow requests inside, under the same nonce
LONGEST_BACK_OFF = 60  # seconds
REDIRECTS = 3
LITTLE_LEFT = 200  # requests of the window; from there on what is left is spread over the rest of it
CLOCK_SKEW = 300  # seconds a signature's time may be off, as elsewhere
FRESH = 30  # seconds that a signature may wait for its slot
NOT_GRANTED = (
    "SmugMug lets us look at this library, not change it. Raise the permission to Modify there, under Account "
    "Settings, Privacy, Authorized Services."
)
BUSY = "The budget of requests to SmugMug is used up for the moment. Try again in a minute."


class _NoSlot(SmugMugUnavailable):
    """Nothing was sent."""


class _AskedToWait(SmugMugUnavailable):
    """429: nothing was done."""


class _NonceUsed(SmugMugUnavailable):
    """A fresh signature passes: nothing was done, or what SmugMug itself repeated."""


@dataclass
class Wire:
    """One account's access. Safe to share between threads: each has a session of its own.

    A slot that is farther than `patience` seconds is not waited for; `attempts` is how often a read is sent at most.
    """

    new_session: Callable[[], requests.Session]
    api_url: str
    pacer: Pacer
    attempts: int = ATTEMPTS
    patience: float = PATIENCE
    requests_made: int = 0
    _own: threading.local = field(default_factory=threading.local, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _sessions: list[requests.Session] = field(default_factory=list, repr=False)
    _backing_off: dict[int, float] = field(default_factory=dict, repr=False)  # thread → seconds since 1970

    @property
    def waiting_until(self) -> float | None:
        """Seconds since 1970, while SmugMug or our own back-off has us wait."""
        return max((self.pacer.held_until() or 0, *self._backing_off.copy().values())) or None

    def get(self, path: str, params: Mapping[str, str]) -> Json:
        """The answer to a read; tried again while that may help."""
        return self._until_done("GET", path, params, attempts=self.attempts)

    def change(self, method: str, path: str, body: Mapping[str, Any]) -> Json:
        """The answer to a change, which is sent once; SmugMugUnavailable says that it may or may not be made."""
        return self._until_done(method, path, {}, body, attempts=1)

    def session(self) -> requests.Session:
        """This thread's."""
        if not hasattr(self._own, "session"):
            self._own.session = self.new_session()
            with self._lock:
                self._sessions.append(self._own.session)
        session: requests.Session = self._own.session
        return session

    def close(self) -> None:
        """Give the connections back; a later request opens new ones."""
        with self._lock:
            sessions, self._sessions = self._sessions, []
        for session in sessions:
            session.close()

    def _until_done(
        self, method: str, path: str, params: Mapping[str, str], body: Mapping[str, Any] | None = None, *, attempts: int
    ) -> Json:
        url = f"{self.api_url}{path}?{urlencode({**params, '_verbosity': '1'})}"
        allowed = {SmugMugUnavailable: attempts - 1, _AskedToWait: HOLDS, _NonceUsed: NONCES, _NoSlot: 0}
        failures: Counter[type[SmugMugUnavailable]] = Counter()
        while True:
            try:
                return self._exchange(method, url, body)
            except SmugMugUnavailable as exc:
                failures[type(exc)] += 1
                if failures[type(exc)] > allowed[type(exc)]:
                    raise
                self._wait_after(exc, failures[type(exc)])

    def _wait_after(self, exc: SmugMugUnavailable, failures: int) -> None:
        """Until the next attempt has a chance; raises `exc` where that would be too long."""
        pause = exc.retry_after or _back_off(failures)
        if isinstance(exc, _AskedToWait):
            self.pacer.hold(pause)  # for everybody, and for this request too: it needs a slot
        elif not isinstance(exc, _NonceUsed):
            if pause > self.patience:
                raise exc
            self._sleep(pause)

    def _sleep(self, seconds: float) -> None:
        thread = threading.get_ident()
        self._backing_off[thread] = time.time() + seconds
        try:
            time.sleep(seconds)
        finally:
            del self._backing_off[thread]

    def _exchange(self, method: str, url: str, body: Mapping[str, Any] | None) -> Json:
        """One request, paced and signed anew at every redirect (an image's serial may have moved)."""
        for _ in range(REDIRECTS):
            response = self._send(method, url, body)
            if response.status_code not in {301, 302, 307, 308}:
                return _answer(response)
            target = urljoin(url, response.headers.get("Location", ""))
            if urlsplit(target)[:2] != urlsplit(self.api_url)[:2]:
                raise SmugMugNonsense("SmugMug redirects to another host")
            url = target
        raise SmugMugNonsense("SmugMug redirects without end")

    def _send(self, method: str, url: str, body: Mapping[str, Any] | None) -> requests.Response:
        # What is done between the grant of a slot and the sending brings the next request nearer, so it is done before.
        request, signed_at = self._signed(method, url, body), time.time()
        if not self.pacer.wait(self.patience):
            away = self.pacer.seconds_away()
            raise _NoSlot(f"no slot in the budget for {away:.0f} s", retry_after=away, advice=BUSY)
        with self._lock:
            self.requests_made += 1
        if time.time() - signed_at > FRESH:
            request = self._signed(method, url, body)
        try:
            response = self.session().send(request, timeout=TIMEOUT, allow_redirects=False)
        except requests.RequestException as exc:
            raise SmugMugUnavailable(f"no answer: {type(exc).__name__}") from exc
        self._spread(response)
        return response

    def _signed(self, method: str, url: str, body: Mapping[str, Any] | None) -> requests.PreparedRequest:
        headers = {"Accept": "application/json"}  # else the answer is a web page
        return self.session().prepare_request(requests.Request(method, url, json=body, headers=headers))

    def _spread(self, response: requests.Response) -> None:
        """Go slower where little is left of the window; both times are SmugMug's."""
        left, reset = (_whole(response, f"X-RateLimit-{name}") for name in ("Remaining", "Reset"))
        if left is None or reset is None or left >= LITTLE_LEFT:
            return
        seconds = reset - (_their_time(response) or time.time())
        self.pacer.slow_down(seconds / max(1, left), seconds)


def _back_off(failures: int) -> float:
    """Seconds: about half a second, and twice as long with every failure."""
    return min(LONGEST_BACK_OFF, math.ldexp(0.5, failures)) * random.uniform(0.5, 1)  # noqa: S311 - jitter


def _answer(response: requests.Response) -> Json:
    """The JSON of a good answer, or the exception for any other: the status first, for bodies may be anything."""
    status = response.status_code
    try:
        body = response.json()
    except requests.JSONDecodeError:
        body = None
    message = str(body.get("Message", ""))[:120] if isinstance(body, dict) else ""
    if status not in {200, 201, 202}:
        raise _error(response, message)
    if not isinstance(body, dict) or not isinstance(body.get("Response"), dict):
        raise SmugMugNonsense(f"SmugMug answered {status} with something that is not its JSON")
    return body


def _error(response: requests.Response, message: str) -> Exception:
    status = response.status_code
    if status == requests.codes.too_many_requests:
        return _AskedToWait("SmugMug answered 429", _whole(response, "Retry-After"), advice=BUSY)
    if status >= requests.codes.server_error:
        return SmugMugUnavailable(f"SmugMug answered {status}", _whole(response, "Retry-After"))
    if status == requests.codes.unauthorized:
        return _refusal(response, message)
    if status in {requests.codes.not_found, requests.codes.gone}:
        return SmugMugGone(f"SmugMug answered {status}")
    if status == requests.codes.forbidden:
        if "granted" in message:
            return SmugMugNotGranted(f"SmugMug answered 403 {message}", advice=NOT_GRANTED)
        return SmugMugLocked(f"SmugMug answered 403 {message}".rstrip())
    return SmugMugNonsense(f"SmugMug answered {status} {message}".rstrip())


def _refusal(response: requests.Response, message: str) -> Exception:
    if "nonce_used" in message:
        return _NonceUsed("SmugMug answered 401 nonce_used")
    return clock_off(response, message) or SmugMugRefused(f"SmugMug answered 401 {message}".rstrip())


def clock_off(response: requests.Response, message: str) -> ClockOff | None:
    """Where a signature is refused because of our clock: how far that is off, by the answer's Date."""
    theirs = _their_time(response)
    if theirs is None or not ("signature_invalid" in message or "timestamp_refused" in message):
        return None
    ahead = time.time() - theirs
    if abs(ahead) <= CLOCK_SKEW:
        return None
    which = "ahead of" if ahead > 0 else "behind"
    advice = f"This machine's clock is {abs(ahead) / 60:,.0f} minutes {which} SmugMug's. Set it, then try again."
    return ClockOff(f"SmugMug answered 401 {message}; our clock is off by {ahead:.0f} s", advice=advice)


def _their_time(response: requests.Response) -> float | None:
    """What SmugMug's clock said, in seconds since 1970."""
    try:
        moment: datetime.datetime = parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        return None
    return moment.timestamp()


def _whole(response: requests.Response, name: str) -> int | None:
    """A header that is a whole number; None for anything else."""
    value = response.headers.get(name, "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 12 else None  # noqa: PLR2004 - no time
