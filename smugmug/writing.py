"""Changes to SmugMug's pictures: sent once, and believed only when they are read back.

A picture's words are the same in every album that shows it, so they are written at the picture's own address.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from smugmug import records
from smugmug.errors import SmugMugNonsense, SmugMugUnavailable, SmugMugUnchanged
from smugmug.records import Json, RemoteImage
from smugmug.wire import Wire

IMAGE_URI = re.compile(r"/api/v2/image/([A-Za-z0-9]{1,32}-[0-9]{1,10})")  # of the picture, not of its place in an album
ROOT = "/api/v2/image"
IMAGES_AT_ONCE = 50  # an address of more than 2,000 characters is refused
NEARLY = 1e-6  # degrees that a position may differ


def change_image(wire: Wire, image_uri: str, fields: Mapping[str, Any]) -> RemoteImage:
    """PATCH the fields and read them back; they stay as they were where SmugMugError says so."""
    if {"Keywords", "KeywordArray"} <= fields.keys():
        raise ValueError("send one of Keywords and KeywordArray: which of them wins is not known")
    path = f"/api/v2/image/{_image_id(image_uri)}"
    ailing: SmugMugUnavailable | None = None
    try:
        wire.change("PATCH", path, fields)
    except SmugMugUnavailable as exc:  # it may have been made all the same
        ailing = exc
    raw = _read(wire, path)
    if differing := tuple(name for name, wanted in fields.items() if not _is_kept(name, wanted, raw)):
        raise ailing or SmugMugUnchanged(f"{path}: {', '.join(differing)} did not take", differing)
    return records.image(raw, {})


@dataclass(frozen=True)
class Wording:
    """What a picture's words are to become; what is not named stays, and so does every other keyword."""

    fields: Mapping[str, str] = field(default_factory=dict)  # Caption, Title
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Step:
    """One request, and how the picture looks when it was granted."""

    method: str
    path: str
    body: Mapping[str, Any]
    lacks: Callable[[Json], tuple[str, ...]]


def reword(wire: Wire, image_uri: str, wording: Wording) -> RemoteImage:
    """Send each part once, read everything back once, and give the picture as it is then.

    A part that ends in an error is looked up before the next one is sent. SmugMugUnavailable: that part was not made;
    SmugMugUnchanged names what SmugMug did not keep.
    """
    image_id = _image_id(image_uri)
    path, raw = f"/api/v2/image/{image_id}", None
    steps = _steps(path, wording)
    for step in steps:
        raw = None
        try:
            wire.change(step.method, step.path, step.body)
        except SmugMugUnavailable:
            raw = _read(wire, path)
            if step.lacks(raw):
                raise
    raw = raw or _read(wire, path)
    if lacking := tuple(dict.fromkeys(name for step in steps for name in step.lacks(raw))):
        raise SmugMugUnchanged(f"{path}: {', '.join(lacking)} did not take", lacking)
    return records.image(raw, {})


def _steps(path: str, wording: Wording) -> list[_Step]:
    fields, add, remove = wording.fields, _sendable(wording.add), _sendable(wording.remove)
    wanted, unwanted = ({keyword.casefold() for keyword in keywords} for keywords in (add, remove))
    steps = []
    if remove:
        body = {"ImageUris": [path], "Keywords": "; ".join(remove), "Async": False}
        steps.append(
            _Step("POST", f"{ROOT}!removekeywords", body, lambda raw: ("Keywords",) * bool(unwanted & _folded(raw)))
        )
    if add:
        body = {"ImageUris": [path], "Keywords": "; ".join(add), "Async": False}
        steps.append(
            _Step("POST", f"{ROOT}!addkeywords", body, lambda raw: ("Keywords",) * bool(wanted - _folded(raw)))
        )
    if fields:
        steps.append(
            _Step(
                "PATCH",
                path,
                fields,
                lambda raw: tuple(name for name in fields if not _is_kept(name, fields[name], raw)),
            )
        )
    return steps


def read(wire: Wire, image_id: str) -> RemoteImage:
    """The picture as it is now; its sizes and camera data do not come with it."""
    return records.image(_read(wire, f"/api/v2/image/{image_id}"), {})


