"""What `penstock new tabular` makes of a user's own file, and what it says about it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from tasks.artifacts import Store
from tasks.errors import BadInput
from tasks.sources.catalog import load_dataset
from tasks.sources.contracts import load_contract, parse
from tasks.sources.fetch import check_files, fetch
from tasks.sources.frames import read_table
from tasks.sources.reading import pieces, read
from tasks.tables.contracts import check
from tasks.tables.inference import Proposal, infer
from tasks.tables.specs import TabularRecipe

ROWS = 120


def frame(**changes: Any) -> pd.DataFrame:
    random = np.random.default_rng(0)
    columns: dict[str, Any] = {
        "customerId": [f"C{number:05}" for number in range(ROWS)],
        "joined": pd.date_range("2024-01-01", periods=ROWS).strftime("%Y-%m-%d"),
        "zip": [f"{number:05}" for number in random.integers(1, 40, ROWS)],
        "plan": random.choice(["basic", "plus", "pro"], ROWS),
        "spend": random.normal(100, 20, ROWS).round(2),
        "calls": random.integers(0, 9, ROWS),
        "active": random.choice(["yes", "no"], ROWS),
        "notes": [f"said word {number} today" for number in range(ROWS)],
        "nothing": [None] * ROWS,
        "churned": random.choice(["yes", "no"], ROWS, p=[0.3, 0.7]),
    }
    return pd.DataFrame(columns | changes)


def proposed(folder: Path, data: pd.DataFrame, target: str = "churned", **options: Any) -> Proposal:
    path = folder / "customers.csv"
    data.to_csv(path, index=False, **options)
    return infer(path, "customers", target)


def rule(proposal: Proposal, column: str) -> dict[str, Any]:
    return proposal.contract["columns"][column]  # type: ignore[no-any-return]


def said(proposal: Proposal, word: str) -> str:
    return next(line for line in proposal.assumptions if word in line)


def test_every_column_gets_its_kind(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, frame())
    kinds = {name: column["dtype"] for name, column in proposal.contract["columns"].items()}
    assert kinds == {
        "customerId": "string[pyarrow]",
        "joined": "datetime64[ns]",
        "zip": "string[pyarrow]",
        "plan": "string[pyarrow]",
        "spend": "float64",
        "calls": "Int64",
        "active": "boolean",
        "notes": "string[pyarrow]",
        "churned": "boolean",
    }
    assert rule(proposal, "plan")["isin"] == ["basic", "plus", "pro"]
    assert rule(proposal, "calls")["in_range"] == {"min_value": 0, "max_value": 16}
    assert rule(proposal, "customerId")["unique"] and "in_range" not in rule(proposal, "customerId")
    assert proposal.recipe["drop"] == ["customerId", "notes"] and proposal.dataset["drop"] == ["nothing"]
    assert "leading zeros" in said(proposal, "zip") and "newest" in said(proposal, "joined")


@pytest.mark.parametrize(
    ("values", "task", "positive"),
    [
        (["yes", "no", "no"], "binary", True),
        (["good", "bad", "good"], "binary", "bad"),
        ([0, 1, 0], "binary", 1),
        (["left", "left", "right"], "binary", "right"),
        ([0, 1, 2], "multiclass", None),
        (["a", "b", "c"], "multiclass", None),
        ([3, 5, 8], "regression", None),
        ([0.5, 1.5, 2.5], "regression", None),
        ([1, 2, 40], "regression", None),
    ],
)
def test_the_targets_kind(tmp_path: Path, values: list[Any], task: str, positive: Any) -> None:
    proposal = proposed(tmp_path, frame(churned=(values * ROWS)[:ROWS]))
    assert (proposal.recipe["task"], proposal.recipe.get("positive")) == (task, positive)
    assert type(proposal.recipe.get("positive")) is type(positive)
    assert said(proposal, "churned: ") and ("isin" in rule(proposal, "churned")) == (task != "regression")
    TabularRecipe.model_validate({"name": "customers"} | proposal.recipe)


@pytest.mark.parametrize(
    ("values", "bars", "told"),
    [
        (["yes", "no", "no"], {"margin": 0.01, "floors": {"auc": 0.5}}, "a constant alone reaches"),
        (["a", "b", "c"], {"margin": 0.022, "floors": {"log_loss": 1.1}}, "the classes' shares alone reaches"),
        ([3, 5, 10], {"margin": 0.047, "floors": {"mae": 2.33}}, "the median alone reaches"),
    ],
)
def test_the_first_floor_and_margin_are_written_and_said(
    tmp_path: Path, values: list[Any], bars: dict[str, Any], told: str
) -> None:
    proposal = proposed(tmp_path, frame(churned=(values * ROWS)[:ROWS]))
    assert {name: proposal.recipe[name] for name in bars} == bars
    assert told in said(proposal, "floor ") and f"margin {bars['margin']}" in said(proposal, "floor ")


def test_the_positive_label_is_said_as_the_file_has_it(tmp_path: Path) -> None:
    assert "; yes is the positive one" in said(proposed(tmp_path, frame()), "churned: two values")
    numbers = proposed(tmp_path, frame(churned=[0, 1] * (ROWS // 2)))
    assert "; 1 is the positive one" in said(numbers, "churned: two values")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separator_bom_and_encoding_are_said(tmp_path: Path, separator: str) -> None:
    words = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
    with_bom = proposed(tmp_path, frame(), sep=separator, encoding="utf-8-sig")
    assert with_bom.dataset["separator"] == separator
    assert f"separated by {words[separator]}, utf-8 with a BOM" in with_bom.assumptions[0]
    latin = proposed(tmp_path, frame(plan=["café", "thé"] * (ROWS // 2)), sep=separator, encoding="cp1252")
    assert latin.dataset["encoding"] == "cp1252" and rule(latin, "plan")["isin"] == ["café", "thé"]


@pytest.mark.parametrize("name", ["customers.csv", "customers.parquet", "customers.xlsx"])
def test_what_is_proposed_reads_and_keeps_all_rows(tmp_path: Path, store: Store, name: str) -> None:
    data, path = frame(), tmp_path / name
    writers = {"csv": data.to_csv, "parquet": data.to_parquet, "xlsx": data.to_excel}
    writers[name.partition(".")[2]](path, index=False)
    proposal = infer(path, "customers", "churned")
    for kind, value in (("datasets", proposal.dataset), ("contracts", proposal.contract)):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "customers.yaml").write_text(yaml.safe_dump(value, sort_keys=False))
    dataset = load_dataset("customers", [tmp_path])
    contract = load_contract("customers", [tmp_path])
    check_files(dataset, contract, {})
    checked = check(read(pieces(fetch(dataset, {}), dataset, contract), contract), contract)
    assert (checked.rows, checked.bad_rows) == (ROWS, 0)
    assert read_table(checked.good)["zip"][0].as_py() == data["zip"][0]


def test_ranges_have_room_for_rows_to_come(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, frame(spend=np.linspace(-0.5, 1.5, ROWS), calls=[3, 7] * (ROWS // 2)))
    assert rule(proposal, "spend")["in_range"] == {"min_value": -2.5, "max_value": 3.5}
    assert rule(proposal, "calls")["in_range"] == {"min_value": 0, "max_value": 11}
    same = proposed(tmp_path, frame(calls=[5] * ROWS))
    assert rule(same, "calls")["in_range"] == {"min_value": 0, "max_value": 10}


def test_nulls_get_a_share_with_room_and_a_missing_target_is_quarantined(tmp_path: Path) -> None:
    data = frame()
    data.loc[:11, "spend"] = None
    data.loc[:5, "churned"] = None
    proposal = proposed(tmp_path, data)
    contract = parse(proposal.contract, "proposal")
    assert contract.columns["spend"].nullable and contract.columns["spend"].null_share == 0.25
    assert not contract.columns["churned"].nullable and contract.max_quarantine == 0.08
    assert "6 rows" in said(proposal, "churned: empty")


def test_a_column_of_nearly_all_numbers_is_said(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, frame(spend=["12.5", "14"] * (ROWS // 2 - 1) + ["about 3", "9"]))
    assert rule(proposal, "spend")["dtype"] == "string[pyarrow]"
    assert "1 values are no numbers (as 'about 3')" in said(proposal, "spend: ")


@pytest.mark.parametrize("name", ["paid", "humid", "amount", "grid"])
def test_a_number_is_no_identifier_for_the_end_of_its_name(tmp_path: Path, name: str) -> None:
    values = np.random.default_rng(1).permutation(5 * ROWS)[:ROWS]
    proposal = proposed(tmp_path, frame(**{name: values}))
    assert name not in proposal.recipe["drop"]


def test_a_saved_index_is_an_identifier(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    frame().to_csv(path)
    proposal = infer(path, "customers", "churned")
    assert "unnamed_1" in proposal.recipe["drop"]


@pytest.mark.parametrize(
    ("change", "target", "told"),
    [
        ({}, "churn", "Did you mean 'churned'?"),
        ({"churned": "yes"}, "churned", r"one value only \(True\)"),
        ({"churned": None}, "churned", "is empty"),
        ({}, "notes", "120 values, too many"),
        ({}, "customerId", "one per row"),
        ({}, "joined", "dates"),
    ],
)
def test_a_useless_target_is_told(tmp_path: Path, change: dict[str, Any], target: str, told: str) -> None:
    with pytest.raises(BadInput, match=told) as caught:
        proposed(tmp_path, frame(**change), target)
    assert "customers.csv" in str(caught.value) and "\n" not in str(caught.value)


def test_a_useless_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has 49 rows; at least 50"):
        proposed(tmp_path, frame().head(49))
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        infer(tmp_path / "none.csv", "none", "a")
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(BadInput, match="is empty"):
        infer(tmp_path / "empty.csv", "empty", "a")
    (tmp_path / "bytes.csv").write_bytes(b"a,b\n\x81,1\n")
    with pytest.raises(BadInput, match="neither UTF-8 nor Windows-1252"):
        infer(tmp_path / "bytes.csv", "bytes", "a")


def test_the_real_tables(shared_data: Path) -> None:
    red = infer(shared_data / "tables" / "winequality-red.csv", "red", "quality")
    assert red.recipe["task"] == "regression" and red.dataset["separator"] == ";"
    cards = infer(shared_data / "tables" / "default_of_credit_card_clients.csv", "cards", "default payment next month")
    assert (cards.recipe["task"], cards.recipe["positive"], cards.recipe["drop"]) == ("binary", 1, ["ID"])
