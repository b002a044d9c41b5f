"""The release folder: native files beside `release.json`, which says what they are made of and how they must answer."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, JsonValue

from tasks.artifacts import Artifact, current
from tasks.registry.release_file import assembled
from tasks.sources.contracts import Contract
from tasks.sources.frames import read_table
from tasks.tables.arrays import parts_of
from tasks.tables.evaluation import Evaluation
from tasks.tables.models import FILES, load_model
from tasks.tables.predictor import Predictor
from tasks.tables.requests import Row, input_names, input_schema, request_rows
from tasks.tables.specs import Subject

GOLDEN = 5
CODE = "features.py"


class Made(BaseModel, frozen=True):
    """What a release is made of: `key` names it, `inputs` are the digests that its record keeps."""

    release: str
    key: str
    model: Artifact
    table: Artifact
    split: Artifact
    contract: Contract
    subject: Subject
    drop: tuple[str, ...] = ()
    function: str | None = None
    code: Artifact | None = None
    inputs: dict[str, JsonValue] = {}


def assemble(made: Made, evaluation: Evaluation) -> Artifact:
    """A folder artifact (kind `releases`); its golden answers are the predictor's own, asked through the same files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "release"
        shutil.copytree(current().path(made.model), folder)
        if made.code is not None:
            (folder / CODE).write_bytes(current().read_bytes(made.code))
        rows = _examples(made)
        record = _record(made, evaluation, folder, rows)
        return assembled(folder, record, rows, lambda: Predictor.load(folder).predict(rows))


def _record(made: Made, evaluation: Evaluation, folder: Path, rows: list[Row]) -> dict[str, Any]:
    card = load_model(folder).card
    names = list(rows[0])
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {
        "schema_version": 1,
        "release": made.release,
        "kind": "tabular",
        "key": made.key,
        "task": card.task,
        "target": made.subject.target,
        "subject": made.subject.model_dump(mode="json"),
        "drop": list(made.drop),
        "features": {"function": made.function, "file": CODE} if made.code else None,
        "model": {"family": card.family, "files": ["model.json", "transform.json", FILES[card.family]]},
        "seed": card.seed,
        "inputs": made.inputs,
        "metrics": {metric: interval.model_dump() for metric, interval in evaluation.metrics.items()},
        "input_schema": [field.model_dump(mode="json") for field in input_schema(names, made.contract, _filled(rows))],
        "output_schema": _output_schema(card.task, list(card.classes)),
        "golden": [],
        "files": dict.fromkeys(files),
    }


def _examples(made: Made) -> list[Row]:
    """A few real requests of the test part, spread over it, and one with every nullable field left empty."""
    positions = np.flatnonzero(parts_of(made.split) == "test")
    picked = positions[np.linspace(0, len(positions) - 1, min(GOLDEN, len(positions))).astype(int)]
    table = read_table(made.table)
    rows = request_rows(table.take(pa.array(picked)), input_names(table.column_names, made.subject, made.drop))
    empty = {name: None if made.contract.columns[name].nullable else value for name, value in rows[0].items()}
    return rows if empty == rows[0] else [*rows, empty]


def _filled(rows: list[Row]) -> Row:
    """The first row, its gaps filled from the others."""
    return {name: next((row[name] for row in rows if row[name] is not None), None) for name in rows[0]}


def _output_schema(task: str, classes: list[Any]) -> list[dict[str, JsonValue]]:
    unseen: dict[str, JsonValue] = {"name": "unseen", "dtype": "list[str]", "optional": True}
    if task == "regression":
        return [{"name": "prediction", "dtype": "float"}, unseen]
    label: dict[str, JsonValue] = {"name": "prediction", "dtype": type(classes[0]).__name__, "levels": classes}
    if task == "binary":
        return [label, {"name": "probability", "dtype": "float", "of": classes[1], "min": 0, "max": 1}, unseen]
    return [label, {"name": "probabilities", "dtype": "dict[str, float]", "levels": classes}, unseen]
