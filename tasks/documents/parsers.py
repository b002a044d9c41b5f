"""One document's bytes to its blocks: what it is shows in its content first, then in its name."""

import re
from pathlib import PurePosixPath

from tasks.documents.html import parse_html
from tasks.documents.markdown import parse_markdown
from tasks.documents.parsed import PageOptions, Parsed
from tasks.documents.sniff import is_markup
from tasks.documents.tesseract import Tesseract
from tasks.documents.text import decode, parse_text, stem
from tasks.errors import BadInput

HEAD = 1024  # bytes: a PDF may have something before its mark
BEGINNING = 4096  # characters: before them a text shows whether it is HTML
KNOWN = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"PK\x03\x04", "a ZIP archive or an Office file"),
    (b"\xd0\xcf\x11\xe0", "an old Office file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"{\\rtf", "an RTF file"),
)
WIDE = (b"\xff\xfe", b"\xfe\xff")  # UTF-16
CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([A-Za-z0-9_-]{1,40})", re.IGNORECASE)


def parse_bytes(data: bytes, name: str, options: PageOptions, reader: Tesseract | None = None) -> Parsed:
    """Read a PDF, Markdown, HTML or text document; BadInput says in one sentence why it cannot be read.

    `reader` reads pages that are only pictures, where the options ask for it.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if not data.strip():
        raise BadInput(f"{name} is empty: leave it out or export it again.")
    if b"%PDF-" in data[:HEAD] and not looks_like_text(data, suffix):
        from tasks.documents.pdf import parse_pdf  # PyMuPDF takes a second to import, which other documents go without

        return parse_pdf(data, name, options, reader)
    kind = next((kind for mark, kind in KNOWN if data.startswith(mark)), "")
    if suffix == ".pdf":
        raise BadInput(f"{name} is named .pdf but is {kind or 'not a PDF'}: export it again.")
    if kind or (b"\0" in data and not data.startswith(WIDE)):
        raise BadInput(
            f"{name} is {kind or 'a binary file of an unknown kind'}: save it as PDF, Markdown, HTML or text."
        )
    return parse_words(data, name, suffix, options)


def looks_like_text(data: bytes, suffix: str) -> bool:
    """A text about PDF files, not one of them."""
    return suffix in (".md", ".markdown", ".txt", ".html", ".htm") and not data.startswith(b"%PDF-")


def parse_words(data: bytes, name: str, suffix: str, options: PageOptions) -> Parsed:
    marked = suffix in (".html", ".htm", ".xhtml")
    stated = CHARSET.search(data[:HEAD])
    text = decode(data, name, stated[1].decode().lower() if stated and marked else "")
    if "\0" in text or not text.strip():
        raise BadInput(f"{name} is {'a binary file of an unknown kind' if text.strip() else 'empty'}: leave it out.")
    if marked or is_markup(text[:BEGINNING]):
        parsed = parse_html(text, name)
    elif suffix in (".md", ".markdown"):
        parsed = parse_markdown(text, name)
    else:
        parsed = parse_text(text, name, options)
    if not parsed.blocks:
        raise BadInput(f"{name} holds no text that a reader could see: leave it out.")
    return parsed if parsed.title else parsed.model_copy(update={"title": stem(name)})
