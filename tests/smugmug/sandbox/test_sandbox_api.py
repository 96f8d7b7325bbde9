import json

import pytest
import requests

from smugmug.sandbox import Sandbox, library

LINK = {"Uri", "Locator", "LocatorType", "UriDescription", "EndpointType"}
PAGES = {"Total", "Start", "Count", "RequestedCount", "FirstPage", "LastPage"}
USER = {
    *("NickName", "ViewPassHint", "RefTag", "Name", "QuickShare", "Uri", "WebUri", "UriDescription"),
    *("Uris", "ResponseLevel"),
}
AUTH_USER = USER | {
    *("AccountStatus", "Domain", "DomainOnly", "FirstName", "FriendsView", "ImageCount", "IsTrial"),
    *("LastName", "Plan", "SortBy", "ViewPassword"),
}
ALBUM = {
    *("NiceName", "UrlName", "Title", "Name", "AllowDownloads", "Description", "EXIF", "External"),
    *("Filenames", "Geography", "Keywords", "PasswordHint", "Protected", "SortDirection", "SortMethod"),
    *("SecurityType", "CommerceLightbox", "AlbumKey", "CanBuy", "CanFavorite", "LastUpdated"),
    *("ImagesLastUpdated", "NodeID", "ImageCount", "UrlPath", "CanShare", "HasDownloadPassword"),
    *("Packages", "Uri", "WebUri", "UriDescription", "Uris", "ResponseLevel"),
}
IMAGE = {
    *("Title", "Caption", "Keywords", "KeywordArray", "Watermark", "Latitude", "Longitude", "Altitude"),
    *("Hidden", "ThumbnailUrl", "FileName", "Processing", "UploadKey", "Date", "DateTimeUploaded"),
    *("DateTimeOriginal", "Format", "OriginalHeight", "OriginalWidth", "OriginalSize", "LastUpdated"),
    *("Collectable", "IsArchive", "IsVideo", "ComponentFileTypes", "CanEdit", "CanBuy", "Protected"),
    *("EZProject", "Watermarked", "ImageKey", "Serial", "Status", "SubStatus", "CanShare", "Comments"),
    *("ShowKeywords", "FormattedValues", "PreferredDisplayFileExtension", "Uri", "UriDescription", "Uris"),
}
ARCHIVED = {"ArchivedUri", "ArchivedSize", "ArchivedMD5"}
IMAGE_LINKS = {
    *("LargestImage", "ImageSizes", "ImageSizeDetails", "PointOfInterest", "PointOfInterestCrops"),
    *("Regions", "ImageComments", "ImageMetadata", "ImagePrices", "ImagePricelistExclusions"),
}
OWNER_LINKS = {
    *("ImageAlbum", "ImageOwner", "ImageAlbums", "ImageDownload", "RotateImage", "ColorImage"),
    *("CopyImage", "CropImage"),
}


@pytest.fixture
def outdoors(sandbox):
    return next(album for album in sandbox.library.albums if album.name == "Outdoors")


@pytest.fixture(scope="module")
def big():
    with Sandbox(library=library(albums=130, photos=620)) as running:
        yield running


def test_ask_who_i_am_gives_the_owner(owner):
    body = owner.get("/api/v2!authuser")

    assert set(body) == {"Options", "Response", "Code", "Message"}
    assert set(body["Response"]) == {
        *("Uri", "Locator", "LocatorType", "User", "UriDescription", "EndpointType"),
    }
    assert set(body["Response"]["User"]) == AUTH_USER
    assert body["Response"]["User"]["NickName"] == "demo"
    assert body["Response"]["User"]["Uris"]["UserAlbums"]["Uri"] == "/api/v2/user/demo!albums"


def test_ask_who_i_am_without_a_token_gives_nobody(stranger):
    assert "User" not in stranger.get("/api/v2!authuser")["Response"]


def test_read_user_as_stranger_shows_the_public_shape(stranger):
    user = stranger.read("/api/v2/user/demo")

    assert set(user) == USER
    assert set(user["Uris"]["UserAlbums"]) == LINK
    assert user["ResponseLevel"] == "Public"
    assert stranger.fetch("/api/v2/user/demo@example.org").status_code == 404


def test_read_album_as_stranger_shows_the_public_shape(stranger, outdoors):
    album = stranger.read(f"/api/v2/album/{outdoors.key}")

    assert set(album) == ALBUM
    assert set(album["Uris"]["AlbumImages"]) == LINK
    assert album["Uris"]["Node"]["Uri"] == f"/api/v2/node/{outdoors.node_id}"
    assert album["ImageCount"] == len(outdoors.photos)
    assert album["LastUpdated"].endswith("+00:00")
    assert isinstance(album["Keywords"], str)


