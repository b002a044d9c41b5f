"""Words and pairs of words, weighted by how rare they are, and one weight each: the baseline of text classifiers.

The weights are scikit-learn's (TfidfVectorizer and LogisticRegression); reading them needs nothing but numpy."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from tasks.tables.transform import Matrix

FILE = "terms.json"
WORD = re.compile(r"(?u)\b\w\w+\b")
STRENGTHS = (0.1, 1.0, 10.0, 100.0)  # of LogisticRegression's C


class Terms(BaseModel):
    """`terms.json`: idf and weight of each term; without terms it is the constant `intercept`."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = 1
    terms: tuple[str, ...]
    idf: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float


class TfidfScorer:
    """tf is 1 + ln(count), a row has the length 1: as TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)) does."""

    def __init__(self, known: Terms) -> None:
        self.intercept = known.intercept
        self.terms = dict(zip(known.terms, zip(known.idf, known.weights, strict=True), strict=True))

    @classmethod
    def load(cls, folder: Path) -> "TfidfScorer":
        return cls(Terms.model_validate_json((folder / FILE).read_bytes()))

    def log_odds(self, texts: Sequence[str]) -> Matrix:
        return np.array([self._one(text) for text in texts], dtype=np.float64)

    def reach(self, text: str) -> int:
        return len(text)

    def _one(self, text: str) -> float:
        found = [(1 + np.log(count), *self.terms[term]) for term, count in counted(text) if term in self.terms]
        if not found:
            return self.intercept
        count, idf, weights = np.array(found).T
        values = count * idf
        return float(values @ weights / np.sqrt(values @ values)) + self.intercept


def counted(text: str) -> list[tuple[str, int]]:
    """Each word and each pair of neighbours, with how often it is there."""
    words = WORD.findall(text.lower())
    return [*Counter([*words, *(" ".join(pair) for pair in pairwise(words))]).items()]


def write(folder: Path, known: Terms) -> None:
    (folder / FILE).write_text(json.dumps(known.model_dump(mode="json"), ensure_ascii=False) + "\n", encoding="utf-8")


def constant(target: Matrix) -> Terms:
    """Nothing but the classes' shares: what any model must beat."""
    share = (target.sum() + 0.5) / (len(target) + 1)
    return Terms(terms=(), idf=(), weights=(), intercept=float(np.log(share / (1 - share))))


def learned(texts: Sequence[str], target: Matrix, strengths: Sequence[float]) -> Iterator[Terms]:
    """Fitted on these texts, one for each strength; terms of one text alone are left out, and where all are, it is the
    constant."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    seen = Counter(term for text in texts for term, _ in counted(text))
    known = sorted(term for term, rows in seen.items() if rows > 1)
    if not known:
        yield from [constant(target)] * len(strengths)
        return
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, vocabulary=known)
    rows = vectorizer.fit_transform(texts)
    for strength in strengths:
        model = LogisticRegression(C=strength, max_iter=1000, tol=1e-5).fit(rows, target)
        yield Terms(
            terms=tuple(known),
            idf=tuple(vectorizer.idf_.tolist()),
            weights=tuple(model.coef_[0].tolist()),
            intercept=float(model.intercept_[0]),
        )
