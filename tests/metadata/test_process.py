"""The engine: each photo once, whoever dies, answers nonsense or is faster."""

from __future__ import annotations

import io
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from PIL import Image
from rq.exceptions import ShutDownImminentException

from metadata import claims, process, workflow
from metadata.describe import Answer, BadAnswer, Outage, Refused, Rejected, UnusablePicture, Usage, Vectors
from metadata.models import AICall, AIMetadata, MetadataHistory, PhotoEmbedding, ProcessingRun
from smugmug.client import SmugMugGone, SmugMugRefused, SmugMugUnavailable
from smugmug.models import Account, Album, AlbumPhoto, Photo
from smugmug.sandbox import Sandbox
from targetvision.models import RunState
from tests.conftest import FakeDescriber
from tests.factories import AIMetadataFactory, PhotoFactory, UserFactory

CLOSED_PORT = "http://127.0.0.1:9/photo.jpg"  # nobody listens on discard

pytestmark = pytest.mark.django_db

NewRun = Callable[..., ProcessingRun]
Work = Callable[..., bool]


@pytest.fixture
def smugmug(own_smugmug: Sandbox) -> Sandbox:
    """Each test has a stand-in of its own, to take pictures away from."""
    return own_smugmug


def calls(**condition: Any) -> Counter[tuple[str, str]]:
    return Counter(AICall.objects.filter(**condition).values_list("kind", "outcome"))


def statuses() -> Counter[str]:
    return Counter(AIMetadata.objects.values_list("processing_status", flat=True))


class BadAboutOne(FakeDescriber):
    """Never has a usable answer for the picture it sees first."""

    def describe(self, jpeg: bytes) -> Answer:
        answer = super().describe(jpeg)
        if jpeg == self.pictures[0]:
            raise BadAnswer("nonsense", usage=Usage(800, 0, 3))
        return answer


class Slow(FakeDescriber):
    """Takes its time for each picture."""

    seconds = 0.03

    def describe(self, jpeg: bytes) -> Answer:
        time.sleep(self.seconds)
        return super().describe(jpeg)


class NoVectors(FakeDescriber):
    """Describes, and fails to embed as long as there are `troubles`."""

    def __init__(self, *troubles: Exception) -> None:
        super().__init__()
        self.troubles = list(troubles)

    def embed(self, texts: Sequence[str]) -> Vectors:
        if self.troubles:
            raise self.troubles.pop(0)
        return super().embed(texts)


# --- Each photo once ---------------------------------------------------------------------------------------


def test_carry_on_with_photos_describes_each_once(food: Album, describer: FakeDescriber, new_run: NewRun, work: Work):
    run = new_run()

    over = work(run)

    assert over is True
    assert (run.state, run.total, run.done, run.described, run.failed) == (RunState.SUCCEEDED, 3, 3, 3, 0)
    assert len(describer.pictures) == len(set(describer.pictures)) == 3
    words = AIMetadata.objects.get(photo__title="Cocktail")
    assert words.processing_status == "completed"
    assert words.ai_description == "A description."
    assert (words.describer, words.model, words.confidence_score) == ("fake", "fake-1", 0.9)
    assert (words.version, words.review_status, words.claimed_until) == (1, "unreviewed", None)
    assert words.processed_at is not None
    assert words.ai_answer == words.history.get()


