"""What the two kinds of index share: the payload of a point, the sparse vector of a text, and what is refused."""

from collections.abc import Iterable
from datetime import date
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict
from qdrant_edge import Bm25, Bm25Config

from tasks.documents.chunk_file import Chunk
from tasks.errors import BadInput
from tasks.retrieval.store import Filters, Hit, Vector

DENSE, SPARSE = "dense", "bm25"
KEYWORDS, DAY = ("document", "tenant"), "date"
TIED = 8  # hits beyond what is asked for
EVERYTHING = Filters()
LANGUAGES = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "tr": "turkish",
}


class Facts(BaseModel):
    """`index.json`, also the meta of an index's artifact: `average` is the mean length of a text in BM25's terms."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = 1
    model: str
    dim: int
    count: int
    language: str
    average: float
    graph: bool
    shard: str = ""

    def bm25(self) -> Bm25:
        return Bm25(Bm25Config(language=self.language, avg_len=self.average))


def language_of(chunks: Iterable[Chunk]) -> str:
    """The language of the stop words and stems: English, unless all texts are in another one that is known."""
    found = {chunk.language for chunk in chunks if chunk.language}
    return LANGUAGES.get(found.pop(), "english") if len(found) == 1 else "english"


def average_length(texts: Iterable[str], language: str) -> float:
    """Mean number of terms that BM25 keeps; with a saturation this high and b = 0 a term's weight is its count."""
    counter = Bm25(Bm25Config(language=language, k=1e6, b=0.0))
    lengths = [round(sum(counter.embed_document(text).values)) for text in texts]
    return max(1.0, round(sum(lengths) / max(1, len(lengths)), 3))


def payload_of(chunk: Chunk) -> dict[str, Any]:
    return chunk.model_dump(exclude={"id"})


def ranked(hits: Iterable[Hit], limit: int) -> list[Hit]:
    """The best `limit` of a few more: chunks with the same words score the same, and stores give them in any order."""
    return sorted(hits, key=lambda hit: (-hit.score, hit.chunk.id))[:limit]


def hit_of(point: Any, query: Vector | None) -> Hit:
    """A point of either store, asked for with its payload and its dense vector."""
    chunk = Chunk.model_validate(point.payload | {"id": str(point.id)})
    cosine = 0.0 if query is None else float(np.dot(np.asarray(point.vector[DENSE], dtype=np.float32), query))
    return Hit(chunk=chunk, score=point.score, cosine=cosine)


def checked_query(dense: Vector | None, text: str | None, facts: Facts) -> None:
    if dense is None and not (text and text.strip()):
        raise BadInput("The question is empty; write what you want to know.")
    if dense is not None:
        checked_vectors(dense[None, :], facts.dim)


def checked_vectors(vectors: Vector, dim: int) -> None:
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise BadInput(f"Vectors of {vectors.shape[-1]} numbers do not fit an index of {dim}; use the model it is of.")
    if not np.isfinite(vectors).all():
        raise BadInput("A vector holds numbers that are not finite; embed its text again.")


def sees_nothing(filters: Filters) -> bool:
    """An empty list allows nothing, where None allows everything; the stores differ on that."""
    return filters.tenants == () or filters.documents == ()


def day_range(filters: Filters) -> dict[str, str]:
    """First and last moment that `since` and `until` allow; a chunk without a date is not in any range."""
    ends = {"gte": (filters.since, "T00:00:00Z"), "lte": (filters.until, "T23:59:59.999999Z")}
    return {name: f"{_day(text)}{moment}" for name, (text, moment) in ends.items() if text is not None}


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise BadInput(f"{text!r} is no day; write it as 2026-01-31.") from None
