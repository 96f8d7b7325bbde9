"""Albums, images and the owner as SmugMug writes them: all fields, with links as objects.

What a field holds and who is shown it is as recorded from the real one; the public view is what a stranger sees.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from . import links, pictures
from .collection import Album, DeletedAlbum, Photo, make_key
from .holdings import Library

Item = dict[str, Any]

# An upload of which no sizes could be made; that its pixels are said to be 0 is a guess.
UNPROCESSED: Item = {
    "Processing": True,
    "Status": "Preprocess",
    "SubStatus": "CanNotProcess",
    "OriginalWidth": 0,
    "OriginalHeight": 0,
}
UNKNOWN_WHEN_LOCKED = ("ImageCount", "LastUpdated", "ImagesLastUpdated")


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def image_id(photo: Photo) -> str:
    return f"{photo.key}-{photo.serial}"


def may_see(album: Album, *, is_owner: bool) -> bool:
    """Unlisted albums open to who knows their key; private ones only to the owner."""
    return is_owner or album.privacy != "Private"


def is_listed(album: Album, *, is_owner: bool) -> bool:
    return is_owner or album.privacy == "Public"


def is_locked(album: Album, *, is_owner: bool) -> bool:
    """A password keeps out everybody else; a locked album opens to nobody."""
    return album.is_locked or (album.has_password and not is_owner)


def photos_of(album: Album, *, is_owner: bool) -> Sequence[Photo]:
    """What the caller is shown: of a locked album nothing, as if it were empty."""
    if is_locked(album, is_owner=is_owner):
        return []
    return album.photos if is_owner else [photo for photo in album.photos if not photo.is_hidden]


@dataclass(frozen=True)
class Shaper:
    """Writes a library's objects for one caller."""

    library: Library
    base: str  # http://host:port, for addresses of pictures and web pages
    is_owner: bool

    def user(self) -> Item:
        """The owner as everybody sees them."""
        library = self.library
        values = {"user": library.nickname, "node": make_key(f"root:{library.nickname}", 6)}
        return {
            "NickName": library.nickname,
            "ViewPassHint": "",
            "RefTag": make_key(f"reftag:{library.nickname}", 13),
            "Name": library.name,
            "QuickShare": True,
            "Uri": f"/api/v2/user/{library.nickname}",
            "WebUri": self.base,
            "UriDescription": "User By Nickname",
            "Uris": links.links(links.OWNER if self.is_owner else links.USER, **values),
            "ResponseLevel": self._level,
        }

    def auth_user(self) -> Item:
        """The owner as their own token sees them."""
        first, _space, last = self.library.name.partition(" ")
        return self.user() | {
            "AccountStatus": "Active",
            "Domain": "",
            "DomainOnly": "",
            "FirstName": first,
            "FriendsView": False,
            "ImageCount": self.library.count_photos(),
            "IsTrial": False,
            "LastName": last,
            "Plan": "Portfolio",
            "SortBy": "LastUpdated",
            "ViewPassword": "",
        }

    def album(self, album: Album) -> Item:
        if is_locked(album, is_owner=self.is_owner):
            return self._locked_album(album)
        item = self._album(album)
        return item | self._album_for_owner(album) if self.is_owner else item

    def _locked_album(self, album: Album) -> Item:
        """What is known of it without the password; neither counts nor dates are."""
        item = {name: value for name, value in self._album(album).items() if name not in UNKNOWN_WHEN_LOCKED}
        uris = links.links(links.LOCKED_ALBUM, album=album.key, node=album.node_id, user=self.library.nickname)
        return item | {"SecurityType": "Password", "ResponseLevel": "Password", "Uris": uris}

    def _album(self, album: Album) -> Item:
        return {
            "NiceName": album.url_name,
            "UrlName": album.url_name,
            "Title": album.name,
            "Name": album.name,
            "AllowDownloads": False,  # of originals, to the public
            "Description": album.description,
            "EXIF": True,
            "External": True,
            "Filenames": False,
            "Geography": True,
            "Keywords": album.keywords,
            "PasswordHint": "",
            "Protected": False,
            "SortDirection": "Ascending",
            "SortMethod": "Position",
            "SecurityType": "Password" if album.has_password else "None",
            "CommerceLightbox": True,
            "AlbumKey": album.key,
            "CanBuy": False,
            "CanFavorite": False,
            "LastUpdated": iso(album.updated),
            "ImagesLastUpdated": iso(album.images_updated),
            "NodeID": album.node_id,
            "ImageCount": len(photos_of(album, is_owner=self.is_owner)),
            "UrlPath": f"/{album.url_name}",
            "CanShare": True,
            "HasDownloadPassword": False,
            "Packages": False,
            "Uri": f"/api/v2/album/{album.key}",
            "WebUri": f"{self.base}/{quote(album.url_name)}",
            "UriDescription": "Album by key",
            "Uris": links.links(
                links.OWN_ALBUM if self.is_owner else links.ALBUM,
                album=album.key,
                node=album.node_id,
                user=self.library.nickname,
            ),
            "ResponseLevel": self._level,
        }

    def deleted_album(self, deleted: DeletedAlbum) -> Item:
        """A deleted album has no key any more; its address is made up."""
        album = deleted.album
        return {
            "Name": album.name,
            "UrlPath": f"/{album.url_name}",
            "DateAdded": iso(album.created),
            "DateDeleted": iso(deleted.deleted),
            "DateModified": iso(album.updated),
            "Uri": f"/api/v2/deleted/album/{album.node_id}",
            "UriDescription": "Deleted album",
        }

    def _album_for_owner(self, album: Album) -> Item:
        cover = next(iter(album.photos), None)
        item: Item = {
            "TemplateUri": "/api/v2/template/17",
            "Date": iso(album.created),
            "LargestSize": "Original",
            "MaxPhotoDownloadSize": "Original",
            "Password": "",
            "Privacy": album.privacy,
            "SmugSearchable": "Inherit from User",
            "WorldSearchable": True,
            "SquareThumbs": True,
            "Watermark": False,
        }
        if cover:
            item["HighlightAlbumImageUri"] = f"/api/v2/album/{album.key}/image/{image_id(cover)}"
        return item

    def image(self, photo: Photo, home: Album) -> Item:
        """The picture itself; its captions and keywords are the same in every album that shows it."""
        item = self._words(photo) | self._file(photo, home)
        if photo.is_unprocessed:
            item |= UNPROCESSED
        if photo.shot:
            item["DateTimeOriginal"] = iso(photo.shot.taken_as_utc)
        if self.is_owner:
            archived = {} if photo.is_unprocessed else self._archived(photo, home)
            item |= archived | {"WebUri": self._web_page(photo, home)}
        item["Uri"] = f"/api/v2/image/{image_id(photo)}"
        item["UriDescription"] = "Image by key"
        item["Uris"] = self._image_links(photo, home)
        return item

    def album_image(self, photo: Photo, album: Album, home: Album) -> Item:
        """The picture as it sits in one album."""
        item = self.image(photo, home)
        item["Uri"] = f"/api/v2/album/{album.key}/image/{image_id(photo)}"
        item["UriDescription"] = "Image from album"
        table = links.OWN_ALBUM_IMAGE if self.is_owner else links.ALBUM_IMAGE
        item["Uris"] |= links.links(table, album=album.key, image=image_id(photo))
        item |= {"AlbumKey": album.key, "Movable": True, "Origin": "Album"}
        item["WebUri"] = self._web_page(photo, album)
        if home is not album:
            item |= {
                "Origin": "Collected",
                "CollectedFrom": home.name,
                "CollectedWebUri": f"{self.base}/{quote(home.url_name)}",
            }
        return item

    def _words(self, photo: Photo) -> Item:
        return {
            "Title": photo.title,
            "Caption": photo.caption,
            "Keywords": "; ".join(photo.keywords),
            "KeywordArray": list(photo.keywords),
            "FormattedValues": {
                "Caption": {"html": photo.caption, "text": re.sub(r"<[^>]*>", "", photo.caption)},
                "FileName": {"html": photo.file_name, "text": photo.file_name},
            },
            "Hidden": photo.is_hidden,
            "ShowKeywords": True,
        }

    def _file(self, photo: Photo, home: Album) -> Item:
        place, format_ = photo.where, "MP4" if photo.film else "JPG"
        size, _md5 = pictures.fingerprint(photo)  # of the poster, if it is a film
        return {
            "Watermark": "No",
            "Latitude": f"{place.latitude:.14f}" if place else "0",
            "Longitude": f"{place.longitude:.14f}" if place else "0",
            "Altitude": place.altitude if place else 0,
            "ThumbnailUrl": self.picture_url(photo, "Th", home),
            "FileName": photo.file_name,
            "Processing": False,
            "UploadKey": str(int(photo.uploaded.timestamp())),
            "Date": iso(photo.uploaded),
            "DateTimeUploaded": iso(photo.uploaded),
            "Format": format_,
            "OriginalHeight": photo.height,
            "OriginalWidth": photo.width,
            "OriginalSize": size,
            "LastUpdated": iso(photo.updated),
            "Collectable": photo.film is None,
            "IsArchive": False,
            "IsVideo": photo.film is not None,
            "ComponentFileTypes": {"Image": ["jpg"]} if self.is_owner and not photo.film else [],
            "CanEdit": self.is_owner,
            "CanBuy": False,
            "Protected": False,
            "EZProject": False,
            "Watermarked": False,
            "ImageKey": photo.key,
            "Serial": photo.serial,
            "Status": "Open",
            "SubStatus": "NFS",
            "CanShare": True,
            "Comments": True,
            "PreferredDisplayFileExtension": format_,
        }

    def _archived(self, photo: Photo, home: Album) -> Item:
        size, md5 = pictures.fingerprint(photo)
        return {"ArchivedUri": self.picture_url(photo, "D", home), "ArchivedSize": size, "ArchivedMD5": md5}

    def _image_links(self, photo: Photo, home: Album) -> dict[str, links.Link]:
        table = links.OWN_IMAGE if self.is_owner else links.IMAGE
        return links.links(
            {**table, **links.VIDEO} if photo.film else table,
            image=image_id(photo),
            home=home.key,
            user=self.library.nickname,
        )

    def picture_url(self, photo: Photo, code: str, home: Album, *, ending: str = "jpg") -> str:
        """The address of the bytes; it changes with the album's name and the photo's serial.

        The hash is there because SmugMug has one; nobody checks it.
        """
        digest = sha256(f"{home.url_name}:{photo.key}:{photo.serial}:{code}".encode()).hexdigest()[:41]
        name = quote(photo.file_name.rpartition(".")[0] or photo.file_name or photo.key)
        return f"{self.base}/photos/i-{photo.key}/{photo.serial}/{digest}/{code}/{name}-{code}.{ending}"

    def _web_page(self, photo: Photo, album: Album) -> str:
        return f"{self.base}/{quote(album.url_name)}/i-{photo.key}"

    @property
    def _level(self) -> str:
        return "Full" if self.is_owner else "Public"
