import hashlib
import threading

import pytest
import requests

from smugmug.sandbox import Sandbox, library


@pytest.fixture(params=["demo", "synthetic"])
def changing(request):
    """A stand-in to change: with the real library, and with one whose photos are made on demand."""
    held = library() if request.param == "demo" else library(albums=6, photos=9)
    with Sandbox(library=held) as running:
        yield running


@pytest.fixture
def caller(changing, calling):
    return calling(changing)


def album_of(caller, key):
    return caller.read(f"/api/v2/album/{key}")


def images_of(caller, key):
    response = caller.get(f"/api/v2/album/{key}!images")["Response"]
    return response.get("AlbumImage", [])


def dates(caller):
    albums = caller.read("/api/v2/user/demo!albums")
    return {
        album["AlbumKey"]: (album["LastUpdated"], album["ImagesLastUpdated"], album["ImageCount"]) for album in albums
    }


def changed(before, after):
    """Keys of the albums whose images' date moved, and how many photos each has more."""
    return {key: after[key][2] - before[key][2] for key in after if after[key][1] > before[key][1]}


def test_add_photo_shows_it_at_once_and_moves_the_date(changing, caller):
    album, other = changing.library.albums[:2]
    before = dates(caller)

    photo = changing.library.add_photo(album.key, title="New", keywords=["a"])
    second = changing.library.add_photo(album.key)

    image = images_of(caller, album.key)[-2]
    assert (image["ImageKey"], image["Title"], image["KeywordArray"]) == (photo.key, "New", ["a"])
    assert image["Uris"]["ImageAlbum"]["Uri"] == f"/api/v2/album/{album.key}"
    assert changed(before, dates(caller)) == {album.key: 2}
    assert dates(caller)[album.key][0] == before[album.key][0]
    assert second.key != photo.key
    assert second.uploaded > photo.uploaded
    assert requests.get(image["ArchivedUri"], timeout=10).status_code == 200


def test_edit_photo_shows_it_everywhere_and_leaves_the_albums_dates(changing, caller):
    album = changing.library.albums[1]
    key = album.photos[2].key
    before, updated = dates(caller), caller.read(f"/api/v2/image/{key}-0")["LastUpdated"]

    changing.library.edit_photo(key, caption="Hello", keywords=["x", "y"])

    image = images_of(caller, album.key)[2]
    assert (image["ImageKey"], image["Caption"], image["Keywords"]) == (key, "Hello", "x; y")
    assert image["LastUpdated"] > updated
    assert dates(caller) == before


def test_edit_photo_twice_moves_its_date_twice(changing):
    key = changing.library.albums[0].photos[0].key

    first = changing.library.edit_photo(key, title="one").updated
    second = changing.library.edit_photo(key, title="two").updated

    assert int(second.timestamp()) > int(first.timestamp())


def test_edit_what_cannot_be_edited_is_a_mistake(changing):
    album = changing.library.albums[0]

    with pytest.raises(TypeError, match="cannot change key"):
        changing.library.edit_photo(album.photos[0].key, key="x")
    with pytest.raises(TypeError, match="cannot change photos"):
        changing.library.edit_album(album.key, photos=[])
    with pytest.raises(KeyError):
        changing.library.edit_photo("nope", title="x")


def test_remove_photo_from_its_home_takes_it_away_everywhere(changing, caller):
    home, other, third = changing.library.albums[:3]
    key = home.photos[1].key
    changing.library.collect_photo(key, other.key)
    before = dates(caller)

    changing.library.remove_photo(key)

    assert caller.fetch(f"/api/v2/image/{key}-0").status_code == 404
    assert key not in {image["ImageKey"] for album in (home, other) for image in images_of(caller, album.key)}
    assert changed(before, dates(caller)) == {home.key: -1, other.key: -1}
    assert dates(caller)[third.key] == before[third.key]


def test_remove_collected_copy_leaves_the_photo(changing, caller):
    home, other = changing.library.albums[:2]
    key = home.photos[1].key
    changing.library.collect_photo(key, other.key)
    before = dates(caller)

    changing.library.remove_photo(key, other.key)

    assert caller.fetch(f"/api/v2/image/{key}-0").status_code == 200
    assert changed(before, dates(caller)) == {other.key: -1}


