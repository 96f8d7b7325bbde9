"""Which photos a run is about: what is asked for, and never what a person decided on or what must stay in the house."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from metadata import prompts, selection, workflow
from metadata.models import AIMetadata, MetadataHistory, Note, ProcessingRun
from metadata.selection import NOT_SENT, Wish
from smugmug.models import Account, Album, AlbumPhoto, Photo
from tests.conftest import FakeDescriber
from tests.factories import AIMetadataFactory, AlbumFactory, PhotoFactory, ProcessingRunFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def album(library_of_ada: Account) -> Album:
    return AlbumFactory(account=library_of_ada, title="Summer")


def photo(album: Album, name: str, **fields: Any) -> Photo:
    return PhotoFactory(album=album, filename=name, **fields)


def described(album: Album, name: str, **fields: Any) -> AIMetadata:
    """With words that were made from what would be sent now, and nobody touched."""
    words = AIMetadataFactory(photo=photo(album, name), **{"described": True, **fields})
    AIMetadata.objects.filter(pk=words.pk).update(ai_answer=words.history.get(version=1))
    freshen(words)
    return words


def freshen(words: AIMetadata) -> None:
    account = words.photo.account
    briefing = prompts.briefing_for(prompts.active(account), model="fake-1")
    AIMetadata.objects.filter(pk=words.pk).update(fingerprint=briefing.fingerprint(words.photo))


def found(account: Account, describer: FakeDescriber | None = None, **wish: Any) -> list[str]:
    photos = selection.to_describe(account, Wish(**wish), describer=describer or FakeDescriber())
    return [each.filename for each in photos]


def planned(account: Account, *, sends: bool = True, **wish: Any) -> ProcessingRun:
    run = ProcessingRunFactory(account=account, prompt=prompts.active(account), **wish)
    run.begin(alone=False)
    selection.plan(run, sends=sends)
    return run


def names(run: ProcessingRun, **condition: Any) -> set[str]:
    return set(AIMetadata.objects.of_run(run).filter(**condition).values_list("photo__filename", flat=True))


@pytest.fixture
def one_of_each(album: Album) -> Album:
    """Photos in every state, named by it."""
    photo(album, "new")
    AIMetadataFactory(photo=photo(album, "pending"))
    AIMetadataFactory(
        photo=photo(album, "left"), processing_status="processing", claimed_until=timezone.now() - timedelta(1)
    )
    AIMetadataFactory(
        photo=photo(album, "in hand"), processing_status="processing", claimed_until=timezone.now() + timedelta(1)
    )
    AIMetadataFactory(photo=photo(album, "failed"), failed=True)
    AIMetadataFactory(photo=photo(album, "broken"), failed=True, error="Damaged.")
    AIMetadataFactory(photo=photo(album, "film", is_video=True), processing_status="skipped")
    described(album, "described")
    AIMetadata.objects.filter(pk=described(album, "stale").pk).update(fingerprint="of something else")
    AIMetadata.objects.filter(pk=described(album, "approved", approved=True).pk).update(fingerprint="else")
    photo(album, "removed", removed_at=timezone.now())
    photo(AlbumFactory(), "strange")
    return album


# --- What is asked for -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "names"),
    [
        ({}, ["left", "new", "pending"]),
        ({"only": "failed"}, ["broken", "failed"]),
        ({"only": "failed", "reason": "Damaged."}, ["broken"]),
        ({"only": "failed", "reason": "Dam"}, []),
        ({"only": "stale"}, ["stale"]),
        ({"only": "stale", "also_decided": True}, ["approved", "stale"]),
        ({"only": "all"}, ["broken", "described", "failed", "left", "new", "pending", "stale"]),
        (
            {"only": "all", "also_decided": True},
            ["approved", "broken", "described", "failed", "left", "new", "pending", "stale"],
        ),
        ({"limit": 2}, ["left", "new"]),
    ],
)
def test_to_describe_is_what_is_asked_for(one_of_each: Album, wish: dict[str, Any], names: list[str]):
    assert found(one_of_each.account, **wish) == names


@pytest.mark.parametrize("wish", [{}, {"only": "failed"}, {"only": "stale"}, {"only": "all", "also_decided": True}])
def test_plan_takes_what_was_counted(one_of_each: Album, wish: dict[str, Any]):
    counted = found(one_of_each.account, **wish)

    run = planned(one_of_each.account, **wish)

    assert sorted(names(run, processing_status="pending")) == counted
    assert run.total - run.skipped == len(counted)


def test_to_describe_of_one_album_leaves_the_others_and_takes_what_is_collected_into_it(album: Album):
    other = AlbumFactory(account=album.account)
    photo(album, "here")
    collected = photo(other, "collected")
    photo(other, "elsewhere")
    AlbumPhoto.objects.create(album=album, photo=collected, position=2, origin="Collect")

    assert sorted(found(album.account, album=album)) == ["collected", "here"]


def test_to_describe_of_one_photo_is_that(album: Album):
    one = photo(album, "one")
    photo(album, "two")

    assert found(album.account, photo=one, only="all") == ["one"]


def test_to_describe_leaves_out_films_that_nobody_looked_at(album: Album):
    photo(album, "film", is_video=True)

    assert found(album.account) == []


def test_plan_skips_films_and_counts_them(album: Album):
    photo(album, "film", is_video=True)
    photo(album, "picture")

    run = planned(album.account)

    film = AIMetadata.objects.get(photo__filename="film")
    assert (film.processing_status, film.error) == ("skipped", selection.IS_VIDEO)
    assert (run.total, run.done, run.skipped) == (2, 1, 1)


def test_plan_with_a_limit_makes_rows_for_so_many(album: Album):
    for name in ("c", "b", "a"):
        photo(album, name)

    run = planned(album.account, limit=2)

    assert (run.total, names(run)) == (2, {"a", "b"})
    assert AIMetadata.objects.count() == 2


def test_plan_a_second_time_adds_nothing(album: Album):
    photo(album, "one")
    run = planned(album.account)
    photo(album, "two")

    selection.plan(ProcessingRun.objects.get(), sends=True)

    assert ProcessingRun.objects.get().total == 1
    assert names(run) == {"one"}


def test_plan_leaves_alone_what_another_worker_has_in_hand(album: Album):
    until = timezone.now() + timedelta(minutes=1)
    words = AIMetadataFactory(photo=photo(album, "one"), processing_status="processing", claimed_until=until)

    run = planned(album.account, only="all")

    words.refresh_from_db()
    assert run.total == 0
    assert (words.run, words.processing_status, words.claimed_until) == (None, "processing", until)


# --- Stale -----------------------------------------------------------------------------------------------------


def test_stale_are_those_whose_note_changed_and_no_others(album: Album):
    other = AlbumFactory(account=album.account)
    described(album, "noted")
    described(other, "plain")

    Note.objects.create(account=album.account, album=album, text="The bride is Zoë.", updated_by="user:ada")

    assert found(album.account, only="stale") == ["noted"]


def test_stale_are_those_that_were_replaced_on_smugmug(album: Album):
    words = described(album, "replaced")
    described(album, "same")

    Photo.objects.filter(pk=words.photo_id).update(image_id=f"{words.photo.image_key}-1")

    assert found(album.account, only="stale") == ["replaced"]


def test_stale_are_all_when_the_model_changes(album: Album):
    described(album, "a")
    described(album, "b")
    another = FakeDescriber()
    another.model = "fake-2"

    assert found(album.account, another, only="stale") == ["a", "b"]


# --- What a person decided -------------------------------------------------------------------------------------


@pytest.mark.parametrize("only", ["pending", "stale", "all"])
@pytest.mark.parametrize("decision", ["approve", "reject", "edit"])
def test_to_describe_leaves_alone_what_a_person_decided_on_or_wrote(
    album: Album, enqueued: list[Any], only: str, decision: str
):
    words, person = described(album, "one"), UserFactory()
    words.refresh_from_db()
    AIMetadata.objects.filter(pk=words.pk).update(fingerprint="of something else")
    if decision == "reject":
        workflow.reject(words, by=person, version=1, reason="Other")
    else:
        getattr(workflow, decision)(words, by=person, version=1, changes={"ai_description": "By hand."})

    assert found(album.account, only=only) == []
    assert planned(album.account, only=only).total == 0
    words.refresh_from_db()
    assert words.processing_status == "completed"


def test_plan_when_a_person_decides_between_counting_and_marking_leaves_it(album: Album):
    words = described(album, "one")
    run = ProcessingRunFactory(account=album.account)
    AIMetadata.objects.filter(pk=words.pk).update(review_status="rejected")

    selection._mark(run, [words.photo_id])

    words.refresh_from_db()
    assert (words.processing_status, words.run) == ("completed", None)


# --- What must not leave the house -----------------------------------------------------------------------------


def test_plan_of_an_album_that_is_never_sent_skips_its_photos_and_says_so(album: Album):
    other = AlbumFactory(account=album.account)
    photo(album, "secret")
    collected = photo(other, "collected")
    AlbumPhoto.objects.create(album=album, photo=collected, position=2, origin="Collect")
    photo(other, "open")
    Album.objects.filter(pk=album.pk).update(never_send=True)

    run = planned(album.account)

    assert names(run, processing_status="skipped", error=NOT_SENT) == {"secret", "collected"}
    assert names(run, processing_status="pending") == {"open"}
    assert (run.total, run.done, run.skipped) == (3, 2, 2)
    assert found(album.account) == ["open"]


def test_plan_of_an_account_that_is_never_sent_skips_all(album: Album):
    photo(album, "secret")
    Account.objects.update(never_send=True)

    run = planned(album.account)

    assert names(run, processing_status="skipped", error=NOT_SENT) == {"secret"}
    assert found(album.account) == []


def test_plan_with_a_model_in_the_house_describes_what_is_never_sent(album: Album):
    photo(album, "secret")
    Account.objects.update(never_send=True)
    local = FakeDescriber()
    local.sends_to = ""

    assert found(album.account, local) == ["secret"]
    assert names(planned(album.account, sends=False), processing_status="pending") == {"secret"}


def test_plan_of_what_is_never_sent_leaves_words_as_they_are(album: Album):
    words = described(album, "secret")
    AIMetadata.objects.filter(pk=words.pk).update(fingerprint="of something else")
    Account.objects.update(never_send=True)

    run = planned(album.account, only="stale")

    words.refresh_from_db()
    assert (words.processing_status, words.ai_description) == ("completed", "A grey cat on a wall.")
    assert (run.total, run.skipped) == (1, 1)


def test_plan_after_the_mark_is_taken_away_describes_what_was_kept_back(album: Album):
    photo(album, "secret")
    Account.objects.update(never_send=True)
    first = planned(album.account)
    first.cancel()
    Account.objects.update(never_send=False)

    assert found(album.account) == ["secret"]
    assert names(planned(album.account), processing_status="pending", error="") == {"secret"}


# --- What a run leaves behind ----------------------------------------------------------------------------------


def test_put_back_leaves_words_described_and_others_waiting(album: Album):
    run = ProcessingRunFactory(account=album.account, state="cancelled")
    late, soon = timezone.now() - timedelta(1), timezone.now() + timedelta(1)
    described(album, "had words", processing_status="pending", run=run)
    described(album, "dead worker's", processing_status="processing", claimed_until=late, run=run)
    described(album, "in hand", processing_status="processing", claimed_until=soon, run=run)
    AIMetadataFactory(photo=photo(album, "had none"), processing_status="processing", claimed_until=late, run=run)

    selection.put_back(AIMetadata.objects.of_run(run))

    assert names(run, processing_status="completed", claimed_until=None) == {"had words", "dead worker's"}
    assert names(run, processing_status="pending", claimed_until=None) == {"had none"}
    assert names(run, processing_status="processing", claimed_until=soon) == {"in hand"}
    assert MetadataHistory.objects.filter(version__gt=1).count() == 0