def test_read_album_as_owner_shows_privacy(owner, outdoors):
    album = owner.read(f"/api/v2/album/{outdoors.key}")

    assert set(album) >= ALBUM | {"Privacy", "Date", "Password", "HighlightAlbumImageUri"}
    assert album["ResponseLevel"] == "Full"
    assert owner.fetch(album["HighlightAlbumImageUri"]).status_code == 200


def test_list_images_as_owner_shows_the_owners_shape(owner, outdoors):
    images = owner.read(f"/api/v2/album/{outdoors.key}!images")

    for photo, image in zip(outdoors.photos, images, strict=True):
        expected = IMAGE | ARCHIVED | {"WebUri", "AlbumKey", "Movable", "Origin"}
        assert set(image) == expected - (set() if photo.shot else {"DateTimeOriginal"})
        assert image["Uri"] == f"/api/v2/album/{outdoors.key}/image/{photo.key}-{photo.serial}"
        assert set(image["Uris"]) >= IMAGE_LINKS | OWNER_LINKS | {"Album", "Image", "AlbumImageMetadata"}
        assert image["Uris"]["Image"]["Uri"] == f"/api/v2/image/{photo.key}-{photo.serial}"
        assert image["Keywords"] == "; ".join(image["KeywordArray"])
    assert {photo.serial for photo in outdoors.photos} == {0, 1}


def test_read_image_as_stranger_shows_no_original_and_no_album(stranger, outdoors):
    photo = outdoors.photos[0]

    image = stranger.read(f"/api/v2/image/{photo.key}-0")

    assert set(image) == IMAGE
    assert set(image["Uris"]) == IMAGE_LINKS


def test_read_image_as_owner_shows_original_and_album(owner, outdoors):
    image = owner.read(f"/api/v2/image/{outdoors.photos[0].key}-0")

    assert set(image) == IMAGE | ARCHIVED | {"WebUri"}
    assert set(image["Uris"]) == IMAGE_LINKS | OWNER_LINKS
    assert image["Uris"]["ImageAlbum"]["Uri"] == f"/api/v2/album/{outdoors.key}"
    assert image["Uris"]["ImageAlbum"]["EndpointType"] == "Album"


def test_list_albums_hides_what_is_not_public_from_a_public_grant(sandbox, calling, owner, stranger):
    everything = {album["Name"] for album in owner.read("/api/v2/user/demo!albums")}
    public = calling(sandbox, "Public").read("/api/v2/user/demo!albums")

    assert everything == {"Flight and Space", "Animals", "Food", "Studio", "Outdoors", "Places"}
    assert {album["Name"] for album in public} == everything - {"Studio"}
    assert stranger.read("/api/v2/user/demo!albums") == public
    assert all("Privacy" not in album for album in public)


def test_read_private_album_is_for_the_owner_only(fresh, calling):
    album = fresh.library.albums[0]
    album.privacy = "Private"
    paths = (
        f"/api/v2/album/{album.key}",
        f"/api/v2/album/{album.key}!images",
        f"/api/v2/image/{album.photos[0].key}-0",
        f"/api/v2/highlight/node/{album.node_id}",
    )

    assert [calling(fresh, None).fetch(path).status_code for path in paths] == [404] * 4
    assert [calling(fresh).fetch(path).status_code for path in paths] == [200] * 4


def test_list_album_images_of_an_unlisted_album_opens_to_who_knows_the_key(stranger, sandbox):
    album = next(album for album in sandbox.library.albums if album.privacy == "Unlisted")

    assert len(stranger.read(f"/api/v2/album/{album.key}!images")) == len(album.photos)


def test_read_album_without_photos_names_no_cover(fresh, calling):
    album = fresh.library.albums[0]
    album.photos.clear()

    assert "HighlightAlbumImageUri" not in calling(fresh).read(f"/api/v2/album/{album.key}")
    assert calling(fresh).fetch(f"/api/v2/highlight/node/{album.node_id}").status_code == 404


def test_read_part_of_an_image_that_is_not_offered_is_404(owner, stranger, outdoors):
    path = f"/api/v2/image/{outdoors.photos[0].key}-0"

    assert owner.fetch(f"{path}!comments").status_code == 404
    assert stranger.fetch(f"{path}!albums").status_code == 404


