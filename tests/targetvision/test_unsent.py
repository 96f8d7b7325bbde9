"""What was typed while the session ran out is kept, shown, and sent only by the press of a person."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

from metadata.models import AIMetadata
from smugmug.models import Account
from targetvision import unsent
from tests.conftest import HTMX
from tests.factories import AIMetadataFactory, AlbumFactory, MembershipFactory, PhotoFactory, UserFactory

pytestmark = pytest.mark.django_db

PASSWORD = "a long password"
TYPED = "A long text of grace’s,\nwith “quotes” & <marks>."
HERE = {"origin": "http://localhost", "host": "localhost", "referer": "http://localhost/review/"}
ELSEWHERE = {"origin": "https://evil.example.org", "host": "localhost"}


@pytest.fixture
def grace(library_of_ada: Account) -> Any:
    user = UserFactory(username="grace", password=PASSWORD)
    MembershipFactory(user=user, account=library_of_ada, role="curator")
    return user


@pytest.fixture
def words(library_of_ada: Account) -> AIMetadata:
    return AIMetadataFactory(photo=PhotoFactory(album=AlbumFactory(account=library_of_ada)), described=True)


def form_of(words: AIMetadata, **more: Any) -> dict[str, Any]:
    typed = {"title": "A cat", "description": TYPED, "alt_text": "", "tags": "cat", "categories": ["Animals", "Music"]}
    return {"version": words.version, **typed, **more}


def approve_url(words: AIMetadata) -> str:
    return f"/review/{words.pk}/approve?lane=read"


def hidden(page: str, name: str) -> list[str]:
    """The values of the hidden fields of that name."""
    return [html.unescape(value) for value in re.findall(rf'type="hidden" name="{name}" value="([^"]*)"', page)]


def sign_in(client: Client, carried: str, *, password: str = PASSWORD) -> Any:
    return client.post("/sign-in/", {"username": "grace", "password": password, "next": "/", "unsent": carried})


def test_post_without_a_session_is_kept_through_the_sign_in_and_sent_by_a_press(grace, words, enqueued):
    client = Client()

    gate = client.post(approve_url(words), form_of(words))
    [carried] = hidden(gate.text, "unsent")
    wrong = sign_in(client, carried, password="wrong")
    page = sign_in(client, hidden(wrong.text, "unsent")[0])

    assert (gate.status_code, wrong.status_code, page.status_code) == (401, 422, 200)
    assert "What you sent is kept on this page" in gate.text
    assert f'action="{approve_url(words)}"' in page.text
    assert html.escape(TYPED, quote=True).replace("&#x27;", "’") in page.text
    assert hidden(page.text, "description") == [TYPED]
    assert hidden(page.text, "categories") == ["Animals", "Music"]
    words.refresh_from_db()
    assert (words.review_status, words.version) == ("unreviewed", 1)

    fields = {name: hidden(page.text, name) for name in form_of(words)}
    client.post(approve_url(words), fields)

    words.refresh_from_db()
    assert (words.review_status, words.ai_description, words.approved_by) == ("approved", TYPED, "user:grace")


def test_post_without_a_session_and_with_nothing_typed_leads_to_the_sign_in_and_back_to_its_page(grace, words):
    response = Client().post(approve_url(words), headers=HERE)

    assert (response.status_code, response["Location"]) == (302, "/sign-in/?next=/review/")


@pytest.mark.parametrize("more", [{"description": "x" * (unsent.MOST + 1)}, {"old_password": "a secret"}])
def test_post_without_a_session_that_cannot_be_kept_says_so_and_keeps_nothing(grace, words, more):
    response = Client().post(approve_url(words), form_of(words, **more))

    assert response.status_code == 401
    assert "This could not be kept here" in response.text
    assert hidden(response.text, "unsent") == []
    assert "a secret" not in response.text


def test_part_of_a_page_without_a_session_is_not_answered_with_a_form(grace, words):
    response = Client().post(approve_url(words), form_of(words), headers=HTMX)

    assert response["HX-Redirect"].startswith("/sign-in/")
    assert response.content == b""


def test_sign_in_slowed_keeps_what_was_sent(grace, words):
    client = Client()
    [carried] = hidden(client.post(approve_url(words), form_of(words)).text, "unsent")
    for _ in range(6):
        sign_in(client, carried, password="wrong")

    slowed = sign_in(client, carried)

    assert slowed.status_code == 429
    assert unsent.Unsent.opened(hidden(slowed.text, "unsent")[0]) == unsent.Unsent.opened(carried)
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("forged", ["", "nonsense", "a:b:c"])
def test_sign_in_with_something_nobody_sealed_leads_on_as_always(grace, forged):
    response = sign_in(Client(), forged)

    assert (response.status_code, response["Location"]) == (302, "/")


def test_sign_in_sent_again_by_who_is_signed_in_by_now_shows_what_is_kept(grace, words):
    client = Client()
    [carried] = hidden(client.post(approve_url(words), form_of(words)).text, "unsent")
    client.force_login(grace)

    response = sign_in(client, carried)

    assert response.status_code == 200
    assert hidden(response.text, "description") == [TYPED]


def test_post_with_the_token_of_an_older_session_shows_what_was_sent(grace, words):
    client = Client(enforce_csrf_checks=True)
    client.force_login(grace)
    client.get("/review/")

    response = client.post(approve_url(words), form_of(words, csrfmiddlewaretoken="x" * 32), headers=HERE)

    assert response.status_code == 403
    assert hidden(response.text, "description") == [TYPED]
    assert 'href="/review/"' in response.text
    token = client.cookies[django_settings.CSRF_COOKIE_NAME].value
    assert hidden(response.text, "csrfmiddlewaretoken")[0] not in {"x" * 32, ""}
    sent = client.post(approve_url(words), form_of(words, csrfmiddlewaretoken=token), headers=HERE)
    assert sent.status_code == 302
    assert AIMetadata.objects.get().review_status == "approved"


def test_post_with_an_older_token_and_no_session_leads_to_the_sign_in_with_what_was_sent(grace, words):
    client = Client(enforce_csrf_checks=True)

    response = client.post(approve_url(words), form_of(words, csrfmiddlewaretoken="x" * 32), headers=HERE)

    assert response.status_code == 401
    assert len(hidden(response.text, "unsent")) == 1


@pytest.mark.parametrize("headers", [ELSEWHERE, {"host": "localhost"}, {**HERE, "origin": "null"}])
def test_post_from_elsewhere_fills_no_page(grace, words, headers):
    client = Client(enforce_csrf_checks=True)
    client.force_login(grace)

    response = client.post(approve_url(words), form_of(words), headers=headers)

    assert response.status_code == 403
    assert "This form was too old" in response.text
    assert "A long text" not in response.text
    assert AIMetadata.objects.get().review_status == "unreviewed"


def test_sign_in_form_itself_is_never_kept(grace):
    client = Client(enforce_csrf_checks=True)

    response = client.post("/sign-in/", {"username": "grace", "password": PASSWORD}, headers=HERE)

    assert response.status_code == 403
    assert PASSWORD not in response.text
    assert hidden(response.text, "unsent") == []
