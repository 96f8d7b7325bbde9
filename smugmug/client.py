"""SmugMug's API v2 over HTTP: our words in, frozen dataclasses out. No Django, no database.

Every attempt is signed anew and paced; only what is safe to repeat is repeated, counted and capped.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import requests

from smugmug import records
from smugmug.records import Json, RemoteAlbum, RemoteImage, RemoteUser, Rendition

TIMEOUT = (10, 90)  # connect, read; seconds. A page of 100 images takes SmugMug about 4
ATTEMPTS = 5
LONGEST_WAIT = 120  # seconds that a Retry-After is believed
REDIRECTS = 3
ALBUMS_A_PAGE = 100  # SmugMug's cap
IMAGES_A_PAGE = 100  # of a cap of 500: larger pages take so long that SmugMug itself breaks them off
IMAGE_BYTES = 100 * 2**20  # no rendition is larger


class SmugMugError(Exception):
    """str(exc) is for the log; `advice` is the sentence shown to a person."""

    advice = "SmugMug did not accept this. Please tell the maintainers."


class SmugMugUnavailable(SmugMugError):
    """Timeout, connection, 429, 5xx: may work later; `retry_after` in seconds where SmugMug said when."""

    advice = "SmugMug did not answer. Try again in a few minutes."

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SmugMugRefused(SmugMugError):
    """Our key or the account's token is not accepted."""

    advice = "SmugMug refuses our access. Connect the account again, and check SMUGMUG_API_KEY and SMUGMUG_API_SECRET."


class SmugMugForbidden(SmugMugError):
    """We may come in, but not see this."""

    advice = "SmugMug does not let us see this. Check its privacy there, then sync again."


class SmugMugGone(SmugMugError):
    """There is no such thing, or not for us."""

    advice = "SmugMug does not know this any more."


class SmugMugNonsense(SmugMugError):
    """An answer that cannot be understood."""

    advice = "SmugMug answered with something unreadable. Try again in a few minutes."


