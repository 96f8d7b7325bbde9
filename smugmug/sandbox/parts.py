"""What SmugMug tells about one picture at addresses of its own: its sizes and its metadata."""

import hashlib

from . import pictures
from .collection import Album, Photo
from .shapes import Item, Shaper, image_id

# All fields of ImageMetadata; SmugMug sends every one.
METADATA = """
Title Caption UserComment Keywords Author Copyright CopyrightUrl CopyrightFlag UsageTerms Source Credit City
State Country Rating CreatorContactInfo Category SupplementalCategories SpecialInstructions AuthorTitle
CountryCode TransmissionReference Headline WriterEditor Lens Make Model Aperture DateTimeModified
DateTimeCreated DateCreated TimeCreated MicroDateTimeCreated MicroDateTimeDigitized DateDigitized Exposure ISO
FocalLength FocalLength35mm CompressedBitsPerPixel Flash Metering ExposureProgram ExposureCompensation
ExposureMode LightSource WhiteBalance DigitalZoomRatio Contrast Saturation Sharpness SubjectDistance
SubjectRange SensingMethod ColorSpace Brightness LatitudeReference LongitudeReference Latitude Longitude
AltitudeReference Altitude SceneCaptureType GainControl ScaleFactor CircleOfConfusion FieldOfView DepthOfField
HyperfocalDistance NormalizedLightValue Duration AudioCodec VideoCodec Software SerialNumber LensSerialNumber
"""


VIDEO_CODE = "1280"


def size_details(shaper: Shaper, photo: Photo, home: Album) -> Item:
    """Every size there is. Size and MD5 of a rendition are missing: they are made on request."""
    found = _sizes(shaper, photo)
    item: Item = {
        "ImageUrlTemplate": shaper.picture_url(photo, "#size#", home),
        "UsableSizes": [f"ImageSize{name}" for name, *_rest in found],
    }
    for name, code, width, height in found:
        item[f"ImageSize{name}"] = {
            "Url": shaper.picture_url(photo, code, home),
            "Ext": "jpg",
            "Height": height,
            "Width": width,
            "Watermarked": False,
        }
    if shaper.is_owner and found:
        size, md5 = pictures.fingerprint(photo)
        item["ImageSizeOriginal"] |= {"Size": size, "MD5": md5}
    if photo.film:
        item["UsableSizes"].append(f"VideoSize{VIDEO_CODE}")
        item[f"VideoSize{VIDEO_CODE}"] = _video(shaper, photo, home)
    return item | _part_of(photo, "sizedetails", "Detailed size information for image")


def sizes(shaper: Shaper, photo: Photo, home: Album) -> Item:
    found = _sizes(shaper, photo)
    urls = {f"{name}ImageUrl": shaper.picture_url(photo, code, home) for name, code, *_box in found}
    if found:
        urls = {"LargestImageUrl": list(urls.values())[-1], **urls}
    return urls | _part_of(photo, "sizes", "Sizes available for image")


def largest(shaper: Shaper, photo: Photo, home: Album) -> Item:
    _name, code, width, height = _sizes(shaper, photo)[-1]
    return {
        "Url": shaper.picture_url(photo, code, home),
        "Ext": "jpg",
        "Height": height,
        "Width": width,
        "Usable": True,
        "Watermarked": False,
    } | _part_of(photo, "largestimage", "Largest size available for image")


def largest_video(shaper: Shaper, photo: Photo, home: Album) -> Item:
    return _video(shaper, photo, home) | _part_of(photo, "largestvideo", "Largest video size available for image")


def _video(shaper: Shaper, photo: Photo, home: Album) -> Item:
    """The film, whose length SmugMug writes as text; nothing for a photo."""
    if photo.film is None:
        return {}
    content = pictures.film(photo)
    return {
        "Url": shaper.picture_url(photo, VIDEO_CODE, home, ending="mp4"),
        "Ext": "mp4",
        "Height": photo.height,
        "Width": photo.width,
        "Size": len(content),
        "MD5": hashlib.md5(content, usedforsecurity=False).hexdigest(),
        "Duration": f"{photo.film.seconds:.3f}",
        "Bitrate": photo.film.bitrate,
        "Usable": True,
    }


def metadata(_shaper: Shaper, photo: Photo, _home: Album) -> Item:
    """What the file says about itself: wall clock times without a zone, "" for all it does not say."""
    item: Item = dict.fromkeys(METADATA.split(), "")
    shot = photo.shot
    if shot:
        item |= {
            "Make": shot.camera.make,
            "Model": shot.camera.model,
            "Lens": shot.camera.lens,
            "Aperture": f"{shot.aperture:g}",
            "Exposure": f"1/{shot.exposure}",
            "ISO": shot.iso,
            "FocalLength": f"{shot.focal_length:.1f} mm",
            "DateTimeCreated": shot.taken.isoformat(timespec="seconds"),
            "DateTimeModified": shot.taken.isoformat(timespec="seconds"),
            "DateDigitized": shot.taken.isoformat(timespec="seconds"),
            "MicroDateTimeCreated": shot.taken.isoformat(timespec="milliseconds"),
        }
    if photo.film:
        item["Duration"] = f"{photo.film.seconds:.3f}"
    if shot and shot.place:
        item |= {
            "City": shot.place.city,
            "Country": shot.place.country,
            "Latitude": shot.place.latitude,
            "LatitudeReference": "North" if shot.place.latitude >= 0 else "South",
            "Longitude": shot.place.longitude,
            "LongitudeReference": "East" if shot.place.longitude >= 0 else "West",
            "Altitude": f"{shot.place.altitude} m Above Sea Level",
            "AltitudeReference": "Above Sea Level",
        }
    return item | _part_of(photo, "metadata", "Metadata for image")


def _part_of(photo: Photo, action: str, description: str) -> Item:
    return {"Uri": f"/api/v2/image/{image_id(photo)}!{action}", "UriDescription": description}


def _sizes(shaper: Shaper, photo: Photo) -> list[tuple[str, str, int, int]]:
    """Name, code, width and height of the sizes this caller may have, smallest first; none of an unprocessed upload."""
    if photo.is_unprocessed:
        return []
    boxes = ((size, size.fit(photo.width, photo.height)) for size in pictures.SIZES)
    found = [(size.name, size.code, *box) for size, box in boxes if box]
    return [*found, ("Original", "O", photo.width, photo.height)] if shaper.is_owner else found
