"""The digest of a table is that of its content, whatever way it went."""

import io
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.artifacts import Store
from tasks.errors import BadInput
from tasks.sources.frames import normal, put_table, read_table, table_digest

words = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1, max_size=12)
moments = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1))
KINDS = {
    "float": (pa.float64(), st.floats()),
    "int": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "text": (pa.string(), words),
    "flag": (pa.bool_(), st.booleans()),
    "moment": (pa.timestamp("us"), moments),
}


@st.composite
def tables(draw: st.DrawFn, kinds: tuple[str, ...] = tuple(KINDS)) -> pa.Table:
    rows = draw(st.integers(0, 12))
    columns = {}
    for kind in kinds:
        dtype, values = KINDS[kind]
        columns[kind] = pa.array(draw(st.lists(st.none() | values, min_size=rows, max_size=rows)), dtype)
    return pa.table(columns)


def through_parquet(table: pa.Table, **options: object) -> pa.Table:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return pq.read_table(io.BytesIO(buffer.getvalue()))


@given(tables(), st.sampled_from(["snappy", "zstd", "gzip", "none"]), st.booleans(), st.integers(1, 5))
def test_codec_dictionary_and_row_groups_do_not_count(
    table: pa.Table, codec: str, dictionary: bool, group: int
) -> None:
    other = through_parquet(table, compression=codec, use_dictionary=dictionary, row_group_size=group)
    assert table_digest(other) == table_digest(table)


@given(tables(), st.integers(0, 12))
def test_chunks_slices_and_dictionaries_do_not_count(table: pa.Table, cut: int) -> None:
    pieces = pa.concat_tables([table.slice(0, cut), table.slice(cut)])
    padded = pa.concat_tables([table, table, table]).slice(table.num_rows, table.num_rows)
    encoded = table.set_column(2, "text", table["text"].dictionary_encode())
    wide = table.set_column(2, "text", table["text"].cast(pa.large_string()))
    for other in (pieces, padded, encoded, wide):
        assert table_digest(other) == table_digest(table)


@given(tables(("float", "text", "moment")))
def test_a_way_through_pandas_does_not_count(table: pa.Table) -> None:
    back = pa.Table.from_pandas(table.to_pandas(), schema=table.schema, preserve_index=False)
    assert table_digest(back) == table_digest(table)


@given(tables(("float", "int", "text", "moment")))
def test_a_way_through_csv_does_not_count(table: pa.Table) -> None:
    buffer = io.BytesIO()
    pv.write_csv(table, buffer)
    types = pv.ConvertOptions(column_types=table.schema, strings_can_be_null=True, quoted_strings_can_be_null=False)
    types.null_values = [""]
    back = pv.read_csv(io.BytesIO(buffer.getvalue()), convert_options=types)
    assert table_digest(back) == table_digest(table)


@given(tables(), st.data())
def test_an_altered_cell_changes_its_column_and_no_other(table: pa.Table, data: st.DataObject) -> None:
    if table.num_rows == 0:
        return
    row = data.draw(st.integers(0, table.num_rows - 1))
    texts = table["text"].to_pylist()
    texts[row] = (texts[row] or "") + "x"
    other = table.set_column(2, "text", pa.array(texts, pa.string()))
    (whole, columns), (other_whole, other_columns) = table_digest(table), table_digest(other)
    assert whole != other_whole
    assert [name for name in columns if columns[name] != other_columns[name]] == ["text"]


def test_the_borders_of_texts_and_nulls_count() -> None:
    variants = [["ab", "c"], ["a", "bc"], ["abc", None], ["abc", ""], [None, "abc"]]
    digests = {table_digest(pa.table({"a": pa.array(values, pa.string())}))[0] for values in variants}
    assert len(digests) == len(variants)


def test_type_name_order_and_length_count() -> None:
    a, b = pa.array([0, 1]), pa.array([0.0, 1.0])
    tables = [{"a": a}, {"a": b}, {"b": a}, {"a": a, "b": a}, {"b": a, "a": a}, {"a": a[:1]}, {"a": a.cast(pa.int32())}]
    assert len({table_digest(pa.table(columns))[0] for columns in tables}) == len(tables)


def test_signs_of_zero_and_kinds_of_nan_do_not_count() -> None:
    plus, minus = ({"a": pa.array([value, None, 1.5])} for value in (0.0, -0.0))
    assert table_digest(pa.table(plus)) == table_digest(pa.table(minus))
    assert table_digest(pa.table({"a": [float("nan")]})) == table_digest(
        pa.table({"a": pa.array([None], pa.float64())})
    )


def test_the_unit_of_a_timestamp_counts_only_where_it_loses_something() -> None:
    at = datetime(2024, 2, 29, 12, 30)
    digests = {table_digest(pa.table({"a": pa.array([at], pa.timestamp(unit))}))[0] for unit in ("s", "ms", "us", "ns")}
    fine = pa.table({"a": pa.array([1], pa.int64()).cast(pa.timestamp("ns"))})
    zoned = pa.table({"a": pa.array([at.replace(tzinfo=UTC)])})
    assert len(digests | {table_digest(fine)[0], table_digest(zoned)[0]}) == 3


@pytest.mark.parametrize("values", [[Decimal("1.50"), None], [datetime(2024, 1, 1).date()], [None, None], [b"x", b""]])
def test_other_plain_types_have_digests(values: list[object]) -> None:
    table = pa.table({"a": values})
    assert table_digest(through_parquet(table))[0] == table_digest(table)[0]


def test_nested_columns_are_refused() -> None:
    with pytest.raises(BadInput, match="list"):
        table_digest(pa.table({"a": [[1], [2]]}))


def test_a_table_in_the_store_comes_back(store: Store) -> None:
    table = pa.table({"a": [1, 2], "b": ["x", None]})
    artifact = put_table("tables", table, {"note": 1})
    assert artifact.meta["rows"] == 2 and artifact.meta["note"] == 1
    assert (artifact.digest, artifact.meta["columns"]) == table_digest(table)
    assert read_table(artifact).equals(table)
    assert read_table(artifact, ["b"]).column_names == ["b"]


def test_the_same_rows_in_another_form_are_the_same_file(store: Store) -> None:
    table = pa.table({"a": [1.0, None], "b": ["x", "y"]})
    frame = pa.Table.from_pandas(pd.DataFrame({"a": [1.0, None], "b": ["x", "y"]}), preserve_index=False)
    assert put_table("tables", frame) == put_table("tables", table)


def test_another_writers_file_of_the_same_rows_stays(store: Store) -> None:
    table = pa.table({"a": list(range(100))})
    path = store.place(put_table("tables", table).uri)
    pq.write_table(table, path, compression="gzip")
    theirs = path.read_bytes()
    artifact = put_table("tables", table)
    assert path.read_bytes() == theirs and store.whole(artifact)


def test_a_damaged_file_is_written_anew(store: Store) -> None:
    table = pa.table({"a": [1, 2, 3]})
    artifact = put_table("tables", table)
    store.place(artifact.uri).write_bytes(b"PAR1 broken")
    assert read_table(put_table("tables", table)).equals(table)


def test_column_names_must_differ() -> None:
    with pytest.raises(BadInput, match="distinct"):
        normal(pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"]))


def test_large_texts_are_hashed_in_place(tmp_path: Path) -> None:
    long = "é" * 100_000
    table = pa.table({"a": [long, None, long + "x"]})
    pq.write_table(table, tmp_path / "long.parquet")
    assert table_digest(pq.read_table(tmp_path / "long.parquet")) == table_digest(table)
