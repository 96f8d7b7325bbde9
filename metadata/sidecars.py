"""XMP sidecars: the words of each photo as a small file beside it, all of them in a zip with a folder for each album.

A sidecar bears the whole name of its photo: IMG_1.jpg has IMG_1.jpg.xmp. So do darktable, digiKam, Immich and
PhotoPrism name theirs, and IMG_1.jpg and IMG_1.dng keep one each. Lightroom looks for IMG_1.xmp, and reads that beside
raw files alone; for others exiftool copies the words into the pictures (the README says how).

Nothing of this leaves its folder, or cannot be unpacked on Windows: see `Names`.
"""

from __future__ import annotations

import re
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED

from zipstream import ZipStream

from metadata.export_rows import Row

if TYPE_CHECKING:
    from smugmug.models import Album

# --- One sidecar -------------------------------------------------------------------------------------------------

PACKET = """\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:Iptc4xmpCore="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/">
{}  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""
IN_A_LANGUAGE = '   <{0}><rdf:Alt><rdf:li xml:lang="x-default">{1}</rdf:li></rdf:Alt></{0}>\n'
BAG = "   <{0}><rdf:Bag>{1}</rdf:Bag></{0}>\n"
# What XML 1.0 has no place for, escaped or not.
ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def sidecar(row: Row) -> bytes:
    """The XMP packet with the words; what is empty has no element."""
    subject = "".join(f"<rdf:li>{_xml(tag)}</rdf:li>" for tag in row.tags)
    elements = (
        _in_a_language("dc:title", row.title),
        _in_a_language("dc:description", row.description),
        BAG.format("dc:subject", subject) if subject else "",
        _in_a_language("Iptc4xmpCore:AltTextAccessibility", row.alt_text),
    )
    return PACKET.format("".join(elements)).encode()


def _in_a_language(name: str, text: str) -> str:
    return IN_A_LANGUAGE.format(name, _xml(text)) if text else ""


def _xml(text: str) -> str:
    """The text as an element holds it; a carriage return as a reference, or a parser would take it for a line's end."""
    return escape(ILLEGAL.sub("", text), {"\r": "&#13;"})


# --- Names -------------------------------------------------------------------------------------------------------

SUFFIX = ".xmp"
LONGEST = 120  # characters of a name, so that a path fits into Windows' 260 with a folder or two above it
LONGEST_BYTES = 200  # of the 255 that most file systems give a name
FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')  # by Windows; the slash by everybody
DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(\..*)?", re.IGNORECASE)
ENDING = re.compile(r"(?<=.)\.[A-Za-z0-9]{1,5}$")
UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # characters that control something, among them those that turn a text round


class Names:
    """Names in one folder, each given once, also where capitals are the same as small letters."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def give(self, wanted: str, other: str) -> str:
        """The name that is wanted, as far as a file system takes it; with `other` in it where it was given before."""
        other = safe(other, instead="_")
        first = safe(wanted, instead=other)
        ending = _ending(first)
        stem = first.removesuffix(ending)
        for number in count():
            name = f"{stem}{f'-{other}' * (number > 0)}{f'-{number}' * (number > 1)}{ending}"
            key = unicodedata.normalize("NFC", name).casefold()
            if key not in self._taken:
                self._taken.add(key)
                return name
        raise AssertionError  # pragma: no cover - numbers never end


def safe(wanted: str, *, instead: str) -> str:
    """One name that any file system takes, and that leads nowhere; `instead` where nothing is left of it."""
    seen = "".join("_" if unicodedata.category(letter) in UNSEEN else letter for letter in wanted)
    name = _cut(FORBIDDEN.sub("_", unicodedata.normalize("NFC", seen))).strip(" .")
    if not name:
        return instead
    return f"_{name}" if name[0] in "-~" or DEVICES.fullmatch(name) else name


def _cut(name: str) -> str:
    """Not longer than file systems take, with its ending, where that is one."""
    if len(name) <= LONGEST and len(name.encode()) <= LONGEST_BYTES:
        return name
    ending = _ending(name)
    stem = name.removesuffix(ending)[: LONGEST - len(ending)]
    return stem.encode()[: LONGEST_BYTES - len(ending.encode())].decode(errors="ignore") + ending


def _ending(name: str) -> str:
    """`.jpg`; nothing where what follows the last dot is no ending."""
    found = ENDING.search(name)
    return found[0] if found else ""


# --- The zip -----------------------------------------------------------------------------------------------------


def archive(rows: Iterable[Row], *, in_album: Album | None = None) -> Iterator[bytes]:
    """A zip with the sidecar of each row, in pieces; the rows of an album come one after the other."""
    stream, folders = ZipStream(compress_type=ZIP_DEFLATED), Names()
    with tempfile.TemporaryFile() as directory:
        # The list of all that is in the zip comes last in it; in memory it would grow with the photos.
        stream._filelist = _Directory(directory)
        album, folder, names = None, "", Names()
        for row in rows:
            if album is None or (row.album_id != album and in_album is None):
                album, names = row.album_id, Names()
                folder = folders.give(*_folder(row, in_album))
            name = names.give(row.filename, row.image_key)
            stream.add(sidecar(row), f"{folder}/{name}{SUFFIX}")
            yield from stream.file()
        yield from stream.finalize()


def _folder(row: Row, album: Album | None) -> tuple[str, str]:
    return (album.title, album.album_key) if album else (row.album_title, row.album_key)


class _Entry(NamedTuple):
    """A line of the directory, as zipstream asks for it."""

    data: bytes

    def _central_directory_header_data(self) -> bytes:
        return self.data


class _Directory:
    """What zipstream takes for its list of entries, kept on disk."""

    def __init__(self, file: Any) -> None:
        self._file, self._count = file, 0

    def append(self, entry: Any) -> None:
        data = entry._central_directory_header_data()
        self._file.write(len(data).to_bytes(4, "big") + data)
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[_Entry]:
        self._file.seek(0)
        while size := self._file.read(4):
            yield _Entry(self._file.read(int.from_bytes(size, "big")))
