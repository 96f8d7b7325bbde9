"""The engine: each photo once, whoever dies, answers nonsense or is faster."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from PIL import Image
from rq.exceptions import ShutDownImminentException

from metadata import claims, outages, prompts, selection, workflow
from metadata.describe import Answer, BadAnswer, Brief, Outage, Refused, Rejected
from metadata.models import AICall, AIMetadata, MetadataHistory, PhotoEmbedding, ProcessingRun
from smugmug.client import SmugMugGone, SmugMugRefused, SmugMugUnavailable
from smugmug.models import Album, AlbumPhoto, Photo
from smugmug.sandbox import Sandbox
from targetvision.models import RunState
from tests.conftest import FakeDescriber
from tests.factories import UserFactory
from tests.metadata.conftest import BadAboutOne, NewRun, NoVectors, Slow, Work, calls, statuses

CLOSED_PORT = "http://127.0.0.1:9/photo.jpg"  # nobody listens on discard

pytestmark = pytest.mark.django_db


@pytest.fixture
def smugmug(own_smugmug: Sandbox) -> Sandbox:
    """Each test has a stand-in of its own, to take pictures away from."""
    return own_smugmug


# --- What ails the server pauses the run -------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble", [Outage("HTTP 500"), Outage("no answer: ReadError"), Outage("HTTP 429", retry_after=0.05)]
)
def test_carry_on_with_one_outage_describes_all_and_costs_no_attempt(
    food: Album, describer: FakeDescriber, new_run: NewRun, work: Work, trouble: Outage
):
    describer.failures = [trouble]
    run = new_run()

    work(run)

    assert (run.state, run.described, run.failed, run.pauses) == (RunState.SUCCEEDED, 3, 0, 0)
    assert set(AIMetadata.objects.values_list("attempts", flat=True)) == {0}
    assert calls(kind="describe") == {("describe", "outage"): 1, ("describe", "ok"): 3}


@pytest.mark.parametrize(
    ("trouble", "outcome", "times", "seconds"),
    [
        (Outage("HTTP 503"), "outage", outages.IN_A_ROW, 60),
        (Rejected("HTTP 401", advice="The AI server refuses the key. Check OPENAI_API_KEY."), "rejected", 1, 900),
    ],
)
def test_carry_on_when_the_server_ails_pauses_and_costs_no_attempt(
    food: Album,
    describer: FakeDescriber,
    new_run: NewRun,
    work: Work,
    trouble: Any,
    outcome: str,
    times: int,
    seconds: int,
):
    describer.failures = [trouble] * 9
    run = new_run()

    over = work(run)

    assert over is True
    assert (run.state, run.waiting_for, run.done, run.pauses) == (RunState.PAUSED, trouble.advice, 0, 1)
    assert abs((run.resume_at - timezone.now()).total_seconds() - seconds) < 5
    assert set(AIMetadata.objects.values_list("attempts", "processing_status", "claimed_until")) == {
        (0, "pending", None)
    }
    assert calls() == {("describe", outcome): times}


def test_carry_on_after_a_pause_tries_one_call_and_pauses_for_longer(
    food: Album, describer: FakeDescriber, new_run: NewRun, work: Work, settings: Any
):
    settings.AI_CONCURRENCY = 3
    run = new_run()
    describer.failures = [Outage("HTTP 503")] * 99
    work(run)
    before = len(describer.pictures)

    run.resume()
    work(run)

    assert len(describer.pictures) - before == 1
    assert (run.state, run.pauses) == (RunState.PAUSED, 2)
    assert 110 < (run.resume_at - timezone.now()).total_seconds() < 125


def test_carry_on_after_a_pause_describes_the_rest_and_forgets_the_pause(
    food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    run = new_run()
    describer.failures = [Rejected("HTTP 401")]
    work(run)

    assert run.resume() is True
    work(run)

    assert (run.state, run.waiting_for, run.described, run.pauses) == (RunState.SUCCEEDED, "", 3, 0)


def test_carry_on_with_a_paused_run_does_nothing(food: Album, describer: FakeDescriber, new_run: NewRun, work: Work):
    run = new_run()
    describer.failures = [Rejected("HTTP 401")]
    work(run)

    over = work(run)

    assert over is True
    assert run.state == RunState.PAUSED
    assert len(describer.pictures) == 1


def test_carry_on_with_a_photo_at_which_the_server_fails_parks_it_and_describes_the_others(
    mirror: Callable[..., Album], new_run: NewRun, work: Work
):
    class FailsAtOne(FakeDescriber):
        def describe(self, jpeg: bytes, brief: Brief) -> Answer:
            answer = super().describe(jpeg, brief)
            if jpeg == self.pictures[0]:
                raise Outage("HTTP 500")
            return answer

    mirror("Food")
    run, fails = new_run(), FailsAtOne()
    work(run, by=fails)
    pauses = 0
    while run.state == RunState.PAUSED and pauses < 9:
        pauses += run.resume()
        work(run, by=fails)

    parked = AIMetadata.objects.get(processing_status="failed")
    assert (parked.error, parked.attempts) == (outages.AT_THIS_PHOTO, 3)
    assert (run.state, run.described, run.failed) == (RunState.PARTIAL, 5, 1)
    assert 1 <= pauses <= 4


def test_carry_on_when_told_to_wait_says_so_and_waits(
    food: Album, describer: FakeDescriber, new_run: NewRun, work: Work
):
    describer.failures = [Outage("HTTP 429", retry_after=2.5)]
    run, seen = new_run(), set()
    started = time.monotonic()

    work(run, tell=lambda run: seen.add(run.waiting_for))

    assert time.monotonic() - started > 2.4
    assert any(sentence.startswith("The AI server has us wait for ") for sentence in seen)
    assert (run.state, run.described, run.waiting_for) == (RunState.SUCCEEDED, 3, "")


def test_carry_on_when_embedding_is_out_pauses_and_keeps_the_words(food: Album, new_run: NewRun, work: Work):
    flaky = NoVectors(*[Outage("HTTP 503")] * 5)
    run = new_run()

    work(run, by=flaky)

    assert (run.state, run.described) == (RunState.PAUSED, 3)
    assert calls() == {("describe", "ok"): 3, ("embed", "outage"): 5}
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
    assert set(AIMetadata.objects.values_list("processing_status", "attempts")) == {("pending", 0)}
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
    assert (parked.processing_status, parked.error) == (
        "failed",
        "The file is no picture in a format that can be read. Check it in SmugMug.",
    )
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
    selection.plan(run, sends=True)
    [claim] = claims.claim(run, 1, briefing=prompts.briefing(run), sends=True)
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
    assert MetadataHistory.objects.count() == 1
    assert PhotoEmbedding.objects.count() == 0  # who closes the run embeds for all


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
    assert run.state == RunState.CANCELLED
    assert run.finished_at is not None
    assert 2 <= len(describer.pictures) <= 3  # one may have been under way, and is kept
    assert run.described == len(describer.pictures)
    assert statuses() == {"completed": run.described, "pending": 6 - run.described}


def test_carry_on_when_the_slice_ends_gives_photos_back_and_goes_on_later(
    mirror: Callable[..., Album], new_run: NewRun, work: Work
):
    mirror("Food")
    run, slow = new_run(), Slow()
    slow.seconds = 0.3

    over = work(run, by=slow, seconds=0.5)

    assert over is False
    assert run.state == RunState.RUNNING
    assert 1 <= run.described < 6
    assert statuses() == {"completed": run.described, "pending": 6 - run.described}
    assert PhotoEmbedding.objects.count() == 0  # half a batch waits for more
    while not work(run, by=slow):
        pass
    assert (run.state, run.described, PhotoEmbedding.objects.count()) == (RunState.SUCCEEDED, 6, 6)
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
    assert sorted(shares) == [4, 10] or min(shares) > 0  # both had a part in it


def test_carry_on_when_the_server_ails_keeps_the_answers_that_were_under_way(
    food: Album, new_run: NewRun, work: Work, settings: Any
):
    all_asked = threading.Barrier(3)

    class AilsOnce(FakeDescriber):
        """Fails for the first picture when all are asked about, and answers the others a little later."""

        def describe(self, jpeg: bytes, brief: Brief) -> Answer:
            place = all_asked.wait(10)
            if not place:
                raise Rejected("the key is refused")
            answer = super().describe(jpeg, brief)
            time.sleep(0.3)
            return answer

    settings.AI_CONCURRENCY = 4
    run = new_run()

    work(run, by=AilsOnce())

    run.refresh_from_db()
    assert (run.state, run.total, run.described) == (RunState.PAUSED, 3, 2)
    assert statuses()["completed"] == 2
    assert statuses()["processing"] == 0
    assert calls(kind="describe") == {("describe", "rejected"): 1, ("describe", "ok"): 2}
