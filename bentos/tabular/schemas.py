"""Request and response types of one tabular release, made from its input schema: strict, nothing extra, no NaN."""

from datetime import datetime
from typing import Annotated, Any, NotRequired

from pydantic import AfterValidator, ConfigDict, FailFast, Field, TypeAdapter, WithJsonSchema, with_config
from typing_extensions import TypedDict

from bentos.kit.openapi import Described, components
from bentos.kit.types import Whole
from tasks.tables.schema import Field as Column

INT64 = 2**63


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


def row_type(columns: list[Column]) -> Any:
    """A TypedDict of the release's own fields: any column name works, and validation gives the row itself."""
    fields = {column.name: _field(column) for column in columns}
    row = TypedDict("Row", fields)  # type: ignore[misc]
    return with_config(ConfigDict(strict=True, extra="forbid", allow_inf_nan=False))(row)


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


def example(columns: list[Column]) -> dict[str, Any]:
    return {column.name: column.example for column in columns if column.example is not None or column.nullable}


class Answer(TypedDict):
    """One prediction, the version that made it, and the id under which it is logged."""

    prediction: str | float | bool
    probability: NotRequired[Annotated[float, Field(ge=0, le=1, description="Of the positive class")]]
    probabilities: NotRequired[dict[str, float]]
    unseen: NotRequired[Annotated[list[str], Field(description="Levels that training never saw, as column=level")]]


class Prediction(Answer):
    """The answer to one row."""

    version: str
    request_id: str


class Explanation(Prediction):
    """The answer, and what each column adds to the base to make the score."""

    base: float
    score: float
    contributions: dict[str, float]


class Batch(TypedDict):
    """The answers in the order of the rows."""

    predictions: list[Answer]
    version: str
    request_id: str


def describe(columns: list[Column], max_batch: int) -> Described:
    """The release's own types as OpenAPI components, with an example body for each path."""
    row: Any = row_type(columns) if columns else dict[str, Any]
    rows = Annotated[list[row], Field(min_length=1, max_length=max_batch)]
    types = {"Row": row, "Rows": rows, "Prediction": Prediction, "Explanation": Explanation, "Batch": Batch}
    one = example(columns)
    examples = {"/predict": one, "/explain": one, "/batch_predict": [one]} if columns else {}
    return Described(components(**types), examples)


def adapters(columns: list[Column]) -> tuple[TypeAdapter[dict[str, Any]], TypeAdapter[list[dict[str, Any]]]]:
    """Validators of one row and of a list of at least one, which ends at the first bad row."""
    row = row_type(columns)
    rows: Any = Annotated[list[row], Field(min_length=1), FailFast()]  # type: ignore[valid-type]
    return TypeAdapter(row), TypeAdapter(rows)
