import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bentos.tabular.model import Tabular
from tasks.artifacts import Artifact, Store
from tasks.errors import BadInput, Refused, Unavailable
from tasks.processes import locked
from tasks.registry import ledger
from tasks.sources import values
from tasks.tables import batch_sources, batches
from tasks.tables.batch_sources import Rows
from tasks.tables.models import load_model
from tasks.tables.predictor import Predictor
from tasks.tables.requests import request_rows
from tests.tables.batch_rows import as_csv, opened, scored, some_houses
from tests.tables.conftest import Trained, houses, train

FUNCTION = """
def features(row):
    old = row["built"] is not None and row["built"] < "1990"
    return {"room": None if row["size"] is None else row["size"] / row["rooms"], "town": row["town"], "old": old}
"""


def asked(predictor: Predictor, table: pa.Table) -> list[dict[str, Any]]:
    """What the service answers to each row, from its body to its answer."""
    service = Tabular(predictor)
    bodies = request_rows(table, [field.name for field in predictor.schema])
    return [service.answer(service.reader.row(json.dumps(body).encode())) for body in bodies]


def flat(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer of the service as columns."""
    shares = {f"probability_{label}": share for label, share in answer.get("probabilities", {}).items()}
    rest = {name: value for name, value in answer.items() if name not in ("probabilities", "unseen")}
    return rest | shares | {"unseen": "; ".join(answer["unseen"]) if "unseen" in answer else None, "version": 3}


@pytest.fixture
def predictor(store: Store) -> Predictor:
    return Predictor.load(store.path(train(houses(), "regression").release))


@pytest.mark.parametrize("family", ["booster", "linear"])
def test_the_numbers_are_those_of_the_service(store: Store, trained: Trained, tmp_path: Path, family: str) -> None:
    release = Predictor.load(store.path(trained.release)).release
    model: Artifact = getattr(trained, family)
    predictor = Predictor(release, load_model(store.path(model)), None)
    table = some_houses()
    pq.write_table(table, tmp_path / "in.parquet")
    done = scored(tmp_path / "in.parquet", predictor, tmp_path / "out.parquet")
    assert (done.release, done.version, done.rows, done.unseen, done.absent) == ("houses", 3, 300, 6, [])
    out = pq.read_table(tmp_path / "out.parquet")
    assert out.select(table.column_names).equals(table)
    wanted = [flat(answer) for answer in asked(predictor, table)]
    assert out.drop_columns(table.column_names).to_pylist() == wanted
    assert wanted[1]["unseen"] == "town=Hove"


def test_own_features_give_the_numbers_of_the_service(store: Store, tmp_path: Path) -> None:
    code = store.put_bytes("code", FUNCTION.encode(), ".py")
    made = train(houses(task="multiclass"), "multiclass", function="own:features", code=code)
    predictor = Predictor.load(store.path(made.release))
    table = some_houses()
    scored(as_csv(table, tmp_path / "in.csv"), predictor, tmp_path / "out.parquet")
    out = pq.read_table(tmp_path / "out.parquet").drop_columns(table.column_names).to_pylist()
    assert out == [flat(answer) for answer in asked(predictor, table)]
    assert len({row["prediction"] for row in out}) == 3 and out[1]["unseen"] == "town=Hove"


@pytest.mark.parametrize("form", ["comma", "semicolon", "bom", "excel", "parquet as text"])
def test_every_form_of_the_same_rows_gives_the_same_answers(predictor: Predictor, tmp_path: Path, form: str) -> None:
    table = some_houses(120)
    pq.write_table(table, tmp_path / "rows.parquet")
    scored(tmp_path / "rows.parquet", predictor, tmp_path / "plain.parquet")
    path = as_csv(table, tmp_path / "rows.csv", ";" if form == "semicolon" else ",")
    if form == "bom":
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    if form == "excel":
        pd.read_csv(path, dtype=str).to_excel(path := tmp_path / "rows.xlsx", index=False)
    if form == "parquet as text":
        text = pa.table({name: table[name].cast(pa.string()) for name in table.column_names})
        pq.write_table(text, path := tmp_path / "text.parquet")
    scored(path, predictor, tmp_path / "out.parquet")
    out, plain = pq.read_table(tmp_path / "out.parquet"), pq.read_table(tmp_path / "plain.parquet")
    inputs = [field.name for field in predictor.schema]
    assert out.select([*inputs, "prediction", "unseen"]).equals(plain.select([*inputs, "prediction", "unseen"]))


def test_csv_out_keeps_the_cells_as_they_stood_and_every_digit_of_the_answer(
    predictor: Predictor, tmp_path: Path
) -> None:
    path = tmp_path / "in.csv"
    row = '0017,"a, b",70.10,3,York,yes,2001-02-03'
    path.write_text(f"id,note,size,rooms,town,new,built\n{row}\n0018,,NA,3.0,Rome,0,1990-01-01\n")
    scored(path, predictor, tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == "id,note,size,rooms,town,new,built,prediction,unseen,version"
    assert lines[1].startswith(f"{row},") and lines[1].endswith(",,3")
    assert lines[2].startswith("0018,,NA,3.0,Rome,0,1990-01-01,") and lines[2].endswith(",town=Rome,3")
    request = {"size": 70.1, "rooms": 3, "town": "York", "new": True, "built": "2001-02-03"}
    assert float(lines[1].split(",")[-3]) == predictor.predict([request])[0]["prediction"]


def test_an_optional_input_may_be_absent_and_counts_as_unknown(predictor: Predictor, tmp_path: Path) -> None:
    table = some_houses(60)
    done = scored(as_csv(table.drop_columns(["size"]), tmp_path / "in.csv"), predictor, tmp_path / "out.parquet")
    assert done.absent == ["size"]
    rows = [row | {"size": None} for row in request_rows(table, [field.name for field in predictor.schema])]
    found = pq.read_table(tmp_path / "out.parquet")["prediction"].to_pylist()
    assert found == [answer["prediction"] for answer in predictor.predict(rows)]


def test_no_rows_give_an_empty_file_with_all_columns(predictor: Predictor, tmp_path: Path) -> None:
    for text in ("size,rooms,town,new,built\n", "size,rooms,town,new,built"):
        (tmp_path / "in.csv").write_text(text)
        assert scored(tmp_path / "in.csv", predictor, tmp_path / "out.parquet").rows == 0
        out = pq.read_table(tmp_path / "out.parquet")
        assert out.num_rows == 0 and out.column_names[-3:] == ["prediction", "unseen", "version"]


def test_the_same_rows_and_version_give_the_same_bytes(predictor: Predictor, tmp_path: Path) -> None:
    path = as_csv(some_houses(), tmp_path / "in.csv")
    for name in ("out.csv", "out.parquet"):
        scored(path, predictor, tmp_path / name)
        first = (tmp_path / name).read_bytes()
        scored(path, predictor, tmp_path / name)
        assert (tmp_path / name).read_bytes() == first


def test_a_run_that_breaks_off_leaves_what_was_there(predictor: Predictor, tmp_path: Path) -> None:
    path, to = as_csv(some_houses(), tmp_path / "in.csv"), tmp_path / "out.csv"
    rows = opened(path, predictor)

    def broken() -> Iterator[pa.Table]:
        yield next(rows.batches())
        raise Unavailable("the database broke off")

    with pytest.raises(Unavailable):
        batches.score(predictor, 3, Rows(rows.origin, rows.schema, broken), to)
    assert [one.name for one in tmp_path.glob("out*")] == []
    scored(path, predictor, to)
    before = to.read_bytes()
    with pytest.raises(Unavailable):
        batches.score(predictor, 4, Rows(rows.origin, rows.schema, broken), to)
    assert to.read_bytes() == before and not list(tmp_path.glob(".out*"))


def test_two_runs_do_not_write_one_file(predictor: Predictor, tmp_path: Path) -> None:
    path = as_csv(some_houses(60), tmp_path / "in.csv")
    with locked(tmp_path / ".out.csv.part"), pytest.raises(Refused, match=r"Another run is writing .*out\.csv"):
        scored(path, predictor, tmp_path / "out.csv")
    # the file that a killed run left aside is in nobody's way
    (tmp_path / ".out.csv.part").write_text("half")
    scored(path, predictor, tmp_path / "out.csv")
    assert not (tmp_path / ".out.csv.part").exists()


def test_rows_of_a_query(predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = some_houses()
    with closing(sqlite3.connect(tmp_path / "houses.db")) as database:
        pd.DataFrame(request_rows(table, table.column_names)).to_sql("houses", database, index=False)
    monkeypatch.setenv("HOUSES", str(tmp_path / "houses.db"))
    path = batch_sources.fetch("sqlite:///${HOUSES}", "SELECT * FROM houses", tmp_path / "aside")
    scored(path, predictor, tmp_path / "out.parquet")
    answers = pq.read_table(tmp_path / "out.parquet").select(["prediction", "unseen", "version"]).to_pylist()
    assert answers == [flat(answer) for answer in asked(predictor, table)]
    with pytest.raises(BadInput, match="no such table"):
        batch_sources.fetch("sqlite:///${HOUSES}", "SELECT * FROM flats", tmp_path / "aside")


def test_without_a_champion_there_is_nothing_to_score_with(store: Store) -> None:
    assert ledger.entries(store, "houses") == []
    with pytest.raises(Refused, match="houses has no champion to score with yet; `penstock train houses`"):
        batches.champion(store, "houses")


def test_progress_is_told_every_few_seconds(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "penstock.score")
    pace = batches.Pace(started=time.monotonic() - 10, told=time.monotonic() - 1)
    pace.step(500)
    assert caplog.messages == []
    pace.told -= batches.EVERY
    pace.step(500)
    pace.step(500)
    assert len(caplog.messages) == 1 and caplog.messages[0].startswith("1000 rows, ")
    assert pace.rows == 1500


def test_a_float32_is_read_as_training_reads_it(store: Store) -> None:
    column = pa.chunked_array([pa.array([0.1, 2.3, None, 1e-5], pa.float32())])
    numbers, _ = batches.parsed(column, "float")
    assert numbers.to_pylist() == values.parse(column, "float")[0].to_pylist() == [0.1, 2.3, None, 1e-5]
