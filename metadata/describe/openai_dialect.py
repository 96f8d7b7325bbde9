"""What a server that speaks OpenAI's language takes, found out by asking: what it refuses is left out from then on.

OpenAI takes all of them; servers at home lack some, and which ones changes with their version and model.
"""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import openai

from metadata.describe.brief import Brief
from metadata.describe.errors import BadAnswer, CutOff
from metadata.describe.openai_errors import text_of
from metadata.describe.prompt import FACTS_LEAD, FORM_IN_WORDS, SCHEMA

ANSWER_TOKENS = 4_000  # an answer takes about 200, and a thinking model some more; beyond, it rambles
REFUSAL_SECONDS = 0.5  # a server refuses an option at once, before its model begins to work
DOUBTS = 50  # nonsense answers that are blamed on the form before they are blamed on the model
REFUSING = {400, 422, 501}

SCHEMA_FORM: Any = {"type": "json_schema", "json_schema": {"name": "photo", "strict": True, "schema": SCHEMA}}
OBJECT_FORM: Any = {"type": "json_object"}

Without = frozenset[str]  # names of the options that are left out

_ABOUT_FORM = r"response_?format|json_schema|json_object|structured output|grammar"
# How servers name an option. `"detail":` alone is where FastAPI puts any error.
_NAMED = {
    "json_schema": re.compile(_ABOUT_FORM),
    "json_object": re.compile(_ABOUT_FORM),
    "detail": re.compile(r"""\bdetail\b(?!["']?\s*:)"""),
    "reasoning_effort": re.compile(r"reasoning_effort|support\w* (reasoning|thinking)|(reasoning|thinking) is not"),
    "max_completion_tokens": re.compile(r"\bmax_completion_tokens\b"),
    "max_tokens": re.compile(r"\bmax_tokens\b"),
}
# A wrong effort is for a person to put right: to leave "none" out would make the model think, and cost more.
_WRONG_VALUE = re.compile(r"\bvalues?\b")


class Dialect:
    """What one server has refused so far, shared by all threads that ask it."""

    def __init__(self) -> None:
        self.without: Without = frozenset()
        self._lock = threading.Lock()
        self._first = threading.Lock()
        self._known = threading.Event()
        self._is_settled = False
        self._doubts = 0

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """The first call goes ahead for as long as a refusal takes, so that the others need not be refused as well."""
        is_first = self._first.acquire(blocking=False)  # and never let go
        if not is_first:
            self._known.wait(REFUSAL_SECONDS)
        try:
            yield
        finally:
            if is_first:
                self._known.set()

    def learn(self, option: str) -> Without:
        """From now on this option is left out; gives what is left out now."""
        with self._lock:
            self.without |= {option}
            return self.without

    def after_nonsense(self, exc: BadAnswer, without: Without) -> Without:
        """What to leave out next when a request without these was answered with nonsense: the form too, which a server
        may ignore rather than refuse. Raises `exc` where it is not the form's fault, or none is left to leave out.
        """
        form = _form_of(without)
        with self._lock:
            self._doubts += not self._is_settled
            may_be_the_form = form in self.without or not (self._is_settled or self._doubts > DOUBTS)
            if isinstance(exc, CutOff) or not form or not may_be_the_form:
                raise exc
            return self.without | without | {form}

    def understood(self, without: Without) -> None:
        """A usable answer came to a request without these. What was left out for the first of them stays left out."""
        with self._lock:
            if not self._is_settled:
                self._is_settled = True
                self.without |= without


def request(jpeg: bytes, brief: Brief, effort: str | None, without: Without) -> dict[str, Any]:
    """The arguments of a chat completion in which none of these options stands.

    What is the same for many photos goes first: cached input costs a tenth.
    """
    form = _form_of(without)
    instructions = brief.instructions if form == "json_schema" else f"{brief.instructions}\n\n{FORM_IN_WORDS}"
    messages = [
        {"role": "system", "content": instructions},
        {"role": "user", "content": [*_facts(brief.facts), _picture(jpeg, without)]},
    ]
    options = {
        "response_format": {"json_schema": SCHEMA_FORM, "json_object": OBJECT_FORM}.get(form),
        "reasoning_effort": None if "reasoning_effort" in without else effort,
        _limit_of(without): ANSWER_TOKENS,
    }
    return {"messages": messages} | {name: value for name, value in options.items() if name and value}


def refused_option(error: Exception, asked: Mapping[str, Any], without: Without) -> str:
    """The option of the request that the error names as one that the server does not take; "" for any other error."""
    if not isinstance(error, openai.APIStatusError) or error.status_code not in REFUSING | {500}:
        return ""
    text = text_of(error)
    sent = [_form_of(without)]
    if error.status_code in REFUSING:  # 500 is llama-cpp-python's way to refuse a form, and no other option
        sent += ["" if "detail" in without else "detail", _limit_of(without)]
        sent += ["reasoning_effort"] if "reasoning_effort" in asked and not _WRONG_VALUE.search(text) else []
    return next((name for name in sent if name and _NAMED[name].search(text)), "")


def _form_of(without: Without) -> str:
    """json_schema, json_object, or "" where the form can only be asked for in words."""
    return next((form for form in ("json_schema", "json_object") if form not in without), "")


def _limit_of(without: Without) -> str:
    return next((name for name in ("max_completion_tokens", "max_tokens") if name not in without), "")


def _facts(facts: str) -> list[dict[str, Any]]:
    """The facts as a part of the message, each of their lines quoted."""
    quoted = "\n".join(f"> {line}" for line in facts.splitlines() if line.strip())
    return [{"type": "text", "text": f"{FACTS_LEAD}\n{quoted}"}] if quoted else []


def _picture(jpeg: bytes, without: Without) -> dict[str, Any]:
    url = {"url": "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")}
    # Without `detail`, some models bill a picture by its full size.
    return {"type": "image_url", "image_url": url if "detail" in without else url | {"detail": "high"}}
