"""What a caller wants of the objects: fields, links and expansions, said plainly or in one `_config`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


class BadQuestion(Exception):
    """The query or the body cannot be understood; answered with 400."""


@dataclass(frozen=True)
class Wish:
    """None stands for all fields, or all links. `args` are the query of an expanded link."""

    fields: frozenset[str] | None = None
    links: frozenset[str] | None = None
    expand: Mapping[str, "Wish"] = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)


def names(text: str | None) -> frozenset[str] | None:
    return None if text is None else frozenset(filter(None, text.split(",")))


def with_paths(wish: Wish, text: str) -> Wish:
    """The wish with what _expand says: A.B,C expands A, in it B, and C."""
    for path in filter(None, text.split(",")):
        wish = _with_path(wish, path.split("."))
    return wish


def _with_path(wish: Wish, path: list[str]) -> Wish:
    if not path:
        return wish
    name, *deeper = path
    return replace(wish, expand={**wish.expand, name: _with_path(wish.expand.get(name, Wish()), deeper)})


def configured(text: str, plain: Wish) -> Wish:
    """The wish a `_config` describes; of what it leaves out, `plain`. Raises BadQuestion.

    `multiargs` is not taken: at every list of SmugMug's its notes say so.
    """
    try:
        found = _wish(json.loads(text))
    except (ValueError, TypeError, AttributeError) as exc:
        raise BadQuestion from exc
    return Wish(
        plain.fields if found.fields is None else found.fields,
        plain.links if found.links is None else found.links,
        {**plain.expand, **found.expand},
    )


def _wish(config: dict[str, Any]) -> Wish:
    return Wish(
        _listed(config.get("filter")),
        _listed(config.get("filteruri")),
        {name: _wish(inner or {}) for name, inner in (config.get("expand") or {}).items()},
        {name: str(value) for name, value in (config.get("args") or {}).items()},
    )


def _listed(value: Any) -> frozenset[str] | None:
    if value is not None and not isinstance(value, list):
        raise TypeError(type(value))
    return None if value is None else frozenset(value)
