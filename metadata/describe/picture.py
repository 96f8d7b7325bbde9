"""Any photo file → the small, upright, anonymous JPEG that a describer sees.

What leaves here has no EXIF, no place, no comment and no colour profile: it goes to other people's servers.
The perceptual hash of how it looks is taken on the way.
"""

import io
import struct
from dataclasses import dataclass

from PIL import Image, ImageCms, UnidentifiedImageError

from metadata.describe.errors import UnusablePicture

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF")  # never EPS: it would start Ghostscript
SHORTEST = 8  # pixels; anything smaller is a spacer, not a photo
QUALITY = 85
NOISE = 1.0  # greys of 255; a smaller difference is the encoder's doing

_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What Pillow's decoders raise on damaged or hostile files. A bomb is over 178 megapixels, Pillow's limit.
_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    OverflowError,
    ZeroDivisionError,
    RuntimeError,
    struct.error,
    Image.DecompressionBombError,
)

TOO_SMALL = "The picture is too small to be described."
BROKEN = "The picture is damaged: its file breaks off or cannot be decoded. Upload it to SmugMug again."
_SENTENCES: dict[type[Exception], str] = {
    UnidentifiedImageError: "The file is no picture in a format that can be read. Check it in SmugMug.",
    Image.DecompressionBombError: "The picture has too many pixels to be decoded safely.",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """What a describer is sent. `perceptual_hash` is signed, of 64 bits; `width` and `height` are the JPEG's."""

    jpeg: bytes
    perceptual_hash: int
    width: int
    height: int


def prepare(data: bytes, *, pixels: int) -> Picture:
    """`data` as an upright sRGB JPEG, its long side at most `pixels`; UnusablePicture if it is no photo."""
    image = decode(data, pixels=pixels)
    return Picture(encode(image), dhash(image), image.width, image.height)


def encode(image: Image.Image) -> bytes:
    """`image` as a JPEG with nothing in it but the picture."""
    image.info.clear()  # the encoder would write a comment or XMP found here
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def dhash(image: Image.Image) -> int:
    """64 bits, one for each place of a grid of 8 by 8, set where the place to its right is brighter; a signed number.

    It stays nearly the same when the picture is resized or compressed anew. See `distance`.
    """
    width, height = 9, 8
    # In real numbers: rounded ones would flip bits at random where a picture is smooth.
    grid = image.convert("L").resize((8 * width, 8 * height), Image.Resampling.BILINEAR).convert("F")
    greys = struct.unpack(f"{width * height}f", grid.resize((width, height), Image.Resampling.LANCZOS).tobytes())
    bits = 0
    for place in range(width * height):
        if place % width < width - 1:
            bits = bits << 1 | (greys[place] + NOISE < greys[place + 1])
    return int.from_bytes(bits.to_bytes(8, "big"), "big", signed=True)


def distance(a: int, b: int) -> int:
    """In how many of their 64 bits two hashes differ: up to about 10 for pictures that look alike, 32 for any two."""
    return ((a ^ b) & (1 << 64) - 1).bit_count()


def decode(data: bytes, *, pixels: int) -> Image.Image:
    """`data` as an upright sRGB picture, shrunk to a long side of at most `pixels` and never enlarged."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if min(image.size) < SHORTEST:
                raise UnusablePicture(f"the picture is only {image.width} by {image.height} pixels", advice=TOO_SMALL)
            image.draft(None, _within(image.size, pixels))  # a large JPEG is decoded no larger than needed
            image.load()
            picture = _upright(_rgb(image), _orientation(image))
    except _DAMAGED as exc:
        advice = next((sentence for kind, sentence in _SENTENCES.items() if isinstance(exc, kind)), BROKEN)
        raise UnusablePicture(f"the picture cannot be decoded: {type(exc).__name__}", advice=advice) from exc
    picture.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
    return picture


def _within(size: tuple[int, int], pixels: int) -> tuple[int, int]:
    """`size` in proportion, its long side `pixels`."""
    return max(1, size[0] * pixels // max(size)), max(1, size[1] * pixels // max(size))


def _orientation(image: Image.Image) -> int | None:
    """The EXIF orientation, 1 to 8; None where damaged EXIF hides it."""
    try:
        return image.getexif().get(_ORIENTATION)
    except _DAMAGED:
        return None


def _upright(image: Image.Image, orientation: int | None) -> Image.Image:
    turn = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def _rgb(image: Image.Image) -> Image.Image:
    """`image` in sRGB: what is transparent on white, 16 bits scaled to 8."""
    profile = image.info.get("icc_profile")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGB", layer.size, "white")
        image.paste(layer, mask=layer.getchannel("A"))
    elif image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    elif image.mode not in {"RGB", "L", "CMYK"}:
        image = image.convert("RGB")
    return _srgb(image, profile) if profile else image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """A picture of 16-bit, 32-bit or real-numbered greys, its brightest grey at most white."""
    grey = image.convert("F")
    brightest = grey.getextrema()[1]
    scale = 255 / 65535 if image.mode != "F" else 255 / max(1.0, float(str(brightest)))
    return grey.point(lambda value: value * scale + 0).convert("L")


def _srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """`image` converted from its own colour profile; as it is where that is damaged or does not fit."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, *_DAMAGED):
        converted = None
    return converted or image.convert("RGB")
