"""Pictures of pages, for showing where an answer was found."""

import pymupdf

from tasks.documents.pdf import BROKEN, opened, reason
from tasks.errors import BadInput

LARGEST = 4000  # pixels on the longer side, whatever the page claims to measure


def render_page(data: bytes, page: int, dpi: int = 110) -> bytes:
    """One page of a PDF (from 1) as PNG; BadInput when there is no such page or it cannot be drawn."""
    with opened(data, "The document") as document:
        if not 1 <= page <= len(document):
            raise BadInput(f"There is no page {page}: the document has pages 1 to {len(document)}.")
        try:
            source = document[page - 1]
            scale = min(dpi / 72, LARGEST / max(source.rect.width, source.rect.height, 1.0))
            return bytes(source.get_pixmap(matrix=pymupdf.Matrix(scale, scale), alpha=False).tobytes("png"))
        except BROKEN as error:
            raise BadInput(f"Page {page} cannot be drawn ({reason(error)}).") from None
