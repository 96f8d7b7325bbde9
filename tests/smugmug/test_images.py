import base64
import io
import json
import logging
import os
import time

import pytest
import time_machine
from django.core import signing
from django.core.cache import cache
from django.db import connection
from django.test import Client
from PIL import Image

from smugmug import images, jobs, oauth
from smugmug.client import SmugMugGone, SmugMugUnavailable
from smugmug.models import Photo
from smugmug.sandbox.messages import Reply, html_reply
from tests.factories import PhotoFactory
from tests.smugmug.conftest import sync_all

DAY = images.DAY


def token_of(address):
    return address.rpartition("/")[2]


def forged(content, salt=images.SALT):
    return f"/images/{signing.Signer(salt=salt).sign_object(content)}"


@pytest.fixture
def photo(own_account):
    """A photo of ada's, mirrored from the test's own stand-in."""
    sync_all(own_account)
    return Photo.objects.order_by("image_key").first()


@pytest.fixture
def foreign_photo(ada):
    """A photo that is not ada's."""
    return PhotoFactory()


def size_of(data):
    with Image.open(io.BytesIO(data)) as picture:
        return picture.size


# --- Addresses


def test_address_has_no_word_of_smugmugs_in_it(photo):
    for size in images.SIZES:
        address = images.address(photo, size)

        assert address.startswith("/images/")
        payload = token_of(address).partition(":")[0]
        content = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()
        for text in (address, content):
            assert "://" not in text
            assert "127.0.0.1" not in text
            assert "photos" not in text
            assert photo.filename not in text
        photo_id, named_size, expiry, serial = json.loads(content)
        assert (photo_id, named_size, serial) == (photo.pk.hex, size, photo.image_id)


def test_address_is_the_same_all_day_and_another_for_a_replaced_picture(photo):
    with time_machine.travel(20_000 * DAY + 60, tick=False) as clock:
        address = images.address(photo, "thumb")
        clock.move_to(20_001 * DAY - 60)
        assert images.address(photo, "thumb") == address
        clock.move_to(20_001 * DAY + 60)
        assert images.address(photo, "thumb") != address
        clock.move_to(20_000 * DAY + 60)
        photo.image_id = f"{photo.image_key}-9"
        assert images.address(photo, "thumb") != address


def test_read_address_within_its_week_gives_photo_and_size(photo):
    with time_machine.travel(20_000 * DAY + 60, tick=False) as clock:
        token = token_of(images.address(photo, "large"))
        clock.shift(images.LIFE_DAYS * DAY)
        assert images.read_address(token) == (photo.pk, "large")
        clock.shift(DAY)
        with pytest.raises(images.BadAddress):
            images.read_address(token)


# --- Who gets what


def test_get_image_as_member_is_a_private_jpeg(photo, owner_client):
    response = owner_client.get(images.address(photo, "thumb"))

    assert (response.status_code, response["Content-Type"]) == (200, "image/jpeg")
    assert response["Cache-Control"] == "private, max-age=86400, immutable"
    assert max(size_of(response.content)) >= 450 or max(size_of(response.content)) == photo.long_side


@pytest.mark.django_db(transaction=True)
def test_get_image_outside_of_any_transaction_holds_no_connection_while_smugmug_answers(
    photo, owner_client, monkeypatch
):
    held, fetch = [], images.fetch

    def watched(*args, **options):
        held.append(connection.connection)
        return fetch(*args, **options)

    monkeypatch.setattr(images, "fetch", watched)

    response = owner_client.get(images.address(photo, "thumb"))

    assert response["Content-Type"] == "image/jpeg"
    assert held == [None]


def test_get_image_sizes_differ(own_account, own_smugmug, owner_client):
    sync_all(own_account)
    photo = max(Photo.objects.all(), key=lambda photo: min(photo.width, photo.height))

    thumb, large = (owner_client.get(images.address(photo, size)).content for size in ("thumb", "large"))

    assert 450 <= max(size_of(thumb)) < max(size_of(large))
    assert max(size_of(large)) >= 1024


def test_get_image_signed_out_asks_to_sign_in(photo, own_smugmug):
    response = Client().get(images.address(photo, "thumb"))

    assert response.status_code == 302
    assert own_smugmug.downloads == []


