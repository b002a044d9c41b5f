"""Reading order: running headers and footers out, columns one after the other, fragments joined into rows."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from statistics import quantiles

from tasks.documents.pdf_lines import Line, Page

TOP, BOTTOM = 0.10, 0.13  # of the page's height: where headers and footers stand
REPEATED = 0.3  # of the pages
DIGITS = re.compile(r"\d+")
ROMAN = re.compile(r"\b[ivxlc]+\b")
RTL = re.compile("[\u0590-\u08ff]")
CLOSE = 3.0  # of the size: gaps between the words of a justified line
COLUMN_LINES = 5
SMALL = 1.05  # of the size of most of a page: slides repeat their titles, in large letters
PROSE = 15  # characters: shorter lines do not make a column


@dataclass(slots=True)
class Column:
    """Rows in reading order that share a left and a right edge."""

    rows: list[Line]
    left: float
    right: float


def without_running(pages: list[Page]) -> None:
    """Take out the lines at the top and bottom that come back, but for their numbers, on many pages."""
    edges: list[tuple[Page, Line, tuple[str, int]]] = []
    for page in pages:
        for line in page.lines:
            top = line.y1 <= page.height * TOP
            if top or line.y0 >= page.height * (1 - BOTTOM):
                place = round(line.base / 8) if top else -round((page.height - line.base) / 8)
                edges.append((page, line, (ROMAN.sub("#", DIGITS.sub("#", line.text.lower())), place)))
    on: dict[tuple[str, int], set[int]] = defaultdict(set)
    for page, _, (text, place) in edges:
        for near in (place - 1, place, place + 1):
            on[text, near].add(page.number)
    needed = max(2, REPEATED * len(pages))
    gone = {id(line) for _, line, key in edges if len(on[key]) >= needed or lone_number(key[0], len(pages))}
    gone |= chapter_lines(edges)
    gone -= words_of_text(edges, gone)
    if gone:
        for page in pages:
            page.lines = [line for line in page.lines if id(line) not in gone]


def words_of_text(edges: list[tuple[Page, Line, tuple[str, int]]], gone: set[int]) -> set[int]:
    """Those of `gone` that stand close beside a line that stays: in justified text a word can be a line of its own."""
    rows: dict[tuple[int, int], list[Line]] = defaultdict(list)
    for page, line, _ in edges:
        rows[page.number, round(line.base)].append(line)
    words: set[int] = set()
    for row in rows.values():
        row.sort(key=lambda line: line.x0)
        for pairs in (pairwise(row), pairwise(reversed(row))):
            for one, beside in pairs:
                close = max(one.x0, beside.x0) - min(one.x1, beside.x1) < CLOSE * beside.size
                if close and id(beside) in gone and (id(one) not in gone or id(one) in words):
                    words.add(id(beside))
    return words


def chapter_lines(edges: list[tuple[Page, Line, tuple[str, int]]]) -> set[int]:
    """Small lines that the next or the last page has word for word in the same place, as chapters' headers are."""
    seen: dict[tuple[str, int, int], list[Line]] = defaultdict(list)
    for page, line, (_, place) in edges:
        if line.size <= SMALL * page.body:
            seen[line.text.strip(" 0123456789"), place, page.number].append(line)
    beside = [key for key in seen if key[0] and any((key[0], key[1], key[2] + step) in seen for step in (-1, 1))]
    return {id(line) for key in beside for line in seen[key]}


def lone_number(text: str, pages: int) -> bool:
    """A page number and nothing else, in a document where it cannot be content."""
    return pages > 1 and text.strip(" -\u2013\u2014.|") in ("#", "page #", "# / #", "# of #", "page # of #")


def columns(page: Page) -> list[Column]:
    """The page's rows in reading order."""
    return [column for group in split(page.lines, 0) if (column := as_column(group)).rows]


def as_column(lines: list[Line]) -> Column:
    rows = joined(settled(lines))
    edges = sorted(row.x1 for row in rows)
    right = edges[int(len(edges) * 0.9)] if len(edges) > 4 else max(edges, default=0.0)
    return Column(rows, min((row.x0 for row in rows), default=0.0), right)


