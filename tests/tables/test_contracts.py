import pyarrow as pa
import pytest

from tasks.artifacts import Store
from tasks.errors import BadInput
from tasks.sources.contracts import Contract
from tasks.sources.frames import put_table, read_table
from tasks.tables.contracts import check
from tests.tables.conftest import CONTRACT, houses

LOOSE = CONTRACT.model_copy(update={"max_quarantine": 0.2})


def spoilt(**cells: tuple[int, object]) -> pa.Table:
    """Houses with one cell changed per named column; text where none belongs makes the column text."""
    table = houses(100)
    for name, (place, value) in cells.items():
        values = table[name].to_pylist()
        values[place] = value
        if isinstance(value, str):
            values = [None if cell is None else str(cell) for cell in values]
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    return table


def test_a_clean_table_passes_whole(store: Store) -> None:
    table = put_table("tables", houses(100))
    checked = check(table, CONTRACT)
    assert (checked.rows, checked.bad_rows, checked.quarantined, checked.causes) == (100, 0, None, ())
    assert checked.good.digest == table.digest


def test_bad_rows_are_quarantined_with_their_reasons(store: Store) -> None:
    table = spoilt(rooms=(4, -2), town=(9, "Atlantis"), size=(20, "big"), id=(30, "00029"))
    checked = check(put_table("tables", table), LOOSE)
    assert checked.bad_rows == 4 and read_table(checked.good).num_rows == 96
    assert checked.quarantined is not None
    bad = read_table(checked.quarantined).to_pylist()
    assert [row["id"] for row in bad] == ["00004", "00009", "00020", "00029"]
    assert [row["reason"].split(":")[0] for row in bad] == ["rooms", "town", "size", "id"]
    assert bad[2]["size"] == "big" and bad[2]["reason"] == "size: is a float, got big"
    assert {cause.column: cause.rows for cause in checked.causes} == {"rooms": 1, "town": 1, "size": 1, "id": 1}


def test_text_that_converts_is_converted(store: Store) -> None:
    checked = check(put_table("tables", spoilt(size=(20, "big"))), LOOSE)
    good = read_table(checked.good)
    assert good.schema.field("size").type == pa.float64()
    assert good["size"].to_pylist()[0] == houses(100)["size"].to_pylist()[0]


def test_several_reasons_of_one_row_stand_together(store: Store) -> None:
    checked = check(put_table("tables", spoilt(rooms=(4, -2), town=(4, "Atlantis"))), LOOSE)
    assert checked.quarantined is not None and checked.bad_rows == 1
    reason = read_table(checked.quarantined)["reason"].to_pylist()[0]
    assert "rooms: " in reason and "; town: " in reason


def test_too_much_quarantine_stops_with_a_table_of_causes(store: Store) -> None:
    many = houses(100).set_column(3, "rooms", pa.array([-1] * 30 + [2] * 70))
    with pytest.raises(BadInput, match=r"30 of 100 rows \(30.0%\)(.|\n)*rooms: .* fails in 30 rows, e.g. -1"):
        check(put_table("tables", many), LOOSE)


def test_wrong_columns_stop(store: Store) -> None:
    table = houses(100).rename_columns(["id", "month", "size", "rooms", "city", "new", "built", "target"])
    with pytest.raises(BadInput, match="lacks town and has city beyond it"):
        check(put_table("tables", table), CONTRACT)


def test_too_many_nulls_stop(store: Store) -> None:
    size = CONTRACT.columns["size"].model_copy(update={"null_share": 0.01})
    strict = Contract(columns={**CONTRACT.columns, "size": size})
    with pytest.raises(BadInput, match=r"column size is empty in 4 of 100 rows \(4.0%\)"):
        check(put_table("tables", houses(100)), strict)


def test_columns_beyond_a_lenient_contract_are_left_out(store: Store) -> None:
    table = houses(100).append_column("extra", pa.array(range(100)))
    checked = check(put_table("tables", table), CONTRACT.model_copy(update={"strict": False}))
    assert "extra" not in read_table(checked.good).column_names


def test_far_dates_are_no_trouble(store: Store) -> None:
    far = spoilt(built=(3, "9999-12-31"))
    checked = check(put_table("tables", far), CONTRACT)
    assert checked.bad_rows == 0 and read_table(checked.good)["built"].to_pylist()[3].year == 9999