def probe(wire: Wire, image_uri: str) -> None:
    """Ask for a change of nothing; SmugMugNotGranted where changes are not allowed.

    That SmugMug looks at the permission before the body is inferred. Another refusal is of the empty change itself.
    """
    with suppress(SmugMugNonsense):
        wire.change("PATCH", f"/api/v2/image/{_image_id(image_uri)}", {})


def change_keywords(wire: Wire, action: str, image_uris: Collection[str], keywords: Collection[str]) -> None:
    """Add or remove them by SmugMug's own `action`, which leaves the other keywords of each picture alone.

    SmugMugUnavailable or SmugMugUnchanged where some pictures are not known to have changed; again is harmless.
    """
    wanted = _sendable(keywords)
    ids = list(dict.fromkeys(map(_image_id, image_uris)))
    if not wanted:
        return
    for some in _in_parts(ids):
        _change_some(wire, action, some, wanted)


def _change_some(wire: Wire, action: str, ids: list[str], keywords: tuple[str, ...]) -> None:
    body = {"ImageUris": [f"/api/v2/image/{one}" for one in ids], "Keywords": "; ".join(keywords), "Async": False}
    ailing: SmugMugUnavailable | None = None
    try:
        wire.change("POST", f"/api/v2/image!{action}", body)
    except SmugMugUnavailable as exc:
        ailing = exc
    names = {keyword.casefold() for keyword in keywords}
    kept = _keywords_of(wire, ids)
    wrong = [
        one
        for one in ids
        if (has := kept.get(one.partition("-")[0])) is None
        or not (names <= has if action == "addkeywords" else names.isdisjoint(has))
    ]
    if wrong:
        raise ailing or SmugMugUnchanged(f"{action}: {', '.join(wrong)} did not take", ("Keywords",))


def _sendable(keywords: Collection[str]) -> tuple[str, ...]:
    """Each once; SmugMugNonsense where one cannot be sent as what it is."""
    wanted = records.distinct(keywords)
    if any(re.search("[,;]", keyword) for keyword in wanted):
        raise SmugMugNonsense("a keyword with a separator", advice="A keyword cannot hold a comma or a semicolon.")
    return wanted


def _keywords_of(wire: Wire, ids: list[str]) -> dict[str, set[str]]:
    """The keywords of several pictures, by key, in one request."""
    found = wire.get(f"/api/v2/image/{','.join(ids)}", {"_filter": "ImageKey,Keywords,KeywordArray"})["Response"]
    raws = found.get("Image")
    return {
        str(raw.get("ImageKey")): _folded(raw)
        for raw in (raws if isinstance(raws, list) else [raws])
        if isinstance(raw, dict)
    }


def _read(wire: Wire, path: str) -> Json:
    response = wire.get(path, {})["Response"]
    raw = response.get("Image")
    if not isinstance(raw, dict):
        raise SmugMugNonsense(f"{path} has no body")
    return raw


def _image_id(image_uri: str) -> str:
    match = IMAGE_URI.fullmatch(image_uri)
    if match is None:
        sentence = "That is not the address of a photo. Sync the library, then try again."
        raise SmugMugNonsense("no address of an image", advice=sentence)
    return match[1]


def _is_kept(name: str, wanted: Any, raw: Json) -> bool:
    """Whether the picture has what was sent, in SmugMug's spelling of it."""
    if name in {"Keywords", "KeywordArray"}:
        words = re.split("[,;]", wanted) if isinstance(wanted, str) else wanted
        return {word.strip().strip('"').casefold() for word in words} - {""} == _folded(raw)
    if name in {"Latitude", "Longitude", "Altitude"}:
        return abs(float(wanted) - float(raw.get(name) or 0)) < NEARLY
    if isinstance(wanted, str):
        return _lines(wanted) == _lines(str(raw.get(name) or ""))
    return bool(raw.get(name) == wanted)


def _folded(raw: Json) -> set[str]:
    """The picture's keywords; SmugMug does not tell apart those that differ in case only."""
    return {keyword.casefold() for keyword in records.image(raw, {}).keywords}


def _lines(text: str) -> list[str]:
    return text.strip().splitlines()


def _in_parts(ids: list[str]) -> Iterator[list[str]]:
    for first in range(0, len(ids), IMAGES_AT_ONCE):
        yield ids[first : first + IMAGES_AT_ONCE]
