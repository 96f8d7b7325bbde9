"""Settings: who gets in, and taking our access back."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from smugmug import members
from smugmug.models import Account, AuditEntry, Membership
from tests.factories import AccountFactory, AIMetadataFactory, MembershipFactory, SyncRunFactory, UserFactory

SETTINGS = "/settings/"


def add_url(account: Account) -> str:
    return reverse("smugmug:add_member", args=[account.nickname])


def never_send_url(account: Account) -> str:
    return reverse("smugmug:never_send", args=[account.nickname])


def disconnect_url(account: Account) -> str:
    return reverse("smugmug:disconnect", args=[account.nickname])


def test_settings_for_owner_shows_own_libraries_only(owner_client: Client, library_of_ada: Account) -> None:
    MembershipFactory(account=library_of_ada, user__username="grace")
    AccountFactory(nickname="somebody-elses")

    text = owner_client.get(SETTINGS).text

    assert library_of_ada.nickname in text
    assert "grace" in text
    assert "somebody-elses" not in text


def test_settings_for_viewer_shows_members_without_any_button(viewer_client: Client, library_of_ada: Account) -> None:
    text = viewer_client.get(SETTINGS).text

    assert library_of_ada.nickname in text
    assert add_url(library_of_ada) not in text
    assert disconnect_url(library_of_ada) not in text


def test_settings_with_more_members_takes_no_more_queries(owner_client: Client, library_of_ada: Account) -> None:
    with CaptureQueriesContext(
        connection,
    ) as few:
        owner_client.get(SETTINGS)
    MembershipFactory.create_batch(3, account=library_of_ada)
    MembershipFactory.create_batch(3)

    with CaptureQueriesContext(connection) as many:
        owner_client.get(SETTINGS)

    assert len(many) == len(few)


def test_add_member_with_known_user_lets_them_in(owner_client: Client, library_of_ada: Account) -> None:
    UserFactory(username="grace")

    response = owner_client.post(add_url(library_of_ada), {"username": "grace", "role": "curator"})

    assert response.url == SETTINGS
    assert Membership.objects.get(user__username="grace").role == "curator"
    assert "shown this once" not in owner_client.get(SETTINGS).text


def test_add_member_with_new_name_makes_a_user_whose_password_is_shown_once(
    owner_client: Client, library_of_ada: Account
) -> None:
    owner_client.post(add_url(library_of_ada), {"username": "grace", "role": "viewer"})

    text = owner_client.get(SETTINGS).text
    password = text.partition("shown this once: ")[2].split("<")[0].strip()
    grace = User.objects.get(username="grace")
    assert grace.check_password(password)
    assert not grace.is_staff
    assert password not in owner_client.get(SETTINGS).text


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"username": "", "role": "viewer"}, "Whom shall it be?"),
        ({"username": "a" * 151, "role": "viewer"}, "at most 150 characters"),
        ({"username": "a b", "role": "viewer"}, "Enter a valid username"),
        ({"username": "nul\x00", "role": "viewer"}, "Null characters are not allowed"),
        ({"username": "grace", "role": "king"}, "not one of the available choices"),
        ({"username": "ada", "role": "viewer"}, "ada is in this library already."),
    ],
)
def test_add_member_with_bad_input_says_so_beside_the_field(
    owner_client: Client, library_of_ada: Account, data: dict[str, str], sentence: str
) -> None:
    response = owner_client.post(add_url(library_of_ada), data)

    assert response.status_code == 422
    assert sentence in response.text
    assert User.objects.count() == 1
    assert Membership.objects.count() == 1


def test_change_role_of_member_changes_it(owner_client: Client, library_of_ada: Account) -> None:
    grace = MembershipFactory(account=library_of_ada, role="viewer")

    owner_client.post(reverse("smugmug:change_role", args=[library_of_ada.nickname, grace.pk]), {"role": "curator"})

    grace.refresh_from_db()
    assert grace.role == "curator"


def test_change_role_to_nonsense_answers_422_and_changes_nothing(owner_client: Client, library_of_ada: Account) -> None:
    grace = MembershipFactory(account=library_of_ada, role="viewer")

    response = owner_client.post(
        reverse("smugmug:change_role", args=[library_of_ada.nickname, grace.pk]), {"role": "king"}
    )

    assert response.status_code == 422
    grace.refresh_from_db()
    assert grace.role == "viewer"


def test_change_role_of_founder_is_refused(owner_client: Client, library_of_ada: Account) -> None:
    ada = Membership.objects.get(account=library_of_ada)

    owner_client.post(reverse("smugmug:change_role", args=[library_of_ada.nickname, ada.pk]), {"role": "viewer"})

    ada.refresh_from_db()
    assert ada.role == "owner"
    assert "stays its owner" in owner_client.get(SETTINGS).text


def test_remove_member_takes_sight_of_the_library_away(
    owner_client: Client, viewer_client: Client, library_of_ada: Account
) -> None:
    vera = Membership.objects.get(user__username="vera")
    assert library_of_ada.nickname in viewer_client.get("/").text

    owner_client.post(reverse("smugmug:remove_member", args=[library_of_ada.nickname, vera.pk]))

    assert library_of_ada.nickname not in viewer_client.get("/").text
    assert User.objects.filter(username="vera").exists()


def test_remove_founder_is_refused(owner_client: Client, library_of_ada: Account) -> None:
    ada = Membership.objects.get(account=library_of_ada)

    owner_client.post(reverse("smugmug:remove_member", args=[library_of_ada.nickname, ada.pk]))

    assert Membership.objects.filter(pk=ada.pk).exists()


def test_member_of_another_library_cannot_be_removed_through_ones_own(
    owner_client: Client, library_of_ada: Account
) -> None:
    other = MembershipFactory()

    response = owner_client.post(reverse("smugmug:remove_member", args=[library_of_ada.nickname, other.pk]))

    assert response.status_code == 404
    assert Membership.objects.filter(pk=other.pk).exists()


def test_disconnect_forgets_tokens_and_keeps_words(owner_client: Client, library_of_ada: Account) -> None:
    words = AIMetadataFactory(photo__album__account=library_of_ada, approved=True)
    run = SyncRunFactory(account=library_of_ada)

    owner_client.post(disconnect_url(library_of_ada))

    library_of_ada.refresh_from_db()
    assert (library_of_ada.oauth_token, library_of_ada.oauth_token_secret) == ("", "")
    assert library_of_ada.state == "disconnected"
    words.refresh_from_db()
    assert words.review_status == "approved"
    run.refresh_from_db()
    assert run.state == "cancelled"


def test_disconnected_library_cannot_be_synced(
    owner_client: Client, library_of_ada: Account, enqueued: list[Any]
) -> None:
    owner_client.post(disconnect_url(library_of_ada))

    owner_client.post(reverse("smugmug:sync", args=[library_of_ada.nickname]))

    assert enqueued == []
    assert "is not connected" in owner_client.get("/").text


@pytest.mark.django_db(transaction=True)
def test_add_member_by_two_at_once_makes_one_membership() -> None:
    account, grace = AccountFactory(), UserFactory(username="grace")
    outcomes: list[str] = []

    def add() -> None:
        try:
            members.add(account, username="grace", role="viewer", by=account.owner)
            outcomes.append("in")
        except members.NotPossible:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["in", "refused"]
    assert Membership.objects.filter(user=grace, account=account).count() == 1


def test_disconnect_writes_down_who(owner_client: Client, library_of_ada: Account) -> None:
    SyncRunFactory(account=library_of_ada)

    owner_client.post(disconnect_url(library_of_ada))

    trail = AuditEntry.objects.order_by("pk").values_list("who", "action", "result")
    assert list(trail) == [("user:ada", "full", "cancelled"), ("user:ada", "disconnect", "done")]


def test_never_send_keeps_the_library_back_and_allows_it_again(owner_client: Client, library_of_ada: Account) -> None:
    other = AccountFactory()

    owner_client.post(never_send_url(library_of_ada), {"never_send": "on"})

    kept = Account.objects.filter(never_send=True)
    assert [account.pk for account in kept] == [library_of_ada.pk]
    page = owner_client.get(SETTINGS).text
    assert "From now on nothing of" in page
    assert 'value="off" aria-checked="true"' in page
    owner_client.post(never_send_url(library_of_ada), {"never_send": "off"})
    assert not kept.all().exists()
    trail = AuditEntry.objects.order_by("pk").values_list("account", "who", "action", "detail")
    assert list(trail) == [
        (library_of_ada.pk, "user:ada", "never send", "The whole library"),
        (library_of_ada.pk, "user:ada", "may send", "The whole library"),
    ]
    assert not AuditEntry.objects.filter(account=other).exists()


def test_never_send_twice_is_written_down_once(owner_client: Client, library_of_ada: Account) -> None:
    for _ in range(2):
        owner_client.post(never_send_url(library_of_ada), {"never_send": "on"})

    assert AuditEntry.objects.count() == 1


def test_never_send_without_a_clear_wish_says_so_beside_the_switch(
    owner_client: Client, library_of_ada: Account
) -> None:
    Account.objects.update(never_send=True)

    response = owner_client.post(never_send_url(library_of_ada))

    assert response.status_code == 422
    assert "Shall it be sent or not? Nothing was changed." in response.text
    assert Account.objects.get().never_send
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(
    ("person", "status"), [("curator_client", 403), ("viewer_client", 403), ("stranger_client", 404)]
)
def test_never_send_without_being_an_owner_changes_nothing(
    request: pytest.FixtureRequest, library_of_ada: Account, person: str, status: int
) -> None:
    client = request.getfixturevalue(person)

    assert client.post(never_send_url(library_of_ada), {"never_send": "on"}).status_code == status
    assert never_send_url(library_of_ada) not in client.get(SETTINGS).text
    assert not Account.objects.filter(never_send=True).exists()
