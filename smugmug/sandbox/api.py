"""/api/v2: from a call to its answer."""

import json

from . import pages
from .answers import NotFound, Question, compose, count_objects
from .desk import ROOT, Desk, Moved
from .holdings import Library
from .messages import Call, Reply, html_reply, problem
from .oauth import Level
from .shapes import Item, Shaper
from .wishes import BadQuestion
from .writing import NotAllowed, NotGranted, method_of, write

__all__ = ["ROOT", "answer"]

HEADERS = {
    "Content-Type": "application/json",
    "Cache-Control": "private, no-store, no-cache, max-age=0, must-revalidate",
    "Vary": "Accept-Encoding",
}
# 792 keys in one address are known to be too long; where the border runs is not.
LONGEST_TARGET = 4000
NOT_GRANTED = "The user has not granted the required permissions"


def answer(call: Call, *, library: Library, base: str, level: Level | None) -> Reply:
    """Answer one call; `level` is that of its token, None for a public one."""
    if "," in call.path and len(call.target) > LONGEST_TARGET:
        return html_reply(403, pages.forbidden(call.path))
    question = Question.parse(call.target)
    wanted = call.headers.get("accept", "") + question.values.get("_accept", "")
    if "application/json" not in wanted:
        return html_reply(200, pages.api_browser(call.path))
    with library.lock:
        desk = Desk(library, Shaper(library, base, is_owner=bool(level and level.access == "Full")), level)
        try:
            composed = _compose(call, question, desk)
        except Moved as exc:
            query = f"?{call.query}" if call.query else ""
            return problem(301, "Moved Permanently", headers={"Location": f"{exc.path}{query}"})
        except tuple(PROBLEMS) as exc:
            return problem(*PROBLEMS[type(exc)])
    indent = 1 if "_pretty" in question.values else None
    body = json.dumps(composed, indent=indent).encode()
    return Reply(composed["Code"], body, HEADERS, objects=count_objects(composed))


# What a 404, 405 and 403 say is not known word by word.
PROBLEMS: dict[type[Exception], tuple[int, str]] = {
    NotFound: (404, "Not Found"),
    BadQuestion: (400, "Bad Request"),
    NotAllowed: (405, "Method Not Allowed"),
    NotGranted: (403, NOT_GRANTED),
}


def _compose(call: Call, question: Question, desk: Desk) -> Item:
    method = method_of(call, question)
    if method == "GET":
        return compose(question, desk.find(question), desk.look_up)
    return write(call, method, question, desk)
