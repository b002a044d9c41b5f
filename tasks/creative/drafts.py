"""Drafts of a caption, hashtags and an ad, out of what a record says and nothing else.

Statements are the record's own, whole: a shorter or another wording could say what the record does not hold."""

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tasks.creative.texts import cleaned

CAPTION, COPY = 120, 300  # characters at most
TAGS = 5
SENTENCE = re.compile(r"[^.!?]+[.!?]*")
WORD = re.compile(r"[^\W\d_]+|\d+(?:[.,]\d+)*")


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
    texts = {fact: calm(cleaned(str(value))) for fact, value in values.items() if value is not None}
    return Facts(**texts, price=price if isinstance(price, int | float) else None)


def statements(facts: Facts) -> list[str]:
    """What can be said of it, in the record's own words: the title, which without one is the description's first
    sentence, and the sentences of the description."""
    sentences = [part.strip() for part in SENTENCE.findall(facts.description) if part.strip(" .!?")]
    title = facts.title.rstrip(".!") or (sentences.pop(0).rstrip(".!") if sentences else facts.category)
    return [f"{title}.", *sentences]


def drafted(facts: Facts) -> Drafts:
    """By template: the statements as they come."""
    said = statements(facts)
    return composed(facts, said[:2], said)


def composed(facts: Facts, caption: list[str], copy: list[str]) -> Drafts:
    """Of some of the statements, and the price."""
    price = f"Price: {facts.price:.2f}." if facts.price is not None else ""
    return Drafts(
        caption=within(caption, CAPTION).rstrip("."),
        hashtags=hashtags(facts),
        ad_copy=f"{within(copy, COPY - len(price))} {price}".strip(),
    )


def within(sentences: list[str], most: int) -> str:
    """Whole sentences up to a length; the first one is cut at a word where it alone is too long."""
    said = sentences[0]
    if len(said) > most:
        return said[: most - 1].rsplit(" ", 1)[0].rstrip(" ,;:.") + "…"
    for sentence in sentences[1:]:
        if len(said) + 1 + len(sentence) > most:
            break
        said = f"{said} {sentence}"
    return said


def hashtags(facts: Facts) -> list[str]:
    """The category, the title as one word, and its longer words."""
    words = [word for word in WORD.findall(facts.title) if word[0].isalpha()]
    found = ["".join(WORD.findall(facts.category)).lower(), "".join(word.capitalize() for word in words)]
    found += [word.lower() for word in words if len(word) > 3]
    distinct = {tag.lower(): f"#{tag}" for tag in reversed(found) if tag}
    return list(islice(reversed(distinct.values()), TAGS))


def calm(text: str) -> str:
    """Sentences that shout in a quiet voice: capitals and repeated marks say nothing."""
    quiet = re.sub(r"([!?.])\1+", r"\1", text)
    parts = [_calm(part) for part in SENTENCE.findall(quiet)]
    return "".join(parts) if parts else quiet


def _calm(sentence: str) -> str:
    letters = [one for one in sentence if one.isalpha()]
    if len(letters) < 4 or sum(one.isupper() for one in letters) < 0.8 * len(letters):
        return sentence
    start = len(sentence) - len(sentence.lstrip())
    return sentence[:start] + sentence[start:].capitalize()
