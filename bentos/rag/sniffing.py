"""What an upload is, by its bytes: a name proves nothing."""

import re
from pathlib import PurePath

from bentos.kit.errors import Problem

MARKUP = re.compile(r"<(!doctype html|html|head|body)\b", re.IGNORECASE)
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
MARKDOWN = {".md", ".markdown"}
KINDS = "PDF, Markdown, HTML and plain text (UTF-8)"


def sniffed(data: bytes, name: str) -> str:
    """The format of a document; Problem 422 where it is empty, 415 where it is none of ours."""
    if not data.strip():
        raise Problem(422, f"The file {name!r} is empty.")
    if b"%PDF-" in data[:1024]:
        return "pdf"
    text = decoded(data)
    if text is None or CONTROL.search(text):
        raise Problem(415, f"The content of {name!r} is none of {KINDS}; convert it, then send it again.")
    if MARKUP.match(uncommented(text[:4096])):
        return "html"
    return "markdown" if PurePath(name).suffix.lower() in MARKDOWN else "text"


def uncommented(text: str) -> str:
    """What comes after the comments that a page may begin with."""
    text = text.lstrip()
    while text.startswith("<!--") and (end := text.find("-->", 4)) >= 0:
        text = text[end + 3 :].lstrip()
    return text


def decoded(data: bytes) -> str | None:
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        return None
