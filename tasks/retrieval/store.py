"""What an index of chunks can do, wherever it lives; `edge` and `server` are the two real ones."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from tasks.documents.chunk_file import Chunk

Vector = NDArray[np.float32]


class Filters(BaseModel):
    """What a query may see; None: everything. `tenants` comes from the caller's key, never from the caller.

    No query sees the documents of `without`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenants: tuple[str, ...] | None = None
    documents: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None


class Hit(BaseModel):
    """A found chunk: `score` orders the hits of one query, `cosine` (-1 to 1) compares with the hits of another.

    The scale of `score` is that of its maker: about 0 to 2 where two ways are fused, any number of a cross-encoder."""

    model_config = ConfigDict(frozen=True)

    chunk: Chunk
    score: float
    cosine: float


class Index(Protocol):
    """A published, immutable index. `dim` and `model` (digest of the weights) are what its vectors were made with."""

    dim: int
    model: str

    def search(self, dense: Vector | None, text: str | None, filters: Filters, limit: int, prefetch: int) -> list[Hit]:
        """Best first: both given, fused by DBSF; one given, by that alone. BadInput where a vector does not fit."""
        ...

    def count(self, filters: Filters) -> int: ...

    def close(self) -> None: ...
