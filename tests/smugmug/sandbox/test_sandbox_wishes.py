import json

import pytest


@pytest.fixture
def outdoors(sandbox):
    return next(album for album in sandbox.library.albums if album.name == "Outdoors")


def configured(caller, path, config, **params):
    return caller.get(path, _config=json.dumps(config), **params)


def test_configure_filters_does_what_the_plain_words_do(owner, outdoors):
    path = f"/api/v2/album/{outdoors.key}!images"

    plain = owner.read(path, _filter="ImageKey,Uris", _filteruri="Image")
    config = configured(owner, path, {"filter": ["ImageKey", "Uris"], "filteruri": ["Image"]})

    assert config["Response"]["AlbumImage"] == plain
    assert set(plain[0]) == {"ImageKey", "Uris"}
    assert "_config" not in config["Response"]["Uri"]


def test_configure_no_links_leaves_uris_out(owner, outdoors):
    body = configured(owner, f"/api/v2/album/{outdoors.key}", {"filteruri": []})

    assert "Uris" not in body["Response"]["Album"]
    assert "Name" in body["Response"]["Album"]


def test_configure_expansions_filters_and_pages_each(owner, outdoors):
    config = {
        "filter": ["AlbumKey", "Uris"],
        "filteruri": ["AlbumImages"],
        "expand": {
            "AlbumImages": {
                "filter": ["ImageKey", "Uris"],
                "filteruri": ["ImageMetadata"],
                "args": {"count": 2},
                "expand": {"ImageMetadata": {"filter": ["Model"]}},
            }
        },
    }

    body = configured(owner, f"/api/v2/album/{outdoors.key}", config, _verbosity=1)

    link = body["Response"]["Album"]["Uris"]["AlbumImages"]
    listed = body["Expansions"][link]
    assert link == f"/api/v2/album/{outdoors.key}!images?count=2"
    assert (listed["Pages"]["Total"], listed["Pages"]["Count"]) == (len(outdoors.photos), 2)
    assert [image["ImageKey"] for image in listed["AlbumImage"]] == [photo.key for photo in outdoors.photos[:2]]
    assert {name for image in listed["AlbumImage"] for name in image} == {"ImageKey", "Uris"}
    for image in listed["AlbumImage"]:
        assert set(body["Expansions"][image["Uris"]["ImageMetadata"]]["ImageMetadata"]) == {"Model"}
    assert len(body["Expansions"]) == 3


def test_configure_goes_before_the_plain_words_and_keeps_what_it_leaves_out(owner, outdoors):
    body = configured(
        owner,
        f"/api/v2/album/{outdoors.key}",
        {"filter": ["Name"]},
        _filter="AlbumKey",
        _expand="AlbumImages",
    )

    assert set(body["Response"]["Album"]) == {"Name", "ResponseLevel"}
    assert list(body["Expansions"]) == [f"/api/v2/album/{outdoors.key}!images"]


@pytest.mark.parametrize("config", ["{", "[]", '"x"', '{"filter": "Name"}', '{"expand": ["User"]}', '{"args": 3}'])
def test_configure_nonsense_is_400(owner, outdoors, config):
    assert owner.fetch(f"/api/v2/album/{outdoors.key}", _config=config).status_code == 400


def test_read_several_albums_gives_a_list_without_pages(owner, sandbox):
    keys = [album.key for album in sandbox.library.albums[:3]]

    response = owner.get(f"/api/v2/album/{','.join(keys)}", _filter="AlbumKey")["Response"]

    assert (response["Locator"], response["LocatorType"]) == ("Album", "Objects")
    assert [album["AlbumKey"] for album in response["Album"]] == keys
    assert "Pages" not in response


def test_read_several_images_gives_a_list_with_expansions(owner, outdoors):
    keys = [photo.key for photo in outdoors.photos]
    path = "/api/v2/image/" + ",".join(f"{key}-0" for key in keys)

    body = owner.get(path, _expand="ImageSizeDetails", _verbosity=1)

    images = body["Response"]["Image"]
    assert [image["ImageKey"] for image in images] == keys
    assert {image["Serial"] for image in images} == {0, 1}
    assert set(body["Expansions"]) == {image["Uris"]["ImageSizeDetails"] for image in images}


def test_read_several_passes_over_what_is_not_there_or_not_for_all(owner, stranger, fresh, calling):
    first, second = fresh.library.albums[:2]
    fresh.library.edit_album(first.key, privacy="Private")
    path = f"/api/v2/album/{first.key},nope,{second.key}"
    pictures = f"/api/v2/image/{first.photos[0].key}-0,nope-0,{second.photos[0].key}-0"

    assert [album["AlbumKey"] for album in calling(fresh).read(path)] == [first.key, second.key]
    assert [album["AlbumKey"] for album in calling(fresh, None).read(path)] == [second.key]
    assert [image["ImageKey"] for image in calling(fresh, None).read(pictures)] == [second.photos[0].key]
    assert calling(fresh).fetch("/api/v2/album/nope,neither").status_code == 404


def test_read_too_many_at_once_is_an_html_403(owner):
    answer = owner.fetch("/api/v2/image/" + ",".join(f"K{number:06d}-0" for number in range(792)))

    assert answer.status_code == 403
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "<h1>Forbidden</h1>" in answer.text


def test_change_several_at_once_is_not_allowed(fresh, editor):
    one, other = fresh.library.albums[0].photos[:2]

    answer = editor.send("PATCH", f"/api/v2/image/{one.key}-0,{other.key}-0", json={"Title": "x"})

    assert answer.status_code == 405
    assert "x" not in (one.title, other.title)
