"""PDF documents with PyMuPDF: opened with care, read page by page, put together as blocks."""

import datetime
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pymupdf

from tasks.documents import headings, layout, ocr
from tasks.documents.language import garbled, language
from tasks.documents.parsed import Block, Heading, Mark, PageOptions, Parsed
from tasks.documents.pdf_lines import Line, Page, read_page
from tasks.documents.pdf_paragraphs import Joiner, Placed, placed
from tasks.documents.tables import lift
from tasks.documents.tesseract import ADVICE, Tesseract
from tasks.documents.text import stem
from tasks.errors import BadInput

# what MuPDF raises on broken files: EmptyFileError and FileDataError are RuntimeErrors
BROKEN = (RuntimeError, pymupdf.mupdf.FzErrorBase)
# and what PyMuPDF itself stumbles over in them
ODD = (*BROKEN, ValueError, TypeError, IndexError, KeyError)
FILE_LIKE = re.compile(r"(?i)^(untitled|microsoft word|slide 1|powerpoint)|\.(docx?|tex|dvi|indd|pptx?|qxd|pdf|xlsx?)$")
FEW = 4  # lines: fewer make no table
DATE = re.compile(r"^(?:D:)?(\d{4})(\d\d)?(\d\d)?")


@dataclass(slots=True)
class Read:
    """The pages of a document, those on which reading failed, and what was noticed on the way."""

    pages: list[Page]
    unread: list[int]
    marks: set[Mark]


@contextmanager
def opened(data: bytes, name: str) -> Iterator[Any]:
    """The open document; BadInput when it cannot be opened, or not without a password."""
    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)
    try:
        document = pymupdf.open(stream=data, filetype="pdf")
        pages = 1 if document.needs_pass else len(document)
    except ODD as error:
        raise BadInput(f"{name} is not a readable PDF ({reason(error)}): export or download it again.") from None
    with document:
        if document.needs_pass:
            raise BadInput(f"{name} is encrypted with a password: save a copy without one.")
        if not pages:
            raise BadInput(f"{name} is a PDF without pages: export it again.")
        yield document


def reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


def parse_pdf(data: bytes, name: str, options: PageOptions, reader: Tesseract | None = None) -> Parsed:
    """One PDF; BadInput says why it cannot be read."""
    with opened(data, name) as document:
        count = len(document)
        if count > options.max_pages:
            raise BadInput(
                f"{name} has {count} pages; at most {options.max_pages} are read: split it or raise max_pages."
            )
        read = read_pages(document, count, name, options, reader)
        try:
            return assemble(document, count, name, read)
        except BROKEN as error:
            raise BadInput(f"{name} cannot be read to its end ({reason(error)}): export it again.") from None


def read_pages(document: Any, count: int, name: str, options: PageOptions, reader: Tesseract | None) -> Read:
    read = Read([], [], set())
    if document.metadata.get("encryption"):
        read.marks.add("encrypted")
    failed = ""
    for number in range(1, count + 1):
        try:
            source = loaded(document, number)
            page = read_page(source, number)
            if reader and page.picture:
                page.lines = ocr.recognised(source, number, reader, options.ocr_languages)
                page.recognised = bool(page.lines)
            if options.tables and len(page.lines) >= FEW:
                lift(page, source)
        except BROKEN as error:
            failed = failed or f"page {number}: {reason(error)}"
            read.marks.add("repaired")
            read.unread.append(number)
            continue
        read.pages.append(page)
        note(page, read.marks)
    if document.is_repaired:  # also when it was only noticed on the way
        read.marks.add("repaired")
    if not read.pages:
        raise BadInput(f"{name} has no page that can be read ({failed}): export it again.")
    if not any(page.lines or page.picture for page in read.pages):
        where = "only page" if count == 1 else f"{count} pages"
        raise BadInput(f"{name} has nothing that can be seen on its {where}: leave it out.")
    if not any(page.lines for page in read.pages):
        raise BadInput(f"{name} has only pictures on its pages: {advice(options, reader)}.")
    return read


def advice(options: PageOptions, reader: Tesseract | None) -> str:
    """What to do about a document without any text."""
    if not options.ocr:
        return "set pages.ocr: true to have them read"
    return "Tesseract found no words there; leave it out" if reader else f"Tesseract is not installed; {ADVICE}"


def loaded(document: Any, number: int) -> Any:
    """A page; while reading, MuPDF may find that there are fewer than the file says."""
    try:
        return document[number - 1]
    except IndexError as error:
        raise RuntimeError(str(error)) from None