def test_carry_on_after_a_run_over_everything_describes_nothing(
    food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    work(new_run())
    again = new_run()

    work(again)

    assert (again.state, again.total) == (RunState.SUCCEEDED, 0)
    assert len(describer.pictures) == 3
    assert MetadataHistory.objects.count() == 3


def test_carry_on_writes_history_that_names_the_model(food: Album, new_run: NewRun, work: Work):
    work(new_run(limit=1))

    step = MetadataHistory.objects.get()
    assert (step.source, step.changed_by, step.version) == ("ai", "ai:fake-1", 1)
    assert (step.previous_description, step.new_description) == ("", "A description.")
    assert step.new_tags == ["one", "two"]


def test_carry_on_writes_a_ledger_row_for_each_call_and_embeds_in_batches(
    mirror: Callable[..., Album], settings: Any, new_run: NewRun, work: Work
):
    settings.AI_BATCH_SIZE = 4
    mirror("Food")

    run = new_run()
    work(run)

    assert calls(run=run) == {("describe", "ok"): 6, ("embed", "ok"): 2}
    described = AICall.objects.filter(kind="describe").first()
    assert (described.model, described.tokens_in, described.tokens_out) == ("fake-1", 900, 60)
    assert described.cost is None  # what an unknown price comes to is not nothing
    assert AICall.objects.filter(kind="describe", photo=None).count() == 0
    assert AICall.objects.filter(kind="embed").first().model == "fake-embedding"
    assert PhotoEmbedding.objects.count() == 6


def test_carry_on_with_several_calls_in_flight_describes_each_once(
    mirror: Callable[..., Album], settings: Any, describer: FakeDescriber, new_run: NewRun, work: Work
):
    settings.AI_CONCURRENCY, settings.AI_BATCH_SIZE = 4, 2
    mirror("Food")

    work(new_run())

    assert len(set(describer.pictures)) == len(describer.pictures) == 6
    assert statuses() == {"completed": 6}


def test_carry_on_with_a_failed_call_keeps_it_in_the_ledger(
    food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    describer.failures = [BadAnswer("nonsense", usage=Usage(5, None, 2))]

    run = new_run()
    work(run)

    assert run.state == RunState.SUCCEEDED
    assert calls() == {("describe", "bad_answer"): 1, ("describe", "ok"): 3, ("embed", "ok"): 1}
    failed = AICall.objects.get(outcome="bad_answer")
    assert (failed.model, failed.tokens_in, failed.tokens_out) == ("fake-1", 5, 2)


def test_carry_on_with_the_built_in_model_costs_nothing(
    food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    describer.name = "local"

    work(new_run(limit=1))

    assert set(AICall.objects.values_list("cost", flat=True)) == {0}


def test_carry_on_tells_how_far_it_is(food: Album, new_run: NewRun, work: Work):
    told: list[tuple[int, int | None]] = []

    work(new_run(), tell=lambda run: told.append((run.done, run.total)))

    assert told[0] == (0, 3)
    assert told[-1] == (3, 3)
    assert (2, 3) in told


# --- Which photos ------------------------------------------------------------------------------------------


def test_carry_on_with_a_video_skips_it_and_says_why(
    food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    Photo.objects.filter(title="Cocktail").update(is_video=True)

    run = new_run()
    work(run)

    film = AIMetadata.objects.get(photo__title="Cocktail")
    assert (film.processing_status, film.error) == ("skipped", "This is a video; only pictures are described.")
    assert (run.state, run.skipped, run.described, run.done, run.total) == (RunState.SUCCEEDED, 1, 2, 3, 3)
    assert len(describer.pictures) == 2
    assert film.history.count() == 0


def test_carry_on_with_a_limit_describes_so_many(food: Album, describer: FakeDescriber, new_run: NewRun, work: Work):
    run = new_run(limit=2)

    work(run)

    assert (run.state, run.total, run.described) == (RunState.SUCCEEDED, 2, 2)
    assert len(describer.pictures) == 2
    assert statuses() == {"completed": 2, "pending": 1}


def test_carry_on_with_an_album_leaves_the_others_alone(
    food: Album, mirror: Callable[..., Album], new_run: NewRun, work: Work
):
    mirror("Places", count=2)

    run = new_run(album=food)
    work(run)

    assert run.described == 3
    assert set(AIMetadata.objects.values_list("photo__album__title", flat=True)) == {"Food"}


def test_carry_on_leaves_other_accounts_and_removed_photos_alone(
    food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    Photo.objects.filter(title="Cocktail").update(removed_at=timezone.now())
    strange = PhotoFactory()

    run = new_run()
    work(run)

    assert run.total == 2
    assert not AIMetadata.objects.filter(photo__title="Cocktail").exists()
    assert not AIMetadata.objects.filter(photo=strange).exists()


@pytest.mark.parametrize("review", ["approved", "rejected"])
def test_carry_on_leaves_words_alone_that_a_person_decided_on(food: Album, new_run: NewRun, work: Work, review: str):
    photo = food.home_photos.first()
    decided = {"approved_by": "user:ada", "approved_at": timezone.now()} if review == "approved" else {}
    AIMetadataFactory(photo=photo, ai_description="By hand.", review_status=review, **decided)

    run = new_run()
    work(run)

    words = AIMetadata.objects.get(photo=photo)
    assert run.total == 2
    assert (words.ai_description, words.processing_status, words.version) == ("By hand.", "pending", 0)


def test_carry_on_with_only_failed_describes_those_that_failed(
    food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    photo = food.home_photos.first()
    AIMetadataFactory(photo=photo, failed=True)

    run = new_run(only="failed")
    work(run)

    words = AIMetadata.objects.get(photo=photo)
    assert (run.total, run.described, len(describer.pictures)) == (1, 1, 1)
    assert (words.processing_status, words.error, words.attempts) == ("completed", "", 0)


def test_carry_on_with_only_pending_leaves_the_failed_alone(food: Album, new_run: NewRun, work: Work):
    AIMetadataFactory(photo=food.home_photos.first(), failed=True)

    run = new_run()
    work(run)

    assert run.total == 2
    assert statuses() == {"completed": 2, "failed": 1}


def test_start_while_a_run_is_active_gives_that_run(account: Account, describer: FakeDescriber):
    first, is_new = process.start(account, by=None, describer=describer)

    second, is_second_new = process.start(account, by=None, limit=1, describer=describer)

    assert (is_new, is_second_new) == (True, False)
    assert second == first
    assert ProcessingRun.objects.count() == 1


# --- What ails the server pauses the run -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trouble", "outcome"),
    [
        (Outage("HTTP 503"), "outage"),
        (Rejected("HTTP 401", advice="The AI server refuses the key. Check OPENAI_API_KEY."), "rejected"),
    ],
)
def test_carry_on_when_the_server_ails_pauses_and_costs_no_attempt(
    food: Album, describer: FakeDescriber, new_run: NewRun, work: Work, trouble: Any, outcome: str
):
    describer.failures = [trouble]
    run = new_run()

    over = work(run)

    assert over is True
    assert (run.state, run.waiting_for, run.done) == (RunState.PAUSED, trouble.advice, 0)
    assert set(AIMetadata.objects.values_list("attempts", "processing_status", "claimed_until")) == {
        (0, "pending", None)
    }
    assert calls() == {("describe", outcome): 1}


def test_carry_on_after_a_pause_describes_the_rest(food: Album, describer: FakeDescriber, new_run: NewRun, work: Work):
    run = new_run()
    describer.failures = [Outage("HTTP 503")]
    work(run)

    assert run.resume() is True
    work(run)

    assert (run.state, run.waiting_for, run.described) == (RunState.SUCCEEDED, "", 3)


def test_carry_on_with_a_paused_run_does_nothing(food: Album, describer: FakeDescriber, new_run: NewRun, work: Work):
    run = new_run()
    describer.failures = [Outage("HTTP 503")]
    work(run)

    over = work(run)

    assert over is True
    assert run.state == RunState.PAUSED
    assert len(describer.pictures) == 1


def test_carry_on_when_embedding_is_out_pauses_and_keeps_the_words(food: Album, new_run: NewRun, work: Work):
    flaky = NoVectors(Outage("HTTP 503"))
    run = new_run()

    work(run, by=flaky)

    assert (run.state, run.described) == (RunState.PAUSED, 3)
    assert calls() == {("describe", "ok"): 3, ("embed", "outage"): 1}
    run.resume()
    work(run, by=flaky)
    assert (run.state, PhotoEmbedding.objects.count(), len(flaky.pictures)) == (RunState.SUCCEEDED, 3, 3)


def test_carry_on_when_embedding_gives_nonsense_is_partly_done(food: Album, new_run: NewRun, work: Work):
    nonsense = NoVectors(*[BadAnswer("nonsense")] * 9)
    run = new_run()

    work(run, by=nonsense)

    assert run.state == RunState.PARTIAL
    assert statuses() == {"completed": 3}
    assert {(error["title"], error["sentence"]) for error in run.errors} == {("Embeddings", BadAnswer.advice)}
    assert PhotoEmbedding.objects.count() == 0


def test_carry_on_when_smugmug_gives_no_pictures_pauses(
    food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    Photo.objects.update(large_url=CLOSED_PORT)
    run = new_run()

    work(run)

    assert (run.state, run.waiting_for) == (RunState.PAUSED, SmugMugUnavailable.advice)
    assert describer.pictures == []
    assert statuses() == {"pending": 3}
    assert AICall.objects.count() == 0


def test_carry_on_when_smugmug_refuses_us_pauses(
    smugmug: Sandbox, food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    Photo.objects.update(large_url="")  # the address has to be asked for
    smugmug.revoke()
    run = new_run()

    work(run)

    assert (run.state, run.waiting_for) == (RunState.PAUSED, SmugMugRefused.advice)
    assert set(AIMetadata.objects.values_list("attempts", flat=True)) == {0}
    assert describer.pictures == []


# --- What ails a photo costs it an attempt -----------------------------------------------------------------


def test_carry_on_with_three_bad_answers_parks_the_photo_and_completes_the_others(
    food: Album, new_run: NewRun, work: Work
):
    run = new_run()

    work(run, by=BadAboutOne())

    parked = AIMetadata.objects.get(processing_status="failed")
    assert (parked.attempts, parked.error, parked.claimed_until) == (3, BadAnswer.advice, None)
    assert (parked.ai_description, parked.history.count()) == ("", 0)
    assert (run.state, run.described, run.failed, run.done) == (RunState.PARTIAL, 2, 1, 3)
    assert calls(kind="describe") == {("describe", "bad_answer"): 3, ("describe", "ok"): 2}


def test_carry_on_with_nothing_but_bad_answers_fails(
    food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    describer.failures = [BadAnswer("nonsense")] * 9
    run = new_run()

    work(run)

    assert (run.state, run.failed, run.described) == (RunState.FAILED, 3, 0)
    assert len(describer.pictures) == 9
    assert PhotoEmbedding.objects.count() == 0


def test_carry_on_with_a_refused_picture_parks_it_at_once(
    food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    describer.failures = [Refused("content_filter")]
    run = new_run()

    work(run)

    parked = AIMetadata.objects.get(processing_status="failed")
    assert (parked.attempts, parked.error) == (1, Refused.advice)
    assert (run.state, run.described) == (RunState.PARTIAL, 2)
    assert calls(kind="describe") == {("describe", "refused"): 1, ("describe", "ok"): 2}


def test_carry_on_with_a_damaged_picture_parks_it_and_asks_no_model(
    smugmug: Sandbox, food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    page = f"{smugmug.url}/api/v2/user/demo"  # HTML for who wants an image
    Photo.objects.filter(title="Cocktail").update(large_url=page)
    run = new_run()

    work(run)

    parked = AIMetadata.objects.get(photo__title="Cocktail")
    assert (parked.processing_status, parked.error) == ("failed", UnusablePicture.advice)
    assert (parked.attempts, len(describer.pictures)) == (1, 2)
    assert calls(kind="describe") == {("describe", "ok"): 2}


def test_carry_on_with_a_moved_address_asks_for_it_again(
    smugmug: Sandbox, food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    moved = Photo.objects.get(title="Cocktail")
    smugmug.library.home(moved.image_key)[1].serial = 1
    before = len(smugmug.requests)

    run = new_run()
    work(run)

    assert (run.state, run.described, len(describer.pictures)) == (RunState.SUCCEEDED, 3, 3)
    asked = [request.path for request in smugmug.requests[before:]]
    assert any(f"/image/{moved.image_key}-" in path and "!sizedetails" in path for path in asked)
    assert not any("!sizedetails" in path for path in asked if moved.image_key not in path)


def test_carry_on_with_a_picture_that_is_gone_never_describes_without_it(
    smugmug: Sandbox, food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    home = smugmug.library.album(food.album_key)
    home.photos = [photo for photo in home.photos if photo.title != "Cocktail"]
    run = new_run()

    work(run)

    gone = AIMetadata.objects.get(photo__title="Cocktail")
    assert (gone.processing_status, gone.error, gone.attempts) == ("failed", SmugMugGone.advice, 3)
    assert (run.state, run.described) == (RunState.PARTIAL, 2)
    assert len(describer.pictures) == 2
    assert not AICall.objects.filter(photo=gone.photo).exists()


# --- What the describer is shown ---------------------------------------------------------------------------


def test_carry_on_with_the_sideways_photo_shows_it_upright_small_and_anonymous(
    mirror: Callable[..., Album], describer: FakeDescriber, new_run: NewRun, work: Work
):
    mirror("Animals")
    sideways = Photo.objects.get(title="Two dogs on a balcony")
    AlbumPhoto.objects.exclude(photo=sideways).delete()

    work(new_run(album=sideways.album))

    [jpeg] = describer.pictures
    with Image.open(io.BytesIO(jpeg)) as picture:
        assert picture.format == "JPEG"
        assert picture.height > picture.width
        assert 700 < max(picture.size) <= 1024
        assert dict(picture.getexif()) == {}
    assert sideways.latitude is not None  # there is a place that could have been given away
    assert b"Exif" not in jpeg
    assert b"Pixel" not in jpeg


@pytest.mark.parametrize("pixels", [256, 2048])
def test_carry_on_with_another_picture_size_asks_for_that(
    smugmug: Sandbox, food: Album, settings: Any, describer: FakeDescriber, new_run: NewRun, work: Work, pixels: int
):
    settings.AI_IMAGE_PIXELS = pixels
    before = len(smugmug.requests)

    work(new_run(limit=1))

    [jpeg] = describer.pictures
    with Image.open(io.BytesIO(jpeg)) as picture:
        assert max(picture.size) == min(pixels, 512)
    assert ["!sizedetails" in request.path for request in smugmug.requests[before:]] == [True]


# --- Workers that die, and workers beside each other -------------------------------------------------------


def left_by_a_dead_worker(run: ProcessingRun, *, until: timedelta) -> AIMetadata:
    """One photo of the run in the hands of somebody who will say no more."""
    assert run.begin(alone=False)
    claims.plan(run)
    [claim] = claims.claim(run, 1)
    AIMetadata.objects.filter(pk=claim.pk).update(claimed_until=timezone.now() + until)
    return AIMetadata.objects.get(pk=claim.pk)


def test_carry_on_with_a_lease_that_ran_out_describes_the_photo(
    food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    run = new_run()
    left = left_by_a_dead_worker(run, until=timedelta(seconds=-1))

    work(run)

    left.refresh_from_db()
    assert (left.processing_status, left.version) == ("completed", 1)
    assert (run.state, run.described, len(describer.pictures)) == (RunState.SUCCEEDED, 3, 3)


def test_carry_on_with_a_photo_in_other_hands_leaves_it_and_the_run_open(
    food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    run = new_run()
    left = left_by_a_dead_worker(run, until=timedelta(seconds=60))

    over = work(run)

    left.refresh_from_db()
    assert over is True
    assert (left.processing_status, left.version) == ("processing", 0)
    assert (run.state, run.described, len(describer.pictures)) == (RunState.RUNNING, 2, 2)


def test_carry_on_with_answers_whose_lease_was_lost_writes_nothing_of_them(
    food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    run = new_run()

    def lose_the_rest(run: ProcessingRun) -> None:
        in_an_hour = timezone.now() + timedelta(hours=1)
        AIMetadata.objects.filter(processing_status="processing").update(claimed_until=in_an_hour)

    work(run, tell=lambda run: run.done == 1 and lose_the_rest(run))

    assert len(describer.pictures) == 3
    assert statuses() == {"completed": 1, "processing": 2}
    assert (run.state, run.described) == (RunState.RUNNING, 1)
    assert MetadataHistory.objects.count() == PhotoEmbedding.objects.count() == 1


@pytest.mark.parametrize("decision", ["approved", "rejected"])
def test_carry_on_leaves_words_alone_that_a_person_decides_on_meanwhile(
    food: Album, new_run: NewRun, work: Work, enqueued: list[Any], decision: str
):
    run, person = new_run(), UserFactory()

    def decide_on_the_rest(run: ProcessingRun) -> None:
        for words in AIMetadata.objects.filter(processing_status="processing", review_status="unreviewed"):
            if decision == "approved":
                workflow.approve(words, by=person, version=0, changes={"ai_description": "By hand."})
            else:
                workflow.reject(words, by=person, version=0, reason="Other")

    work(run, tell=lambda run: run.done == 1 and decide_on_the_rest(run))
    AIMetadata.objects.exclude(claimed_until=None).update(claimed_until=timezone.now())
    work(run)

    decided = AIMetadata.objects.filter(review_status=decision)
    assert {words.ai_description for words in decided} == {"By hand." if decision == "approved" else ""}
    assert not MetadataHistory.objects.filter(metadata__in=decided, source="ai").exists()
    assert (run.state, run.described, decided.count()) == (RunState.SUCCEEDED, 1, 2)
    assert calls(kind="describe") == {("describe", "ok"): 3}  # nothing is described again for nobody


def test_carry_on_after_a_death_between_words_and_vector_embeds_without_describing_again(
    food: Album, new_run: NewRun, work: Work
):
    run = new_run()
    dying = NoVectors(ShutDownImminentException("stop", {}))
    with pytest.raises(ShutDownImminentException):
        work(run, by=dying)
    assert (PhotoEmbedding.objects.count(), statuses()) == (0, {"completed": 3})

    work(run, by=dying)

    assert (run.state, run.described) == (RunState.SUCCEEDED, 3)
    assert PhotoEmbedding.objects.count() == 3
    assert len(dying.pictures) == 3
    assert MetadataHistory.objects.count() == 3


def test_carry_on_when_cancelled_in_the_middle_keeps_what_came_and_stops(
    mirror: Callable[..., Album], describer: FakeDescriber, new_run: NewRun, work: Work
):
    mirror("Food")
    run = new_run()

    over = work(run, tell=lambda run: run.done == 2 and run.cancel())

    run.refresh_from_db()
    assert over is True
    assert (run.state, run.described) == (RunState.CANCELLED, 2)
    assert run.finished_at is not None
    assert 2 <= len(describer.pictures) <= 3  # one may have been under way
    assert statuses() == {"completed": 2, "pending": 4}


def test_carry_on_when_the_slice_ends_gives_photos_back_and_goes_on_later(
    mirror: Callable[..., Album], new_run: NewRun, work: Work
):
    mirror("Food")
    run, slow = new_run(), Slow()

    over = work(run, by=slow, seconds=0.04)

    assert over is False
    assert run.state == RunState.RUNNING
    assert 1 <= run.described < 6
    assert statuses() == {"completed": run.described, "pending": 6 - run.described}
    assert PhotoEmbedding.objects.count() == run.described
    while not work(run, by=slow):
        pass
    assert (run.state, run.described) == (RunState.SUCCEEDED, 6)
    assert len(slow.pictures) == len(set(slow.pictures)) == 6


@pytest.mark.django_db(transaction=True)
def test_carry_on_by_two_workers_at_once_describes_no_photo_twice(
    mirror: Callable[..., Album], settings: Any, new_run: NewRun, work: Work
):
    settings.AI_BATCH_SIZE, settings.AI_CONCURRENCY = 2, 2
    mirror("Animals", count=14)
    run, slow = new_run(), Slow()
    start, shares = threading.Barrier(2), []

    def one_worker() -> None:
        try:
            seen = FakeDescriber()
            seen.describe = slow.describe  # type: ignore[method-assign]
            mine = ProcessingRun.objects.get(pk=run.pk)
            start.wait(timeout=10)
            work(mine, by=seen)
            shares.append(len(seen.texts))
        finally:
            connection.close()

    workers = [threading.Thread(target=one_worker) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=30)

    run.refresh_from_db()
    assert (run.state, run.total, run.described, run.failed) == (RunState.SUCCEEDED, 14, 14, 0)
    assert len(slow.pictures) == len(set(slow.pictures)) == 14
    assert MetadataHistory.objects.count() == 14
    assert PhotoEmbedding.objects.count() == 14
    assert len(shares) == 2
    assert min(shares) > 0  # both had a part in it


# --- One photo's vector ------------------------------------------------------------------------------------


def test_embed_photo_with_words_replaces_the_vector_and_writes_the_ledger(describer: FakeDescriber):
    words = AIMetadataFactory(described=True)
    PhotoEmbedding.objects.create(photo=words.photo, model="old", embedding=[0.5] * 1536)

    process.embed_photo(str(words.photo_id), describer=describer)

    vector = PhotoEmbedding.objects.get()
    assert (vector.model, vector.embedding[0], vector.embedding[1]) == ("fake-embedding", 1, 0)
    assert describer.texts == ["A cat\nA grey cat on a wall.\ncat, grey"]
    assert calls(photo=words.photo) == {("embed", "ok"): 1}


def test_embed_photo_without_words_asks_nobody(describer: FakeDescriber):
    words = AIMetadataFactory()

    process.embed_photo(str(words.photo_id), describer=describer)

    assert describer.texts == []
    assert PhotoEmbedding.objects.count() == AICall.objects.count() == 0


def test_configured_describer_is_what_the_settings_name(settings: Any):
    settings.AI_DESCRIBER, settings.OPENAI_BASE_URL, settings.OPENAI_MODEL = "openai", "http://127.0.0.1:9/v1", "m"
    process.configured_describer.cache_clear()

    made = process.configured_describer()

    assert (made.name, made.model) == ("openai", "m")
    assert process.configured_describer() is made
    process.configured_describer.cache_clear()


def test_carry_on_when_the_server_ails_keeps_the_answers_that_were_under_way(
    food: Album, new_run: NewRun, work: Work, settings: Any
):
    class AilsOnce(FakeDescriber):
        """Fails at once for the first picture, and answers the others a little later."""

        number = itertools.count()

        def describe(self, jpeg: bytes) -> Answer:
            if next(self.number) == 0:
                raise Outage("down")
            answer = super().describe(jpeg)
            time.sleep(0.3)
            return answer

    settings.AI_CONCURRENCY = 4
    run = new_run()

    work(run, by=AilsOnce())

    run.refresh_from_db()
    assert run.state == RunState.PAUSED
    assert run.total is not None
    others = run.total - 1
    assert statuses()["completed"] == run.described == others > 1
    assert statuses()["processing"] == 0
    assert calls(kind="describe") == {("describe", "outage"): 1, ("describe", "ok"): others}
