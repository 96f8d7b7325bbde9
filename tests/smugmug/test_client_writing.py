import pytest
import requests
from requests_oauthlib import OAuth1

from smugmug.client import (
    SmugMugClient,
    SmugMugGone,
    SmugMugLocked,
    SmugMugNonsense,
    SmugMugNotGranted,
    SmugMugUnavailable,
    SmugMugUnchanged,
    Wording,
)
from smugmug.sandbox.messages import Reply, problem
from tests.smugmug.conftest import connected


def may(sandbox, permissions):
    """A client with a token of these permissions."""
    client = connected(sandbox)
    token, secret = sandbox.grant("Full", permissions)

    def new_session():
        session = requests.Session()
        session.trust_env = False
        session.auth = OAuth1(sandbox.api_key, sandbox.api_secret, token, secret)
        return session

    return SmugMugClient(new_session=new_session, api_url=sandbox.url, pacer=client.wire.pacer)


@pytest.fixture
def client(own_smugmug):
    return may(own_smugmug, "Modify")


@pytest.fixture
def photo(own_smugmug):
    return own_smugmug.library.albums[0].photos[0]


@pytest.fixture
def uri(photo):
    return f"/api/v2/image/{photo.key}-{photo.serial}"


def writes(sandbox):
    return [request.method for request in sandbox.requests if request.method != "GET"]


# --- Words of one picture


def test_change_image_gives_it_as_it_is_then(client, own_smugmug, photo, uri):
    image = client.change_image(
        uri, {"Title": "New", "Caption": "<b>Two</b>\nlines 🌅", "KeywordArray": ["one", "two words"], "Hidden": True}
    )

    assert (image.title, image.caption, image.keywords) == ("New", "<b>Two</b>\nlines 🌅", ("one", "two words"))
    assert image.is_hidden
    assert image.image_id == f"{photo.key}-{photo.serial}"
    assert (photo.title, photo.keywords, photo.is_hidden) == ("New", ["one", "two words"], True)
    assert [request.method for request in own_smugmug.requests] == ["PATCH", "GET"]


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"Title": "", "Caption": "", "KeywordArray": []}, ("title", "caption", "keywords")),
        ({"Latitude": "47.5", "Longitude": 8.25, "Altitude": 400}, ()),
        ({"Keywords": 'One; "two words", one'}, ()),
    ],
)
def test_change_image_to_what_smugmug_spells_otherwise_is_no_difference(client, uri, fields, names):
    image = client.change_image(uri, fields)

    assert not any(getattr(image, name) for name in names)


def test_change_image_that_keeps_less_names_what_is_lacking(client, photo, uri, faults):
    faults.change(
        uri, lambda body: body["Response"]["Image"].update(Caption="cut", Keywords="one", KeywordArray=["one"])
    )

    with pytest.raises(SmugMugUnchanged) as caught:
        client.change_image(uri, {"Title": "New", "Caption": "cut off", "KeywordArray": ["one", "two"]})

    assert caught.value.names == ("Caption", "KeywordArray")
    assert "Caption, KeywordArray" in caught.value.advice
    assert photo.title == "New"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/api/v2/image/AbCdEf",
        "/api/v2/album/AbC/image/AbCdEf-0",
        "/api/v2/image/../x-0",
        "http://x/api/v2/image/A-0",
    ],
)
def test_change_image_at_what_is_no_address_of_one_sends_nothing(client, own_smugmug, address):
    with pytest.raises(SmugMugNonsense):
        client.change_image(address, {"Title": "New"})
    assert own_smugmug.requests == []


def test_change_image_of_an_unknown_one_is_gone(client):
    with pytest.raises(SmugMugGone):
        client.change_image("/api/v2/image/XXXXXXX-0", {"Title": "New"})


def test_change_image_with_a_field_smugmug_refuses_is_nonsense_and_changes_nothing(client, photo, uri):
    title = photo.title

    with pytest.raises(SmugMugNonsense, match="400"):
        client.change_image(uri, {"title": "New"})
    assert photo.title == title


def test_change_image_that_may_only_be_looked_at_says_what_to_grant(own_smugmug, photo, uri):
    title = photo.title

    with pytest.raises(SmugMugLocked) as caught:
        may(own_smugmug, "Read").change_image(uri, {"Title": "New"})

    assert "Modify" in caught.value.advice
    assert photo.title == title


def test_change_image_by_an_old_serial_is_redirected_signed_anew(client, own_smugmug, photo):
    photo.serial = 3

    image = client.change_image(f"/api/v2/image/{photo.key}-0", {"Title": "New"})

    assert (image.title, image.serial) == ("New", 3)
    assert writes(own_smugmug) == ["PATCH", "PATCH"]


def test_change_image_after_used_nonces_and_waits_is_sent_again(client, photo, uri, faults, monkeypatch):
    monkeypatch.setattr(client.wire.pacer, "hold", lambda seconds: None)
    faults.reply(uri, problem(401, "oauth_problem=nonce_used"), times=1)
    faults.reply(uri, problem(429, "", headers={"Retry-After": "1"}), times=1)

    assert client.change_image(uri, {"Title": "New"}).title == "New"
    assert [call.method for call in faults.calls] == ["PATCH", "PATCH", "PATCH", "GET"]


