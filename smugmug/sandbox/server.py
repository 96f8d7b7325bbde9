"""The stand-in SmugMug: an HTTP server on loopback, to be run in a test or from the command line."""

import logging
import socket
import sys
import threading
import time
from collections import deque
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from . import api, pages
from .consent import OAUTH_PATH, SERVICES_PATH, answer_oauth, answer_services
from .demo import demo_library
from .downloads import PHOTOS_PATH, answer_picture
from .faults import Dropped, Faults
from .holdings import Library
from .limits import RateLimit
from .messages import Call, Reply, html_reply, problem
from .oauth import Authority, Level, Refused

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
API_KEY = "sandbox-key"
API_SECRET = "sandbox-secret"  # good for nothing but this server
CALLS_PER_HOUR = 100_000  # about what SmugMug leaves a signed caller
KEPT_REQUESTS = 200_000  # the newest ones, for who wants to count them
IDLE = 60  # seconds until a silent connection is closed
BODY_LIMIT = 1 << 20  # bytes


class Request(NamedTuple):
    """One request that came in: when (seconds since 1970), and for what; `path` includes the query."""

    time: float
    method: str
    path: str


class Sandbox:
    """A SmugMug of one's own. `with Sandbox() as smugmug:` serves on a free port until the block ends.

    `library` may be changed, and `faults` switched on, while it runs. `state` names a file in which tokens
    outlive the server. Raises OSError if the port is taken, and ValueError or KeyError if the state cannot be read.
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
        faults: Faults | None = None,
    ) -> None:
        self.library = demo_library() if library is None else library
        self.faults = faults or Faults()
        self.authority = Authority(key=self.api_key, secret=self.api_secret, state=state, clock=self.now)
        self.private_bytes_need_signature = False  # may be set at any time; whether they do at SmugMug is not known
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
        return [request for request in list(self._log) if request.path.startswith(PHOTOS_PATH)]

    def now(self) -> float:
        """What its clock says, in seconds since 1970."""
        return time.time() + self.faults.clock_ahead

    def grant(self, access: str = "Full", permissions: str = "Read") -> tuple[str, str]:
        """An access token and its secret, without the handshake."""
        return self.authority.grant(Level(access, permissions))

    @property
    def services_url(self) -> str:
        """Where a person changes or revokes what they granted."""
        return f"{self.url}{SERVICES_PATH}"

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
        """The answer to one request. Raises Dropped where there is to be none."""
        self._log.append(Request(time.time(), call.method, call.target))
        if call.path.startswith(api.ROOT):
            return self.faults.before(call) or self.faults.after(call, self._answer_api(call))
        if call.path.startswith(PHOTOS_PATH) and call.method in ("GET", "HEAD"):
            return self.faults.before(call, is_picture=True) or self._answer_picture(call)
        if call.path.startswith(OAUTH_PATH):
            return answer_oauth(call, self.authority, nickname=self.nickname)
        if call.path == SERVICES_PATH:
            return answer_services(call, self.authority)
        return html_reply(404, pages.not_found())

    def _answer_api(self, call: Call) -> Reply:
        is_allowed, headers = self._limit.take(self.now())
        if not is_allowed:
            return problem(429, "Too Many Requests", headers=headers)
        try:
            level = self.authority.level_of(call)
        except Refused as exc:
            return problem(401, str(exc), headers=headers)
        reply = api.answer(call, library=self.library, base=self.url, level=level)
        return replace(reply, headers={**reply.headers, **headers})

    def _answer_picture(self, call: Call) -> Reply:
        if not self.private_bytes_need_signature:
            return answer_picture(call, self.library, is_owner=None)
        try:
            level = self.authority.level_of(call)
        except Refused:
            level = None
        return answer_picture(call, self.library, is_owner=bool(level and level.access == "Full"))


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

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that is gone is no error of ours."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

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
        call = Call(self.command, self.path, headers, self.rfile.read(length))
        try:
            self._send(self.server.sandbox.answer(call))
        except Dropped:
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header, by the stand-in's clock."""
        return super().date_time_string(self.server.sandbox.now() if timestamp is None else timestamp)

    def log_message(self, format: str, *args: object) -> None:
        """One line a request, without the query: it may hold a signature."""
        logger.debug("%s %s", self.command, self.path.partition("?")[0])
