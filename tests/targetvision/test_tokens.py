"""Tokens: made, shown once, sent with a request, revoked, and kept as a hash alone."""

from __future__ import annotations

import datetime
import hashlib
import logging
import re
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from smugmug import images
from smugmug.models import SyncRun
from targetvision import logs, tokens
from targetvision.forms import TokenForm
from targetvision.models import ApiToken
from tests.conftest import signed_in, together
from tests.factories import AlbumFactory, PhotoFactory, UserFactory
from tests.targetvision.test_api import ALBUMS, START, post, problem

PAGE = "/settings/tokens/"
SHOWN = re.compile(r"tv_[0-9a-f]{64}")


def bearer(text: str, **kwargs: Any) -> Client:
    """A program that sends the token, and knows nothing of sessions and CSRF."""
    return Client(headers={"Authorization": f"Bearer {text}"}, enforce_csrf_checks=True, **kwargs)


def revoke_url(token: ApiToken) -> str:
    return reverse("revoke_token", args=[token.pk])


@pytest.fixture
def token(ada: Any) -> tuple[ApiToken, str]:
    return tokens.make(ada, name="Backup script")


# --- The page


def test_make_shows_the_token_once_and_keeps_its_hash_alone(owner_client, ada, caplog):
    caplog.set_level(logging.DEBUG)

    response = owner_client.post(PAGE, {"name": "  Backup   script ", "days": ""})

    [text] = set(SHOWN.findall(response.text))
    made = ApiToken.objects.get()
    assert (response.status_code, response["Cache-Control"]) == (200, "private, no-store")
    assert (made.user, made.name, made.hash) == (ada, "Backup script", hashlib.sha256(text.encode()).hexdigest())
    assert (made.expires_at, made.last_used_at, made.revoked_at) == (None, None, None)
    again = owner_client.get(PAGE)
    assert "Backup script" in again.text
    for place in (again.text, caplog.text, str(response.headers), str(owner_client.cookies), everything_stored()):
        assert text not in place
        assert text.removeprefix("tv_") not in place
    assert made.hash not in response.text + again.text


