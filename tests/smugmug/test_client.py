import subprocess
import sys
import threading
import time

import django_rq
import pytest
import requests
import responses

from smugmug import wire as wire_module
from smugmug.client import (
    ATTEMPTS,
    ClockOff,
    Page,
    SmugMugClient,
    SmugMugGone,
    SmugMugLocked,
    SmugMugNonsense,
    SmugMugRefused,
    SmugMugUnavailable,
)
from smugmug.pacing import Pacer
from smugmug.sandbox import Sandbox, library
from smugmug.sandbox.messages import Reply, html_reply, json_reply, problem
from tests.smugmug.conftest import connected, keys_of

AUTH_USER = "/api/v2!authuser"


@pytest.fixture
def client(own_smugmug):
    return connected(own_smugmug)


@pytest.fixture
def photo(own_smugmug):
    """A photo whose serial is not 0."""
    return next(photo for album in own_smugmug.library.albums for photo in album.photos if photo.serial)


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
        client = connected(sandbox)
        pages = [client.albums_page("demo", start) for start in (1, 101, 201)]

        assert [(page.start, page.count, page.total, page.is_last) for page in pages] == [
            (1, 100, 205, False),
            (101, 100, 205, False),
            (201, 5, 205, True),
        ]
        assert keys_of(sum((page.items for page in pages), [])) == keys_of(sandbox.library.albums)
        assert len(sandbox.requests) == 3


def test_list_albums_of_an_empty_library_gives_none(client, own_smugmug):
    own_smugmug.library.albums.clear()

    assert client.albums_page("demo") == Page([], total=0, start=1, count=0, is_last=True)


def test_list_albums_beyond_the_end_gives_none(client, own_smugmug):
    page = client.albums_page("demo", 10**9)

    assert (page.items, page.count, page.is_last) == ([], 0, True)
    assert page.total == len(own_smugmug.library.albums)


def test_list_albums_of_an_unknown_nickname_is_gone(client):
    with pytest.raises(SmugMugGone):
        client.albums_page("nobody")


@pytest.mark.parametrize("nickname", ["", "a/b", "demo!albums", "demo?x=1", "..", "dém", "demo\n", "a" * 101])
def test_list_albums_of_what_is_no_nickname_is_gone_and_asks_nothing(client, nickname):
    with pytest.raises(SmugMugGone) as caught:
        client.albums_page(nickname)

    assert "nickname" in caught.value.advice
    assert client.requests_made == 0


@pytest.mark.parametrize("key", ["", "../user/demo", "AbC/def", "AbC,DeF", "AbC!images", "AbC?x", "ÄbC", "A" * 33])
def test_ask_for_what_is_no_key_is_gone_and_asks_nothing(client, key):
    for ask in (client.album, client.images_page, client.renditions):
        with pytest.raises(SmugMugGone) as caught:
            ask(key)
        assert "key" in caught.value.advice
    assert client.has_image(key) is False
    assert client.requests_made == 0


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
        client = connected(sandbox)
        pages = [client.images_page(album.key, start) for start in (1, 101, 201)]
        images = sum((page.items for page in pages), [])

        assert [(page.count, page.total, page.is_last) for page in pages] == [
            (100, 205, False),
            (100, 205, False),
            (5, 205, True),
        ]
        assert keys_of(images) == keys_of(album.photos)
        assert all(image.renditions and image.exif for image in images)
        assert ["_expand=" in request.path for request in sandbox.requests] == [True] * 3


def test_list_images_slim_brings_words_and_identity_only(client, own_smugmug):
    album = own_smugmug.library.albums[0]

    full, slim = client.images_page(album.key).items, client.images_page(album.key, slim=True).items

    words = ("key", "image_id", "filename", "title", "caption", "keywords", "is_hidden", "is_video", "origin",
             "updated_at", "uri", "is_processing")  # fmt: skip
    assert [[getattr(image, word) for word in words] for image in slim] == [
        [getattr(image, word) for word in words] for image in full
    ]
    assert all(image.exif == {} and image.renditions == () and image.width is None for image in slim)
    assert "_expand" not in own_smugmug.requests[-1].path


def test_list_images_of_an_empty_album_gives_none(client, own_smugmug):
    album = own_smugmug.library.albums[0]
    album.photos.clear()

    assert client.images_page(album.key) == Page([], total=0, start=1, count=0, is_last=True)


