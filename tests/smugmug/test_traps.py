"""The ways in which clients of SmugMug's are known to have lost or broken something, one test for each.

Each is played by the stand-in over real HTTP; without the handling it names, its test fails.
"""

import io
import time
from types import SimpleNamespace

import django_rq
import pytest
import requests
from django.utils import timezone
from PIL import Image
from requests_oauthlib import OAuth1

from smugmug import client as client_module
from smugmug import images, oauth, sync
from smugmug.client import (
    TIMEOUT,
    SmugMugClient,
    SmugMugGone,
    SmugMugNonsense,
    SmugMugUnavailable,
    SmugMugUnchanged,
)
from smugmug.models import Album, AlbumPhoto, Photo, SyncRun
from smugmug.pacing import Pacer
from smugmug.sandbox import Sandbox, library, odd_library
from smugmug.sandbox.messages import Reply, html_reply, problem
from targetvision.models import RunState
from tests.conftest import use_sandbox
from tests.smugmug.conftest import connected, keys_of, mirrored, sync_all


@pytest.fixture
def client(own_smugmug):
    return connected(own_smugmug)


@pytest.fixture
def writer(own_smugmug, client):
    """A client that may change the library."""
    return modifying(own_smugmug, client.wire.pacer)


@pytest.fixture
def album(own_smugmug):
    """One whose pictures all have camera data."""
    album = own_smugmug.library.albums[0]
    shot = next(photo.shot for photo in album.photos if photo.shot)
    for photo in album.photos:
        photo.shot = photo.shot or shot
    return album


@pytest.fixture
def photo(album):
    return album.photos[0]


@pytest.fixture
def odd_account(settings, ada):
    """A library that holds everything a client trips over, connected by ada."""
    with Sandbox(library=odd_library()) as sandbox:
        use_sandbox(sandbox, settings)
        account = oauth.save_account(oauth.Token(*sandbox.grant()), owner=ada)
        yield SimpleNamespace(account=account, smugmug=sandbox)


def modifying(sandbox, pacer):
    token, secret = sandbox.grant("Full", "Modify")

    def new_session():
        session = requests.Session()
        session.trust_env = False
        session.auth = OAuth1(sandbox.api_key, sandbox.api_secret, token, secret)
        return session

    return SmugMugClient(new_session=new_session, api_url=sandbox.url, pacer=pacer)


def uri_of(photo):
    return f"/api/v2/image/{photo.key}-{photo.serial}"


def all_pages(ask):
    """The items of a list, stepped through as its pages say."""
    items, start = [], 1
    while True:
        page = ask(start)
        items += page.items
        if page.is_last:
            return items
        start = page.start + page.count


def paths(sandbox):
    return [request.path.partition("?")[0] for request in sandbox.requests]


def writes(sandbox):
    return [request.method for request in sandbox.requests if request.method != "GET"]


def verify(account):
    run, _ = sync.start(account, by=None, kind=SyncRun.Kind.VERIFY)
    assert sync.carry_on(run, client=oauth.connect(account), seconds=60)
    return run


def test_trap_01_an_empty_list_has_no_key_at_all(client, album):
    album.photos.clear()

    page = client.images_page(album.key)

    assert (page.items, page.total, page.is_last) == ([], 0, True)


def test_trap_02_pages_are_stepped_by_what_came_and_not_by_what_was_asked_for(monkeypatch):
    monkeypatch.setattr(client_module, "ALBUMS_A_PAGE", 500)  # SmugMug gives 100 and says nothing
    with Sandbox(library=library(albums=205, photos=0)) as sandbox:
        client = connected(sandbox)

        albums = all_pages(lambda start: client.albums_page("demo", start))

        assert keys_of(albums) == keys_of(sandbox.library.albums)
        assert len(sandbox.requests) == 3


def test_trap_03_next_page_drops_what_was_to_be_expanded_and_is_not_followed(client, album, monkeypatch, faults):
    monkeypatch.setattr(client_module, "IMAGES_A_PAGE", 3)
    bodies = []
    faults.change("!images", bodies.append)

    found = all_pages(lambda start: client.images_page(album.key, start))

    assert "_expand" not in bodies[0]["Response"]["Pages"]["NextPage"]
    assert keys_of(found) == keys_of(album.photos)
    assert all(image.renditions and image.exif for image in found[3:])


def test_trap_04_the_serial_is_kept_and_never_made_up(client, own_smugmug, album, photo, faults):
    photo.serial = 3
    [image] = [image for image in client.images_page(album.key).items if image.key == photo.key]
    assert (image.image_id, image.image_uri) == (f"{photo.key}-3", f"/api/v2/image/{photo.key}-3")

    assert client.renditions(image.image_id)
    assert len(own_smugmug.requests) == 2  # no redirect

    def forget_serials(body):  # as in old answers, which have it in the address only
        for raw in body["Response"]["AlbumImage"]:
            del raw["Serial"]

    faults.change("!images", forget_serials)
    assert f"{photo.key}-3" in [image.image_id for image in client.images_page(album.key).items]