# --- Keywords of many


def test_add_keywords_leaves_the_others_alone(client, own_smugmug):
    photos = own_smugmug.library.albums[0].photos[:3]
    before = [list(photo.keywords) for photo in photos]

    client.add_keywords([f"/api/v2/image/{photo.key}-{photo.serial}" for photo in photos], ["new", "two words", "NEW"])

    assert [photo.keywords for photo in photos] == [[*words, "new", "two words"] for words in before]
    assert [request.method for request in own_smugmug.requests] == ["POST", "GET"]


def test_remove_keywords_leaves_the_others_alone(client, own_smugmug, photo, uri):
    photo.keywords = ["Keep", "go", "Go away"]

    client.remove_keywords([uri], ["GO"])

    assert photo.keywords == ["Keep", "Go away"]


def test_add_keywords_to_many_goes_in_parts_that_fit_an_address(client, own_smugmug):
    album = own_smugmug.library.albums[0]
    photos = [own_smugmug.library.add_photo(album.key) for _ in range(120)]

    client.add_keywords([f"/api/v2/image/{photo.key}-0" for photo in photos], ["new"])

    assert all("new" in photo.keywords for photo in photos)
    assert [request.method for request in own_smugmug.requests] == ["POST", "GET"] * 3
    assert max(len(request.path) for request in own_smugmug.requests) < 2000


@pytest.mark.parametrize("keywords", [[], ["", "  "]])
def test_add_no_keywords_sends_nothing(client, own_smugmug, uri, keywords):
    client.add_keywords([uri], keywords)
    client.add_keywords([], ["new"])

    assert own_smugmug.requests == []


def test_add_keywords_to_a_picture_that_is_gone_is_refused_and_changes_none(client, own_smugmug, photo, uri):
    before = list(photo.keywords)

    with pytest.raises(SmugMugNonsense, match="400"):
        client.add_keywords([uri, "/api/v2/image/XXXXXXX-0"], ["new"])
    assert list(photo.keywords) == before


def test_add_keywords_that_one_picture_does_not_keep_says_so(client, photo, uri, faults):
    faults.change(f"{photo.key}-{photo.serial}?", lambda body: body["Response"]["Image"].update(KeywordArray=["other"]))

    with pytest.raises(SmugMugUnchanged, match=photo.key):
        client.add_keywords([uri], ["new"])


def test_add_keywords_while_smugmug_is_down_says_so(client, photo, uri, faults, slept):
    faults.reply("addkeywords", Reply(503))
    before = list(photo.keywords)

    with pytest.raises(SmugMugUnavailable, match="503"):
        client.add_keywords([uri], ["new"])
    assert list(photo.keywords) == before


# --- All words of one picture


def test_reword_sends_each_part_once_and_reads_back_once(client, own_smugmug, photo, uri):
    photo.keywords = ["Beach", "old"]

    image = client.reword(uri, Wording({"Caption": "New", "Title": "Two"}, add=("sea",), remove=("OLD",)))

    assert (image.caption, image.title, image.keywords) == ("New", "Two", ("Beach", "sea"))
    assert [request.method for request in own_smugmug.requests] == ["POST", "POST", "PATCH", "GET"]


def test_reword_that_is_answered_504_though_it_was_made_is_not_sent_again(client, own_smugmug, photo, uri):
    own_smugmug.faults.timeout_but_applied = 1

    image = client.reword(uri, Wording({"Caption": "New"}, add=("sea",)))

    assert (image.caption, image.keywords[-1]) == ("New", "sea")
    assert writes(own_smugmug) == ["POST", "PATCH"]


def test_reword_that_was_not_made_sends_no_further_part(client, own_smugmug, photo, uri, faults):
    faults.reply("addkeywords", Reply(504))
    before = photo.caption

    with pytest.raises(SmugMugUnavailable, match="504"):
        client.reword(uri, Wording({"Caption": "New"}, add=("sea",)))

    assert photo.caption == before
    assert [call.method for call in faults.calls] == ["POST", "GET"]


def test_reword_that_keeps_less_names_what_is_lacking(client, photo, uri, faults):
    faults.change(f"{uri}?", lambda body: body["Response"]["Image"].update(Caption="cut", KeywordArray=[]))

    with pytest.raises(SmugMugUnchanged) as caught:
        client.reword(uri, Wording({"Caption": "cut off", "Title": "New"}, add=("sea",)))

    assert caught.value.names == ("Keywords", "Caption")


@pytest.mark.parametrize(("permissions", "granted"), [("Read", False), ("Add", False), ("Modify", True)])
def test_check_changes_are_granted_changes_nothing(own_smugmug, photo, uri, permissions, granted):
    before = (photo.caption, list(photo.keywords), photo.updated)

    if granted:
        may(own_smugmug, permissions).check_changes_are_granted(uri)
    else:
        with pytest.raises(SmugMugNotGranted, match="403"):
            may(own_smugmug, permissions).check_changes_are_granted(uri)

    assert (photo.caption, list(photo.keywords), photo.updated) == before
