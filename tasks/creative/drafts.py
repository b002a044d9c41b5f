"""Drafts of a caption, hashtags and an ad, out of what a record says and nothing else.

Statements are the record's own, whole: a shorter or another wording could say what the record does not hold."""

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any
from unicodedata import category

from pydantic import BaseModel, ConfigDict, Field

from tasks.creative.texts import cleaned

CAPTION, COPY, PRICE = 120, 300, 24  # characters at most
TAGS = 5
END = re.compile(r"[.!?]+[\"')\u201d]*\s+")
ANGLES = str.maketrans("<>", "\u2039\u203a")  # no draft is markup


class Drafts(BaseModel):
    model_config = ConfigDict(frozen=True)

    caption: str = Field(description="One line for a post")
    hashtags: list[str] = Field(description="Of the category and the title's words")
    ad_copy: str = Field(description="A few sentences for an ad")


class Facts(BaseModel):
    """What a draft may speak of, cleaned; what is missing is empty."""

    model_config = ConfigDict(frozen=True)

    title: str = ""
    category: str = ""
    description: str = ""
    price: float | None = None


def facts_of(record: Mapping[str, Any], columns: Mapping[str, str]) -> Facts:
    """`columns` names the column of each fact."""
    values = {fact: record.get(column) for fact, column in columns.items()}
    price = values.pop("price", None)
    texts = {fact: calm(cleaned(str(value)).translate(ANGLES)) for fact, value in values.items() if value is not None}
    return Facts(**texts, price=price if isinstance(price, int | float) else None)


def statements(facts: Facts) -> list[str]:
    """What can be said of it, in the record's own words: its name, and the sentences of the description that fit. Its
    name is the title, else a short sentence, else the category. [] where it has none."""
    said = [one for one in sentences(facts.description) if any(map(str.isalnum, one)) and len(one) <= COPY - PRICE]
    name = cut(facts.title) or next((one for one in said if len(one) <= CAPTION), "") or cut(facts.category)
    return [ended(name), *(one for one in said if one != name)] if name else []


def sentences(text: str) -> list[str]:
    """Split where a mark ends a word and no small letter or digit follows: neither in `3.5 kg` nor in `e.g. tents`."""
    found, start = [], 0
    for match in END.finditer(text):
        after = text[match.end() : match.end() + 1]
        if after and not after.islower() and not after.isdigit():
            found.append(text[start : match.end()].strip())
            start = match.end()
    return [*found, text[start:].strip()] if text[start:].strip() else found


def drafted(facts: Facts) -> Drafts | None:
    """By template: the statements as they come. None where there is nothing to say."""
    said = statements(facts)
    return composed(facts, said[:2], said) if said else None


def composed(facts: Facts, caption: list[str], copy: list[str]) -> Drafts:
    """Of some of the statements, and the price."""
    price = f"Price: {facts.price:.2f}." if facts.price is not None else ""
    name = statements(facts)[0]
    return Drafts(
        caption=(whole(caption, CAPTION) or name).rstrip("."),
        hashtags=hashtags(facts),
        ad_copy=f"{whole(copy, COPY - len(price))} {price}".strip(),
    )


def whole(some: list[str], most: int) -> str:
    """Statements that fit into a length, each whole: the half of one may say what the record does not."""
    said = ""
    for one in some:
        longer = f"{said} {one}".strip()
        if len(longer) <= most:
            said = longer
    return said


def cut(name: str) -> str:
    """At a word's end, where it is too long for a caption."""
    return name if len(name) < CAPTION else name[: CAPTION - 2].rsplit(" ", 1)[0].rstrip(" ,;:.") + "\u2026"


def ended(name: str) -> str:
    """As a sentence."""
    calmer = name.rstrip(".!")
    return calmer if calmer.endswith(("?", "\u2026")) else f"{calmer}."


def hashtags(facts: Facts) -> list[str]:
    """The category, the title as one word, and its longer words."""
    words = [word for word in words_of(facts.title) if not word.isdigit()]
    found = ["".join(words_of(facts.category)).lower(), "".join(word.capitalize() for word in words)]
    found += [word.lower() for word in words if len(word) > 3]
    distinct: dict[str, str] = {}
    for tag in filter(None, found):
        distinct.setdefault(tag.lower(), f"#{tag}")
    return list(islice(distinct.values(), TAGS))


def words_of(text: str) -> list[str]:
    """Runs of letters, digits and the marks that letters carry."""
    return "".join(one if one.isalnum() or category(one)[0] == "M" else " " for one in text).split()


def calm(text: str) -> str:
    """Sentences that shout in a quiet voice: capitals and repeated marks say nothing."""
    quiet = re.sub(r"([!?.])\1+", r"\1", text)
    return " ".join(_calm(part) for part in sentences(quiet))


def _calm(sentence: str) -> str:
    letters = [one for one in sentence if one.isalpha()]
    if len(letters) < 4 or sum(one.isupper() for one in letters) < 0.8 * len(letters):
        return sentence
    return sentence.capitalize()
