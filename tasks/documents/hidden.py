"""Text that nobody sees on the page: quoted, it would pass as the document's own, and it is how orders are planted."""

import re
from typing import Any

import pymupdf

SMALL = 1.0  # points: nothing that is meant to be read is smaller
PALE = 230  # of 255, each channel
CONTRAST = 24  # of 255, between the darkest and the lightest spot around a word
PAINTED = 16 | 32  # a character that is filled or stroked
UNSEEN = re.compile("[\U000e0000-\U000e007f\u202a-\u202e\u2060-\u2069\ufeff\u200b\u00ad]")
TAGGED = re.compile("[\U000e0020-\U000e007e]{4,}")
CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")


def visible(text: str) -> str:
    """Without control characters, soft hyphens, direction overrides and the invisible twins of ASCII."""
    return CONTROL.sub("", text) if text.isascii() else CONTROL.sub("", UNSEEN.sub("", text))


def smuggles(text: str) -> bool:
    """Whether words are written in invisible tag characters."""
    return not text.isascii() and TAGGED.search(text) is not None


class Sight:
    """What can be seen of one page's spans; the page is only drawn when a span is as pale as paper."""

    def __init__(self, page: Any) -> None:
        self.page = page
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
        elif colour >= PALE << 16 and colour >> 8 & 255 >= PALE and colour & 255 >= PALE:
            seen = self.contrast(span["bbox"]) >= CONTRAST
        else:
            return True
        self.removed |= not seen and not span["text"].isspace()
        return seen

    def over_scan(self) -> bool:
        """Whether an image fills most of the page: then invisible text is what a scanner's OCR put there."""
        if self.layer is None:
            self.layer = covered(self.page)
        return self.layer

    def contrast(self, box: tuple[float, float, float, float]) -> int:
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
