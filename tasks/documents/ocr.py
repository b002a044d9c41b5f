"""Pages that are only a picture, read by Tesseract: MuPDF has the engine, the languages come with the program."""

from typing import Any

import pymupdf

from tasks.documents.pdf_lines import Line
from tasks.documents.tesseract import Tesseract

DPI = 200


def recognised(page: Any, number: int, reader: Tesseract, languages: tuple[str, ...]) -> list[Line]:
    """The lines that Tesseract finds."""
    text_page = page.get_textpage_ocr(
        flags=pymupdf.TEXTFLAGS_TEXT, language="+".join(languages), dpi=DPI, full=True, tessdata=reader.folder
    )
    lines = []
    for block in page.get_text("dict", textpage=text_page)["blocks"]:
        for found in block.get("lines", ()):
            text = " ".join("".join(span["text"] for span in found["spans"]).split())
            if text:
                span = found["spans"][0]
                x0, y0, x1, y1 = found["bbox"]
                lines.append(
                    Line(number, x0, y0, x1, y1, span["origin"][1], round(span["size"], 1), text, False, False)
                )
    return lines
