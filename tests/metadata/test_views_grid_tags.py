"""Tags over a page of the grid, or over what is marked on it; and frames of bursts that are left."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from metadata import workflow
from metadata.models import AIMetadata
from smugmug.models import Account
from tests.conftest import HTMX
from tests.factories import UserFactory
from tests.metadata.test_views_grid import APPROVE, GRID, TAG, Enqueued, page_of, statuses, tags, untouched, waiting

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("sent", "first", "says"),
    [
        ({"do": "add_tag", "add": " low  sun "}, ["cat", "grey", "low sun"], "“low sun” added to 1 photo."),
        ({"remove": "grey"}, ["cat"], "“grey” removed from 1 photo."),
        (
            {"do": "replace_tag", "old": "cat", "new": "tabby"},
            ["tabby", "grey"],
            "“cat” replaced by “tabby” in 1 photo",
        ),
    ],
)
def test_tag_the_marked_changes_them_alone(
    curator_client: Client,
    library_of_ada: Account,
    enqueued: Enqueued,
    sent: dict[str, str],
    first: list[str],
    says: str,
):
    rows = waiting(library_of_ada, 2)

    response = curator_client.post(TAG, page_of(rows, marked=rows[:1], **sent), follow=True)

    assert tags(rows) == [first, ["cat", "grey"]]
    assert statuses(rows) == ["unreviewed"] * 2
    assert says in response.text
    assert enqueued == [("embed_left", (str(library_of_ada.pk),))]


def test_tag_with_nothing_marked_changes_the_whole_page(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    rows = waiting(library_of_ada, 2)
    [elsewhere] = waiting(library_of_ada)

    curator_client.post(TAG, page_of(rows, do="add_tag", add="sea"))

    assert tags(rows) == [["cat", "grey", "sea"]] * 2
    assert tags([elsewhere]) == [["cat", "grey"]]


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({}, "Type a tag."),
        ({"do": "add_tag", "add": "  "}, "Type a tag."),
        ({"do": "add_tag", "add": "t" * 61}, "at most 60 characters"),
        ({"do": "add_tag", "add": "one, two"}, "One tag at a time"),
        ({"do": "add_tag", "add": "nul \x00"}, "Null characters are not allowed."),
        ({"do": "replace_tag", "old": "cat"}, "Type a tag."),
        ({"do": "replace_tag", "old": "cat", "new": "cat"}, "That is the same tag."),
        ({"do": "approve", "add": "x"}, "approve is not one of the available choices."),
    ],
)
def test_tag_with_a_mistake_shows_it_and_keeps_the_marks(
    curator_client: Client, library_of_ada: Account, sent: dict[str, str], says: str
):
    rows = waiting(library_of_ada, 2)

    response = curator_client.post(TAG, page_of(rows, marked=rows[1:], **sent))

    assert response.status_code == 422
    assert says in response.text
    assert response.text.count(" checked") == 1
    assert untouched(rows)


def test_grid_counts_the_tags_of_its_photos(curator_client: Client, library_of_ada: Account):
    waiting(library_of_ada, 2, ai_tags=["beach", "sea"])
    waiting(library_of_ada, 1, ai_tags=["beach"])

    response = curator_client.get(GRID)

    counted = re.findall(r'<li data-tag="(\w+)">.*?>(\d of \d)</small>', response.text)
    assert counted == [("beach", "3 of 3"), ("sea", "2 of 3")]
    assert response.text.count('formaction="/review/grid/tag" name="remove" value="beach"') == 1


def test_tag_the_marked_leaves_them_marked_on_the_page_that_comes_back(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued
):
    rows = waiting(library_of_ada, 3)
    sent = page_of(rows, marked=rows[1:], do="add_tag", add="sea")

    response = curator_client.post(TAG, sent, headers=HTMX)

    assert [tile.is_marked for tile in response.context["tiles"]] == [False, True, True]
    assert tags(rows) == [["cat", "grey"], *[["cat", "grey", "sea"]] * 2]


@pytest.mark.parametrize(("edited", "says"), [(1, "1 frame of a burst was left, and waits on"), (0, "")])
def test_approve_a_burst_says_which_frames_it_left(
    curator_client: Client, library_of_ada: Account, enqueued: Enqueued, edited: int, says: str
):
    rows = waiting(library_of_ada, 3)
    AIMetadata.objects.update(stack=rows[0].pk)
    for row in rows[1 : 1 + edited]:
        workflow.edit(row, by=UserFactory(), version=1, changes={"ai_title": "By hand"})

    page = curator_client.post(APPROVE, page_of(rows[:1]), follow=True).text

    assert statuses(rows).count("approved") == 3 - edited
    assert ("left, and wait" in page) is bool(edited)
    assert says in page
