"""What goes over the wire: one request as it came in, one answer as it goes out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Call:
    """One HTTP request. `target` is path and query exactly as sent; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    @property
    def uri(self) -> str:
        """The absolute address the client asked for, which is the one it signed."""
        return f"http://{self.headers.get('host', '')}{self.target}"

    @property
    def is_form(self) -> bool:
        return self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")

    @property
    def form_text(self) -> str:
        """The body of a form post; empty for any other body, which OAuth 1.0a does not sign."""
        return self.body.decode("utf-8", "replace") if self.is_form else ""

    @cached_property
    def values(self) -> dict[str, str]:
        """Query and form fields by name; the last one wins."""
        fields = (*parse_qsl(self.query, keep_blank_values=True), *parse_qsl(self.form_text))
        return dict(fields)


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    objects: int = 0  # in it, for who wants to be as slow as SmugMug


def json_reply(status: int, payload: object, *, headers: dict[str, str] | None = None) -> Reply:
    body = json.dumps(payload).encode()
    return Reply(status, body, {"Content-Type": "application/json", **(headers or {})})


def problem(code: int, message: str, *, headers: dict[str, str] | None = None) -> Reply:
    """The API's error body, whose Code repeats the HTTP status."""
    return json_reply(code, {"Code": code, "Message": message}, headers=headers)


def html_reply(status: int, page: str) -> Reply:
    return Reply(status, page.encode(), {"Content-Type": "text/html; charset=utf-8"})


def text_reply(status: int, text: str) -> Reply:
    return Reply(status, text.encode(), {"Content-Type": "text/plain; charset=utf-8"})


def redirect(location: str) -> Reply:
    return Reply(302, b"", {"Location": location})