def test_read_metadata_of_a_photo_with_gps_says_where(owner, sandbox):
    photo = next(photo for album in sandbox.library.albums for photo in album.photos if photo.frame.is_sideways)

    metadata = owner.read(f"/api/v2/image/{photo.key}-0!metadata")

    assert (metadata["Latitude"], metadata["LongitudeReference"]) == (43.318333, "West")
    assert metadata["Altitude"] == "12 m Above Sea Level"
    assert metadata["City"] == "Donostia"


def test_read_hidden_photo_list_is_for_the_owner_only(fresh, calling):
    album = fresh.library.albums[0]
    album.photos[0].is_hidden = True
    path = f"/api/v2/album/{album.key}!images"

    assert len(calling(fresh, None).read(path)) == len(album.photos) - 1
    assert len(calling(fresh).read(path)) == len(album.photos)


def test_list_collected_photo_names_its_home(fresh, calling):
    home, other = fresh.library.albums[:2]
    other.photos.append(home.photos[0])

    image = calling(fresh).read(f"/api/v2/album/{other.key}!images")[-1]

    assert (image["Origin"], image["CollectedFrom"]) == ("Collected", home.name)
    assert image["ImageKey"] == home.photos[0].key
    assert image["Uris"]["Album"]["Uri"] == f"/api/v2/album/{other.key}"
    assert image["Uris"]["ImageAlbum"]["Uri"] == f"/api/v2/album/{home.key}"
    holders = calling(fresh).read(image["Uris"]["ImageAlbums"]["Uri"])
    assert [album["AlbumKey"] for album in holders] == [home.key, other.key]


@pytest.mark.parametrize("path", ["/api/v2/album/nope", "/api/v2/image/nope-0", "/api/v2/node/nope"])
def test_read_what_is_not_there_is_404(owner, path):
    answer = owner.fetch(path)

    assert (answer.status_code, answer.json()) == (404, {"Code": 404, "Message": "Not Found"})


def test_list_images_pages_by_a_hundred_and_five_hundred_at_most(big, calling):
    owner = calling(big)
    path = f"/api/v2/album/{big.library.albums[3].key}!images"

    default = owner.get(path)["Response"]
    most = owner.get(path, count=9999)["Response"]

    assert len(default["AlbumImage"]) == 100
    assert set(default["Pages"]) == PAGES | {"NextPage"}
    assert default["Pages"]["NextPage"] == f"{path}?start=101&count=100"
    assert default["Pages"]["LastPage"] == f"{path}?start=601&count=100"
    assert (most["Pages"]["RequestedCount"], most["Pages"]["Count"]) == (500, 500)
    assert most["Pages"]["LastPage"] == f"{path}?count=9999&start=501"


def test_list_albums_pages_by_fifty_and_a_hundred_at_most(big, calling):
    path = "/api/v2/user/demo!albums"

    assert len(calling(big).read(path)) == 50
    pages = calling(big).get(path, count=1000)["Response"]["Pages"]
    assert (pages["Total"], pages["RequestedCount"], pages["Count"]) == (130, 100, 100)


def test_follow_next_page_reaches_every_photo_once(big, calling):
    owner = calling(big)
    path = f"/api/v2/album/{big.library.albums[1].key}!images?count=250&_filter=ImageKey"
    keys, counts, last = [], [], {}
    while path:
        response = owner.get(path)["Response"]
        keys += [image["ImageKey"] for image in response["AlbumImage"]]
        last = response["Pages"]
        counts.append(last["Count"])
        path = last.get("NextPage")

    assert counts == [250, 250, 120]
    assert keys == [photo.key for photo in big.library.albums[1].photos]
    assert len(set(keys)) == 620
    assert set(last) == PAGES | {"PrevPage"}


def test_follow_next_page_drops_expand_and_verbosity(owner, outdoors):
    path = f"/api/v2/album/{outdoors.key}!images"
    query = "count=3&_filter=ImageKey%2CUris&_filteruri=ImageMetadata&_expand=ImageMetadata&_verbosity=1"

    first = owner.get(f"{path}?{query}")
    second = owner.get(first["Response"]["Pages"]["NextPage"])

    kept = f"{path}?count=3&_filter=ImageKey%2CUris&_filteruri=ImageMetadata"
    assert first["Response"]["Uri"] == kept
    assert first["Response"]["Pages"]["NextPage"] == f"{kept}&start=4"
    assert len(first["Expansions"]) == 3
    assert "Expansions" not in second
    assert set(second["Response"]["AlbumImage"][0]["Uris"]["ImageMetadata"]) == LINK


