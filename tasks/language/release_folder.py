"""The release folder: the adapter and release.json, which names the merged model, the base and what all is made of."""

import shutil
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import BaseModel, JsonValue

from tasks.artifacts import Artifact, current
from tasks.language.adapter import CONFIG, WEIGHTS
from tasks.language.base import Base
from tasks.language.chats import judged
from tasks.language.evaluation import Evaluation, read_rows, telling
from tasks.language.lora import Tuned
from tasks.language.merging import Merged
from tasks.language.sampling import GenerationOptions
from tasks.language.served import Served
from tasks.registry.release_file import assembled

GOLDEN = 5
OUTPUT = "assistant/1"


class Made(BaseModel, frozen=True):
    """What a release is made of: `key` names it, `inputs` are what its record keeps of data, recipe and code."""

    release: str
    key: str
    base: Base
    examples: Artifact
    tuned: Tuned
    merged: Merged
    weights: Artifact
    generation: GenerationOptions
    inputs: dict[str, JsonValue] = {}
    lineage: list[dict[str, JsonValue]] = []


def assemble(made: Made, evaluation: Evaluation) -> Artifact:
    """A folder artifact (kind `releases`); its golden answers come from the code that will serve it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "release"
        shutil.copytree(current().path(made.tuned.adapter), folder / "adapter")
        requests = requests_of(made.examples, evaluation)
        return assembled(folder, _record(made, evaluation), requests, lambda: _answers(folder, requests))


def _answers(folder: Path, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    with closing(Served.load(folder, current().path)) as served:
        return [served.answer(one) for one in requests]


def requests_of(examples: Artifact, evaluation: Evaluation) -> list[dict[str, Any]]:
    """What the model is surest of: another machine rounds otherwise, and must give the same answers."""
    rows = [row for row in telling(read_rows(evaluation.scores)) if row.ended]
    surest = {row.id for row in sorted(rows, key=lambda row: row.loss)[:GOLDEN]}
    return [
        {"messages": [message.model_dump() for message in one.asked]} for one in judged(examples) if one.id in surest
    ]


def _record(made: Made, evaluation: Evaluation) -> dict[str, Any]:
    parts = {"base": made.base.artifact, "merged": made.merged.artifact, "weights": made.weights}
    return {
        "schema_version": 1,
        "release": made.release,
        "kind": "assistant",
        "key": made.key,
        "inputs": made.inputs,
        "base_name": made.base.name,
        **{name: artifact.model_dump(mode="json") for name, artifact in parts.items()},
        "adapter": made.tuned.options.model_dump(mode="json"),
        "merging": {"difference": made.merged.difference, "agreement": made.merged.agreement},
        "generation": made.generation.model_dump(mode="json"),
        "lineage": made.lineage,
        "metrics": {name: interval.model_dump() for name, interval in evaluation.metrics.items()},
        "input_schema": [],
        "output_schema": OUTPUT,
        "golden": [],
        "files": {f"adapter/{name}": "" for name in (CONFIG, WEIGHTS)},
    }