def split(lines: list[Line], depth: int) -> list[list[Line]]:
    """Groups of lines, left column before right; a line across both ends the columns above it."""
    gutter = find_gutter(lines) if depth < 3 else None
    if gutter is None:
        return [lines] if lines else []
    left_edge, right_edge = min(line.x0 for line in lines), max(line.x1 for line in lines)
    reach_left, reach_right = (gutter - left_edge) * 0.2, (right_edge - gutter) * 0.2
    spanning = [line for line in lines if line.x0 < gutter - reach_left and line.x1 > gutter + reach_right]
    bands: dict[int, tuple[list[Line], list[Line]]] = defaultdict(lambda: ([], []))
    heights = sorted(line.base for line in spanning)
    across = {id(line) for line in spanning}
    for line in lines:
        if id(line) not in across:
            above = sum(height < line.base - 1 for height in heights)
            bands[above][(line.x0 + line.x1) / 2 > gutter].append(line)
    groups: list[list[Line]] = []
    ordered = sorted(spanning, key=lambda line: (line.base, line.x0))
    waiting: list[Line] = []
    for above in range(len(heights) + 1):
        sides = bands.get(above)
        if sides:
            groups += [waiting] if waiting else []
            waiting = []
            groups += split(sides[0], depth + 1) + split(sides[1], depth + 1)
        waiting += ordered[above : above + 1]
    return groups + ([waiting] if waiting else [])


def find_gutter(lines: list[Line]) -> float | None:
    """The x between two columns of prose, or None."""
    prose = [line for line in lines if len(line.text) >= PROSE]
    if len(prose) < 2 * COLUMN_LINES:
        return None
    left_edge, right_edge = min(line.x0 for line in prose), max(line.x1 for line in prose)
    width = right_edge - left_edge
    if sum(line.x1 - line.x0 > 0.6 * width for line in prose) > 0.4 * len(prose):
        return None
    starts = Counter(round(line.x0) for line in prose if line.x0 > left_edge + 0.2 * width)
    best: tuple[int, float] | None = None
    for start, count in starts.most_common(8):
        if count < 3:
            break
        gutter = start - 2.0
        crossing = sum(line.x0 < gutter - 2 and line.x1 > gutter for line in prose)
        if (best is None or crossing < best[0]) and is_gutter(prose, gutter, crossing):
            best = (crossing, gutter)
    return best[1] if best else None


def is_gutter(prose: list[Line], gutter: float, crossing: int) -> bool:
    """Enough lines on both sides, side by side, a quarter of them at least nearly as wide as their column."""
    left = [line for line in prose if line.x1 <= gutter]
    right = [line for line in prose if line.x0 >= gutter - 2]
    if min(len(left), len(right)) < COLUMN_LINES or crossing > 0.2 * len(prose):
        return False
    for side in (left, right):
        widest = max(line.x1 for line in side) - min(line.x0 for line in side)
        if quantiles([line.x1 - line.x0 for line in side], n=4)[2] < 0.4 * widest:
            return False
    top = max(min(line.y0 for line in side) for side in (left, right))
    bottom = min(max(line.y1 for line in side) for side in (left, right))
    shorter = min(max(line.y1 for line in side) - min(line.y0 for line in side) for side in (left, right))
    return bottom - top > 0.3 * shorter


def settled(lines: list[Line]) -> list[Line]:
    """The file's own order unless it jumps about; then from top to bottom."""
    jumps = sum(after.y1 < before.y0 - before.size for before, after in pairwise(lines))
    if jumps <= max(1, 0.05 * len(lines)):
        return lines
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.base):
        if rows and line.base - rows[-1][0].base < 0.5 * line.size:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: line.x0)]


def joined(lines: list[Line]) -> list[Line]:
    """Rows: neighbours on one baseline become one line."""
    rows: list[Line] = []
    for line in lines:
        if rows and same_row(rows[-1], line):
            before = rows[-1]
            gap = line.x0 - before.x1 if line.x0 >= before.x1 else before.x0 - line.x1
            before.join(line, " " if gap > 0.15 * line.size else "")
        else:
            rows.append(line)
    return rows


def same_row(before: Line, line: Line) -> bool:
    if before.table or line.table:
        return False
    overlap = min(before.y1, line.y1) - max(before.y0, line.y0)
    if overlap < 0.5 * min(before.y1 - before.y0, line.y1 - line.y0):
        return False
    if line.x0 >= before.x1 - 0.3 * line.size:
        return True
    return line.x1 <= before.x0 + 1 and bool(RTL.search(line.text) or RTL.search(before.text))