def test_list_images_shorter_than_counted_says_both(client, own_smugmug, faults):
    album = own_smugmug.library.albums[0]
    faults.change("!images", lambda body: body["Response"]["AlbumImage"].pop())

    page = client.images_page(album.key)

    assert (len(page.items), page.total) == (len(album.photos) - 1, len(album.photos))


@pytest.mark.parametrize(
    "response",
    [
        {"Locator": "AlbumImage"},
        {"Locator": "AlbumImage", "Pages": []},
        {"Locator": "AlbumImage", "Pages": {"Total": 1}},
        {"Locator": "AlbumImage", "Pages": {"Total": "many", "Count": 1}},
        {"Locator": "AlbumImage", "Pages": {"Total": 1, "Count": -1}},
        {"Locator": "AlbumImage", "Pages": {"Total": True, "Count": 1}},
        {"Locator": "AlbumImage", "AlbumImage": {}, "Pages": {"Total": 1, "Count": 1}},
        {"Locator": "AlbumImage", "AlbumImage": ["x"], "Pages": {"Total": 1, "Count": 1}},
        {"Locator": "AlbumImage", "AlbumImage": [{}], "Pages": {"Total": 1, "Count": 1}},
        {"Locator": "AlbumImage", "AlbumImage": [{"ImageKey": "../x"}], "Pages": {"Total": 1, "Count": 1}},
    ],
)
def test_list_images_of_the_wrong_shape_is_nonsense(client, faults, response):
    faults.reply("!images", json_reply(200, {"Response": response}))

    with pytest.raises(SmugMugNonsense):
        client.images_page("AbCdEf")


@pytest.mark.parametrize(
    "response", [{"Locator": [], "Pages": {"Total": 0, "Count": 0}}, {"Pages": {"Total": 0, "Count": 0}}]
)
def test_list_images_without_a_locator_is_empty(client, faults, response):
    faults.reply("!images", json_reply(200, {"Response": response}))

    assert client.images_page("AbCdEf").items == []


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


def test_retry_when_asked_to_wait_waits_that_long_and_signs_anew(client, own_smugmug, faults):
    faults.reply(AUTH_USER, problem(429, "Too Many Requests", headers={"Retry-After": "1"}), times=1)

    assert client.authenticated_user().nickname == "demo"

    assert client.requests_made == 2
    first, second = faults.calls
    assert first.headers["authorization"] != second.headers["authorization"]


def test_ask_that_waits_long_for_its_slot_is_signed_anew(client, faults, monkeypatch):
    """SmugMug refuses signatures that are minutes old."""
    signed, honest = [], client.wire._signed

    def sign(*request):
        signed.append(honest(*request))
        return signed[-1]

    monkeypatch.setattr(client.wire, "_signed", sign)
    monkeypatch.setattr(wire_module, "FRESH", 0.1)

    client.authenticated_user()
    assert len(signed) == 1
    client.wire.pacer.hold(0.3)
    client.authenticated_user()

    assert len(signed) == 3
    sent = signed[2].headers["Authorization"]
    assert faults.calls[-1].headers["authorization"] == (sent.decode() if isinstance(sent, bytes) else sent)


def test_retry_when_asked_to_wait_says_until_when(client, faults):
    faults.reply(AUTH_USER, problem(429, "", headers={"Retry-After": "1"}), times=1)
    thread, started = threading.Thread(target=client.authenticated_user), time.time()
    thread.start()
    while not (until := client.waiting_until) and time.time() < started + 5:
        time.sleep(0.01)
    thread.join()

    assert started + 1 <= until <= started + 2
    assert client.waiting_until is None


def test_retry_when_asked_to_wait_too_long_gives_up_at_once_and_holds_all(own_smugmug, faults):
    client, other = connected(own_smugmug, patience=10), connected(own_smugmug, patience=10)
    faults.reply(AUTH_USER, problem(429, "", headers={"Retry-After": "3000"}), times=1)
    started = time.monotonic()

    for each in (client, other):
        with pytest.raises(SmugMugUnavailable, match="budget") as caught:
            each.authenticated_user()
        assert 2990 < caught.value.retry_after <= 3000

    assert time.monotonic() - started < 5
    assert (client.requests_made, other.requests_made) == (1, 0)


def test_retry_when_asked_to_wait_is_no_failed_attempt(own_smugmug, faults, monkeypatch):
    client, pauses = connected(own_smugmug, attempts=1), []
    monkeypatch.setattr(client.wire.pacer, "hold", pauses.append)
    faults.reply(AUTH_USER, problem(429, "", headers={"Retry-After": "7"}), times=10)

    assert client.authenticated_user().nickname == "demo"
    assert pauses == [7] * 10


