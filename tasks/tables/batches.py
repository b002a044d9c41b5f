"""Batch scoring: rows in, the same rows with their answers out, streamed; the numbers are those of `/predict`."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from tasks.artifacts import Store
from tasks.errors import BadInput, Refused
from tasks.registry import history, ledger, records
from tasks.sources import values
from tasks.sources.contracts import Kind
from tasks.tables.arrays import columns_of
from tasks.tables.batch_output import written
from tasks.tables.batch_sources import Rows
from tasks.tables.models import Card, labels
from tasks.tables.predictor import Predictor
from tasks.tables.requests import request_rows
from tasks.tables.schema import Field
from tasks.tables.transform import Transform

EVERY = 2.0  # seconds between two lines of progress
WANTED: dict[Kind, str] = {
    "float": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "date": "a date like 2024-03-31",
    "str": "text",
}
Tell = Callable[[pa.Table, dict[str, pa.Array]], None]
log = logging.getLogger("penstock.score")


class Scored(BaseModel):
    """What a run of batch scoring did; `absent` are optional inputs that the source does not have."""

    release: str
    version: int
    rows: int
    unseen: int
    absent: list[str]
    to: str
    seconds: float


def champion(store: Store, release: str) -> records.VersionRecord:
    """The version that scores: the ledger's champion of this moment."""
    version = history.champion(ledger.entries(store, release))
    if version is None:
        raise Refused(f"{release} has no champion to score with yet; `penstock train {release}` makes one.")
    return records.version(store, release, version)


def untold(_inputs: pa.Table, _answers: dict[str, pa.Array]) -> None:
    """Nobody else is told of the answers."""


def score(predictor: Predictor, version: int, rows: Rows, to: Path, tell: Tell = untold) -> Scored:
    """Write `to` (Parquet or CSV): the columns of `rows` as they came, then the answer, `unseen` and `version`.

    Whole or not at all: written aside, then moved. The same rows and version give the same bytes. `tell` gets the
    inputs and answers of each batch."""
    answered = answer_fields(predictor.model.card)
    _refuse_clash(rows, answered)
    kept = kept_fields(rows.schema, predictor.schema, typed=to.suffix == ".parquet")
    absent = [one.name for one in predictor.schema if one.name not in rows.schema.names]
    if absent:
        log.info("%s has no column %s: counted as unknown in every row", rows.origin, ", ".join(absent))
    pace, unseen = Pace(), 0
    with written(to, pa.schema([*kept, *answered])) as write:
        for batch in filter(len, rows.batches()):
            inputs = typed(batch, predictor.schema, rows.origin, pace.rows)
            answers = answer(predictor, inputs)
            unseen += len(inputs) - answers["unseen"].null_count
            columns = {one.name: _kept(batch, inputs, one) for one in kept} | answers
            write(pa.table({**columns, "version": pa.repeat(version, len(batch))}))
            tell(inputs, answers)
            pace.step(len(batch))
    release, seconds = predictor.release["release"], time.monotonic() - pace.started
    log.info("%d rows scored with version %d of %s in %.1f s", pace.rows, version, release, seconds)
    return Scored(
        release=release, version=version, rows=pace.rows, unseen=unseen, absent=absent, to=str(to), seconds=seconds
    )


# inputs


def typed(batch: pa.Table, schema: list[Field], origin: str, before: int) -> pa.Table:
    """The inputs in their types; BadInput for the first value that does not fit, where `before` rows came earlier."""
    columns, faults = {}, []
    for one in schema:
        if one.name not in batch.column_names:
            columns[one.name] = pa.nulls(len(batch), values.TYPES[one.dtype])
            continue
        column = values.plain(batch[one.name])
        columns[one.name], misfit = parsed(column, one.dtype)
        if not one.nullable:
            misfit = pc.or_(misfit, pc.is_null(columns[one.name]))
        if (first := pc.index(misfit, pa.scalar(True)).as_py()) >= 0:
            faults.append((first, one, column[first].as_py()))
    if faults:
        first, one, value = min(faults, key=lambda fault: fault[0])
        raise BadInput(_misfit(f"{origin}, row {before + first + 1}", one, value))
    return pa.table(columns)


def parsed(column: pa.ChunkedArray, kind: Kind) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """As training reads it (`values.parse`); what becomes the same number without it need not become text for that.

    A float32 is no such: training reads its shortest text, and 0.1 is then another number than the cast one."""
    if kind != "float" or not (pa.types.is_float64(column.type) or pa.types.is_integer(column.type)):
        return values.parse(column, kind)
    numbers = column.cast(pa.float64(), safe=False)
    numbers = pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)
    return numbers, pc.fill_null(pc.is_inf(numbers), False)


