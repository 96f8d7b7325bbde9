"""Sign-in, slowed where somebody guesses; and the password."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import django_rq
import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from tests.factories import UserFactory

PASSWORD = "a long password"
SIGN_IN = "/sign-in/"


@pytest.fixture
def client(db: None) -> Client:
    UserFactory(username="ada", password=PASSWORD)
    UserFactory(username="grace", password=PASSWORD)
    return Client()


@pytest.fixture
def sign_in(client: Client) -> Callable[..., Any]:
    return lambda name, password: client.post(SIGN_IN, {"username": name, "password": password})


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def cached_keys() -> list[str]:
    return [key.decode() for key in django_rq.get_connection("smugmug").keys("*sign-in*")]


def a_minute_later() -> None:
    """Redis forgets by its own clock, which no test can move."""
    connection = django_rq.get_connection("smugmug")
    [pause] = connection.keys("*sign-in:pause*")
    assert 50 < connection.ttl(pause) <= 60
    connection.delete(pause)


def test_sign_in_with_the_right_password_opens_the_front_page(client, sign_in):
    response = sign_in("ada", PASSWORD)

    assert (response.status_code, response["Location"]) == (302, "/")
    assert is_signed_in(client)
    assert cached_keys() == []


@pytest.mark.parametrize(("name", "password"), [("ada", "wrong"), ("nobody", PASSWORD), ("", "")])
def test_sign_in_with_something_wrong_says_so_and_lets_nobody_in(client, sign_in, name, password):
    response = sign_in(name, password)

    assert response.status_code == 422
    assert 'role="alert"' in response.text or "This field is required" in response.text
    assert not is_signed_in(client)


def test_sign_in_after_five_failures_is_one_attempt_a_minute_right_or_wrong(client, sign_in):
    assert [sign_in("ada", "wrong").status_code for _ in range(6)] == [422] * 6

    slowed = sign_in("ada", PASSWORD)

    assert (slowed.status_code, slowed["Retry-After"]) == (429, "60")
    assert not is_signed_in(client)

    a_minute_later()
    assert sign_in("ada", PASSWORD).status_code == 302
    assert is_signed_in(client)


def test_sign_in_slowed_by_one_name_leaves_others_alone(client, sign_in):
    for _ in range(6):
        sign_in("ada", "wrong")
    assert sign_in("ada", "wrong").status_code == 429

    assert sign_in("grace", PASSWORD).status_code == 302
    assert is_signed_in(client)


def test_sign_in_slows_names_that_do_not_exist_too(sign_in):
    statuses = [sign_in("nobody", "wrong").status_code for _ in range(7)]

    assert statuses == [422] * 6 + [429]


def test_sign_in_counts_spellings_of_a_name_as_one(sign_in):
    statuses = [sign_in(name, "wrong").status_code for name in ("ada", "ADA", " ada", "Ada ", "aDa", "ada", "ADA")]

    assert statuses == [422] * 6 + [429]


def test_sign_in_with_success_forgets_the_failures(client, sign_in):
    for _ in range(4):
        sign_in("ada", "wrong")
    assert cached_keys() != []

    assert sign_in("ada", PASSWORD).status_code == 302

    assert cached_keys() == []
    client.logout()
    assert [sign_in("ada", "wrong").status_code for _ in range(5)] == [422] * 5


def test_sign_in_through_the_admin_is_slowed_too(client):
    data = {"username": "ada", "password": "wrong"}

    statuses = [client.post("/admin/login/", data).status_code for _ in range(7)]

    assert statuses == [422] * 6 + [429]
    assert client.post(SIGN_IN, {**data, "password": PASSWORD}).status_code == 429


def test_sign_in_keeps_no_name_that_was_typed(sign_in):
    """People type passwords into the name field."""
    sign_in("my secret phrase", "wrong")

    [key] = cached_keys()
    assert "secret" not in key
    assert "my" not in key.rpartition(":")[0]
    assert cache.get(key.rpartition(":1:")[2]) == 1


def test_sign_in_page_to_somebody_signed_in_leads_on(client, sign_in):
    sign_in("ada", PASSWORD)

    response = client.get(SIGN_IN)

    assert (response.status_code, response["Location"]) == (302, "/")


def test_sign_out_needs_a_post_and_ends_the_session(client, sign_in):
    sign_in("ada", PASSWORD)

    assert client.get("/sign-out/").status_code == 405
    assert is_signed_in(client)
    assert client.post("/sign-out/").status_code == 302
    assert not is_signed_in(client)


@pytest.mark.parametrize(
    "changes",
    [
        {"old_password": "wrong"},
        {"new_password2": "another one 2"},
        {"new_password1": "short", "new_password2": "short"},
        {"new_password1": "password", "new_password2": "password"},
    ],
)
def test_change_password_with_something_wrong_says_so_and_keeps_it(client, sign_in, changes):
    sign_in("ada", PASSWORD)
    good = {"old_password": PASSWORD, "new_password1": "quite a new one 1", "new_password2": "quite a new one 1"}

    response = client.post("/password/", {**good, **changes})

    assert response.status_code == 422
    assert "errorlist" in response.text or 'class="error' in response.text
    assert User.objects.get(username="ada").check_password(PASSWORD)


def test_change_password_with_the_old_one_changes_it_and_stays_signed_in(client, sign_in):
    sign_in("ada", PASSWORD)

    response = client.post(
        "/password/",
        {"old_password": PASSWORD, "new_password1": "quite a new one 1", "new_password2": "quite a new one 1"},
        follow=True,
    )

    assert response.redirect_chain == [("/password/done/", 302)]
    assert is_signed_in(client)
    assert User.objects.get(username="ada").check_password("quite a new one 1")
    assert User.objects.get(username="grace").check_password(PASSWORD)
