"""The verdict on whole tables: what drifts, what does not, what cannot be compared, and what does not matter."""

from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.watching.drift import Verdict, alarm, verdict


def table(rows: int, seed: int, shift: float = 0.0) -> pa.Table:
    """Two related numbers, one that is related to nothing, and two columns of levels."""
    random = np.random.default_rng(seed)
    first = random.normal(size=rows)
    return pa.table(
        {
            "size": first + shift,
            "weight": 0.9 * first + random.normal(0, 0.4, rows),
            "age": random.integers(18, 80, rows),
            "town": random.choice(["north", "south", "east"], rows),
            "new": random.random(rows) < 0.3,
        }
    )


def put(rows: pa.Table, name: str, values: object) -> pa.Table:
    column = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
    if name in rows.column_names:
        return rows.set_column(rows.column_names.index(name), name, column)
    return rows.append_column(name, column)


REFERENCE = table(1500, 1)


def test_no_drift_and_drift_in_one_column() -> None:
    calm = verdict(REFERENCE, table(900, 2))
    assert calm.enough and not calm.exceeds and calm.drifted == () == calm.reasons
    moved = verdict(REFERENCE, table(900, 2, shift=0.3))
    assert moved.exceeds and moved.drifted == ("size",)
    assert moved.reasons[0].startswith("size: median ") and "KS D" in moved.reasons[0]
    assert moved.joint and moved.joint.exceeds and moved.joint.columns[0] == "size"


def test_a_correlation_that_is_gone_shows_jointly_only() -> None:
    window = table(900, 2)
    window = put(window, "weight", np.random.default_rng(0).permutation(window["weight"].to_numpy()))
    found = verdict(REFERENCE, window)
    assert found.exceeds and found.drifted == ()
    assert found.joint and found.joint.auc.low > found.joint.floor
    assert {"size", "weight"} <= set(found.joint.columns[:2]) and "AUC" in found.reasons[0]