def test_trap_05_a_redirect_is_signed_anew_and_keeps_its_method(writer, own_smugmug, photo):
    photo.serial = 3

    assert writer.has_image(f"{photo.key}-0") is True
    assert writer.change_image(f"/api/v2/image/{photo.key}-0", {"Title": "New"}).title == "New"

    assert [request.method for request in own_smugmug.requests] == ["GET", "GET", "PATCH", "PATCH", "GET", "GET"]
    assert photo.title == "New"


def test_trap_06_a_picture_in_two_albums_is_one_photo_with_two_places(own_account, own_smugmug):
    first, second = own_smugmug.library.albums[:2]
    shared = first.photos[0]
    own_smugmug.library.collect_photo(shared.key, second.key)

    sync_all(own_account)

    assert Photo.objects.filter(image_key=shared.key).count() == 1
    places = AlbumPhoto.objects.filter(photo__image_key=shared.key)
    assert set(places.values_list("album__album_key", flat=True)) == {first.key, second.key}
    assert Photo.objects.get(image_key=shared.key).album.album_key == first.key
    assert mirrored(second) == keys_of(second.photos)


def test_trap_07_a_picture_in_two_albums_is_written_once(writer, own_smugmug, faults):
    first, second = own_smugmug.library.albums[:2]
    shared = first.photos[0]
    own_smugmug.library.collect_photo(shared.key, second.key)
    found = [image for album in (first, second) for image in writer.images_page(album.key).items]
    twins = [image for image in found if image.key == shared.key]
    assert len({image.uri for image in twins}) == 2

    writer.add_keywords([image.image_uri for image in twins], ["new"])

    [sent] = [call.body for call in faults.calls if call.method == "POST"]
    assert sent.count(shared.key.encode()) == 1
    with pytest.raises(SmugMugNonsense):
        writer.change_image(twins[0].uri, {"Title": "New"})  # its place in an album has no words of its own
    assert writes(own_smugmug) == ["POST"]


def test_trap_08_a_file_name_is_no_identity(odd_account):
    sync_all(odd_account.account)

    odd = next(album for album in odd_account.smugmug.library.albums if album.name == "Odd Ones")
    names = [photo.filename for photo in Photo.objects.in_album(Album.objects.get(album_key=odd.key))]
    assert names == [photo.file_name for photo in odd.photos]
    assert names.count("IMG_0001.JPG") == 2
    assert "" in names


def test_trap_09_an_edited_caption_moves_no_album_date_and_is_found_by_comparing(own_account, own_smugmug, photo):
    own_smugmug.library.edits_move_dates = False
    sync_all(own_account)
    own_smugmug.library.edit_photo(photo.key, caption="Edited", keywords=["edited"])

    verify(own_account)

    row = Photo.objects.get(image_key=photo.key)
    assert (row.caption, row.keywords) == ("Edited", ["edited"])


def test_trap_10_albums_are_listed_to_the_end_whatever_their_dates(monkeypatch):
    monkeypatch.setattr(client_module, "ALBUMS_A_PAGE", 2)
    with Sandbox() as sandbox:
        albums = sandbox.library.albums
        for number, album in enumerate(albums):  # newest and oldest by turns
            album.updated = album.images_updated = timezone.now().replace(year=2001 + number % 2 * 20)
        client = connected(sandbox)

        assert keys_of(all_pages(lambda start: client.albums_page("demo", start))) == keys_of(albums)
        assert not any("SortMethod" in request.path for request in sandbox.requests)


def test_trap_11_a_locked_album_that_lists_nothing_loses_nothing(own_account, own_smugmug, album):
    sync_all(own_account)
    before = mirrored(album)
    own_smugmug.library.lock_album(album.key)

    run = sync_all(own_account)

    row = Album.objects.get(album_key=album.key)
    assert (row.is_locked, row.removed_at, run.photos_removed) == (True, None, 0)
    assert mirrored(album) == before != []
    assert not Photo.objects.filter(image_key__in=before).exclude(removed_at=None).exists()


@pytest.mark.parametrize("trouble", ["short", "page not found", "empty"])
def test_trap_12_a_failed_or_short_list_removes_nothing(own_account, own_smugmug, album, faults, slept, trouble):
    sync_all(own_account)
    before = mirrored(album)
    part = f"{album.key}!images"
    if trouble == "short":
        faults.change(part, lambda body: body["Response"]["AlbumImage"].pop())
    elif trouble == "empty":
        faults.change(part, lambda body: body["Response"].update(AlbumImage=[], Pages={"Total": 0, "Count": 0}))
    else:
        faults.reply(part, html_reply(404, "<h1>Not Found</h1>"))

    run = sync_all(own_account)

    assert (run.state, run.photos_removed) == (RunState.PARTIAL, 0)
    assert [error["key"] for error in run.errors] == [album.key]
    assert mirrored(album) == before
    assert not Photo.objects.exclude(removed_at=None).exists()


