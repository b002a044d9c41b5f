"""Table rows as the requests that a client would send: raw inputs, plain JSON values, dates as ISO text."""

from datetime import date, datetime, time
from typing import Any

import pyarrow as pa

from tasks.sources.contracts import Contract
from tasks.tables.schema import Field
from tasks.tables.specs import Subject

Row = dict[str, Any]


def request_rows(table: pa.Table, names: list[str]) -> list[Row]:
    """One request per row, with the named columns."""
    return [{name: plain(value) for name, value in row.items()} for row in table.select(names).to_pylist()]


def plain(value: Any) -> Any:
    """A moment at midnight is a date: that is how the contract's dates arrive, and how a client writes them."""
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()
    return value.isoformat() if isinstance(value, date) else value


def input_names(names: list[str], subject: Subject, drop: tuple[str, ...]) -> list[str]:
    """The raw inputs: what is neither dropped, nor carried, nor the target."""
    return [name for name in names if name not in {*drop, *subject.carried, subject.target}]


def input_schema(names: list[str], contract: Contract, examples: Row) -> list[Field]:
    """The request's fields: types and bounds of the contract, example values of a real row."""
    columns = {name: contract.columns[name] for name in names}
    return [
        Field(
            name=name,
            dtype=column.dtype,
            nullable=column.nullable,
            levels=[str(level) for level in column.levels] if column.levels and column.dtype == "str" else None,
            min=column.min,
            max=column.max,
            personal=column.personal,
            example=examples[name],
        )
        for name, column in columns.items()
    ]