def note(page: Page, marks: set[Mark]) -> None:
    if page.removed:
        marks.add("hidden text removed")
    if page.recognised:
        marks.add("ocr")
    if page.picture and not page.lines:
        marks.add("image only")


def assemble(document: Any, count: int, name: str, read: Read) -> Parsed:
    layout.without_running(read.pages)
    rows = placed(column for page in read.pages for column in layout.columns(page))
    blocks, outline = to_blocks(bookmarks(document, count, read.marks), count, rows)
    text = "\n".join(block.text for block in blocks)
    if sum(garbled(item.row.text) for item in rows) > 0.01 * len(rows):
        read.marks.add("garbled")
    return Parsed(
        format="pdf",
        title=title_of(document.metadata.get("title") or "", rows, name),
        pages=count,
        language=language(text),
        date=date_of(document.metadata),
        outline=outline,
        blocks=blocks,
        marks=sorted(read.marks),
        labels=labels_of(document, count),
        unread=read.unread,
    )


def bookmarks(document: Any, count: int, marks: set[Mark]) -> list[Heading]:
    try:
        entries = document.get_toc(simple=False)
    except ODD:
        marks.add("repaired")
        return []
    return headings.outline_of(entries, count)


def to_blocks(outline: list[Heading], count: int, rows: list[Placed]) -> tuple[list[Block], list[Heading]]:
    lines = [item.row for item in rows]
    body = headings.body_size([line for line in lines if not line.table])
    found, spans = headings.matched(outline, lines)
    if not headings.dense_enough(outline, len(found), count):
        guess(lines, body, found, spans)
    joiner = Joiner(rows, body)
    place = 0
    while place < len(rows):
        if place in found:
            joiner.heading(lines[place : place + spans[place]], found[place])
            place += spans[place]
        else:
            joiner.add(rows[place])
            place += 1
    joiner.flush()
    said = [Heading(level=b.level, title=b.text, page=b.page) for b in joiner.blocks if b.kind == "heading"]
    return joiner.blocks, outline or said


def guess(lines: list[Line], body: float, found: dict[int, int], spans: dict[int, int]) -> None:
    """Add the rows that look like headings; those of one look that follow closely are one heading."""
    taken = {place + step for place in found for step in range(spans[place])}
    fresh = [
        place
        for place, line in enumerate(lines)
        if place not in taken and not line.table and headings.stands_out(line, body) and not garbled(line.text)
    ]
    level = headings.levels([lines[place] for place in fresh])
    deeper = max(found.values(), default=0)
    starts: list[int] = []
    for before, place in pairwise([-2, *fresh]):
        if starts and place == before + 1 and headings.continues(lines[before], lines[place]):
            spans[starts[-1]] += 1
            continue
        starts.append(place)
        found[place], spans[place] = min(level[id(lines[place])] + deeper, headings.DEEPEST), 1


def title_of(stated: str, rows: list[Placed], name: str) -> str:
    """The metadata's title unless it is a file name or nonsense, else the largest words of the first page."""
    stated = " ".join(stated.split())
    if sum(map(str.isalpha, stated)) >= 3 and not FILE_LIKE.search(stated) and not garbled(stated):
        return stated[:300]
    lines = [item.row for item in rows if item.row.page == rows[0].row.page and not item.row.table]
    body = headings.body_size([item.row for item in rows])
    large = [line for line in lines if line.size > 1.15 * body and sum(map(str.isalpha, line.text)) >= 3]
    if large:
        size = max(line.size for line in large)
        start = next(place for place, line in enumerate(large) if line.size == size)
        words = [line.text for line in large[start : start + 3] if line.size == size]
        if not garbled(" ".join(words)):
            return " ".join(words)[:300]
    return stem(name)


def date_of(metadata: dict[str, str | None]) -> str | None:
    """The day the document was made, else last changed, by its own account."""
    for field in ("creationDate", "modDate"):
        stated = DATE.match(metadata.get(field) or "")
        if stated and 1970 <= int(stated[1]) <= 2100:
            try:
                return datetime.date(int(stated[1]), int(stated[2] or 1), int(stated[3] or 1)).isoformat()
            except ValueError:
                continue
    return None


def labels_of(document: Any, count: int) -> list[str]:
    """Printed page numbers, where they are not simply 1, 2, 3."""
    try:
        labels = [str(document[number].get_label()) for number in range(count)] if document.get_page_labels() else []
    except ODD:
        return []  # a damaged list of numbers: they are told by position
    plain = all(label in ("", str(number)) for number, label in enumerate(labels, 1))
    return [] if plain else labels
