import pytest
from django.utils import timezone

from smugmug import jobs, oauth, sync
from smugmug.client import SmugMugClient, SmugMugRefused, SmugMugUnavailable
from smugmug.models import Account, Album, Photo, SyncRun
from smugmug.oauth import TokensUnreadable
from smugmug.sandbox.messages import Reply, problem
from targetvision.models import RunState
from tests.factories import AccountFactory, AlbumFactory
from tests.smugmug.conftest import keys_of, listings, mirrored, sync_all

# --- What is locked, and what fails


def test_sync_locked_album_is_a_state_and_no_failure(own_account, own_smugmug, faults):
    sync_all(own_account)
    album = own_smugmug.library.albums[0]
    before = len(listings(own_smugmug))

    def lock(body):
        # As recorded: a locked album tells neither its name nor how many images it holds.
        for raw in body["Response"]["Album"]:
            if raw["AlbumKey"] == album.key:
                raw.clear()
                raw.update(SecurityType="Password", AlbumKey=album.key, ResponseLevel="Password")

    faults.change("!albums", lock)
    run = sync_all(own_account)

    assert (run.state, run.errors, run.albums_locked, run.photos_removed) == (RunState.SUCCEEDED, [], 1, 0)
    assert run.done == run.total == len(own_smugmug.library.albums) - 1
    row = Album.objects.get(album_key=album.key)
    assert (row.is_locked, row.removed_at, row.title) == (True, None, album.name)
    assert mirrored(album) == keys_of(album.photos)
    assert f"/api/v2/album/{album.key}!images" not in listings(own_smugmug)[before:]
    assert Photo.objects.filter(removed_at=None).count() == own_smugmug.library.count_photos()


def test_sync_unlocked_album_is_read_again(own_account, own_smugmug):
    album = own_smugmug.library.albums[0]
    AlbumFactory(account=own_account, album_key=album.key, is_locked=True)

    sync_all(own_account)

    assert Album.objects.get(album_key=album.key).is_locked is False
    assert mirrored(album) == keys_of(album.photos)


def test_sync_failing_album_is_named_and_the_rest_is_complete(own_account, own_smugmug, faults, slept):
    broken = own_smugmug.library.albums[2]
    faults.reply(f"/album/{broken.key}!images", Reply(500))

    run = sync_all(own_account)

    assert run.state == RunState.PARTIAL
    assert run.errors == [{"key": broken.key, "title": broken.name, "sentence": SmugMugUnavailable.advice}]
    assert run.done == run.total - 1
    assert mirrored(broken) == []
    assert Album.objects.get(album_key=broken.key).synced_at is None
    for album in own_smugmug.library.albums:
        assert album is broken or mirrored(album) == keys_of(album.photos)
    assert Account.objects.get().is_connected


def test_sync_album_that_suddenly_lists_nothing_keeps_its_photos(own_account, own_smugmug, faults):
    sync_all(own_account)
    album = own_smugmug.library.albums[0]
    synced_at = Album.objects.get(album_key=album.key).synced_at

    def empty(body):
        del body["Response"]["AlbumImage"]
        body["Response"]["Pages"] = {"Total": 0, "Start": 1, "Count": 0, "RequestedCount": 100}

    faults.change(f"/album/{album.key}!images", empty)
    run = sync_all(own_account)

    assert (run.state, run.photos_removed) == (RunState.PARTIAL, 0)
    assert [error["key"] for error in run.errors] == [album.key]
    assert mirrored(album) == keys_of(album.photos)
    assert Album.objects.get(album_key=album.key).synced_at == synced_at


def test_sync_short_listing_keeps_its_photos(own_account, own_smugmug, faults):
    sync_all(own_account)
    album = own_smugmug.library.albums[0]
    faults.change(f"/album/{album.key}!images", lambda body: body["Response"]["AlbumImage"].pop())

    run = sync_all(own_account)

    assert (run.state, [error["key"] for error in run.errors]) == (RunState.PARTIAL, [album.key])
    assert mirrored(album) == keys_of(album.photos)