def test_page_query_keeps_accepted_names_only(sandbox, stranger):
    path = "/api/v2/user/demo!albums?Order=Position&SortMethod=Name&foo=1&start=2"

    response = stranger.get(path)["Response"]

    assert response["Uri"] == "/api/v2/user/demo!albums?Order=Position&start=2"
    assert response["Pages"]["PrevPage"] == "/api/v2/user/demo!albums?Order=Position&start=1"
    assert sandbox.api_key not in json.dumps(response)


def test_list_empty_album_has_no_list_key(fresh, calling):
    album = fresh.library.albums[0]
    album.photos.clear()
    path = f"/api/v2/album/{album.key}!images"

    hundred = calling(fresh).get(path)["Response"]
    five_hundred = calling(fresh).get(path, count=500)["Response"]

    assert (hundred["Locator"], hundred["LocatorType"]) == ("AlbumImage", "Objects")
    assert "AlbumImage" not in hundred
    assert set(hundred["Pages"]) == PAGES
    assert hundred["Pages"]["LastPage"] == f"{path}?start=-99&count=100"
    assert five_hundred["Pages"]["LastPage"] == f"{path}?count=500&start=-499"


def test_list_past_the_end_has_no_list_key(owner, outdoors):
    response = owner.get(f"/api/v2/album/{outdoors.key}!images", start=1000)["Response"]

    assert "AlbumImage" not in response
    assert response["Pages"]["Count"] == 0
    assert "NextPage" not in response["Pages"]


def test_list_with_a_start_that_is_no_number_is_400(owner, outdoors):
    assert owner.fetch(f"/api/v2/album/{outdoors.key}!images?start=x").status_code == 400


@pytest.mark.parametrize("form", ["{key}", "{key}-7"])
@pytest.mark.parametrize("action", ["", "!sizedetails"])
def test_read_image_with_a_wrong_serial_is_moved(owner, outdoors, form, action):
    photo = next(photo for photo in outdoors.photos if photo.serial == 1)
    path = f"/api/v2/image/{form.format(key=photo.key)}{action}"

    answer = owner.fetch(f"{path}?_verbosity=1")

    assert answer.status_code == 301
    assert answer.headers["Location"] == f"/api/v2/image/{photo.key}-1{action}?_verbosity=1"
    assert owner.fetch(answer.headers["Location"]).status_code == 200


def test_read_album_image_with_a_wrong_serial_is_moved(owner, outdoors):
    path = f"/api/v2/album/{outdoors.key}/image/{outdoors.photos[0].key}"

    assert owner.fetch(path).headers["Location"] == f"{path}-0"
    assert set(owner.read(f"{path}-0")) >= {"AlbumKey", "Origin", "Movable"}
    assert owner.fetch(f"/api/v2/album/{outdoors.key}/image/nope-0").status_code == 404


def test_filter_picks_fields_and_links(owner, outdoors):
    images = owner.read(
        f"/api/v2/album/{outdoors.key}!images", _filter="ImageKey,Title,Nonsense,Uris", _filteruri="Image,X"
    )
    album = owner.read(f"/api/v2/album/{outdoors.key}", _filter="AlbumKey")

    assert set(images[0]) == {"ImageKey", "Title", "Uris"}
    assert set(images[0]["Uris"]) == {"Image"}
    assert set(album) == {"AlbumKey", "ResponseLevel"}


def test_filter_without_links_has_no_uris_key(owner, outdoors):
    image = owner.read(f"/api/v2/album/{outdoors.key}!images", _filteruri="")[0]

    assert "Uris" not in image
    assert "ImageKey" in image


def test_ask_for_low_verbosity_leaves_notes_out(owner, outdoors):
    body = owner.get(f"/api/v2/album/{outdoors.key}!images", _verbosity=1)

    assert set(body) == {"Response", "Code", "Message"}
    assert set(body["Response"]) == {"Uri", "Locator", "LocatorType", "AlbumImage", "Pages"}
    assert "UriDescription" not in body["Response"]["AlbumImage"][0]
    assert body["Response"]["AlbumImage"][0]["Uris"]["Album"] == f"/api/v2/album/{outdoors.key}"