def everything_stored() -> str:
    """Every row of every table, as text; and what the session and the cache hold."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            found += [str(row) for row in cursor.fetchall()]
    assert any("Backup script" in row for row in found)
    return "".join(found)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({}, "Give it a name"),
        ({"name": " \t "}, "Give it a name"),
        ({"name": "x" * 61}, "at most 60 characters"),
        ({"name": "x", "days": "5"}, "not one of the available choices"),
        ({"name": "backup SCRIPT"}, "You have a token of that name."),
    ],
)
def test_make_with_a_mistake_is_422_beside_the_field_and_makes_none(data, sentence, owner_client, token):
    response = owner_client.post(PAGE, data)

    assert response.status_code == 422
    assert sentence in response.text
    assert SHOWN.search(response.text) is None
    assert ApiToken.objects.count() == 1


def test_make_beyond_the_limit_is_refused_until_one_is_revoked(owner_client, ada, monkeypatch):
    monkeypatch.setattr(tokens, "MOST", 2)
    first, _ = tokens.make(ada, name="1")
    tokens.make(ada, name="2")
    tokens.make(UserFactory(), name="somebody else’s")

    refused = owner_client.post(PAGE, {"name": "3"})
    owner_client.post(revoke_url(first))
    taken = owner_client.post(PAGE, {"name": "3"})

    assert (refused.status_code, taken.status_code) == (422, 200)
    assert "You have 2 tokens" in refused.text
    assert set(ApiToken.objects.visible_to(ada).kept().values_list("name", flat=True)) == {"2", "3"}


def test_page_shows_own_tokens_alone_and_takes_no_more_queries_for_more(owner_client, ada, token):
    with CaptureQueriesContext(connection) as few:
        owner_client.get(PAGE)
    gone, _ = tokens.make(ada, name="Gone")
    tokens.revoke(gone)
    for number in range(2):
        tokens.make(ada, name=f"Mine {number}", days=30)
        tokens.make(UserFactory(), name=f"Foreign {number}")

    with CaptureQueriesContext(connection) as many:
        text = owner_client.get(PAGE).text

    assert len(many) == len(few)
    assert all(name in text for name in ("Backup script", "Mine 0", "Mine 1", "Gone"))
    assert "Foreign" not in text
    assert (text.count("/revoke"), revoke_url(gone) in text) == (3, False)


def test_revoke_by_a_stranger_is_404_and_the_token_stays(stranger_client, token):
    response = stranger_client.post(revoke_url(token[0]))

    assert response.status_code == 404
    assert "Backup script" not in stranger_client.get(PAGE).text
    assert bearer(token[1]).get(ALBUMS).status_code == 200


def test_revoke_twice_keeps_the_first_time(owner_client, token):
    owner_client.post(revoke_url(token[0]))
    first = ApiToken.objects.get().revoked_at

    response = owner_client.post(revoke_url(token[0]), follow=True)

    assert "was revoked before" in response.text
    assert ApiToken.objects.get().revoked_at == first is not None


@pytest.mark.django_db(transaction=True)
def test_revoke_by_two_at_once_is_won_by_one(token):
    won: list[bool] = []

    together(*[lambda: won.append(tokens.revoke(ApiToken.objects.get()))] * 2)

    assert sorted(won) == [False, True]
    assert ApiToken.objects.get().revoked_at


@pytest.mark.django_db(transaction=True)
def test_make_by_two_at_once_does_not_pass_the_limit(ada, monkeypatch):
    monkeypatch.setattr(tokens, "MOST", 1)
    refused: list[str] = []

    def make(name: str) -> None:
        try:
            tokens.make(ada, name=name)
        except tokens.NotPossible as exc:
            refused.append(str(exc))

    together(lambda: make("a"), lambda: make("b"))

    assert (ApiToken.objects.count(), len(refused)) == (1, 1)


def test_settings_and_docs_lead_to_the_page(owner_client):
    assert f'href="{PAGE}"' in owner_client.get("/settings/").text
    assert f'href="{PAGE}"' in owner_client.get("/api/docs").text


def test_form_of_odd_text_makes_no_token(db):
    assert TokenForm({"name": "a\x00b"}).errors
    assert TokenForm({"name": "a\ud800b"}).errors


def test_admin_shows_no_hash_and_shuts_out(token):
    client = signed_in(UserFactory(is_staff=True, is_superuser=True))
    listed = client.get("/admin/targetvision/apitoken/").text
    shown = client.get(f"/admin/targetvision/apitoken/{token[0].pk}/change/").text

    done = client.post("/admin/targetvision/apitoken/", {"action": "revoke", "_selected_action": [str(token[0].pk)]})

    assert "Backup script" in listed
    assert "Backup script" in shown
    assert token[0].hash not in listed + shown
    assert client.get("/admin/targetvision/apitoken/add/").status_code == 403
    assert done.status_code == 302
    assert ApiToken.objects.get().revoked_at


# --- What it opens


def test_token_reads_and_changes_as_its_person_without_csrf(token, library_of_ada, enqueued):
    AlbumFactory(account=library_of_ada, title="Zoo")
    AlbumFactory(title="Somebody else’s")
    program = bearer(token[1])

    albums = program.get(ALBUMS).json()["items"]
    begun = post(program)

    assert [album["title"] for album in albums] == ["Zoo"]
    assert begun.status_code == 202
    assert SyncRun.objects.get().requested_by == token[0].user
    assert "sessionid" not in str(program.cookies)
    assert program.get("/api/openapi.json").status_code == 200


def test_token_of_a_viewer_may_not_change(viewer_client, library_of_ada, enqueued):
    _, text = tokens.make(library_of_ada.memberships.get(role="viewer").user, name="x")

    problem(post(bearer(text)), 403)
    assert (SyncRun.objects.count(), enqueued) == (0, [])


def test_token_shows_the_pictures_that_the_api_names(token, library_of_ada, smugmug):
    photo = PhotoFactory(album__account=library_of_ada)
    foreign = PhotoFactory()

    assert bearer(token[1]).get(images.address(photo, "thumb")).status_code != 302
    assert bearer(token[1]).get(images.address(foreign, "thumb")).status_code == 404
    assert bearer("tv_" + "0" * 64).get(images.address(photo, "thumb")).status_code == 401


@pytest.mark.parametrize("address", ["/", PAGE, "/api/docs", "/admin/"])
def test_token_opens_no_page(address, token):
    response = bearer(token[1]).get(address)

    assert response.status_code == 302
    assert response["Location"].startswith(("/sign-in/", "/admin/login/"))


def test_token_makes_no_token(token):
    assert bearer(token[1]).post(PAGE, {"name": "another"}).status_code in {302, 403}
    assert ApiToken.objects.count() == 1


def test_token_takes_json_alone(token, library_of_ada, enqueued):
    response = bearer(token[1]).post(START, {"kind": "full"})

    problem(response, 415)
    assert enqueued == []


@pytest.mark.parametrize("case", ["revoked", "expired", "inactive", "unknown", "half", "empty", "odd"])
def test_token_that_is_no_good_is_401_even_beside_a_session(case, token, library_of_ada, enqueued):
    made, text = token
    text = {"unknown": "tv_" + "0" * 64, "half": text[:40], "empty": "", "odd": "tv_\xff"}.get(case, text)
    if case == "revoked":
        tokens.revoke(made)
    if case == "expired":
        ApiToken.objects.update(expires_at=timezone.now() - datetime.timedelta(seconds=1))
    if case == "inactive":
        made.user.is_active = False
        made.user.save()
    program = bearer(text)
    if case != "inactive":
        program.force_login(made.user)

    for response in (program.get(ALBUMS), post(program), program.get("/api/openapi.json")):
        sentence = problem(response, 401)
        assert response["WWW-Authenticate"] == 'Bearer realm="TargetVision", error="invalid_token"'
        assert text not in sentence or not text
    assert (SyncRun.objects.count(), enqueued) == (0, [])
    assert ApiToken.objects.get().last_used_at is None


def test_token_revoked_in_mid_run_is_refused_at_the_next_request_and_the_run_goes_on(
    token, owner_client, library_of_ada, enqueued
):
    program = bearer(token[1])
    started = post(program).json()
    before = program.get(started["status_url"])

    owner_client.post(revoke_url(token[0]))
    after = program.get(started["status_url"])

    assert before.json()["state"] == "queued"
    assert "was revoked" in problem(after, 401)
    assert SyncRun.objects.get().is_active
    assert "runs that were started go on" in owner_client.get("/api/docs").text


def test_token_lasts_as_long_as_was_said(ada):
    made, text = tokens.make(ada, name="x", days=30)

    with time_machine.travel(timezone.now() + datetime.timedelta(days=29), tick=False):
        assert bearer(text).get(ALBUMS).status_code == 200
    with time_machine.travel(timezone.now() + datetime.timedelta(days=31), tick=False):
        assert "past its time" in problem(bearer(text).get(ALBUMS), 401)
    assert made.expires_at


def test_use_is_noted_once_a_minute(token):
    program, start = bearer(token[1]), timezone.now().replace(microsecond=0)
    noted = []

    for seconds in (0, 59, 61):
        with time_machine.travel(start + datetime.timedelta(seconds=seconds), tick=False):
            with CaptureQueriesContext(connection) as queries:
                program.get(ALBUMS)
            writes = sum(each["sql"].startswith("UPDATE") for each in queries)
        noted.append(((ApiToken.objects.get().last_used_at - start).total_seconds(), writes))

    assert noted == [(0, 1), (0, 0), (61, 1)]


def test_other_scheme_is_not_looked_at(token, owner_client, caplog, settings):
    settings.DEBUG = True
    program = Client(headers={"Authorization": f"Token {token[1]}"})

    problem(program.get(ALBUMS), 401)

    assert token[1] not in caplog.text


def test_log_never_says_a_token():
    record = logging.LogRecord("x", logging.INFO, "", 0, "GET /api/?token=%s", ("tv_" + "a1" * 32,), None)

    for line in (logs.TextLine().format(record), logs.JsonLine().format(record)):
        assert "a1a1" not in line
        assert "tv_…" in line or "tv_\\u2026" in line


def test_database_refuses_two_tokens_of_a_name(token, ada):
    with pytest.raises(tokens.NotPossible, match="of that name"), transaction.atomic():
        tokens.make(ada, name="BACKUP SCRIPT")
    tokens.make(UserFactory(), name="Backup script")

    tokens.revoke(token[0])
    tokens.make(ada, name="Backup script")

    live = [each.is_live for each in ApiToken.objects.order_by("created_at")]
    assert live == [False, True, True]
