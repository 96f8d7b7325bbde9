"""/photos: the bytes of pictures and films, at addresses that the API gives."""

from . import pages, pictures
from .collection import Photo
from .holdings import Library
from .messages import Call, Reply, html_reply
from .parts import VIDEO_CODE

PHOTOS_PATH = "/photos/"
YEAR = 31_536_000  # seconds


def answer_picture(call: Call, library: Library, *, is_owner: bool | None) -> Reply:
    """/photos/i-KEY/SERIAL/HASH/CODE/NAME: like SmugMug's image hosts, it asks for no key and no hash.

    `is_owner` tells whether the call is the owner's where private pictures need that; None where they do not.
    """
    parts = call.path.split("/")
    key = parts[2].removeprefix("i-")
    with library.lock:
        found = library.home(key) if len(parts) == 7 else None
        is_private = is_owner is False and all(album.privacy == "Private" for album in library.holders(key))
        if found is None or parts[3] != str(found[1].serial) or found[1].is_unprocessed:
            return html_reply(404, pages.not_found())
        photo = found[1]
    return html_reply(401, pages.not_found()) if is_private else _bytes(photo, parts[5])


def _bytes(photo: Photo, code: str) -> Reply:
    if code in ("O", "D"):
        headers = {"Cache-Control": "private", "ETag": f'"{pictures.fingerprint(photo)[1]}"'}
        return Reply(200, pictures.original(photo), {"Content-Type": "image/jpeg", **headers})
    if code == VIDEO_CODE and photo.film:
        return Reply(200, pictures.film(photo), {"Content-Type": "video/mp4", "Cache-Control": "private"})
    size = next((size for size in pictures.SIZES if size.code == code), None)
    content = pictures.rendition(photo, size) if size else None
    if content is None:
        return html_reply(404, pages.not_found())
    return Reply(200, content, {"Content-Type": "image/jpeg", "Cache-Control": f"public, max-age={YEAR}"})
