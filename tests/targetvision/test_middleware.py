"""Strangers are sent to sign in, and come back to where they were: a page of ours, never anywhere else."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.factories import UserFactory

PASSWORD = "a long password"
OPEN = {"login", "first_run", "healthz", "readyz"}  # for everybody, and nothing else is


@pytest.fixture
def client(db: None) -> Client:
    """Nobody is signed in; there is somebody who could."""
    UserFactory(username="ada", password=PASSWORD)
    return Client(headers={"host": "localhost"})


def next_of(location: str) -> str:
    """The page that the sign-in page at this address leads back to."""
    parts = urlsplit(location)
    assert (parts.scheme, parts.netloc, parts.path) == ("", "", "/sign-in/")
    [page] = parse_qs(parts.query)["next"]
    return page


@pytest.mark.parametrize("path", ["/", "/albums/", "/albums/?page=2&q=a%20b", "/review/", "/smugmug/connect"])
def test_page_to_a_stranger_is_the_sign_in_page_with_the_way_back(client, path):
    response = client.get(path)

    assert response.status_code == 302
    assert next_of(response["Location"]) == path
    assert "HX-Redirect" not in response


def test_fragment_to_a_stranger_sends_the_whole_page_to_sign_in_and_back_to_itself(client):
    response = client.get(
        "/smugmug/runs/7e8f8c1e-5b56-4a55-8d3e-0f8a4a1d7c11/",
        headers={"hx-request": "true", "hx-current-url": "http://localhost/albums/?page=2"},
    )

    assert response.status_code == 200
    assert next_of(response["HX-Redirect"]) == "/albums/?page=2"
    assert "Location" not in response
    assert response.content == b""


@pytest.mark.parametrize(
    "page",
    [
        None,
        "",
        "https://evil.example.org/albums/",
        "//evil.example.org/",
        "http://localhost@evil.example.org/",
        "http://localhost.evil.example.org/",
        "javascript:alert(1)",
        "nonsense",
    ],
)
def test_fragment_from_a_page_elsewhere_leads_back_to_the_front_page(client, page):
    headers = {"hx-request": "true"} | ({"hx-current-url": page} if page is not None else {})

    response = client.post("/albums/7e8f8c1e-5b56-4a55-8d3e-0f8a4a1d7c11/process", headers=headers)

    assert next_of(response["HX-Redirect"]) == "/"


@pytest.mark.parametrize(
    ("wanted", "led_to"),
    [
        ("/albums/?page=2", "/albums/?page=2"),
        ("https://evil.example.org/", "/"),
        ("//evil.example.org/", "/"),
        ("////evil.example.org/", "/"),
        ("http:///evil.example.org/", "/"),
        (r"\\evil.example.org", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_sign_in_leads_to_a_page_of_ours_only(client, wanted, led_to):
    response = client.post("/sign-in/", {"username": "ada", "password": PASSWORD, "next": wanted})

    assert response.status_code == 302
    assert response["Location"] == led_to


def addresses(patterns: list[URLPattern | URLResolver], names: tuple[str, ...] = ()) -> list[tuple[str, bool]]:
    """Every address of the project: its name, and whether it wants a signed-in person."""
    found: list[tuple[str, bool]] = []
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            found += addresses(pattern.url_patterns, (*names, pattern.namespace or ""))
        else:
            name = ":".join(filter(None, [*names, pattern.name or str(pattern.pattern)]))
            found.append((name, getattr(pattern.callback, "login_required", True)))
    return found


def test_every_address_but_a_few_wants_a_signed_in_person():
    found = addresses(get_resolver().url_patterns)

    free = {name for name, is_guarded in found if not is_guarded}

    assert len(found) > 30
    assert {name for name in free if not name.startswith("admin")} <= OPEN
    assert {"login", "first_run"} <= free
    assert {name for name in free if name.startswith("admin")} <= {"admin/login/", "admin:login", "admin:jsi18n"}


def test_form_in_another_encoding_is_refused(owner_client: Client) -> None:
    response = owner_client.post(
        "/theme/", b"theme=+2AA-", content_type="application/x-www-form-urlencoded; charset=utf-7"
    )

    assert response.status_code == 400
    assert "UTF-8" in response.text
