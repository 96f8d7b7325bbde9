"""The real photographs that come with the stand-in, and whom they are by (photos/ATTRIBUTION.json)."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PHOTOS = Path(__file__).parent / "photos"


@dataclass(frozen=True)
class Credit:
    file: str
    title: str
    album: str
    width: int
    height: int
    author: str
    licence: str
    source: str

    @property
    def line(self) -> str:
        """The attribution as it stands in a caption."""
        return f"Photo: {self.author}, {self.licence} ({self.source})"


@cache
def credits() -> tuple[Credit, ...]:
    """All photographs, in the order of the attribution file."""
    entries = json.loads((PHOTOS / "ATTRIBUTION.json").read_text("utf-8"))
    return tuple(Credit(**entry) for entry in entries)