def test_sync_without_an_answer_to_the_list_pauses_and_goes_on_by_itself(
    own_account, own_smugmug, faults, slept, enqueued
):
    faults.reply("!albums", Reply(503))

    run = sync_all(own_account)

    assert (run.state, run.finished_at) == (RunState.PAUSED, None)
    assert run.waiting_for == f"SmugMug does not answer. The sync goes on by itself at {run.resume_at:%H:%M} UTC."
    assert Account.objects.get().is_connected
    assert not Album.objects.exists()

    jobs.resume_stalled_syncs()
    assert enqueued == []

    faults.clear()
    SyncRun.objects.update(resume_at=timezone.now())
    jobs.resume_stalled_syncs()
    jobs.resume_stalled_syncs()

    assert enqueued == [("sync_account", (str(run.pk),))]
    jobs.sync_account(str(run.pk))
    assert SyncRun.objects.get().state == RunState.SUCCEEDED
    assert Photo.objects.count() == own_smugmug.library.count_photos()


def test_sync_pauses_longer_each_time_smugmug_stays_away(own_account, faults, slept):
    faults.reply("!albums", Reply(503))
    run, _ = sync.start(own_account, by=None)
    pauses = []

    for _ in range(7):
        before = timezone.now()
        sync.carry_on(run, client=oauth.connect(own_account), seconds=60)
        pauses.append(round((run.resume_at - before).total_seconds() / 60))
        run.resume()

    assert pauses == [1, 2, 5, 10, 15, 15, 15]


def test_sync_whose_albums_all_fail_blames_smugmug_and_no_album(own_account, faults, slept):
    faults.reply("!images", Reply(500))

    run = sync_all(own_account)

    assert (run.state, run.errors) == (RunState.PAUSED, [])
    assert not Photo.objects.exists()


def test_sync_with_a_revoked_token_fails_and_marks_the_account(own_account, own_smugmug):
    sync_all(own_account)
    before = Photo.objects.present().count()
    own_smugmug.revoke()

    run = sync_all(own_account)

    assert (run.state, run.waiting_for) == (RunState.FAILED, SmugMugRefused.advice)
    assert Account.objects.get().state == Account.State.REFUSED
    assert Photo.objects.present().count() == before > 0


def test_sync_refused_in_the_middle_fails_and_marks_the_account(own_account, own_smugmug, faults):
    other = AccountFactory()
    faults.reply("!images", problem(401, "oauth_problem=token_rejected"))

    run = sync_all(own_account)

    assert (run.state, run.errors) == (RunState.FAILED, [])
    assert run.waiting_for == SmugMugRefused.advice
    own_account.refresh_from_db()
    other.refresh_from_db()
    assert (own_account.state, other.state) == (Account.State.REFUSED, Account.State.CONNECTED)


@pytest.mark.parametrize("kind", SyncRun.Kind.values)
def test_sync_whose_tokens_cannot_be_read_asks_nothing_writes_nothing_and_fails(
    own_account, own_smugmug, lose_keys, settings, kind
):
    sync_all(own_account)
    before = list(Photo.objects.order_by("pk").values()), list(Album.objects.order_by("pk").values())
    asked, keys = len(own_smugmug.requests), [before[1][0]["album_key"]]
    old_keys = settings.FIELD_ENCRYPTION_KEYS
    lose_keys()

    run, _ = sync.start(own_account, by=None, kind=kind, album_keys=keys if kind == SyncRun.Kind.ALBUMS else [])
    jobs.sync_account(str(run.pk))

    run.refresh_from_db()
    assert (run.state, run.waiting_for, run.errors) == (RunState.FAILED, TokensUnreadable.advice, [])
    assert (list(Photo.objects.order_by("pk").values()), list(Album.objects.order_by("pk").values())) == before
    assert len(own_smugmug.requests) == asked
    settings.FIELD_ENCRYPTION_KEYS = old_keys
    assert sync_all(Account.objects.get()).state == RunState.SUCCEEDED


def test_sync_without_an_api_key_fails_with_a_sentence(account, smugmug, settings):
    settings.SMUGMUG_API_KEY = ""

    run = sync_all(account)

    assert run.state == RunState.FAILED
    assert run.waiting_for.startswith("SMUGMUG_API_KEY and SMUGMUG_API_SECRET are not set")
    assert Account.objects.get().is_connected


def test_sync_asked_to_slow_down_says_until_when(own_account, monkeypatch):
    monkeypatch.setattr(SmugMugClient, "waiting_until", 1_767_225_599.0)  # 2025-12-31 23:59:59 UTC
    said = []

    sync_all(own_account, tell=lambda run: said.append(run.waiting_for))

    assert set(said[1:-1]) == {"Waiting for SmugMug until 23:59:59 UTC (it asked us to slow down)."}
    assert said[-1] == ""
