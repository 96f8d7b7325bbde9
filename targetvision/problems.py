"""What goes wrong with the API, as RFC 9457 has it: application/problem+json, with one sentence for the person."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from ninja import Schema
from ninja.errors import HttpError, ValidationError

if TYPE_CHECKING:
    from ninja import NinjaAPI

MEDIA_TYPE = "application/problem+json"
API = "/api/"
PAGES = {"/api/docs"}  # what is below API and is for people
CHALLENGE = 'Bearer realm="TargetVision"'
INVALID_TOKEN = f'{CHALLENGE}, error="invalid_token"'

SENTENCES = {
    400: "The request is broken or too large; nothing was done.",
    401: "Sign in first, or send a token of yours as Authorization: Bearer.",
    403: "You may not do this.",
    404: "There is nothing here that you may see. What there is: /api/docs",
    405: "This address does not take that method.",
    415: "Send JSON, as Content-Type: application/json.",
    500: "This is our mistake; it is in the log.",
}
# ninja's own refusals, which it says in words of its own.
NINJAS = SENTENCES | {
    400: "The body is not JSON.",
    403: "Send the CSRF token too, as X-CSRFToken: beside the session a change needs it.",
}
KINDS = {
    "missing": "is needed.",
    "extra_forbidden": "is not known here.",
    "model_type": "should be a JSON object.",
    "model_attributes_type": "should be a JSON object.",
    "uuid_parsing": "should be a UUID.",
    "uuid_type": "should be a UUID.",
    "string_pattern_mismatch": "holds a character that cannot be stored.",
    "string_unicode": "holds a character that cannot be stored.",
}


class Problem(Schema):
    """What went wrong."""

    type: str
    title: str
    status: int
    detail: str


class Mistake(Schema):
    """One part of a request that is wrong."""

    where: Literal["body", "query", "path"]
    field: str
    detail: str


class InvalidProblem(Problem):
    """What went wrong, and where in the request."""

    errors: list[Mistake]


class ProblemError(Exception):
    """A request that cannot be fulfilled; str() is the sentence for the person.

    `more` is what the problem tells beside the sentence, as its schema has it.
    """

    def __init__(self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers or {}
        self.more = more


def is_of_the_api(request: HttpRequest) -> bool:
    """Whether programs ask, so that they are answered in JSON."""
    return request.path_info.startswith(API) and request.path_info not in PAGES


def answer(
    status: int,
    detail: str = "",
    *,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> HttpResponse:
    """The problem as a response; `more` is told beside the sentence: the `errors` of a 422, or what stands now."""
    return _fill(HttpResponse(status=status, headers=dict(headers or {})), detail, **more)


def restate(response: HttpResponse) -> HttpResponse:
    """The response of somebody else, with its headers, as a problem; a plain sentence in it stays."""
    is_ours = response.headers.get("Content-Type") == MEDIA_TYPE
    is_plain = response.headers.get("Content-Type", "").startswith("text/plain")
    is_sentence = is_plain and response.content.endswith(b".")
    return response if is_ours else _fill(response, response.content.decode() if is_sentence else "")


def _fill(response: HttpResponse, detail: str, **more: Any) -> HttpResponse:
    status = response.status_code
    title = HTTPStatus(status).phrase
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail or SENTENCES.get(status, f"{title}."),
        **more,
    }
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        problem.setdefault("errors", [])
    response.content = json.dumps(problem).encode()
    response["Content-Type"] = MEDIA_TYPE
    response["Content-Length"] = str(len(response.content))
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers.setdefault("WWW-Authenticate", CHALLENGE)
    return response


def handle(api: NinjaAPI) -> None:
    """Let the API say every error as a problem; our own mistakes go on to Django, which logs them."""
    handlers: dict[type[Exception], Callable[[HttpRequest, Any], HttpResponse]] = {
        ProblemError: lambda request, exc: answer(exc.status, str(exc), headers=exc.headers, **exc.more),
        Http404: lambda request, exc: answer(404, str(exc)),
        PermissionDenied: lambda request, exc: answer(403, str(exc)),
        HttpError: lambda request, exc: answer(exc.status_code, NINJAS.get(exc.status_code, "")),
        ValidationError: lambda request, exc: _invalid(exc),
        Exception: _crash,
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)


def _crash(request: HttpRequest, exc: Exception) -> HttpResponse:
    raise exc


def _invalid(exc: ValidationError) -> HttpResponse:
    errors = [_mistake(error) for error in exc.errors]
    first = " ".join(filter(None, [errors[0]["field"] or f"The {errors[0]['where']}", errors[0]["detail"]]))
    more = f" ({len(errors) - 1} more in errors)" if len(errors) > 1 else ""
    return answer(422, f"{first}{more}", errors=errors)


def _mistake(error: Mapping[str, Any]) -> dict[str, str]:
    where, *names = error["loc"]
    if where == "body":
        names = names[1:]  # the first is the name of our function's argument
    return {
        "where": where,
        "field": ".".join(map(str, names)),
        "detail": KINDS.get(error["type"]) or _wrong(error["msg"]),
    }


def _wrong(message: str) -> str:
    """Pydantic's words ("Input should be …", "String should have …") as the rest of a sentence about a field."""
    _, should, what = message.partition("should ")
    return f"{should}{what}." if should else f"is wrong: {message}."
