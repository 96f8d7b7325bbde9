import datetime
import threading
from types import SimpleNamespace

import pytest
from django.db import connection, transaction
from django.utils import timezone

from smugmug import oauth, sync
from smugmug.client import SmugMugRefused, SmugMugUnavailable
from smugmug.models import Account, Album, AlbumPhoto, Photo, SyncRun
from smugmug.sandbox import library
from smugmug.sandbox.messages import Reply, html_reply, json_reply, problem
from targetvision.http import NetworkInTransaction
from targetvision.models import RunState
from tests.factories import AccountFactory, AlbumFactory, SyncRunFactory, UserFactory
from tests.smugmug.conftest import sync_all

STILL_THERE = json_reply(200, {"Response": {"Locator": "Image"}, "Code": 200})


def keys_of(photos):
    return [photo.key for photo in photos]


def mirrored(album):
    """The keys of the photos that stand in an album of the stand-in's, as the mirror has them."""
    rows = Photo.objects.in_album(Album.objects.get(album_key=album.key))
    return [row.image_key for row in rows]


def listings(sandbox):
    """How often the images of each album were asked for."""
    paths = [request.path.partition("?")[0] for request in sandbox.requests]
    return sorted(path for path in paths if path.endswith("!images"))


def threaded(work, times=2):
    """What `work` returns in each of several threads that begin it at the same moment."""
    barrier, results = threading.Barrier(times), []

    def do():
        barrier.wait()
        try:
            results.append(work())
        finally:
            connection.close()

    threads = [threading.Thread(target=do) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# --- What comes in


def test_sync_whole_library_mirrors_every_album(account, smugmug):
    run = sync_all(account)

    rows = Album.objects.order_by("album_key")
    assert [
        (row.album_key, row.album_id, row.title, row.description, row.image_count, row.privacy, row.url_path)
        for row in rows
    ] == [
        (
            album.key,
            album.node_id,
            album.name,
            album.description,
            len(album.photos),
            album.privacy,
            f"/{album.url_name}",
        )
        for album in sorted(smugmug.library.albums, key=lambda album: album.key)
    ]
    for row in rows:
        album = smugmug.library.album(row.album_key)
        assert (row.last_updated, row.images_last_updated) == (album.updated, album.images_updated)
        assert (row.account, row.user_id, row.is_locked, row.removed_at) == (account, "demo", False, None)
        assert row.synced_at >= run.started_at


def test_sync_whole_library_mirrors_every_photo(account, smugmug):
    sync_all(account)

    photos = {photo.key: (album, photo) for album in smugmug.library.albums for photo in album.photos}
    assert Photo.objects.count() == len(photos)
    for row in Photo.objects.select_related("album"):
        album, photo = photos[row.image_key]
        assert (row.title, row.caption, row.keywords) == (photo.title, photo.caption, list(photo.keywords))
        assert (row.filename, row.image_id) == (photo.file_name, f"{photo.key}-{photo.serial}")
        assert (row.width, row.height, row.format, row.is_video) == (photo.width, photo.height, "JPG", False)
        assert (row.uploaded_at, row.remote_updated_at) == (photo.uploaded, photo.updated)
        assert row.date_taken == (photo.shot.taken.replace(microsecond=0) if photo.shot else None)
        assert row.exif.get("lens") == (photo.shot.camera.lens if photo.shot else None)
        assert (row.album.album_key, row.account, row.removed_at) == (album.key, account, None)
        assert f"/photos/i-{photo.key}/{photo.serial}/" in row.thumbnail_url
        assert f"/photos/i-{photo.key}/{photo.serial}/" in row.large_url


def test_sync_whole_library_keeps_the_order_of_each_album(account, smugmug):
    sync_all(account)

    assert AlbumPhoto.objects.count() == smugmug.library.count_photos()
    for album in smugmug.library.albums:
        assert mirrored(album) == keys_of(album.photos)


def test_sync_whole_library_counts_what_it_did(own_account, own_smugmug):
    before = len(own_smugmug.requests)
    told = []

    run = sync_all(own_account, tell=lambda run: told.append((run.done, run.total)))

    photos, albums = own_smugmug.library.count_photos(), len(own_smugmug.library.albums)
    assert (run.state, run.waiting_for, run.errors) == (RunState.SUCCEEDED, "", [])
    assert (run.done, run.total, run.photos_seen, run.photos_new) == (albums, albums, photos, photos)
    assert (run.photos_removed, run.albums_locked) == (0, 0)
    assert run.requests_made == len(own_smugmug.requests) - before
    assert run.finished_at >= run.started_at
    assert told[0] == (0, albums)
    assert told[-1] == (albums, albums)
    assert run == SyncRun.objects.get()


def test_sync_long_album_reads_every_page_of_it(own_account, own_smugmug):
    own_smugmug.library.albums[:] = library(albums=1, photos=205).albums

    run = sync_all(own_account)

    assert run.state == RunState.SUCCEEDED
    assert mirrored(own_smugmug.library.albums[0]) == keys_of(own_smugmug.library.albums[0].photos)
    assert len(listings(own_smugmug)) == 3


def test_sync_again_brings_nothing_new_and_keeps_the_rows(account):
    sync_all(account)
    before = set(Photo.objects.values_list("pk", "image_key"))

    run = sync_all(account)

    assert (run.state, run.photos_new, run.photos_removed) == (RunState.SUCCEEDED, 0, 0)
    assert run.photos_seen == len(before)
    assert set(Photo.objects.values_list("pk", "image_key")) == before


def test_sync_again_brings_changed_words_and_a_replaced_picture(own_account, own_smugmug):
    sync_all(own_account)
    album = own_smugmug.library.albums[0]
    photo, other = album.photos[0], album.photos[1]
    row, untouched = Photo.objects.get(image_key=photo.key), Photo.objects.get(image_key=other.key)
    photo.caption, photo.keywords, photo.serial = "Said anew", ("fresh", "Fresh"), photo.serial + 1
    album.name = "Renamed"

    run = sync_all(own_account)

    assert run.photos_new == 0
    changed = Photo.objects.get(image_key=photo.key)
    assert (changed.pk, changed.caption, changed.keywords) == (row.pk, "Said anew", ["fresh", "Fresh"])
    assert changed.image_id == f"{photo.key}-{photo.serial}"
    assert changed.created_at == row.created_at
    assert Photo.objects.get(image_key=other.key).caption == untouched.caption
    assert Album.objects.get(album_key=album.key).title == "Renamed"


def test_sync_one_library_leaves_another_alone(own_account, own_smugmug):
    foreign = AlbumFactory(album_key="ELSEWHERE", title="Not yours")

    sync_all(own_account)

    foreign.refresh_from_db()
    assert (foreign.title, foreign.removed_at, foreign.synced_at) == ("Not yours", None, None)
    assert not any("ELSEWHERE" in request.path for request in own_smugmug.requests)


# --- One picture, several albums


def test_sync_collected_picture_makes_one_photo_with_two_standings(own_account, own_smugmug):
    home, guest = own_smugmug.library.albums[:2]
    photo = home.photos[0]
    guest.photos.append(photo)

    run = sync_all(own_account)

    row = Photo.objects.get(image_key=photo.key)
    assert row.album.album_key == home.key
    standings = row.standings.order_by("origin")
    assert [(standing.album.album_key, standing.origin, standing.position) for standing in standings] == [
        (home.key, "Album", 1),
        (guest.key, "Collected", len(guest.photos)),
    ]
    assert run.photos_new == Photo.objects.count() == own_smugmug.library.count_photos() - 1


@pytest.mark.parametrize("home_first", [True, False])
def test_save_listings_of_a_collected_picture_in_any_order_keeps_its_home(own_account, own_smugmug, home_first):
    home, guest = own_smugmug.library.albums[:2]
    photo = home.photos[0]
    guest.photos.append(photo)
    client = oauth.connect(own_account)
    for album in (home, guest) if home_first else (guest, home):
        row = AlbumFactory(account=own_account, album_key=album.key)
        sync.save_listing(row, [image for page in client.images(album.key) for image in page])

    assert Photo.objects.get(image_key=photo.key).album.album_key == home.key


def test_sync_moved_picture_follows_it(own_account, own_smugmug):
    sync_all(own_account)
    old, new = own_smugmug.library.albums[:2]
    photo = old.photos.pop(0)
    new.photos.append(photo)

    run = sync_all(own_account)

    row = Photo.objects.get(image_key=photo.key)
    assert (row.album.album_key, row.removed_at) == (new.key, None)
    assert [standing.album.album_key for standing in row.standings.all()] == [new.key]
    assert run.photos_removed == 0


# --- What is gone


def test_sync_removed_picture_is_marked_after_smugmug_denied_it(own_account, own_smugmug):
    sync_all(own_account)
    album = own_smugmug.library.albums[0]
    photo = album.photos.pop(1)

    run = sync_all(own_account)

    assert (run.state, run.photos_removed) == (RunState.SUCCEEDED, 1)
    row = Photo.objects.get(image_key=photo.key)
    assert row.removed_at >= run.started_at
    assert not row.standings.exists()
    assert mirrored(album) == keys_of(album.photos)
    assert Photo.objects.present().count() == own_smugmug.library.count_photos()


def test_sync_picture_missing_from_its_album_but_there_is_not_removed(own_account, own_smugmug, faults):
    sync_all(own_account)
    photo = own_smugmug.library.albums[0].photos.pop(1)
    faults.reply(f"/image/{photo.key}-", STILL_THERE)

    run = sync_all(own_account)

    assert (run.state, run.photos_removed) == (RunState.SUCCEEDED, 0)
    assert Photo.objects.get(image_key=photo.key).removed_at is None


def test_sync_picture_of_which_smugmug_says_nothing_is_not_removed(own_account, own_smugmug, faults, slept):
    sync_all(own_account)
    photo = own_smugmug.library.albums[0].photos.pop(1)
    faults.reply(f"/image/{photo.key}-", Reply(500))

    run = sync_all(own_account)

    assert (run.state, run.waiting_for) == (RunState.FAILED, SmugMugUnavailable.advice)
    assert Photo.objects.get(image_key=photo.key).removed_at is None


def test_sync_removed_picture_waits_for_a_clean_pass(own_account, own_smugmug, faults):
    sync_all(own_account)
    first, second = own_smugmug.library.albums[:2]
    photo = first.photos.pop(1)
    faults.reply(f"/album/{second.key}!images", html_reply(200, "<h1>Oops</h1>"))

    run = sync_all(own_account)

    assert (run.state, run.photos_removed) == (RunState.PARTIAL, 0)
    assert Photo.objects.get(image_key=photo.key).removed_at is None

    faults.clear()
    run = sync_all(own_account)

    assert (run.state, run.photos_removed) == (RunState.SUCCEEDED, 1)
    assert Photo.objects.get(image_key=photo.key).removed_at is not None


def test_sync_restored_picture_is_present_again(own_account, own_smugmug):
    sync_all(own_account)
    photos = own_smugmug.library.albums[0].photos
    photo = photos.pop(1)
    sync_all(own_account)
    photos.insert(1, photo)

    run = sync_all(own_account)

    assert Photo.objects.get(image_key=photo.key).removed_at is None
    assert run.photos_new == 0


def test_sync_album_gone_takes_its_photos_with_it(own_account, own_smugmug):
    sync_all(own_account)
    gone = own_smugmug.library.albums.pop(0)

    run = sync_all(own_account)

    assert (run.state, run.photos_removed) == (RunState.SUCCEEDED, len(gone.photos))
    assert Album.objects.get(album_key=gone.key).removed_at >= run.started_at
    assert set(Photo.objects.exclude(removed_at=None).values_list("image_key", flat=True)) == set(keys_of(gone.photos))
    assert Album.objects.present().count() == len(own_smugmug.library.albums)


def test_sync_album_gone_keeps_what_was_collected_elsewhere(own_account, own_smugmug):
    gone, stays = own_smugmug.library.albums[:2]
    photo = gone.photos[0]
    stays.photos.append(photo)
    sync_all(own_account)
    own_smugmug.library.albums.pop(0)

    run = sync_all(own_account)

    assert Photo.objects.get(image_key=photo.key).removed_at is None
    assert run.photos_removed == len(gone.photos) - 1


def test_sync_album_missing_from_the_list_but_there_stays(own_account, own_smugmug, faults):
    sync_all(own_account)
    album = own_smugmug.library.albums[0]

    def leave_out(body):
        body["Response"]["Album"] = [raw for raw in body["Response"]["Album"] if raw["AlbumKey"] != album.key]

    faults.change("!albums", leave_out)
    run = sync_all(own_account)

    assert (run.state, run.photos_removed) == (RunState.SUCCEEDED, 0)
    assert Album.objects.get(album_key=album.key).removed_at is None
    assert mirrored(album) == keys_of(album.photos)


def test_sync_album_restored_is_present_again(own_account, own_smugmug):
    sync_all(own_account)
    album = own_smugmug.library.albums.pop(0)
    sync_all(own_account)
    own_smugmug.library.albums.append(album)

    sync_all(own_account)

    assert Album.objects.get(album_key=album.key).removed_at is None
    assert mirrored(album) == keys_of(album.photos)


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


def test_sync_without_an_answer_to_the_list_fails_and_stays_connected(own_account, faults, slept):
    faults.reply("!albums", Reply(503))

    run = sync_all(own_account)

    assert (run.state, run.waiting_for) == (RunState.FAILED, SmugMugUnavailable.advice)
    assert run.finished_at is not None
    assert Account.objects.get().is_connected
    assert not Album.objects.exists()


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


def test_sync_without_an_api_key_fails_with_a_sentence(account, smugmug, settings):
    settings.SMUGMUG_API_KEY = ""

    run = sync_all(account)

    assert run.state == RunState.FAILED
    assert run.waiting_for.startswith("SMUGMUG_API_KEY and SMUGMUG_API_SECRET are not set")
    assert Account.objects.get().is_connected


def test_sync_asked_to_slow_down_says_until_when(own_account, monkeypatch):
    client = oauth.connect(own_account)
    monkeypatch.setattr(client, "waiting_until", 1_767_225_599.0)  # 2025-12-31 23:59:59 UTC
    said = []

    sync_all(own_account, client, tell=lambda run: said.append(run.waiting_for))

    assert set(said[1:-1]) == {"Waiting for SmugMug until 23:59:59 UTC (it asked us to slow down)."}
    assert said[-1] == ""


# --- Slices, continuation, cancelling


def test_carry_on_without_time_gives_the_run_back_and_the_next_slice_completes_it(own_account, own_smugmug):
    before = len(own_smugmug.requests)
    run, _ = sync.start(own_account, by=None)
    client = oauth.connect(own_account)

    assert sync.carry_on(run, client=client, seconds=0) is False

    assert (run.state, run.done, run.finished_at) == (RunState.QUEUED, 0, None)
    assert listings(own_smugmug) == []
    started_at = run.started_at

    assert sync.carry_on(SyncRun.objects.get(), client=client, seconds=60) is True

    run.refresh_from_db()
    assert (run.state, run.started_at) == (RunState.SUCCEEDED, started_at)
    assert run.done == run.total == len(own_smugmug.library.albums)
    assert Photo.objects.count() == own_smugmug.library.count_photos()
    assert run.requests_made == len(own_smugmug.requests) - before
    assert sum("!albums" in request.path for request in own_smugmug.requests) == 1


def test_carry_on_after_a_slice_reads_only_what_is_left(own_account, own_smugmug, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(sync, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(sync, "IN_FLIGHT", 1)
    run, _ = sync.start(own_account, by=None)

    def time_passes(run):
        clock[0] = 100.0 if run.done == 2 else clock[0]

    over = sync.carry_on(run, client=oauth.connect(own_account), seconds=50, tell=time_passes)

    assert over is False
    assert (run.state, run.done) == (RunState.QUEUED, 2)
    assert len(listings(own_smugmug)) == 2

    assert sync.carry_on(SyncRun.objects.get(), client=oauth.connect(own_account), seconds=50) is True

    assert SyncRun.objects.get().state == RunState.SUCCEEDED
    assert listings(own_smugmug) == sorted(f"/api/v2/album/{album.key}!images" for album in own_smugmug.library.albums)
    assert Photo.objects.count() == own_smugmug.library.count_photos()


def test_carry_on_after_a_slice_with_an_error_still_ends_partial(own_account, own_smugmug, faults, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(sync, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(sync, "IN_FLIGHT", 1)
    first = min(own_smugmug.library.albums, key=lambda album: album.key)
    faults.reply(f"/album/{first.key}!images", html_reply(200, "?"), times=1)
    run, _ = sync.start(own_account, by=None)

    def time_passes(run):
        clock[0] = 100.0 if run.errors else clock[0]

    assert sync.carry_on(run, client=oauth.connect(own_account), seconds=50, tell=time_passes) is False
    assert sync.carry_on(SyncRun.objects.get(), client=oauth.connect(own_account), seconds=50) is True

    run.refresh_from_db()
    assert (run.state, run.done) == (RunState.PARTIAL, run.total - 1)
    asked = [call for call in faults.calls if f"/album/{first.key}!images" in call.target]
    assert len(asked) == 1  # what failed is not asked for again in the same run


def test_carry_on_cancelled_in_the_middle_stops_and_keeps_what_came(own_account, own_smugmug, monkeypatch):
    monkeypatch.setattr(sync, "IN_FLIGHT", 1)
    run, _ = sync.start(own_account, by=None)

    def cancel(told):
        if told.done == 2:
            assert SyncRun.objects.get().cancel()

    assert sync.carry_on(run, client=oauth.connect(own_account), seconds=60, tell=cancel) is True

    run.refresh_from_db()
    assert (run.state, run.done) == (RunState.CANCELLED, 2)
    assert run.finished_at is not None
    assert len(listings(own_smugmug)) == 2
    assert Album.objects.exclude(synced_at=None).count() == 2
    assert Photo.objects.exists()


def test_carry_on_cancelled_removes_nothing(own_account, own_smugmug, monkeypatch):
    sync_all(own_account)
    photo = own_smugmug.library.albums[0].photos.pop(0)
    albums = len(own_smugmug.library.albums)
    run, _ = sync.start(own_account, by=None)

    def cancel(told):
        if told.done == albums:
            SyncRun.objects.get(pk=run.pk).cancel()

    sync.carry_on(run, client=oauth.connect(own_account), seconds=60, tell=cancel)

    assert SyncRun.objects.get(pk=run.pk).state == RunState.CANCELLED
    assert Photo.objects.get(image_key=photo.key).removed_at is None


def test_carry_on_cancelled_while_it_asks_for_lost_photos_removes_none(own_account, own_smugmug, monkeypatch):
    sync_all(own_account)
    lost = [own_smugmug.library.albums[0].photos.pop(0) for _ in range(2)]
    run, _ = sync.start(own_account, by=None)
    client, asked = oauth.connect(own_account), []

    def has_image(image_id):
        asked.append(image_id)
        return not SyncRun.objects.get(pk=run.pk).cancel()

    monkeypatch.setattr(client, "has_image", has_image)

    assert sync.carry_on(run, client=client, seconds=60) is True

    assert len(asked) == 1
    assert SyncRun.objects.get(pk=run.pk).state == RunState.CANCELLED
    assert not Photo.objects.filter(image_key__in=keys_of(lost)).exclude(removed_at=None).exists()


@pytest.mark.parametrize("state", [RunState.CANCELLED, RunState.SUCCEEDED, RunState.FAILED, RunState.PAUSED])
def test_carry_on_a_run_that_is_over_or_paused_asks_smugmug_nothing(account, smugmug, state):
    run = SyncRunFactory(account=account, state=state)
    before = len(smugmug.requests)

    assert sync.carry_on(run, client=oauth.connect(account), seconds=60) is True

    assert len(smugmug.requests) == before
    assert SyncRun.objects.get().state == state


def test_carry_on_a_run_in_other_hands_asks_smugmug_nothing(account, smugmug):
    run = SyncRunFactory(account=account, state=RunState.RUNNING, heartbeat_at=timezone.now())
    before = len(smugmug.requests)

    assert sync.carry_on(run, client=oauth.connect(account), seconds=60) is True

    assert len(smugmug.requests) == before
    assert SyncRun.objects.get().state == RunState.RUNNING


def test_carry_on_a_run_whose_worker_died_takes_it_over(account, smugmug):
    long_ago = timezone.now() - datetime.timedelta(hours=1)
    run = SyncRunFactory(account=account, state=RunState.RUNNING, started_at=long_ago, heartbeat_at=long_ago)

    assert sync.carry_on(run, client=oauth.connect(account), seconds=60) is True

    run.refresh_from_db()
    assert (run.state, run.started_at) == (RunState.SUCCEEDED, long_ago)
    assert Photo.objects.count() == smugmug.library.count_photos()


# --- Starting


def test_start_makes_a_queued_run_for_the_person(library_of_ada, ada):
    run, is_new = sync.start(library_of_ada, by=ada)

    assert is_new
    assert (run.account, run.requested_by, run.state, run.kind) == (library_of_ada, ada, RunState.QUEUED, "full")


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING, RunState.PAUSED])
def test_start_while_one_is_active_gives_that_one(library_of_ada, ada, state):
    active = SyncRunFactory(account=library_of_ada, state=state)

    run, is_new = sync.start(library_of_ada, by=ada)

    assert (run, is_new) == (active, False)
    assert SyncRun.objects.count() == 1


@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.PARTIAL, RunState.FAILED, RunState.CANCELLED])
def test_start_after_one_is_over_makes_another(library_of_ada, ada, state):
    SyncRunFactory(account=library_of_ada, state=state)

    run, is_new = sync.start(library_of_ada, by=ada)

    assert is_new
    assert run.state == RunState.QUEUED
    assert SyncRun.objects.count() == 2


def test_start_when_the_active_one_ends_meanwhile_makes_another(library_of_ada, monkeypatch):
    ended = SyncRunFactory(account=library_of_ada)
    active = type(SyncRun.objects.all()).active

    def ends(rows):
        SyncRun.objects.filter(pk=ended.pk).update(state=RunState.SUCCEEDED)
        return active(rows)

    monkeypatch.setattr(type(SyncRun.objects.all()), "active", ends)

    run, is_new = sync.start(library_of_ada, by=None)

    assert is_new
    assert run.pk != ended.pk


@pytest.mark.django_db(transaction=True)
def test_start_twice_at_once_makes_one_run():
    account, ada = AccountFactory(), UserFactory()

    results = threaded(lambda: sync.start(account, by=ada), times=4)

    assert sorted(is_new for _, is_new in results) == [False, False, False, True]
    assert {run.pk for run, _ in results} == {SyncRun.objects.get().pk}


@pytest.mark.django_db(transaction=True)
def test_begin_twice_at_once_lets_one_in():
    run = SyncRunFactory()

    results = threaded(lambda: SyncRun.objects.get(pk=run.pk).begin(alone=True), times=4)

    assert sorted(results) == [False, False, False, True]
    assert SyncRun.objects.get().state == RunState.RUNNING


# --- Whoever holds a transaction never holds the network


@pytest.mark.django_db(transaction=True)
def test_ask_smugmug_inside_a_transaction_is_refused_before_anything_is_sent(account, smugmug):
    client = oauth.connect(account)
    photo = smugmug.library.albums[0].photos[0]
    [url, *_] = [rendition.url for rendition in client.renditions(f"{photo.key}-{photo.serial}")]
    requests, downloads = len(smugmug.requests), len(smugmug.downloads)

    with transaction.atomic():
        for ask in (client.authenticated_user, lambda: client.image_bytes(url), lambda: oauth.request_token("oob")):
            with pytest.raises(NetworkInTransaction):
                ask()

    assert (len(smugmug.requests), len(smugmug.downloads)) == (requests, downloads)
    assert client.authenticated_user().nickname == "demo"


@pytest.mark.django_db(transaction=True)
def test_sync_with_real_transactions_never_asks_inside_one(own_account, own_smugmug):
    sync_all(own_account)
    own_smugmug.library.albums.pop(0)
    own_smugmug.library.albums[0].photos.pop(0)

    run = sync_all(own_account)

    assert run.state == RunState.SUCCEEDED
    assert run.photos_removed > 1
    assert Photo.objects.present().count() == own_smugmug.library.count_photos()