def test_collect_photo_shows_it_twice_and_only_once_more(changing, caller):
    other, home = changing.library.albums[:2]
    key = home.photos[0].key
    before = dates(caller)

    changing.library.collect_photo(key, other.key)
    changing.library.collect_photo(key, other.key)

    image = images_of(caller, other.key)[-1]
    assert (image["ImageKey"], image["Origin"], image["CollectedFrom"]) == (key, "Collected", home.name)
    assert images_of(caller, home.key)[0]["Origin"] == "Album"
    holders = caller.read(image["Uris"]["ImageAlbums"]["Uri"])
    assert [album["AlbumKey"] for album in holders] == [home.key, other.key]
    assert changed(before, dates(caller)) == {other.key: 1}


def test_move_photo_gives_it_a_new_home(changing, caller):
    home, other = changing.library.albums[:2]
    key = home.photos[0].key
    before = dates(caller)

    changing.library.move_photo(key, other.key)

    image = images_of(caller, other.key)[-1]
    assert (image["ImageKey"], image["Origin"]) == (key, "Album")
    assert image["Uris"]["ImageAlbum"]["Uri"] == f"/api/v2/album/{other.key}"
    assert key not in {image["ImageKey"] for image in images_of(caller, home.key)}
    assert changed(before, dates(caller)) == {home.key: -1, other.key: 1}


def test_replace_photo_changes_serial_bytes_and_addresses(changing, caller):
    album = changing.library.albums[2]
    key = album.photos[0].key
    before, all_dates = images_of(caller, album.key)[0], dates(caller)

    changing.library.replace_photo(key)

    after = images_of(caller, album.key)[0]
    content = requests.get(after["ArchivedUri"], timeout=10).content
    assert (after["ImageKey"], after["Serial"]) == (key, before["Serial"] + 1)
    assert hashlib.md5(content).hexdigest() == after["ArchivedMD5"] != before["ArchivedMD5"]
    assert (after["OriginalWidth"], after["OriginalHeight"]) != (before["OriginalWidth"], before["OriginalHeight"])
    assert after["ThumbnailUrl"] != before["ThumbnailUrl"]
    assert requests.get(before["ThumbnailUrl"], timeout=10).status_code == 404
    moved = caller.fetch(f"/api/v2/image/{key}-{before['Serial']}")
    assert moved.headers["Location"] == f"/api/v2/image/{key}-{after['Serial']}"
    assert changed(all_dates, dates(caller)) == {album.key: 0}


def test_rename_album_changes_paths_and_addresses_but_no_key(changing, caller):
    album = changing.library.albums[0]
    before, picture, all_dates = album_of(caller, album.key), images_of(caller, album.key)[0], dates(caller)

    changing.library.rename_album(album.key, "Quite New")

    after, renamed = album_of(caller, album.key), images_of(caller, album.key)[0]
    assert (after["Name"], after["UrlPath"]) == ("Quite New", "/Quite-New")
    assert after["WebUri"].endswith("/Quite-New")
    assert (after["NodeID"], after["ImagesLastUpdated"]) == (before["NodeID"], before["ImagesLastUpdated"])
    assert after["LastUpdated"] > before["LastUpdated"]
    assert (renamed["ImageKey"], renamed["ArchivedMD5"]) == (picture["ImageKey"], picture["ArchivedMD5"])
    assert renamed["ThumbnailUrl"] != picture["ThumbnailUrl"]
    assert renamed["WebUri"] != picture["WebUri"]
    assert changed(all_dates, dates(caller)) == {}


def test_lock_album_makes_it_look_empty_until_it_is_unlocked(changing, caller):
    album = changing.library.albums[0]
    count, key = len(album.photos), album.photos[0].key

    changing.library.lock_album(album.key)

    locked = album_of(caller, album.key)
    assert (locked["ResponseLevel"], locked["SecurityType"]) == ("Password", "Password")
    assert not {"ImageCount", "LastUpdated", "ImagesLastUpdated", "Privacy"} & set(locked)
    assert "UnlockAlbum" in locked["Uris"]
    assert "AlbumImages" not in locked["Uris"]
    response = caller.get(f"/api/v2/album/{album.key}!images")["Response"]
    assert "AlbumImage" not in response
    assert response["Pages"]["Total"] == 0
    assert caller.fetch(f"/api/v2/image/{key}-0").status_code == 404
    listed = {one["AlbumKey"]: one["ResponseLevel"] for one in caller.read("/api/v2/user/demo!albums")}
    assert listed[album.key] == "Password"
    assert set(listed.values()) == {"Password", "Full"}

    changing.library.unlock_album(album.key)

    assert album_of(caller, album.key)["ImageCount"] == count == len(images_of(caller, album.key))


