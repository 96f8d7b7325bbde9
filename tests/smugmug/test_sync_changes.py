"""Everything that can be in a library, and everything that can happen to it, through a whole sync."""

import datetime

import pytest

from smugmug import oauth, sync
from smugmug.models import Album, Photo
from smugmug.sandbox.collection import Place
from targetvision.models import RunState
from tests.smugmug.conftest import sync_all
from tests.smugmug.equality import differences


def change_loudly(library):
    """All that moves a date of an album."""
    named = {album.name: album for album in library.albums}
    food, animals, places = (named[name] for name in ("Food", "Animals", "Places"))
    library.add_photo(food.key, caption="Fresh")
    library.replace_photo(food.photos[0].key)
    library.replace_photo(food.photos[0].key)
    library.remove_photo(food.photos[2].key)
    library.move_photo(animals.photos[0].key, places.key)
    library.collect_photo(animals.photos[1].key, food.key)
    library.collect_photo(animals.photos[2].key, food.key)
    library.remove_photo(animals.photos[2].key, food.key)
    library.rename_album(places.key, "Places & Räume")
    library.remove_album(named["Studio"].key)
    library.unlock_album(named["Locked Away"].key)
    library.lock_album(named["Odd Ones"].key)
    library.add_photo(library.add_album("New Ones", description="夜明け 🌅").key)
    library.edit_album(named["Outdoors"].key, privacy="Private", description="<b>Said</b> anew")


def change_quietly(library):
    """All that moves none."""
    photos = [photo for album in library.albums if album.name == "Outdoors" for photo in album.photos]
    library.edit_photo(photos[0].key, caption="Said anew: شروق الشمس")
    library.edit_photo(photos[1].key, title="Titled anew", keywords=("one, with comma", "two"))
    library.edit_photo(photos[2].key, is_hidden=True)
    library.edit_photo(photos[3].key, place=Place(-33.5, 151.25, 3, "Sydney", "Australia"))
    library.edit_photo(photos[4].key, is_unprocessed=True)
    library.edit_photo(photos[5].key, file_name="Renamed.JPG")


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("incremental", [change_loudly]),
        ("full", [change_loudly, change_quietly]),
        ("verify", [change_quietly, change_loudly]),
    ],
)
def test_sync_after_everything_has_happened_is_equal(odd, kind, changes):
    smugmug, account = odd
    for change in changes:
        change(smugmug.library)
    assert differences(smugmug, account) != []

    run, _ = sync.start(account, by=None, kind=kind)
    sync.carry_on(run, client=oauth.connect(account), seconds=60)

    assert (run.state, run.errors, run.albums_locked) == (RunState.SUCCEEDED, [], 1)
    assert differences(smugmug, account) == []


def test_sync_keeps_the_row_of_whatever_moved_was_renamed_or_replaced(odd):
    smugmug, account = odd
    before = dict(Photo.objects.values_list("image_key", "pk"))
    albums = dict(Album.objects.values_list("album_key", "pk"))

    change_loudly(smugmug.library)
    sync_all(account)

    after = dict(Photo.objects.values_list("image_key", "pk"))
    assert before.items() <= after.items()
    assert albums.items() <= dict(Album.objects.values_list("album_key", "pk")).items()
    gone = Photo.objects.exclude(removed_at=None)
    assert 0 < gone.count() < len(before)
    assert set(gone.values_list("caption", flat=True)) != {""}  # their words stay


# --- Values no library should have

ODD_TEXT = "a\x00b \ud83d c 👩‍👧‍👦 שלום"
KEPT_TEXT = "ab ? c 👩‍👧‍👦 שלום"


def test_sync_odd_values_keeps_what_a_row_can_hold(own_account, own_smugmug, faults):
    photos = own_smugmug.library.albums[0].photos

    def spoil(body):
        first, second, third = (body["Response"]["AlbumImage"][place] for place in range(3))
        first.update(Caption=ODD_TEXT, Title=ODD_TEXT, FileName=ODD_TEXT, KeywordArray=[ODD_TEXT, "\x00", "two"])
        second.update(OriginalSize=2**33 + 1, ArchivedSize=2**33 + 1, OriginalWidth=2**40, OriginalHeight="900")
        third.update(LastUpdated="2024-02-29T12:00:00", DateTimeUploaded="2024-02-30T12:00:00", Date="no date at all")

    faults.change(f"/album/{own_smugmug.library.albums[0].key}!images", spoil)
    faults.change("!albums", lambda body: body["Response"]["Album"][0].update(Name=ODD_TEXT, Description=ODD_TEXT))

    run = sync_all(own_account)

    assert (run.state, run.errors) == (RunState.SUCCEEDED, [])
    first, second, third = (Photo.objects.get(image_key=photo.key) for photo in photos[:3])
    assert (first.caption, first.title, first.filename) == (KEPT_TEXT, KEPT_TEXT, KEPT_TEXT)
    assert first.keywords == [KEPT_TEXT, "two"]
    assert (second.size_bytes, second.width, second.height) == (2**33 + 1, None, 900)
    assert third.remote_updated_at == datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC)
    assert third.uploaded_at is None
    assert Album.objects.filter(title=KEPT_TEXT, description=KEPT_TEXT).count() == 1
    assert Photo.objects.present().count() == own_smugmug.library.count_photos()
