"""A stand-in for an AI server, over real HTTP: OpenAI's chat completions and embeddings as others speak them too.

Nothing here knows Django or pytest: the tests and bench/ use it alike. It has no model; what it says follows from the
picture alone, so that whoever asks twice can be told from whoever asks once.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

PICTURE = "data:image/jpeg;base64,"


@dataclass(frozen=True, slots=True)
class Style:
    """How a kind of server behaves. What it `refuses` is answered with HTTP 400 and the option's name."""

    refuses: tuple[str, ...] = ()  # of: json_schema, json_object, detail, reasoning_effort, max_completion_tokens
    heeds_schema: bool = True  # False: prose, unless JSON is asked for otherwise
    is_fenced: bool = False  # ```json … ```
    usage: str = "full"  # full, plain (no details of it) or none
    tags_are_objects: bool = False


STYLES = {
    "openai": Style(),
    "ollama": Style(heeds_schema=False, usage="plain", tags_are_objects=True),
    "llama.cpp": Style(refuses=("detail",), is_fenced=True, usage="none"),
    "old": Style(
        refuses=("json_schema", "json_object", "detail", "reasoning_effort", "max_completion_tokens"),
        is_fenced=True,
        usage="none",
    ),
}
# Faults that take the place of an answer, and are not paid for.
UNPAID = ("rate_limit", "error", "drop")
# Answers that are paid for and are not what was asked.
PAID = ("not_json", "refusal", "half", "unclean", "long", "many_tags", "confidence")
USABLE = ("ok", "unclean", "long", "many_tags", "confidence")  # once cleaned
# The mix of faults that a run has to survive: each of them at every so manyth call.
MIXED = {
    "rate_limit": 7,
    "error": 11,
    "drop": 13,
    "not_json": 17,
    "refusal": 23,
    "half": 29,
    "unclean": 31,
    "long": 37,
    "many_tags": 41,
    "confidence": 43,
}


@dataclass(slots=True)
class Call:
    """One request as the server saw it; `ended` is None while it is being answered. Times are time.monotonic()."""

    path: str
    kind: str  # describe, embed or other
    picture: str  # key_of the picture, or ""
    inputs: int  # texts to embed
    size: int  # bytes of the body
    options: frozenset[str]  # what was asked for beyond the plainest request
    started: float
    outcome: str = ""  # ok, the name of a fault, `refused: option`, or what `trouble` was
    is_paid: bool = False  # the model has worked, whether or not anybody was there for its answer
    ended: float | None = None


