"""The file of an export on its way out."""

from __future__ import annotations

from django.http import FileResponse, Http404

from metadata import export
from metadata.models import Export

MEDIA_TYPES = {
    Export.Format.CSV: "text/csv; charset=utf-8",
    Export.Format.JSON_LINES: "application/x-ndjson",
    Export.Format.XMP: "application/zip",
}


def answer(found: Export) -> FileResponse:
    """The file as a download, a piece at a time; Http404 with a sentence where there is none."""
    if not found.has_file:
        raise Http404("This export has no file: it is not finished, or the file was deleted.")
    try:
        file = export.path(found).open("rb")
    except FileNotFoundError:
        raise Http404("The file of this export is not there any more. Export again.") from None
    media_type = MEDIA_TYPES[Export.Format(found.format)]
    name = export.download_name(found)
    response = FileResponse(file, as_attachment=True, filename=name, content_type=media_type)
    response["Cache-Control"] = "private, no-store"
    return response
