"""Log lines as watched columns: inputs and prediction of a table's rows, facts of texts, questions and answers."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import orjson
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from tasks.errors import BadInput
from tasks.sources.values import TYPES
from tasks.tables.schema import Dtype, Field

PREDICTION = "prediction"
LATENCY = "latency_ms"
FACTS: dict[str, dict[str, Dtype]] = {
    "documents": {
        "question_chars": "float",
        "turns": "float",
        "language": "str",
        "answered": "bool",
        "answer_chars": "float",
        "hits": "float",
        "confidence": "float",
        "cited": "float",
    },
    "assistant": {
        "turns": "float",
        "question_chars": "float",
        "prompt_tokens": "float",
        "completion_tokens": "float",
        "answer_chars": "float",
        "first_token_ms": "float",
    },
}
NEEDED = ("inputs", "output", "features", LATENCY)


class Shape(BaseModel):
    """How the log of a release reads: watched columns, where they stand, and what its predictions are.

    `hidden` are inputs that the log holds hashed or not at all; `fields` are what the contract asks of the others."""

    model_config = ConfigDict(frozen=True)

    source: Literal["inputs", "features"]
    columns: dict[str, Dtype]
    fields: tuple[Field, ...] = ()
    hidden: tuple[str, ...] = ()
    prediction: Dtype | None = None
    task: str | None = None

    @property
    def schema(self) -> pa.Schema:
        kinds = self.columns | ({PREDICTION: self.prediction} if self.prediction else {})
        return pa.schema([(name, TYPES[kind]) for name, kind in kinds.items()])


def shape_of(release: dict[str, Any]) -> Shape:
    """The shape of a release's log, from its release.json."""
    kind = release["kind"]
    if kind in FACTS:
        return Shape(source="features", columns=FACTS[kind] | {LATENCY: "float"})
    fields = [Field.model_validate(field) for field in release["input_schema"]]
    if kind == "creative":
        numbers: dict[str, Dtype] = {one.name: "float" for one in fields if one.dtype in ("int", "float")}
        columns = numbers | {"chars": "float", "words": "float", "capitals": "float", "cut": "bool"}
        return Shape(source="features", columns=columns, prediction="float", task="binary")
    hidden = tuple(one.name for one in fields if getattr(one, "personal", None))
    shown = tuple(one for one in fields if one.name not in hidden)
    task = release["task"]
    return Shape(
        source="inputs",
        columns={one.name: one.dtype for one in shown},
        fields=shown,
        hidden=hidden,
        prediction="str" if task == "multiclass" else "float",
        task=task,
    )


def framed(shape: Shape, batches: Iterable[pa.RecordBatch]) -> pa.RecordBatchReader:
    """The watched columns of log rows, streamed. BadInput: a value of another type than the release's."""
    return pa.RecordBatchReader.from_batches(shape.schema, _frames(shape, batches))


def _frames(shape: Shape, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        rows = [orjson.loads(text or "{}") for text in batch[shape.source].to_pylist()]
        columns: dict[str, list[Any]] = {name: [row.get(name) for row in rows] for name in shape.columns}
        if LATENCY in shape.columns:
            columns[LATENCY] = batch[LATENCY].to_pylist()
        if shape.prediction:
            columns[PREDICTION] = [_said(orjson.loads(text or "{}"), shape) for text in batch["output"].to_pylist()]
        yield pa.record_batch([_typed(name, values, shape) for name, values in columns.items()], schema=shape.schema)


def _said(output: dict[str, Any], shape: Shape) -> Any:
    """The prediction as one value that can be compared: of two classes the probability."""
    if shape.task == "binary":
        return output.get("probability")
    value = output.get("prediction")
    return str(value) if shape.prediction == "str" and value is not None else value


def _typed(name: str, values: list[Any], shape: Shape) -> pa.Array:
    dtype = shape.schema.field(name).type
    try:
        if pa.types.is_temporal(dtype):
            return pa.array(values, pa.string()).cast(dtype)
        return pa.array(values, dtype)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise BadInput(f"The log holds values of {name} that are not {dtype}: {error}.") from None
