"""Which lane words stand in, and that it is judged whenever words or the allowed tags change."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from metadata import jobs, lanes
from metadata.lanes import Verdict, judge
from metadata.models import AIMetadata
from smugmug.models import Account, Photo
from tests.factories import AIMetadataFactory, AlbumFactory, PhotoFactory, PromptFactory, SyncRunFactory

GOOD: dict[str, Any] = {
    "ai_title": "Grey cat",
    "ai_description": "A grey cat sleeps on a sunlit wall.",
    "ai_alt_text": "A cat on a wall.",
    "ai_tags": ["cat", "wall"],
    "ai_categories": ["Animals"],
}


def verdict(confidence: float | None = 0.9, caption: str = "", vocabulary: Any = (), **words: Any) -> Verdict:
    return judge({**GOOD, **words}, confidence, caption, vocabulary)


def test_judge_without_a_doubt_asks_for_a_glance():
    assert verdict(0.75, "Cats on our wall", ["Wall", "CAT", "dog"]) == ("glance", [])


@pytest.mark.parametrize(
    ("confidence", "expected"),
    [
        (0.75, ("glance", [])),
        (0.74, ("read", ["unsure"])),
        (0.5, ("read", ["unsure"])),
        (0.49, ("look", ["very_unsure"])),
        (0.0, ("look", ["very_unsure"])),
        (None, ("read", ["no_confidence"])),
    ],
)
def test_judge_by_confidence(confidence: float | None, expected: Verdict):
    assert verdict(confidence) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"ai_title": ""}, ("read", ["no_title"])),
        ({"ai_description": ""}, ("look", ["no_description"])),
        ({"ai_description": "x" * 19}, ("read", ["short"])),
        ({"ai_description": "x" * 20}, ("glance", [])),
        ({"ai_description": "x" * 1_000}, ("glance", [])),
        ({"ai_description": "x" * 1_001}, ("read", ["long"])),
        ({"ai_alt_text": "Photo of a cat"}, ("read", ["says_picture"])),
        ({"ai_alt_text": "Telephoto of offices"}, ("glance", [])),
        ({"ai_description": "As an AI, I can’t see the picture."}, ("look", ["speaks_of_itself"])),
        ({"ai_description": "An animal that appears to be a cat."}, ("read", ["guesses"])),
        ({"ai_tags": ["cat", "Unknown"]}, ("read", ["knows_nothing"])),
        ({"ai_title": "", "ai_description": "I'm sorry."}, ("look", ["short", "no_title", "speaks_of_itself"])),
    ],
)
def test_judge_by_the_words(words: dict[str, Any], expected: Verdict):
    assert verdict(**words) == expected


@pytest.mark.parametrize(
    ("vocabulary", "expected"),
    [
        ([], ("glance", [])),
        (["cat", "wall"], ("glance", [])),
        (["Cat", " WALL "], ("glance", [])),
        (["cat"], ("read", ["not_allowed"])),
    ],
)
def test_judge_by_the_allowed_tags(vocabulary: list[str], expected: Verdict):
    assert verdict(vocabulary=vocabulary) == expected


@pytest.mark.parametrize(
    ("caption", "differs"),
    [
        ("A leopard", True),
        ("Zoë at the old mill", True),
        ("<b>Walls</b> of our house", False),  # one word of three is found
        ("Cats sleeping", False),
        ("Taken with this camera, on the way", True),
        ("SONY DSC", False),
        ("DCIM\\100MEDIA\\DJI_0042.JPG", False),
        ("IMG_0042", False),
        ("", False),
    ],
)
def test_judge_by_the_caption_of_people(caption: str, differs: bool):
    assert verdict(caption=caption) == (("read", ["caption_differs"]) if differs else ("glance", []))


def test_doubts_and_phrases_fit_each_other_and_the_column():
    assert set(lanes.PHRASES) <= set(lanes.DOUBTS)
    assert max(map(len, lanes.DOUBTS)) <= 20
    assert all(phrase == phrase.casefold() for phrases in lanes.PHRASES.values() for phrase in phrases)


# --- Rows ------------------------------------------------------------------------------------------------------


def words_in(account: Account, **fields: Any) -> AIMetadata:
    photo = PhotoFactory(album=AlbumFactory(account=account), caption=fields.pop("caption", ""))
    return AIMetadataFactory(photo=photo, **{"described": True, **fields})


def found(*rows: AIMetadata) -> list[tuple[str, list[str]]]:
    for row in rows:
        row.refresh_from_db()
    return [(row.lane, row.doubts) for row in rows]


@pytest.mark.django_db
def test_recompute_judges_by_the_prompt_in_force_of_each_library(library_of_ada: Account):
    other = words_in(AlbumFactory().account)
    PromptFactory(account=library_of_ada, vocabulary=["dog"], is_active=True)
    PromptFactory(account=library_of_ada, vocabulary=["cat", "grey"])
    rows = [words_in(library_of_ada), words_in(library_of_ada, approved=True, caption="Leopard")]
    waiting = words_in(library_of_ada, described=False)

    assert lanes.recompute(library_of_ada, seconds=60) is None

    assert found(*rows, waiting, other) == [
        ("read", ["not_allowed"]),
        ("read", ["not_allowed", "caption_differs"]),
        ("", []),
        ("", []),
    ]


@pytest.mark.django_db
def test_recompute_writes_only_what_changes(library_of_ada: Account):
    words_in(library_of_ada, lane="glance")

    with CaptureQueriesContext(connection) as queries:
        lanes.recompute(library_of_ada, seconds=60)

    assert not [query for query in queries if query["sql"].startswith("UPDATE")]


@pytest.mark.django_db
def test_recompute_goes_on_where_its_time_ended(library_of_ada: Account, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lanes, "ROWS_A_STATEMENT", 1)
    rows = sorted((words_in(library_of_ada) for _ in range(3)), key=lambda row: row.pk)

    last = lanes.recompute(library_of_ada, seconds=0)
    assert (last, [lane for lane, _ in found(*rows)]) == (rows[0].pk, ["glance", "", ""])
    lanes.recompute(library_of_ada, seconds=60, after=last)

    assert [lane for lane, _ in found(*rows)] == ["glance"] * 3


@pytest.mark.django_db
def test_unjudged_words_that_wait_get_a_lane_and_others_keep_theirs(library_of_ada: Account):
    old = words_in(library_of_ada, confidence_score=0.1)
    judged = words_in(library_of_ada, lane="look", doubts=["short"])
    decided = words_in(library_of_ada, approved=True)
    undescribed = words_in(library_of_ada, described=False)
    cache.set(lanes.LAST_PASS, lanes.Pass(timezone.now()))  # nothing was read since

    jobs.judge_unjudged()

    assert found(old, judged, decided, undescribed) == [
        ("look", ["very_unsure"]),
        ("look", ["short"]),
        ("", []),
        ("", []),
    ]


def changed_on_smugmug(words: AIMetadata, caption: str) -> None:
    """As a sync writes it."""
    Photo.objects.filter(pk=words.photo_id).update(caption=caption, synced_at=timezone.now())
    SyncRunFactory(account=words.photo.account, state="succeeded", heartbeat_at=timezone.now())


@pytest.mark.django_db
def test_waiting_words_whose_caption_a_sync_changed_are_judged_anew(library_of_ada: Account):
    words, decided = words_in(library_of_ada, lane="glance"), words_in(library_of_ada, lane="glance", approved=True)
    jobs.judge_unjudged()
    assert found(words, decided) == [("glance", []), ("glance", [])]
    for row in (words, decided):
        changed_on_smugmug(row, "Wedding of Zoë and Brian in Naples")

    jobs.judge_unjudged()

    assert found(words, decided) == [("read", ["caption_differs"]), ("glance", [])]


@pytest.mark.django_db
def test_words_are_judged_anew_only_where_something_was_read_since(library_of_ada: Account):
    words, other = words_in(library_of_ada), words_in(library_of_ada)
    Photo.objects.filter(pk=other.photo_id).update(synced_at=timezone.now() - datetime.timedelta(days=1))
    lanes.judge_read_since(seconds=60)
    with CaptureQueriesContext(connection) as nothing:
        lanes.judge_read_since(seconds=60)
    AIMetadata.objects.update(lane="look")
    changed_on_smugmug(words, "")

    lanes.judge_read_since(seconds=60)

    assert len(nothing) == 1
    assert [lane for lane, _ in found(words, other)] == ["glance", "look"]


@pytest.mark.django_db
def test_judging_what_was_read_goes_on_where_its_time_ended(library_of_ada: Account, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lanes, "ROWS_A_STATEMENT", 1)
    rows = sorted((words_in(library_of_ada) for _ in range(3)), key=lambda row: row.pk)

    lanes.judge_read_since(seconds=0)
    assert [lane for lane, _ in found(*rows)] == ["glance", "", ""]
    lanes.judge_read_since(seconds=60)

    assert [lane for lane, _ in found(*rows)] == ["glance"] * 3


@pytest.mark.django_db
def test_rows_rewritten_are_judged_and_no_others(library_of_ada: Account):
    mine, other = words_in(library_of_ada), words_in(library_of_ada)

    lanes.judge_rows([mine.pk])

    assert found(mine, other) == [("glance", []), ("", [])]


@pytest.mark.django_db
def test_job_goes_on_in_another_slice(library_of_ada: Account, enqueued: list[Any], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs, "SLICE_SECONDS", 0)
    row = words_in(library_of_ada)

    jobs.judge_anew(str(library_of_ada.pk))
    assert enqueued == [("judge_anew", (str(library_of_ada.pk), str(row.pk)))]
    jobs.judge_anew(str(library_of_ada.pk), str(row.pk))

    assert (found(row), len(enqueued)) == ([("glance", [])], 1)


@pytest.mark.django_db
def test_job_of_a_library_that_is_gone_does_nothing(enqueued: list[Any]):
    jobs.judge_anew("4711")

    assert enqueued == []
