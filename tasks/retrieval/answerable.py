"""Whether the documents can answer at all: a number that compares between questions, and the bound below which not.

Cosine alone knows the topic but not the fact; the share of the question's words that stand together in one passage
knows names and numbers that no model has seen. Each covers for the other. Words are read in the language of the
passage; where it has no stop words that we know, the cosine stands alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tasks.errors import BadInput
from tasks.retrieval.store import Hit
from tasks.retrieval.words import ASKING, ENGLISH, ORDER, carries_nothing, language_named, sentences, stem, stems, words

DEFAULT_THRESHOLD = 0.5
WINDOW = 3  # sentences that count as one place
REACH = 3  # words between "homework" and its "1"
NAME, NUMBER, TOPIC, FORM = 2.0, 3.0, 1.0, 0.25  # what a missing name, number, topic word, question's form costs
EARLY = 0.2  # what the first hit has before the last
ALONE = 0.75  # a paraphrase shares no words: then the cosine counts for itself, at a discount


@dataclass(frozen=True)
class Unit:
    """What must be found: a stem, or a stem with the short number behind it ("homework 1")."""

    parts: tuple[str, ...]
    weight: float

    def within(self, found: Sequence[str]) -> bool:
        if len(self.parts) == 1:
            return self.parts[0] in found
        first, number = self.parts
        return any(word == first and number in found[at + 1 : at + 1 + REACH] for at, word in enumerate(found))


def confidence(question: str, hits: Sequence[Hit]) -> float:
    """From 0 (not in the documents) to 1: the best hit by the mean of its cosine and of the words it covers."""
    return max(_each(question, hits), default=0.0)


def best(question: str, hits: Sequence[Hit], count: int) -> tuple[list[Hit], float]:
    """The `count` hits that answer best, by their own confidence and a little for how early they were found; and the
    `confidence` of these, told along because reading a hit is what takes the time."""
    sure = _each(question, hits)
    worth = [one + EARLY * (1 - rank / len(hits)) for rank, one in enumerate(sure)]
    order = sorted(range(len(hits)), key=lambda rank: -worth[rank])[:count]
    return [hits[rank] for rank in order], max((sure[rank] for rank in order), default=0.0)


def wanted_of(question: str, hits: Sequence[Hit]) -> dict[str, list[Unit]]:
    """What a question wants by the language of a chunk; nothing where the words of that language cannot be read."""
    named = {code: language_named(code) for code in {hit.chunk.language for hit in hits}}
    return {code: units(question, language) if language else [] for code, language in named.items()}


def _each(question: str, hits: Sequence[Hit]) -> list[float]:
    wanted = wanted_of(question, hits)
    return [_one(wanted[hit.chunk.language], hit) for hit in hits]


def _one(wanted: Sequence[Unit], hit: Hit) -> float:
    every = sentences(hit.chunk.text)
    parts = [part for part in every if not ORDER.search(part)]
    # what only repeats an order to machines is near to nothing that is told
    trusted = sum(map(len, parts)) / sum(map(len, every)) if every else 1.0
    cosine = min(1.0, max(0.0, hit.cosine)) * trusted
    if not wanted:
        return cosine
    place = hit.chunk.embedded.removesuffix(hit.chunk.text)
    windows = [" ".join(parts[at : at + WINDOW]) for at in range(max(1, len(parts) - WINDOW + 1))]
    language = language_named(hit.chunk.language) or ENGLISH
    near = max(cover(wanted, f"{place} {window}", language) for window in windows)
    whole = cover(wanted, " ".join([place, *parts]), language)
    return max((cosine + (whole + near) / 2) / 2, ALONE * cosine)


def units(question: str, language: str = ENGLISH) -> list[Unit]:
    """The parts of a question that an answering text should hold, each with its weight."""
    found: list[Unit] = []
    before = ""
    for at, word in enumerate(words(question)):
        plain, root = word.casefold(), stem(word, language)
        if carries_nothing(word, language) and not word.isdigit():
            before = ""
            continue
        if word[0].isdigit():
            short = bool(before) and len(word) < 4
            found.append(Unit((before, root) if short else (root,), NUMBER))
        elif language == ENGLISH and plain in ASKING:
            found.append(Unit((root,), FORM))
        else:
            found.append(Unit((root,), NAME if at and word[0].isupper() else TOPIC))
        before = root
    return list(dict.fromkeys(found))


def cover(wanted: Sequence[Unit], text: str, language: str = ENGLISH) -> float:
    """The share, by weight, of `wanted` that `text` holds."""
    found = stems(text, language)
    total = sum(unit.weight for unit in wanted)
    return sum(unit.weight for unit in wanted if unit.within(found)) / total if total else 0.0


def fit_threshold(answerable: list[float], unanswerable: list[float]) -> float:
    """The bound with the best balanced accuracy; of equally good ones the middle one."""
    if not answerable or not unanswerable:
        raise BadInput("A threshold needs confidences of questions of both kinds; add the missing kind.")
    values = sorted({*answerable, *unanswerable})
    bounds = [values[0], *(_between(low, high) for low, high in pairwise(values))]
    rated = [(_balanced(bound, answerable, unanswerable), bound) for bound in bounds]
    best = max(rate for rate, _ in rated)
    good = [bound for rate, bound in rated if rate > best - 1e-12]
    return good[len(good) // 2]


def _between(low: float, high: float) -> float:
    """Above `low` also where the two are neighbours and their middle is rounded down."""
    middle = (low + high) / 2
    return middle if middle > low else high


def _balanced(bound: float, answerable: list[float], unanswerable: list[float]) -> float:
    kept = sum(value >= bound for value in answerable) / len(answerable)
    return (kept + sum(value < bound for value in unanswerable) / len(unanswerable)) / 2
