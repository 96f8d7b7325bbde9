"""Whether the mirror is what the stand-in's library is: row by row, column by column, place by place.

What ought to stand in a row is written down here a second time, from what the library holds and not from what the
client made of the answers. Plain functions, for tests and for scripts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from smugmug.models import Account, Album, AlbumPhoto, Photo
from smugmug.sandbox import Sandbox, collection, parts, pictures, shapes

SHOWN = 40  # differences; more say no more


@dataclass(frozen=True)
class Place:
    """One photo as it stands in one album of the library."""

    album: collection.Album
    home: collection.Album
    photo: collection.Photo


def differences(smugmug: Sandbox, account: Account, *, without: Collection[str] = ()) -> list[str]:
    """One line for each value in which the mirror is not the library; [] where it is equal.

    Of a locked album only its state is compared: what the mirror knew before may stay, as may the photos that it has
    there. `without` names albums (by key) that could not be read: of them and of what stands only in them nothing is.
    """
    with smugmug.library.lock:
        found = list(_Comparison(smugmug, account, frozenset(without)).lines())
    return found if len(found) <= SHOWN else [*found[:SHOWN], f"and {len(found) - SHOWN} more"]


class _Comparison:
    def __init__(self, smugmug: Sandbox, account: Account, without: frozenset[str]) -> None:
        self.library, self.account, self.without = smugmug.library, account, without
        self.shaper = shapes.Shaper(smugmug.library, smugmug.url, is_owner=True)
        self.readable = [album for album in self.library.albums if not album.is_locked and album.key not in without]

    def lines(self) -> Iterator[str]:
        yield from self._albums()
        yield from self._places()
        yield from self._photos()

    def _albums(self) -> Iterator[str]:
        rows = {row.album_key: row for row in Album.objects.filter(account=self.account)}
        wanted = {album.key: album for album in self.library.albums if album.key not in self.without}
        present = {key for key, row in rows.items() if row.removed_at is None} - self.without
        yield from _unequal_keys("album", present, set(wanted), of=rows)
        for key in sorted(present & set(wanted)):
            yield from _unequal(f"album {key}", rows[key], self._album(wanted[key]))

    def _album(self, album: collection.Album) -> dict[str, Any]:
        if album.is_locked:
            return {"is_locked": True, "security_type": "Password"}
        return {
            "user_id": self.library.nickname,
            "album_id": album.node_id,
            "title": album.name,
            "description": album.description,
            "image_count": len(album.photos),
            "last_updated": album.updated,
            "images_last_updated": album.images_updated,
            "url_path": f"/{album.url_name}",
            "web_url": self.shaper.album(album)["WebUri"],
            "privacy": album.privacy,
            "security_type": "Password" if album.has_password else "None",
            "is_locked": False,
        }

    def _places(self) -> Iterator[str]:
        """Which photos stand in each album, in which order, and whether they live there."""
        standings: dict[str, list[tuple[int, str, str]]] = {}
        rows = AlbumPhoto.objects.filter(album__account=self.account).order_by("position")
        for album, *standing in rows.values_list("album__album_key", "position", "photo__image_key", "origin"):
            standings.setdefault(album, []).append(tuple(standing))
        for album in self.readable:
            wanted = [
                (position, place.photo.key, "Album" if place.home is album else "Collected")
                for position, place in enumerate(self._standing_in(album), start=1)
            ]
            if standings.get(album.key, []) != wanted:
                yield f"album {album.key}: shows {standings.get(album.key, [])}, should show {wanted}"
        left = standings.keys() - {album.key for album in self.library.albums} - self.without
        yield from (f"album {key}: is gone, and still shows {len(standings[key])} photos" for key in sorted(left))

    def _standing_in(self, album: collection.Album) -> Iterator[Place]:
        for photo in album.photos:
            found = self.library.home(photo.key)
            yield Place(album, found[0] if found else album, photo)

    def _photos(self) -> Iterator[str]:
        rows = {row.image_key: row for row in Photo.objects.filter(account=self.account).select_related("album")}
        places: dict[str, list[Place]] = {}
        for album in self.readable:
            for place in self._standing_in(album):
                places.setdefault(place.photo.key, []).append(place)
        present = {key for key, row in rows.items() if row.removed_at is None}
        yield from _unequal_keys("photo", present - self._unknowable() - set(places), set(), of=rows)
        yield from _unequal_keys("photo", present & set(places), set(places), of=rows)
        for key in sorted(present & set(places)):
            yield from self._photo(rows[key], places[key])

    def _unknowable(self) -> set[str]:
        """Photos that stand, here or there, in an album that cannot be read: nobody can say what became of them."""
        closed = {album.key for album in self.library.albums if album.is_locked} | self.without
        hidden = {photo.key for album in self.library.albums if album.key in closed for photo in album.photos}
        standing = AlbumPhoto.objects.filter(album__account=self.account, album__album_key__in=closed)
        return hidden | set(standing.values_list("photo__image_key", flat=True))

    def _photo(self, row: Photo, places: list[Place]) -> Iterator[str]:
        """Where its home cannot be read, SmugMug tells of it what the album that shows it tells: neither sizes nor
        camera data, and not its own page.
        """
        photo, home = places[0].photo, places[0].home
        yield from _unequal(f"photo {row.image_key}", row, self._content(photo))
        if home in self.readable:
            yield from _unequal(f"photo {row.image_key}", row, self._at_home(photo, home))
            if row.album.album_key != home.key:
                yield f"photo {row.image_key}: lives in {row.album.album_key}, should live in {home.key}"

    def _content(self, photo: collection.Photo) -> dict[str, Any]:
        """Of a film, SmugMug's size and checksum are those of a poster, and are not kept."""
        size, md5 = (None, "") if photo.film else pictures.fingerprint(photo)
        width, height = (0, 0) if photo.is_unprocessed else (photo.width, photo.height)
        return {
            "image_id": f"{photo.key}-{photo.serial}",
            "filename": photo.file_name,
            "title": photo.title,
            "caption": photo.caption,
            "keywords": list(photo.keywords),
            "date_taken": photo.shot.taken.replace(microsecond=0) if photo.shot else None,
            "width": width,
            "height": height,
            "size_bytes": size,
            "format": "MP4" if photo.film else "JPG",
            "is_video": photo.film is not None,
            "is_hidden": photo.is_hidden,
            "latitude": _degrees(photo.where.latitude) if photo.where else None,
            "longitude": _degrees(photo.where.longitude) if photo.where else None,
            "archived_md5": "" if photo.is_unprocessed else md5,
            "uploaded_at": photo.uploaded,
            "remote_updated_at": photo.updated,
        }

    def _at_home(self, photo: collection.Photo, home: collection.Album) -> dict[str, Any]:
        original = "" if photo.is_unprocessed else self.shaper.picture_url(photo, "D", home)
        return {
            "exif": _exif(photo.shot) if photo.shot else {},
            "image_url": self.shaper.album_image(photo, home, home)["WebUri"],
            "thumbnail_url": self._rendition(photo, home, 450) or self.shaper.picture_url(photo, "Th", home),
            "large_url": self._rendition(photo, home, 1024),
            "original_url": original,
        }

    def _rendition(self, photo: collection.Photo, home: collection.Album, pixels: int) -> str:
        """The smallest size whose long side is at least that, else the largest there is, else ""."""
        item = parts.size_details(self.shaper, photo, home)
        sizes = [item[name] for name in item["UsableSizes"] if name.startswith("ImageSize")]
        sizes.sort(key=lambda size: max(size["Width"], size["Height"]))
        fitting = [size for size in sizes if max(size["Width"], size["Height"]) >= pixels]
        chosen = fitting[0] if fitting else sizes[-1] if sizes else {"Url": ""}
        url: str = chosen["Url"]
        return url