def test_remove_album_moves_it_to_the_deleted_ones(changing, caller):
    album, other = changing.library.albums[:2]
    gone, kept = album.photos[0].key, other.photos[0].key
    changing.library.collect_photo(gone, other.key)
    changing.library.collect_photo(kept, album.key)

    changing.library.remove_album(album.key)

    deleted = caller.read("/api/v2/user/demo!deletedalbums")
    assert [one["Name"] for one in deleted] == [album.name]
    assert set(deleted[0]) == {
        *("Name", "UrlPath", "DateAdded", "DateDeleted", "DateModified"),
        "Uri",
        "UriDescription",
    }
    assert deleted[0]["DateDeleted"] > deleted[0]["DateAdded"]
    assert album.key not in dates(caller)
    assert caller.fetch(f"/api/v2/album/{album.key}").status_code == 404
    assert caller.fetch(f"/api/v2/image/{gone}-0").status_code == 404
    assert caller.fetch(f"/api/v2/image/{kept}-0").status_code == 200
    assert gone not in {image["ImageKey"] for image in images_of(caller, other.key)}


def test_list_deleted_albums_is_for_the_owner_and_empty_at_first(changing, caller, calling):
    path = "/api/v2/user/demo!deletedalbums"

    assert "DeletedAlbum" not in caller.get(path)["Response"]
    assert calling(changing, None).fetch(path).status_code == 404


def test_add_album_can_be_filled(changing, caller):
    album = changing.library.add_album("Fresh", privacy="Private")
    photo = changing.library.add_photo(album.key)
    moved = changing.library.albums[0].photos[0].key
    changing.library.move_photo(moved, album.key)

    assert (album_of(caller, album.key)["Name"], album_of(caller, album.key)["Privacy"]) == ("Fresh", "Private")
    assert [image["ImageKey"] for image in images_of(caller, album.key)] == [photo.key, moved]


def test_change_a_large_library_keeps_the_rest_on_demand(calling):
    held = library(albums=1000, photos=100)
    album = held.albums[500]
    with Sandbox(library=held) as running:
        held.edit_photo(album.photos[7].key, title="Changed")
        held.remove_album(held.albums[3].key)
        title = calling(running).read(f"/api/v2/album/{album.key}!images")[7]["Title"]
        last = held.albums[-1].photos[-1]
        found = held.home(last.key)

    assert title == "Changed"
    assert sum(isinstance(one.photos, list) for one in held.albums) == 1
    assert held.count_photos() == 99_900
    assert found == (held.albums[-1], last)


def test_change_while_many_read_never_shows_half_a_change(changing, calling):
    album, other = changing.library.albums[:2]
    key, stop, seen = album.photos[0].key, threading.Event(), []

    def read(caller):
        while not stop.is_set():
            response = caller.get(f"/api/v2/album/{album.key}!images")["Response"]
            seen.append((response["Pages"]["Total"], len(response["AlbumImage"])))

    threads = [threading.Thread(target=read, args=(calling(changing),)) for _number in range(3)]
    for thread in threads:
        thread.start()
    for _round in range(60):
        changing.library.move_photo(key, other.key)
        changing.library.move_photo(key, album.key)
    stop.set()
    for thread in threads:
        thread.join()

    assert seen
    assert all(total == listed for total, listed in seen)
    assert changing.library.home(key)[0] is album


def test_hold_the_lock_makes_answers_wait_until_the_change_is_whole(changing, caller):
    album = changing.library.albums[0]
    count, totals = len(album.photos), []

    def read():
        totals.append(caller.get(f"/api/v2/album/{album.key}!images")["Response"]["Pages"]["Total"])

    reader = threading.Thread(target=read)
    with changing.library.lock:
        changing.library.add_photo(album.key)
        reader.start()
        reader.join(0.1)
        waited = not totals
        changing.library.add_photo(album.key)
    reader.join(10)

    assert waited
    assert totals == [count + 2]
