"""Tables of a page as Markdown rows: ruled ones, those between rules across, and those that only stand in columns."""

from collections.abc import Sequence
from typing import Any

from tasks.documents.layout import same_row
from tasks.documents.pdf_grids import Grid, bands, grids, rules
from tasks.documents.pdf_lines import Line, Page
from tasks.documents.text import markdown_rows

SHORT_CELL = 30  # characters, on average: longer ones are columns of text
PARTS = 3  # columns, where no rule shows a table


def lift(page: Page, source: Any) -> None:
    """Put one table line in the place of the lines that a table holds; `source` is the open page."""
    across, down = rules(page)
    for grid in grids(across, down) if down else []:
        replace(page, ruled(page, source, grid))
    for left, right, heights in bands(across):
        inside = [
            line
            for line in page.lines
            if not line.table
            and heights[0] < line.base < heights[-1] + 1
            and left - 3 <= line.x0
            and line.x1 <= right + 3
        ]
        replace(page, aligned(inside, 2))
    run: list[Line] = []
    for group in [*groups(page.lines), []]:
        if len(group) >= PARTS and not any(line.table for line in group) and (not run or close(run[-1], group[0])):
            run += group
            continue
        if run:
            found = aligned(run, PARTS)
            if found and found[1] <= SHORT_CELL:
                replace(page, found)
        run = list(group) if len(group) >= PARTS and not any(line.table for line in group) else []


Found = tuple[Line, float, set[int]]  # the table's line, mean length of its cells, the lines it stands for


def replace(page: Page, found: Found | None) -> None:
    if found is None:
        return
    table, _, gone = found
    place = next(number for number, line in enumerate(page.lines) if id(line) in gone)
    before = page.lines[:place]
    page.lines = [*before, table, *(line for line in page.lines[place:] if id(line) not in gone)]


def close(before: Line, after: Line) -> bool:
    return 0 <= after.base - before.base < 3 * after.size


def groups(lines: Sequence[Line]) -> list[list[Line]]:
    """Lines that follow one another on one baseline."""
    found: list[list[Line]] = []
    for line in lines:
        if found and same_row(found[-1][-1], line):
            found[-1].append(line)
        else:
            found.append([line])
    return found


def ruled(page: Page, source: Any, grid: Grid) -> Found | None:
    inside = [
        line for line in page.lines if not line.table and grid.holds((line.x0 + line.x1) / 2, (line.y0 + line.y1) / 2)
    ]
    if len(inside) < 2 or any(len(line.text) > 2000 for line in inside):
        return None
    cells = [[""] * (len(grid.xs) - 1) for _ in grid.ys[1:]]
    for x0, x1, y, text in sorted(words(inside, source, grid), key=lambda word: (round(word[2]), word[0])):
        row, column = grid.cell((x0 + x1) / 2, y)
        cells[row][column] = f"{cells[row][column]} {text}".strip()
    return table_line(page.number, grid.box, inside, cells)


def words(lines: list[Line], source: Any, grid: Grid) -> list[tuple[float, float, float, str]]:
    """Left, right, height and text of each line; word by word where a rule cuts through the line."""
    found = []
    for line in lines:
        y = (line.y0 + line.y1) / 2
        if grid.parted(line.x0, line.x1, y):
            clip = (line.x0 - 1, line.y0, line.x1 + 1, line.y1)
            found += [(x0, x1, y, text) for x0, _, x1, _, text, *_ in source.get_text("words", clip=clip)]
        else:
            found.append((line.x0, line.x1, y, line.text))
    return found


def aligned(lines: list[Line], least: int) -> Found | None:
    """A table whose columns are seen by what stands under each other: at least `least` columns and three rows."""
    rows = groups(lines)
    if len(rows) < 3 or sum(len(row) >= least for row in rows) * 2 < len(rows):
        return None
    columns: list[list[float]] = []
    for x0, x1 in sorted((line.x0, line.x1) for line in lines):
        if columns and x0 < columns[-1][1] + 0.4 * lines[0].size:
            columns[-1][1] = max(columns[-1][1], x1)
        else:
            columns.append([x0, x1])
    if len(columns) < least:
        return None
    cells: list[list[str]] = []
    above: list[Line] = []
    for row in rows:
        fresh = [""] * len(columns)
        for line in row:
            column = max(place for place, (x0, _) in enumerate(columns) if x0 <= line.x0)
            fresh[column] = f"{fresh[column]} {line.text}".strip()
        if cells and not fresh[0] and sum(map(bool, fresh)) < len(columns) - 1 and wraps(above, row, columns):
            cells[-1] = [f"{old} {new}".strip() for old, new in zip(cells[-1], fresh, strict=True)]
        else:
            cells.append(fresh)
        above = row
    box = (columns[0][0], min(line.y0 for line in lines), columns[-1][1], max(line.y1 for line in lines))
    return table_line(lines[0].page, box, lines, cells)


def wraps(above: list[Line], row: list[Line], columns: list[list[float]]) -> bool:
    """Whether the cells of a row go on from full ones above."""
    right = {round(x0): x1 for x0, x1 in columns}
    for line in row:
        before = [old for old in above if abs(old.x0 - line.x0) < line.size]
        edge = min((x1 for x0, x1 in right.items() if x1 >= line.x1 - 1), default=line.x1)
        if not before or before[-1].x1 < edge - 0.25 * (edge - before[-1].x0):
            return False
    return True


def table_line(
    number: int, box: tuple[float, float, float, float], inside: list[Line], cells: list[list[str]]
) -> Found | None:
    """None where too little of the grid is filled: a frame, a form's box, a chart."""
    cells = [row for row in cells if any(row)]
    kept = [column for column in range(len(cells[0])) if any(row[column] for row in cells)] if cells else []
    cells = [[row[column] for column in kept] for row in cells]
    filled = [cell for row in cells for cell in row if cell]
    if len(cells) < 2 or len(kept) < 2 or len(filled) < 4 or len(filled) * 2 < len(cells) * len(kept):
        return None
    if sum(len(cell) for cell in filled) < 3 * len(filled) / 2:
        return None
    x0, y0, x1, y1 = box
    size = max(inside, key=lambda line: len(line.text)).size
    line = Line(number, x0, y0, x1, y1, y1, size, markdown_rows(cells), False, False, table=True)
    return line, sum(map(len, filled)) / len(filled), {id(line) for line in inside}
