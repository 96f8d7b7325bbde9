"""The first visit and the theme."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from targetvision.models import Preference
from tests.factories import UserFactory

FIRST_RUN = "/first-run/"
GOOD = {"username": "ada", "password1": "a long enough password", "password2": "a long enough password"}


@pytest.fixture
def near(db: None) -> Client:
    return Client(headers={"host": "localhost"})


def test_any_page_on_first_visit_leads_to_first_run(near: Client) -> None:
    assert near.get("/", follow=True).redirect_chain[-1][0] == FIRST_RUN


def test_first_run_from_this_machine_makes_a_superuser_and_signs_in(near: Client) -> None:
    response = near.post(FIRST_RUN, GOOD)

    assert response.url == "/"
    ada = User.objects.get()
    assert (ada.username, ada.is_superuser, ada.is_staff) == ("ada", True, True)
    assert near.get("/").status_code == 200


@pytest.mark.parametrize(
    ("host", "address", "headers"),
    [
        ("localhost", "192.0.2.7", {}),
        ("photos.example.org", "127.0.0.1", {}),
        ("localhost", "127.0.0.1", {"x-forwarded-for": "192.0.2.7"}),
        ("localhost", "127.0.0.1", {"forwarded": "for=192.0.2.7"}),
        ("localhost", "", {}),
    ],
)
@pytest.mark.django_db
def test_first_run_from_elsewhere_is_refused(settings: Any, host: str, address: str, headers: dict[str, str]) -> None:
    settings.ALLOWED_HOSTS = ["*"]

    response = Client(headers={"host": host, **headers}, REMOTE_ADDR=address).post(FIRST_RUN, GOOD)

    assert response.status_code == 403
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"password2": "another password"},
        {"password1": "short", "password2": "short"},
        {"username": "a b"},
        {"username": ""},
    ],
)
def test_first_run_with_bad_input_answers_422(near: Client, change: dict[str, str]) -> None:
    response = near.post(FIRST_RUN, {**GOOD, **change})

    assert response.status_code == 422
    assert "errorlist" in response.text
    assert not User.objects.exists()


def test_first_run_when_somebody_is_there_changes_nothing(near: Client) -> None:
    UserFactory(username="grace")

    response = near.post(FIRST_RUN, GOOD)

    assert response.url == "/sign-in/"
    assert User.objects.get().username == "grace"


@pytest.mark.django_db(transaction=True)
def test_first_run_by_two_at_once_makes_one_user() -> None:
    def visit(name: str) -> None:
        try:
            Client(headers={"host": "localhost"}).post(FIRST_RUN, {**GOOD, "username": name})
        finally:
            connection.close()

    threads = [threading.Thread(target=visit, args=(name,)) for name in ("ada", "mallory")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert User.objects.count() == 1


def test_set_theme_keeps_it_for_the_person_alone(owner_client: Client, stranger_client: Client) -> None:
    response = owner_client.post("/theme/", {"theme": "light", "next": "/albums/?page=1"})

    assert response.url == "/albums/?page=1"
    assert 'data-theme="light"' in owner_client.get("/").text
    assert "data-theme" not in stranger_client.get("/").text


@pytest.mark.parametrize("outside", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "\x00"])
def test_set_theme_never_leads_outside(owner_client: Client, outside: str) -> None:
    assert owner_client.post("/theme/", {"theme": "dark", "next": outside}).url == "/"


def test_set_theme_to_nonsense_changes_nothing(owner_client: Client) -> None:
    owner_client.post("/theme/", {"theme": "pink"})

    assert not Preference.objects.exists()
