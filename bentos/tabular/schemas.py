"""What a tabular service answers, and the types of its release as OpenAPI components."""

from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from bentos.kit.openapi import Described, components
from bentos.kit.rows import example, row_type, rows_type
from tasks.tables.schema import Field as Column


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
    rows = rows_type(columns, max_batch)
    types = {"Row": row, "Rows": rows, "Prediction": Prediction, "Explanation": Explanation, "Batch": Batch}
    one = example(columns)
    examples = {"/predict": one, "/explain": one, "/batch_predict": [one]} if columns else {}
    return Described(components(**types), examples)
