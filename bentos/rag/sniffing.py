"""What an upload is, by its bytes: a name proves nothing, but one that contradicts them is a mistake."""

import re
from pathlib import PurePath

from bentos.kit.errors import Problem

MARKUP = re.compile(r"<(!doctype html|html|head|body)\b", re.IGNORECASE)
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
MARKDOWN = {".md", ".markdown"}
KINDS = "PDF, Markdown, HTML and plain text (UTF-8)"
FOREIGN = re.compile(  # suffixes that say that a file is no text; with any other it may be one, as in a folder
    r"\.(7z|aac|apk|avi|avif|bin|bmp|bz2|class|deb|dll|dmg|doc|docm|docx|dylib|epub|exe|flac|gif|gz|heic|ico|img|iso|jar"
    r"|jpeg|jpg|m4a|mkv|mov|mp3|mp4|mpeg|mpg|msg|msi|odp|ods|odt|ogg|parquet|pickle|pkl|png|ppt|pptm|pptx|pyc|rar|rpm|rtf"
    r"|so|sqlite|tar|tgz|tif|tiff|wasm|wav|webm|webp|whl|xls|xlsm|xlsx|xz|zip|zst)"
)


def sniffed(data: bytes, name: str) -> str:
    """The format of a document; Problem 422 where it is empty, 415 where it is none of ours or of its name."""
    if not data.strip():
        raise Problem(422, f"The file {name!r} is empty.")
    if b"%PDF-" in data[:1024]:
        return "pdf"
    suffix = PurePath(name.strip()).suffix.lower()
    if suffix == ".pdf":
        raise Problem(415, f"The content of {name!r} is no PDF; export it again, or rename it to .txt if it is text.")
    text = decoded(data)
    if text is None or CONTROL.search(text):
        raise Problem(415, f"The content of {name!r} is none of {KINDS}; convert it, then send it again.")
    if FOREIGN.fullmatch(suffix):
        raise Problem(415, f"{name!r} is named {suffix}, which is none of {KINDS}; rename it to .txt if it is text.")
    if MARKUP.match(uncommented(text[:4096])):
        return "html"
    return "markdown" if suffix in MARKDOWN else "text"


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
