import pytest
import requests

PATHS = ("/api/v2/image!addkeywords", "/api/v2/image!removekeywords")


@pytest.fixture
def photo(fresh):
    """Of the album Animals: two keywords, no place."""
    album = next(album for album in fresh.library.albums if album.name == "Animals")
    return next(photo for photo in album.photos if photo.keywords == ("cat", "Chelsea"))


@pytest.fixture
def path(photo):
    return f"/api/v2/image/{photo.key}-0"


def album_dates(fresh):
    return [(album.updated, album.images_updated) for album in fresh.library.albums]


def test_patch_words_in_json_changes_them_and_answers_with_the_image(fresh, editor, path):
    before = album_dates(fresh)

    answer = editor.send("PATCH", path, json={"Title": "Katze", "Caption": "<b>Miau</b> 🐈", "Hidden": True})

    body = answer.json()
    assert answer.status_code == 200
    assert body["Response"]["Locator"] == "Image"
    assert body["Response"]["Image"] == editor.read(path)
    image = editor.read(path)
    assert (image["Title"], image["Caption"], image["Hidden"]) == ("Katze", "<b>Miau</b> 🐈", True)
    assert image["KeywordArray"] == ["cat", "Chelsea"]
    assert album_dates(fresh) == before


@pytest.mark.parametrize("method", ["PATCH", "POST"])
def test_write_words_as_a_form_changes_them(editor, path, method):
    query = "?_method=PATCH" if method == "POST" else ""

    answer = editor.send(method, path + query, data={"Title": "", "Keywords": "a b, c;d", "Hidden": "1"})

    assert answer.status_code == 200
    image = editor.read(path)
    assert (image["Title"], image["Hidden"]) == ("", True)
    assert (image["Keywords"], image["KeywordArray"]) == ("a b; c; d", ["a b", "c", "d"])


def test_patch_keyword_array_as_a_form_takes_repeated_names(editor, path):
    editor.send("PATCH", path, data={"KeywordArray": ["one", "two"]})
    assert editor.read(path)["KeywordArray"] == ["one", "two"]

    editor.send("PATCH", path, data={"KeywordArray[]": ["three"]})
    assert editor.read(path)["KeywordArray"] == ["three"]


def test_patch_image_moves_its_date_unless_switched_off(fresh, editor, path):
    before = editor.read(path)["LastUpdated"]
    editor.send("PATCH", path, json={"Title": "one"})
    moved = editor.read(path)["LastUpdated"]
    fresh.library.edits_move_dates = False
    editor.send("PATCH", path, json={"Title": "two"})

    assert before < moved == editor.read(path)["LastUpdated"]
    assert editor.read(path)["Title"] == "two"


def test_patch_keywords_replaces_all_and_drops_doubles(editor, path):
    editor.send("PATCH", path, json={"Keywords": ' Fox ;fox,"red fox"; ; FOX'})
    assert editor.read(path)["KeywordArray"] == ["Fox", "red fox"]

    editor.send("PATCH", path, json={"KeywordArray": ["one, two", "Three", "three"]})
    assert editor.read(path)["KeywordArray"] == ["one, two", "Three"]

    editor.send("PATCH", path, json={"KeywordArray": []})
    assert (editor.read(path)["Keywords"], editor.read(path)["KeywordArray"]) == ("", [])


def test_patch_place_shows_it_and_zero_takes_it_away(editor, path):
    editor.send("PATCH", path, json={"Latitude": "52.5", "Longitude": -13.25, "Altitude": 34})
    image = editor.read(path)
    assert (float(image["Latitude"]), float(image["Longitude"]), image["Altitude"]) == (52.5, -13.25, 34)

    editor.send("PATCH", path, json={"Latitude": "0"})
    image = editor.read(path)
    assert (float(image["Latitude"]), float(image["Longitude"])) == (0, -13.25)


def test_patch_file_name_is_ok_and_does_nothing(editor, photo, path):
    before = editor.read(path)

    answer = editor.send("PATCH", path, json={"FileName": "new.jpg"})

    assert (answer.status_code, answer.json()["Message"]) == (200, "Ok")
    assert editor.read(path) == before


def test_patch_collected_photo_changes_it_in_every_album(fresh, editor, photo, path):
    other = fresh.library.albums[-1]
    fresh.library.collect_photo(photo.key, other.key)

    editor.send("PATCH", path, json={"Caption": "both"})

    assert editor.read(f"/api/v2/album/{other.key}!images")[-1]["Caption"] == "both"


def test_patch_answer_obeys_filters(editor, path):
    body = editor.send("PATCH", f"{path}?_filter=Title&_verbosity=1", json={"Title": "x"}).json()

    assert body["Response"]["Image"] == {"Title": "x"}


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "x"},
        {"Title": 3},
        {"Title": "x", "Hidden": "perhaps"},
        {"Title": "x", "Latitude": 91},
        {"Title": "x", "Longitude": "nan"},
        {"Title": "x", "Altitude": -1},
        {"Title": "x", "Altitude": 16_777_216},
        {"Title": "x", "KeywordArray": "one"},
        {"Title": "x", "KeywordArray": [1]},
        {"Title": "x", "Keywords": ["one"]},
        ["Title"],
    ],
)
def test_patch_with_a_mistake_is_400_and_changes_nothing(editor, path, fields):
    before = editor.read(path)

    answer = editor.send("PATCH", path, json=fields)

    assert (answer.status_code, answer.json()) == (400, {"Code": 400, "Message": "Bad Request"})
    assert editor.read(path) == before


