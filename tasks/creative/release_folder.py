"""The release folder: the classifier's own files beside release.json, which names its large model by digest."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, JsonValue

from tasks.artifacts import Artifact, current
from tasks.creative.classifier import CARD, Card
from tasks.creative.served import Served
from tasks.creative.traits import VOCABULARY, vocabulary
from tasks.registry.release_file import assembled
from tasks.sources.contracts import Contract
from tasks.sources.frames import read_table
from tasks.tables.arrays import parts_of
from tasks.tables.evaluation import Evaluation
from tasks.tables.requests import Row, input_schema, request_rows
from tasks.tables.specs import Subject

GOLDEN = 5


class Made(BaseModel, frozen=True):
    """What a release is made of: `key` names it, `inputs` are what its record keeps of data, recipe and code, `why`
    the reason for which this model was offered."""

    release: str
    key: str
    model: Artifact
    texts: Artifact
    split: Artifact
    contract: Contract
    subject: Subject
    why: str = ""
    facts: dict[str, str] = {}
    inputs: dict[str, JsonValue] = {}
    lineage: list[dict[str, JsonValue]] = []


def assemble(made: Made, evaluation: Evaluation) -> Artifact:
    """A folder artifact (kind `releases`); its golden answers come from the code that will serve it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "release"
        shutil.copytree(current().path(made.model), folder)
        rows = _examples(made)
        known = vocabulary(_trained(made, [*rows[0]]))
        (folder / VOCABULARY).write_text("".join(f"{word}\n" for word in known), encoding="utf-8")
        record = _record(made, evaluation, folder, rows)
        return assembled(folder, record, rows, lambda: Served.load(folder, current().path).predict(rows))


def asked(texts: tuple[str, ...], facts: dict[str, str]) -> list[str]:
    """The fields of a request: what the text is made of, and what drafts may speak of."""
    return [*dict.fromkeys([*texts, *facts.values()])]


def _examples(made: Made) -> list[Row]:
    """A few real records of the test part, spread over it."""
    card = Card.model_validate_json((current().path(made.model) / CARD).read_bytes())
    positions = np.flatnonzero(parts_of(made.split) == "test")
    picked = positions[np.linspace(0, len(positions) - 1, min(GOLDEN, len(positions))).astype(int)]
    return request_rows(read_table(made.texts).take(pa.array(picked)), asked(card.texts, made.facts))


def _trained(made: Made, names: list[str]) -> list[Row]:
    """The records of the training part, without personal fields: words of these stay out of the release."""
    positions = np.flatnonzero(parts_of(made.split) == "train")
    shown = [name for name in names if made.contract.columns[name].personal is None]
    return request_rows(read_table(made.texts).select(shown).take(pa.array(positions)), shown)


def _record(made: Made, evaluation: Evaluation, folder: Path, rows: list[Row]) -> dict[str, Any]:
    card = Card.model_validate_json((folder / CARD).read_bytes())
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    fields = [
        one.model_copy(update={"levels": None})  # any will do
        for one in input_schema([*rows[0]], made.contract, rows[0])
    ]
    return {
        "schema_version": 1,
        "release": made.release,
        "kind": "creative",
        "key": made.key,
        "target": made.subject.target,
        "subject": made.subject.model_dump(mode="json"),
        "family": card.family,
        "why": made.why,
        "model": card.model and card.model.model_dump(mode="json"),
        "facts": made.facts,
        "inputs": made.inputs,
        "lineage": made.lineage,
        "metrics": {metric: interval.model_dump() for metric, interval in evaluation.metrics.items()},
        "input_schema": [field.model_dump(mode="json") for field in fields],
        "output_schema": _output_schema(card),
        "golden": [],
        "files": dict.fromkeys(files),
    }


def _output_schema(card: Card) -> list[dict[str, JsonValue]]:
    label: dict[str, JsonValue] = {
        "name": "prediction",
        "dtype": type(card.classes[0]).__name__,
        "levels": [*card.classes],
    }
    return [label, {"name": "probability", "dtype": "float", "of": card.classes[1], "min": 0, "max": 1}]
