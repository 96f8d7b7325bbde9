"""The stand-in SmugMug: an HTTP server on loopback, to be run in a test or from the command line."""

import logging
import socket
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from . import api, pages, pictures
from .collection import Library
from .demo import demo_library
from .messages import Call, Reply, html_reply, problem, redirect, text_reply
from .oauth import ACCESS, PERMISSIONS, Authority, Level, Refused

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
API_KEY = "sandbox-key"
API_SECRET = "sandbox-secret"  # good for nothing but this server
OAUTH_PATH = "/services/oauth/1.0a"
CALLS_PER_HOUR = 100_000  # about what SmugMug leaves a signed caller
WINDOW = 3600  # seconds
KEPT_REQUESTS = 200_000  # the newest ones, for who wants to count them
IDLE = 60  # seconds until a silent connection is closed
YEAR = 31_536_000  # seconds
BODY_LIMIT = 1 << 20  # bytes


class Request(NamedTuple):
    """One request that came in: when (seconds since 1970), and for what; `path` includes the query."""

    time: float
    method: str
    path: str


class RateLimit:
    """Counts calls in a fixed window, as SmugMug does."""

    def __init__(self, calls: int) -> None:
        self._calls = calls
        self._lock = threading.Lock()
        self._ends = 0.0
        self._left = calls

    def take(self) -> tuple[bool, dict[str, str]]:
        """Whether one more call is allowed, and the headers that say how many are left until when."""
        now = time.time()
        with self._lock:
            if now >= self._ends:
                self._ends, self._left = now + WINDOW, self._calls
            is_allowed = self._left > 0
            self._left = max(0, self._left - 1)
            headers = {"X-RateLimit-Remaining": str(self._left), "X-RateLimit-Reset": str(int(self._ends))}
            if not is_allowed:
                headers["Retry-After"] = str(int(self._ends - now) + 1)
        return is_allowed, headers


