"""What a creative service answers: a judged record, what moved the score, and drafts out of the record's own facts."""

from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from bentos.kit.openapi import Described, components
from bentos.kit.rows import example, row_type, rows_type
from tasks.tables.schema import Field as Column


class Words(TypedDict):
    """Neighbouring words, and by how much they raise the probability, or lower it, where they stand."""

    words: str
    effect: float


class Answer(TypedDict):
    """One judged record. `cut` names the columns of which only the beginning was read."""

    prediction: Annotated[str | float | bool, Field(description="The likelier label")]
    probability: Annotated[float, Field(ge=0, le=1, description="Of the positive label, calibrated")]
    cut: NotRequired[list[str]]
    words: NotRequired[list[Words]]
    caption: NotRequired[str]
    hashtags: NotRequired[list[str]]
    ad_copy: NotRequired[str]
    drafted_by: NotRequired[Annotated[str, Field(description="`template`, or the model that picked what is said")]]
    drafts_note: NotRequired[Annotated[str, Field(description="Why the model did not draft")]]


class Judged(Answer):
    """The answer to one record."""

    generated_at: Annotated[str, Field(description="UTC, ISO 8601")]
    version: str
    request_id: str


class Batch(TypedDict):
    """The answers in the order of the records."""

    predictions: list[Answer]
    generated_at: str
    version: str
    request_id: str


class Record(TypedDict):
    """A made-up product."""

    id: str
    title: str
    category: str
    description: str
    price: float
    rating: float
    timestamp: str


class Products(TypedDict):
    products: list[Record]


def describe(columns: list[Column], most: int) -> Described:
    """The release's own types as OpenAPI components, with an example body for each path."""
    types: dict[str, Any] = {
        "Row": row_type(columns) if columns else dict[str, Any],
        "Rows": rows_type(columns, most),
        "Judged": Judged,
        "Batch": Batch,
        "Products": Products,
    }
    one = example(columns)
    return Described(components(**types), {"/predict": one, "/batch_predict": [one]} if columns else {})
