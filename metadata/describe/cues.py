"""What colours and light alone tell of a picture: rough, cheap, and said only when it is plain to see."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 96  # pixels; details do not matter here
TOP = slice(0, SIDE * 3 // 10)
BOTTOM = slice(SIDE * 7 // 10, SIDE)
UPPER_HALF = slice(0, SIDE // 2)

Plane = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Cues:
    """`colours` are at most two, the larger first; `tone` is "black and white", "sepia" or ""."""

    colours: tuple[str, ...]
    tone: str
    light: tuple[str, ...]
    plain_background: bool


@dataclass(frozen=True, slots=True)
class _Planes:
    """Hue in degrees; saturation, brightness and local contrast from 0 to 1."""

    hue: Plane
    saturation: Plane
    value: Plane
    contrast: Plane


def look(picture: Image.Image) -> Cues:
    """The cues of an RGB `picture`."""
    small = picture.resize((SIDE, SIDE))
    hue, saturation, value = np.moveaxis(np.asarray(small.convert("HSV"), np.float32) / 255, 2, 0)
    grey = np.asarray(small, np.float32).mean(2) / 255
    planes = _Planes(hue * 360, saturation, value, np.hypot(*np.gradient(grey)).astype(np.float32))
    tone = _tone(planes)
    shares = {} if tone else _colour_shares(planes)
    colours = [name for name, share in sorted(shares.items(), key=lambda item: -item[1]) if share > 0.18]
    light = () if tone else _light(planes, shares)
    dark = ("darkness",) if value.mean() < 0.25 else ()
    return Cues(tuple(colours[:2]), tone, (*light, *dark), _has_plain_background(planes.contrast))


def _tone(planes: _Planes) -> str:
    """Measured by chroma, as dark pixels of a grey scan are often saturated. Sepia is one faint, warm hue."""
    chroma = planes.saturation * planes.value
    strongest = np.percentile(chroma, 99)
    if strongest < 0.06:
        return "black and white"
    coloured = planes.hue[chroma > 0.03]
    if strongest < 0.25 and coloured.size > 0.9 * chroma.size:
        return "sepia" if np.percentile(coloured, 98) < 60 else ""
    return ""


def _colour_shares(planes: _Planes) -> dict[str, float]:
    """The share of the picture that each named colour covers."""
    hue, saturation, value = planes.hue, planes.saturation, planes.value
    ranges = {
        "black": value < 0.18,
        "white": (saturation < 0.13) & (value > 0.8),
        "grey": saturation < 0.15,
        "red": (hue < 16) | (hue >= 345),
        "brown": (hue < 50) & (value < 0.55),
        "orange": hue < 42,
        "yellow": (hue < 66) & (value >= 0.55),
        "green": hue < 165,
        "teal": hue < 200,
        "blue": hue < 258,
        "purple": hue < 310,
    }
    named = np.select(list(ranges.values()), list(ranges), "pink")
    colours, counts = np.unique(named, return_counts=True)
    return {str(colour): float(count) / named.size for colour, count in zip(colours, counts, strict=True)}


def _light(planes: _Planes, shares: dict[str, float]) -> tuple[str, ...]:
    hue, saturation, value = planes.hue, planes.saturation, planes.value
    blue = (hue[TOP] > 190) & (hue[TOP] < 250) & (saturation[TOP] > 0.18) & (value[TOP] > 0.45)
    warm = (hue[UPPER_HALF] < 55) | (hue[UPPER_HALF] > 330)
    falls_off = value[UPPER_HALF].mean() - value[BOTTOM].mean() > 0.18
    sunset = warm.mean() > 0.45 and saturation[UPPER_HALF].mean() > 0.3 and falls_off
    seen = {
        "blue sky": blue.mean() > 0.6 and planes.contrast[TOP].mean() < 0.04,
        "sunset light": sunset and value[UPPER_HALF].mean() > 0.35,
        "greenery": shares.get("green", 0) > 0.45,
    }
    return tuple(name for name, is_seen in seen.items() if is_seen)


def _has_plain_background(contrast: Plane) -> bool:
    """Whether what has contrast lies in the middle, and all around it is soft."""
    blocks = contrast.reshape(12, 8, 12, 8).mean((1, 3))
    middle = blocks[3:9, 3:9].mean()
    return bool((blocks > 0.35 * blocks.max()).mean() < 0.3 and middle > 1.5 * blocks.mean())
