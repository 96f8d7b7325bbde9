"""Whole runs against a server that fails in every way there is, that costs money, or that speaks a dialect."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from metadata import outages, process
from metadata.describe import BadAnswer, CutOff, Refused
from metadata.models import AICall, AIMetadata, MetadataHistory, ModelPrice, PhotoEmbedding, ProcessingRun
from metadata.purse import USED_UP
from smugmug import mirror, oauth
from smugmug.models import Account, Album, Photo
from smugmug.sandbox import Sandbox, library
from targetvision.models import RunState
from tests.conftest import signed_in, use_sandbox
from tests.factories import AlbumFactory
from tests.fakes.ai_server import MIXED, AIServer
from tests.metadata.conftest import calls, statuses

pytestmark = pytest.mark.django_db

PHOTOS = 60
IN_FLIGHT = 8
TRUE_REASONS = {BadAnswer.advice, CutOff.advice, Refused.advice, outages.AT_THIS_PHOTO}


@pytest.fixture
def smugmug(settings: Any) -> Iterator[Sandbox]:
    """One album of small pictures, all different."""
    with Sandbox(library=library(albums=1, photos=PHOTOS)) as running:
        yield use_sandbox(running, settings)


@pytest.fixture
def album(account: Account) -> Album:
    with contextlib.closing(oauth.connect(account)) as client:
        [remote] = client.albums_page(account.nickname).items
        images = client.images_page(remote.key).items
    album = AlbumFactory(account=account, album_key=remote.key, title=remote.title, image_count=remote.image_count)
    mirror.save_listing(album, images, as_of=timezone.now(), is_complete=True)
    return album


@pytest.fixture
def server(settings: Any) -> Iterator[AIServer]:
    """An AI server that the settings name; `process.configured_describer()` speaks to it."""
    with AIServer() as running:
        settings.AI_DESCRIBER, settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "openai", "key", running.url
        settings.OPENAI_MODEL, settings.OPENAI_EMBEDDING_MODEL = "some-model", "some-embedding"
        settings.AI_CONCURRENCY = IN_FLIGHT
        process.configured_describer.cache_clear()
        yield running
        forget_describer()


def forget_describer() -> None:
    """As a restart does."""
    process.configured_describer()._client.close()  # type: ignore[attr-defined]
    process.configured_describer.cache_clear()


@pytest.fixture
def work(account: Account) -> Callable[..., ProcessingRun]:
    """A run to its end, or to a pause that only a person ends."""

    def work(**wish: Any) -> ProcessingRun:
        describer = process.configured_describer()
        run, _ = process.start(account, by=account.owner, wish=process.Wish(**wish), describer=describer)
        return carry_on(run)

    return work


def carry_on(run: ProcessingRun) -> ProcessingRun:
    """As workers and the reconciler do; pauses are over at once."""
    for _ in range(30):
        process.carry_on(run, describer=process.configured_describer(), client=oauth.connect(run.account), seconds=60)
        if run.state != RunState.PAUSED or run.resume_at is None:
            return run
        run.resume()
    raise AssertionError(f"the run never ends: {run.waiting_for}")


def one_job(run: ProcessingRun, **kwargs: Any) -> None:
    with contextlib.closing(oauth.connect(run.account)) as client:
        process.carry_on(run, describer=process.configured_describer(), client=client, seconds=60, **kwargs)


# --- Faults ----------------------------------------------------------------------------------------------------


def test_run_with_every_fault_mixed_describes_or_parks_every_photo_for_the_true_reason(
    album: Album, server: AIServer, work: Callable[..., ProcessingRun], owner_client: Client
):
    server.faults, server.retry_after = dict(MIXED), 0.2

    run = work()

    rows = AIMetadata.objects.of_run(run)
    parked = rows.filter(processing_status="failed")
    assert run.state in (RunState.SUCCEEDED, RunState.PARTIAL)
    assert set(statuses()) <= {"completed", "failed"}
    assert sum(statuses().values()) == PHOTOS == run.described + run.failed
    assert run.described > PHOTOS * 0.85
    assert {reason.split(".")[0] for reason in parked.values_list("error", flat=True)} <= {
        reason.split(".")[0] for reason in TRUE_REASONS
    }
    assert parked.filter(error=Refused.advice).count() == server.outcomes["refusal"]
    assert not parked.exclude(ai_description="").exists()
    assert PhotoEmbedding.objects.count() == run.described
    assert MetadataHistory.objects.count() == run.described
    assert AICall.objects.filter(kind="describe").count() >= len(server.calls) - server.embeddings - 2
    for words in rows.filter(processing_status="completed"):
        assert_clean(words)
    for words in [*rows.filter(ai_description__contains="Boats"), *parked][:12]:
        page = signed_in(run.account.owner).get(f"/photos/{words.photo_id}/").text
        assert "<script>alert" not in page
        assert "\x00" not in page


def assert_clean(words: AIMetadata) -> None:
    texts = [words.ai_title, words.ai_description, words.ai_alt_text, *words.ai_tags, *words.ai_categories]
    assert words.ai_description
    for text in texts:
        assert not re.search(r"[<>\x00-\x1f\ud800-\udfff]", text), text
    assert max(map(len, texts)) <= 2_000
    assert len(words.ai_tags) <= 15
    assert words.confidence_score is None or 0 <= words.confidence_score <= 1


@pytest.mark.parametrize(
    ("fault", "state"), [("rate_limit", "succeeded"), ("error", "succeeded"), ("drop", "succeeded")]
)
def test_run_with_one_kind_of_outage_now_and_then_describes_all(
    album: Album, server: AIServer, work: Callable[..., ProcessingRun], fault: str, state: str
):
    server.faults, server.retry_after = {fault: 7}, 0.2

    run = work()

    assert (run.state, run.described, run.failed) == (state, PHOTOS, 0)
    assert server.paid == PHOTOS
    # By chance one photo meets it three times; nothing else costs an attempt, and no photo its words.
    assert sum(AIMetadata.objects.values_list("attempts", flat=True)) <= 1
    assert calls(outcome="outage")["describe", "outage"] == server.outcomes[fault] > 5


def test_run_while_the_server_is_away_pauses_and_goes_on_when_it_is_back(
    album: Album, server: AIServer, account: Account
):
    server.stop()
    describer = process.configured_describer()
    run, _ = process.start(account, by=None, describer=describer)
    one_job(run)
    assert (run.state, run.described, run.pauses) == (RunState.PAUSED, 0, 1)

    server.start()
    run.resume()
    carry_on(run)

    assert (run.state, run.described, run.pauses) == (RunState.SUCCEEDED, PHOTOS, 0)
    assert server.paid == PHOTOS


@pytest.mark.parametrize(("trouble", "word"), [("quota", "credit"), ("key", "key"), ("model", "model")])
def test_run_that_is_refused_pauses_at_once_tries_one_call_and_goes_on_when_it_is_mended(
    album: Album, server: AIServer, account: Account, trouble: str, word: str
):
    server.trouble = trouble
    describer = process.configured_describer()
    run, _ = process.start(account, by=None, describer=describer)
    one_job(run)
    assert run.state == RunState.PAUSED
    assert word in run.waiting_for
    assert (run.resume_at - timezone.now()).total_seconds() > 890
    before = len(server.calls)

    run.resume()
    one_job(run)
    assert len(server.calls) == before + 1
    assert run.state == RunState.PAUSED
    server.trouble = ""
    run.resume()
    carry_on(run)

    assert (run.state, run.described) == (RunState.SUCCEEDED, PHOTOS)
    assert set(AIMetadata.objects.values_list("attempts", flat=True)) == {0}


def test_run_with_an_embedding_of_another_dimension_keeps_the_words_and_says_so(
    album: Album, server: AIServer, work: Callable[..., ProcessingRun]
):
    server.dimensions = 3_072

    describer = process.configured_describer()
    run, _ = process.start(album.account, by=None, describer=describer)
    one_job(run)

    assert run.state == RunState.PAUSED
    assert "3,072 numbers" in run.waiting_for
    assert PhotoEmbedding.objects.count() == 0
    server.dimensions = 1_024
    forget_describer()
    run.resume()
    carry_on(run)
    assert (run.state, run.described, PhotoEmbedding.objects.count()) == (RunState.SUCCEEDED, PHOTOS, PHOTOS)
    assert server.paid == PHOTOS


# --- Money -----------------------------------------------------------------------------------------------------


@pytest.fixture
def prices(db: None) -> Decimal:
    """What a description costs here: 900 tokens in at $20 a million, 60 out at $200: $0.03. Embeddings are cheap."""
    day = timezone.now().date()
    ModelPrice.objects.create(model="some-model", as_of=day, usd_in=20, usd_cached=20, usd_out=200)
    ModelPrice.objects.create(model="some-embedding", as_of=day, usd_in=1, usd_out=0)
    return Decimal("0.03")


def test_run_with_a_budget_stops_at_it_says_why_and_goes_on_when_it_is_raised(
    album: Album, server: AIServer, prices: Decimal, work: Callable[..., ProcessingRun]
):
    server.latency, server.spread = 0.02, 0.5

    run = work(budget=Decimal("1.00"))

    assert run.state == RunState.PAUSED
    assert run.spent_usd <= 1
    assert run.spent_usd + 12 * prices > 1  # what is left is not enough for the dearest call there could be
    assert run.waiting_for.startswith(f"{USED_UP}: $")
    assert f"of $1.00 spent, {PHOTOS - run.described} photos left" in run.waiting_for
    assert run.resume_at is None
    assert run.described == server.paid == statuses()["completed"]
    assert 10 < run.described < PHOTOS
    assert run.spent_usd == sum(AICall.objects.values_list("cost", flat=True))
    assert run.reserved_usd == 0

    process.set_budget(run, Decimal("9.00"), by=run.account.owner)
    carry_on(run)

    assert (run.state, run.described) == (RunState.SUCCEEDED, PHOTOS)
    assert server.paid == PHOTOS
    assert abs(run.spent_usd - PHOTOS * prices) < Decimal("0.01")


def test_run_by_two_workers_never_passes_its_budget_together(
    album: Album, server: AIServer, prices: Decimal, account: Account
):
    describer = process.configured_describer()
    run, _ = process.start(account, by=None, wish=process.Wish(budget=Decimal("0.30")), describer=describer)
    beside = ProcessingRun.objects.get(pk=run.pk)

    def the_other_works(_: ProcessingRun) -> None:
        if not beside.described:
            one_job(beside)

    one_job(run, tell=the_other_works)

    run.refresh_from_db()
    assert run.state == RunState.PAUSED
    assert run.spent_usd <= Decimal("0.30")
    assert server.paid * prices <= Decimal("0.30")


def test_run_with_a_price_that_is_unknown_spends_what_nobody_knows(
    album: Album, server: AIServer, work: Callable[..., ProcessingRun]
):
    run = work(limit=3)

    assert (run.state, run.spent_usd) == (RunState.SUCCEEDED, 0)
    assert set(AICall.objects.values_list("cost", flat=True)) == {None}
    assert set(AICall.objects.values_list("sent_to", flat=True)) == {"127.0.0.1"}
    assert min(AICall.objects.values_list("bytes_sent", flat=True)) > 0


# --- Dialects --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["ollama", "llama.cpp", "old"])
def test_run_with_a_server_that_speaks_a_dialect_describes_all(
    album: Album, settings: Any, work: Callable[..., ProcessingRun], style: str
):
    with AIServer(style=style) as server:
        settings.AI_DESCRIBER, settings.OPENAI_BASE_URL, settings.AI_CONCURRENCY = "openai", server.url, 4
        process.configured_describer.cache_clear()
        run = work(limit=12)
        forget_describer()

    assert (run.state, run.described, run.failed) == (RunState.SUCCEEDED, 12, 0)
    words = AIMetadata.objects.of_run(run).first()
    assert words.ai_title.startswith("Photo ")
    assert words.ai_tags[:3] == ["boat", "harbour", "morning"]
    assert server.paid < 12 + 2 * 4  # what the server cannot do is learnt once, by the calls in flight
    tokens = AICall.objects.filter(kind="describe").values_list("tokens_in", flat=True)
    assert (None in tokens) == (style != "ollama")


# --- What stays in the house -----------------------------------------------------------------------------------


def test_run_when_the_album_is_marked_in_the_middle_sends_nothing_more_of_it(
    album: Album, server: AIServer, settings: Any, account: Account
):
    settings.AI_BATCH_SIZE, settings.AI_CONCURRENCY = 4, 2
    describer = process.configured_describer()
    run, _ = process.start(account, by=None, describer=describer)

    def mark(run: ProcessingRun) -> None:
        if run.described >= 4:
            Album.objects.update(never_send=True)

    one_job(run, tell=mark)

    assert run.state == RunState.SUCCEEDED
    assert run.described + run.skipped == PHOTOS
    assert 4 <= run.described == server.paid <= 12  # what was in hand already
    assert statuses() == {"completed": run.described, "skipped": run.skipped}
    assert Photo.objects.exclude(perceptual_hash=None).count() == run.described
