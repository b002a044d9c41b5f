import math

import ir_measures
import numpy as np
import pytest
from ir_measures import RR, R, nDCG

from tasks.retrieval.golden import Question
from tasks.retrieval.metrics import gap, mean, rank_of, ranking
from tests.retrieval.pieces import chunk

QUOTE = "A late return costs two euros a day."


def test_the_rank_is_of_the_document_and_of_the_quote() -> None:
    found = [
        chunk("other.md", 0, QUOTE),
        chunk("rules.md", 0, "Books are lent for a month."),
        chunk("rules.md", 1, f"Mind this. {QUOTE}"),
        chunk("rules.md", 2, QUOTE),
    ]
    assert rank_of(Question(id="a", question="Q", document="rules.md", quote=QUOTE), found) == 3
    assert rank_of(Question(id="a", question="Q", document="rules.md"), found) == 2
    assert rank_of(Question(id="a", question="Q", document="map.md"), found) is None
    assert rank_of(Question(id="a", question="Q", document="rules.md", quote=QUOTE), [found[0]] * 10 + found) is None


def test_the_metrics_are_those_of_the_books() -> None:
    """With one relevant place the ideal DCG is 1 (Järvelin & Kekäläinen 2002); beyond ten hits nothing counts."""
    for rank in (*range(1, 16), None):
        values = ranking(rank)
        seen = rank if rank is not None and rank <= 10 else None
        assert {name: values[name] for name in ("recall@1", "recall@5", "recall@10")} == {
            f"recall@{size}": float(seen is not None and seen <= size) for size in (1, 5, 10)
        }
        assert values["ndcg@10"] == pytest.approx(1 / math.log2(seen + 1) if seen else 0)
        assert values["mrr@10"] == pytest.approx(1 / seen if seen else 0)
        values.clear()
        assert ranking(rank)  # what one caller does to it is no other's


def test_the_metrics_of_one_are_those_of_many() -> None:
    """As ir-measures tells them on 200 random rankings at once."""
    random = np.random.default_rng(0)
    ranks = [int(rank) if rank <= 15 else None for rank in random.integers(1, 20, 200)]
    run, judged = [], []
    for number, rank in enumerate(ranks):
        judged.append(ir_measures.Qrel(str(number), "right", 1))
        names = [f"wrong{place}" for place in range(1, 16)]
        if rank is not None:
            names[rank - 1] = "right"
        run += [ir_measures.ScoredDoc(str(number), name, 1.0 / place) for place, name in enumerate(names, start=1)]
    named = {R @ 1: "recall@1", R @ 5: "recall@5", R @ 10: "recall@10", nDCG @ 10: "ndcg@10", RR @ 10: "mrr@10"}
    compared = 0
    for measured in ir_measures.iter_calc(list(named), judged, run):
        ours = ranking(ranks[int(measured.query_id)])
        assert ours[named[measured.measure]] == pytest.approx(measured.value), (measured, ranks)
        compared += 1
    assert compared == 1000


def test_questions_of_one_document_are_drawn_together() -> None:
    values = [1.0] * 20 + [0.0] * 20
    documents = [f"{number // 4}" for number in range(40)]
    alone, together = mean(values), mean(values, documents)
    assert alone.value == together.value == 0.5
    assert together.high - together.low > 1.5 * (alone.high - alone.low)
    assert mean(values, ["a", "b"] * 20) == alone


def test_equal_rankings_differ_by_nothing() -> None:
    values = np.random.default_rng(1).random(30).tolist()
    same = gap(values, values, [str(number % 7) for number in range(30)])
    assert (same.low, same.value, same.high) == (0, 0, 0)
