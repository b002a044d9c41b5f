"""Texts to vectors through fastembed, from a stored folder of weights: no torch, no hub."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from fastembed import TextEmbedding
from pydantic import BaseModel, ConfigDict, ValidationError

from tasks.errors import BadInput
from tasks.retrieval.store import Vector
from tasks.retrieval.tokens import reach

ABOUT = "model.json"
BATCH = {"fp32": 4}  # any other precision goes one by one: a batch shares its scale, so neighbours change a vector


class Model(BaseModel):
    """`model.json` of a folder of weights; `name` is fastembed's, which decides how tokens are pooled."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    schema_version: int = 1
    name: str
    dim: int
    precision: str
    source: str


class Embedder:
    """A loaded model; threads may share it. `digest` is that of its artifact: what vectors are compared by."""

    def __init__(self, folder: Path, digest: str, threads: int = 1) -> None:
        self.about = read_model(folder)
        self.dim, self.digest = self.about.dim, digest
        self._model: Any = TextEmbedding(self.about.name, specific_model_path=str(folder), threads=threads, cuda=False)

    def passages(self, texts: Sequence[str]) -> Iterator[Vector]:
        """A unit vector [dim] for each text, as they become ready."""
        for vector in self._model.passage_embed(texts, batch_size=BATCH.get(self.about.precision, 1)):
            yield self._checked(vector)

    def query(self, text: str) -> Vector:
        """The unit vector [dim] of a question; what is beyond the model's length is cut off."""
        return self._checked(next(iter(self._model.query_embed(text))))

    def reach(self, text: str) -> int:
        """How many characters of it are read."""
        return reach(self._model.model.tokenizer, text)

    def _checked(self, vector: Any) -> Vector:
        result = np.asarray(vector, dtype=np.float32)
        if result.shape != (self.dim,) or not np.isfinite(result).all():
            raise BadInput(f"The model {self.about.name} gave no finite vector of {self.dim} numbers; export it again.")
        return result


def read_model(folder: Path) -> Model:
    try:
        return Model.model_validate_json((folder / ABOUT).read_bytes())
    except (FileNotFoundError, ValidationError):
        raise BadInput(f"{folder} holds no embedding model with a {ABOUT}; train again to make it.") from None
