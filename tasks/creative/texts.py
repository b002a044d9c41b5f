"""Records as texts: what a classifier reads of one, in training and in the service alike."""

import html
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

LONGEST = 10_000  # characters of a column that are read
TAG = re.compile(r"<(/?)([a-zA-Z!][a-zA-Z0-9-]{0,20})[^<>]{0,500}>")
UNSEEN = ("script", "style")  # what stands in them is no text
WORD = re.compile("[0-9A-Za-z\u00a1-\U0010ffff]")
SPLIT = re.compile(r"\W+")


def rendered(record: Mapping[str, Any], columns: Sequence[str]) -> str:
    """The columns of a record as one text: words as they stand, numbers after their column's name."""
    return " ".join(pieces(record, columns).values())


def pieces(record: Mapping[str, Any], columns: Sequence[str]) -> dict[str, str]:
    """What is read of each column that says something."""
    return {column: part for column in columns if (part := _part(column, record.get(column)))}


def too_long(value: Any) -> bool:
    return isinstance(value, str) and len(value) > LONGEST


def _part(column: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        said = cleaned(str(value))
    else:
        said = f"{column} {value:g}"
    return said if not said or said[-1] in ".!?:;," else f"{said}."


def cleaned(text: str) -> str:
    """Without tags, entities, control characters and runs of blanks; composed (NFC), and cut where it is too long."""
    plain = unmarked(html.unescape(unmarked(text[: 2 * LONGEST])))
    said = "".join(" " if unicodedata.category(one) in ("Cc", "Cs") else one for one in plain)
    return " ".join(unicodedata.normalize("NFC", said).split())[:LONGEST]


def unmarked(text: str) -> str:
    first, *rest = TAG.split(text)
    kept, inside = [first], ""
    for slash, name, after in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        if inside == name.lower() and slash:
            inside = ""
        elif not inside and not slash and name.lower() in UNSEEN:
            inside = name.lower()
        kept.append("" if inside else after)
    return " ".join(kept)


def has_words(text: str) -> bool:
    """Whether there is a letter, a digit, or a sign beyond ASCII: nothing else can be judged."""
    return WORD.search(text) is not None


def same(text: str) -> str:
    """What two texts share that differ in case and punctuation alone."""
    return SPLIT.sub(" ", text.casefold()).strip()
