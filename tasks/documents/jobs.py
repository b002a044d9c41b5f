"""What the sandbox does with one file. Its libraries are imported here inside functions: its parent needs none."""

import io
import zipfile
from pathlib import Path
from typing import Any

from tasks.documents.parsed import PageOptions


def parse(path: Path, told: dict[str, Any]) -> bytes:
    """The file as JSON of Parsed; `told` has its name and the options."""
    from tasks.documents.parsers import parse_bytes

    options = PageOptions.model_validate(told["options"])
    return parse_bytes(path.read_bytes(), str(told["name"]), options).model_dump_json().encode()


def render_pages(path: Path, told: dict[str, Any]) -> bytes:
    """A zip archive of the images of the pages in `told`, each under its number."""
    from tasks.documents.images import render_page

    data, archive = path.read_bytes(), io.BytesIO()
    with zipfile.ZipFile(archive, "w") as images:
        for page in told["pages"]:
            images.writestr(str(page), render_page(data, int(page), int(told["dpi"])))
    return archive.getvalue()


def render_markdown(path: Path, told: dict[str, Any]) -> bytes:
    from tasks.documents.guides import render_markdown

    return render_markdown(path.read_text(encoding="utf-8-sig"), str(told["title"]))
