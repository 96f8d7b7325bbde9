"""Any photo file → the small, upright, anonymous JPEG that a describer sees.

What leaves here has no EXIF, no place, no comment and no colour profile: it goes to other people's servers.
"""

import io
import struct

from PIL import Image, ImageCms

from metadata.describe.errors import UnusablePicture

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF")  # never EPS: it would start Ghostscript
SHORTEST = 8  # pixels; anything smaller is a spacer, not a photo
QUALITY = 85

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


def prepare(data: bytes, *, pixels: int) -> bytes:
    """`data` as an upright sRGB JPEG, its long side at most `pixels`; UnusablePicture if it is no photo."""
    picture = decode(data, pixels=pixels)
    picture.info.clear()  # the encoder would write a comment or XMP found here
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def decode(data: bytes, *, pixels: int) -> Image.Image:
    """`data` as an upright sRGB picture, shrunk to a long side of at most `pixels` and never enlarged."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if min(image.size) < SHORTEST:
                raise UnusablePicture(f"the picture is only {image.width} by {image.height} pixels")
            image.draft(None, (pixels, pixels))  # a large JPEG is decoded no larger than needed
            image.load()
            picture = _upright(_rgb(image), _orientation(image))
    except _DAMAGED as exc:
        raise UnusablePicture(f"the picture cannot be decoded: {type(exc).__name__}") from exc
    picture.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
    return picture


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
