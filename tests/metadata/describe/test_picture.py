import io
import itertools
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from metadata.describe import UnusablePicture
from metadata.describe.picture import dhash, distance, prepare

PHOTOS = sorted((Path(__file__).parents[3] / "smugmug" / "sandbox" / "photos").glob("*.jpg"))
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

    picture = opened(prepare(data, pixels=1024).jpeg)

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

    prepared = prepare(data, pixels=1024).jpeg

    assert SECRET.encode() in data
    assert SECRET.encode() not in prepared
    assert b"Exif" not in prepared
    assert not opened(prepared).getexif()
    assert not {"icc_profile", "comment", "xmp", "exif"} & set(opened(prepared).info)


@pytest.mark.parametrize(("size", "result"), [((3000, 1500), (1024, 512)), ((300, 200), (300, 200))])
def test_prepare_any_size_shrinks_and_never_enlarges(size, result):
    assert opened(prepare(encoded(Image.new("RGB", size)), pixels=1024).jpeg).size == result


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_prepare_transparent_picture_lies_on_white(mode):
    transparent = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image = transparent.quantize() if mode == "PA" else transparent.convert(mode)

    picture = opened(prepare(encoded(image, "PNG"), pixels=1024).jpeg)

    assert picture.mode == "RGB"
    assert picture.getpixel((20, 20)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("mode", "format"), [("CMYK", "JPEG"), ("L", "JPEG"), ("1", "PNG"), ("P", "GIF"), ("LAB", "TIFF")]
)
def test_prepare_other_colour_modes_gives_rgb(mode, format):
    grey = Image.new("LAB", (40, 40), (128, 128, 128)) if mode == "LAB" else Image.new("RGB", (40, 40)).convert(mode)

    picture = opened(prepare(encoded(grey, format), pixels=1024).jpeg)

    assert (picture.format, picture.mode) == ("JPEG", "RGB")


@pytest.mark.parametrize(("mode", "format", "white"), [("I;16", "PNG", 65535), ("F", "TIFF", 1.0)])
def test_prepare_deep_greys_keeps_black_and_white_apart(mode, format, white):
    image = Image.new(mode, (40, 40), 0)
    image.paste(white, (20, 0, 40, 40))

    picture = opened(prepare(encoded(image, format), pixels=1024).jpeg)

    assert picture.getpixel((5, 20))[0] < 10
    assert picture.getpixel((35, 20))[0] > 245


def test_prepare_picture_with_damaged_profile_keeps_its_colours():
    picture = opened(prepare(encoded(Image.new("RGB", (40, 40), RED), icc_profile=b"nonsense"), pixels=1024).jpeg)

    assert is_near(picture.getpixel((20, 20)), RED)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no picture"),
        (b"This is a text file, not a photo.", "no picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "no picture"),
        (encoded(Image.effect_noise((400, 400), 90))[:9000], "breaks off"),
        (encoded(Image.effect_noise((400, 400), 90), "PNG")[:9000], "breaks off"),
        (encoded(Image.new("RGB", (1, 1))), "too small"),
    ],
    ids=["empty", "text", "postscript", "half a JPEG", "half a PNG", "one pixel"],
)
def test_prepare_what_is_no_photo_is_unusable_and_says_why(data, reason):
    with pytest.raises(UnusablePicture) as caught:
        prepare(data, pixels=1024)

    assert reason in caught.value.advice


def test_prepare_decompression_bomb_is_unusable_and_never_decoded(monkeypatch):
    small_file = encoded(Image.new("1", (400, 400)), "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50_000)

    with pytest.raises(UnusablePicture, match="DecompressionBombError") as caught:
        prepare(small_file, pixels=1024)

    assert "too many pixels" in caught.value.advice


def test_prepare_says_how_large_the_jpeg_is():
    picture = prepare(encoded(red_over_blue(3000, 2000), exif=exif_with(6)), pixels=1024)

    assert (picture.width, picture.height) == opened(picture.jpeg).size == (683, 1024)


@pytest.mark.parametrize("name", [path.name for path in PHOTOS[::4]])
def test_perceptual_hash_of_a_photo_in_three_sizes_is_nearly_the_same(name):
    with Image.open(PHOTOS[0].with_name(name)) as image:
        smaller = [image.convert("RGB").resize((round(image.width * s), round(image.height * s))) for s in (0.7, 0.35)]

    hashes = [prepare(PHOTOS[0].with_name(name).read_bytes(), pixels=1024).perceptual_hash]
    hashes += [prepare(encoded(each, quality=70), pixels=1024).perceptual_hash for each in smaller]

    assert max(itertools.starmap(distance, itertools.combinations(hashes, 2))) <= 4


def test_perceptual_hashes_of_different_photos_lie_apart():
    hashes = [prepare(path.read_bytes(), pixels=256).perceptual_hash for path in PHOTOS]
    distances = sorted(itertools.starmap(distance, itertools.combinations(hashes, 2)))

    assert distances[0] > 10
    assert 28 < distances[len(distances) // 2] < 36


def test_perceptual_hash_of_a_photo_taken_sideways_is_that_of_the_upright_one():
    upright, sideways = red_over_blue(), red_over_blue().transpose(Image.Transpose.ROTATE_90)

    hashes = [prepare(encoded(upright), pixels=1024), prepare(encoded(sideways, exif=exif_with(6)), pixels=1024)]

    assert hashes[0].perceptual_hash == hashes[1].perceptual_hash
    assert hashes[0].width == hashes[1].width


@pytest.mark.parametrize(
    ("image", "number"),
    [
        (Image.linear_gradient("L").rotate(90), -1),
        (Image.linear_gradient("L").rotate(270), 0),
        (Image.new("RGB", (64, 64), RED), 0),
    ],
    ids=["brighter to the right", "darker to the right", "plain"],
)
def test_dhash_is_a_signed_number_that_fits_a_bigint(image, number):
    assert dhash(image) == number
    assert -(2**63) <= dhash(image) < 2**63


@pytest.mark.parametrize(("a", "b", "bits"), [(0, 0, 0), (-1, 0, 64), (-1, 1, 63), (5, 6, 2), (-(2**63), 0, 1)])
def test_distance_counts_the_bits_that_differ(a, b, bits):
    assert distance(a, b) == distance(b, a) == bits
