"""Grids of ruling lines on a page: where a table's rows and columns are, and which rules part them."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.documents.pdf_lines import Box, Page

NEAR = 3.0  # points: rules closer than this are one, ends closer than this touch
SHORT = 8.0  # points: shorter strokes belong to a drawing
MANY = 300  # rules: more make a drawing or a chart

Rule = tuple[float, float, float]  # position, from, to


@dataclass(slots=True)
class Grid:
    """Column borders `xs`, row borders `ys`, and the vertical rules between them."""

    xs: list[float]
    ys: list[float]
    down: list[Rule]

    @property
    def box(self) -> Box:
        return self.xs[0], self.ys[0], self.xs[-1], self.ys[-1]

    def holds(self, x: float, y: float) -> bool:
        x0, y0, x1, y1 = self.box
        return x0 - 1 <= x <= x1 + 1 and y0 - 1 <= y <= y1 + 1

    def cell(self, x: float, y: float) -> tuple[int, int]:
        """Row and column of a point."""
        row, column = bisect_right(self.ys, y) - 1, bisect_right(self.xs, x) - 1
        return min(max(row, 0), len(self.ys) - 2), min(max(column, 0), len(self.xs) - 2)

    def parted(self, x0: float, x1: float, y: float) -> bool:
        """Whether a rule stands between x0 and x1 at this height: cells that were merged have none."""
        return any(x0 + NEAR < x < x1 - NEAR and top - 1 <= y <= end + 1 for x, top, end in self.down)


def merged(rules: Sequence[Rule]) -> list[Rule]:
    """Pieces on one straight line that touch become one rule."""
    found: list[Rule] = []
    lanes: list[float] = []
    for place, _, _ in sorted(rules):
        if not lanes or place - lanes[-1] > NEAR / 2:
            lanes.append(place)
    laid = [(lanes[bisect_right(lanes, place) - 1], start, end) for place, start, end in rules]
    for place, start, end in sorted(laid):
        if found and place == found[-1][0] and start <= found[-1][2] + NEAR:
            found[-1] = (place, found[-1][1], max(end, found[-1][2]))
        else:
            found.append((place, start, end))
    return [rule for rule in found if rule[2] - rule[1] >= SHORT]


def rules(page: Page) -> tuple[list[Rule], list[Rule]]:
    """The page's rules across and down, without those of charts."""
    across = merged([((y0 + y1) / 2, x0, x1) for x0, y0, x1, y1 in page.across])
    down = merged([((x0 + x1) / 2, y0, y1) for x0, y0, x1, y1 in page.down])
    return ([], []) if len(across) + len(down) > MANY else (across, down)


def touch(across: Rule, down: Rule) -> bool:
    y, left, right = across
    x, top, bottom = down
    return left - NEAR <= x <= right + NEAR and top - NEAR <= y <= bottom + NEAR


def borders(places: Sequence[float]) -> list[float]:
    """Positions, those that are nearly the same taken once."""
    found: list[float] = []
    for place in sorted(places):
        if not found or place - found[-1] > NEAR:
            found.append(place)
    return found


def grids(across: list[Rule], down: list[Rule]) -> list[Grid]:
    """Rules that cross or touch one another, where they make at least two cells."""
    found = []
    waiting = set(range(len(down)))
    taken: set[int] = set()
    while waiting:
        group, edge = set[int](), {waiting.pop()}
        lying = set[int]()
        while edge:
            group |= edge
            fresh = {
                row for row in range(len(across)) if row not in taken and any(touch(across[row], down[d]) for d in edge)
            }
            lying |= fresh
            taken |= fresh
            edge = {d for d in waiting if any(touch(across[row], down[d]) for row in fresh)}
            waiting -= edge
        grid = Grid(
            borders([down[d][0] for d in group]),
            borders([across[row][0] for row in lying]),
            [down[d] for d in group],
        )
        if len(grid.xs) >= 2 and len(grid.ys) >= 2 and (len(grid.xs) - 1) * (len(grid.ys) - 1) >= 2:
            found.append(opened(grid, [across[row] for row in lying]))
    return found


def opened(grid: Grid, across: list[Rule]) -> Grid:
    """Rules across that reach beyond the outer rules down show a table that is open at its sides."""
    left, right = min(start for _, start, _ in across), max(end for _, _, end in across)
    if left < grid.xs[0] - 2 * NEAR:
        grid.xs.insert(0, left)
    if right > grid.xs[-1] + 2 * NEAR:
        grid.xs.append(right)
    return grid


def bands(across: list[Rule]) -> list[tuple[float, float, list[float]]]:
    """Rules of one width above each other, as tables without rules down have them: left, right, heights."""
    found: list[tuple[float, float, list[float]]] = []
    for y, left, right in sorted(across):
        for start, end, heights in found:
            if abs(start - left) <= NEAR and abs(end - right) <= NEAR:
                heights.append(y)
                break
        else:
            if right - left > 80:
                found.append((left, right, [y]))
    return [band for band in found if len(band[2]) >= 2]
