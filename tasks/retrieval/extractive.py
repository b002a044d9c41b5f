"""Answers without a language model: the few sentences of the best chunks that answer, word for word, each cited."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tasks.documents.chunk_file import Chunk
from tasks.retrieval.answerable import Unit, cover, wanted_of
from tasks.retrieval.followups import standalone
from tasks.retrieval.openai_chat import Spent
from tasks.retrieval.prompts import NOT_FOUND, inert
from tasks.retrieval.store import Hit, Vector
from tasks.retrieval.words import ENGLISH, ORDER, language_named, sentences, stems

CHUNKS = 5
EMBEDDED = 6  # sentences that are read by meaning, too: embedding is what takes the time
READ = 200  # characters of each
QUOTED = 3
LONGEST = 400
SHORT = 25  # a line this short is a heading or the start of something
KEPT = 0.85  # a further sentence is this good beside the best
AMOUNT = re.compile(r"^\W*(?:when|how (?:many|much|long|often|late)|what (?:date|time|day|year))\b", re.IGNORECASE)
BULLET = re.compile(r"^[-*+\u2022\u2013\u2014\u25aa]\s+")
RULE = re.compile(r"^\|?[\s:|-]+\|?$")


class Embeds(Protocol):
    def query(self, text: str) -> Vector: ...

    def passages(self, texts: Sequence[str]) -> Iterator[Vector]: ...


@dataclass(frozen=True)
class Sentence:
    """One sentence of the hit `number`; `at` is its place there, `score` how well it answers by its words."""

    number: int
    at: int
    text: str
    place: str
    score: float
    wanted: Sequence[Unit]
    language: str


class Extractive:
    """The generator of releases without a language model."""

    def __init__(self, embedder: Embeds, refusal: str = NOT_FOUND) -> None:
        self.embedder, self.refusal = embedder, refusal

    def standalone(self, question: str, turns: Sequence[tuple[str, str]], _spent: Spent) -> str:
        return standalone(question, [text for role, text in turns if role == "user"])

    def answer(self, question: str, hits: Sequence[Hit], _spent: Spent) -> Iterator[str]:
        picked = self._pick(question, hits)
        if not picked:
            yield self.refusal
        for count, one in enumerate(picked):
            text = inert(one.text)
            gap = "" if not count else " " if picked[count - 1].text.endswith((".", "!", "?")) else "\n"
            yield f"{gap}{text} [{one.number}]"

    def _pick(self, question: str, hits: Sequence[Hit]) -> list[Sentence]:
        """One to three sentences, those of one chunk together and in its order, the best one's chunk first."""
        likely = sorted(candidates(question, hits), key=lambda one: -one.score)[:EMBEDDED]
        ranked = self._by_meaning(question, likely)
        if not ranked:
            return []
        best = ranked[0]
        picked = [best]
        for one in ranked[1:]:
            if one.score >= KEPT * best.score and _adds(one, picked):
                picked.append(one)
        order = {number: rank for rank, number in enumerate(dict.fromkeys(one.number for one in picked))}
        return sorted(picked[:QUOTED], key=lambda one: (order[one.number], one.at))

    def _by_meaning(self, question: str, found: list[Sentence]) -> list[Sentence]:
        if not found:
            return []
        vector = self.embedder.query(question)
        vectors = self.embedder.passages([f"{one.place}: {one.text}"[:READ] for one in found])
        scored = [
            replace(one, score=0.4 * float(vector @ other) + 0.6 * one.score)
            for one, other in zip(found, vectors, strict=True)
        ]
        return sorted(scored, key=lambda one: -one.score)


def candidates(question: str, hits: Sequence[Hit]) -> list[Sentence]:
    """The sentences of the best chunks, each once; earlier hits and earlier sentences are worth a little more, and
    where a time or an amount is asked for, those with digits."""
    found: dict[str, Sentence] = {}
    amount, wants = bool(AMOUNT.match(question)), wanted_of(question, hits)
    for number, hit in enumerate(hits[:CHUNKS], start=1):
        path, wanted = [hit.chunk.title, *hit.chunk.heading], wants[hit.chunk.language]
        language = language_named(hit.chunk.language) or ENGLISH
        for at, text in enumerate(quotable(hit.chunk)):
            digits = any(char.isdigit() for char in text)
            worth = 0.5 * (cover(wanted, text, language) + cover(wanted, " ".join([*path, text]), language))
            worth += 0.1 / number + 0.02 / (1 + at) + 0.15 * (amount and digits)
            worth -= 0.2 * (len(text) < SHORT and not digits)
            found.setdefault(text, Sentence(number, at, text, path[-1], worth, wanted, language))
    return list(found.values())


def quotable(chunk: Chunk) -> list[str]:
    """The sentences of a chunk that may be quoted: table rows with their column names, what is only announced together
    with what follows, without headings and orders to machines."""
    parts = rows(sentences(chunk.text))
    orders = [bool(ORDER.search(part)) for part in parts]
    places = {chunk.title, *chunk.heading}
    kept = [
        BULLET.sub("", part)
        for part, order, before in zip(parts, orders, [False, *orders], strict=False)
        if not (order or before or part in places) and any(char.isalnum() for char in part)
    ]
    return [_cut(part) for part in _announced(kept)]


def _announced(parts: list[str]) -> list[str]:
    """A short line without an end, or one that ends in a colon, goes with the next."""
    told: list[str] = []
    for part in parts:
        if told and _opens(told[-1]) and len(told[-1]) + len(part) < LONGEST:
            told[-1] += f" {part}"
        else:
            told.append(part)
    return told


def _opens(part: str) -> bool:
    bare = len(part) < SHORT and part[-1].isalnum() and not any(char.isdigit() for char in part)
    return bare or part.endswith(":")


def rows(parts: list[str]) -> list[str]:
    """Markdown rows told with the names of their columns; other sentences as they are."""
    told: list[str] = []
    header: list[str] = []
    for at, part in enumerate(parts):
        if not part.startswith("|"):
            header = []
            told.append(part)
        elif not RULE.match(part):
            cells = [cell.strip() for cell in part.strip("|").split("|")]
            if at + 1 < len(parts) and RULE.match(parts[at + 1]):
                header = cells
            else:
                told.append(_row(header, cells))
    return told


def _row(header: list[str], cells: list[str]) -> str:
    names = header + [""] * (len(cells) - len(header))
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in zip(names, cells, strict=False) if cell)


def _adds(one: Sentence, picked: list[Sentence]) -> bool:
    """It covers more of the question, or says it anew; a near repetition does not."""
    together = " ".join(other.text for other in picked)
    known, own = set(stems(together, one.language)), set(stems(one.text, one.language))
    before, after = (cover(one.wanted, text, one.language) for text in (together, f"{together} {one.text}"))
    return len(own - known) > len(own) / 2 or after > before


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0] + " …"
