"""manage.py process_photos: for cron, which reads the exit status, and for people, who read the sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from metadata import process
from metadata.describe import BadAnswer, Outage, Refused
from metadata.management.commands import process_photos
from metadata.models import AICall, AIMetadata, ProcessingRun
from metadata.purse import USED_UP
from smugmug.models import Account, Album, Photo
from targetvision.models import RunState
from tests.conftest import FakeDescriber
from tests.factories import AIMetadataFactory, AlbumFactory, PhotoFactory

pytestmark = pytest.mark.django_db

Enqueued = list[tuple[str, tuple[Any, ...]]]


@pytest.fixture
def _configured(describer: FakeDescriber, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "configured_describer", lambda: describer)


@pytest.fixture
def _no_ai_server(settings: Any) -> Iterator[None]:
    """The settings name an OpenAI-compatible server where nobody listens."""
    settings.AI_DESCRIBER, settings.OPENAI_API_KEY = "openai", "key"
    settings.OPENAI_BASE_URL, settings.OPENAI_MODEL = "http://127.0.0.1:9/v1", "some-model"
    process.configured_describer.cache_clear()
    yield
    process.configured_describer.cache_clear()


def exit_status(*arguments: str) -> Any:
    """What the shell sees of `manage.py process_photos demo …`; None where the command just returns."""
    try:
        call_command("process_photos", "demo", *arguments)
    except SystemExit as exc:
        return exc.code
    return None


@pytest.mark.usefixtures("_configured")
class TestRun:
    def test_run_over_everything_succeeds_with_0(self, food: Album, capsys: pytest.CaptureFixture[str]):
        assert exit_status() == 0

        run = ProcessingRun.objects.get()
        assert (run.state, run.described, run.requested_by) == (RunState.SUCCEEDED, 3, None)
        out = capsys.readouterr().out
        assert "Succeeded: 3 described, 0 skipped, 0 failed of 3, in " in out
        assert " s with fake-1." in out

    def test_run_stacks_the_bursts_that_it_described(self, mirror: Callable[..., Album], enqueued: Enqueued):
        mirror("Flight and Space")

        exit_status()

        assert AIMetadata.objects.filter(stack__isnull=False).count() == 5
        assert enqueued == []

    def test_run_with_a_failed_photo_ends_with_3_and_says_why(
        self, food: Album, describer: FakeDescriber, capsys: pytest.CaptureFixture[str]
    ):
        Photo.objects.filter(title="Pancakes").update(is_video=True)
        describer.failures = [Refused("content_filter")]

        assert exit_status() == 3

        out = capsys.readouterr().out
        assert "Partly done: 1 described, 1 skipped, 1 failed of 3" in out
        assert f"  failed: 1 × {Refused.advice}\n" in out
        assert "  skipped: 1 × This is a video; only pictures are described.\n" in out

    def test_run_with_nothing_but_failures_ends_with_1(
        self, food: Album, describer: FakeDescriber, capsys: pytest.CaptureFixture[str]
    ):
        describer.failures = [BadAnswer("nonsense")] * 9

        assert exit_status() == 1

        assert ProcessingRun.objects.get().state == RunState.FAILED
        assert f"  failed: 3 × {BadAnswer.advice}" in capsys.readouterr().out

    def test_run_that_pauses_ends_with_1_and_is_taken_up_by_the_next(
        self, food: Album, describer: FakeDescriber, capsys: pytest.CaptureFixture[str]
    ):
        describer.failures = [Outage("HTTP 503")] * 5

        assert exit_status() == 1
        assert Outage.advice in capsys.readouterr().out
        assert exit_status() == 0

        run = ProcessingRun.objects.get()
        assert (run.state, run.described) == (RunState.SUCCEEDED, 3)

    def test_run_over_an_album_leaves_the_others_alone(self, food: Album, mirror: Callable[..., Album]):
        mirror("Places", count=1)

        assert exit_status("--album", food.album_key) == 0

        assert ProcessingRun.objects.get().album == food
        assert set(AIMetadata.objects.values_list("photo__album__title", flat=True)) == {"Food"}

    def test_run_with_a_limit_describes_so_many(self, food: Album, describer: FakeDescriber):
        assert exit_status("--limit", "2") == 0

        assert len(describer.pictures) == 2

    def test_run_over_the_failed_describes_those(self, food: Album, describer: FakeDescriber):
        AIMetadataFactory(photo=food.home_photos.first(), failed=True)

        assert exit_status("--only", "failed") == 0

        assert len(describer.pictures) == 1
        assert not AIMetadata.objects.filter(processing_status="failed").exists()

    def test_run_over_one_reason_leaves_other_failures_alone(self, food: Album, describer: FakeDescriber):
        first, second, _ = food.home_photos.all()
        AIMetadataFactory(photo=first, failed=True, error="Damaged.")
        AIMetadataFactory(photo=second, failed=True, error="Declined.")

        assert exit_status("--only", "failed", "--reason", "Damaged.") == 0

        assert len(describer.pictures) == 1
        assert AIMetadata.objects.get(processing_status="failed").photo == second

    def test_run_over_one_photo_describes_that(self, food: Album, describer: FakeDescriber):
        photo = food.home_photos.first()

        assert exit_status("--photo", photo.image_key) == 0

        assert len(describer.pictures) == 1
        assert AIMetadata.objects.get().photo == photo

    def test_run_over_all_leaves_decided_words_alone_unless_told(self, food: Album, describer: FakeDescriber):
        approved = AIMetadataFactory(photo=food.home_photos.first(), approved=True)

        assert exit_status("--only", "all") == 0
        approved.refresh_from_db()
        assert (approved.review_status, len(describer.pictures)) == ("approved", 2)
        assert exit_status("--only", "all", "--also-decided", "--photo", approved.photo.image_key) == 0

        approved.refresh_from_db()
        assert (approved.review_status, approved.ai_description) == ("unreviewed", "A description.")

    def test_run_with_a_budget_keeps_it(self, food: Album):
        exit_status("--budget", "5.00")

        assert ProcessingRun.objects.get().budget_usd == 5

    def test_run_with_a_higher_budget_lets_the_paused_one_go_on(self, food: Album, describer: FakeDescriber):
        describer.sends_to = ""
        run, _ = process.start(food.account, by=None, wish=process.Wish(budget=Decimal(1)), describer=describer)
        run.pause(f"{USED_UP}: $1.00 of $1.00 spent.")

        assert exit_status("--budget", "2") == 0

        run.refresh_from_db()
        assert (run.state, run.budget_usd, run.described) == (RunState.SUCCEEDED, 2, 3)

    def test_estimate_says_what_it_would_cost_and_does_nothing(
        self, food: Album, describer: FakeDescriber, capsys: pytest.CaptureFixture[str]
    ):
        assert exit_status("--estimate", "--limit", "2") is None

        assert "2 photos with fake-1: Free." in capsys.readouterr().out
        assert (ProcessingRun.objects.count(), describer.pictures) == (0, [])

    def test_run_when_enqueued_leaves_the_work_to_the_workers(
        self,
        food: Album,
        describer: FakeDescriber,
        enqueued: Enqueued,
        settings: Any,
        capsys: pytest.CaptureFixture[str],
    ):
        settings.WORKERS = 2

        assert exit_status("--enqueue") is None

        run = ProcessingRun.objects.get()
        assert enqueued == [("process_photos", (str(run.pk),))] * 2
        assert f"Enqueued: run {run.pk}." in capsys.readouterr().out
        assert (run.state, describer.pictures) == (RunState.QUEUED, [])

    def test_run_while_another_is_active_says_so_and_does_nothing(
        self, food: Album, describer: FakeDescriber, enqueued: Enqueued, capsys: pytest.CaptureFixture[str]
    ):
        active, _ = process.start(food.account, by=None, describer=describer)

        assert exit_status() is None

        assert f"already being described (run {active.pk})" in capsys.readouterr().out
        assert (ProcessingRun.objects.count(), describer.pictures, enqueued) == (1, [], [])

    def test_run_broken_off_by_the_person_is_cancelled(self, food: Album, describer: FakeDescriber):
        describer.failures = [KeyboardInterrupt()]  # type: ignore[list-item]

        with pytest.raises(CommandError, match="Cancelled. Every answer that had come stays."):
            exit_status()

        assert ProcessingRun.objects.get().state == RunState.CANCELLED
        assert not AIMetadata.objects.filter(processing_status="processing").exists()

    def test_run_waits_for_photos_in_other_hands(
        self, food: Album, describer: FakeDescriber, monkeypatch: pytest.MonkeyPatch
    ):
        slept: list[float] = []

        def other_worker_dies(seconds: float) -> None:
            slept.append(seconds)
            AIMetadata.objects.filter(processing_status="processing").update(claimed_until="2026-01-01T00:00Z")

        def take_one(run: ProcessingRun) -> None:
            """Another worker takes a photo as soon as the run is planned."""
            if run.done == 0 and not slept:
                pk = AIMetadata.objects.filter(processing_status="pending").values("pk")[:1]
                AIMetadata.objects.filter(pk__in=pk).update(
                    processing_status="processing", claimed_until="2100-01-01T00:00Z"
                )

        monkeypatch.setattr(process_photos.time, "sleep", other_worker_dies)
        monkeypatch.setattr(process_photos.runs, "bar", lambda unit: _Bar(take_one))

        assert exit_status() == 0

        assert slept == [process_photos.LOOK_AGAIN_SECONDS]
        assert len(describer.pictures) == 3


class _Bar:
    """A progress bar that calls back."""

    def __init__(self, tell: Callable[[ProcessingRun], None]) -> None:
        self.tell = tell

    def __enter__(self) -> Callable[[ProcessingRun], None]:
        return self.tell

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.usefixtures("_configured")
class TestMistakes:
    def test_unknown_account_is_one_sentence(self, db: None):
        with pytest.raises(CommandError, match="There is no account 'nobody'. Connect it with: "):
            call_command("process_photos", "nobody")

        assert ProcessingRun.objects.count() == 0

    def test_account_that_is_not_connected_is_one_sentence(self, account: Account):
        Account.objects.update(state="refused")

        with pytest.raises(CommandError, match="demo is not connected. Connect it again with: "):
            exit_status()

        assert ProcessingRun.objects.count() == 0

    def test_unknown_album_is_one_sentence_and_makes_no_run(self, account: Account):
        AlbumFactory(album_key="STRANGE")

        with pytest.raises(CommandError, match="demo has no album 'STRANGE' here. Sync first, or look its key up"):
            exit_status("--album", "STRANGE")

        assert ProcessingRun.objects.count() == 0

    @pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5", "9" * 20])
    def test_limit_that_is_no_number_of_photos_is_one_sentence(self, account: Account, limit: str):
        with pytest.raises(CommandError, match="is not a number of photos"):
            exit_status(f"--limit={limit}")

        assert ProcessingRun.objects.count() == 0

    def test_unknown_photo_is_one_sentence_and_makes_no_run(self, account: Account):
        strange = PhotoFactory()

        with pytest.raises(CommandError, match=f"demo has no photo '{strange.image_key}' here. Sync first, or look"):
            exit_status("--photo", strange.image_key)

        assert ProcessingRun.objects.count() == 0

    @pytest.mark.parametrize("budget", ["-1", "x", "nan", "inf", "1.23456", "9" * 20])
    def test_budget_that_is_no_amount_is_one_sentence(self, account: Account, budget: str):
        with pytest.raises(CommandError, match="is not an amount of USD"):
            exit_status(f"--budget={budget}")

        assert ProcessingRun.objects.count() == 0

    def test_budget_that_nobody_could_keep_is_one_sentence(self, account: Account, settings: Any):
        settings.AI_DESCRIBER = "openai"  # of which the price of the model is not known

        with pytest.raises(CommandError, match="A budget cannot be kept: what fake-1 and fake-embedding cost is"):
            exit_status("--budget", "5")

        assert ProcessingRun.objects.count() == 0

    def test_reason_for_others_than_the_failed_is_one_sentence(self, account: Account):
        with pytest.raises(CommandError, match="--reason is about photos that failed: add --only failed."):
            exit_status("--reason", "Damaged.")

    def test_choice_that_is_none_is_one_sentence(self, account: Account):
        with pytest.raises(CommandError, match="invalid choice: 'some'"):
            exit_status("--only", "some")


@pytest.mark.usefixtures("_no_ai_server")
def test_run_without_an_ai_server_pauses_with_1_and_the_sentence(food: Album, capsys: pytest.CaptureFixture[str]):
    assert exit_status() == 1

    run = ProcessingRun.objects.get()
    assert (run.state, run.waiting_for, run.describer) == (RunState.PAUSED, Outage.advice, "openai")
    assert set(AIMetadata.objects.values_list("processing_status", "attempts")) == {("pending", 0)}
    assert set(AICall.objects.values_list("kind", "model", "outcome")) == {("describe", "some-model", "outage")}
    out = capsys.readouterr().out
    assert "Paused: 0 described, 0 skipped, 0 failed of 3" in out
    assert out.rstrip().endswith(Outage.advice)
