"""Headings of a PDF: its own outline where it has one, else what stands out by size, weight and numbering."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from tasks.documents.parsed import Heading
from tasks.documents.pdf_lines import Line

LONG = 120  # characters: longer is a paragraph
LARGER = 1.05  # times the body's size
NUMBERED = re.compile(r"^(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+\S")
WORD = re.compile(r"[^\W\d_]{3}|[\u3040-\u9fff\uac00-\ud7af]{2}")  # a bracket or a sum sign is large too
NOT_LETTERS = re.compile(r"[\W\d_]+")
DEEPEST = 6
COARSE = 5  # an outline with fewer entries than a fifth of the pages leaves headings out


def body_size(rows: Sequence[Line]) -> float:
    """The size most characters have."""
    sizes: Counter[float] = Counter()
    for row in rows:
        sizes[row.size] += len(row.text)
    return max(sizes, key=lambda size: (sizes[size], size), default=10.0)


def stands_out(row: Line, body: float) -> bool:
    text = row.text
    if len(text) >= LONG or text.endswith((".", ",", ";")) or row.mono:
        return False
    if not (row.size > LARGER * body or (row.bold and row.size >= 0.95 * body)):
        return False
    known = sum(map(str.isalnum, text))
    return WORD.search(text) is not None and known * 2 >= len(text.replace(" ", ""))


def levels(found: Sequence[Line]) -> dict[int, int]:
    """Row identity -> level: the largest size is 1; numbers such as 2.1 count where most headings have them."""
    sizes = sorted({round(row.size) for row in found}, reverse=True)
    rank = {size: min(place, DEEPEST) for place, size in enumerate(sizes, 1)}
    by_size = {id(row): rank[round(row.size)] for row in found}
    depths: dict[int, list[int]] = defaultdict(list)
    numbered: dict[int, int] = {}
    for row in found:
        number = NUMBERED.match(row.text)
        if number:
            numbered[id(row)] = number[1].count(".")
            depths[number[1].count(".")].append(by_size[id(row)])
    if not numbered:
        return by_size
    base = min(min(places) - depth for depth, places in depths.items())
    return by_size | {row: max(1, min(base + depth, DEEPEST)) for row, depth in numbered.items()}


def flat(text: str) -> str:
    return NOT_LETTERS.sub("", text).casefold() or "".join(text.split())


def outline_of(toc: Sequence[Sequence[Any]], pages: int) -> list[Heading]:
    """The bookmarks that lead to a page of the document."""
    entries = []
    for level, title, page, *_ in toc:
        words = " ".join(str(title).split())
        if words and 1 <= page <= pages:
            entries.append(Heading(level=max(1, min(level, DEEPEST)), title=words, page=page))
    return entries


def matched(outline: Sequence[Heading], rows: Sequence[Line]) -> tuple[dict[int, int], dict[int, int]]:
    """Rows that are headings of the outline: (row place -> level, row place -> rows it takes), each found once."""
    by_page: dict[int, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        by_page[row.page].append(place)
    texts = [flat(row.text) for row in rows]
    found: dict[int, int] = {}
    spans: dict[int, int] = {}
    last = -1
    for entry in outline:
        wanted = flat(entry.title)
        options = [
            (place, span)
            for place in by_page[entry.page]
            if place not in found and (span := takes(texts, rows, place, wanted))
        ]
        if options:
            after = [option for option in options if option[0] > last]
            place, span = max(after or options, key=lambda option: (rows[option[0]].size, rows[option[0]].bold))
            found[place], spans[place], last = entry.level, span, place
    return found, spans


def takes(texts: list[str], rows: Sequence[Line], place: int, wanted: str) -> int:
    """How many rows from here on make up the title: 0 when they do not."""
    text = ""
    for span in range(1, 5):
        if place + span > len(rows) or rows[place + span - 1].page != rows[place].page:
            return 0
        text += texts[place + span - 1]
        bare = text
        if bare == wanted or (span == 1 and wanted and strip_number(rows[place].text) == wanted):
            return span
        if not wanted.startswith(text):
            return 0
    return 0


def strip_number(text: str) -> str:
    """A title as bookmarks have it: without the number, letter or word in front that the page prints."""
    return flat(re.sub(r"^((chapter|section|part|appendix)\s+)?([\dA-Z]{1,3}[.:]?)+\s+", "", text, flags=re.IGNORECASE))


def dense_enough(outline: Sequence[Heading], found: int, pages: int) -> bool:
    """Whether the outline alone gives the headings."""
    return found > 0 and found * 2 >= len(outline) and len(outline) * COARSE >= pages


def continues(before: Line, after: Line) -> bool:
    """Whether a heading runs on in the next row."""
    alike = before.size == after.size and before.bold == after.bold and before.page == after.page
    return alike and 0 < after.base - before.base < 1.6 * after.size and not NUMBERED.match(after.text)
