"""Rows to blocks: paragraphs joined across lines, columns and pages, hyphens at line ends undone."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from tasks.documents.layout import Column
from tasks.documents.parsed import Block
from tasks.documents.pdf_lines import Line

BULLET = re.compile(r"^([•◦▪‣●○■□–—*·∙➢✓-]|\(?[a-zA-Z][.)]|\(?(\d{1,3}|[ivx]{1,5})[.)])\s")  # noqa: RUF001
END = re.compile(r"[.!?:;。！？…]['\"’”»)\]]*$")  # noqa: RUF001
CJK = re.compile("[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")
HYPHENS = ("-", "\u2010")
WORD_END = re.compile(r"([^\W\d_]+)[-\u2010]$")
TIED = re.compile(r"-[^\W\d_]")
WORD_START = re.compile(r"^[^\W\d_]+")
GAP = 1.3  # times the usual distance of lines: more parts paragraphs


@dataclass(slots=True)
class Placed:
    """A row, its column's edges, and whether it is the first of that column."""

    row: Line
    left: float
    right: float
    first: bool

    def displayed(self) -> bool:
        """Set apart in the middle of its column, as formulas are."""
        width, row = self.right - self.left, self.row
        return not row.bold and row.x0 - self.left > 0.15 * width and self.right - row.x1 > 0.15 * width


def placed(columns: Iterable[Column]) -> list[Placed]:
    return [
        Placed(row, column.left, column.right, number == 0)
        for column in columns
        for number, row in enumerate(column.rows)
    ]


def usual_leading(rows: Sequence[Placed], body: float) -> float:
    """The distance of baselines within paragraphs, in sizes of the letters."""
    steps = [
        (after.row.base - before.row.base) / body
        for before, after in pairwise(rows)
        if not after.first and before.row.size == after.row.size == body and len(before.row.text) > 40
    ]
    return median([step for step in steps if 0.8 < step < 2.5] or [1.2])


class Joiner:
    """Builds the blocks of one document from its rows, in order."""

    def __init__(self, rows: Sequence[Placed], body: float) -> None:
        self.leading = usual_leading(rows, body)
        self.vocabulary = {word for item in rows for word in item.row.text.lower().split()}
        self.blocks: list[Block] = []
        self.rows: list[Placed] = []

    def heading(self, rows: Sequence[Line], level: int) -> None:
        self.flush()
        text = self.prose([row.text for row in rows])
        self.blocks.append(Block(kind="heading", text=text, page=rows[0].page, level=level))

    def add(self, item: Placed) -> None:
        if item.row.table:
            self.flush()
            self.blocks.append(Block(kind="table", text=item.row.text, page=item.row.page))
            return
        if self.rows and self.parts(self.rows[-1], item):
            self.flush()
        self.rows.append(item)

    def flush(self) -> None:
        if not self.rows:
            return
        rows = [item.row for item in self.rows]
        if all(row.mono for row in rows):
            self.blocks.append(Block(kind="code", text=code(self.rows), page=rows[0].page))
        else:
            self.blocks.append(Block(kind="text", text=self.prose([row.text for row in rows]), page=rows[0].page))
        self.rows = []

    def parts(self, before: Placed, after: Placed) -> bool:
        """Whether a new paragraph begins."""
        old, new = before.row, after.row
        if old.mono != new.mono:
            return True
        if BULLET.match(new.text) and (not new.text[0].isalnum() or END.search(old.text) or self.short(before)):
            return True
        step = new.base - old.base
        if not after.first and abs(step) < 2.2 * max(old.size, new.size) and before.displayed() and after.displayed():
            return False
        if after.first or new.page != old.page or step < 0:
            return not self.goes_on(old, new)
        usual = self.leading * max(old.size, new.size)
        if new.mono:
            return step > 2.5 * usual
        ended = END.search(old.text) is not None
        if step > GAP * usual or (old.bold != new.bold and (ended or self.short(before))):
            return True
        indented = new.x0 - before.left > 0.8 * new.size and old.x0 - before.left < 0.3 * old.size
        if ended and indented and step > 0.5 * new.size:
            return True
        return ended and self.short(before) and new.text[:1].isupper() and new.x0 <= old.x0 + 1

    def short(self, item: Placed) -> bool:
        return item.row.x1 < item.right - 0.2 * (item.right - item.left)

    def goes_on(self, old: Line, new: Line) -> bool:
        """Whether a paragraph runs on in the next column or page."""
        if abs(old.size - new.size) > 0.08 * old.size or old.bold != new.bold or old.mono:
            return False
        return old.text.endswith(HYPHENS) or (
            not END.search(old.text) and (new.text[0].islower() or CJK.match(new.text) is not None)
        )

    def prose(self, lines: Sequence[str]) -> str:
        pieces = [lines[0]]
        for line in lines[1:]:
            last = pieces[-1]
            cut = WORD_END.search(last)
            if cut and line[0].islower():
                pieces[-1] = last if self.compound(cut[1], line) else last[:-1]
            elif not (CJK.match(last[-1]) and CJK.match(line[0])) and not last.endswith("/") and not TIED.match(line):
                pieces.append(" ")
            pieces.append(line)
        return "".join(pieces)

    def compound(self, head: str, line: str) -> bool:
        """Whether the document writes the word with its hyphen elsewhere, and never without."""
        tail = WORD_START.match(line)
        if tail is None:
            return True
        whole = f"{head}-{tail[0]}".lower()
        return whole in self.vocabulary and whole.replace("-", "") not in self.vocabulary


def code(rows: Sequence[Placed]) -> str:
    """Lines as they stand, indented by where they begin."""
    first = min(item.row.x0 for item in rows)
    lines = []
    for item in rows:
        width = (item.row.x1 - item.row.x0) / max(len(item.row.text), 1) or 1.0
        lines.append(" " * min(round((item.row.x0 - first) / width), 60) + item.row.text)
    return "\n".join(lines)
