"""What a dataset's columns must be: read from and written to pandera's own YAML, without importing pandera.

pandera keeps `metadata` of a schema and passes over what it does not know there, so what it has no word for
stands in it: `max_quarantine` (share of rows), `null_share` (share of nulls per column), and `personal` (per column,
whether a service hashes or drops it before it logs a request).
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.errors import BadInput
from tasks.sources.yamls import build, find, read_mapping

Kind = Literal["float", "int", "str", "bool", "date"]
DTYPES: dict[Kind, str] = {
    "float": "float64",
    "int": "Int64",
    "str": "string[pyarrow]",
    "bool": "boolean",
    "date": "datetime64[ns]",
}
CHAT = "conversations"  # the contract of chat data: it is held to in code, and no file has this name
PER_COLUMN = ("null_share", "personal")  # in the metadata
OWN = {"dtype", "nullable", "unique", "isin", "in_range", "greater_than_or_equal_to", "less_than_or_equal_to"}


class Column(BaseModel):
    """One column; `checks` holds further pandera checks under pandera's names, as written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dtype: Kind
    nullable: bool = False
    unique: bool = False
    min: int | float | None = None
    max: int | float | None = None
    levels: list[str | int | float | bool] | None = None
    null_share: float | None = Field(None, ge=0, le=1)
    personal: Literal["hash", "drop"] | None = None
    checks: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _bounds_are_of_numbers(self) -> Self:
        if (self.min is not None or self.max is not None) and self.dtype not in ("float", "int"):
            raise ValueError(f"min and max are for numbers, not for {self.dtype}")
        return self


class Contract(BaseModel):
    """All columns; `strict`: other columns are an error (else they are left out); `unique`: columns unique together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: dict[str, Column] = Field(min_length=1)
    strict: bool = True
    unique: list[str] = Field(default_factory=list)
    max_quarantine: float = Field(0.05, ge=0, le=1)

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        if unknown := [name for name in self.unique if name not in self.columns]:
            raise ValueError(f"unique names columns that are not there: {', '.join(unknown)}")
        return self


def load_contract(name: str, folders: Iterable[Path]) -> Contract:
    """The contract `contracts/<name>.yaml` of the first folder that has it (`name` with or without `.yaml`)."""
    if name == CHAT:
        raise BadInput(
            f"The contract {CHAT!r} is that of chat data, and a table is wanted: name the dataset in a recipe of kind "
            "assistant, or give the table a contract of another name."
        )
    path = find("contracts", name.removesuffix(".yaml"), folders)
    return parse(read_mapping(path), path)


def parse(value: dict[str, Any], where: object) -> Contract:
    """A contract from the mapping of a pandera YAML file."""
    metadata = value.get("metadata") or {}
    own = {name: metadata.get(name) or {} for name in PER_COLUMN}
    columns = value.get("columns")
    if not isinstance(columns, dict) or not all(isinstance(column, dict) for column in columns.values()):
        raise BadInput(f"{where}: `columns` must map each column to its fields, as in `age: {{dtype: int64}}`.")
    for field, told in own.items():
        if unknown := [name for name in told if name not in columns]:
            raise BadInput(f"{where}: metadata.{field} names {', '.join(unknown)}, which `columns` does not have.")
    fields: dict[str, Any] = {
        "columns": {
            name: _column(column, f"{where}: column {name}", {field: told.get(name) for field, told in own.items()})
            for name, column in columns.items()
        },
        "strict": value.get("strict", True) is True,
        "unique": value.get("unique") or [],
    }
    if "max_quarantine" in metadata:
        fields["max_quarantine"] = metadata["max_quarantine"]
    return build(Contract, fields, where)


def dump(contract: Contract) -> str:
    """The contract as YAML that `pandera.DataFrameSchema.from_yaml` reads too."""
    own = {
        field: {name: told for name, column in contract.columns.items() if (told := getattr(column, field)) is not None}
        for field in PER_COLUMN
    }
    value: dict[str, Any] = {
        "schema_type": "dataframe",
        "api": "pandas",
        "columns": {name: _pandera(column) for name, column in contract.columns.items()},
        "strict": contract.strict or "filter",
    }
    if contract.unique:
        value["unique"] = contract.unique
    value["metadata"] = {"max_quarantine": contract.max_quarantine} | {
        field: told for field, told in own.items() if told
    }
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)


def _column(value: dict[str, Any], where: str, own: dict[str, Any]) -> Column:
    ranges = value.get("in_range") or {}
    if ranges.get("include_min", True) is not True or ranges.get("include_max", True) is not True:
        raise BadInput(f"{where}: in_range is read with both bounds included; use greater_than or less_than instead.")
    known: dict[str, Any] = {
        "dtype": _kind(str(value.get("dtype")), where),
        "nullable": value.get("nullable", False),
        "unique": value.get("unique", False),
        "min": ranges.get("min_value", value.get("greater_than_or_equal_to")),
        "max": ranges.get("max_value", value.get("less_than_or_equal_to")),
        "levels": value.get("isin"),
    }
    checks = {name: check for name, check in value.items() if name not in OWN}
    return build(Column, known | own | {"checks": checks}, where)


def _kind(dtype: str, where: str) -> Kind:
    """The kind of a pandera dtype, in the spellings of pandas, numpy and pandera."""
    name = dtype.lower()
    starts: dict[str, Kind] = {
        "float": "float",
        "int": "int",
        "str": "str",
        "object": "str",
        "bool": "bool",
        "date": "date",
        "timestamp": "date",
    }
    for start, kind in starts.items():
        if name.startswith(start):
            return kind
    raise BadInput(f"{where}: the dtype {dtype!r} is not known; use one of {', '.join(DTYPES.values())}.")


def _pandera(column: Column) -> dict[str, Any]:
    value: dict[str, Any] = {"dtype": DTYPES[column.dtype]}
    if column.nullable:
        value["nullable"] = True
    if column.unique:
        value["unique"] = True
    if column.min is not None and column.max is not None:
        value["in_range"] = {"min_value": column.min, "max_value": column.max}
    elif column.min is not None:
        value["greater_than_or_equal_to"] = column.min
    elif column.max is not None:
        value["less_than_or_equal_to"] = column.max
    if column.levels is not None:
        value["isin"] = column.levels
    return value | column.checks