def test_trap_12_what_is_no_longer_listed_goes_only_by_smugmugs_own_word(
    own_account, own_smugmug, album, photo, faults
):
    sync_all(own_account)
    own_smugmug.library.remove_photo(photo.key)
    faults.reply(f"/api/v2/image/{photo.key}", Reply(500), times=100)
    sync_all(own_account, connected(own_smugmug, attempts=1))
    assert Photo.objects.get(image_key=photo.key).removed_at is None
    faults.clear()

    sync_all(own_account)

    assert Photo.objects.get(image_key=photo.key).removed_at is not None


@pytest.mark.parametrize("has_metadata", [True, False])
def test_trap_13_the_time_of_capture_is_the_cameras_clock_and_no_utc(client, album, faults, has_metadata):
    stated = {}

    def look(body):
        stated.update((raw["ImageKey"], raw["DateTimeOriginal"]) for raw in body["Response"]["AlbumImage"])
        if not has_metadata:
            del body["Expansions"]

    faults.change("!images", look)

    found = client.images_page(album.key).items

    assert [image.date_taken for image in found] == [photo.shot.taken.replace(microsecond=0) for photo in album.photos]
    assert not any(stated[image.key].startswith(f"{image.date_taken:%Y-%m-%dT%H}") for image in found)


def test_trap_14_keywords_are_a_list_in_which_commas_and_doubles_are_no_separators(writer, own_smugmug, album, photo):
    photo.keywords = ["Paris, France", "salt; pepper", "dog"]
    assert writer.images_page(album.key).items[0].keywords == ("Paris, France", "salt; pepper", "dog")

    writer.add_keywords([uri_of(photo)], ["DOG", "cat", "Cat"])
    assert photo.keywords == ["Paris, France", "salt; pepper", "dog", "cat"]

    with pytest.raises(SmugMugNonsense) as caught:
        writer.add_keywords([uri_of(photo)], ["Rome, Italy"])
    assert "comma" in caught.value.advice
    with pytest.raises(ValueError, match="one of"):
        writer.change_image(uri_of(photo), {"Keywords": "a", "KeywordArray": ["a"]})
    assert writes(own_smugmug) == ["POST"]


def test_trap_15_keywords_added_by_the_person_meanwhile_survive_ours(writer, own_smugmug, album, photo):
    photo.keywords = ["before"]
    [read, *_] = writer.images_page(album.key).items
    own_smugmug.library.edit_photo(photo.key, keywords=["before", "theirs"])

    writer.add_keywords([read.image_uri], ["ours"])
    assert photo.keywords == ["before", "theirs", "ours"]

    writer.remove_keywords([read.image_uri], ["ours", "before"])
    assert photo.keywords == ["theirs"]


def test_trap_16_a_yes_that_changed_nothing_is_noticed(writer, photo):
    name = photo.file_name

    with pytest.raises(SmugMugUnchanged) as caught:
        writer.change_image(uri_of(photo), {"Title": "New", "FileName": "new.jpg"})

    assert caught.value.names == ("FileName",)
    assert (photo.file_name, photo.title) == (name, "New")


@pytest.mark.parametrize("reply", [Reply(504), Reply(500), None])
def test_trap_17_a_change_that_ended_in_an_error_is_looked_up_and_not_repeated(
    writer, own_smugmug, photo, faults, slept, reply
):
    if reply is None:  # 504 although all was done
        own_smugmug.faults.timeout_but_applied = 1
        assert writer.change_image(uri_of(photo), {"Title": "New"}).title == "New"
        writer.add_keywords([uri_of(photo)], ["new"])
        assert (photo.title, "new" in photo.keywords) == ("New", True)
        assert writes(own_smugmug) == ["PATCH", "POST"]
    else:
        title = photo.title
        faults.reply(uri_of(photo), reply, times=1)
        with pytest.raises(SmugMugUnavailable):
            writer.change_image(uri_of(photo), {"Title": "New"})
        assert photo.title == title
        assert [call.method for call in faults.calls] == ["PATCH", "GET"]


def test_trap_18_errors_are_web_pages_or_empty_and_the_status_counts(client, own_smugmug, album, slept):
    own_smugmug.faults.page_not_found = "!images"
    with pytest.raises(SmugMugGone):
        client.images_page(album.key)
    own_smugmug.faults.clear()
    own_smugmug.faults.empty_error = 1

    with pytest.raises(SmugMugUnavailable, match="500"):
        client.images_page(album.key)