@dataclass
class SmugMugClient:
    """One account's access. Safe to share between threads: each has a session of its own.

    `wait` is called before every request and returns when the request may be sent; `attempts` is how often one is
    sent at most, where repeating it is safe.
    """

    new_session: Callable[[], requests.Session]
    api_url: str
    wait: Callable[[], None] = lambda: None
    attempts: int = ATTEMPTS
    requests_made: int = 0
    waiting_until: float | None = None  # epoch seconds, while SmugMug has us wait
    _own: threading.local = field(default_factory=threading.local, repr=False)
    _counting: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def authenticated_user(self) -> RemoteUser:
        """Whom the token belongs to; SmugMugRefused where it belongs to nobody."""
        answer = self._get("/api/v2!authuser", {})
        raw = _payload(answer)
        if not isinstance(raw, dict) or not raw.get("NickName"):
            raise SmugMugRefused("no user in the answer to !authuser")
        return records.user(raw)

    def albums(self, nickname: str) -> Iterator[list[RemoteAlbum]]:
        """All albums of the account, a page at a time."""
        for answer in self._pages(f"/api/v2/user/{nickname}!albums", {}, ALBUMS_A_PAGE):
            yield [records.album(raw) for raw in _payload(answer) or []]

    def album(self, key: str) -> RemoteAlbum:
        raw = _payload(self._get(f"/api/v2/album/{key}", {}))
        if not isinstance(raw, dict):
            raise SmugMugNonsense(f"album {key} has no body")
        return records.album(raw)

    def images(self, album_key: str) -> Iterator[list[RemoteImage]]:
        """The images of an album in its order, a page at a time, each with sizes and camera data.

        SmugMugNonsense where SmugMug listed fewer than it says there are: such a list proves nothing.
        """
        seen: set[str] = set()
        total = 0
        extra = {"_expand": "ImageSizeDetails,ImageMetadata"}
        for answer in self._pages(f"/api/v2/album/{album_key}!images", extra, IMAGES_A_PAGE):
            expansions = answer.get("Expansions") or {}
            page = {image.key: image for image in (records.image(raw, expansions) for raw in _payload(answer) or [])}
            total = _pages_block(answer).get("Total", 0)
            yield [image for key, image in page.items() if key not in seen]
            seen.update(page)
        if len(seen) < total:
            raise SmugMugNonsense(f"album {album_key}: {len(seen)} of {total} images were listed")

    def has_image(self, image_id: str) -> bool:
        """Whether the image is still there; False only on a clear no."""
        try:
            self._get(f"/api/v2/image/{image_id}", {"_filter": "ImageKey"})
        except SmugMugGone:
            return False
        return True

    def renditions(self, image_id: str) -> tuple[Rendition, ...]:
        """The sizes in which the image can be fetched now, smallest first."""
        return records.renditions(_payload(self._get(f"/api/v2/image/{image_id}!sizedetails", {})) or {})

    def image_bytes(self, url: str) -> bytes:
        """The bytes behind an image address; it is signed only where the host is the API's own or SmugMug's.

        SmugMugGone on 401, 403 and 404: addresses move, and the caller reads them again.
        """
        host = urlsplit(url).hostname or ""
        ours = host == urlsplit(self.api_url).hostname or host.endswith(".smugmug.com")
        options: Any = {} if ours else {"auth": lambda request: request}
        try:
            response = self._session().get(
                url, timeout=TIMEOUT, allow_redirects=False, headers={"Accept": "image/*"}, **options
            )
        except requests.RequestException as exc:
            raise SmugMugUnavailable(f"image not fetched: {type(exc).__name__}") from exc
        if response.status_code in {401, 403, 404, 410}:
            raise SmugMugGone(f"image address answered {response.status_code}")
        if response.status_code != requests.codes.ok:
            raise SmugMugUnavailable(f"image address answered {response.status_code}")
        if len(response.content) > IMAGE_BYTES:
            raise SmugMugNonsense("the image is larger than any rendition can be")
        return response.content

    def _pages(self, path: str, extra: dict[str, str], count: int) -> Iterator[Json]:
        """The answers of a paged list. NextPage drops _expand and _verbosity, so each request is built here."""
        start = 1
        while True:
            answer = self._get(path, {**extra, "start": str(start), "count": str(count)})
            yield answer
            pages = _pages_block(answer)
            got = pages.get("Count") or 0
            if not got or "NextPage" not in pages:
                return
            start += got

    def _get(self, path: str, params: dict[str, str]) -> Json:
        query = urlencode({**params, "_verbosity": "1"})
        url = f"{self.api_url}{path}?{query}"
        for attempt in range(1, self.attempts + 1):
            try:
                return self._read(url)
            except SmugMugUnavailable as exc:
                pause = exc.retry_after
                if pause is None:
                    pause = 0.5 * 2**attempt * random.uniform(0.5, 1)  # noqa: S311 - jitter
                if attempt == self.attempts or pause > LONGEST_WAIT:
                    raise
                self.waiting_until = time.time() + pause
                time.sleep(pause)
                self.waiting_until = None
        raise AssertionError("unreachable")

    def _read(self, url: str) -> Json:
        """One paced request, signed anew at every redirect (an image's serial may have moved)."""
        for _ in range(REDIRECTS):
            response = self._send(url)
            if response.status_code not in {301, 302, 307, 308}:
                return _body(response)
            target = urljoin(url, response.headers.get("Location", ""))
            if urlsplit(target).netloc != urlsplit(self.api_url).netloc:
                raise SmugMugNonsense("SmugMug redirects to another host")
            url = target
        raise SmugMugNonsense("SmugMug redirects without end")

    def _send(self, url: str) -> requests.Response:
        self.wait()
        with self._counting:
            self.requests_made += 1
        try:
            return self._session().get(
                url, timeout=TIMEOUT, allow_redirects=False, headers={"Accept": "application/json"}
            )
        except requests.RequestException as exc:
            raise SmugMugUnavailable(f"no answer: {type(exc).__name__}") from exc

    def _session(self) -> requests.Session:
        if not hasattr(self._own, "session"):
            self._own.session = self.new_session()
        session: requests.Session = self._own.session
        return session


def _body(response: requests.Response) -> Json:
    """The JSON of a good answer, or the exception for any other. Content types and bodies are not believed."""
    status = response.status_code
    if status == requests.codes.too_many_requests or status >= requests.codes.server_error:
        raise SmugMugUnavailable(f"SmugMug answered {status}", _retry_after(response))
    try:
        body = response.json()
    except requests.JSONDecodeError:
        body = None
    message = str(body.get("Message", "")) if isinstance(body, dict) else ""
    if status == requests.codes.unauthorized:
        if "nonce_used" in message:  # SmugMug repeats slow requests inside; a fresh signature passes
            raise SmugMugUnavailable("nonce_used", retry_after=0)
        raise SmugMugRefused(f"SmugMug answered 401 {message[:120]}")
    if status in {requests.codes.not_found, requests.codes.gone}:
        raise SmugMugGone(f"SmugMug answered {status}")
    if status == requests.codes.forbidden:
        raise SmugMugForbidden("SmugMug answered 403")
    if status != requests.codes.ok or not isinstance(body, dict) or not isinstance(body.get("Response"), dict):
        raise SmugMugNonsense(f"SmugMug answered {status} with something that is not its JSON")
    return body


def _retry_after(response: requests.Response) -> float | None:
    """Seconds; SmugMug sends a whole number."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None


def _payload(answer: Json) -> Any:
    """The object or list of an answer; None where the key is missing, as it is for an empty list."""
    return answer["Response"].get(answer["Response"].get("Locator"))


def _pages_block(answer: Json) -> Json:
    pages: Json = answer["Response"].get("Pages") or {}
    return pages
