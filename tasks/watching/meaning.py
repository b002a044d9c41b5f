"""What texts mean, as vectors of a small model: a change of topic shows in neither lengths nor counts."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tasks.artifacts import Artifact, current
from tasks.retrieval.embedding import Embedder

EMBEDDING = "embedding"
MOST = 2_000  # texts a side, since each costs some 20 ms


def embedded(frame: pa.Table, texts: Sequence[str | None], weights: Artifact) -> pa.Table:
    """The frame with the column `embedding`: unit vectors of at most 2 000 of its texts, seeded; the others' are NaN,
    since Parquet cannot read a list of fixed size back that is null."""
    embedder = Embedder(current().path(weights), weights.digest)
    told = np.flatnonzero([bool(text) for text in texts])
    chosen = np.sort(np.random.default_rng(0).permutation(told)[:MOST])
    vectors = np.full((len(texts), embedder.dim), np.nan, dtype=np.float32)
    for place, vector in zip(chosen, embedder.passages([str(texts[place]) for place in chosen]), strict=True):
        vectors[place] = vector
    return frame.append_column(EMBEDDING, pa.FixedSizeListArray.from_arrays(vectors.ravel(), embedder.dim))
