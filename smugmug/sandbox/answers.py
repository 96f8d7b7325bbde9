"""From an object or a list to SmugMug's answer: envelope, pages, filters, expansions, verbosity.

What is dropped, kept and echoed is as recorded from the real one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote, unquote_plus

from .shapes import Item
from .wishes import BadQuestion, Wish, configured, names, with_paths

ECHOED = ("_filter", "_filteruri", "_shorturis", "_pretty", "start", "count")
DOCS = "https://api.smugmug.com/api/v2/doc/reference"
VARCHAR = "Variable length text from MIN_CHARS to MAX_CHARS (MAX_CHARS = INFINITY meaning arbitrary length)"


class NotFound(Exception):
    """Nothing there, or nothing this caller may see."""


@dataclass(frozen=True)
class Endpoint:
    """What is the same in every answer of one endpoint."""

    name: str  # EndpointType
    locator: str
    description: str
    parameters: tuple[str, ...] = ()  # it takes besides those every endpoint takes
    page: int = 0  # items a page unless asked otherwise; 0: one object, not a list
    most: int = 0  # items a page at the most
    doc: str = ""
    is_multiple: bool = False  # several objects asked for by their keys: a list without pages

    @property
    def is_list(self) -> bool:
        return bool(self.page) or self.is_multiple

    @property
    def locator_type(self) -> str:
        return "Objects" if self.is_list else "Object"

    @property
    def notes(self) -> Item:
        """The parts of an answer that low verbosity leaves out."""
        notes = {"UriDescription": self.description, "EndpointType": self.name}
        return notes | {"DocUri": f"{DOCS}/{self.doc}.html"} if self.doc else notes


@dataclass(frozen=True)
class Found:
    """What lies at an address. Only the items of the wanted page are written out, by `write`."""

    endpoint: Endpoint
    items: Sequence[Any]
    write: Callable[[Any], Item]


@dataclass(frozen=True)
class Question:
    """An address of the API and its query, of which `pairs` are as sent, still percent-encoded."""

    path: str
    pairs: tuple[str, ...] = ()

    @classmethod
    def parse(cls, target: str) -> "Question":
        path, _mark, query = target.partition("?")
        return cls(path, tuple(pair for pair in query.split("&") if pair))

    @cached_property
    def values(self) -> dict[str, str]:
        return {_name(pair): unquote_plus(pair.partition("=")[2]) for pair in self.pairs}

    @property
    def is_terse(self) -> bool:
        return self.values.get("_verbosity") == "1"

    @property
    def has_short_uris(self) -> bool:
        return self.is_terse or "_shorturis" in self.values

    @cached_property
    def wish(self) -> Wish:
        """What is wanted of the objects: _config where it says something, else the plain words. Raises BadQuestion."""
        plain = Wish(names(self.values.get("_filter")), names(self.values.get("_filteruri")))
        plain = with_paths(plain, self.values.get("_expand", ""))
        return configured(self.values["_config"], plain) if self.values.get("_config") else plain

    def number(self, name: str, default: int) -> int:
        """A parameter that counts from 1. Raises BadQuestion."""
        try:
            return max(1, int(self.values.get(name) or default))
        except ValueError as exc:
            raise BadQuestion from exc

    def echo(self, endpoint: Endpoint) -> list[str]:
        """The pairs an answer repeats: _expand, _verbosity, APIKey, OAuth and unknown names are dropped."""
        accepted = (*ECHOED, *endpoint.parameters)
        return [pair for pair in self.pairs if _name(pair) in accepted]

    def uri(self, endpoint: Endpoint) -> str:
        return _join(self.path, self.echo(endpoint))

    def page_uri(self, endpoint: Endpoint, start: int, count: int) -> str:
        """The same question for another page: start and count are replaced in place, or appended."""
        pairs = [f"start={start}" if _name(pair) == "start" else pair for pair in self.echo(endpoint)]
        if "start" not in self.values:
            pairs.append(f"start={start}")
        if "start" not in self.values and "count" not in self.values:
            pairs.append(f"count={count}")
        return _join(self.path, pairs)


def compose(question: Question, found: Found, look_up: Callable[[Question], Found | None]) -> Item:
    """The whole answer. `look_up` finds what an expanded link leads to, or None. Raises BadQuestion."""
    endpoint = found.endpoint
    start, count = _page_asked(question, found)
    items = [found.write(item) for item in found.items[start - 1 : start - 1 + count]]
    expansions = dict(_expansions(items, question.wish, question, look_up))
    shaped = [_shape(item, question.wish, question) for item in items]
    response = _response(endpoint, question.uri(endpoint), shaped, is_terse=question.is_terse)
    if endpoint.page:
        response["Pages"] = _pages(question, found, start, count)
    answer = {"Response": response, "Code": 200, "Message": "Ok"}
    if not question.is_terse:
        answer = {"Options": _options(endpoint), **answer}
    return answer | {"Expansions": expansions} if expansions else answer


def count_objects(composed: Item) -> int:
    """How many objects an answer lists."""
    response = composed["Response"]
    listed = response.get(response["Locator"], ())
    return len(listed) if isinstance(listed, list) else 1


def _response(endpoint: Endpoint, uri: str, items: list[Item], *, is_terse: bool) -> Item:
    """Uri, Locator and, where there is something, the thing itself: an empty list has no key at all."""
    response: Item = {"Uri": uri, "Locator": endpoint.locator, "LocatorType": endpoint.locator_type}
    if items:
        response[endpoint.locator] = items if endpoint.is_list else items[0]
    return response if is_terse else response | endpoint.notes


def _page_asked(question: Question, found: Found) -> tuple[int, int]:
    """Where the page starts, from 1, and how many items it may have: too many are cut down without a word."""
    endpoint = found.endpoint
    if not endpoint.page:
        return 1, len(found.items)
    return question.number("start", 1), min(question.number("count", endpoint.page), endpoint.most)


def _pages(question: Question, found: Found, start: int, count: int) -> Item:
    total = len(found.items)
    last = 1 + (total - 1) // count * count  # 1 - count when there is nothing, as SmugMug says
    pages: Item = {
        "Total": total,
        "Start": start,
        "Count": max(0, min(count, total - start + 1)),
        "RequestedCount": count,
        "FirstPage": question.page_uri(found.endpoint, 1, count),
        "LastPage": question.page_uri(found.endpoint, last, count),
    }
    if start > 1:
        pages["PrevPage"] = question.page_uri(found.endpoint, max(1, start - count), count)
    if start + count <= total:
        pages["NextPage"] = question.page_uri(found.endpoint, start + count, count)
    return pages


def _expansions(
    items: list[Item], wish: Wish, question: Question, look_up: Callable[[Question], Found | None]
) -> Iterator[tuple[str, Item]]:
    """What the wanted links of `items` lead to, by address. Unknown names are passed over in silence."""
    for item in items:
        for name, deeper in wish.expand.items():
            link = item.get("Uris", {}).get(name)
            inside = Question(link["Uri"], _pairs(deeper)) if link else None
            found = look_up(inside) if inside else None
            if inside is None or found is None:
                continue
            if question.has_short_uris and name == "HighlightImage":
                # Seen with this link: the address grows a suffix, here and as the key of the expansion.
                link["Uri"] = f"{inside.path}?_shorturis="
            elif inside.pairs:  # the same is supposed of arguments
                link["Uri"] = f"{inside.path}?{'&'.join(inside.pairs)}"
            start, count = _page_asked(inside, found)
            inner = [found.write(one) for one in found.items[start - 1 : start - 1 + count]]
            yield from _expansions(inner, deeper, question, look_up)
            shaped = [_shape(one, deeper, question) for one in inner]
            expansion = _response(found.endpoint, link["Uri"], shaped, is_terse=question.is_terse)
            if found.endpoint.page:
                expansion["Pages"] = _pages(inside, found, start, count)
            yield link["Uri"], expansion


def _pairs(wish: Wish) -> tuple[str, ...]:
    return tuple(f"{quote(name)}={quote(value)}" for name, value in wish.args.items())


def _shape(item: Item, wish: Wish, question: Question) -> Item:
    """One object with the wanted fields and links. ResponseLevel comes in any case."""
    shaped = dict(item)
    if "Uris" in shaped and wish.links is not None:
        shaped["Uris"] = {name: link for name, link in shaped["Uris"].items() if name in wish.links}
        if not shaped["Uris"]:
            del shaped["Uris"]
    if wish.fields is not None:
        shaped = {name: value for name, value in shaped.items() if name in wish.fields or name == "ResponseLevel"}
    return _with_short_links(shaped, question)


def _with_short_links(item: Item, question: Question) -> Item:
    if question.has_short_uris and "Uris" in item:
        item = item | {"Uris": {name: link["Uri"] for name, link in item["Uris"].items()}}
    if question.is_terse:
        item = {name: value for name, value in item.items() if name != "UriDescription"}
    return item


def _options(endpoint: Endpoint) -> Item:
    options: Item = {"Methods": ["GET"]}
    if endpoint.parameters:
        options["ParameterDescription"] = {"Varchar": VARCHAR}
        options["Parameters"] = {"GET": [_parameter(name) for name in endpoint.parameters]}
    return options


def _parameter(name: str) -> Item:
    return {
        "Name": name,
        "Required": False,
        "ReadOnly": False,
        "Default": "",
        "Type": "Varchar",
        "MIN_CHARS": 0,
        "MAX_CHARS": "INFINITY",
    }


def _name(pair: str) -> str:
    return unquote_plus(pair.partition("=")[0])


def _join(path: str, pairs: list[str]) -> str:
    return f"{path}?{'&'.join(pairs)}" if pairs else path
