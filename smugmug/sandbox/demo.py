"""The demo library: real photographs in six albums, three bursts made from some of them.

Titles, authors and licences are real. Cameras, dates, keywords and the one place are invented, so that the
library looks like a photographer's; they are the same on every machine.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from .catalogue import Credit, credits
from .collection import Album, Camera, Frame, Photo, Place, Shot, make_key
from .holdings import Library
from .synthetic import synthetic_library

NIKON = Camera("NIKON CORPORATION", "NIKON Z 6_2", "NIKKOR Z 24-120mm f/4 S", "DSC_")
CANON = Camera("Canon", "Canon EOS R6", "RF24-105mm F4 L IS USM", "IMG_")
FUJI = Camera("FUJIFILM", "X-T4", "XF16-55mmF2.8 R LM WR", "DSCF")
PHONE = Camera("Google", "Pixel 6", "Pixel 6 back camera 6.81mm f/1.85", "PXL_")

# Album → when its pictures were taken (wall clock) and with what.
SHOOTS = {
    "Flight and Space": (datetime(2023, 5, 13, 9, 12, 40), NIKON),
    "Animals": (datetime(2023, 8, 26, 15, 3, 5), CANON),
    "Food": (datetime(2024, 1, 14, 12, 41, 18), PHONE),
    "Studio": (datetime(2024, 3, 9, 17, 20, 2), FUJI),
    "Outdoors": (datetime(2024, 6, 29, 6, 55, 31), NIKON),
    "Places": (datetime(2024, 10, 5, 10, 30, 12), CANON),
}
UNLISTED = "Studio"  # the one album that the public view leaves out
KEYWORDS = {
    "rocket-on-the-pad.jpg": ("rocket", "launch", "Florida"),
    "eileen-collins.jpg": ("NASA", "portrait", "astronaut"),
    "hot-air-balloon.jpg": ("balloon",),
    "chelsea-the-cat.jpg": ("cat", "Chelsea"),
    "two-dogs-on-a-balcony.jpg": ("dogs", "balcony"),
    "budgerigar-in-flight.jpg": ("budgerigar", "bird in flight"),
    "honey-bee.jpg": ("macro", "bee"),
    "espresso.jpg": ("coffee", "espresso"),
    "half-a-fig.jpg": ("fig", "fruit", "still life"),
    "drum-and-wine.jpg": ("music", "wine"),
    "aizkorri.jpg": ("mountains", "Basque Country"),
    "picos-de-europa.jpg": ("mountains", "Spain", "hiking"),
    "sunset.jpg": ("sunset",),
    "roebling-suspension-bridge.jpg": ("bridge", "Cincinnati"),
    "boats-at-nagasaki.jpg": ("boats", "Japan", "19th century"),
}
# The sideways one, taken upright in the hand and stored as the sensor saw it.
SIDEWAYS = "two-dogs-on-a-balcony.jpg"
PLACE = Place(43.318333, -1.981667, 12, "Donostia", "Spain")
# CC0 photographs → how many frames are made from each, to follow it.
BURSTS = {"rocket-on-the-pad.jpg": 4, "chelsea-the-cat.jpg": 5, "dandelions.jpg": 5}
FRAME_GAP = timedelta(milliseconds=250)
SERIALS = {"sunset.jpg": 1, "citrus-fruits.jpg": 2}  # replaced since they were uploaded
# Scans of old prints and other people's archives know nothing of a camera.
WITHOUT_CAMERA = ("J. Paul Getty", "NASA", "Department of Agriculture")


def library(albums: int | None = None, photos: int | None = None) -> Library:
    """The demo library; or, for load work, `albums` albums of `photos` photos each (default 100 and 100)."""
    if albums is None and photos is None:
        return demo_library()
    return synthetic_library(100 if albums is None else albums, 100 if photos is None else photos)


def demo_library() -> Library:
    return Library([_album(name) for name in SHOOTS])


def _album(name: str) -> Album:
    taken, _camera = SHOOTS[name]
    created = (taken + timedelta(days=1)).replace(hour=19, microsecond=0, tzinfo=UTC)
    photos: list[Photo] = []
    for number, credit in enumerate(credit for credit in credits() if credit.album == name):
        photo = _photo(credit, number, created)
        photos += [photo, *_burst(photo, credit)]
    return Album(
        key=make_key(f"album:{name}", 6),
        node_id=make_key(f"node:{name}", 6),
        name=name,
        created=created,
        updated=created + timedelta(hours=1),
        images_updated=max(photo.updated for photo in photos),
        photos=photos,
        privacy="Unlisted" if name == UNLISTED else "Public",
    )


def _photo(credit: Credit, number: int, created: datetime) -> Photo:
    shot = _shot(credit, number)
    uploaded = created + timedelta(seconds=40 * number)
    return Photo(
        key=make_key(f"image:{credit.file}", 7),
        file_name=_file_name(shot, number) if shot else credit.file,
        width=credit.width,
        height=credit.height,
        frame=Frame(credit.file, is_sideways=credit.file == SIDEWAYS),
        uploaded=uploaded,
        updated=uploaded + timedelta(seconds=2),
        title=credit.title,
        caption=credit.line,
        keywords=KEYWORDS.get(credit.file, ()),
        shot=shot,
        serial=SERIALS.get(credit.file, 0),
    )


def _shot(credit: Credit, number: int) -> Shot | None:
    """How the picture was taken; one in four has lost its EXIF, as have those that never had a camera's."""
    has_lost_it = number % 4 == 3 and credit.file != SIDEWAYS and credit.file not in BURSTS
    if has_lost_it or any(name in credit.author for name in WITHOUT_CAMERA):
        return None
    start, camera = SHOOTS[credit.album]
    return Shot(
        taken=start + timedelta(minutes=7 * number, seconds=11 * number),
        camera=camera,
        exposure=(125, 250, 500, 60)[number % 4],
        aperture=(4.0, 5.6, 8.0)[number % 3],
        iso=(100, 200, 400, 800)[number % 4],
        focal_length=(24, 35, 50, 85, 105)[number % 5],
        place=PLACE if credit.file == SIDEWAYS else None,
    )


def _file_name(shot: Shot, number: int) -> str:
    return f"{shot.camera.prefix}{400 + shot.taken.month * 20 + number * 7:04d}.JPG"


def _burst(first: Photo, credit: Credit) -> Iterator[Photo]:
    """The frames after `first`, a quarter of a second apart: each a little shifted, brighter or darker."""
    stem, _dot, _ending = first.file_name.partition(".")
    for step in range(1, BURSTS.get(credit.file, 0) + 1):
        left, top = 2 * step, step
        right, bottom = 2, 2
        shot = first.shot and replace(first.shot, taken=first.shot.taken + step * FRAME_GAP)
        yield Photo(
            key=make_key(f"image:{credit.file}:{step}", 7),
            file_name=f"{stem[:-4]}{int(stem[-4:]) + step:04d}.JPG",
            width=credit.width - left - right,
            height=credit.height - top - bottom,
            frame=Frame(credit.file, (left, top, right, bottom), exposure=1 + 0.012 * (-1) ** step * step),
            uploaded=first.uploaded + timedelta(seconds=3 * step),
            updated=first.uploaded + timedelta(seconds=3 * step + 2),
            caption=f"{credit.line}; burst frame {step + 1}, cropped and exposed differently",
            shot=shot,
        )
