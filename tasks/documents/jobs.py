"""What the sandbox does with one file. Its libraries are imported here inside functions: its parent needs none."""

import io
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from tasks.documents.parsed import PageOptions
from tasks.documents.tesseract import Tesseract
from tasks.errors import BadInput


def parse(path: Path, told: dict[str, Any]) -> bytes:
    """The file as JSON of Parsed; `told` has its name, the options and what reads pictures."""
    from tasks.documents.parsers import parse_bytes

    options = PageOptions.model_validate(told["options"])
    reader = Tesseract.model_validate(told["reader"]) if told.get("reader") else None
    return parse_bytes(path.read_bytes(), str(told["name"]), options, reader).model_dump_json().encode()


def render_pages(path: Path, told: dict[str, Any]) -> bytes:
    """A zip archive of the images of the pages in `told`, each under its number; less those that cannot be drawn."""
    from tasks.documents.images import render_page

    data, archive = path.read_bytes(), io.BytesIO()
    with zipfile.ZipFile(archive, "w") as images:
        for page in told["pages"]:
            with suppress(BadInput):
                images.writestr(str(page), render_page(data, int(page), int(told["dpi"])))
    return archive.getvalue()


def render_markdown(path: Path, told: dict[str, Any]) -> bytes:
    from tasks.documents.guides import render_markdown
    from tasks.documents.pdf import BROKEN, reason
    from tasks.documents.text import decode

    name = str(told["name"])
    try:
        return render_markdown(decode(path.read_bytes(), name, ""), str(told["title"]))
    except BROKEN as error:
        raise BadInput(f"{name} cannot be set as pages ({reason(error)}): simplify it.") from None
