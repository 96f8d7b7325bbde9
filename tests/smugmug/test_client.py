import subprocess
import sys
import threading

import pytest
import requests
import responses

from smugmug import client as client_module
from smugmug.client import (
    ATTEMPTS,
    SmugMugClient,
    SmugMugForbidden,
    SmugMugGone,
    SmugMugNonsense,
    SmugMugRefused,
    SmugMugUnavailable,
)
from smugmug.sandbox import Sandbox, library
from smugmug.sandbox.messages import Reply, html_reply, json_reply, problem
from tests.smugmug.conftest import connected

AUTH_USER = "/api/v2!authuser"


@pytest.fixture
def client(own_smugmug):
    return connected(own_smugmug)


@pytest.fixture
def photo(own_smugmug):
    """A photo whose serial is not 0."""
    return next(photo for album in own_smugmug.library.albums for photo in album.photos if photo.serial)


def keys_of(things):
    return [thing.key for thing in things]


# --- What it says


def test_authenticated_user_of_a_good_token_is_named(client, own_smugmug):
    user = client.authenticated_user()

    assert (user.nickname, user.name, user.web_url) == ("demo", "Demo Photographer", own_smugmug.url)


def test_authenticated_user_of_a_revoked_token_is_refused(client, own_smugmug, slept):
    own_smugmug.revoke()

    with pytest.raises(SmugMugRefused, match="401"):
        client.authenticated_user()
    assert slept == []
    assert client.requests_made == 1


@pytest.mark.parametrize("user", [{}, {"User": {}}, {"User": {"NickName": ""}}, {"User": []}])
def test_authenticated_user_of_nobody_is_refused(client, faults, user):
    faults.reply(AUTH_USER, json_reply(200, {"Response": {"Locator": "User", **user}}))

    with pytest.raises(SmugMugRefused, match="no user"):
        client.authenticated_user()


def test_list_albums_of_several_pages_gives_each_once():
    with Sandbox(library=library(albums=205, photos=0)) as sandbox:
        pages = list(connected(sandbox).albums("demo"))

        assert [len(page) for page in pages] == [100, 100, 5]
        assert keys_of(sum(pages, [])) == keys_of(sandbox.library.albums)
        assert len(sandbox.requests) == 3


def test_list_albums_of_an_empty_library_gives_none(client, own_smugmug):
    own_smugmug.library.albums.clear()

    assert list(client.albums("demo")) == [[]]


def test_list_albums_of_an_unknown_nickname_is_gone(client):
    with pytest.raises(SmugMugGone):
        list(client.albums("nobody"))


def test_read_album_gives_it_and_an_unknown_one_is_gone(client, own_smugmug):
    album = own_smugmug.library.albums[0]

    assert client.album(album.key).title == album.name
    with pytest.raises(SmugMugGone):
        client.album("XXXXXX")


def test_read_album_without_a_body_is_nonsense(client, own_smugmug, faults):
    faults.reply("/api/v2/album/", json_reply(200, {"Response": {"Locator": "Album"}}))

    with pytest.raises(SmugMugNonsense):
        client.album(own_smugmug.library.albums[0].key)


def test_list_images_of_several_pages_expands_every_page():
    with Sandbox(library=library(albums=1, photos=205)) as sandbox:
        [album] = sandbox.library.albums
        pages = list(connected(sandbox).images(album.key))
        images = sum(pages, [])

        assert [len(page) for page in pages] == [100, 100, 5]
        assert keys_of(images) == keys_of(album.photos)
        assert all(image.renditions and image.exif for image in images)
        assert ["_expand=" in request.path for request in sandbox.requests] == [True] * 3


def test_list_images_of_an_empty_album_gives_none(client, own_smugmug):
    album = own_smugmug.library.albums[0]
    album.photos.clear()

    assert list(client.images(album.key)) == [[]]


def test_list_images_that_shift_while_paging_gives_none_twice_and_is_nonsense(client, own_smugmug, monkeypatch):
    monkeypatch.setattr(client_module, "IMAGES_A_PAGE", 3)
    album = own_smugmug.library.albums[0]
    before, seen = keys_of(album.photos), []

    pages = client.images(album.key)
    seen += keys_of(next(pages))
    album.photos.insert(0, own_smugmug.library.albums[1].photos[0])
    with pytest.raises(SmugMugNonsense, match="images were listed"):
        seen.extend(key for page in pages for key in keys_of(page))

    assert seen == before