class AIServer:
    """A running server: `with AIServer(latency=1.0, spread=0.2) as server: … server.url …`; port 0 is any free one.

    latency: seconds that an answer to a picture takes, on average; `spread` is the share by which it varies (0.2: 20 %
        more or less).
    embedding_latency: the same for a request of embeddings, without spread.
    style: one of STYLES, or a Style. openai; ollama (heeds no json_schema, no details of usage, tags as objects);
        llama.cpp (refuses `detail`, fences its JSON, no usage); old (refuses every option, fences, no usage).
    faults: {"rate_limit": 7, …}: that fault at every 7th request to describe that is not refused for an option. Of
        several that fall on one call, the first in the mapping. Names: UNPAID and PAID; MIXED is a mapping of them all.
    trouble: what ails the server at every request until it is set to "" again: "quota" (429 insufficient_quota), "key"
        (401), "down" (503), "html" (a web page), "model" (404 model_not_found).
    retry_after: seconds in the Retry-After of a rate_limit.
    key, models: what is accepted; None accepts all.
    usage: (tokens in, of them cached, tokens out) of one description; embeddings take 10 a text.
    dimensions: length of the vectors.

    All of these are attributes and may be changed while it runs. What came of it: `calls` (list of Call), `described`
    (a Counter: picture → usable answers sent to a client that was still there), `paid` (calls to describe for which the
    model worked), `embeddings` (such calls to embed), `outcomes`, `most_in_flight`. `rests()` waits until no call is in
    flight. `stop()` and `start()`, on the same port, are an outage.
    """

    def __init__(  # noqa: PLR0913 - one keyword for each knob
        self,
        *,
        port: int = 0,
        latency: float = 0.0,
        spread: float = 0.0,
        embedding_latency: float = 0.0,
        style: str | Style = "openai",
        faults: Mapping[str, int] | None = None,
        trouble: str = "",
        retry_after: float = 1,
        key: str | None = None,
        models: tuple[str, ...] | None = None,
        usage: tuple[int, int, int] = (900, 600, 60),
        dimensions: int = 1_536,
        seed: int = 0,
    ) -> None:
        self.port = port
        self.latency, self.spread, self.embedding_latency = latency, spread, embedding_latency
        self.style = STYLES[style] if isinstance(style, str) else style
        self.faults = dict(faults or {})
        self.trouble = trouble
        self.retry_after = retry_after
        self.key, self.models = key, models
        self.usage, self.dimensions = usage, dimensions
        self.calls: list[Call] = []
        self.described: Counter[str] = Counter()
        self.most_in_flight = 0
        self._in_flight = 0
        self._numbers = itertools.count(1)
        self._random = random.Random(seed)  # noqa: S311 - spreads latencies, guards nothing
        self._lock = threading.Condition()
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def paid(self) -> int:
        return sum(call.is_paid for call in self.calls if call.kind == "describe")

    @property
    def embeddings(self) -> int:
        return sum(call.is_paid for call in self.calls if call.kind == "embed")

    @property
    def outcomes(self) -> Counter[str]:
        """How often each outcome came of the calls to describe."""
        return Counter(call.outcome for call in self.calls if call.kind == "describe")

    def start(self) -> None:
        self._server = _Server(self, self.port)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Answer nobody any more; connections that stand are closed."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server.hang_up()
            self._server = None

    def rests(self, timeout: float = 10.0) -> bool:
        """True when no call is in flight any more, within `timeout` seconds."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._in_flight, timeout)

    @contextmanager
    def _counted(self, call: Call) -> Iterator[None]:
        with self._lock:
            self.calls.append(call)
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            yield
        finally:
            with self._lock:
                call.ended = time.monotonic()
                self._in_flight -= 1
                self._lock.notify_all()

    def _fault(self) -> str:
        number = next(self._numbers)
        return next((name for name, every in self.faults.items() if number % every == 0), "")

    def _seconds(self) -> float:
        with self._lock:
            return self.latency * (1 + self._random.uniform(-self.spread, self.spread))

    def _received(self, call: Call) -> None:
        with self._lock:
            self.described[call.picture] += 1


def key_of(jpeg: bytes) -> str:
    """What a picture is called here: `server.described[key_of(jpeg)]`."""
    return hashlib.blake2b(jpeg, digest_size=8).hexdigest()


def words_for(picture: str) -> dict[str, Any]:
    """The fields of the good answer to the picture of that key; title and description name the key."""
    return {
        "title": f"Photo {picture}",
        "description": f"What the picture {picture} shows.",
        "alt_text": f"Picture {picture}",
        "tags": ["boat", "harbour", "morning", f"tag {picture[:4]}"],
        "categories": ["Landscapes & nature"],
        "confidence": 0.9,
    }


def vector_for(text: str, dimensions: int) -> list[float]:
    """A vector that is the same for the same text, and different for others."""
    chance = random.Random(text)  # noqa: S311 - the same text, the same numbers
    return [round(chance.uniform(-1, 1), 4) for _ in range(dimensions)]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, fake: AIServer, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.fake = fake
        self.open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for connection in tuple(self.open):
            self.shutdown_request(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away is what some tests want."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body of an answer in one packet
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = json.loads(body or b"{}")
        kind = {"/v1/chat/completions": "describe", "/v1/embeddings": "embed"}.get(self.path, "other")
        call = Call(self.path, kind, _picture_in(asked), _texts_in(asked), len(body), _options(asked), time.monotonic())
        with self.server.fake._counted(call):
            self._answer(call, asked)

    def do_GET(self) -> None:
        self._error(404, "Not Found", "not_found")

    def log_message(self, *_: object) -> None:
        """Silent."""

    def _answer(self, call: Call, asked: dict[str, Any]) -> None:
        trouble = self._trouble(call, asked)
        if trouble:
            call.outcome = trouble
            self._fail(trouble, asked)
        elif call.kind == "embed":
            self._embed(call, asked)
        else:
            self._describe(call, asked)

    def _trouble(self, call: Call, asked: dict[str, Any]) -> str:
        fake = self.server.fake
        if fake.trouble:
            return fake.trouble
        if call.kind == "other":
            return "address"
        if fake.key is not None and self.headers["Authorization"] != f"Bearer {fake.key}":
            return "key"
        if fake.models is not None and asked.get("model") not in fake.models:
            return "model"
        return ""

    def _fail(self, what: str, asked: dict[str, Any]) -> None:
        retry_after = {"Retry-After": f"{self.server.fake.retry_after:g}"}
        model = asked.get("model")
        if what == "quota":
            self._error(429, "You exceeded your current quota.", "insufficient_quota")
        elif what == "key":
            self._error(401, "Incorrect API key provided.", "invalid_api_key")
        elif what == "model":
            self._error(404, f"The model `{model}` does not exist or you do not have access to it.", "model_not_found")
        elif what == "html":
            self._send(200, b"<html><title>Welcome</title></html>", {"Content-Type": "text/html"})
        elif what == "address":
            self._send(404, b"404 page not found", {"Content-Type": "text/plain"})
        elif what == "rate_limit":
            self._error(429, "Rate limit reached.", "rate_limit_exceeded", retry_after)
        elif what == "drop":
            self.close_connection = True
        else:
            self._error(503 if what == "down" else 500, "The server had an error.", "server_error")

    def _describe(self, call: Call, asked: dict[str, Any]) -> None:
        fake = self.server.fake
        if option := next((name for name in fake.style.refuses if name in call.options), ""):
            call.outcome = f"refused: {option}"
            self._error(400, f"Unsupported parameter: '{option}' is not supported by this server.", None, param=option)
            return
        call.outcome = fake._fault() or "ok"
        if call.outcome in UNPAID:
            self._fail(call.outcome, asked)
            return
        call.is_paid = True
        time.sleep(fake._seconds())
        self._json(200, _completion(call, asked, fake))
        if call.outcome in USABLE:
            fake._received(call)

    def _embed(self, call: Call, asked: dict[str, Any]) -> None:
        fake = self.server.fake
        call.outcome, call.is_paid = "ok", True
        time.sleep(fake.embedding_latency)
        length = asked.get("dimensions") or fake.dimensions
        vectors = [
            {"object": "embedding", "index": index, "embedding": vector_for(text, length)}
            for index, text in enumerate(asked["input"])
        ]
        usage = {"prompt_tokens": 10 * len(vectors), "total_tokens": 10 * len(vectors)}
        answer: dict[str, Any] = {"object": "list", "model": asked["model"], "data": vectors}
        self._json(200, answer if fake.style.usage == "none" else answer | {"usage": usage})

    def _error(
        self, status: int, message: str, code: str | None, headers: Mapping[str, str] | None = None, **more: str
    ) -> None:
        kind = code if code == "insufficient_quota" else "invalid_request_error"
        self._json(status, {"error": {"message": message, "type": kind, "code": code, "param": None} | more}, headers)

    def _json(self, status: int, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> None:
        self._send(status, json.dumps(body).encode(), {"Content-Type": "application/json"} | dict(headers or {}))

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def _parts(asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for message in asked.get("messages") or ():
        if isinstance(message["content"], list):
            yield from message["content"]


def _picture_in(asked: Mapping[str, Any]) -> str:
    urls = (part["image_url"]["url"] for part in _parts(asked) if part["type"] == "image_url")
    return next((key_of(base64.b64decode(url.removeprefix(PICTURE))) for url in urls), "")


def _texts_in(asked: Mapping[str, Any]) -> int:
    return len(asked["input"]) if isinstance(asked.get("input"), list) else 0


def _options(asked: Mapping[str, Any]) -> frozenset[str]:
    names = {name for name in ("reasoning_effort", "max_completion_tokens", "max_tokens") if name in asked}
    names |= {"detail" for part in _parts(asked) if "detail" in part.get("image_url", {})}
    return frozenset(names | {form for form in [_form(asked)] if form})


def _form(asked: Mapping[str, Any]) -> str:
    return str((asked.get("response_format") or {}).get("type", ""))


def _completion(call: Call, asked: Mapping[str, Any], fake: AIServer) -> dict[str, Any]:
    message, finish = _message(call, asked, fake.style)
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant"} | message}
    answer = {"id": "1", "object": "chat.completion", "created": 1, "model": asked.get("model"), "choices": [choice]}
    tokens_in, cached, tokens_out = fake.usage
    usage = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}
    if fake.style.usage == "full":
        usage |= {"prompt_tokens_details": {"cached_tokens": cached}}  # type: ignore[dict-item]
    return answer if fake.style.usage == "none" else answer | {"usage": usage}


def _message(call: Call, asked: Mapping[str, Any], style: Style) -> tuple[dict[str, Any], str]:
    """The message and its finish_reason."""
    if call.outcome == "refusal":
        return {"content": None, "refusal": "I can't help with that."}, "stop"
    if call.outcome == "not_json" or (_form(asked) == "json_schema" and not style.heeds_schema):
        call.outcome = "ignored: json_schema" if call.outcome != "not_json" else "not_json"
        return {"content": "**A picture.** It shows a boat in a harbour in the morning."}, "stop"
    text = json.dumps(_fields(call, style))
    if call.outcome == "half":
        return {"content": text[: len(text) // 2]}, "length"
    return {"content": f"```json\n{text}\n```" if style.is_fenced else text}, "stop"


def _fields(call: Call, style: Style) -> dict[str, Any]:
    fields = words_for(call.picture)
    if style.tags_are_objects:
        fields["tags"] = [{"tag": tag} for tag in fields["tags"]]
    unclean = {
        "unclean": {"description": f"<script>alert(1)</script>\x00Boats \ud83d of {call.picture}"},
        "long": {"description": "word " * 12_000},
        "many_tags": {"tags": [f"tag {number}" for number in range(400)]},
        "confidence": {"confidence": 7.5},
    }
    return fields | unclean.get(call.outcome, {})
