"""The API keeps to its own document, whatever is sent: no mistake of ours, no answer that is not told there.

Schemathesis makes the requests from the document, well-formed and broken ones, the same in every run; they go to the
WSGI application with a person's token. What a request writes is taken back before the next.
"""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, settings
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi import checks

from metadata import process
from smugmug.models import Account
from targetvision import tokens
from targetvision.api import api
from tests.factories import (
    AIMetadataFactory,
    AlbumFactory,
    ChangeFactory,
    ChangeSetFactory,
    DecisionFactory,
    ExportFactory,
    PhotoFactory,
    ProcessingRunFactory,
    SyncRunFactory,
)

EXAMPLES = 12  # drawn at random for each operation, beside those at the limits of each value
KNOWN = UUID("00000000-0000-4000-8000-000000000001")  # the id of every row that there is
KEY = "KNOWN"
UNKNOWN_EACH = 4  # of so many ids that are sent, one is of nothing
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]

load_all_checks()
schema = schemathesis.openapi.from_dict(
    copy.deepcopy(api.get_openapi_schema()),  # it is everybody's
    config=SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "warnings": False,
            "generation": {
                "deterministic": True,
                "database": "none",
                "max-examples": EXAMPLES,
                "no-shrink": True,
                "with-security-parameters": False,
            },
            "phases": {"stateful": {"enabled": False}},
        }
    ),
)


@functools.cache
def application() -> Any:
    """Made by the first test, since what it looks for is there only then."""
    return get_wsgi_application()


schema.app = lambda environ, start_response: application()(environ, start_response)


@pytest.fixture
def _connection_stays() -> Iterator[None]:
    """As with Django's own test client: the end of a request does not end the test's transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def program(library_of_ada: Account, enqueued: list[Any], describer: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The headers of ada's program; in her library there is one of everything, all with the same id."""
    monkeypatch.setattr(process, "configured_describer", lambda: describer)
    album = AlbumFactory(pk=KNOWN, account=library_of_ada, album_key=KEY)
    AIMetadataFactory(pk=KNOWN, photo=PhotoFactory(pk=KNOWN, album=album), described=True)
    for rows in (SyncRunFactory, ProcessingRunFactory, DecisionFactory, ExportFactory, ChangeSetFactory):
        rows(pk=KNOWN, account=library_of_ada)
    ChangeFactory(change_set_id=KNOWN, photo_id=KNOWN)
    _, token = tokens.make(library_of_ada.owner, name="Schemathesis")
    return {"Authorization": f"Bearer {token}"}


def acquaint(values: Any, turns: Iterator[int], **known: str) -> None:
    """Put what there is in the place of most well-formed ids, and of what `known` names."""
    for name, value in values.items() if isinstance(values, dict) else ():
        if isinstance(value, str) and (name in known or is_id(value)) and next(turns) % UNKNOWN_EACH:
            values[name] = known.get(name, str(KNOWN))


def is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


@pytest.mark.usefixtures("_connection_stays")
@schema.parametrize()
@settings(suppress_health_check=list(HealthCheck), deadline=None)
def test_operation_answers_as_the_document_says(
    case: Any, program: dict[str, str], library_of_ada: Account, turns: Iterator[int]
) -> None:
    known = {"account": library_of_ada.nickname, "album_key": KEY} if case.meta.generation.mode.is_positive else {}
    for values in (case.path_parameters, case.query, case.body):
        acquaint(values, turns, **known)

    with transaction.atomic():
        case.call_and_validate(headers=program, checks=CHECKS)
        transaction.set_rollback(True)


@pytest.fixture
def turns() -> Iterator[int]:
    return itertools.count()