def _exif(shot: collection.Shot) -> dict[str, str]:
    """As a person reads it."""
    camera = shot.camera
    model = camera.model if camera.model.casefold().startswith(camera.make.casefold()) else None
    found = {
        "camera": model or f"{camera.make} {camera.model}",
        "lens": camera.lens,
        "exposure": f"1/{shot.exposure} s · f/{shot.aperture:g} · ISO {shot.iso} · {shot.focal_length:.1f} mm",
        "place": f"{shot.place.city}, {shot.place.country}" if shot.place else "",
    }
    return {name: value for name, value in found.items() if value}


def _degrees(angle: float) -> float:
    """With as many places as SmugMug writes."""
    return float(f"{angle:.14f}")


def _unequal(name: str, row: Any, wanted: dict[str, Any]) -> Iterator[str]:
    for column, value in wanted.items():
        if getattr(row, column) != value:
            yield f"{name}: {column} is {getattr(row, column)!r}, should be {value!r}"


def _unequal_keys(what: str, there: set[str], wanted: set[str], of: Collection[str] = ()) -> Iterator[str]:
    yield from (f"{what} {key}: is there, and should not be" for key in sorted(there - wanted))
    for key in sorted(wanted - there):
        yield f"{what} {key}: {'is marked as removed' if key in of else 'is missing'}"