def test_get_image_as_stranger_is_not_found(photo, stranger_client, own_smugmug):
    assert stranger_client.get(images.address(photo, "thumb")).status_code == 404
    assert own_smugmug.downloads == []


def test_get_image_of_a_foreign_library_is_not_found(foreign_photo, owner_client):
    assert owner_client.get(images.address(foreign_photo, "thumb")).status_code == 404


def test_get_image_of_a_gone_photo_is_not_found(photo, owner_client):
    address = images.address(photo, "thumb")
    photo.delete()

    assert owner_client.get(address).status_code == 404


def test_get_image_with_a_bad_address_is_not_found(photo, owner_client, own_smugmug, settings):
    good = images.address(photo, "thumb")
    days = int(time.time()) // DAY
    bad = {
        "expired": forged([photo.pk.hex, "thumb", days - 1, photo.image_id]),
        "wrong size": forged([photo.pk.hex, "huge", days + 3, photo.image_id]),
        "wrong salt": forged([photo.pk.hex, "thumb", days + 3, photo.image_id], salt="other"),
        "no uuid": forged(["x", "thumb", days + 3, photo.image_id]),
        "text for a day": forged([photo.pk.hex, "thumb", "soon", photo.image_id]),
        "too few parts": forged([photo.pk.hex, "thumb"]),
        "no list": forged("photo"),
        "size is a list": forged([photo.pk.hex, ["thumb"], days + 3, photo.image_id]),
        "cut": good[:-1],
        "changed": good.replace(token_of(good)[:3], "abc"),
        "no signature": good.rpartition(":")[0],
        "not ours": "/images/hello",
        "odd letters": "/images/%F0%9F%90%88:%00",
    }

    statuses = {what: owner_client.get(address).status_code for what, address in bad.items()}

    assert statuses == dict.fromkeys(bad, 404)
    assert own_smugmug.downloads == []
    settings.SECRET_KEY = "another installation's"
    assert owner_client.get(good).status_code in {302, 404}


# --- The disk


def test_get_image_twice_fetches_once(photo, owner_client, own_smugmug):
    address = images.address(photo, "thumb")

    first, second = owner_client.get(address), owner_client.get(address)

    assert first.content == second.content
    assert second["Content-Type"] == "image/jpeg"
    assert len(own_smugmug.downloads) == 1


def test_get_image_after_it_was_replaced_fetches_anew(photo, owner_client, own_account, own_smugmug):
    owner_client.get(images.address(photo, "thumb"))
    own_smugmug.library.home(photo.image_key)[1].serial += 1
    sync_all(own_account)
    photo.refresh_from_db()

    owner_client.get(images.address(photo, "thumb"))

    assert len(own_smugmug.downloads) == 2


def test_fetch_keeps_no_half_written_file(photo, own_account, settings):
    data = images.fetch(photo, "thumb", client=oauth.connect(own_account))

    [path] = [path for path in (settings.DATA_DIR / "images").rglob("*") if path.is_file()]
    assert path.suffix == ".jpg"
    assert path.read_bytes() == data == images.on_disk(photo, "thumb")
    assert images.on_disk(photo, "large") is None


def test_fetch_with_a_disk_that_takes_nothing_still_gives_the_picture(photo, own_account, settings, caplog):
    (settings.DATA_DIR / "images").mkdir(parents=True)
    (settings.DATA_DIR / "images" / photo.pk.hex[:2]).write_text("in the way")

    data = images.fetch(photo, "thumb", client=oauth.connect(own_account))

    assert data.startswith(b"\xff\xd8")
    assert images.on_disk(photo, "thumb") is None
    assert "could not be kept on disk" in caplog.text


def make_files(settings, ages, size=1000):
    """Files of `size` bytes that were used so many days ago."""
    folder = settings.DATA_DIR / "images" / "aa"
    folder.mkdir(parents=True, exist_ok=True)
    for age in ages:
        path = folder / f"{age}.jpg"
        path.write_bytes(b"x" * size)
        os.utime(path, (time.time() - age * DAY,) * 2)
    return folder


def test_trim_below_the_limit_deletes_nothing(settings):
    folder = make_files(settings, [1, 2, 3])

    assert images.trim(3000) == 0
    assert len(list(folder.iterdir())) == 3


