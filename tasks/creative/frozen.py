"""Sentence embeddings as they are, and one weight for each of their numbers: learned in seconds."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from tasks.retrieval.embedding import Embedder
from tasks.tables.transform import Matrix

FILE = "weights.json"
STRENGTHS = (1.0, 10.0, 100.0)  # of LogisticRegression's C


class Weights(BaseModel):
    """`weights.json`: one weight per number of the embedding."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = 1
    weights: tuple[float, ...]
    intercept: float


class FrozenScorer:
    def __init__(self, known: Weights, embedder: Embedder) -> None:
        self.weights, self.intercept = np.array(known.weights), known.intercept
        self.embedder = embedder

    @classmethod
    def load(cls, folder: Path, model: Path, digest: str, threads: int) -> "FrozenScorer":
        return cls(Weights.model_validate_json((folder / FILE).read_bytes()), Embedder(model, digest, threads))

    def log_odds(self, texts: Sequence[str]) -> Matrix:
        return weighed(np.stack([*self.embedder.passages(texts)]), self.weights, self.intercept)

    def reach(self, text: str) -> int:
        return self.embedder.reach(text)


def weighed(vectors: NDArray[np.float32], weights: Matrix, intercept: float) -> Matrix:
    """Row by row: a matrix product rounds a batch otherwise than one row, and answers would differ."""
    return np.asarray((vectors.astype(np.float64) * weights).sum(axis=1) + intercept)


def write(folder: Path, known: Weights) -> None:
    (folder / FILE).write_text(json.dumps(known.model_dump(mode="json")) + "\n", encoding="utf-8")


def learned(vectors: NDArray[np.float32], target: Matrix, strengths: Sequence[float]) -> Iterator[Weights]:
    """One for each strength."""
    from sklearn.linear_model import LogisticRegression

    for strength in strengths:
        model = LogisticRegression(C=strength, max_iter=1000, tol=1e-5).fit(vectors.astype(np.float64), target)
        yield Weights(weights=tuple(model.coef_[0].tolist()), intercept=float(model.intercept_[0]))
