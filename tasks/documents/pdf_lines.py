"""The visible lines of a PDF page as MuPDF finds them, and the straight rules drawn between them."""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pymupdf

from tasks.documents.hidden import Sight
from tasks.documents.text import smuggles, visible

FLAGS = pymupdf.TEXT_PRESERVE_WHITESPACE | pymupdf.TEXT_CID_FOR_UNKNOWN_UNICODE | pymupdf.TEXT_COLLECT_VECTORS
BOLD, MONO = 16, 8
THIN = 3.0  # points: a rule is no thicker
FORMS = re.compile("[\ufb00-\ufb06\ufb1d-\ufdff\ufe70-\ufefc]+")  # ligatures and presentation forms
SOFT = "\u00ad"  # a hyphen that is only there at the end of a line
LEADERS = re.compile(r"\s*(?:\.\s?){5,}")  # dots that lead to a page number
SPACES = re.compile(r"\s+")

Box = tuple[float, float, float, float]


@dataclass(slots=True)
class Line:
    """Words on one baseline; `parts` are the boxes and words it was joined from, left to right."""

    page: int
    x0: float
    y0: float
    x1: float
    y1: float
    base: float
    size: float
    text: str
    bold: bool
    mono: bool
    table: bool = False  # then `text` is a whole table in Markdown and the box is the table's
    parts: list[tuple[float, float, str]] = field(default_factory=list)

    def join(self, other: "Line", gap: str) -> None:
        """Take in what stands further along the same baseline."""
        if not self.parts:
            self.parts = [(self.x0, self.x1, self.text)]
        self.parts += other.parts or [(other.x0, other.x1, other.text)]
        if len(other.text) > len(self.text):
            self.size, self.base = other.size, other.base
        self.bold, self.mono = self.bold and other.bold, self.mono and other.mono
        self.text = f"{self.text}{gap}{other.text}"
        self.x0, self.x1 = min(self.x0, other.x0), max(self.x1, other.x1)
        self.y0, self.y1 = min(self.y0, other.y0), max(self.y1, other.y1)


@dataclass(slots=True)
class Page:
    """One page: `across` and `down` are its rules, `picture` says that it shows something without any text."""

    number: int
    width: float
    height: float
    lines: list[Line]
    across: list[Box]
    down: list[Box]
    picture: bool
    removed: bool
    recognised: bool

    @property
    def body(self) -> float:
        """The size that most characters have."""
        sizes: Counter[float] = Counter()
        for line in self.lines:
            sizes[line.size] += len(line.text)
        return max(sizes, key=lambda size: (sizes[size], size), default=10.0)


def read_page(page: Any, number: int) -> Page:
    blocks = page.get_text("dict", flags=FLAGS)["blocks"]
    sight = Sight(page, [(block["bbox"], block["color"]) for block in blocks if block["type"] == 3 and fills(block)])
    lines: list[Line] = []
    across: list[Box] = []
    down: list[Box] = []
    odd: Counter[tuple[float, float]] = Counter()
    drawn = False
    for block in blocks:
        if block["type"] == 3:
            drawn = True
            sort_rule(block, across, down)
            continue
        for found in block.get("lines", ()):
            line = read_line(found, number, sight)
            if line is None:
                continue
            if found["dir"] != (1.0, 0.0):
                turn(line, found["dir"], found["spans"][0]["origin"])
                odd[found["dir"]] += 1
            lines.append(line)
    picture = not lines and (drawn or bool(page.get_image_info()))
    box = page.rect
    sideways = len(odd) > 0 and odd.most_common(1)[0][1] * 2 > len(lines)
    width, height = (box.height, box.width) if sideways else (box.width, box.height)
    return Page(number, width, height, lines, across, down, picture, sight.removed, sight.recognised)


def read_line(found: dict[str, Any], number: int, sight: Sight) -> Line | None:
    """The visible spans of one line; None where there are none."""
    spans = [span for span in found["spans"] if sight.sees(span)]
    text = "".join([span["text"] for span in spans])
    if not text.isascii():
        sight.removed |= smuggles(text)
        text = FORMS.sub(lambda form: unicodedata.normalize("NFKC", form[0]), text)
    if text.rstrip().endswith(SOFT):
        text = text.rstrip()[:-1] + "-"
    text = SPACES.sub(" ", visible(text)).strip()
    if not text:
        return None
    if ". ." in text or "...." in text:
        text = LEADERS.sub(" … ", text).strip()
    main = max(spans, key=lambda span: len(span["text"].strip())) if len(spans) > 1 else spans[0]
    said = [span for span in spans if not span["text"].isspace()] or spans
    return Line(
        page=number,
        x0=min(span["bbox"][0] for span in said),
        y0=main["bbox"][1],
        x1=max(span["bbox"][2] for span in said),
        y1=main["bbox"][3],
        base=main["origin"][1],
        size=round(main["size"], 1),
        text=text,
        bold=all(span["flags"] & BOLD for span in said),
        mono=all(span["flags"] & MONO for span in said),
    )


def turn(line: Line, direction: tuple[float, float], origin: tuple[float, float]) -> None:
    """Turn a line that runs in another direction so that it runs to the right."""
    dx, dy = direction
    corners = [(x * dx + y * dy, y * dx - x * dy) for x in (line.x0, line.x1) for y in (line.y0, line.y1)]
    line.x0, line.x1 = min(x for x, _ in corners), max(x for x, _ in corners)
    line.y0, line.y1 = min(y for _, y in corners), max(y for _, y in corners)
    line.base = origin[1] * dx - origin[0] * dy


def fills(block: dict[str, Any]) -> bool:
    """Whether a vector is an area that a word can stand on, rather than a rule."""
    x0, y0, x1, y1 = block["bbox"]
    return not block["stroked"] and min(x1 - x0, y1 - y0) > THIN


def sort_rule(block: dict[str, Any], across: list[Box], down: list[Box]) -> None:
    """Thin vectors are rules; a stroked rectangle is four of them."""
    x0, y0, x1, y1 = block["bbox"]
    wide, tall = x1 - x0, y1 - y0
    if tall <= THIN < wide:
        across.append(block["bbox"])
    elif wide <= THIN < tall:
        down.append(block["bbox"])
    elif block["stroked"] and block["isrect"]:
        across += [(x0, y0, x1, y0 + 1), (x0, y1 - 1, x1, y1)]
        down += [(x0, y0, x0 + 1, y1), (x1 - 1, y0, x1, y1)]