def test_trim_above_the_limit_deletes_those_used_longest_ago(settings):
    folder = make_files(settings, [1, 4, 2, 3])

    assert images.trim(3500) == 1
    assert sorted(path.stem for path in folder.iterdir()) == ["1", "2", "3"]
    assert images.trim(2500) == 1
    assert sorted(path.stem for path in folder.iterdir()) == ["1", "2"]


def test_trim_without_any_picture_deletes_nothing():
    assert images.trim(0) == 0


def test_trim_job_keeps_to_the_setting(settings):
    settings.IMAGE_CACHE_MB = 1
    folder = make_files(settings, [1, 2, 3], size=400_000)

    jobs.trim_images()

    assert sorted(path.stem for path in folder.iterdir()) == ["1", "2"]


def test_read_picture_from_disk_makes_it_young_again(photo, settings):
    images._keep(images._path(photo, "thumb"), b"jpeg")
    old = time.time() - 3 * DAY
    os.utime(images._path(photo, "thumb"), (old, old))

    assert images.on_disk(photo, "thumb") == b"jpeg"

    assert time.time() - images._path(photo, "thumb").stat().st_mtime < DAY


# --- What SmugMug may do


@pytest.mark.parametrize("status", [401, 403, 404])
def test_fetch_after_the_address_moved_reads_it_again(photo, own_account, own_smugmug, faults, status):
    stale = f"{own_smugmug.url}/photos/i-stale/0/x/M/x-M.jpg"
    faults.reply("i-stale", html_reply(status, "<h1>No</h1>"))
    photo.thumbnail_url = stale

    data = images.fetch(photo, "thumb", client=oauth.connect(own_account))

    assert data.startswith(b"\xff\xd8")
    assert max(size_of(data)) == photo.long_side or max(size_of(data)) >= 450
    assert any(f"{photo.image_id}!sizedetails" in request.path for request in own_smugmug.requests)


def test_fetch_without_a_known_address_asks_for_it(photo, own_account):
    photo.large_url = ""

    assert images.fetch(photo, "large", client=oauth.connect(own_account)).startswith(b"\xff\xd8")


def asked_for_sizes(sandbox):
    return sum("!sizedetails" in request.path for request in sandbox.requests)


def test_fetch_of_both_sizes_after_the_address_moved_asks_once_an_hour(photo, own_account, own_smugmug, settings):
    photo.thumbnail_url = photo.large_url = ""
    client = oauth.connect(own_account)

    thumb, large = (images.fetch(photo, size, client=client) for size in ("thumb", "large"))

    assert max(size_of(thumb)) < max(size_of(large))
    assert asked_for_sizes(own_smugmug) == 1
    settings.SMUGMUG_CACHE_SECONDS = 1
    cache.clear()
    images.fetch(photo, "thumb", client=client)
    time.sleep(1.1)
    images.fetch(photo, "thumb", client=client)
    assert asked_for_sizes(own_smugmug) == 3


def test_fetch_without_a_cache_asks_every_time(photo, own_account, own_smugmug, settings):
    settings.SMUGMUG_CACHE_SECONDS = 0
    photo.thumbnail_url = ""

    for _ in range(2):
        images.fetch(photo, "thumb", client=oauth.connect(own_account))

    assert asked_for_sizes(own_smugmug) == 2


def test_fetch_of_a_replaced_picture_does_not_believe_what_was_said_of_the_old(photo, own_account, own_smugmug):
    photo.thumbnail_url = ""
    images.fetch(photo, "thumb", client=oauth.connect(own_account))
    replaced = own_smugmug.library.replace_photo(photo.image_key)
    photo.image_id = f"{replaced.key}-{replaced.serial}"

    images.fetch(photo, "thumb", client=oauth.connect(own_account))

    assert asked_for_sizes(own_smugmug) == 2
    assert f"/i-{replaced.key}/{replaced.serial}/" in own_smugmug.downloads[-1].path


@pytest.mark.parametrize("status", [401, 403, 404])
def test_fetch_with_a_cached_address_that_moved_asks_anew_once(photo, own_account, own_smugmug, faults, status):
    photo.thumbnail_url = ""
    client = oauth.connect(own_account)
    images.fetch(photo, "thumb", client=client)
    faults.reply("/photos/", html_reply(status, "<h1>No</h1>"), times=1)

    assert images.fetch(photo, "thumb", client=client).startswith(b"\xff\xd8")
    assert asked_for_sizes(own_smugmug) == 2

    faults.reply("/photos/", html_reply(status, "<h1>No</h1>"))
    with pytest.raises(SmugMugGone):
        images.fetch(photo, "thumb", client=client)
    assert asked_for_sizes(own_smugmug) == 3


