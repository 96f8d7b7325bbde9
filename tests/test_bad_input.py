"""What hostile and broken clients send: refused with a page of ours, and nothing written."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from metadata.models import AIMetadata
from smugmug.models import Account, Membership
from tests.factories import AIMetadataFactory

ODD = ["\x00", "%ED%A0%80", "%00", "%FF%FE", "\u202e", "a" * 100_000, "<script>alert(1)</script>", "' OR 1=1 --"]
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def words(library_of_ada: Account) -> AIMetadata:
    row: AIMetadata = AIMetadataFactory(photo__album__account=library_of_ada, described=True)
    return row


def fields_of(words: AIMetadata) -> dict[str, dict[str, str]]:
    """Every form of the project: its address, and a good value for each field."""
    account = words.photo.account
    vera = Membership.objects.exclude(role="owner").get(account=account)
    return {
        reverse("login"): {"username": "ada", "password": "x", "next": "/"},
        reverse("password_change"): {"old_password": "x", "new_password1": "y", "new_password2": "y"},
        reverse("theme"): {"theme": "dark", "next": "/"},
        reverse("tokens"): {"name": "Backup", "days": "30"},
        reverse("smugmug:verify"): {"code": "123456"},
        reverse("smugmug:add_member", args=[account.nickname]): {"username": "grace", "role": "viewer"},
        reverse("smugmug:change_role", args=[account.nickname, vera.pk]): {"role": "viewer"},
        reverse("metadata:process", args=[account.nickname]): {"only": "pending"},
        reverse("metadata:approve", args=[words.pk]): {
            "version": "1",
            "title": "t",
            "description": "",
            "alt_text": "a",
            "tags": "x",
            "categories": "Animals",
        },
        reverse("metadata:reject", args=[words.pk]): {"version": "7", "reason": "Other", "note": "n"},
    }


@pytest.mark.parametrize("odd", ODD)
def test_post_of_odd_text_in_any_field_is_never_our_mistake(
    odd: str, words: AIMetadata, owner_client: Client, viewer_client: Client, enqueued: list[Any]
) -> None:
    for address, fields in fields_of(words).items():
        for name in fields:
            body = "&".join(f"{key}={odd if key == name else value}" for key, value in fields.items())

            response = (Client() if address == reverse("login") else owner_client).post(
                address, body, content_type=FORM
            )

            assert response.status_code < 500, (address, name)
    assert set(User.objects.values_list("username", flat=True)) == {"ada", "vera"}


@pytest.mark.parametrize("odd", ["%00", "%ED%A0%80", "9" * 400, "-1", "1e9", "../../etc/passwd"])
def test_get_with_odd_query_is_never_our_mistake(odd: str, words: AIMetadata, owner_client: Client) -> None:
    album = reverse("metadata:album", args=[words.photo.album.pk])
    photo = reverse("metadata:photo", args=[words.photo.pk])
    for address in (
        f"/albums/?q={odd}&page={odd}",
        f"{album}?show={odd}&after={odd}",
        f"{photo}?album={odd}",
        f"/review/?photo={odd}",
        f"/smugmug/callback?oauth_token={odd}&oauth_verifier={odd}",
        f"/images/{odd}",
        f"/sign-in/?next={odd}",
    ):
        assert owner_client.get(address).status_code < 500, address


def test_post_of_a_huge_body_is_refused(owner_client: Client, words: AIMetadata) -> None:
    response = owner_client.post(
        reverse("metadata:approve", args=[words.pk]), "description=" + "x" * 100_000_000, content_type=FORM
    )

    assert response.status_code == 400
    assert AIMetadata.objects.get().version == 1


@pytest.mark.django_db
def test_foreign_host_is_refused() -> None:
    response = Client(headers={"host": "evil.example"}).get("/")

    assert response.status_code == 400


def test_foreign_origin_is_refused(ada: User, words: AIMetadata) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    client.get("/review/")
    token = client.cookies[next(name for name in client.cookies if "csrf" in name)].value

    response = client.post(
        reverse("metadata:approve", args=[words.pk]),
        {"version": 1, "description": "mine", "csrfmiddlewaretoken": token},
        headers={"origin": "https://evil.example"},
    )

    assert response.status_code == 403
    assert AIMetadata.objects.get().review_status == "unreviewed"


def test_session_of_another_installation_is_nobody(owner_client: Client, settings: Any, words: AIMetadata) -> None:
    settings.SECRET_KEY = "of another installation"

    response = owner_client.get("/review/")

    assert response.status_code == 302
    assert response.url.startswith("/sign-in/")


@pytest.mark.parametrize(
    "outside", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_sign_in_never_leads_outside(ada: User, outside: str) -> None:
    ada.set_password("right")
    ada.save()

    response = Client().post(f"/sign-in/?next={outside}", {"username": "ada", "password": "right", "next": outside})

    assert response.url == "/"


def test_nothing_of_a_page_comes_from_elsewhere(words: AIMetadata, owner_client: Client) -> None:
    response = owner_client.get(reverse("metadata:photo", args=[words.photo.pk]))

    policy = dict(part.strip().split(" ", 1) for part in response.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'self'"
    assert "unsafe" not in str(policy)
    # The connect form ends at SmugMug; nothing else may leave.
    assert [name for name, sources in policy.items() if "http" in sources] == ["form-action"]
