"""Batch scoring in the log: what a service would have logged, once per run."""

import json
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from bentos.tabular.model import Tabular
from tasks.artifacts import Store
from tasks.tables import batches
from tasks.tables.predictor import Predictor
from tasks.tables.requests import request_rows
from tasks.watching import batch_log
from tasks.watching.finding import find
from tasks.watching.parts import parts, rows
from tasks.watching.privacy import Privacy
from tests.tables.batch_rows import opened, some_houses
from tests.tables.conftest import houses, train

NOTHING = Privacy({}, None)


@pytest.fixture(params=["regression", "binary", "multiclass"])
def predictor(store: Store, request: pytest.FixtureRequest) -> Predictor:
    return Predictor.load(store.path(train(houses(task=request.param), request.param).release))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    pq.write_table(some_houses(), tmp_path / "in.parquet")
    return tmp_path / "in.parquet"


def score(store: Store, predictor: Predictor, source: Path, privacy: Privacy = NOTHING) -> str:
    run = batch_log.run_id("houses", 3, source)
    with batch_log.logging(store, "houses", 3, run, privacy) as tell:
        batches.score(predictor, 3, opened(source, predictor), source.with_name("out.parquet"), tell)
    return run


def logged(store: Store) -> list[dict[str, Any]]:
    return [row for batch in rows(store, parts(store, "houses")) for row in batch.to_pylist()]


def test_it_is_logged_as_a_service_would_log_it(store: Store, predictor: Predictor, source: Path) -> None:
    run = score(store, predictor, source)
    service, found = Tabular(predictor), logged(store)
    asked = request_rows(pq.read_table(source), [field.name for field in predictor.schema])
    assert [orjson.loads(row["inputs"]) for row in found] == asked
    answers = [service.answer(service.reader.row(json.dumps(body).encode())) for body in asked]
    assert [orjson.loads(row["output"]) for row in found] == answers and "unseen" in answers[1]
    assert {(row["request_id"], row["version"], row["path"]) for row in found} == {(run, "3", "score")}
    assert [row["row"] for row in found] == list(range(300))
    assert parts(store, "houses")[0].versions == {"3": 300}


@pytest.fixture
def trees(store: Store) -> Predictor:
    return Predictor.load(store.path(train(houses(), "regression").release))


def test_the_same_run_is_logged_once_and_a_broken_one_not_at_all(
    store: Store, trees: Predictor, source: Path, tmp_path: Path
) -> None:
    run = batch_log.run_id("houses", 3, source)
    with pytest.raises(KeyboardInterrupt), batch_log.logging(store, "houses", 3, run, NOTHING) as tell:
        batches.score(trees, 3, opened(source, trees), tmp_path / "out.parquet", tell)
        raise KeyboardInterrupt
    assert parts(store, "houses") == []
    score(store, trees, source)
    score(store, trees, source)
    assert len(logged(store)) == 300
    assert [one.row for one in find(store, tmp_path, "houses", run)][:2] == [0, 1]
    pq.write_table(some_houses(20), source)
    assert score(store, trees, source) != run and len(parts(store, "houses")) == 2


def test_personal_columns_are_not_logged_as_they_are(store: Store, trees: Predictor, source: Path) -> None:
    privacy = Privacy({"town": "hash", "size": "drop"}, b"k")
    score(store, trees, source, privacy)
    first, second = (orjson.loads(row["inputs"]) for row in logged(store)[:2])
    row = pq.read_table(source).slice(0, 1).to_pylist()[0]
    assert first["town"] == privacy.pseudonym("town", row["town"]) and "size" not in first
    assert orjson.loads(logged(store)[1]["output"])["unseen"] == ["town=(personal)"] and second["town"] != "Hove"
