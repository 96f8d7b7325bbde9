"""Image bytes: the file as uploaded, and the renditions made of it, at SmugMug's sizes.

Everything is made when it is first asked for and kept in memory, bounded by the number of pictures.
"""

import hashlib
import io
import struct
from dataclasses import dataclass
from functools import lru_cache

from PIL import ExifTags, Image, ImageEnhance, ImageOps
from PIL.TiffImagePlugin import IFDRational

from .catalogue import PHOTOS
from .collection import Frame, Photo, Place, Shot

SIDEWAYS_ORIENTATION = 6  # to be shown turned by 90° clockwise
UPRIGHT_ORIENTATION = 1
APP1 = b"\xff\xe1"  # the JPEG segment that holds EXIF


@dataclass(frozen=True)
class Size:
    """One of SmugMug's sizes: the box a rendition fits into, and its code in addresses."""

    name: str
    code: str
    width: int
    height: int
    is_square: bool = False  # cut to fill the box instead

    def fit(self, width: int, height: int) -> tuple[int, int] | None:
        """What a picture of these pixels measures at this size; None where it would have to be enlarged."""
        if self.is_square:
            return (self.width, self.height) if min(width, height) >= self.width else None
        scale = min(self.width / width, self.height / height)
        if scale > 1:
            return None
        return max(1, round(width * scale)), max(1, round(height * scale))


SIZES = (
    Size("Tiny", "Ti", 100, 100, is_square=True),
    Size("Thumb", "Th", 150, 150, is_square=True),
    Size("Small", "S", 400, 300),
    Size("Medium", "M", 600, 450),
    Size("Large", "L", 800, 600),
    Size("XLarge", "XL", 1024, 768),
    Size("X2Large", "X2", 1280, 960),
    Size("X3Large", "X3", 1600, 1200),
    Size("X4Large", "X4", 2048, 1536),
    Size("X5Large", "X5", 2560, 1920),
    Size("4K", "4K", 3840, 2560),
    Size("5K", "5K", 5120, 3840),
)
# Sizes from here on keep the sideways picture as it is stored.
LARGE_CODES = tuple(size.code for size in SIZES[5:])


def original(photo: Photo) -> bytes:
    """The file as the photographer uploaded it."""
    return _original(photo.frame, photo.shot if photo.has_exif else None)


def fingerprint(photo: Photo) -> tuple[int, str]:
    """Bytes and MD5 of the original."""
    return _fingerprint(photo.frame, photo.shot if photo.has_exif else None)


def rendition(photo: Photo, size: Size) -> bytes | None:
    """The picture at one of SmugMug's sizes; None where it is too small for it."""
    box = size.fit(photo.width, photo.height)
    if box is None:
        return None
    shot = photo.shot if photo.frame.is_sideways and size.code in LARGE_CODES else None
    return _rendition(photo.frame, shot, box)


def film(photo: Photo) -> bytes:
    """What a video's address leads to: the boxes of an MP4, but no pictures in it, so it does not play."""
    brand = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
    filling = hashlib.sha256(f"{photo.key}:{photo.serial}".encode()).digest() * 1024
    return brand + struct.pack(">I", len(filling) + 8) + b"mdat" + filling


@lru_cache(maxsize=4096)
def _fingerprint(frame: Frame, shot: Shot | None) -> tuple[int, str]:
    content = _original(frame, shot)
    return len(content), hashlib.md5(content, usedforsecurity=False).hexdigest()


@lru_cache(maxsize=256)
def _original(frame: Frame, shot: Shot | None) -> bytes:
    is_untouched = frame == Frame(frame.file)
    content = (PHOTOS / frame.file).read_bytes() if is_untouched else _jpeg(_stored(frame))
    return content if shot is None else _with_exif(content, exif(frame, shot))


@lru_cache(maxsize=512)
def _rendition(frame: Frame, shot: Shot | None, box: tuple[int, int]) -> bytes:
    """Upright and without EXIF, as SmugMug's are; with a `shot`, as stored and with all of its EXIF.

    The second is what a plain server may do with large sizes. It is here so that a client's own turning
    and stripping is put to the proof.
    """
    if shot is None:
        return _jpeg(ImageOps.fit(_upright(frame), box))
    picture = _stored(frame).resize(box[::-1] if frame.is_sideways else box)
    return _with_exif(_jpeg(picture), exif(frame, shot))


def _upright(frame: Frame) -> Image.Image:
    with Image.open(PHOTOS / frame.file) as opened:
        picture = opened.convert("RGB")
    left, top, right, bottom = frame.margins
    picture = picture.crop((left, top, picture.width - right, picture.height - bottom))
    return ImageEnhance.Brightness(picture).enhance(frame.exposure)


def _stored(frame: Frame) -> Image.Image:
    """The pixels in the order of the file, which is not upright for the sideways one."""
    picture = _upright(frame)
    return picture.transpose(Image.Transpose.ROTATE_90) if frame.is_sideways else picture


def _jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88)
    return out.getvalue()


def _with_exif(jpeg: bytes, payload: bytes) -> bytes:
    """Put EXIF in front of the first segment; the pixels stay as they were encoded."""
    segment = APP1 + struct.pack(">H", len(payload) + 2) + payload
    return jpeg[:2] + segment + jpeg[2:]


def exif(frame: Frame, shot: Shot) -> bytes:
    """The EXIF block a camera would have written for this shot."""
    base, block = ExifTags.Base, Image.Exif()
    block[base.Make] = shot.camera.make
    block[base.Model] = shot.camera.model
    block[base.Orientation] = SIDEWAYS_ORIENTATION if frame.is_sideways else UPRIGHT_ORIENTATION
    block[base.DateTime] = f"{shot.taken:%Y:%m:%d %H:%M:%S}"
    block.get_ifd(ExifTags.IFD.Exif).update(
        {
            base.DateTimeOriginal: f"{shot.taken:%Y:%m:%d %H:%M:%S}",
            base.DateTimeDigitized: f"{shot.taken:%Y:%m:%d %H:%M:%S}",
            base.SubsecTimeOriginal: f"{shot.taken.microsecond // 1000:03d}",
            base.ExposureTime: IFDRational(1, shot.exposure),
            base.FNumber: IFDRational(round(shot.aperture * 10), 10),
            base.ISOSpeedRatings: shot.iso,
            base.FocalLength: IFDRational(shot.focal_length),
            base.LensModel: shot.camera.lens,
        }
    )
    if shot.place:
        block.get_ifd(ExifTags.IFD.GPSInfo).update(_gps(shot.place))
    return block.tobytes()


def _gps(place: Place) -> dict[int, object]:
    tags = ExifTags.GPS
    return {
        tags.GPSLatitudeRef: "N" if place.latitude >= 0 else "S",
        tags.GPSLatitude: _degrees(place.latitude),
        tags.GPSLongitudeRef: "E" if place.longitude >= 0 else "W",
        tags.GPSLongitude: _degrees(place.longitude),
        tags.GPSAltitudeRef: b"\x00",  # above the sea
        tags.GPSAltitude: IFDRational(place.altitude),
    }


def _degrees(angle: float) -> tuple[IFDRational, IFDRational, IFDRational]:
    """Degrees, minutes, seconds."""
    minutes, seconds = divmod(round(abs(angle) * 360_000), 6000)
    degrees, minutes = divmod(minutes, 60)
    return IFDRational(degrees), IFDRational(minutes), IFDRational(seconds, 100)
