"""Text that nobody sees on the page: quoted, it would pass as the document's own, and it is how orders are planted."""

from typing import Any

import pymupdf

SMALL = 1.0  # points: nothing that is meant to be read is smaller
PALE = 230  # of 255, each channel
CONTRAST = 24  # of 255, between the darkest and the lightest spot around a word
NEAR = 40  # of 255, each channel: the colour of a word and of the area it stands on
MANY = 200  # areas: looking at the page is cheaper than at each of them
PAINTED = 16 | 32  # a character that is filled or stroked


Box = tuple[float, float, float, float]
Area = tuple[Box, int]  # and its colour


def channels(colour: int) -> tuple[int, int, int]:
    return colour >> 16 & 255, colour >> 8 & 255, colour & 255


def pale(colour: int) -> bool:
    return min(channels(colour)) >= PALE


def alike(one: int, other: int) -> bool:
    return all(abs(a - b) < NEAR for a, b in zip(channels(one), channels(other), strict=True))


class Sight:
    """What can be seen of one page's spans; the page is only drawn when a span is as pale as paper, or nearly of the
    colour of an area that it stands on. `areas` are the boxes and colours that are filled."""

    def __init__(self, page: Any, areas: list[Area] | None = None) -> None:
        self.page = page
        self.areas = areas or []
        self.near: dict[int, list[Box]] = {}
        box = page.rect
        self.left, self.top, self.right, self.bottom = box.x0 - 1, box.y0 - 1, box.x1 + 1, box.y1 + 1
        self.layer: bool | None = None
        self.drawn: Any = None
        self.removed = False
        self.recognised = False

    def sees(self, span: dict[str, Any]) -> bool:
        x0, y0, x1, y1 = span["bbox"]
        colour = span["color"]
        if x1 < self.left or x0 > self.right or y1 < self.top or y0 > self.bottom or span["size"] < SMALL:
            seen = False
        elif span["alpha"] < 20 or not span["char_flags"] & PAINTED:
            seen = self.over_scan()
            self.recognised |= seen
        elif pale(colour) or (self.areas and self.on_its_own(span["bbox"], colour)):
            seen = self.contrast(span["bbox"]) >= CONTRAST
        else:
            return True
        self.removed |= not seen and not span["text"].isspace()
        return seen

    def on_its_own(self, box: Box, colour: int) -> bool:
        """Whether the middle of the box stands on an area of nearly this colour; with very many areas it may."""
        if colour not in self.near:
            self.near[colour] = [area for area, filled in self.areas if alike(filled, colour)]
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        near = self.near[colour]
        return len(near) > MANY or any(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1 in near)

    def over_scan(self) -> bool:
        """Whether an image fills most of the page: then invisible text is what a scanner's OCR put there."""
        if self.layer is None:
            self.layer = covered(self.page)
        return self.layer

    def contrast(self, box: Box) -> int:
        if self.drawn is None:
            self.drawn = self.page.get_displaylist()
        area = pymupdf.Rect(box) & self.page.rect
        if area.is_empty or area.width * area.height > 1e6:
            return 0
        spots = self.drawn.get_pixmap(colorspace=pymupdf.csGRAY, alpha=False, clip=area).samples
        return max(spots) - min(spots) if spots else 0


def covered(page: Any) -> bool:
    """Whether images fill at least half of the page."""
    area = abs(page.rect) or 1.0
    return any(abs(pymupdf.Rect(image["bbox"]) & page.rect) >= area / 2 for image in page.get_image_info())