def _misfit(where: str, one: Field, value: Any) -> str:
    if value is None or (isinstance(value, str) and value.strip().lower() in values.MISSING) or value != value:
        return (
            f"{where}: the column {one.name!r} is empty, and the release needs {WANTED[one.dtype]} there; fill it in."
        )
    rest = "correct the value, or leave it empty if it is unknown" if one.nullable else "correct the value"
    return f"{where}: the column {one.name!r} takes {WANTED[one.dtype]}, and {value!r} stands there; {rest}."


# answers


def answer_fields(card: Card) -> list[pa.Field]:
    """The columns that scoring adds; `unseen` lists levels that training never saw, as `column=level; ...`."""
    label = {"regression": pa.float64()}.get(card.task) or pa.array(card.classes[:1]).type
    names = {"binary": ["probability"], "multiclass": [f"probability_{one}" for one in card.classes]}.get(card.task, [])
    added = [("prediction", label), *((name, pa.float64()) for name in names)]
    return [pa.field(*one) for one in (*added, ("unseen", pa.string()), ("version", pa.int64()))]


def answer(predictor: Predictor, inputs: pa.Table) -> dict[str, pa.Array]:
    """The added columns but `version`: column by column, or row by row where the recipe has features of its own."""
    fields = answer_fields(predictor.model.card)[:-1]
    if not predictor.release.get("features"):
        return dict(zip([one.name for one in fields], _by_column(predictor, inputs), strict=True))
    answers = predictor.predict(request_rows(inputs, inputs.column_names))
    rows = [
        (one["prediction"], *_shares(one), "; ".join(one["unseen"]) if "unseen" in one else None) for one in answers
    ]
    return {one.name: pa.array(column, one.type) for one, column in zip(fields, zip(*rows, strict=True), strict=True)}


def _by_column(predictor: Predictor, inputs: pa.Table) -> list[pa.Array]:
    model = predictor.model
    matrix = model.transform.encode_columns(columns_of(inputs, model.transform.names))
    predictions = model.predictions(matrix)
    shares = [] if model.card.task == "regression" else list(predictions.T)
    label = answer_fields(model.card)[0].type
    return [pa.array(labels(model.card, predictions), label), *map(pa.array, shares), _unseen(inputs, model.transform)]


def _unseen(inputs: pa.Table, transform: Transform) -> pa.Array:
    """Per row the levels that training never saw, else null."""
    found: dict[int, list[str]] = {}
    for one in (one for one in transform.columns if one.kind == "level"):
        column = inputs[one.name]
        new = pc.and_(pc.is_valid(column), pc.invert(pc.is_in(column, pa.array(one.levels, pa.string()))))
        for place in pc.indices_nonzero(new).to_pylist():
            found.setdefault(place, []).append(f"{one.name}={column[place]}")
    return pa.array(["; ".join(found[place]) if place in found else None for place in range(len(inputs))], pa.string())


def _shares(answer: dict[str, Any]) -> list[float]:
    return [answer["probability"]] if "probability" in answer else list(answer.get("probabilities", {}).values())


# the columns that are kept


def kept_fields(schema: pa.Schema, inputs: list[Field], typed: bool) -> list[pa.Field]:
    """The source's columns; with `typed`, inputs that came as text have their own types."""
    kinds = {one.name: values.TYPES[one.dtype] for one in inputs} if typed else {}
    plain = {one.name: one.type.value_type if pa.types.is_dictionary(one.type) else one.type for one in schema}
    return [pa.field(name, kinds.get(name, kind) if pa.types.is_string(kind) else kind) for name, kind in plain.items()]


def _kept(batch: pa.Table, inputs: pa.Table, one: pa.Field) -> pa.ChunkedArray:
    column = values.plain(batch[one.name])
    return column if column.type == one.type else inputs[one.name]


def _refuse_clash(rows: Rows, answered: list[pa.Field]) -> None:
    clash = [one.name for one in answered if one.name in rows.schema.names]
    if clash:
        raise BadInput(
            f"{rows.origin} has the column {', '.join(map(repr, clash))} already, which scoring adds; rename it there."
        )


@dataclass
class Pace:
    """Counts rows, and says so every few seconds."""

    rows: int = 0
    started: float = field(default_factory=time.monotonic)
    told: float = field(default_factory=time.monotonic)

    def step(self, rows: int) -> None:
        self.rows += rows
        now = time.monotonic()
        if now - self.told >= EVERY:
            self.told = now
            log.info("%d rows, %.0f rows/s", self.rows, self.rows / (now - self.started))
