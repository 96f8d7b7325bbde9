import pytest

from smugmug import oauth, sync
from smugmug.models import Album, Photo, SyncRun
from smugmug.sandbox.messages import html_reply, problem
from targetvision.models import RunState
from tests.factories import AlbumFactory
from tests.smugmug.conftest import keys_of, mirrored, sync_all


def sync_again(account, kind, **options):
    run, is_new = sync.start(account, by=account.owner, kind=kind, **options)
    assert is_new
    assert sync.carry_on(run, client=oauth.connect(account), seconds=60)
    return run


class Log:
    """What the stand-in is asked from the last `clear` on."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.clear()

    def clear(self):
        self.before = len(self.sandbox.requests)

    @property
    def targets(self):
        return [request.path for request in self.sandbox.requests[self.before :]]

    @property
    def paths(self):
        return [target.partition("?")[0] for target in self.targets]

    @property
    def albums(self):
        """The keys of the albums whose images were asked for, a page each."""
        return sorted(path.split("/")[-1].removesuffix("!images") for path in self.paths if path.endswith("!images"))


@pytest.fixture
def synced(own_account):
    """The library as it was read once."""
    sync_all(own_account)
    return own_account


@pytest.fixture
def log(synced, own_smugmug):
    return Log(own_smugmug)


# --- Incremental


def test_sync_incremental_with_nothing_changed_asks_for_the_list_only(synced, own_smugmug, log):
    run = sync_again(synced, "incremental")

    assert log.paths == ["/api/v2/user/demo!albums"]
    assert (run.state, run.done, run.total, run.requests_made) == (RunState.SUCCEEDED, 0, 0, 1)
    assert (run.photos_new, run.photos_changed, run.photos_removed) == (0, 0, 0)


def test_sync_incremental_reads_only_the_albums_that_moved(synced, own_smugmug, log):
    library = own_smugmug.library
    first, second = library.albums[:2]
    library.remove_photo(first.photos[0].key)
    library.move_photo(first.photos[0].key, second.key)

    run = sync_again(synced, "incremental")

    assert log.albums == sorted(keys_of((first, second)))
    assert (run.state, run.done, run.photos_removed) == (RunState.SUCCEEDED, 2, 1)
    for album in library.albums:
        assert mirrored(album) == keys_of(album.photos)
    assert Photo.objects.filter(removed_at=None).count() == library.count_photos()


def test_sync_incremental_misses_an_edited_caption_and_a_check_finds_it(synced, own_smugmug, log):
    album = own_smugmug.library.albums[0]
    photo = album.photos[0]
    own_smugmug.library.edit_photo(photo.key, caption="Said anew")

    assert sync_again(synced, "incremental").photos_changed == 0
    assert Photo.objects.get(image_key=photo.key).caption != "Said anew"

    log.clear()
    run = sync_again(synced, "verify")

    assert Photo.objects.get(image_key=photo.key).caption == "Said anew"
    assert (run.state, run.photos_changed, run.photos_new) == (RunState.SUCCEEDED, 1, 0)
    assert log.albums.count(album.key) == 2  # slim, and then in full
    assert len(log.albums) == len(own_smugmug.library.albums) + 1


def test_sync_incremental_reads_again_what_failed_the_last_time(synced, own_smugmug, faults, log):
    album = own_smugmug.library.albums[0]
    own_smugmug.library.edit_album(album.key, description="Moved")
    faults.reply(f"/album/{album.key}!images", html_reply(404, "<h1>Not found</h1>"))
    assert sync_again(synced, "incremental").state == RunState.PARTIAL
    faults.clear()
    log.clear()

    run = sync_again(synced, "incremental")

    assert (run.state, run.done) == (RunState.SUCCEEDED, 1)
    assert log.albums == [album.key]


def test_sync_incremental_reads_fresh_uploads_again(synced, own_smugmug):
    album = own_smugmug.library.albums[0]
    Photo.objects.filter(image_key=album.photos[0].key).update(is_fresh=True)
    assert sync_again(synced, "incremental").done == 0  # too soon

    row = Album.objects.get(album_key=album.key)
    Album.objects.filter(pk=row.pk).update(synced_at=row.synced_at - sync.HOUR, moved_at=row.moved_at - 2 * sync.HOUR)
    run = sync_again(synced, "incremental")

    assert run.done == 1
    assert not Photo.objects.filter(is_fresh=True).exists()


# --- Verify


def test_sync_verify_with_nothing_changed_asks_slim_and_once_an_album(synced, own_smugmug, log):
    synced_at = dict(Album.objects.values_list("album_key", "synced_at"))

    run = sync_again(synced, "verify")

    albums = own_smugmug.library.albums
    assert len(log.albums) == len(albums)
    assert not any("_expand" in target for target in log.targets if "!images" in target)
    assert (run.state, run.done, run.photos_changed) == (RunState.SUCCEEDED, len(albums), 0)
    assert run.photos_seen == own_smugmug.library.count_photos()
    for key, synced_at_now in Album.objects.values_list("album_key", "synced_at"):
        assert synced_at_now > synced_at[key]


def test_sync_verify_keeps_what_a_slim_list_does_not_say(synced):
    before = list(Photo.objects.order_by("image_key").values("exif", "width", "large_url", "date_taken"))

    sync_again(synced, "verify")

    assert list(Photo.objects.order_by("image_key").values("exif", "width", "large_url", "date_taken")) == before


@pytest.mark.parametrize("change", ["title", "keywords", "hidden", "order"])
def test_sync_verify_finds_every_quiet_change(synced, own_smugmug, change):
    album = own_smugmug.library.albums[0]
    value = {"title": "New title", "keywords": ("one", "two"), "hidden": True, "order": None}[change]
    if change == "order":
        album.photos.reverse()
    elif change == "hidden":
        album.photos[0].is_hidden = True
    else:
        own_smugmug.library.edit_photo(album.photos[0].key, **{change: value})

    run = sync_again(synced, "verify")

    assert mirrored(album) == keys_of(album.photos)
    row = Photo.objects.get(image_key=album.photos[0].key)
    if change != "order":
        assert run.photos_changed == 1
        assert {"title": row.title, "keywords": tuple(row.keywords), "hidden": row.is_hidden}[change] == value


# --- Single albums


def test_sync_one_album_reads_that_one_and_nothing_else(synced, own_smugmug, log):
    album, other = own_smugmug.library.albums[:2]
    for each in (album, other):
        own_smugmug.library.edit_photo(each.photos[0].key, caption="Said anew")

    run = sync_again(synced, "albums", album_keys=[album.key])

    assert log.paths == [
        f"/api/v2/album/{album.key}",
        f"/api/v2/album/{album.key}!images",
    ]
    assert (run.state, run.done, run.total, run.photos_changed) == (RunState.SUCCEEDED, 1, 1, 1)
    assert Photo.objects.get(image_key=album.photos[0].key).caption == "Said anew"
    assert Photo.objects.get(image_key=other.photos[0].key).caption != "Said anew"


def test_sync_one_album_removes_no_photo_that_may_stand_elsewhere(synced, own_smugmug):
    album, other = own_smugmug.library.albums[:2]
    photo = album.photos[0]
    own_smugmug.library.move_photo(photo.key, other.key)

    run = sync_again(synced, "albums", album_keys=[album.key])

    row = Photo.objects.get(image_key=photo.key)
    assert (run.state, run.photos_removed, row.removed_at) == (RunState.SUCCEEDED, 0, None)
    assert mirrored(album) == keys_of(album.photos)


def test_sync_one_album_that_is_gone_says_so_and_removes_nothing(synced, own_smugmug):
    album = own_smugmug.library.albums.pop(0)

    run = sync_again(synced, "albums", album_keys=[album.key])

    assert run.state == RunState.PARTIAL
    assert [(error["key"], error["title"]) for error in run.errors] == [(album.key, album.name)]
    assert Album.objects.get(album_key=album.key).removed_at is None


def test_sync_one_album_that_is_locked_is_a_state(synced, own_smugmug, faults):
    album = own_smugmug.library.albums[0]
    faults.reply(f"/album/{album.key}!images", problem(403, "Forbidden"))

    run = sync_again(synced, "albums", album_keys=[album.key])

    assert (run.state, run.errors, run.albums_locked) == (RunState.SUCCEEDED, [], 1)
    assert Album.objects.get(album_key=album.key).is_locked
    assert mirrored(album) == keys_of(album.photos)


# --- Retrying


def test_retry_reads_just_the_albums_that_failed(synced, own_smugmug, faults, log):
    broken = own_smugmug.library.albums[:2]
    for album in broken:
        faults.reply(f"/album/{album.key}!images", html_reply(404, "<h1>Not found</h1>"))
    failed = sync_again(synced, "full")
    assert {error["key"] for error in failed.errors} == set(keys_of(broken))
    faults.clear()
    log.clear()

    run, is_new = sync.retry(failed, by=synced.owner)
    sync.carry_on(run, client=oauth.connect(synced), seconds=60)

    assert is_new
    assert (run.kind, run.state, run.done) == ("albums", RunState.SUCCEEDED, 2)
    assert log.albums == sorted(keys_of(broken))


def test_retry_where_the_list_itself_failed_is_a_run_like_it(library_of_ada, ada):
    error = {"key": "list", "title": "The list of albums", "sentence": "Short."}
    failed = SyncRun.objects.create(account=library_of_ada, kind="verify", state=RunState.PARTIAL, errors=[error])

    run, _ = sync.retry(failed, by=ada)

    assert (run.kind, run.album_keys) == ("verify", [])


def test_sync_another_persons_album_is_not_touched(synced, own_smugmug):
    foreign = AlbumFactory(album_key="ELSEWHERE", title="Not yours")

    sync_again(synced, "incremental")

    foreign.refresh_from_db()
    assert (foreign.title, foreign.removed_at, foreign.synced_at) == ("Not yours", None, None)
