import json
import subprocess
import sys
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import BadInput
from tasks.planning import closure
from tasks.tables.transform import Column, Transform

TRANSFORM = Transform(
    columns=(
        Column(name="size", kind="number", median=2.0, scale=4.0, missing=True),
        Column(name="town", kind="level", levels=("Bath", "York")),
        Column(name="new", kind="flag"),
        Column(name="built", kind="date"),
    )
)
row = st.fixed_dictionaries(
    {
        "size": st.one_of(st.none(), st.floats(), st.integers(-(2**53), 2**53)),
        "town": st.one_of(st.none(), st.sampled_from(["Bath", "York", "Atlantis", ""])),
        "new": st.one_of(st.none(), st.booleans()),
        "built": st.one_of(st.none(), st.dates()),
    }
)


@given(st.lists(row, min_size=1, max_size=20))
def test_a_row_and_a_column_give_the_same_numbers(rows: list[dict[str, Any]]) -> None:
    columns = {
        "size": np.array([np.nan if row["size"] is None else row["size"] for row in rows], dtype=np.float64),
        "town": np.array([row["town"] for row in rows], dtype=object),
        "new": np.array([row["new"] for row in rows], dtype=object),
        "built": np.array([row["built"] or "NaT" for row in rows], dtype="datetime64[us]"),
    }
    whole = TRANSFORM.encode_columns(columns)
    sent = [row | {"built": row["built"] and row["built"].isoformat()} for row in rows]
    np.testing.assert_array_equal(whole, TRANSFORM.encode_rows(rows))
    np.testing.assert_array_equal(whole, TRANSFORM.encode_rows(sent))
    seen = [level for row in rows for level in TRANSFORM.unseen(row)]
    assert {level: seen.count(level) for level in seen} == TRANSFORM.count_unseen(columns)


def test_it_survives_json() -> None:
    again = Transform.model_validate(json.loads(TRANSFORM.model_dump_json()))
    assert again.encode_row({"town": "York", "built": date(1970, 1, 3)})[1::2] == [1.0, 2.0]


def test_the_linear_terms() -> None:
    matrix = TRANSFORM.encode_rows([{"size": 6, "town": "York", "new": True, "built": "1970-01-02"}, {}])
    names = [name for _, name in TRANSFORM.expanded]
    assert names == ["size", "new", "built", "size is missing", "town=Bath", "town=York"]
    np.testing.assert_array_equal(TRANSFORM.expand(matrix), [[1, 1, 1, 0, 0, 1], [0, 0, 0, 1, 0, 0]])


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({"size": "12"}, "column size takes a number, but the row has '12'"),
        ({"town": 3}, "column town takes text, but the row has 3"),
        ({"built": "yesterday"}, "column built takes a date like 2024-03-31"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(bad: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        TRANSFORM.encode_row(bad)


def test_text_never_reaches_the_model_as_a_column() -> None:
    columns = {name: np.array([None, "7"], dtype=object) for name in TRANSFORM.names}
    with pytest.raises(BadInput, match="column size holds text"):
        TRANSFORM.encode_columns(columns)
    with pytest.raises(BadInput, match="lacks the columns town, new, built"):
        TRANSFORM.encode_columns({"size": np.zeros(2)})


@pytest.mark.parametrize("module", ["specs", "transform", "schema"])
def test_what_the_service_imports_is_light(module: str) -> None:
    heavy = "{'pandas', 'pyarrow', 'sklearn', 'prefect', 'mlflow', 'lightgbm'}"
    code = f"import sys, tasks.tables.{module}; assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_predictor_names_no_heavy_library() -> None:
    reached = closure("tasks.tables.predictor") | closure("tasks.tables.specs")
    assert not {"pandas", "pyarrow", "sklearn", "prefect", "mlflow", "scipy"} & set(reached)
    assert "lightgbm" in reached
