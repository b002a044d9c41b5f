from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tasks.artifacts import Store
from tasks.errors import BadInput
from tasks.sources.frames import put_table, read_table
from tasks.tables import features
from tasks.tables.predictor import Predictor
from tasks.tables.requests import request_rows
from tasks.tables.specs import Subject
from tests.tables.conftest import houses, train

SUBJECT = Subject(target="target", task="regression", carried=("month",))
OWN = """
def derive(row):
    size = row["size"]
    return {
        "per_room": None if size is None else size / (row["rooms"] + 1),
        "age": 2024 - int(row["built"][:4]),
        "kind": (row["town"] or "somewhere") + (" new" if row["new"] else ""),
    }


def broken(row):
    return {"x": row["no_such_column"]}


def nothing(row):
    return {"x": None}


def target(row):
    return {"target": 1.0}
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "houses.py").write_text(OWN)
    return tmp_path


def test_the_feature_table_is_the_data_row_for_row(store: Store) -> None:
    table = houses(100)
    made = features.build("houses", put_table("tables", table), SUBJECT, ("id",))
    assert (made.kind, made.meta["name"], made.meta["rows"]) == ("features", "houses", 100)
    stored = read_table(made)
    assert stored.column_names == ["size", "rooms", "town", "new", "built", "month", "target"]
    assert stored["rooms"].to_pylist() == table["rooms"].to_pylist()
    assert made.meta["inputs"] == ["size", "rooms", "town", "new", "built"]


def test_own_features_give_the_same_value_in_training_and_in_service(store: Store, own: Path) -> None:
    function = "mine.houses:derive"
    code = features.source(function, [own])
    trained = train(houses(300), "regression", function=function, code=code)
    table, made = read_table(trained.table), read_table(trained.features)
    predictor = Predictor.load(store.path(trained.release))
    names = [field.name for field in predictor.schema]
    assert names == ["size", "rooms", "town", "new", "built"]
    answers = predictor.predict(request_rows(table, names))
    matrix = predictor.model.transform.encode_columns(
        {name: made[name].to_numpy() for name in predictor.model.transform.names}
    )
    said = predictor.model.predictions(matrix)[:, 0]
    np.testing.assert_array_equal([answer["prediction"] for answer in answers], said)
    assert set(predictor.explain(request_rows(table, names)[0])["contributions"]) == {"per_room", "age", "kind"}
    assert features.rebuild(trained.table, trained.release).digest == trained.features.digest


def test_an_edited_function_is_another_artifact_and_both_can_be_loaded(store: Store, own: Path) -> None:
    before = features.source("mine.houses:derive", [own])
    table = put_table("tables", houses(60))
    one = features.build("houses", table, SUBJECT, ("id",), "mine.houses:derive", before)
    (own / "mine" / "houses.py").write_text(OWN.replace("2024 -", "2025 -"))
    after = features.source("mine.houses:derive", [own])
    assert before is not None and after is not None and before.digest != after.digest
    two = features.build("houses", table, SUBJECT, ("id",), "mine.houses:derive", after)
    again = features.build("houses", table, SUBJECT, ("id",), "mine.houses:derive", before)
    assert one.digest == again.digest != two.digest


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("mine.houses:broken", "failed with KeyError: 'no_such_column'; mend the function"),
        ("mine.houses:nothing", "nothing but nulls in x"),
        ("mine.houses:target", "return target, the target or a carried column"),
        ("mine.houses:absent", "has no function 'absent'"),
        ("mine.absent:derive", "name a module that is not there; looked for .*mine/absent.py"),
    ],
)
def test_what_is_wrong_with_own_features_is_told(store: Store, own: Path, function: str, told: str) -> None:
    table = put_table("tables", houses(60))
    with pytest.raises(BadInput, match=told):
        features.build("houses", table, SUBJECT, ("id",), function, features.source(function, [own]))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\ndef derive(row)\n    return row\n", r"houses.py, line 2: SyntaxError: expected ':'"),
        ("x = 1\n\nimport no_such_module\n", "houses.py, line 3: ModuleNotFoundError: No module named"),
        ("x = y\n", "houses.py, line 1: NameError: name 'y'"),
    ],
)
def test_features_that_cannot_be_loaded_are_told_with_file_and_line(
    store: Store, own: Path, text: str, told: str
) -> None:
    (own / "mine" / "houses.py").write_text(text)
    with pytest.raises(BadInput, match=told):
        features.source("mine.houses:derive", [own])


def altered(name: str, values: list[object], rows: int = 100) -> pa.Table:
    table = houses(rows)
    return table.set_column(table.column_names.index(name), name, pa.array(values))


@pytest.mark.parametrize(
    ("table", "task", "told"),
    [
        (
            houses(100).drop_columns(["target"]),
            "regression",
            "target column 'target' is not in the data; its columns are id,",
        ),
        (houses(49), "regression", "has 49 usable rows; a release needs at least 50"),
        (
            altered("size", [None] * 99 + [1.0]).slice(0, 99),
            "regression",
            "columns size hold no value in any of the 99 rows",
        ),
        (altered("target", [None, 1.0] * 50), "regression", "empty in 50 of 100 rows .first: rows 0, 2, 4, 6, 8."),
        (altered("target", ["a", "b"] * 50), "regression", "holds string; a regression needs numbers"),
        (altered("target", ["no"] * 100), "binary", r"one class only \('no'\)"),
        (altered("target", ["no", "yes", "hm", "oh"] * 25), "binary", "has 4 classes .* use `task: multiclass`"),
        (altered("target", [float(n) for n in range(120)], 120), "multiclass", "120 different values"),
    ],
)
def test_what_nothing_can_be_learned_from_is_told(store: Store, table: pa.Table, task: str, told: str) -> None:
    subject = Subject.model_validate(SUBJECT.model_dump() | {"task": task})
    with pytest.raises(BadInput, match=told) as caught:
        features.build("houses", put_table("tables", table), subject, ("id",))
    assert "\n" not in str(caught.value)


def test_columns_that_the_recipe_invents_are_told(store: Store) -> None:
    with pytest.raises(BadInput, match="names the columns postcode, which are not in the data"):
        features.build("houses", put_table("tables", houses(100)), SUBJECT, ("postcode",))


def test_a_positive_label_that_is_not_there_is_told(store: Store) -> None:
    subject = Subject(target="target", task="binary", positive="yes", carried=("month",))
    with pytest.raises(BadInput, match="`positive: 'yes'` is not among the classes of 'target': "):
        features.build("houses", put_table("tables", houses(100, "binary")), subject, ("id",))
