import json
import math
import shutil
from pathlib import Path

import pytest

from tasks.artifacts import Store, file_sha256
from tasks.errors import BadInput
from tasks.sources.frames import read_table
from tasks.tables.predictor import Predictor
from tasks.tables.requests import request_rows
from tests.tables.conftest import Trained, houses, train


def test_a_release_says_what_it_is(store: Store, trained: Trained) -> None:
    folder = store.path(trained.release)
    release = json.loads((folder / "release.json").read_text())
    assert (release["release"], release["kind"], release["key"], release["target"]) == (
        "houses",
        "tabular",
        "k1",
        "target",
    )
    assert release["files"] == {name: file_sha256(folder / name) for name in release["files"]}
    assert {path.name for path in folder.iterdir()} == {*release["files"], "release.json"}
    fields = {field["name"]: field for field in release["input_schema"]}
    assert list(fields) == ["size", "rooms", "town", "new", "built"]
    assert fields["town"]["levels"] == ["Ely", "Bath", "York", "Hove"] and fields["rooms"]["min"] == 0
    assert all(field["example"] is not None for field in fields.values())
    assert len(fields["built"]["example"]) == len("2024-03-31")
    told = trained.evaluation.metrics
    assert release["metrics"] == {name: interval.model_dump() for name, interval in told.items()}


def test_the_golden_requests_are_answered_as_the_table_is_scored(store: Store, trained: Trained) -> None:
    predictor = Predictor.load(store.path(trained.release))
    golden = predictor.release["golden"]
    assert predictor.predict([case["request"] for case in golden]) == [case["answer"] for case in golden]
    assert [predictor.predict([case["request"]])[0] for case in golden] == [case["answer"] for case in golden]
    assert golden[-1]["request"]["size"] is None and golden[-1]["request"]["town"] is None
    rows = request_rows(read_table(trained.table), [field.name for field in predictor.schema])
    scores = read_table(trained.scores).to_pylist()
    for row in scores[:20]:
        answer = predictor.predict([rows[row["position"]]])[0]
        said = next(iter(answer["probabilities"].values())) if "probabilities" in answer else answer.get("probability")
        assert (answer["prediction"] if said is None else said) == row["p0"]


def test_answers_have_the_form_of_their_task(store: Store, trained: Trained) -> None:
    predictor = Predictor.load(store.path(trained.release))
    answer = predictor.predict([predictor.release["golden"][0]["request"]])[0]
    assert json.loads(json.dumps(answer)) == answer
    assert set(answer) == {field["name"] for field in predictor.release["output_schema"]} - {"unseen"}
    match trained.subject.task:
        case "regression":
            assert isinstance(answer["prediction"], float)
        case "binary":
            assert answer["prediction"] is (answer["probability"] >= 0.5)
        case "multiclass":
            assert math.isclose(sum(answer["probabilities"].values()), 1)
            assert answer["prediction"] == max(answer["probabilities"], key=answer["probabilities"].get)


def test_an_explanation_adds_up(store: Store, trained: Trained) -> None:
    predictor = Predictor.load(store.path(trained.release))
    row = predictor.release["golden"][0]["request"]
    told = predictor.explain(row)
    assert told["base"] + sum(told["contributions"].values()) == pytest.approx(told["score"], abs=1e-9)
    assert set(told["contributions"]) == {field.name for field in predictor.schema}
    if trained.subject.task == "binary":
        assert told["probability"] == pytest.approx(1 / (1 + math.exp(-told["score"])))
    if trained.subject.task == "regression":
        assert told["prediction"] == pytest.approx(told["score"])


def test_levels_that_training_never_saw_are_named_and_count_as_missing(store: Store) -> None:
    predictor = Predictor.load(store.path(train(houses(300), "regression").release))
    row = predictor.release["golden"][0]["request"]
    unseen, missing = predictor.predict([row | {"town": "Hove"}, row | {"town": None}])
    assert unseen["unseen"] == ["town=Hove"] and "unseen" not in missing
    assert unseen["prediction"] == missing["prediction"]


def test_text_for_a_number_is_refused_before_the_model(store: Store) -> None:
    predictor = Predictor.load(store.path(train(houses(300), "regression").release))
    row = predictor.release["golden"][0]["request"]
    with pytest.raises(BadInput, match="column rooms takes a number, but the row has 'three'"):
        predictor.predict([row, row | {"rooms": "three"}])
    assert predictor.predict([]) == []


def test_a_folder_that_is_no_release_is_told(store: Store, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"has no readable release\.json"):
        Predictor.load(tmp_path)
    shutil.copytree(store.path(train(houses(300), "regression").release), tmp_path / "copy")
    (tmp_path / "copy" / "transform.json").unlink()
    with pytest.raises(BadInput, match=r"transform\.json is missing"):
        Predictor.load(tmp_path / "copy")
