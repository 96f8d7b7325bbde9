"""Changing pictures through the API: PATCH of an image, and keywords added to or taken from many.

What is taken, ignored and refused is as recorded from the real one; guesses say so.
"""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from .answers import Question, compose
from .collection import Photo, Place, make_key
from .desk import IMAGE, IMAGE_ID, ROOT, Desk
from .messages import Call
from .shapes import Item
from .wishes import BadQuestion

HIGHEST = 16_777_215  # of Altitude
NOWHERE = Place(0, 0, 0, "", "")
LISTS = ("KeywordArray", "ImageUris")
OVERRIDE = "_method"  # of a POST, for who cannot send anything else
IMAGE_URI = re.compile(rf"{ROOT}/image/{IMAGE_ID}")


class NotAllowed(Exception):
    """No such method here, or not without a token."""


class NotGranted(Exception):
    """The token may look, but not change."""


def method_of(call: Call, question: Question) -> str:
    override = question.values.get(OVERRIDE, "") if call.method == "POST" else ""
    return override or call.method


def write(call: Call, method: str, question: Question, desk: Desk) -> Item:
    """Do what the call asks for and compose the answer.

    Raises NotAllowed, NotGranted, NotFound, Moved or BadQuestion, and then nothing has been changed.
    """
    action = ACTIONS.get(question.path.removeprefix(f"{ROOT}/image!")) if method == "POST" else None
    if desk.level is None or (method != "PATCH" and action is None):
        raise NotAllowed
    if action:
        _check_grant(desk)
        return _change_keywords(fields_of(call), action, question, desk)
    found = desk.find(question)
    if found.endpoint is not IMAGE:
        raise NotAllowed
    _check_grant(desk)
    changes = _changes(fields_of(call), found.items[0])
    if changes:
        desk.library.edit_photo(found.items[0].key, **changes)
    return compose(question, desk.find(question), desk.look_up)


def fields_of(call: Call) -> dict[str, Any]:
    """The body, a form or JSON, by field name. Raises BadQuestion."""
    if call.is_form:
        return _form_fields(call.form_text)
    try:
        fields = json.loads(call.body or b"{}")
    except ValueError as exc:
        raise BadQuestion from exc
    if not isinstance(fields, dict):
        raise BadQuestion
    return fields


def parse_keywords(text: str) -> list[str]:
    """Keywords are separated by commas or semicolons, never by spaces; quotes around one are dropped."""
    return _tidy([keyword.strip().strip('"') for keyword in re.split("[,;]", text)])


# PATCH


def _changes(fields: dict[str, Any], photo: Photo) -> dict[str, Any]:
    """What to change in the photo. Unknown names, FileName among them, change nothing and are no mistake.

    KeywordArray goes before Keywords where both are sent, and its keywords may hold commas: both are guesses.
    """
    _check_case(fields, (*TAKEN, "Keywords", "KeywordArray", *PLACED))
    changes = {TAKEN[name][0]: TAKEN[name][1](fields[name]) for name in TAKEN if name in fields}
    if "Keywords" in fields:
        changes["keywords"] = parse_keywords(_text(fields["Keywords"]))
    if "KeywordArray" in fields:
        changes["keywords"] = _tidy(_texts(fields["KeywordArray"]))
    placed: dict[str, Any] = {PLACED[name][0]: PLACED[name][1](fields[name]) for name in PLACED if name in fields}
    return changes | {"place": replace(photo.where or NOWHERE, **placed)} if placed else changes


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise BadQuestion
    return value


def _texts(value: object) -> list[str]:
    if not isinstance(value, list):
        raise BadQuestion
    return [_text(one) for one in value]


def _flag(value: object) -> bool:
    known = {"true": True, "1": True, "false": False, "0": False, "": False}
    if str(value).lower() not in known:
        raise BadQuestion
    return known[str(value).lower()]


def _number(value: object, low: float, high: float) -> float:
    try:
        number = float(str(value))
    except ValueError as exc:
        raise BadQuestion from exc
    if not math.isfinite(number) or not low <= number <= high:
        raise BadQuestion
    return number


