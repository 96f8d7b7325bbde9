import io

import pytest
import responses
from PIL import Image

from smugmug import client as client_module
from smugmug.client import (
    SmugMugGone,
    SmugMugNonsense,
    SmugMugUnavailable,
)
from smugmug.sandbox.messages import Reply, html_reply
from tests.smugmug.conftest import connected


@pytest.fixture
def client(own_smugmug):
    return connected(own_smugmug)


@pytest.fixture
def photo(own_smugmug):
    """A photo whose serial is not 0."""
    return next(photo for album in own_smugmug.library.albums for photo in album.photos if photo.serial)


# --- Bytes


@pytest.fixture
def url(client, photo):
    return client.renditions(f"{photo.key}-{photo.serial}")[0].url


def test_fetch_bytes_gives_the_picture(client, url):
    with Image.open(io.BytesIO(client.image_bytes(url))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (100, 100))


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_fetch_bytes_of_a_moved_address_is_gone(client, url, faults, status):
    faults.reply("/photos/", html_reply(status, "<h1>No</h1>"))

    with pytest.raises(SmugMugGone):
        client.image_bytes(url)


@pytest.mark.parametrize("reply", [Reply(500), Reply(429), Reply(302, b"", {"Location": "/photos/other"})])
def test_fetch_bytes_of_a_troubled_address_is_unavailable(client, url, faults, reply):
    faults.reply("/photos/", reply)

    with pytest.raises(SmugMugUnavailable):
        client.image_bytes(url)
    assert sum("/photos/" in call.target for call in faults.calls) == 1


def test_fetch_bytes_where_nobody_listens_is_unavailable(client):
    with pytest.raises(SmugMugUnavailable, match="image not fetched: ConnectionError"):
        client.image_bytes("http://127.0.0.1:9/photos/x.jpg")


def test_fetch_bytes_beyond_all_measure_is_nonsense(client, url, monkeypatch):
    monkeypatch.setattr(client_module, "IMAGE_BYTES", 100)

    with pytest.raises(SmugMugNonsense):
        client.image_bytes(url)


def test_fetch_bytes_signs_for_our_hosts_only(client, url, faults):
    client.image_bytes(url)
    client.image_bytes(url.replace("127.0.0.1", "localhost"))

    ours, foreign = (call.headers for call in faults.calls if call.path.startswith("/photos/"))
    assert ours["authorization"].startswith("OAuth ")
    assert "authorization" not in foreign


@pytest.mark.parametrize(
    ("host", "is_signed"),
    [("photos.smugmug.com", True), ("smugmug.com.example.org", False), ("notsmugmug.com", False)],
)
def test_fetch_bytes_signs_for_smugmugs_image_host(client, host, is_signed):
    with responses.RequestsMock() as mock:
        mock.get(f"https://{host}/photos/x.jpg", body=b"jpeg")

        assert client.image_bytes(f"https://{host}/photos/x.jpg") == b"jpeg"
        assert ("Authorization" in mock.calls[0].request.headers) is is_signed
