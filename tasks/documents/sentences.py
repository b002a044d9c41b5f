"""Where sentences end, as offsets into the text: nothing is lost, nothing is rewritten."""

import re
from collections.abc import Iterator

CLOSING = "\"'\u201d\u2019»)\\]」』\uff09】"
LATIN = rf"(?<![.!?…؟।])[.!?…؟।]++[{CLOSING}]*+\s++(?![a-zß-öø-ÿа-я,;:)])"
CJK = rf"[。\uff01\uff1f｡]++[{CLOSING}]*+\s*+"
END = re.compile(rf"{LATIN}|{CJK}|\n\s*+")
WORD = re.compile(r"[^\s(\[\"'\u201c\u2018]+$")
ABBREVIATIONS = (
    " al approx art ca cf ch chap co corp dr ed eds eq eqs etc fig figs inc jr ltd mr mrs nos nr p pp prof refs resp "
    "sec sect sr st tab vol vs bzw dgl evtl ggf usw vgl zb e.g i.e u.s u.k a.m p.m ph.d z.b d.h u.a "
)


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each sentence, with the blanks behind it; together they are the whole text."""
    start = 0
    for match in END.finditer(text):
        if not _goes_on(text, start, match):
            yield start, match.end()
            start = match.end()
    if start < len(text):
        yield start, len(text)


def _goes_on(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether the full stop belongs to an abbreviation, an initial or a number in a list."""
    if not text.startswith(".", match.start()) or match.end() == len(text):
        return False
    word = WORD.search(text, max(start, match.start() - 24), match.start())
    if word is None:
        return True  # nothing before the stop
    before = word[0].lower()
    initial = len(before) == 1 and before.isalpha()
    enumerated = word.start() == start and before.isdigit()
    return initial or enumerated or f" {before} " in ABBREVIATIONS