def test_fetch_of_a_picture_that_has_no_sizes_yet_asks_again_next_time(photo, own_account, own_smugmug):
    photo.thumbnail_url = ""
    own_smugmug.library.edit_photo(photo.image_key, is_unprocessed=True)
    with pytest.raises(SmugMugGone):
        images.fetch(photo, "thumb", client=oauth.connect(own_account))
    own_smugmug.library.edit_photo(photo.image_key, is_unprocessed=False)

    assert images.fetch(photo, "thumb", client=oauth.connect(own_account)).startswith(b"\xff\xd8")


def test_sync_never_believes_what_pages_have_cached(photo, own_account, own_smugmug, faults):
    """The sizes that a sync keeps come from SmugMug, though a page has asked for them within the hour."""
    address = photo.thumbnail_url
    photo.thumbnail_url = ""
    images.fetch(photo, "thumb", client=oauth.connect(own_account))
    Photo.objects.update(thumbnail_url="")
    album = own_smugmug.library.home(photo.image_key)[0]
    own_smugmug.library.edit_album(album.key, name="Renamed")

    sync_all(own_account)

    photo.refresh_from_db()
    assert photo.thumbnail_url not in {"", address}


def test_fetch_of_a_picture_that_is_gone_says_so_and_keeps_nothing(photo, own_account, own_smugmug):
    own_smugmug.library.albums.clear()

    with pytest.raises(SmugMugGone):
        images.fetch(photo, "thumb", client=oauth.connect(own_account))
    assert images.on_disk(photo, "thumb") is None


def test_fetch_of_a_picture_without_any_size_says_so(photo, own_account, faults):
    photo.thumbnail_url = ""
    faults.change("!sizedetails", lambda body: body["Response"]["ImageSizeDetails"].update(UsableSizes=[]))

    with pytest.raises(SmugMugGone):
        images.fetch(photo, "thumb", client=oauth.connect(own_account))


def test_fetch_while_smugmug_is_down_does_not_ask_for_another_address(photo, own_account, own_smugmug, faults):
    faults.reply("/photos/", Reply(503))

    with pytest.raises(SmugMugUnavailable):
        images.fetch(photo, "thumb", client=oauth.connect(own_account))
    assert not any("!sizedetails" in request.path for request in own_smugmug.requests)


@pytest.mark.parametrize(("is_video", "text"), [(False, "Not available from SmugMug"), (True, "Video")])
def test_get_image_that_cannot_be_had_is_drawn_and_not_kept(photo, own_smugmug, owner_client, is_video, text):
    own_smugmug.revoke()
    Photo.objects.filter(pk=photo.pk).update(is_video=is_video, thumbnail_url="")

    response = owner_client.get(images.address(photo, "thumb"))

    assert (response.status_code, response["Content-Type"]) == (200, "image/svg+xml")
    assert response["Cache-Control"] == "no-store"
    assert text in response.text
    assert images.on_disk(photo, "thumb") is None


def test_get_image_without_an_api_key_is_drawn(photo, owner_client, settings):
    settings.SMUGMUG_API_KEY = ""

    assert owner_client.get(images.address(photo, "thumb"))["Content-Type"] == "image/svg+xml"


def test_get_image_of_a_library_whose_tokens_cannot_be_read_is_drawn_and_asks_nothing(
    photo, own_smugmug, owner_client, lose_keys
):
    lose_keys()
    before = len(own_smugmug.requests)

    assert owner_client.get(images.address(photo, "thumb"))["Content-Type"] == "image/svg+xml"
    assert len(own_smugmug.requests) == before


def test_get_image_that_cannot_be_had_logs_no_address(photo, own_smugmug, owner_client, faults, caplog):
    caplog.set_level(logging.INFO)
    faults.reply("/photos/", Reply(503))

    owner_client.get(images.address(photo, "thumb"))

    assert str(photo.pk) in caplog.text
    assert photo.thumbnail_url not in caplog.text
