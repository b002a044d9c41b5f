"""The parts: counting in a stream, pooled levels, effects, the correction, and the classifier's features."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.watching import counting, domain
from tasks.watching.columns import REST, Pair, paired
from tasks.watching.comparing import ColumnTest, corrected, independence, psi, small
from tasks.watching.counting import counted
from tasks.watching.drift import verdict
from tests.watching.test_drift import table


@given(st.lists(st.integers(1, 400), min_size=1, max_size=8), st.integers(10, 200))
def test_the_sample_does_not_depend_on_how_the_stream_is_cut(cuts: list[int], most: int) -> None:
    rows = pa.table({"number": range(sum(cuts)), "half": [None if n % 2 else float(n) for n in range(sum(cuts))]})
    starts = np.cumsum([0, *cuts[:-1]])
    cut = [batch for start, size in zip(starts, cuts, strict=True) for batch in rows.slice(start, size).to_batches()]
    whole = counted(rows, most)
    streamed = counted(pa.RecordBatchReader.from_batches(rows.schema, cut), most)
    assert whole.sample.equals(streamed.sample) and whole.nulls == streamed.nulls == {
        "number": 0,
        "half": sum(cuts) // 2,
    }
    assert whole.rows == sum(cuts) and whole.sample.num_rows == min(most, sum(cuts))
    kept = whole.sample["number"].to_pylist()
    assert kept == sorted(set(kept))


def test_nan_counts_as_null_and_what_is_counted_stays() -> None:
    one = counted(pa.table({"a": [1.0, float("nan"), None], "b": ["x", None, "y"]}))
    assert one.nulls == {"a": 2, "b": 1} and counted(one) is one


def test_every_row_is_as_likely_in_the_sample() -> None:
    kept = counted(pa.table({"row": range(200_000)}), 10_000).sample["row"].to_numpy()
    thirds = np.histogram(kept, 4, (0, 200_000))[0]
    assert len(kept) == 10_000 and np.abs(thirds - 2500).max() < 200


def test_rare_levels_are_pooled_by_both_sides_together() -> None:
    before = pa.table({"x": ["a"] * 600 + ["b"] * 390 + [f"r{n}" for n in range(10)]})
    after = pa.table({"x": ["a"] * 300 + ["new"] * 200})
    pair = paired("x", counted(before), counted(after))
    assert pair.kind == "level" and pair.levels == ("a", "b", "new", REST)
    assert np.bincount(pair.reference.astype(int)).tolist() == [600, 390, 0, 10]
    assert np.bincount(pair.window.astype(int)).tolist() == [300, 0, 200]


counts = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=1, max_size=8)


@given(counts)
def test_psi_is_zero_for_equal_counts_symmetric_and_never_negative(pairs: list[tuple[int, int]]) -> None:
    both = np.array(pairs).T
    assert psi(np.stack([both[0], both[0]])) == 0
    assert psi(both) == pytest.approx(psi(both[::-1])) and psi(both) >= 0


def test_psi_and_chi_square_on_numbers_by_hand() -> None:
    both = np.array([[500, 500], [600, 400]])
    assert psi(both) == pytest.approx(0.1 * np.log(0.6 / 0.5) - 0.1 * np.log(0.4 / 0.5), rel=1e-2)
    assert independence(np.array([[10, 0, 20], [30, 0, 60]])) == 1
    assert independence(np.array([[10, 0], [30, 0]])) == 1


def one(p: float) -> ColumnTest:
    return ColumnTest(column="x", of="values", method="KS D", effect=0.1, floor=0.05, p=p, corrected=p, told="")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_the_correction_keeps_the_order_and_never_lowers_p(ps: list[float]) -> None:
    found = corrected([one(p) for p in ps])
    assert all(test.p <= test.corrected <= 1 for test in found)
    ordered = sorted(found, key=lambda test: test.p)
    assert [test.corrected for test in ordered] == sorted(test.corrected for test in found)
    # one more test that finds nothing makes no other more certain
    more = corrected([one(p) for p in [*ps, 1.0]])
    assert all(after.corrected >= before.corrected - 1e-12 for before, after in zip(found, more, strict=False))


def test_the_effect_and_the_p_value_both_count() -> None:
    assert one(0.001).exceeds and not one(0.02).exceeds
    assert not one(0.0).model_copy(update={"effect": 0.04}).exceeds
    assert (small(0.0), small(0.012)) == ("below 1e-9", "0.012") and corrected([]) == ()


def test_rows_that_stand_on_both_sides_tell_nothing() -> None:
    values = np.repeat(np.random.default_rng(0).normal(size=300), 2)
    pair = Pair("x", "number", values, values)
    assert domain.joint([pair]).auc.value < 0.52


@pytest.mark.slow  # five million rows
def test_five_million_rows_are_streamed_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    reference, piece = table(5000, 1), table(100_000, 2, shift=0.2).combine_chunks()
    held = []

    def stream() -> Iterator[pa.RecordBatch]:
        for _ in range(50):
            yield from piece.to_batches()
            held.append(pa.total_allocated_bytes())

    before = pa.total_allocated_bytes()
    window = counted(pa.RecordBatchReader.from_batches(piece.schema, stream()))
    assert window.rows == 5_000_000 and window.sample.num_rows == counting.MOST
    assert max(held) - before < 4 * piece.nbytes < 5_000_000 * 20
    assert verdict(reference, window).drifted == ("size",)
