import pytest
from django.apps import apps
from django.contrib import admin
from django.urls import reverse

from smugmug.models import Account, Album, AlbumPhoto, AuditEntry, Membership, Photo, SyncRun
from tests.conftest import signed_in
from tests.factories import (
    AccountFactory,
    AlbumFactory,
    AuditEntryFactory,
    PhotoFactory,
    SyncRunFactory,
    UserFactory,
)

MODELS = [Account, Album, AlbumPhoto, AuditEntry, Membership, Photo, SyncRun]
READ_ONLY = [Album, AlbumPhoto, AuditEntry, Photo, SyncRun]
TOKEN, SECRET = "token-to-keep", "secret-to-keep"


@pytest.fixture
def operator(db):
    return signed_in(UserFactory(username="operator", is_staff=True, is_superuser=True))


@pytest.fixture
def account(db):
    """A library of which everything has one row."""
    account = AccountFactory(nickname="dunes", oauth_token=TOKEN, oauth_token_secret=SECRET)
    PhotoFactory(album__account=account, title="Marram grass")
    SyncRunFactory(account=account)
    AuditEntryFactory(account=account)
    return account


def page(name, model, *args):
    return reverse(f"admin:smugmug_{model._meta.model_name}_{name}", args=args)


def pages(model):
    """Every page that the admin has of the one row of a model."""
    pk = model.objects.get().pk
    return [page("changelist", model), page("change", model, pk), page("history", model, pk)]


def test_register_every_model_of_the_mirror():
    assert set(apps.get_app_config("smugmug").get_models()) <= set(admin.site._registry)


@pytest.mark.parametrize("model", MODELS)
def test_show_pages_of_a_model_has_no_token_in_any(operator, account, model):
    raw = Account.objects.values_list("oauth_token").get()

    for url in pages(model):
        response = operator.get(url)
        assert response.status_code == 200, url
        for word in (TOKEN, SECRET, "gAAAA", "oauth_token", raw[0]):
            assert word not in response.text, url
    assert operator.get(page("changelist", model), {"q": "dunes"}).status_code == 200


def test_search_the_pages_of_a_list_finds_what_is_asked_for(operator, account):
    for _ in range(2):
        PhotoFactory(album__account=account, title="Marram grass")
    PhotoFactory(title="Harbour wall")

    response = operator.get(page("changelist", Photo), {"q": "marram"})

    assert response.text.count("Marram grass") >= 3
    assert "Harbour wall" not in response.text


def test_post_an_account_changes_neither_token_nor_state(operator, account):
    response = operator.post(
        page("change", Account, account.pk),
        {
            "owner": account.owner_id,
            "nickname": "stolen",
            "oauth_token": "stolen",
            "oauth_token_secret": "stolen",
            "state": "refused",
            "memberships-TOTAL_FORMS": 0,
            "memberships-INITIAL_FORMS": 0,
        },
    )

    assert response.status_code == 302
    account.refresh_from_db()
    assert (account.nickname, account.oauth_token, account.oauth_token_secret) == ("dunes", TOKEN, SECRET)
    assert account.is_connected


def test_post_an_account_whose_tokens_cannot_be_read_changes_its_owner_and_keeps_them(
    operator, account, lose_keys, settings
):
    grace, keys = UserFactory(username="grace"), settings.FIELD_ENCRYPTION_KEYS
    lose_keys()

    response = operator.post(
        page("change", Account, account.pk),
        {"owner": grace.pk, "memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0},
    )

    assert response.status_code == 302
    settings.FIELD_ENCRYPTION_KEYS = keys
    account.refresh_from_db()
    assert (account.owner, account.oauth_token, account.oauth_token_secret) == (grace, TOKEN, SECRET)


def test_add_an_account_is_not_possible(operator, db):
    assert operator.get(page("add", Account)).status_code == 403
    assert operator.post(page("add", Account), {"nickname": "new"}).status_code == 403
    assert not Account.objects.exists()


@pytest.mark.parametrize("model", READ_ONLY)
def test_change_a_mirrored_row_is_not_possible(operator, account, model):
    row = model.objects.get()
    before = model.objects.values().get()

    assert operator.get(page("add", model)).status_code == 403
    assert operator.post(page("add", model), {}).status_code == 403
    assert operator.post(page("change", model, row.pk), {"title": "changed", "state": "failed"}).status_code == 403
    assert operator.post(page("delete", model, row.pk), {"post": "yes"}).status_code == 403
    operator.post(page("changelist", model), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert model.objects.values().get() == before
    assert "delete_selected" not in operator.get(page("changelist", model)).text


@pytest.mark.parametrize("model", MODELS)
def test_list_rows_asks_as_often_for_three_as_for_one(operator, account, model, django_assert_max_num_queries):
    url = page("changelist", model)
    operator.get(url)
    with django_assert_max_num_queries(100) as one:
        operator.get(url)
    for _ in range(2):
        PhotoFactory(album=AlbumFactory())
        SyncRunFactory()
        AuditEntryFactory()
    with django_assert_max_num_queries(len(one)):
        response = operator.get(url)

    assert response.context["cl"].result_count >= 3


@pytest.mark.parametrize("model", MODELS)
def test_show_pages_to_somebody_who_is_not_staff_asks_to_sign_in(account, model):
    client = signed_in(account.owner)

    for url in pages(model):
        response = client.get(url)
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")
