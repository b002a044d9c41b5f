import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.artifacts import Store
from tasks.errors import BadInput
from tasks.sources.frames import put_table
from tasks.tables import splits
from tasks.tables.arrays import columns_of, parts_of
from tasks.tables.specs import SplitSpec, Subject
from tests.tables.conftest import houses

SUBJECT = Subject(target="target", task="regression", carried=("month",))
values = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False, width=32))
rows = st.lists(st.tuples(values, st.one_of(st.none(), st.text(max_size=4)), st.booleans()), min_size=1, max_size=40)


def parts(found: list[tuple[float | None, str | None, bool]]) -> list[int]:
    numbers, texts, flags = zip(*found, strict=True)
    columns = {"a": pa.array(numbers, pa.float64()), "b": pa.array(texts, pa.string()), "c": pa.array(flags)}
    table = pa.table(columns)
    return splits.by_hash(splits.content_hash(columns_of(table, table.column_names)), SplitSpec()).tolist()


@given(rows, rows)
def test_new_rows_move_no_old_one_and_equal_rows_land_together(
    old: list[tuple[float | None, str | None, bool]], new: list[tuple[float | None, str | None, bool]]
) -> None:
    grown = parts(old + new)
    assert grown[: len(old)] == parts(old)
    assert parts(new + old)[len(new) :] == parts(old)
    places: dict[object, int] = {}
    for row, part in zip(old + new, grown, strict=True):
        assert places.setdefault(row, part) == part


def test_the_hash_ignores_the_order_of_columns_and_the_width_of_numbers() -> None:
    one = {"a": np.array([1, 2, 0]), "b": np.array(["x", None, "y"], dtype=object)}
    other = {"b": one["b"], "a": np.array([1.0, 2.0, -0.0])}
    assert (splits.content_hash(one) == splits.content_hash(other)).all()
    swapped = {"a": one["b"], "b": one["a"]}
    assert (splits.content_hash(one) != splits.content_hash(swapped)).all()


def test_shares_are_kept_and_reported(store: Store) -> None:
    table = put_table("tables", houses(4000))
    made = splits.split(table, SUBJECT, SplitSpec(test=0.25, valid=0.15), ("id",))
    shares = {part.part: part.share for part in made.report}
    assert shares == pytest.approx({"train": 0.6, "valid": 0.15, "test": 0.25}, abs=0.03)
    means = [part.target["mean"] for part in made.report]
    assert max(means) - min(means) < 0.2
    assert parts_of(made.artifact).tolist().count("test") == made.report[2].rows


def test_time_tests_on_the_newest_and_divides_no_moment(store: Store) -> None:
    table = houses(600)
    made = splits.split(put_table("tables", table), SUBJECT, SplitSpec(by="time", column="month"))
    found = dict(zip(table["month"].to_pylist(), parts_of(made.artifact).tolist(), strict=True))
    assert found == {f"2024-0{n}": "train" if n < 4 else "valid" if n < 5 else "test" for n in range(1, 7)}


def test_groups_stay_whole(store: Store) -> None:
    table = houses(900).append_column("street", pa.array([f"s{n % 90}" for n in range(900)]))
    subject = SUBJECT.model_copy(update={"carried": ("month", "street")})
    made = splits.split(put_table("tables", table), subject, SplitSpec(by="group", column="street"))
    pairs = set(zip(table["street"].to_pylist(), parts_of(made.artifact).tolist(), strict=True))
    assert len(pairs) == 90


def test_too_few_groups_are_told(store: Store) -> None:
    table = put_table("tables", houses(100))
    with pytest.raises(BadInput, match="by group of new leaves 0 rows"):
        splits.split(table, SUBJECT, SplitSpec(by="group", column="new"))


def test_a_part_without_a_class_is_told(store: Store) -> None:
    table = houses(200, "binary").set_column(7, "target", pa.array([n == 0 for n in range(200)]))
    with pytest.raises(BadInput, match="no row of the class True of 'target'"):
        splits.split(put_table("tables", table), SUBJECT.model_copy(update={"task": "binary"}), SplitSpec(), ("id",))
