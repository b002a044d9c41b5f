"""Whether a text is HTML, by how it begins. It imports nothing: a service that takes uploads asks the same."""

import re

BLANK = re.compile(r"\s*")
MARK = re.compile(r"<(?:!doctype\s+html|html|head|body)[\s/>]", re.IGNORECASE)
SKIPPED = (("<!--", "-->"), ("<?xml", "?>"))


def is_markup(text: str) -> bool:
    """Comments and an XML declaration may stand before the first tag; each is passed over once, in linear time."""
    place = after_blank(text, 0)
    while skipped := next((pair for pair in SKIPPED if text.startswith(pair[0], place)), None):
        opening, closing = skipped
        end = text.find(closing, place + len(opening))
        if end < 0:
            return False
        place = after_blank(text, end + len(closing))
    return MARK.match(text, place) is not None


def after_blank(text: str, place: int) -> int:
    found = BLANK.match(text, place)
    return found.end() if found else place
