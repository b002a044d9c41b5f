"""How well an index ranks: recall, nDCG and reciprocal rank of each question, and their intervals.

A question has one place in the corpus, and its first hit alone counts, so that overlapping chunks earn nothing."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tasks.documents.chunk_file import Chunk
from tasks.retrieval.golden import Question, holds, words
from tasks.retrieval.specs import METRICS
from tasks.statistics import Interval, intervals

DEPTH = 10  # hits that are looked at
FEWEST_GROUPS = 5


def rank_of(question: Question, found: Sequence[Chunk]) -> int | None:
    """The place (from 1) of the first chunk that answers: of the question's document, and holding its quote."""
    quote = words(question.quote) if question.quote else None
    for rank, chunk in enumerate(found[:DEPTH], start=1):
        if chunk.document == question.document and (quote is None or holds(words(chunk.text), quote)):
            return rank
    return None


def ranking(rank: int | None) -> dict[str, float]:
    """Every metric of one question, as ir-measures defines them; there is one relevant place."""
    return dict(_measured(rank))


@cache
def _measured(rank: int | None) -> dict[str, float]:
    import ir_measures
    from ir_measures import RR, R, nDCG

    named = dict(zip(METRICS, (R @ 1, R @ 5, R @ 10, nDCG @ DEPTH, RR @ DEPTH), strict=True))
    places = range(1, max(DEPTH, rank or 0) + 1)
    run = [ir_measures.ScoredDoc("q", "right" if at == rank else f"wrong {at}", -float(at)) for at in places]
    found = ir_measures.calc_aggregate(named.values(), [ir_measures.Qrel("q", "right", 1)], run)
    return {name: float(found[measure]) for name, measure in named.items()}


def mean(values: Sequence[float], groups: Sequence[str] | None = None) -> Interval:
    """The mean with its 95 % interval; questions of one group are drawn together."""
    terms = np.asarray(values, dtype=np.float64)[:, None]
    return intervals(terms, [lambda means: means[..., 0]], _numbered(groups))[0]


def gap(ours: Sequence[float], theirs: Sequence[float], groups: Sequence[str] | None = None) -> Interval:
    """Ours minus theirs on the same questions, paired."""
    return mean((np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)).tolist(), groups)


def _numbered(groups: Sequence[str] | None) -> NDArray[np.int64] | None:
    """Questions about one document are a group; of few documents, which are then the whole corpus and no sample
    of one, each question stands alone: resampling a handful of groups would give no interval worth its name."""
    if groups is None or len(set(groups)) < FEWEST_GROUPS:
        return None
    return np.unique(np.asarray(groups), return_inverse=True)[1].astype(np.int64)
