"""From files to one table: typed by the contract, nothing bent, every mistake named."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from tasks.artifacts import Artifact, Store, opened
from tasks.errors import BadInput
from tasks.planning import key_of, plain
from tasks.sources.catalog import Dataset, FileSource, load_dataset
from tasks.sources.contracts import Contract, load_contract
from tasks.sources.fetch import check_files, fetch, parse_files
from tasks.sources.frames import read_table, table_digest
from tasks.sources.reading import pieces, read
from tests.sources.projects import project

BOX = Path(__file__).parents[2] / "data"
ONE = {"type": "file", "path": "things.csv"}
FRAME = pd.DataFrame({"id": ["007", "008"], "size": [1.5, None], "kind": ["a", "b"]})


def table_of(folder: Path, content: str | bytes | None, rules: dict[str, Any] | None = None, **more: Any) -> Artifact:
    dataset, contract = project(folder, more.pop("source", ONE), rules, **more)
    if content is not None:
        (folder / "things.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    return read(pieces(fetch(dataset, {}), dataset, contract), contract)


def test_the_contract_sets_types_and_order(tmp_path: Path, store: Store) -> None:
    columns = {
        "when": {"dtype": "datetime64[ns]"},
        "id": {"dtype": "str"},
        "n": {"dtype": "Int64", "nullable": True},
        "ok": {"dtype": "boolean"},
    }
    artifact = table_of(tmp_path, "id,ok,n,when\n007,yes,3.0,2024-02-29\n008,0,,2024-03-01 10:00\n", columns)
    table = read_table(artifact)
    assert table.column_names == ["when", "id", "n", "ok"]
    assert [str(kind) for kind in table.schema.types] == ["timestamp[us]", "string", "int64", "bool"]
    assert table["id"].to_pylist() == ["007", "008"] and table["n"].to_pylist() == [3, None]
    assert artifact.meta["files"] == [[str(tmp_path / "things.csv"), 2]]


def test_a_value_that_does_not_fit_keeps_the_column_as_text(tmp_path: Path, store: Store) -> None:
    table = read_table(table_of(tmp_path, "id,size,kind\n1,1.50,a\n2,about 3,b\n3,,c\n"))
    assert table["size"].to_pylist() == ["1.50", "about 3", None]


@pytest.mark.parametrize("name", ["things.csv", "bom.csv", "crlf.csv", "things.parquet", "things.xlsx"])
def test_the_same_rows_give_the_same_digest_from_every_format(tmp_path: Path, store: Store, name: str) -> None:
    path = tmp_path / name
    if name.endswith("csv"):
        text = FRAME.to_csv(index=False, lineterminator="\r\n" if "crlf" in name else "\n")
        path.write_bytes(text.encode("utf-8-sig" if "bom" in name else "utf-8"))
    elif name.endswith("parquet"):
        FRAME.assign(kind=FRAME["kind"].astype("category")).to_parquet(path, compression="gzip")
    else:
        FRAME.to_excel(path, index=False)
    artifact = table_of(tmp_path, None, source={"type": "file", "path": name})
    assert artifact.digest == table_digest(pa.table({"id": ["007", "008"], "size": [1.5, None], "kind": ["a", "b"]}))[0]


def test_an_old_spreadsheet_with_two_header_lines(tmp_path: Path, store: Store) -> None:
    source = {"type": "file", "path": str(Path(__file__).parent / "files" / "two-headers.xls")}
    columns = {"LIMIT": {"dtype": "float64", "nullable": True}, "default": {"dtype": "int64"}}
    table = read_table(table_of(tmp_path, None, columns, source=source, drop=["ID"]))
    assert table.to_pydict() == {"LIMIT": [20000.0, 0.5, None], "default": [1, 0, 0]}


def test_a_file_without_a_header_takes_the_catalogs_names(tmp_path: Path, store: Store) -> None:
    more = {"columns": ["id", "size", "kind"], "separator": " "}
    assert read_table(table_of(tmp_path, "1 2.5 a\n2 3 b\n", **more)).num_rows == 2
    assert read_table(table_of(tmp_path, "id size kind\n1 2.5 a\n2 3 b\n", **more)).num_rows == 2


def test_quotes_separators_in_cells_and_blank_lines(tmp_path: Path, store: Store) -> None:
    table = read_table(table_of(tmp_path, 'id,size,kind\n"1","2.5","a, ""b""\nc"\n\n2,,""\n'))
    assert table["kind"].to_pylist() == ['a, "b"\nc', None]


def test_another_encoding_when_the_dataset_says_so(tmp_path: Path, store: Store) -> None:
    data = "id,size,kind\n1,1,Käse\n".encode("cp1252")
    with pytest.raises(BadInput, match="cp1252"):
        table_of(tmp_path, data)
    assert read_table(table_of(tmp_path, data, encoding="cp1252"))["kind"].to_pylist() == ["Käse"]
    with pytest.raises(BadInput, match="no encoding 'klingon'"):
        table_of(tmp_path, data, encoding="klingon")


def test_bad_bytes_far_down_are_told_with_their_line(tmp_path: Path, store: Store) -> None:
    with pytest.raises(BadInput, match="line 20002 has the byte 0xe9"):
        table_of(tmp_path, b"id,size,kind\n" + b"1,2,a\n" * 20_000 + b"1,2,\xe9\n")


def test_a_row_with_too_many_cells_is_told_with_its_number(tmp_path: Path, store: Store) -> None:
    with pytest.raises(BadInput, match=r"things\.csv cannot be read as CSV: .*#4.*Expected 3 columns, got 4"):
        table_of(tmp_path, "id,size,kind\n1,2,a\n1,2,a\n1,2,a,x\n")


def test_a_header_alone_is_no_table(tmp_path: Path, store: Store) -> None:
    with pytest.raises(BadInput, match="no row below it"):
        table_of(tmp_path, "id,size,kind\n")


def key(files: list[Path], dataset: Dataset, contract: Contract) -> str:
    source = FileSource(type="file", parts={f"part{n}": str(path) for n, path in enumerate(files)})
    dataset = dataset.model_copy(update={"source": source})
    found = pieces(fetch(dataset, {}), dataset, contract)
    return key_of("read", {}, {"pieces": plain(found), "contract": plain(contract)})


def test_only_what_changes_the_table_is_in_the_key(tmp_path: Path, store: Store) -> None:
    here, there = tmp_path / "things.csv", tmp_path / "moved" / "other.csv"
    there.parent.mkdir()
    for path in (here, there):
        path.write_text("id,size,kind\n1,2,a\n")
    dataset, contract = project(tmp_path, ONE)
    first = key([here], dataset, contract)
    told = {"title": "Other", "licence": "MIT", "homepage": "https://a.b", "time": "id", "group": "id"}
    assert key([there], dataset.model_copy(update=told), contract) == first
    for change in ({"separator": ","}, {"encoding": "cp1252"}, {"columns": ["a"]}, {"drop": ["a"]}):
        assert key([here], dataset.model_copy(update=change), contract) != first
    assert key([here, there], dataset, contract) != first
    there.write_text("id,size,kind\n1,2,b\n")
    assert key([there], dataset, contract) != first


def test_the_name_of_a_part_is_in_the_key_where_it_is_a_column(tmp_path: Path, store: Store) -> None:
    (tmp_path / "things.csv").write_text("id,size\n1,2\n")
    dataset, contract = project(tmp_path, ONE, part_column="kind")
    raw = fetch(dataset, {})
    red, white = (
        raw.model_copy(update={"files": [raw.files[0].model_copy(update={"part": part})]}) for part in ("red", "white")
    )
    assert plain(pieces(red, dataset, contract)) != plain(pieces(white, dataset, contract))


def test_nested_parquet_columns_are_refused(tmp_path: Path, store: Store) -> None:
    FRAME.assign(kind=[["a"], ["b"]]).to_parquet(tmp_path / "things.parquet")
    with pytest.raises(BadInput, match="'kind' holds list"):
        table_of(tmp_path, None, source={"type": "file", "path": "things.parquet"})


def test_other_columns_are_left_out_where_the_contract_is_not_strict(tmp_path: Path, store: Store) -> None:
    dataset, contract = project(tmp_path, ONE)
    (tmp_path / "things.csv").write_text("more,id,size,kind\nx,1,2,a\n")
    loose = contract.model_copy(update={"strict": False})
    with pytest.raises(BadInput, match="'more'"):
        check_files(dataset, contract, {})
    check_files(dataset, loose, {})
    assert read_table(read(pieces(fetch(dataset, {}), dataset, loose), loose)).column_names == ["id", "size", "kind"]


def test_parts_of_different_formats_are_one_table(tmp_path: Path, store: Store) -> None:
    source = {"type": "file", "parts": {"new": "new.parquet", "old": "old.csv"}}
    columns = {"id": {"dtype": "int64"}, "age": {"dtype": "str"}}
    pd.DataFrame({"id": [1, 2]}).to_parquet(tmp_path / "new.parquet")
    (tmp_path / "old.csv").write_text("id\n3\n")
    table = read_table(table_of(tmp_path, None, columns, source=source, part_column="age"))
    assert table.to_pydict() == {"id": [1, 2, 3], "age": ["new", "new", "old"]}


def wine(shared: Path) -> Artifact:
    dataset = load_dataset("wine-quality", [BOX])
    contract = load_contract(dataset.contract, [BOX])
    files = parse_files(dataset, [f"{part}={shared}/tables/winequality-{part}.csv" for part in ("red", "white")])
    check_files(dataset, contract, files)
    return read(pieces(fetch(dataset, files), dataset, contract), contract)


def test_the_real_wines(shared_data: Path, store: Store) -> None:
    table = read_table(wine(shared_data))
    colours = table["colour"].to_pylist()
    assert table.num_rows == 6497 and (colours.count("red"), colours.count("white")) == (1599, 4898)
    assert str(table.schema.field("quality").type) == "int64" and table["alcohol"][0].as_py() == 9.4


def test_the_table_is_the_same_in_another_store(shared_data: Path, tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        with opened(tmp_path / name):
            found.append(wine(shared_data))
    assert found[0] == found[1]


def test_the_real_credit_cards(shared_data: Path, store: Store) -> None:
    dataset = load_dataset("credit-default", [BOX])
    contract = load_contract(dataset.contract, [BOX])
    files = parse_files(dataset, [str(shared_data / "tables" / "default_of_credit_card_clients.csv")])
    check_files(dataset, contract, files)
    table = read_table(read(pieces(fetch(dataset, files), dataset, contract), contract))
    assert table.num_rows == 30_000 and "ID" not in table.column_names
    assert round(sum(table["default payment next month"].to_pylist()) / table.num_rows, 4) == 0.2212
    assert not [field.name for field in table.schema if re.match("string", str(field.type))]


@pytest.mark.parametrize(
    ("name", "rows"), [("breast-cancer", 569), ("diabetes", 442), ("wine-cultivars", 178), ("iris", 150)]
)
def test_scikit_learns_tables_fit_their_contracts(store: Store, name: str, rows: int) -> None:
    dataset = load_dataset(name, [BOX])
    contract = load_contract(dataset.contract, [BOX])
    table = read_table(read(pieces(fetch(dataset, {}), dataset, contract), contract))
    assert table.num_rows == rows
    for column, rule in contract.columns.items():
        assert (str(table.schema.field(column).type) == "double") == (rule.dtype == "float")
