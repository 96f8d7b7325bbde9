"""The API as a page of ours, made from its OpenAPI schema: ninja's own needs a CDN and inline script."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from ninja.openapi.docs import DocsBase

if TYPE_CHECKING:
    from ninja import NinjaAPI

Json = Mapping[str, Any]

FORMATS = {"uuid": "UUID", "date-time": "date and time", "decimal": "decimal"}
OPTIONAL = "optional"
LIMITS = {"minimum": "at least {}", "maximum": "at most {}", "maxLength": "at most {} characters"}


@dataclass(frozen=True)
class Field:
    """One value that is sent or answered; `shape` names the component that its type speaks of."""

    name: str
    type: str
    shape: str
    text: str


@dataclass(frozen=True)
class Answer:
    status: int
    phrase: str
    shape: str


@dataclass(frozen=True)
class Operation:
    """What can be asked for or done at one address."""

    id: str
    method: str
    path: str
    tag: str
    summary: str
    text: str
    parameters: list[Field]
    body: list[Field]
    good: list[Answer]
    problems: list[Answer]
    curl: str


@dataclass(frozen=True)
class Shape:
    """A component: an object's fields, or the values there are."""

    name: str
    text: str
    fields: list[Field]
    values: list[str]


class DocsPage(DocsBase):
    """What ninja shows at /api/docs."""

    def render_page(self, request: HttpRequest, api: NinjaAPI, **kwargs: Any) -> HttpResponse:
        schema = api.get_openapi_schema()
        site = request.build_absolute_uri("/").rstrip("/")
        context = {
            "api": api,
            "operations": operations(schema, site),
            "shapes": shapes(schema),
            "schema_url": self.get_openapi_url(api, kwargs),
        }
        return render(request, "api_docs.html", context)


def operations(schema: Json, site: str) -> list[Operation]:
    """Every operation of the schema, in its order."""
    return [
        _operation(schema, site, path, method, raw)
        for path, methods in schema["paths"].items()
        for method, raw in methods.items()
    ]


def shapes(schema: Json) -> list[Shape]:
    """Every component of the schema by name."""
    return [
        Shape(name, raw.get("description", ""), _fields(raw), [str(value) for value in raw.get("enum", [])])
        for name, raw in sorted(schema["components"]["schemas"].items())
    ]


def _operation(schema: Json, site: str, path: str, method: str, raw: Json) -> Operation:
    body = _body(schema, raw)
    answers = [
        Answer(int(status), each["description"], _shape_of(each.get("content", {})))
        for status, each in raw["responses"].items()
    ]
    return Operation(
        id=raw["operationId"],
        method=method.upper(),
        path=path,
        tag=raw["tags"][0],
        summary=raw["summary"],
        text=raw.get("description", ""),
        parameters=[
            _field(each["name"], each["schema"], sent="in the path" if each["in"] == "path" else OPTIONAL)
            for each in raw["parameters"]
        ],
        body=_fields(body, is_sent=True),
        good=[answer for answer in answers if answer.status < 400],
        problems=[answer for answer in answers if answer.status >= 400],
        curl=_curl(site, path, method, raw["parameters"], body),
    )


def _body(schema: Json, raw: Json) -> Json:
    """The schema of the body; {} where the operation takes none."""
    content = raw.get("requestBody", {}).get("content", {})
    name = _shape_of(content)
    body: Json = schema["components"]["schemas"][name] if name else {}
    return body


def _fields(raw: Json, *, is_sent: bool = False) -> list[Field]:
    needed = raw.get("required", []) if is_sent else ()
    sent = {name: "required" if name in needed else OPTIONAL for name in raw.get("properties", {})}
    return [_field(name, each, sent=sent[name] if is_sent else "") for name, each in raw.get("properties", {}).items()]


def _field(name: str, raw: Json, *, sent: str) -> Field:
    """`sent` says whether the value must be sent; "" for what is answered."""
    plain = _without_null(raw)
    limits = [sentence.format(plain[key]) for key, sentence in LIMITS.items() if key in plain]
    kind = _type(plain if sent == OPTIONAL else raw)
    if sent == OPTIONAL and raw.get("default") not in (None, ""):
        sent = f"default {json.dumps(raw['default'])}"
    return Field(name, ", ".join(filter(None, [kind, *limits, sent])), _shape(raw), raw.get("description", ""))


def _without_null(raw: Json) -> Json:
    """The schema, without the alternative that there is no value."""
    parts = [part for part in raw.get("anyOf", []) if part.get("type") != "null"]
    return {**{key: value for key, value in raw.items() if key != "anyOf"}, **parts[0]} if len(parts) == 1 else raw


def _type(raw: Json) -> str:
    """The type in a few words; a component by its name."""
    if "$ref" in raw:
        return _shape(raw)
    if "allOf" in raw:
        return _type(raw["allOf"][0])
    if "anyOf" in raw:
        return " or ".join(dict.fromkeys(_type(each) for each in raw["anyOf"]))
    if "enum" in raw:
        return " | ".join(map(str, raw["enum"]))
    if raw.get("type") == "array":
        return f"list of {_type(raw['items'])}"
    return FORMATS.get(raw.get("format", ""), str(raw.get("type", "anything")))


def _shape(raw: Json) -> str:
    """The component that a schema speaks of, be it within a list or an alternative; "" for none."""
    if "$ref" in raw:
        return str(raw["$ref"]).rpartition("/")[2]
    parts = [*raw.get("allOf", []), *raw.get("anyOf", []), *filter(None, [raw.get("items")])]
    return next(filter(None, map(_shape, parts)), "")


def _shape_of(content: Json) -> str:
    return next((_shape(each["schema"]) for each in content.values()), "")


def _curl(site: str, path: str, method: str, parameters: Iterable[Json], body: Json) -> str:
    """The operation as a line for a shell that has a TOKEN."""
    for each in parameters:
        path = path.replace(f"{{{each['name']}}}", each["name"].upper())
    query = {each["name"]: each["schema"]["examples"][0] for each in parameters if "examples" in each["schema"]}
    address = shlex.quote(f"{site}{path}{'?' if query else ''}{urlencode(query)}")
    if method == "get":
        return f'curl -H "Authorization: Bearer $TOKEN" {address}'
    lines = [f'curl -X {method.upper()} -H "Authorization: Bearer $TOKEN" \\']
    values = {name: each["examples"][0] for name, each in body.get("properties", {}).items() if "examples" in each}
    if values:
        lines.append(f"  -H 'Content-Type: application/json' -d {shlex.quote(json.dumps(values))} \\")
    return "\n".join([*lines, f"  {address}"])