def test_list_images_shorter_than_promised_is_nonsense(client, own_smugmug, faults):
    album = own_smugmug.library.albums[0]
    faults.change("!images", lambda body: body["Response"]["AlbumImage"].pop())

    with pytest.raises(SmugMugNonsense, match=f"{len(album.photos) - 1} of {len(album.photos)} images"):
        list(client.images(album.key))


def test_has_image_says_no_only_on_a_clear_no(client, own_smugmug, photo, faults, slept):
    image_id = f"{photo.key}-{photo.serial}"

    assert client.has_image(image_id) is True
    assert client.has_image("XXXXXXX-0") is False
    faults.reply("/api/v2/image/", Reply(500))
    with pytest.raises(SmugMugUnavailable):
        client.has_image(image_id)
    own_smugmug.revoke()
    faults.clear()
    with pytest.raises(SmugMugRefused):
        client.has_image(image_id)


def test_list_renditions_gives_them_by_size(client, photo):
    found = client.renditions(f"{photo.key}-{photo.serial}")

    sides = [rendition.long_side for rendition in found]
    assert sides == sorted(sides)
    assert sides[-1] == max(photo.width, photo.height)


# --- Redirects


def test_ask_for_an_old_serial_follows_signed_anew(client, own_smugmug, photo):
    assert client.has_image(f"{photo.key}-0") is True

    assert [request.path.partition("?")[0] for request in own_smugmug.requests] == [
        f"/api/v2/image/{photo.key}-0",
        f"/api/v2/image/{photo.key}-{photo.serial}",
    ]
    assert client.requests_made == 2


def test_redirect_to_another_host_is_not_followed(client, own_smugmug, faults):
    with Sandbox() as elsewhere:
        faults.reply(AUTH_USER, Reply(302, b"", {"Location": f"{elsewhere.url}{AUTH_USER}"}))

        with pytest.raises(SmugMugNonsense, match="another host"):
            client.authenticated_user()
        assert elsewhere.requests == []


def test_redirect_without_end_is_nonsense(client, faults):
    faults.reply(AUTH_USER, Reply(301, b"", {"Location": AUTH_USER}))

    with pytest.raises(SmugMugNonsense, match="without end"):
        client.authenticated_user()
    assert client.requests_made == 3


# --- Trouble


def test_retry_when_asked_to_wait_waits_that_long_and_signs_anew(client, faults, slept):
    faults.reply(AUTH_USER, problem(429, "Too Many Requests", headers={"Retry-After": "7"}), times=1)

    assert client.authenticated_user().nickname == "demo"

    assert slept == [7]
    assert client.requests_made == 2
    first, second = (call.headers["authorization"] for call in faults.calls)
    assert first != second


def test_retry_when_asked_to_wait_says_until_when(client, faults, slept, monkeypatch):
    faults.reply(AUTH_USER, problem(429, "", headers={"Retry-After": "7"}), times=1)
    until = []
    monkeypatch.setattr(client_module.time, "sleep", lambda _: until.append(client.waiting_until))
    monkeypatch.setattr(client_module.time, "time", lambda: 1000.0)

    client.authenticated_user()

    assert until == [1007.0]
    assert client.waiting_until is None


def test_retry_when_asked_to_wait_too_long_gives_up_at_once(client, faults, slept):
    faults.reply(AUTH_USER, problem(429, "", headers={"Retry-After": "3000"}))

    with pytest.raises(SmugMugUnavailable) as caught:
        client.authenticated_user()

    assert caught.value.retry_after == 3000
    assert (slept, client.requests_made) == ([], 1)


@pytest.mark.parametrize("retry_after", ["", "Wed, 21 Oct 2026 07:28:00 GMT", "-5", "1.5"])
def test_retry_without_a_number_of_seconds_backs_off(client, faults, slept, retry_after):
    faults.reply(AUTH_USER, problem(429, "", headers={"Retry-After": retry_after}), times=1)

    client.authenticated_user()

    [pause] = slept
    assert 0.5 <= pause <= 1