def test_levels_that_are_no_longer_related_show_jointly_only() -> None:
    def pair(rows: int, seed: int, related: bool) -> pa.Table:
        random = np.random.default_rng(seed)
        first, second = random.integers(0, 3, (2, rows))
        return pa.table({"a": first.astype(str), "b": np.where(related, (first + second // 2) % 3, second).astype(str)})

    found = verdict(pair(1500, 1, True), pair(900, 2, False))
    assert found.exceeds and found.joint and found.joint.exceeds
    assert not verdict(pair(1500, 1, True), pair(900, 2, True)).exceeds


def test_a_level_that_is_new_or_more_frequent() -> None:
    window = table(900, 2)
    town = ["west" if row % 5 == 0 else name for row, name in enumerate(window["town"].to_pylist())]
    found = verdict(REFERENCE, put(window, "town", town))
    assert found.drifted == ("town",)
    assert found.reasons[0].startswith("town: 'west' 0.0% → 20.0% (PSI")


def test_nulls_are_tested_on_their_own_for_every_kind() -> None:
    holes = np.random.default_rng(3).random(900) < 0.05
    window = table(900, 2)
    for name in window.column_names:
        window = put(window, name, pa.compute.if_else(pa.array(holes), None, window[name]))
    window = put(window, "size", np.where(holes, np.nan, window["size"].to_numpy(zero_copy_only=False)))
    found = verdict(REFERENCE, window)
    assert found.drifted == tuple(sorted(REFERENCE.column_names))
    assert {test.of for test in found.tests if test.exceeds} == {"nulls"}


def test_too_few_rows_are_told_with_the_number_needed() -> None:
    few = verdict(REFERENCE, table(10, 2, shift=9.0))
    assert (few.enough, few.needed, few.exceeds, few.tests, few.joint) == (False, 490, False, (), None)
    assert few.reasons == ("not enough data: 490 rows are missing to the 500 that the window needs",)
    assert (
        verdict(table(300, 1), REFERENCE)
        .reasons[0]
        .endswith("200 rows are missing to the 500 that the reference needs")
    )
    assert verdict(REFERENCE, table(500, 2)).enough
    assert verdict(REFERENCE, REFERENCE.slice(0, 0)).needed == 500


def test_columns_missing_new_and_void_are_faults_beside_the_drift() -> None:
    window = put(table(900, 2).drop_columns("age"), "colour", ["red"] * 900)
    found = verdict(REFERENCE, put(window, "size", pa.nulls(900, pa.float64())))
    assert (found.missing, found.new, found.void) == (("age",), ("colour",), ("size",))
    assert "size" in found.untested and found.drifted == ("size",)  # by its nulls
    assert found.reasons[:3] == ("columns missing: age", "columns new: colour", "columns void: size")
    both = [put(side, "void", pa.nulls(side.num_rows)) for side in (REFERENCE, table(900, 2))]
    assert not verdict(*both).exceeds and "void" in verdict(*both).untested


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("constant", lambda rows: [7.0] * rows),
        ("constant level", lambda rows: ["only"] * rows),
        ("endless", lambda rows: [np.inf if row % 3 else -np.inf for row in range(rows)]),
        ("two values", lambda rows: [row % 2 for row in range(rows)]),
        ("identifier", lambda rows: [f"id-{rows + row:08}" for row in range(rows)]),
        ("decimal", lambda rows: [Decimal(row % 90) / 10 for row in range(rows)]),
        ("coded", lambda rows: pa.array([f"c{row % 4}" for row in range(rows)]).dictionary_encode()),
        ("spent", lambda rows: pa.array([row % 50 for row in range(rows)], pa.duration("s"))),
        ("rare", lambda rows: ["often" if row % 100 else f"rare {row}" for row in range(rows)]),
    ],
)
def test_columns_of_every_kind_that_stay_as_they_are(name: str, make: Callable[[int], object]) -> None:
    found = verdict(put(REFERENCE, name, make(1500)), put(table(900, 2), name, make(900)))
    assert not found.exceeds
    assert name in {test.column for test in found.tests if test.of == "values"}


def test_constant_columns_alone_tell_nothing() -> None:
    sides = [pa.table({"a": [1.0] * rows, "b": ["x"] * rows}) for rows in (700, 600)]
    found = verdict(*sides)
    assert not found.exceeds and found.joint and abs(found.joint.auc.value - 0.5) < 0.01


@pytest.mark.parametrize("kind", ["timestamp", "date", "list"])
def test_time_and_lists_are_tested_for_nulls_only(kind: str) -> None:
    def values(rows: int, start: int) -> pa.Array:
        numbers = pa.array(range(start, start + rows), pa.int32())
        if kind == "list":
            return pa.array([[number] for number in range(rows)])
        return numbers.cast(pa.date32()) if kind == "date" else numbers.cast(pa.int64()).cast(pa.timestamp("s"))

    later = put(table(900, 2), "when", values(900, 9000))
    found = verdict(put(REFERENCE, "when", values(1500, 0)), later)
    assert not found.exceeds and "nulls" in found.untested["when"]
    holes = put(later, "when", pa.compute.if_else(pa.array(np.arange(900) < 300), None, later["when"]))
    assert verdict(put(REFERENCE, "when", values(1500, 0)), holes).drifted == ("when",)


def test_free_text_is_compared_by_its_length() -> None:
    def words(rows: int, count: int) -> list[str]:
        return [" ".join([f"word{row:05}"] * (row % 5 + count)) for row in range(rows)]

    reference = put(REFERENCE, "text", words(1500, 3))
    assert not verdict(reference, put(table(900, 2), "text", words(900, 3))).exceeds
    found = verdict(reference, put(table(900, 2), "text", words(900, 4)))
    assert found.drifted == ("text",) and "length, median" in found.reasons[0]


def test_a_column_of_two_types_is_told_and_not_compared() -> None:
    found = verdict(REFERENCE, put(table(900, 2), "age", ["old"] * 900))
    assert "two types" in found.untested["age"] and not found.exceeds


def test_an_embedding_has_a_test_of_its_own() -> None:
    def vectors(rows: int, seed: int, shift: float) -> pa.Array:
        values = np.random.default_rng(seed).normal(size=(rows, 8)) + shift * np.eye(8)[0]
        return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel().astype(np.float32)), 8)

    reference = put(REFERENCE, "embedding", vectors(1500, 1, 0.0))
    assert not verdict(reference, put(table(900, 2), "embedding", vectors(900, 2, 0.0))).exceeds
    found = verdict(reference, put(table(900, 2), "embedding", vectors(900, 2, 1.0)))
    assert found.exceeds and found.drifted == () and not (found.joint and found.joint.exceeds)
    assert found.vectors[0].columns == ("embedding",) and found.reasons[0].startswith("embedding tells the sides apart")
    alone = [side.select(["embedding"]) for side in (reference, put(table(900, 2), "embedding", vectors(900, 2, 1.0)))]
    assert verdict(*alone).exceeds


@settings(max_examples=10)
@given(st.randoms(use_true_random=False), st.floats(0, 0.4))
def test_the_order_of_rows_and_columns_does_not_matter(random: object, shift: float) -> None:
    window = table(600, 5, shift)
    order, names = list(range(600)), list(window.column_names)
    random.shuffle(order)  # type: ignore[attr-defined]
    random.shuffle(names)  # type: ignore[attr-defined]
    assert verdict(REFERENCE, window.take(pa.array(order)).select(names)) == verdict(REFERENCE, window)


def test_the_same_input_gives_the_same_json_and_comes_back_from_it() -> None:
    found = verdict(REFERENCE, table(900, 2, shift=0.3))
    told = found.model_dump_json()
    assert told == verdict(REFERENCE, table(900, 2, shift=0.3)).model_dump_json()
    assert Verdict.model_validate_json(told) == found


def test_the_alarm_needs_the_latest_window_and_enough_of_the_last() -> None:
    yes, no = True, False
    assert alarm([yes, yes]) and alarm([yes, no, yes]) and alarm([no, no, yes, yes])
    assert not alarm([]) and not alarm([yes]) and not alarm([yes, yes, no]) and not alarm([yes, no, no, yes])
    assert alarm([yes], need=1) and not alarm([yes, yes, no, yes], need=3, of=3)
