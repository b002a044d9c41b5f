"""Rows of a release in a request: types made from its input schema, strict, nothing extra, no NaN."""

from datetime import datetime
from typing import Annotated, Any, NotRequired

from pydantic import (
    AfterValidator,
    ConfigDict,
    FailFast,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    with_config,
)
from typing_extensions import TypedDict

from bentos.kit.bodies import narrowed, parsed, parsed_object
from bentos.kit.errors import Problem, unfit
from bentos.kit.types import Whole
from tasks.tables.schema import Field as Column

INT64 = 2**63

Row = dict[str, Any]


def _iso(value: str) -> str:
    datetime.fromisoformat(value)
    return value


# with or without a time of day, as in the contract's dates; the predictor reads the day
Date = Annotated[
    str,
    Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].+)?$"),
    AfterValidator(_iso),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}),
]
TYPES: dict[str, Any] = {
    "float": float,
    "int": Annotated[int, Field(ge=-INT64, lt=INT64), Whole],
    "str": str,
    "bool": bool,
    "date": Date,
}


class Reader:
    """Reads the rows of one release's requests."""

    def __init__(self, columns: list[Column]) -> None:
        self.columns = columns
        row = row_type(columns)
        rows: Any = Annotated[list[row], Field(min_length=1), FailFast()]  # type: ignore[valid-type]
        self._row: TypeAdapter[Row] = TypeAdapter(row)
        self._rows: TypeAdapter[list[Row]] = TypeAdapter(rows)

    def row(self, body: bytes) -> Row:
        """One row from a request body; Problem 400, 413 or 422 where it is not one."""
        value = parsed_object(body, len(self.columns))
        try:
            return self._row.validate_python(value)
        except ValidationError as error:
            raise unfit(error) from None

    def rows(self, body: bytes, most: int) -> list[Row]:
        """The rows of a request body, counted before they are looked at; only the first bad row is told."""
        value = parsed(body)
        if isinstance(value, list):
            if len(value) > most:
                raise Problem(422, f"The list has {len(value)} rows; send at most {most}.", "batch_too_large")
            value = [narrowed(one, len(self.columns)) for one in value]
        try:
            return self._rows.validate_python(value)
        except ValidationError as error:
            raise unfit(error) from None


def row_type(columns: list[Column]) -> Any:
    """A TypedDict of the release's own fields: any column name works, and validation gives the row itself."""
    fields = {column.name: _field(column) for column in columns}
    row = TypedDict("Row", fields)  # type: ignore[misc]
    return with_config(ConfigDict(strict=True, extra="forbid", allow_inf_nan=False))(row)


def rows_type(columns: list[Column], most: int) -> Any:
    """A list of at least one row, and at most so many."""
    row: Any = row_type(columns) if columns else dict[str, Any]
    return Annotated[list[row], Field(min_length=1, max_length=most)]


def example(columns: list[Column]) -> Row:
    return {column.name: column.example for column in columns if column.example is not None or column.nullable}


def _field(column: Column) -> Any:
    kind = TYPES[column.dtype]
    examples = [] if column.example is None else [column.example]
    about = Field(description=_description(column) or None, examples=examples or None)
    if not column.nullable:
        return Annotated[kind, about]
    return NotRequired[Annotated[kind | None, about]]


def _description(column: Column) -> str:
    parts = []
    if column.levels:
        parts.append(f"known levels: {', '.join(column.levels[:20])}; others are answered and reported as unseen")
    if column.min is not None and column.max is not None:
        parts.append(f"expected from {column.min:g} to {column.max:g}")
    if column.nullable:
        parts.append("null or left out where unknown")
    return "; ".join(parts)
