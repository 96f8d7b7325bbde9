"""With everything going wrong that can, all that can be had is had, and the rest is named."""

import pytest

from smugmug import oauth
from smugmug.client import SmugMugGone
from smugmug.models import Album, AlbumPhoto, Photo, SyncRun
from smugmug.sandbox import Sandbox, odd_library
from targetvision.models import RunState
from tests.conftest import use_sandbox
from tests.smugmug.conftest import sync_all
from tests.smugmug.equality import differences

BROKEN = "Food"
LOCKED = "Locked Away"


@pytest.fixture
def odd_smugmug(settings):
    with Sandbox(library=odd_library()) as running:
        yield use_sandbox(running, settings)


@pytest.fixture
def odd_account(odd_smugmug, ada):
    return oauth.save_account(oauth.Token(*odd_smugmug.grant()), owner=ada)


def named(sandbox, name):
    return next(album for album in sandbox.library.albums if album.name == name)


def switch_on(sandbox):
    """Everything at once; the album whose images are a 404 page."""
    broken, faults = named(sandbox, BROKEN), sandbox.faults
    faults.too_many, faults.empty_error, faults.drop = 7, 11, 13
    faults.page_not_found = f"/album/{broken.key}!images"
    return broken


def test_sync_with_every_fault_on_ends_partial_and_names_what_failed(odd_account, odd_smugmug):
    broken, locked = switch_on(odd_smugmug), named(odd_smugmug, LOCKED)

    run = sync_all(odd_account)

    assert (run.state, run.albums_locked) == (RunState.PARTIAL, 1)
    assert run.errors == [{"key": broken.key, "title": broken.name, "sentence": SmugMugGone.advice}]
    assert run.done == run.total - 1 == len(odd_smugmug.library.albums) - 2
    assert {"too_many", "empty_error", "drop"} <= {name for name, times in odd_smugmug.faults.given.items() if times}
    assert Album.objects.get(album_key=locked.key).is_locked
    assert not AlbumPhoto.objects.filter(album__album_key__in=[broken.key, locked.key]).exists()
    assert differences(odd_smugmug, odd_account, without=[broken.key]) == []


def test_sync_with_every_fault_on_takes_nothing_away(odd_account, odd_smugmug):
    sync_all(odd_account)
    before = set(Photo.objects.values_list("pk", "caption"))
    broken = switch_on(odd_smugmug)
    odd_smugmug.library.remove_photo(named(odd_smugmug, "Animals").photos[0].key)

    run = sync_all(odd_account)

    assert (run.state, run.photos_removed) == (RunState.PARTIAL, 0)
    assert set(Photo.objects.filter(removed_at=None).values_list("pk", "caption")) == before
    assert Album.objects.present().count() == len(odd_smugmug.library.albums)
    assert AlbumPhoto.objects.filter(album__album_key=broken.key).count() == len(broken.photos)


def test_sync_after_the_faults_is_equal(odd_account, odd_smugmug):
    switch_on(odd_smugmug)
    sync_all(odd_account)
    odd_smugmug.library.remove_photo(named(odd_smugmug, "Animals").photos[0].key)
    odd_smugmug.faults.clear()

    run = sync_all(odd_account)

    assert (run.state, run.errors) == (RunState.SUCCEEDED, [])
    assert differences(odd_smugmug, odd_account) == []
    assert SyncRun.objects.active().count() == 0