def test_patch_with_a_body_that_is_no_json_is_400(editor, path):
    assert editor.send("PATCH", path, data=b"{oops").status_code == 400


@pytest.mark.parametrize("permissions", ["Read", "Add"])
def test_patch_without_permission_is_refused(fresh, calling, photo, path, permissions):
    title = photo.title

    answer = calling(fresh, "Full", permissions).send("PATCH", path, json={"Title": "x"})

    assert answer.status_code == 403
    assert answer.json()["Message"] == "The user has not granted the required permissions"
    assert photo.title == title


def test_patch_unsigned_is_not_allowed(fresh, calling, photo, path):
    answer = calling(fresh, None).send("PATCH", path, json={"Title": "x"})

    assert answer.status_code == 405
    assert photo.title != "x"


def test_patch_wrong_serial_is_moved_and_changes_nothing(editor, photo, path):
    for wrong in (f"/api/v2/image/{photo.key}", f"/api/v2/image/{photo.key}-5"):
        answer = editor.send("PATCH", wrong, json={"Title": "x"})

        assert (answer.status_code, answer.headers["Location"]) == (301, path)
    assert photo.title != "x"


def test_write_elsewhere_is_not_allowed(fresh, editor, photo, path):
    album = next(album for album in fresh.library.albums if photo in album.photos)

    assert editor.send("PUT", path, json={"Title": "x"}).status_code == 405
    assert editor.send("POST", path, json={"Title": "x"}).status_code == 405
    assert editor.send("DELETE", path).status_code == 405
    assert editor.send("PATCH", f"/api/v2/album/{album.key}", json={"Name": "x"}).status_code == 405
    assert (
        editor.send("PATCH", f"/api/v2/album/{album.key}/image/{photo.key}-0", json={"Title": "x"}).status_code == 405
    )
    assert editor.send("PATCH", "/api/v2/image/nope-0", json={"Title": "x"}).status_code == 404
    assert editor.fetch(f"{path}?_method=PATCH").status_code == 200
    assert photo.title != "x"
    assert album.name == "Animals"


def test_add_keywords_keeps_those_there_are(fresh, editor, photo, path):
    other = fresh.library.albums[0].photos[0]
    uris = [path, f"/api/v2/image/{other.key}-0"]
    before = album_dates(fresh)

    answer = editor.send("POST", PATHS[0], json={"ImageUris": uris, "Keywords": "CAT; tree, sun", "Async": False})

    assert (answer.status_code, answer.json()["Message"]) == (200, "Ok")
    assert editor.read(path)["KeywordArray"] == ["cat", "Chelsea", "tree", "sun"]
    assert editor.read(uris[1])["KeywordArray"][-3:] == ["CAT", "tree", "sun"]
    assert album_dates(fresh) == before


def test_remove_keywords_does_not_mind_the_case(editor, path):
    editor.send("POST", PATHS[1], data={"ImageUris": path, "Keywords": "CHELSEA;nothing"})

    assert editor.read(path)["KeywordArray"] == ["cat"]


def test_add_keywords_that_are_there_leaves_the_date(editor, path):
    before = editor.read(path)

    editor.send("POST", PATHS[0], json={"ImageUris": [path], "Keywords": "Cat"})

    assert editor.read(path) == before


def test_add_keywords_later_names_a_task_to_ask(editor, path):
    answer = editor.send("POST", PATHS[0], json={"ImageUris": [path], "Keywords": "x", "Async": True})

    assert answer.status_code == 202
    assert editor.read(answer.json()["Response"]["Task"]["Uri"])["Status"] == "Completed"
    assert "x" in editor.read(path)["KeywordArray"]


@pytest.mark.parametrize("action", PATHS)
@pytest.mark.parametrize(
    "changed",
    [
        {"keywords": "cat", "Keywords": None},
        {"imageuris": [], "ImageUris": None},
        {"Keywords": 3},
        {"ImageUris": None},
        {"ImageUris": ["{path}", "/api/v2/image/nope-0"]},
        {"ImageUris": ["{path}", "/api/v2/album/nope"]},
        {"Async": "later"},
    ],
)
def test_change_keywords_with_a_mistake_is_400_and_changes_nothing(editor, photo, path, action, changed):
    fields = {"ImageUris": ["{path}"], "Keywords": "cat; new", **changed}
    if fields.get("ImageUris"):
        fields["ImageUris"] = [uri.format(path=path) for uri in fields["ImageUris"]]
    fields = {name: value for name, value in fields.items() if value is not None}

    assert editor.send("POST", action, json=fields).status_code == 400
    assert editor.read(path)["KeywordArray"] == ["cat", "Chelsea"]


def test_change_keywords_needs_the_same_grant_as_patch(fresh, calling, photo, path):
    body = {"ImageUris": [path], "Keywords": "x"}

    assert calling(fresh).send("POST", PATHS[0], json=body).status_code == 403
    assert calling(fresh, None).send("POST", PATHS[0], json=body).status_code == 405
    assert photo.keywords == ("cat", "Chelsea")


def test_patch_without_accepting_json_changes_nothing(fresh, editor, photo, path):
    answer = requests.patch(
        f"{fresh.url}{path}", json={"Title": "x"}, auth=editor.session.auth, headers={"Accept": "*/*"}, timeout=10
    )

    assert answer.headers["Content-Type"].startswith("text/html")
    assert photo.title != "x"
