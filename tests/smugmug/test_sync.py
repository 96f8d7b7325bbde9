import pytest

from smugmug import mirror, oauth
from smugmug.models import Album, AlbumPhoto, Photo, SyncRun
from smugmug.sandbox import library
from smugmug.sandbox.messages import Reply, html_reply, json_reply
from targetvision.models import RunState, database_time
from tests.factories import AlbumFactory
from tests.smugmug.conftest import keys_of, listings, mirrored, sync_all

STILL_THERE = json_reply(200, {"Response": {"Locator": "Image"}, "Code": 200})


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
    assert told[0] == (0, None)
    assert (0, albums) in told
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
    photo.caption, photo.keywords, photo.serial = "Said anew", ("fresh", "two words"), photo.serial + 1
    album.name = "Renamed"

    run = sync_all(own_account)

    assert run.photos_new == 0
    changed = Photo.objects.get(image_key=photo.key)
    assert (changed.pk, changed.caption, changed.keywords) == (row.pk, "Said anew", ["fresh", "two words"])
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
        images = client.images_page(album.key).items
        mirror.save_listing(row, images, as_of=database_time(), is_complete=True)

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

    assert run.state == RunState.PARTIAL
    assert [error["sentence"] for error in run.errors] == [
        "1 albums or photos are listed no more, but SmugMug did not say that they are gone; they stay."
    ]
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


def leaving_out(album, *, counted):
    """A list without the album; `counted` says whether SmugMug's count still has it."""

    def leave_out(body):
        listed = body["Response"]["Album"]
        body["Response"]["Album"] = [raw for raw in listed if raw["AlbumKey"] != album.key]
        body["Response"]["Pages"]["Total"] -= not counted

    return leave_out


def test_sync_album_missing_from_the_list_but_there_stays(own_account, own_smugmug, faults):
    sync_all(own_account)
    album = own_smugmug.library.albums[0]
    faults.change("!albums", leaving_out(album, counted=False))

    run = sync_all(own_account)

    assert (run.state, run.photos_removed) == (RunState.SUCCEEDED, 0)
    assert Album.objects.get(album_key=album.key).removed_at is None
    assert mirrored(album) == keys_of(album.photos)


def test_sync_short_list_of_albums_is_asked_for_once_more_and_removes_nothing(own_account, own_smugmug, faults):
    sync_all(own_account)
    albums = own_smugmug.library.albums
    gone, hidden = albums.pop(0), albums[0]
    faults.change("!albums", leaving_out(hidden, counted=True))

    run = sync_all(own_account)

    assert (run.state, run.done) == (RunState.PARTIAL, len(albums) - 1)
    assert [error["sentence"] for error in run.errors] == [
        f"SmugMug listed {len(albums) - 1} of {len(albums)} albums; nothing was taken as removed."
    ]
    assert sum("!albums" in call.target for call in faults.calls) == 1 + 2
    assert not Album.objects.exclude(removed_at=None).exists()
    assert mirrored(gone) == keys_of(gone.photos)


def test_sync_album_restored_is_present_again(own_account, own_smugmug):
    sync_all(own_account)
    album = own_smugmug.library.albums.pop(0)
    sync_all(own_account)
    own_smugmug.library.albums.append(album)

    sync_all(own_account)

    assert Album.objects.get(album_key=album.key).removed_at is None
    assert mirrored(album) == keys_of(album.photos)