# Field → what of the photo it sets, and how its value is read.
TAKEN: dict[str, tuple[str, Callable[[object], Any]]] = {
    "Title": ("title", _text),
    "Caption": ("caption", _text),
    "Hidden": ("is_hidden", _flag),
}
PLACED: dict[str, tuple[str, Callable[[object], float]]] = {
    "Latitude": ("latitude", lambda value: _number(value, -90, 90)),
    "Longitude": ("longitude", lambda value: _number(value, -180, 180)),
    "Altitude": ("altitude", lambda value: int(_number(value, 0, HIGHEST))),
}


# image!addkeywords and image!removekeywords


@dataclass(frozen=True)
class _Action:
    name: str
    apply: Callable[[list[str], list[str]], list[str]]  # keywords there are, keywords sent → keywords then


def _add(existing: list[str], sent: list[str]) -> list[str]:
    return _tidy([*existing, *sent])


def _remove(existing: list[str], sent: list[str]) -> list[str]:
    unwanted = {keyword.casefold() for keyword in sent}
    return [keyword for keyword in existing if keyword.casefold() not in unwanted]


ACTIONS = {action.name: action for action in (_Action("addkeywords", _add), _Action("removekeywords", _remove))}


def _change_keywords(fields: dict[str, Any], action: _Action, question: Question, desk: Desk) -> Item:
    """All or nothing, as is known of other lists of addresses. The answer's shape is a guess."""
    _check_case(fields, ("ImageUris", "Keywords", "Async"))
    if not {"ImageUris", "Keywords"} <= set(fields):
        raise BadQuestion
    uris, sent = fields["ImageUris"], parse_keywords(_text(fields["Keywords"]))
    is_async = _flag(fields.get("Async", False))
    photos = [_photo(uri, desk) for uri in (_texts(uris) if isinstance(uris, list) else _text(uris).split(","))]
    for photo in photos:
        keywords = action.apply(list(photo.keywords), sent)
        if keywords != list(photo.keywords):
            desk.library.edit_photo(photo.key, keywords=keywords)
    if not is_async:
        return _done(question, 200, "Ok")
    task = make_key(f"task:{question.path}:{sorted(photo.key for photo in photos)}:{sent}", 8)
    return _done(question, 202, "Accepted", {"Uri": f"{ROOT}/task/{task}", "Status": "Completed"})


def _photo(uri: str, desk: Desk) -> Photo:
    """The photo at one of the addresses, whatever its serial."""
    match = IMAGE_URI.fullmatch(uri.strip())
    pair = desk.find_image(match["image"]) if match else None
    if pair is None:
        raise BadQuestion
    return pair[0]


def _done(question: Question, code: int, message: str, task: Item | None = None) -> Item:
    response: Item = {"Uri": question.path, "Locator": "Task" if task else "", "LocatorType": "Object"}
    return {"Response": response | {"Task": task} if task else response, "Code": code, "Message": message}


# What both have in common


def _check_grant(desk: Desk) -> None:
    if desk.level is None or desk.level.permissions != "Modify":
        raise NotGranted


def _check_case(fields: dict[str, Any], known: tuple[str, ...]) -> None:
    """A name in the wrong case is a mistake, though an unknown one is not. Raises BadQuestion."""
    lowered = {name.lower() for name in known}
    if any(name not in known and name.lower() in lowered for name in fields):
        raise BadQuestion


def _form_fields(text: str) -> dict[str, Any]:
    """Lists are sent by repeating a name, with or without [] behind it."""
    fields: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        plain = name.removesuffix("[]")
        if plain in LISTS and (name != plain or plain == "KeywordArray" or plain in fields):
            before = fields.get(plain, [])
            fields[plain] = [*(before if isinstance(before, list) else [before]), value]
        else:
            fields[plain] = value
    return fields


def _tidy(keywords: list[str]) -> list[str]:
    """Without empty ones and without doubles, which differ in case at the most; the first one stays."""
    kept: dict[str, str] = {}
    for keyword in filter(None, map(str.strip, keywords)):
        kept.setdefault(keyword.casefold(), keyword)
    return list(kept.values())
