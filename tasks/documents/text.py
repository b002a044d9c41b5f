"""Plain text: decoding, paragraphs at blank lines, pages at form feeds."""

import codecs
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from tasks.documents.language import language
from tasks.documents.parsed import Block, Mark, PageOptions, Parsed
from tasks.errors import BadInput

MARKS_OF_ORDER = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
ITEM = re.compile(r"^\s*([-*+•]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])\s")
BLANK = re.compile(r"\n[^\S\n]*\n\s*")
TITLE = 120  # characters
UNSEEN = re.compile("[\U000e0000-\U000e007f\u202a-\u202e\u2060-\u2069\ufeff\u200b\u00ad]")
TAGGED = re.compile("[\U000e0020-\U000e007e]{4,}")
CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")


def visible(text: str) -> str:
    """Without control characters, soft hyphens, direction overrides and the invisible twins of ASCII."""
    return CONTROL.sub("", text) if text.isascii() else CONTROL.sub("", UNSEEN.sub("", text))


def smuggles(text: str) -> bool:
    """Whether words are written in invisible tag characters."""
    return not text.isascii() and TAGGED.search(text) is not None


def stem(name: str) -> str:
    """A title for a document that has none."""
    return re.sub(r"[_\s]+", " ", PurePosixPath(name).stem).strip() or name


def decode(data: bytes, name: str, stated: str = "") -> str:
    """UTF-8, UTF-16 with its mark, or what the document states; anything else would be a guess."""
    encoding = next((encoding for mark, encoding in MARKS_OF_ORDER if data.startswith(mark)), stated or "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{name} is not {encoding.upper()} text (byte {error.start}): save it as UTF-8 or give it its right suffix."
        ) from None
    except LookupError:
        raise BadInput(f"{name} states the unknown encoding {encoding[:40]!r}: save it as UTF-8.") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def markdown_rows(rows: Sequence[Sequence[str]]) -> str:
    """A table as Markdown: the first row is the head; all rows get its width."""
    width = max(len(row) for row in rows)
    lines = ["| " + " | ".join([escaped(cell) for cell in row] + [""] * (width - len(row))) + " |" for row in rows]
    lines.insert(1, "|" + " --- |" * width)
    return "\n".join(lines)


def escaped(cell: str) -> str:
    return " ".join(cell.split()).replace("\\", "\\\\").replace("|", "\\|")


def marks_of(text: str) -> list[Mark]:
    return ["hidden text removed"] if smuggles(text) else []


def parse_text(text: str, name: str, options: PageOptions) -> Parsed:
    """Paragraphs; a short first line that stands alone is the title."""
    pages = text.strip("\f").split("\f")
    if len(pages) > options.max_pages:
        raise BadInput(
            f"{name} has {len(pages)} pages; at most {options.max_pages} are read: split it or raise max_pages."
        )
    blocks = [
        Block(kind="text", text=words, page=number)
        for number, page in enumerate(pages, 1)
        for part in BLANK.split(page)
        if (words := paragraph(part))
    ]
    first = blocks[0].text if blocks else ""
    alone = len(blocks) > 1 and len(first) <= TITLE and "\n" not in first and not first.endswith((".", ",", ";", ":"))
    return Parsed(
        format="text",
        title=first if alone else "",
        pages=len(pages),
        language=language(" ".join(block.text for block in blocks)),
        blocks=blocks,
        marks=marks_of(text),
    )


def paragraph(part: str) -> str:
    """Lines joined, but items of a list and indented lines kept apart."""
    lines: list[str] = []
    for line in visible(part).split("\n"):
        words = " ".join(line.split())
        if not words:
            continue
        if lines and not ITEM.match(line) and not line.startswith(("    ", "\t")):
            lines[-1] += f" {words}"
        else:
            lines.append(words)
    return "\n".join(lines)
