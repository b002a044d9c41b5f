"""Log lines as watched columns: inputs and prediction of a table's rows, facts of texts, questions and answers."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, Literal

import orjson
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from tasks.creative.traits import VOCABULARY
from tasks.errors import BadInput
from tasks.sources.values import TYPES
from tasks.tables.schema import Dtype, Field

PREDICTION = "prediction"
LATENCY = "latency_ms"
TEXT = "_text"  # what was asked, where texts are logged; no column of a release has this name
READ = 1_500  # characters of it: more than the model of meaning reads
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
        "prompt_tokens": "float",
        "completion_tokens": "float",
    },
    "assistant": {
        "turns": "float",
        "question_chars": "float",
        "language": "str",
        "prompt_tokens": "float",
        "completion_tokens": "float",
        "answer_chars": "float",
        "first_token_ms": "float",
    },
}
ASKED = {"documents": ("question",), "assistant": ("prompt",)}  # beside `messages`
TRAITS: dict[str, Dtype] = {"chars": "float", "words": "float", "capitals": "float", "cut": "bool"}
SAID: dict[str, Dtype] = {"language": "str", "unknown_words": "float"}  # traits of releases with a vocabulary
NEEDED = ("inputs", "output", "features", LATENCY)


class Shape(BaseModel):
    """How the log of a release reads: watched columns, where they stand, and what its predictions are.

    `hidden` are inputs that the log holds hashed or not at all; `fields` are what the contract asks of the others;
    `texts` are the inputs that say what was asked, where the setting has them logged."""

    model_config = ConfigDict(frozen=True)

    source: Literal["inputs", "features"]
    columns: dict[str, Dtype]
    fields: tuple[Field, ...] = ()
    hidden: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
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
        return Shape(source="features", columns=FACTS[kind] | {LATENCY: "float"}, texts=ASKED[kind])
    fields = [Field.model_validate(field) for field in release["input_schema"]]
    shown = tuple(one for one in fields if one.personal is None)
    hidden = tuple(one.name for one in fields if one.personal)
    if kind == "creative":
        numbers: dict[str, Dtype] = {one.name: "float" for one in shown if one.dtype in ("int", "float")}
        return Shape(
            source="features",
            columns=numbers | TRAITS | (SAID if VOCABULARY in release["files"] else {}),
            hidden=hidden,
            texts=tuple(one.name for one in shown if one.dtype == "str"),
            prediction="float",
            task="binary",
        )
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
    """The watched columns of log rows, streamed; of texts with the beginning of what was asked as `_text`, null where
    it is not logged. BadInput: a value of another type than the release's."""
    schema = shape.schema.append(pa.field(TEXT, pa.string())) if shape.texts else shape.schema
    return pa.RecordBatchReader.from_batches(schema, (_frame(shape, schema, batch) for batch in batches))


def _frame(shape: Shape, schema: pa.Schema, batch: pa.RecordBatch) -> pa.RecordBatch:
    rows = [*_objects(batch[shape.source])]
    columns: dict[str, list[Any]] = {name: [row.get(name) for row in rows] for name in shape.columns}
    if LATENCY in shape.columns:
        columns[LATENCY] = batch[LATENCY].to_pylist()
    if shape.prediction:
        columns[PREDICTION] = [_said(row, shape) for row in _objects(batch["output"])]
    if shape.texts:
        columns[TEXT] = [asked(row, shape.texts) for row in _objects(batch["inputs"])]
    return pa.record_batch([_typed(name, columns[name], schema.field(name).type) for name in schema.names], schema)


def _objects(column: pa.Array) -> Iterator[dict[str, Any]]:
    return (orjson.loads(text or "{}") for text in column.to_pylist())


def asked(inputs: dict[str, Any], texts: tuple[str, ...]) -> str | None:
    """The beginning of what the user said last, or of the texts of a record; None where nothing is logged."""
    said = [inputs[name] for name in texts if isinstance(inputs.get(name), str)]
    if isinstance(messages := inputs.get("messages"), list):
        said = [one["content"] for one in messages if one["role"] == "user"][-1:]
    return " ".join(said)[:READ].strip() or None


def _said(output: dict[str, Any], shape: Shape) -> Any:
    """The prediction as one value that can be compared: of two classes the probability."""
    if shape.task == "binary":
        return output.get("probability")
    value = output.get("prediction")
    return str(value) if shape.prediction == "str" and value is not None else value


def _typed(name: str, values: list[Any], dtype: pa.DataType) -> pa.Array:
    """Whole numbers are floats, too, however large; dates are any of ISO 8601, as services take them."""
    reads: Callable[[Any], Any] = float if pa.types.is_floating(dtype) else _day
    try:
        if pa.types.is_floating(dtype) or pa.types.is_temporal(dtype):
            values = [None if value is None else reads(value) for value in values]
        return pa.array(values, dtype)
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError) as error:
        raise BadInput(f"The log holds values of {name} that are not {dtype}: {error}.") from None


def _day(value: str) -> datetime:
    return datetime.fromisoformat(value).replace(tzinfo=None)