def test_retry_when_asked_to_wait_without_end_gives_up(client, faults, monkeypatch):
    monkeypatch.setattr(client.wire.pacer, "hold", lambda seconds: None)
    faults.reply(AUTH_USER, problem(429, "", headers={"Retry-After": "7"}))

    with pytest.raises(SmugMugUnavailable) as caught:
        client.authenticated_user()

    assert caught.value.retry_after == 7
    assert client.requests_made == 11


@pytest.mark.parametrize("retry_after", ["", "Wed, 21 Oct 2026 07:28:00 GMT", "-5", "1.5", "0", "٣", "9" * 30])
def test_retry_without_a_number_of_seconds_backs_off(client, faults, monkeypatch, retry_after):
    pauses = []
    monkeypatch.setattr(client.wire.pacer, "hold", pauses.append)
    raw = retry_after.encode().decode("latin-1")
    faults.reply(AUTH_USER, problem(429, "", headers={"Retry-After": raw}), times=1)

    client.authenticated_user()

    [pause] = pauses
    assert 0.5 <= pause <= 1


def test_retry_while_smugmug_is_down_backs_off_and_gives_up(client, faults, slept):
    faults.reply(AUTH_USER, Reply(503))

    with pytest.raises(SmugMugUnavailable, match="503"):
        client.authenticated_user()

    assert client.requests_made == ATTEMPTS == 6
    assert [low <= pause <= 2 * low for pause, low in zip(slept, (0.5, 1, 2, 4, 8), strict=True)] == [True] * 5
    assert len({round(pause / low, 6) for pause, low in zip(slept, (0.5, 1, 2, 4, 8), strict=True)}) > 1  # jitter


def test_retry_while_smugmug_is_down_for_long_gives_up_at_once(client, faults, slept):
    faults.reply(AUTH_USER, Reply(503, b"", {"Retry-After": "3000"}))

    with pytest.raises(SmugMugUnavailable) as caught:
        client.authenticated_user()

    assert (caught.value.retry_after, slept, client.requests_made) == (3000, [], 1)


def test_retry_says_until_when_it_backs_off(client, faults, monkeypatch, slept):
    faults.reply(AUTH_USER, Reply(503), times=1)
    until = []
    monkeypatch.setattr(wire_module.time, "sleep", lambda _: until.append(client.waiting_until))
    monkeypatch.setattr(wire_module.time, "time", lambda: 1000.0)

    client.authenticated_user()

    assert 1000.5 <= until[0] <= 1001
    assert client.waiting_until is None


def test_retry_after_a_used_nonce_succeeds_without_a_pause(client, faults, slept):
    faults.reply(AUTH_USER, problem(401, "oauth_problem=nonce_used"), times=3)

    assert client.authenticated_user().nickname == "demo"

    assert slept == []
    assert len({call.headers["authorization"] for call in faults.calls}) == 4


def test_retry_after_used_nonces_without_end_gives_up(client, faults, slept):
    faults.reply(AUTH_USER, problem(401, "oauth_problem=nonce_used"))

    with pytest.raises(SmugMugUnavailable, match="nonce_used"):
        client.authenticated_user()
    assert client.requests_made == 4