def test_ask_for_short_uris_keeps_the_notes(owner, outdoors):
    response = owner.get(f"/api/v2/album/{outdoors.key}?_shorturis=")["Response"]

    assert response["Album"]["Uris"]["AlbumImages"] == f"/api/v2/album/{outdoors.key}!images"
    assert {"UriDescription", "EndpointType"} <= set(response)


def test_expand_puts_the_linked_object_beside(owner, outdoors):
    photo = outdoors.photos[0]
    uri = f"/api/v2/image/{photo.key}-0!sizedetails"

    body = owner.get(f"/api/v2/image/{photo.key}-0", _expand="ImageSizeDetails,Nonsense")

    assert list(body["Expansions"]) == [uri]
    assert set(body["Expansions"][uri]) == {
        *("Uri", "Locator", "LocatorType", "ImageSizeDetails", "UriDescription", "EndpointType"),
    }
    assert body["Response"]["Image"]["Uris"]["ImageSizeDetails"]["Uri"] == uri


def test_expand_two_deep_brings_both(owner, outdoors):
    photo = outdoors.photos[0]

    body = owner.get(f"/api/v2/image/{photo.key}-0", _expand="ImageAlbum.AlbumImages")

    album = f"/api/v2/album/{outdoors.key}"
    assert set(body["Expansions"]) == {album, f"{album}!images"}
    assert len(body["Expansions"][f"{album}!images"]["AlbumImage"]) == len(outdoors.photos)
    assert body["Expansions"][f"{album}!images"]["Pages"]["Total"] == len(outdoors.photos)


def test_expand_cover_with_short_uris_adds_a_suffix_in_both_places(owner, outdoors):
    body = owner.get("/api/v2/user/demo!albums", _expand="HighlightImage", _verbosity=1)

    album = next(one for one in body["Response"]["Album"] if one["AlbumKey"] == outdoors.key)
    key = album["Uris"]["HighlightImage"]
    assert key == f"/api/v2/highlight/node/{outdoors.node_id}?_shorturis="
    assert body["Expansions"][key]["Image"]["ImageKey"] == outdoors.photos[0].key
    assert set(body["Expansions"][key]) == {"Uri", "Locator", "LocatorType", "Image"}


def test_expand_nothing_known_has_no_expansions_key(owner, outdoors):
    assert "Expansions" not in owner.get(f"/api/v2/album/{outdoors.key}", _expand="Nonsense,AlbumPrices")


def test_list_images_by_file_name_gives_those_only(owner, outdoors):
    wanted = [photo.file_name for photo in outdoors.photos[2:4]]

    images = owner.read(f"/api/v2/album/{outdoors.key}!images", FileNames=",".join(wanted))

    assert [image["FileName"] for image in images] == wanted


def test_list_albums_in_an_order_sorts_them(owner):
    names = [album["Name"] for album in owner.read("/api/v2/user/demo!albums", Order="Last Updated (Descending)")]

    assert names == ["Places", "Outdoors", "Studio", "Food", "Animals", "Flight and Space"]


def test_answer_headers_forbid_caching_and_count_calls(fresh, calling):
    first = calling(fresh).fetch("/api/v2!authuser").headers
    second = calling(fresh).fetch("/api/v2/nothing").headers

    assert "no-store" in first["Cache-Control"]
    assert "ETag" not in first
    assert int(first["X-RateLimit-Remaining"]) == int(second["X-RateLimit-Remaining"]) + 1 == 99_999
    assert int(first["X-RateLimit-Reset"]) > 1_700_000_000


def test_call_over_the_limit_is_told_when_to_come_back(calling):
    with Sandbox(calls_per_hour=1) as limited:
        allowed = calling(limited).fetch("/api/v2!authuser")
        refused = calling(limited).fetch("/api/v2!authuser")

    assert allowed.status_code == 200
    assert (refused.status_code, refused.json()["Code"]) == (429, 429)
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    assert refused.headers["X-RateLimit-Remaining"] == "0"


def test_ask_without_accepting_json_gets_a_page(sandbox):
    url = f"{sandbox.url}/api/v2/user/demo?APIKey={sandbox.api_key}"

    page = requests.get(url, timeout=10)
    data = requests.get(f"{url}&_accept=application/json", timeout=10)

    assert page.headers["Content-Type"].startswith("text/html")
    assert data.json()["Response"]["User"]["NickName"] == "demo"


def test_ask_pretty_indents(owner):
    assert "\n" in owner.fetch("/api/v2!authuser?_pretty=").text
    assert "\n" not in owner.fetch("/api/v2!authuser").text
