"""From an object or a list to SmugMug's answer: envelope, pages, filters, expansions, verbosity.

What is dropped, kept and echoed is as recorded from the real one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote_plus

from .shapes import Item

ECHOED = ("_filter", "_filteruri", "_shorturis", "_pretty", "start", "count")
DOCS = "https://api.smugmug.com/api/v2/doc/reference"
VARCHAR = "Variable length text from MIN_CHARS to MAX_CHARS (MAX_CHARS = INFINITY meaning arbitrary length)"


Tree = dict[str, Any]  # names of links, and below each what to expand further


class BadQuestion(Exception):
    """The query cannot be understood; answered with 400."""


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

    @property
    def locator_type(self) -> str:
        return "Objects" if self.page else "Object"

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

    @property
    def fields(self) -> set[str] | None:
        """The fields wanted; None for all."""
        return _names(self.values.get("_filter"))

    @property
    def links(self) -> set[str] | None:
        """The links wanted; None for all."""
        return _names(self.values.get("_filteruri"))

    @property
    def expand(self) -> Tree:
        """_expand=A.B,C as {"A": {"B": {}}, "C": {}}."""
        tree: Tree = {}
        for path in filter(None, self.values.get("_expand", "").split(",")):
            branch = tree
            for name in path.split("."):
                branch = branch.setdefault(name, {})
        return tree

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


def compose(question: Question, found: Found, look_up: Callable[[str], Found | None]) -> Item:
    """The whole answer. `look_up` finds what an expanded link leads to, or None. Raises BadQuestion."""
    endpoint = found.endpoint
    start, count = _page_asked(question, endpoint)
    items = [found.write(item) for item in found.items[start - 1 : start - 1 + count]]
    expansions = dict(_expansions(items, question.expand, question, look_up))
    shaped = [_shape(item, question) for item in items]
    response = _response(endpoint, question.uri(endpoint), shaped, is_terse=question.is_terse)
    if endpoint.page:
        response["Pages"] = _pages(question, found, start, count)
    answer = {"Response": response, "Code": 200, "Message": "Ok"}
    if not question.is_terse:
        answer = {"Options": _options(endpoint), **answer}
    return answer | {"Expansions": expansions} if expansions else answer


def _response(endpoint: Endpoint, uri: str, items: list[Item], *, is_terse: bool) -> Item:
    """Uri, Locator and, where there is something, the thing itself: an empty list has no key at all."""
    response: Item = {"Uri": uri, "Locator": endpoint.locator, "LocatorType": endpoint.locator_type}
    if items:
        response[endpoint.locator] = items if endpoint.page else items[0]
    return response if is_terse else response | endpoint.notes


def _page_asked(question: Question, endpoint: Endpoint) -> tuple[int, int]:
    """Where the page starts, from 1, and how many items it may have: too many are cut down without a word."""
    if not endpoint.page:
        return 1, 1
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
    items: list[Item], tree: Tree, question: Question, look_up: Callable[[str], Found | None]
) -> Iterator[tuple[str, Item]]:
    """What the wanted links of `items` lead to, by address. Unknown names are passed over in silence."""
    for item in items:
        for name, deeper in tree.items():
            link = item.get("Uris", {}).get(name)
            found = look_up(link["Uri"]) if link else None
            if found is None:
                continue
            uri = link["Uri"]
            if question.has_short_uris and name == "HighlightImage":
                # Seen with this link: the address grows a suffix, here and as the key of the expansion.
                link["Uri"] = f"{uri}?_shorturis="
            inner = [found.write(one) for one in found.items[: found.endpoint.page or 1]]
            yield from _expansions(inner, deeper, question, look_up)
            yield link["Uri"], _expansion(found, inner, Question(uri), question, key=link["Uri"])


def _expansion(found: Found, inner: list[Item], inside: Question, question: Question, *, key: str) -> Item:
    """One entry of Expansions: filters are for the main answer only, verbosity is for all of it."""
    shaped = [_with_short_links(item, question) for item in inner]
    expansion = _response(found.endpoint, key, shaped, is_terse=question.is_terse)
    if found.endpoint.page:
        expansion["Pages"] = _pages(inside, found, 1, found.endpoint.page)
    return expansion


def _shape(item: Item, question: Question) -> Item:
    """One object with the wanted fields and links. ResponseLevel comes in any case."""
    links, fields = question.links, question.fields
    shaped = dict(item)
    if "Uris" in shaped and links is not None:
        shaped["Uris"] = {name: link for name, link in shaped["Uris"].items() if name in links}
        if not shaped["Uris"]:
            del shaped["Uris"]
    if fields is not None:
        shaped = {name: value for name, value in shaped.items() if name in fields or name == "ResponseLevel"}
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


def _names(text: str | None) -> set[str] | None:
    return None if text is None else set(filter(None, text.split(",")))


def _name(pair: str) -> str:
    return unquote_plus(pair.partition("=")[0])


def _join(path: str, pairs: list[str]) -> str:
    return f"{path}?{'&'.join(pairs)}" if pairs else path