class Sandbox:
    """A SmugMug of one's own. `with Sandbox() as smugmug:` serves on a free port until the block ends.

    `state` names a file in which tokens outlive the server. Raises OSError if the port is taken, and
    ValueError or KeyError if the state cannot be read.
    """

    api_key = API_KEY
    api_secret = API_SECRET

    def __init__(
        self,
        *,
        port: int = 0,
        library: Library | None = None,
        state: Path | None = None,
        calls_per_hour: int = CALLS_PER_HOUR,
    ) -> None:
        self.library = demo_library() if library is None else library
        self.authority = Authority(key=self.api_key, secret=self.api_secret, state=state)
        self._limit = RateLimit(calls_per_hour)
        self._log: deque[Request] = deque(maxlen=KEPT_REQUESTS)
        self._server = _Server((HOST, port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://{HOST}:{self._server.server_port}"

    @property
    def nickname(self) -> str:
        return self.library.nickname

    @property
    def oauth_url(self) -> str:
        return f"{self.url}{OAUTH_PATH}"

    @property
    def requests(self) -> list[Request]:
        """The calls to the API so far, refused ones included."""
        return [request for request in list(self._log) if request.path.startswith(api.ROOT)]

    @property
    def downloads(self) -> list[Request]:
        """The pictures fetched so far."""
        return [request for request in list(self._log) if request.path.startswith("/photos/")]

    def grant(self, access: str = "Full", permissions: str = "Read") -> tuple[str, str]:
        """An access token and its secret, without the handshake."""
        return self.authority.grant(Level(access, permissions))

    def revoke(self) -> None:
        """Make every token worthless, as the owner can in SmugMug's settings."""
        self.authority.revoke()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and close every connection, kept-alive ones too."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def answer(self, call: Call) -> Reply:
        """The answer to one request."""
        self._log.append(Request(time.time(), call.method, call.target))
        if call.path.startswith(api.ROOT):
            return self._answer_api(call)
        if call.path.startswith(OAUTH_PATH):
            return self._answer_oauth(call)
        if call.path.startswith("/photos/") and call.method in ("GET", "HEAD"):
            return self._answer_picture(call)
        return html_reply(404, pages.not_found())

    def _answer_api(self, call: Call) -> Reply:
        is_allowed, headers = self._limit.take()
        if not is_allowed:
            return problem(429, "Too Many Requests", headers=headers)
        try:
            level = self.authority.level_of(call)
        except Refused as exc:
            return problem(401, str(exc), headers=headers)
        reply = api.answer(call, library=self.library, base=self.url, level=level)
        return Reply(reply.status, reply.body, {**reply.headers, **headers})

    def _answer_oauth(self, call: Call) -> Reply:
        step = call.path.removeprefix(OAUTH_PATH)
        if call.method not in ("GET", "POST"):
            return text_reply(405, "Method Not Allowed")
        if step == "/authorize":
            return self._authorize(call)
        steps = {
            "/getRequestToken": self.authority.request_token,
            "/getAccessToken": self.authority.access_token,
        }
        if step not in steps:
            return html_reply(404, pages.not_found())
        try:
            token, secret = steps[step](call)
        except Refused as exc:
            return text_reply(401, str(exc))
        confirmed = {"oauth_callback_confirmed": "true"} if step == "/getRequestToken" else {}
        return text_reply(200, urlencode({"oauth_token": token, "oauth_token_secret": secret, **confirmed}))

    def _authorize(self, call: Call) -> Reply:
        """The page a person sees, and what happens when they press one of its buttons."""
        token = call.values.get("oauth_token", "")
        asked = Level(call.values.get("Access", "Public"), call.values.get("Permissions", "Read"))
        if asked.access not in ACCESS or asked.permissions not in PERMISSIONS:
            return html_reply(400, pages.wrong_level())
        request = self.authority.open_request(token)
        if request is None:
            return html_reply(404, pages.no_request())
        if call.method == "GET":
            granted = self.authority.granted()
            page = pages.consent(
                request, application=self.api_key, asked=asked, granted=granted, nickname=self.nickname
            )
            return html_reply(200, page)
        return self._decide(token, asked if call.values.get("answer") == "authorize" else None)

    def _decide(self, token: str, level: Level | None) -> Reply:
        request = self.authority.decide(token, level)
        if request is None:
            return html_reply(404, pages.no_request())
        if request.callback == "oob":
            return html_reply(200, pages.code(request.verifier) if level else pages.denied())
        # What SmugMug sends back after a refusal is not known; this is what OAuth's problem extension says.
        outcome = {"oauth_verifier": request.verifier} if level else {"oauth_problem": "permission_denied"}
        return redirect(_with_query(request.callback, {"oauth_token": token, **outcome}))

    def _answer_picture(self, call: Call) -> Reply:
        """/photos/i-KEY/SERIAL/HASH/CODE/NAME: like SmugMug's image hosts, it asks for no key and no hash."""
        parts = call.path.split("/")
        found = self.library.home(parts[2].removeprefix("i-")) if len(parts) == 7 else None
        if found is None or parts[3] != str(found[1].serial):
            return html_reply(404, pages.not_found())
        photo, code = found[1], parts[5]
        if code in ("O", "D"):
            headers = {"Cache-Control": "private", "ETag": f'"{pictures.fingerprint(photo)[1]}"'}
            return Reply(200, pictures.original(photo), {"Content-Type": "image/jpeg", **headers})
        size = next((size for size in pictures.SIZES if size.code == code), None)
        content = pictures.rendition(photo, size) if size else None
        if content is None:
            return html_reply(404, pages.not_found())
        return Reply(200, content, {"Content-Type": "image/jpeg", "Cache-Control": f"public, max-age={YEAR}"})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        for connection in list(self._open):
            self.shutdown_request(connection)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE
    wbufsize = 1 << 16  # headers and body leave together
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        length = int(headers.get("content-length") or 0)
        if length > BODY_LIMIT:
            self.close_connection = True
            self._send(problem(413, "Request Entity Too Large", headers={"Connection": "close"}))
            return
        self._send(self.server.sandbox.answer(Call(self.command, self.path, headers, self.rfile.read(length))))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def log_message(self, format: str, *args: object) -> None:
        """One line a request, without the query: it may hold a signature."""
        logger.debug("%s %s", self.command, self.path.partition("?")[0])


def _with_query(url: str, values: dict[str, str]) -> str:
    """The address with `values` added to the query it may have."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode([*parse_qsl(parts.query), *values.items()])))
