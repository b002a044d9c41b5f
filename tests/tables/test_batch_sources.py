from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.artifacts import Store
from tasks.errors import BadInput
from tasks.tables import batch_sources
from tasks.tables.predictor import Predictor
from tests.tables.batch_rows import scored, some_houses
from tests.tables.conftest import houses, train


@pytest.fixture
def predictor(store: Store) -> Predictor:
    return Predictor.load(store.path(train(houses(), "regression").release))


HEADER = "size,rooms,town,new,built\n"
GOOD = "70,3,York,true,2001-02-03\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEADER + GOOD * 2 + "70,three,York,true,2001-02-03\n", "row 3: .*'rooms' takes a whole number, and 'three'"),
        (
            HEADER + GOOD + "inf,3,York,true,2001-02-03\n",
            "row 2: .*'size' takes a number, and 'inf'.*or leave it empty",
        ),
        (HEADER + "70,,York,true,2001-02-03\n", "row 1: .*'rooms' is empty, and the release needs a whole number"),
        (HEADER + GOOD + "70,NA,York,perhaps,2001-02-03\n", "row 2: .*'rooms' is empty"),
        (HEADER + "70,3,York,perhaps,2001-02-03\n", "row 1: .*'new' takes true or false, and 'perhaps' stands"),
        (HEADER + "70,3,York,true,03.02.2001\n", "row 1: .*'built' takes a date like 2024-03-31, and '03.02.2001'"),
        (HEADER + GOOD * 9 + "70,3\n", r"CSV: row 10: Expected 5 columns, got 2.*as many cells as the header"),
        (
            HEADER + '70,3,"York,true,2001-02-03\n' + GOOD * 200_000,
            "a row of more than 1 MiB; is a quote opened there and never closed",
        ),
        ("size,town,new,built\n70,York,true,2001-02-03\n", "lacks the column 'rooms'; its header line has 'size'"),
        (HEADER.replace("town", "size") + GOOD, "has the column 'size' more than once"),
        ("prediction," + HEADER + "1," + GOOD, "has the column 'prediction' already.*rename"),
        ("", "is empty"),
    ],
)
def test_bad_rows_are_named_with_file_column_row_and_remedy(
    predictor: Predictor, tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "rows.csv").write_text(text)
    with pytest.raises(BadInput, match=rf"rows\.csv.*{told}"):
        scored(tmp_path / "rows.csv", predictor, tmp_path / "out.csv")
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ""] == ["rows.csv"]


def test_a_bad_value_far_down_is_named_by_its_row(predictor: Predictor, tmp_path: Path) -> None:
    rows = batch_sources.BATCH + 10
    bad = HEADER + GOOD * (rows - 1) + "70,3,York,true,2001-02-30\n"
    (tmp_path / "rows.csv").write_text(bad)
    with pytest.raises(BadInput, match=f"row {rows}: .*'2001-02-30'"):
        scored(tmp_path / "rows.csv", predictor, tmp_path / "out.csv")
    (tmp_path / "rows.csv").write_bytes((HEADER + GOOD * (rows - 1)).encode() + b"70,3,Z\xfcrich,true,2001-02-03\n")
    with pytest.raises(BadInput, match=f"row {rows}, is not text in the encoding.*save the file as UTF-8"):
        scored(tmp_path / "rows.csv", predictor, tmp_path / "out.csv")


def test_what_no_cell_can_hold_and_a_broken_file_are_told(predictor: Predictor, tmp_path: Path) -> None:
    table = some_houses(60)
    pq.write_table(table.append_column("seen", pa.array([[1, 2]] * 60)), tmp_path / "in.parquet")
    scored(tmp_path / "in.parquet", predictor, tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet")["seen"].to_pylist() == [[1, 2]] * 60
    with pytest.raises(BadInput, match=r"'seen' holds list.*write to \.parquet"):
        scored(tmp_path / "in.parquet", predictor, tmp_path / "out.csv")
    (tmp_path / "in.parquet").write_bytes((tmp_path / "in.parquet").read_bytes()[:-30])
    with pytest.raises(BadInput, match="damaged Parquet"):
        scored(tmp_path / "in.parquet", predictor, tmp_path / "out.csv")


@pytest.mark.parametrize(
    ("source", "query", "to", "told"),
    [
        ("none.csv", None, "out.csv", "none.csv does not exist"),
        (".", None, "out.csv", "is a folder"),
        ("in.csv", "SELECT 1", "out.csv", "in.csv is a file; leave the query out"),
        ("in.csv", None, "out.txt", r"must name a file that ends in \.parquet or \.csv"),
        ("in.csv", None, "in.csv", "is the file that is read"),
        ("sqlite:///x.db", None, "out.csv", "say --query too"),
        ("https://example.org/in.csv", None, "out.csv", "must be downloaded first"),
        ("postgresql://me:hunter2@host/db", "SELECT 1", "out.csv", r"holds a password.*\$\{NAME\}"),
        ("mssql://host/db?password=hunter2", "SELECT 1", "out.csv", r"holds a password.*\$\{NAME\}"),
    ],
)
def test_what_cannot_work_is_said_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, query: str | None, to: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.csv").write_text("a\n1\n")
    with pytest.raises(BadInput, match=told) as caught:
        batch_sources.check(source, query, Path(to))
    assert "hunter2" not in str(caught.value)
    batch_sources.check("postgresql://${WHO}:${PASSWORD}@host/db", "SELECT 1", Path("out.csv"))


def test_a_cell_without_an_end_is_told(predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(HEADER + GOOD + '70,3,"' + "York " * (3 << 20) + '",true,2001-02-03\n')
    with pytest.raises(BadInput, match=r"rows\.csv has a row of more than 1 MiB"):
        scored(tmp_path / "rows.csv", predictor, tmp_path / "out.csv")
