"""Pages that are only a picture, read by Tesseract where it is installed: MuPDF has the engine but no languages."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pymupdf

from tasks.documents.pdf_lines import Line
from tasks.errors import BadInput

DPI = 200
MISSING = (
    "{name} has pages that are only pictures, and the program Tesseract that reads them is not installed: "
    "install tesseract-ocr with its languages, or set ocr: false."
)
PLACES = ("/usr/share/tesseract-ocr/5/tessdata", "/usr/share/tesseract-ocr/4.00/tessdata", "/usr/share/tessdata")


@cache
def trained() -> str | None:
    """The folder with Tesseract's languages."""
    program = shutil.which("tesseract")
    if program is None:
        return None
    told = subprocess.run([program, "--list-langs"], capture_output=True, text=True, timeout=30).stdout
    named = [part for part in told.split('"')[1:2] if part]
    for place in [os.environ.get("TESSDATA_PREFIX", ""), *named, *PLACES]:
        if place and any(Path(place).glob("*.traineddata")):
            return place
    return None


def recognised(page: Any, number: int, name: str) -> list[Line]:
    """The lines that Tesseract finds; BadInput when it is not there."""
    folder = trained()
    if folder is None:
        raise BadInput(MISSING.format(name=name))
    known = {path.stem for path in Path(folder).glob("*.traineddata")} - {"osd"}
    chosen = "+".join(sorted(known, key=lambda code: (code != "eng", code))[:3])
    text_page = page.get_textpage_ocr(
        flags=pymupdf.TEXTFLAGS_TEXT, language=chosen, dpi=DPI, full=True, tessdata=folder
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
