import io

import pytest
from PIL import Image, ImageCms

from metadata.describe import UnusablePicture
from metadata.describe.picture import prepare

RED, BLUE = (200, 20, 20), (20, 20, 200)
SECRET = "Ada's camera"


def encoded(image, format="JPEG", **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def opened(data):
    return Image.open(io.BytesIO(data))


def red_over_blue(width=120, height=80):
    image = Image.new("RGB", (width, height), BLUE)
    image.paste(RED, (0, 0, width, height // 2))
    return image


def exif_with(orientation=1):
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = SECRET
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (48.0, 8.0, 6.0)
    return exif


def is_near(pixel, colour):
    return all(abs(a - b) < 25 for a, b in zip(pixel, colour, strict=True))


@pytest.mark.parametrize(
    ("orientation", "size", "where_red_lies"),
    [
        (1, (120, 80), (60, 10)),
        (3, (120, 80), (60, 70)),
        (6, (80, 120), (70, 60)),
        (8, (80, 120), (10, 60)),
    ],
)
def test_prepare_photo_taken_sideways_turns_it_upright(orientation, size, where_red_lies):
    data = encoded(red_over_blue(), exif=exif_with(orientation), quality=95)

    picture = opened(prepare(data, pixels=1024))

    assert picture.size == size
    assert is_near(picture.getpixel(where_red_lies), RED)


def test_prepare_photo_with_place_and_comment_leaves_no_metadata():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encoded(
        red_over_blue(),
        exif=exif_with(),
        comment=SECRET,
        icc_profile=profile,
        xmp=SECRET.encode(),
        dpi=(300, 300),
    )

    prepared = prepare(data, pixels=1024)

    assert SECRET.encode() in data
    assert SECRET.encode() not in prepared
    assert b"Exif" not in prepared
    assert not opened(prepared).getexif()
    assert not {"icc_profile", "comment", "xmp", "exif"} & set(opened(prepared).info)


@pytest.mark.parametrize(("size", "result"), [((3000, 1500), (1024, 512)), ((300, 200), (300, 200))])
def test_prepare_any_size_shrinks_and_never_enlarges(size, result):
    assert opened(prepare(encoded(Image.new("RGB", size)), pixels=1024)).size == result


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_prepare_transparent_picture_lies_on_white(mode):
    transparent = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image = transparent.quantize() if mode == "PA" else transparent.convert(mode)

    picture = opened(prepare(encoded(image, "PNG"), pixels=1024))

    assert picture.mode == "RGB"
    assert picture.getpixel((20, 20)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("mode", "format"), [("CMYK", "JPEG"), ("L", "JPEG"), ("1", "PNG"), ("P", "GIF"), ("LAB", "TIFF")]
)
def test_prepare_other_colour_modes_gives_rgb(mode, format):
    grey = Image.new("LAB", (40, 40), (128, 128, 128)) if mode == "LAB" else Image.new("RGB", (40, 40)).convert(mode)

    picture = opened(prepare(encoded(grey, format), pixels=1024))

    assert (picture.format, picture.mode) == ("JPEG", "RGB")


@pytest.mark.parametrize(("mode", "format", "white"), [("I;16", "PNG", 65535), ("F", "TIFF", 1.0)])
def test_prepare_deep_greys_keeps_black_and_white_apart(mode, format, white):
    image = Image.new(mode, (40, 40), 0)
    image.paste(white, (20, 0, 40, 40))

    picture = opened(prepare(encoded(image, format), pixels=1024))

    assert picture.getpixel((5, 20))[0] < 10
    assert picture.getpixel((35, 20))[0] > 245


def test_prepare_picture_with_damaged_profile_keeps_its_colours():
    picture = opened(prepare(encoded(Image.new("RGB", (40, 40), RED), icc_profile=b"nonsense"), pixels=1024))

    assert is_near(picture.getpixel((20, 20)), RED)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"This is a text file, not a photo.",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        encoded(Image.effect_noise((400, 400), 90))[:9000],
        encoded(Image.effect_noise((400, 400), 90), "PNG")[:9000],
        encoded(Image.new("RGB", (1, 1))),
    ],
    ids=["empty", "text", "postscript", "half a JPEG", "half a PNG", "one pixel"],
)
def test_prepare_what_is_no_photo_is_unusable(data):
    with pytest.raises(UnusablePicture) as caught:
        prepare(data, pixels=1024)

    assert caught.value.advice


def test_prepare_decompression_bomb_is_unusable_and_never_decoded(monkeypatch):
    small_file = encoded(Image.new("1", (400, 400)), "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50_000)

    with pytest.raises(UnusablePicture, match="DecompressionBombError"):
        prepare(small_file, pixels=1024)
