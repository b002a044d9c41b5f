"""Contracts are pandera's own YAML: what we write it reads, and what it writes we read."""

from pathlib import Path

import pandera.pandas as pandera
import pytest
import yaml

from tasks.errors import BadInput, NotFound
from tasks.sources.catalog import dataset_names, load_dataset
from tasks.sources.contracts import Column, Contract, dump, load_contract, parse

BOX = Path(__file__).parents[2] / "data"
FULL = Contract(
    columns={
        "a": Column(dtype="float", min=0, max=1.5, nullable=True, null_share=0.25),
        "b": Column(dtype="int", min=-3),
        "c": Column(dtype="str", levels=["x", "y"], unique=True, personal="hash"),
        "d": Column(dtype="bool", nullable=True),
        "e": Column(dtype="date", checks={"greater_than": "2020-01-01 00:00:00"}),
        "f": Column(dtype="float", max=9),
    },
    unique=["a", "c"],
    max_quarantine=0.2,
)


def test_a_contract_survives_its_file() -> None:
    assert parse(yaml.safe_load(dump(FULL)), "x.yaml") == FULL


def test_pandera_reads_what_we_write() -> None:
    schema = pandera.DataFrameSchema.from_yaml(dump(FULL))
    assert list(schema.columns) == list(FULL.columns)
    assert schema.strict is True and schema.unique == ["a", "c"]
    assert schema.columns["a"].nullable and not schema.columns["b"].nullable
    assert [check.name for check in schema.columns["c"].checks] == ["isin"]
    assert schema.metadata == {"max_quarantine": 0.2, "null_share": {"a": 0.25}, "personal": {"c": "hash"}}


def test_we_read_what_pandera_writes() -> None:
    schema = pandera.DataFrameSchema(
        {
            "age": pandera.Column("int64", pandera.Check.in_range(0, 120)),
            "city": pandera.Column("str", pandera.Check.isin(["a", "b"]), nullable=True),
            "code": pandera.Column("str", pandera.Check.str_matches("^x")),
        },
        strict="filter",
    )
    contract = parse(yaml.safe_load(schema.to_yaml()), "theirs")
    assert contract.columns["age"] == Column(dtype="int", min=0, max=120)
    assert contract.columns["city"] == Column(dtype="str", levels=["a", "b"], nullable=True)
    assert contract.columns["code"].checks == {"str_matches": "^x"}
    assert not contract.strict


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({}, "columns"),
        ({"columns": {"a": "float64"}}, "columns"),
        ({"columns": {"a": {"dtype": "complex128"}}}, "complex128"),
        ({"columns": {"a": {"dtype": "str", "greater_than_or_equal_to": 3}}}, "numbers"),
        ({"columns": {"a": {"dtype": "int64"}}, "unique": ["b"]}, "b"),
        ({"columns": {"a": {"dtype": "int64"}}, "metadata": {"null_share": {"b": 0.1}}}, "b"),
        ({"columns": {"a": {"dtype": "int64"}}, "metadata": {"personal": {"b": "drop"}}}, "b"),
        ({"columns": {"a": {"dtype": "int64"}}, "metadata": {"personal": {"a": "hide"}}}, "personal"),
        ({"columns": {"a": {"dtype": "int64"}}, "metadata": {"max_quarantine": 5}}, "max_quarantine"),
        ({"columns": {"a": {"dtype": "int64", "in_range": {"min_value": 0, "include_min": False}}}}, "in_range"),
    ],
)
def test_a_wrong_contract_is_told_with_its_file_and_field(value: dict[str, object], told: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse(value, "mine.yaml")
    assert "mine.yaml" in str(caught.value) and told in str(caught.value)


def test_unreadable_yaml_and_missing_files(tmp_path: Path) -> None:
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "broken.yaml").write_text("columns: [")
    with pytest.raises(BadInput, match=r"broken\.yaml is not readable YAML"):
        load_contract("broken", [tmp_path])
    with pytest.raises(NotFound, match="did you mean 'broken'"):
        load_contract("brokn.yaml", [tmp_path])
    with pytest.raises(NotFound):
        load_contract("../contracts/broken", [tmp_path])


def tables() -> list[str]:
    """The datasets with rows; documents and weights have no contract."""
    return [name for name in dataset_names([BOX]) if load_dataset(name, [BOX]).source.type not in ("folder", "package")]


@pytest.mark.parametrize("name", tables())
def test_every_table_in_the_box_has_a_contract_that_pandera_reads(name: str) -> None:
    dataset = load_dataset(name, [BOX])
    contract = load_contract(dataset.contract, [BOX])
    schema = pandera.DataFrameSchema.from_yaml((BOX / "contracts" / f"{dataset.contract}.yaml").read_text())
    assert list(schema.columns) == list(contract.columns)
    named = {dataset.part_column, dataset.time, dataset.group} - {None}
    assert named <= set(contract.columns) and not set(dataset.drop) & set(contract.columns)
    assert set(contract.columns) <= set(dataset.columns) or not dataset.columns