@pytest.mark.parametrize(
    ("reply", "exception"),
    [
        (problem(401, "oauth_problem=token_rejected"), SmugMugRefused),
        (problem(401, "oauth_problem=signature_invalid"), SmugMugRefused),
        (html_reply(401, "<h1>No</h1>"), SmugMugRefused),
        (html_reply(403, "<h1>Forbidden</h1>"), SmugMugLocked),
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


def bare_client(api_url):
    return SmugMugClient(
        new_session=requests.Session, api_url=api_url, pacer=Pacer(django_rq.get_connection("smugmug"), 1000)
    )


def test_ask_where_nobody_listens_is_unavailable_and_names_no_address(slept):
    client = bare_client("http://127.0.0.1:9")

    with pytest.raises(SmugMugUnavailable) as caught:
        client.authenticated_user()

    assert str(caught.value) == "no answer: ConnectionError"
    assert client.requests_made == ATTEMPTS


def test_ask_without_an_answer_in_time_is_asked_again(slept):
    client = bare_client("https://api.smugmug.com")
    answer = {"Response": {"Locator": "User", "User": {"NickName": "ansel"}}}
    with responses.RequestsMock() as mock:
        mock.get(f"https://api.smugmug.com{AUTH_USER}", body=requests.ReadTimeout())
        mock.get(f"https://api.smugmug.com{AUTH_USER}", json=answer)

        assert client.authenticated_user().nickname == "ansel"
        assert [call.request.headers["Accept"] for call in mock.calls] == ["application/json"] * 2
    assert len(slept) == 1


# --- A clock that is off


@pytest.mark.parametrize(
    ("their_lead", "sentence"),
    [(840, "This machine's clock is 14 minutes behind SmugMug's."), (-7200, "is 120 minutes ahead of SmugMug's.")],
)
def test_ask_with_a_clock_that_is_off_says_how_far(client, own_smugmug, slept, their_lead, sentence):
    own_smugmug.faults.clock_ahead = their_lead

    with pytest.raises(ClockOff) as caught:
        client.authenticated_user()

    assert sentence in caught.value.advice
    assert "Set it, then try again." in caught.value.advice
    assert isinstance(caught.value, SmugMugRefused)
    assert client.requests_made == 1


def test_ask_with_a_signature_refused_for_the_clock_says_how_far(client, own_smugmug, faults):
    own_smugmug.faults.clock_ahead = 840
    faults.reply(AUTH_USER, problem(401, "oauth_problem=signature_invalid"))

    with pytest.raises(ClockOff, match=r"off by -8(39|40) s"):
        client.authenticated_user()


@pytest.mark.parametrize("message", ["oauth_problem=token_rejected", "oauth_problem=consumer_key_unknown", ""])
def test_ask_refused_for_another_reason_says_nothing_of_the_clock(client, own_smugmug, faults, message):
    own_smugmug.faults.clock_ahead = 840
    faults.reply(AUTH_USER, problem(401, message))

    with pytest.raises(SmugMugRefused) as caught:
        client.authenticated_user()

    assert type(caught.value) is SmugMugRefused
    assert "clock" not in caught.value.advice


def test_ask_with_a_clock_a_little_off_is_answered(client, own_smugmug):
    own_smugmug.faults.clock_ahead = 200

    assert client.authenticated_user().nickname == "demo"


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_ask_refused_without_a_date_says_nothing_of_the_clock(slept, date):
    client = bare_client("https://api.smugmug.com")
    with responses.RequestsMock() as mock:
        body = {"Code": 401, "Message": "oauth_problem=signature_invalid"}
        mock.get(f"https://api.smugmug.com{AUTH_USER}", status=401, json=body, headers={"Date": date})

        with pytest.raises(SmugMugRefused) as caught:
            client.authenticated_user()

    assert type(caught.value) is SmugMugRefused


# --- Pacing and threads


def test_ask_takes_a_slot_before_every_attempt(own_smugmug, faults, slept, monkeypatch):
    client, waits = connected(own_smugmug, patience=7), []
    monkeypatch.setattr(client.wire.pacer, "wait", lambda patience: waits.append((patience, len(faults.calls))) or True)
    faults.reply(AUTH_USER, Reply(503), times=2)

    client.authenticated_user()

    assert waits == [(7, 0), (7, 1), (7, 2)]


def test_ask_where_the_budget_is_used_up_is_refused_and_sends_nothing(own_smugmug):
    pacer = Pacer(django_rq.get_connection("smugmug"), 0.01)
    pacer.wait()
    client = connected(own_smugmug, pacer=pacer, attempts=1, patience=10)
    started = time.monotonic()

    with pytest.raises(SmugMugUnavailable, match="budget") as caught:
        client.authenticated_user()

    assert time.monotonic() - started < 5
    assert 90 < caught.value.retry_after < 102
    assert "budget" in caught.value.advice
    assert (client.requests_made, own_smugmug.requests) == (0, [])


def test_ask_from_many_threads_opens_a_session_for_each(own_smugmug):
    client = connected(own_smugmug)
    made, new_session, barrier = [], client.wire.new_session, threading.Barrier(3)
    client.wire.new_session = lambda: made.append(threading.get_ident()) or new_session()

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


def test_close_gives_every_threads_connections_back(own_smugmug):
    client, closed = connected(own_smugmug), []
    client.authenticated_user()
    thread = threading.Thread(target=client.authenticated_user)
    thread.start()
    thread.join()
    for session in client.wire._sessions:
        session.close = lambda session=session: closed.append(session)

    client.close()
    client.close()

    assert len(closed) == len(set(closed)) == 2
    assert client.authenticated_user().nickname == "demo"


@pytest.mark.parametrize("module", ["client", "errors", "pacing", "records", "wire", "writing"])
def test_import_without_django_needs_none(module):
    code = f"import smugmug.{module}, sys; sys.exit('django' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
