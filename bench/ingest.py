"""How fast listings become rows, with the network taken out, and whether the worker's memory grows with the library.

    python bench/ingest.py [--albums 1000] [--sample 10]

A full sync of albums of 100 photos, from answers made beforehand in the shape of the stand-in's: reading the JSON is
part of it, fetching it is not. Prints photos a second ÷ 800, which is what 4 requests of 200 images bring (bound 4);
the peak memory of the worker process ÷ that at a tenth of the albums (bound 1.2), each in a process of its own; and
the same for the baseline, which writes row by row with update_or_create.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlencode

from testbed import SPAWN, StandIn, account_of, services, set_up

from smugmug.sandbox import Sandbox, library
from smugmug.sandbox.collection import KEY_LETTERS
from smugmug.sandbox.messages import Call, Reply

A_PAGE = 100  # albums, and photos
FLOOR = 800  # images a second


class Measured(NamedTuple):
    photos: int
    seconds: float
    peak: int  # of memory; bytes

    @property
    def rate(self) -> float:
        return self.photos / self.seconds


class Keeping(Sandbox):
    """Keeps the body of its last answer."""

    body = ""

    def answer(self, call: Call) -> Reply:
        reply = super().answer(call)
        self.body = reply.body.decode()
        return reply


class Answers:
    """In the place of a client's wire: one album's answers, under other keys for every album."""

    waiting_until = None

    def __init__(self, first: int, albums: int, images: str, listed: str) -> None:
        self.first, self.albums, self.images, self.listed = first, albums, images, listed
        self.requests_made = 0

    def get(self, path: str, params: Mapping[str, str]) -> Any:
        self.requests_made += 1
        if "!albums" in path:
            return self._list(int(params["start"]))
        key = path.partition("/album/")[2].partition("!")[0]
        # Of a photo's key, L and six letters, the last two count the photos of the first album.
        return json.loads(self.images.replace("Lbbbb", f"L{key[2:]}").replace("Abbbbb", key))

    def _list(self, start: int) -> Any:
        numbers = range(self.first + start - 1, min(self.first + start - 1 + A_PAGE, self.first + self.albums))
        listed = [json.loads(self.listed.replace("Abbbbb", album_key(number))) for number in numbers]
        pages = {"Total": self.albums, "Start": start, "Count": len(listed)}
        if start + A_PAGE <= self.albums:
            pages["NextPage"] = f"?{urlencode({'start': start + A_PAGE})}"
        return {"Response": {"Locator": "Album", "Album": listed, "Pages": pages}}


def album_key(number: int) -> str:
    """A and five letters that count, as the stand-in's."""
    digits = ""
    for _ in range(5):
        number, digit = divmod(number, len(KEY_LETTERS))
        digits = KEY_LETTERS[digit] + digits
    return f"A{digits}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--albums", type=int, default=1_000, help="of 100 photos each")
    parser.add_argument("--sample", type=int, default=10, help="albums for the baseline")
    options = parser.parse_args()
    tenth = max(1, options.albums // 10)
    with services():
        base = in_a_process(row_by_row, 0, options.sample)
        small = in_a_process(whole_sync, options.sample, tenth)
        large = in_a_process(whole_sync, options.sample + tenth, options.albums)
    for name, measured in (("row by row", base), ("by sets", small), ("by sets", large)):
        peak = measured.peak / 2**20
        print(f"{name:10} {measured.photos:7,} photos: {measured.rate:6,.0f} a second, peak {peak:.0f} MB")
    print(f"photos a second ÷ {FLOOR}: {large.rate / FLOOR:.2f} (bound 4)")
    print(f"peak memory ÷ at a tenth of the albums: {large.peak / small.peak:.2f} (bound 1.2)")
    print(f"by sets ÷ row by row: {large.rate / base.rate:.1f}")


def in_a_process(work: Callable[[Any, Any], int], first: int, albums: int) -> Measured:
    here, there = SPAWN.Pipe()
    process = SPAWN.Process(target=measure, args=(work, first, albums, there))
    process.start()
    there.close()
    measured: Measured = here.recv()
    process.join()
    return measured


def measure(work: Callable[[Any, Any], int], first: int, albums: int, told: Any) -> None:
    with clients(first, albums) as client:
        account = account_of(StandIn("http://127.0.0.1:9", f"library{first}", "token", "secret"))
        began = time.perf_counter()
        photos = work(account, client)
        seconds = time.perf_counter() - began
    unit = 1 if sys.platform == "darwin" else 1024
    told.send(Measured(photos, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit))


@contextmanager
def clients(first: int, albums: int) -> Iterator[Any]:
    """The client of the sync, that is answered at once; the answers are made here, by a stand-in that then is gone."""
    with Keeping(library=library(albums=1, photos=A_PAGE)) as smugmug:
        os.environ["SMUGMUG_API_URL"] = smugmug.url
        set_up()
        from smugmug import oauth

        client = oauth.client(oauth.Token(*smugmug.grant()))
        client.images_page(smugmug.library.albums[0].key)
        images = smugmug.body
        client.albums_page(smugmug.nickname)
        [listed] = json.loads(smugmug.body)["Response"]["Album"]
        client.close()
    client.wire = Answers(first, albums, images, json.dumps(listed))  # type: ignore[assignment]
    yield client


def whole_sync(account: Any, client: Any) -> int:
    from smugmug import sync

    run, _ = sync.start(account, by=None)
    sync.carry_on(run, client=client, seconds=24 * 3600)
    run.refresh_from_db()
    assert run.state == "succeeded", (run.state, run.waiting_for, run.errors[:3])
    assert run.photos_new == run.photos_seen == run.done * A_PAGE
    return run.photos_new


def row_by_row(account: Any, client: Any) -> int:
    """The same rows, an UPDATE or INSERT each, an album a transaction."""
    from django.db import transaction
    from django.utils import timezone

    from smugmug import mirror
    from smugmug.models import Album, AlbumPhoto, Photo

    mirror.save_albums(account, client.albums_page(account.nickname).items)
    photos = 0
    for album in Album.objects.filter(account=account):
        images = client.images_page(album.album_key).items
        with transaction.atomic():
            for position, image in enumerate(images, start=1):
                row = mirror._row(album, image, timezone.now())
                values = {f"{name}_id" if name in {"account", "album"} else name: row[name] for name in row}
                photo, _ = Photo.objects.update_or_create(image_key=values.pop("image_key"), defaults=values)
                place = {"position": position, "origin": image.origin}
                AlbumPhoto.objects.update_or_create(album=album, photo=photo, defaults=place)
        photos += len(images)
    return photos


if __name__ == "__main__":
    main()
