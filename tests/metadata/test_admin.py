"""The operator's pages: words change through the workflow, everything else is to look at."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from metadata import workflow
from metadata.models import AICall, AIMetadata, MetadataHistory, PhotoEmbedding
from tests.conftest import signed_in
from tests.factories import AIMetadataFactory, ProcessingRunFactory, UserFactory

pytestmark = pytest.mark.django_db

CHANGELISTS = ["aimetadata", "metadatahistory", "photoembedding", "processingrun", "aicall"]
Enqueued = list[tuple[str, tuple[Any, ...]]]


@pytest.fixture
def operator(db: None) -> User:
    return UserFactory(username="root", is_staff=True, is_superuser=True)


@pytest.fixture
def operator_client(operator: User) -> Client:
    return signed_in(operator)


@pytest.fixture
def words(db: None) -> AIMetadata:
    return AIMetadataFactory(described=True)


def change_url(words: AIMetadata) -> str:
    return f"/admin/metadata/aimetadata/{words.pk}/change/"


def form_of(client: Client, words: AIMetadata) -> dict[str, Any]:
    """What the browser sends when nothing on the page is touched."""
    page = client.get(change_url(words))
    form = page.context["adminform"].form
    sent = {name: form[name].value() for name in form.fields}
    sent |= {f"initial-{name}": sent[name] for name, field in form.fields.items() if field.show_hidden_initial}
    formset = page.context["inline_admin_formsets"][0].formset
    return sent | {f"{formset.prefix}-{name}": value for name, value in formset.management_form.initial.items()}


def add_rows() -> None:
    words = AIMetadataFactory(described=True)
    PhotoEmbedding.objects.create(photo=words.photo, model="m", embedding=[1.0] + [0.0] * 1535)
    AICall.objects.create(photo=words.photo, kind="describe", model="m", outcome="ok", ms=1)
    ProcessingRunFactory()


@pytest.mark.parametrize("name", CHANGELISTS)
def test_changelist_opens_with_a_search(operator_client: Client, name: str):
    add_rows()
    url = f"/admin/metadata/{name}/"

    everything, nothing = operator_client.get(url), operator_client.get(url, {"q": "no such thing"})

    assert (everything.status_code, everything.context["cl"].result_count) == (200, 1)
    assert (nothing.status_code, nothing.context["cl"].result_count) == (200, 0)


@pytest.mark.parametrize("name", CHANGELISTS)
def test_changelist_is_not_for_people_without_the_staff_flag(owner_client: Client, name: str):
    response = owner_client.get(f"/admin/metadata/{name}/")

    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("name", CHANGELISTS)
def test_changelist_takes_as_many_queries_for_three_rows_as_for_one(operator_client: Client, name: str):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            operator_client.get(f"/admin/metadata/{name}/")
        return len(captured)

    add_rows()
    queries()  # warms the content types
    few = queries()
    add_rows()
    add_rows()

    # Filters by account and model list their choices in one query each, however many there are.
    assert queries() == few


@pytest.mark.parametrize("name", [name for name in CHANGELISTS if name != "aimetadata"])
def test_rows_made_by_runs_cannot_be_changed(operator_client: Client, name: str):
    add_rows()
    url = f"/admin/metadata/{name}/"
    row = operator_client.get(url).context["cl"].result_list[0]

    assert operator_client.get(f"{url}{row.pk}/change/").status_code == 200
    assert operator_client.post(f"{url}{row.pk}/change/", {}).status_code == 403
    assert operator_client.post(f"{url}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert operator_client.get(f"{url}add/").status_code == 403


def test_words_cannot_be_added_or_deleted(operator_client: Client, words: AIMetadata):
    assert operator_client.get("/admin/metadata/aimetadata/add/").status_code == 403
    response = operator_client.post(f"/admin/metadata/aimetadata/{words.pk}/delete/", {"post": "yes"})
    assert response.status_code == 403
    assert AIMetadata.objects.count() == 1


def test_edit_words_writes_history_under_the_operators_name(
    operator_client: Client, words: AIMetadata, enqueued: Enqueued
):
    sent = form_of(operator_client, words) | {"ai_title": "Tom"}

    response = operator_client.post(change_url(words), sent)

    assert response.status_code == 302
    words = AIMetadata.objects.get()
    assert (words.ai_title, words.version, words.review_status) == ("Tom", 2, "unreviewed")
    step = words.history.get(version=2)
    assert (step.source, step.changed_by, step.change_reason) == ("person", "user:root", "edited")
    assert (step.previous_title, step.new_title) == ("A cat", "Tom")
    assert step.new_description == "A grey cat on a wall."
    assert enqueued == [("embed_photo", (str(words.photo_id),))]


def test_save_untouched_words_writes_nothing(operator_client: Client, words: AIMetadata, enqueued: Enqueued):
    response = operator_client.post(change_url(words), form_of(operator_client, words))

    assert response.status_code == 302
    words.refresh_from_db()
    assert (words.version, words.history.count()) == (1, 1)
    assert enqueued == []


@pytest.mark.parametrize(
    "forged",
    [
        {"review_status": "approved", "approved_by": "user:mallory", "approved_at_0": "2026-01-01"},
        {"version": "99"},
        {"processing_status": "failed", "error": "forged"},
        {"history-0-new_description": "forged", "history-0-changed_by": "user:mallory"},
    ],
)
def test_edit_words_with_forged_columns_changes_the_words_alone(
    operator_client: Client, words: AIMetadata, enqueued: Enqueued, forged: dict[str, str]
):
    before = AIMetadata.objects.values().get()
    sent = form_of(operator_client, words) | {"ai_title": "Tom"} | forged

    operator_client.post(change_url(words), sent)

    after = AIMetadata.objects.values().get()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"ai_title", "lane", "version", "updated_at"}
    assert after["version"] == 2
    assert not MetadataHistory.objects.filter(changed_by="user:mallory").exists()
    assert words.history.get(version=1).new_description == "A grey cat on a wall."


def test_edit_words_when_somebody_was_faster_says_who_and_changes_nothing(
    operator_client: Client, words: AIMetadata, enqueued: Enqueued
):
    sent = form_of(operator_client, words) | {"ai_title": "Mine"}
    workflow.approve(words, by=UserFactory(username="ada"), version=1, changes={"ai_description": "Hers."})
    queued = list(enqueued)

    response = operator_client.post(change_url(words), sent, follow=True)

    assert response.redirect_chain == [(change_url(words), 302)]
    assert [str(message) for message in response.context["messages"]] == [
        "ada was faster: the photo is now “approved”, with “Hers.” Your text was not saved."
    ]
    words = AIMetadata.objects.get()
    assert (words.ai_title, words.ai_description, words.approved_by) == ("A cat", "Hers.", "user:ada")
    assert (words.version, words.history.filter(changed_by="user:root").count()) == (2, 0)
    assert LogEntry.objects.count() == 0
    assert enqueued == queued


@pytest.mark.parametrize("seen", ["", "x", "-1", str(2**31)])
def test_edit_words_with_a_version_that_is_none_changes_nothing(
    operator_client: Client, words: AIMetadata, enqueued: Enqueued, seen: str
):
    sent = form_of(operator_client, words) | {"ai_title": "Mine", "seen": seen}

    response = operator_client.post(change_url(words), sent)

    assert list(response.context["adminform"].form.errors) == ["seen"]
    words.refresh_from_db()
    assert (words.ai_title, words.version) == ("A cat", 1)


def test_words_page_shows_their_history_escaped(operator_client: Client, words: AIMetadata, enqueued: Enqueued):
    changes = {"ai_description": "<script>alert(1)</script>"}
    workflow.edit(words, by=UserFactory(username="ada"), version=1, changes=changes)

    page = operator_client.get(change_url(words)).text

    assert "user:ada" in page
    assert "ai:fake-1" in page
    assert "<script>alert" not in page
