"""The ways of the API that are the same for every operation: who gets in, how trouble is told, pages, documentation."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from smugmug import sync
from smugmug.models import SyncRun
from targetvision import tokens
from targetvision.api import api
from tests.conftest import signed_in
from tests.factories import AlbumFactory, UserFactory
from tests.targetvision.test_laws import INLINE

START = "/api/smugmug/sync"
ALBUMS = "/api/smugmug/albums"
PROBLEM = "application/problem+json"


def problem(response: Any, status: int) -> str:
    """The sentence of the response, which is a problem of that status and nothing else."""
    assert response.status_code == status
    assert response["Content-Type"] == PROBLEM
    told = response.json()
    assert told["status"] == status
    assert {"type", "title", "status", "detail"} <= told.keys()
    assert ("errors" in told) == (status == 422)
    assert int(response["Content-Length"]) == len(response.content)
    return str(told["detail"])


def post(client: Client, url: str = START, body: Any = None, **kwargs: Any) -> Any:
    return client.post(url, body if isinstance(body, str) else json.dumps(body or {}), "application/json", **kwargs)


# --- Getting in


@pytest.mark.parametrize("headers", [{}, {"hx-request": "true"}, {"accept": "text/html"}])
def test_ask_without_signing_in_is_401_and_no_way_to_a_page(db, headers):
    asked = Client(headers=headers).get(ALBUMS)
    begun = post(Client(headers=headers))

    for response in (asked, begun):
        assert "Sign in" in problem(response, 401)
        assert response["WWW-Authenticate"] == 'Bearer realm="TargetVision"'
        assert {"Location", "HX-Redirect"}.isdisjoint(response.headers)
    assert not SyncRun.objects.exists()


def test_schema_is_for_the_signed_in(db, owner_client):
    problem(Client().get("/api/openapi.json"), 401)

    assert owner_client.get("/api/openapi.json").json()["info"]["title"] == "TargetVision"


def test_docs_without_signing_in_lead_to_the_sign_in_page(db):
    response = Client().get("/api/docs")

    assert response["Location"].startswith("/sign-in/")


def test_change_without_the_csrf_token_is_forbidden(ada, library_of_ada, enqueued):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)

    assert "X-CSRFToken" in problem(post(client), 403)
    assert (SyncRun.objects.count(), enqueued) == (0, [])


def test_change_with_the_csrf_token_is_made(ada, library_of_ada, enqueued):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    client.get("/settings/")
    token = client.cookies[django_settings.CSRF_COOKIE_NAME].value

    response = post(client, headers={"X-CSRFToken": token})

    assert response.status_code == 202
    assert SyncRun.objects.count() == 1


def test_change_with_the_token_from_elsewhere_is_forbidden(ada, library_of_ada, enqueued):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    client.get("/settings/")
    token = client.cookies[django_settings.CSRF_COOKIE_NAME].value

    response = post(client, headers={"X-CSRFToken": token, "Origin": "https://evil.example"})

    problem(response, 403)
    assert (SyncRun.objects.count(), enqueued) == (0, [])


def test_answer_is_kept_in_no_cache(owner_client, library_of_ada):
    assert owner_client.get(ALBUMS)["Cache-Control"] == "private, no-store"


# --- Trouble


def test_get_of_an_unknown_address_is_404(owner_client):
    assert "/api/docs" in problem(owner_client.get("/api/nothing/here"), 404)
    problem(owner_client.get("/api/"), 404)


def test_other_method_is_405_and_says_which_are_taken(owner_client):
    response = owner_client.get(START)

    problem(response, 405)
    assert response["Allow"] == "POST"


@pytest.mark.parametrize("body", ["{", "{'kind': 'full'}", "[" * 100_000, "\x00", '{"limit": ' + "9" * 5_000 + "}"])
def test_post_of_what_is_no_json_is_400(body, owner_client, library_of_ada, enqueued):
    assert problem(post(owner_client, body=body), 400) == "The body is not JSON."
    assert (SyncRun.objects.count(), enqueued) == (0, [])


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "text/plain"])
def test_post_of_a_form_is_415(kind, ada, library_of_ada, enqueued):
    for client in (signed_in(ada), Client(enforce_csrf_checks=True)):
        client.force_login(ada)

        response = client.post(START, "kind=full", content_type=kind)

        assert "application/json" in problem(response, 415)
    assert (SyncRun.objects.count(), enqueued) == (0, [])


def test_post_in_another_encoding_is_400(owner_client, library_of_ada, enqueued):
    response = owner_client.post(START, "{}", content_type="application/json; charset=utf-7")

    assert problem(response, 400) == "Send this in UTF-8."
    assert enqueued == []


def test_post_of_a_huge_body_is_400(owner_client, library_of_ada, enqueued):
    problem(post(owner_client, body='{"account": "' + "x" * 3_000_000 + '"}'), 400)

    assert enqueued == []


def test_foreign_host_is_400(db):
    problem(Client(headers={"host": "evil.example"}).get(ALBUMS), 400)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("[]", ""),
        ("5", ""),
        ('"full"', ""),
        ('{"kind": "all"}', "kind"),
        ('{"kind": 5}', "kind"),
        ('{"kind": null}', "kind"),
        ('{"acount": "ada"}', "acount"),
        ('{"account": ["ada"]}', "account"),
        ('{"account": "\\u0000"}', "account"),
        ('{"account": "\\ud800"}', "account"),
        (json.dumps({"account": "x" * 121}), "account"),
    ],
)
def test_post_of_the_wrong_shape_is_422_and_says_where(body, field, owner_client, library_of_ada, enqueued):
    response = post(owner_client, body=body)

    sentence = problem(response, 422)
    assert sentence.startswith(field or "The body")
    assert [(error["where"], error["field"]) for error in response.json()["errors"]] == [("body", field)]
    assert (SyncRun.objects.count(), enqueued) == (0, [])


def test_post_with_two_mistakes_says_both(owner_client, library_of_ada):
    response = post(owner_client, body={"kind": "all", "acount": "ada"})

    assert problem(response, 422) == "kind should be 'full', 'incremental' or 'verify'. (1 more in errors)"
    assert response.json()["errors"][1] == {"where": "body", "field": "acount", "detail": "is not known here."}


def test_mistake_of_ours_is_500_without_what_it_was(ada, library_of_ada, monkeypatch, settings):
    def crash(*_: Any, **__: Any) -> None:
        raise RuntimeError("to-look-for")

    monkeypatch.setattr(sync, "start", crash)
    client = Client(raise_request_exception=False)
    client.force_login(ada)

    for settings.DEBUG in (False, True):
        response = post(client)

        problem(response, 500)
        assert "to-look-for" not in response.text


# --- Pages


def test_list_is_given_in_pages_that_lead_to_each_other(owner_client, library_of_ada):
    keys = [AlbumFactory(account=library_of_ada, title="a & b").album_key for _ in range(5)]

    first = owner_client.get(f"{ALBUMS}?q=a %26 b&page_size=2").json()
    second = owner_client.get(first["next"]).json()
    third = owner_client.get(second["next"]).json()

    assert [each["album_key"] for page in (first, second, third) for each in page["items"]] == sorted(keys)
    assert (first["page"], first["pages"], first["page_size"], first["total"]) == (1, 3, 2, 5)
    assert (first["previous"], third["next"]) == (None, None)
    assert owner_client.get(second["previous"]).json() == first


@pytest.mark.parametrize("page", ["2", "1000000000", "9" * 400])
def test_page_beyond_the_last_is_404_and_reads_no_row(page, owner_client, library_of_ada):
    AlbumFactory(account=library_of_ada)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        response = owner_client.get(f"{ALBUMS}?page={page}")

    assert problem(response, 404) == "There is no such page: this list has 1 page of 50."
    assert [each["sql"] for each in queries if "OFFSET" in each["sql"]] == []


def test_first_page_of_nothing_is_empty(owner_client, library_of_ada):
    answer = owner_client.get(ALBUMS).json()

    assert (answer["items"], answer["total"], answer["pages"]) == ([], 0, 1)


@pytest.mark.parametrize("query", ["page=0", "page=-1", "page=x", "page=1e9", "page_size=0", "page_size=101", "q=%00"])
def test_page_that_makes_no_sense_is_422(query, owner_client, library_of_ada):
    response = owner_client.get(f"{ALBUMS}?{query}")

    assert problem(response, 422).startswith(query.partition("=")[0])
    assert response.json()["errors"][0]["where"] == "query"


# --- Documentation


@pytest.fixture
def schema(db) -> dict[str, Any]:
    return json.loads(json.dumps(api.get_openapi_schema()))


def operations(schema: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, each) for path, methods in schema["paths"].items() for method, each in methods.items()]


def test_schema_tells_every_answer_of_every_operation(schema):
    for path, method, operation in operations(schema):
        statuses = set(operation["responses"])
        assert statuses & {"200", "201", "202"}, path
        assert statuses >= {"401", "404", "422"}, path
        assert method == "get" or statuses >= {"400", "403", "415"}, path
        for status, answer in operation["responses"].items():
            media = PROBLEM if status >= "400" else "application/json"
            if any(each["schema"].get("format") == "binary" for each in answer["content"].values()):
                continue  # a file
            assert list(answer["content"]) == [media], (path, status)
            assert answer["content"][media]["schema"]["$ref"]


def test_schema_names_only_what_there_is(schema):
    named = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(schema)))

    assert named == schema["components"]["schemas"].keys()
    ids = [operation["operationId"] for _, _, operation in operations(schema)]
    assert len(ids) == len(set(ids)) >= 45


def test_schema_calls_no_two_shapes_by_one_name(db):
    """Ninja would let the last one stand for both."""
    shapes: dict[str, Any] = {}
    for _, router in api._routers:
        for view in router.path_operations.values():
            for operation in view.operations:
                for model in [*operation.models, *filter(None, operation.response_models.values())]:
                    for mode in ("validation", "serialization"):
                        for name, shape in model.model_json_schema(mode=mode).get("$defs", {}).items():
                            assert shapes.setdefault((mode, name), shape) == shape, name
    assert ("serialization", "RunState") in shapes


def test_schema_says_when_to_come_again(schema):
    limited = [each["responses"]["429"] for _, _, each in operations(schema) if "429" in each["responses"]]

    assert len(limited) == 3
    assert all("Retry-After" in answer["headers"] for answer in limited)


def test_docs_show_every_operation_and_shape(owner_client, schema):
    page = owner_client.get("/api/docs").text

    for path, _, operation in operations(schema):
        assert f"<code>{path}</code>" in page
        article = page.partition(f'id="{operation["operationId"]}"')[2].partition("</article>")[0]
        assert set(re.findall(r"\b([1-5]\d\d)(?:</b>)? [A-Z]", article)) >= {*operation["responses"]}
    for name in schema["components"]["schemas"]:
        assert f'id="shape-{name}"' in page
    targets = set(re.findall(r'href="#([\w-]+)"', page)) - {"main"}
    assert targets <= set(re.findall(r'id="([\w-]+)"', page))
    assert INLINE.findall(page) == []


def test_docs_are_linked_from_the_settings(owner_client):
    assert 'href="/api/docs"' in owner_client.get("/settings/").text


@pytest.mark.skipif(not shutil.which("curl"), reason="the page speaks of curl, and there is none to try it with")
@pytest.mark.django_db(transaction=True)
def test_docs_examples_work_in_a_shell_that_has_a_token(live_server, tmp_path):
    _, token = tokens.make(UserFactory(), name="shell")
    docs = signed_in(UserFactory()).get("/api/docs", headers={"host": live_server.url.partition("//")[2]})
    blocks = [html.unescape(text) for text in re.findall("<pre[^>]*><code>(.*?)</code>", docs.text, re.DOTALL)]
    begin = blocks[0].replace("tv_…", token)
    asks = next(block for block in blocks if "/api/smugmug/accounts" in block)
    begins = next(block for block in blocks if block.endswith("/api/smugmug/sync"))

    def said(script: str) -> dict[str, Any]:
        done = subprocess.run(["sh", "-ec", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        return json.loads(done.stdout)

    assert said(f"{begin}\n{asks}")["items"] == []
    assert said(f"{begin}\n{begins}")["status"] == 404  # of the operation itself: the person has no library