def test_retry_while_smugmug_is_down_backs_off_and_gives_up(client, faults, slept):
    faults.reply(AUTH_USER, Reply(503))

    with pytest.raises(SmugMugUnavailable, match="503"):
        client.authenticated_user()

    assert client.requests_made == ATTEMPTS == 5
    assert [low <= pause <= 2 * low for pause, low in zip(slept, (0.5, 1, 2, 4), strict=True)] == [True] * 4


def test_retry_after_a_used_nonce_succeeds_without_a_pause(client, faults, slept):
    faults.reply(AUTH_USER, problem(401, "oauth_problem=nonce_used"), times=1)

    assert client.authenticated_user().nickname == "demo"
    assert slept == [0]


@pytest.mark.parametrize(
    ("reply", "exception"),
    [
        (problem(401, "oauth_problem=token_rejected"), SmugMugRefused),
        (html_reply(401, "<h1>No</h1>"), SmugMugRefused),
        (html_reply(403, "<h1>Forbidden</h1>"), SmugMugForbidden),
        (problem(404, "Not Found"), SmugMugGone),
        (html_reply(404, "<h1>Not Found</h1>"), SmugMugGone),
        (problem(410, "Gone"), SmugMugGone),
        (html_reply(200, "<h1>Hello</h1>"), SmugMugNonsense),
        (Reply(200), SmugMugNonsense),
        (json_reply(200, []), SmugMugNonsense),
        (json_reply(200, {"Code": 200}), SmugMugNonsense),
        (json_reply(200, {"Response": []}), SmugMugNonsense),
        (Reply(200, b"\xff\xfe{", {"Content-Type": "application/json"}), SmugMugNonsense),
        (problem(400, "Bad Request"), SmugMugNonsense),
        (problem(405, "Method Not Allowed"), SmugMugNonsense),
    ],
)
def test_ask_with_a_bad_answer_raises_what_it_means_and_asks_once(client, faults, slept, reply, exception):
    faults.reply("/api/v2/album/", reply)

    with pytest.raises(exception) as caught:
        client.album("AbCdEf")

    assert type(caught.value) is exception
    assert caught.value.advice.endswith(".")
    assert (slept, client.requests_made) == ([], 1)


def test_ask_where_nobody_listens_is_unavailable_and_names_no_address(slept):
    client = SmugMugClient(new_session=requests.Session, api_url="http://127.0.0.1:9")

    with pytest.raises(SmugMugUnavailable) as caught:
        client.authenticated_user()

    assert str(caught.value) == "no answer: ConnectionError"
    assert client.requests_made == ATTEMPTS


def test_ask_without_an_answer_in_time_is_asked_again(slept):
    client = SmugMugClient(new_session=requests.Session, api_url="https://api.smugmug.com")
    answer = {"Response": {"Locator": "User", "User": {"NickName": "ansel"}}}
    with responses.RequestsMock() as mock:
        mock.get(f"https://api.smugmug.com{AUTH_USER}", body=requests.ReadTimeout())
        mock.get(f"https://api.smugmug.com{AUTH_USER}", json=answer)

        assert client.authenticated_user().nickname == "ansel"
        assert [call.request.headers["Accept"] for call in mock.calls] == ["application/json"] * 2
    assert len(slept) == 1


# --- Pacing and threads


def test_ask_waits_for_its_slot_before_every_attempt(own_smugmug, faults, slept):
    waits = []
    client = connected(own_smugmug, wait=lambda: waits.append(len(faults.calls)))
    faults.reply(AUTH_USER, Reply(503), times=2)

    client.authenticated_user()

    assert waits == [0, 1, 2]


def test_ask_from_many_threads_opens_a_session_for_each(own_smugmug):
    client = connected(own_smugmug)
    made, new_session, barrier = [], client.new_session, threading.Barrier(3)
    client.new_session = lambda: made.append(threading.get_ident()) or new_session()

    def work():
        barrier.wait()
        for _ in range(4):
            client.authenticated_user()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(made)) == len(made) == 3
    assert client.requests_made == len(own_smugmug.requests) == 12


def test_import_client_and_records_needs_no_django():
    code = "import smugmug.client, smugmug.records, sys; sys.exit('django' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