def test_trap_19_asked_to_wait_waits_as_long_as_smugmug_says(client, faults):
    faults.reply("!authuser", problem(429, "Too Many Requests", headers={"Retry-After": "2"}), times=1)

    started = time.monotonic()
    client.authenticated_user()

    assert 2 <= time.monotonic() - started < 4
    assert client.requests_made == 2


def test_trap_19_with_little_left_goes_slower_until_the_window_ends():
    with Sandbox(calls_per_hour=101) as sandbox:
        client = connected(sandbox)
        client.authenticated_user()
        assert 34 < client.wire.pacer.seconds_away() <= 36  # 100 calls for 3,600 seconds
        assert Pacer(django_rq.get_connection("smugmug"), 1000).seconds_away() > 34  # for every process


def test_trap_19_with_enough_left_goes_at_full_speed(own_smugmug, client):
    client.authenticated_user()

    assert client.wire.pacer.seconds_away() < 0.1


def test_trap_20_size_and_checksum_of_a_films_poster_are_not_the_films():
    with Sandbox(library=odd_library()) as sandbox:
        odd = next(album for album in sandbox.library.albums if album.name == "Odd Ones")

        found = connected(sandbox).images_page(odd.key).items

    [film] = [image for image in found if image.is_video]
    assert (film.archived_md5, film.size_bytes) == ("", None)
    assert (film.width, film.height, film.format) == (1280, 720, "MP4")
    assert all(
        image.archived_md5 and image.size_bytes for image in found if not (image.is_video or image.is_processing)
    )


def test_trap_21_what_is_filtered_away_is_named_where_it_is_needed(client, own_smugmug, album):
    full, slim = (client.images_page(album.key, slim=slim).items for slim in (False, True))

    assert all(image.renditions and image.exif for image in full)
    assert [(image.key, image.serial, image.uri) for image in slim] == [
        (image.key, image.serial, image.uri) for image in full
    ]
    assert all(image.uri and image.keywords is not None for image in slim)
    assert ["_filter=" in request.path for request in own_smugmug.requests] == [False, True]


def test_trap_22_links_may_be_objects_or_plain_text(client, album, faults):
    plain = client.images_page(album.key).items

    def as_objects(body):
        for raw in body["Response"]["AlbumImage"]:
            raw["Uris"] = {name: {"Uri": uri, "Locator": "x"} for name, uri in raw["Uris"].items()}

    faults.change("!images", as_objects)

    assert client.images_page(album.key).items == plain
    assert all(image.renditions and image.exif for image in plain)


def test_trap_23_an_address_kept_for_later_is_read_again_when_it_has_moved(own_account, own_smugmug, photo):
    sync_all(own_account)
    row = Photo.objects.get(image_key=photo.key)
    known = row.thumbnail_url
    replaced = own_smugmug.library.replace_photo(photo.key)
    row.image_id = f"{replaced.key}-{replaced.serial}"

    data = images.fetch(row, "thumb", client=oauth.connect(own_account))

    with Image.open(io.BytesIO(data)) as picture:
        assert max(picture.size) >= 450
    first, second = own_smugmug.downloads
    assert known.endswith(first.path)
    assert second.path != first.path


def test_trap_24_every_request_asks_for_json(writer, own_smugmug, album, photo, faults):
    writer.authenticated_user()
    writer.albums_page("demo")
    writer.album(album.key)
    writer.images_page(album.key)
    writer.change_image(uri_of(photo), {"Title": "New"})
    writer.add_keywords([uri_of(photo)], ["new"])

    assert {call.headers["accept"] for call in faults.calls} == {"application/json"}


def test_trap_25_pages_are_small_enough_for_smugmug_to_answer_in_time():
    with Sandbox(library=library(albums=1, photos=250)) as sandbox:
        sandbox.faults.largest_page = 200
        [album] = sandbox.library.albums
        client = connected(sandbox)

        found = all_pages(lambda start: client.images_page(album.key, start))

        assert keys_of(found) == keys_of(album.photos)
        assert len(sandbox.requests) == 3
        assert sandbox.faults.given == {}
    assert TIMEOUT[1] >= 60


def test_trap_26_an_email_address_is_no_nickname(client, own_smugmug):
    with pytest.raises(SmugMugGone) as caught:
        client.albums_page("ada@example.org")

    assert "not an e-mail address" in caught.value.advice
    assert own_smugmug.requests == []
    assert client.authenticated_user().nickname == "demo"


def test_sync_with_a_clock_that_is_off_says_so_and_leaves_the_account_connected(own_account, own_smugmug):
    own_smugmug.faults.clock_ahead = 840

    run = sync_all(own_account)

    own_account.refresh_from_db()
    assert (run.state, own_account.is_connected) == (RunState.FAILED, True)
    assert "clock is 14 minutes behind" in SyncRun.objects.get(pk=run.pk).waiting_for
    assert not Album.objects.exists()
