"""The model files as they are trained, released and served: LightGBM text, or linear terms as JSON; no pickle.

Kept to numpy and lightgbm: this module goes into the service's image.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import lightgbm
import numpy as np
from pydantic import BaseModel

from tasks.errors import BadInput
from tasks.tables.link import link
from tasks.tables.transform import Matrix, Transform

Family = Literal["booster", "linear", "baseline"]
CHUNK = 4096  # rows whose terms are held at once
FILES: dict[Family, str] = {"booster": "model.txt", "linear": "linear.json", "baseline": "linear.json"}


class Card(BaseModel, frozen=True):
    """`model.json`: what the files beside it are. `validation`: the metric on the validation part before the refit."""

    schema_version: Literal[1] = 1
    family: Family
    task: Literal["regression", "binary", "multiclass"]
    classes: tuple[str | int | bool, ...] = ()
    metric: str
    validation: float
    rounds: int = 0
    seed: int = 0
    parameters: dict[str, Any] = {}

    @property
    def outputs(self) -> int:
        return len(self.classes) if self.task == "multiclass" else 1


class LinearFile(BaseModel, frozen=True):
    """`linear.json`: one list of coefficients per output over the transform's terms; `centre` are the terms' means."""

    schema_version: Literal[1] = 1
    terms: tuple[str, ...]
    centre: tuple[float, ...]
    intercepts: tuple[float, ...]
    coefficients: tuple[tuple[float, ...], ...]


class Scorer(Protocol):
    """Encoded rows [n, columns] to raw scores [n, outputs], and to contributions [n, outputs, columns + base]."""

    def raw(self, matrix: Matrix) -> Matrix: ...

    def contributions(self, matrix: Matrix) -> Matrix: ...


class BoosterScorer:
    """One thread: on single rows a second one costs a hundred times what it gives."""

    def __init__(self, text: str, outputs: int) -> None:
        self.booster = lightgbm.Booster(model_str=text)
        self.outputs = outputs

    def raw(self, matrix: Matrix) -> Matrix:
        scores = self.booster.predict(matrix, raw_score=True, num_threads=1)
        return np.asarray(scores, dtype=np.float64).reshape(len(matrix), self.outputs)

    def contributions(self, matrix: Matrix) -> Matrix:
        parts = self.booster.predict(matrix, pred_contrib=True, num_threads=1)
        return np.asarray(parts, dtype=np.float64).reshape(len(matrix), self.outputs, matrix.shape[1] + 1)


class LinearScorer:
    """A weighted sum of the transform's terms."""

    def __init__(self, linear: LinearFile, transform: Transform) -> None:
        self.transform = transform
        self.weights = np.array(linear.coefficients, dtype=np.float64)
        self.intercepts = np.array(linear.intercepts, dtype=np.float64)
        self.centre = np.array(linear.centre, dtype=np.float64)

    def raw(self, matrix: Matrix) -> Matrix:
        """Summed row by row: a matrix product rounds a batch otherwise than one row, and answers would differ."""
        chunks = [matrix[start : start + CHUNK] for start in range(0, max(len(matrix), 1), CHUNK)]
        sums = [(self.transform.expand(chunk)[:, None, :] * self.weights).sum(axis=2) for chunk in chunks]
        return np.concatenate(sums) + self.intercepts

    def contributions(self, matrix: Matrix) -> Matrix:
        """Each term's distance from its mean, weighted, summed per column; the base is the mean's score."""
        terms = (self.transform.expand(matrix) - self.centre)[:, None, :] * self.weights[None, :, :]
        places = [place for place, _ in self.transform.expanded]
        parts = np.zeros((len(matrix), len(self.intercepts), matrix.shape[1] + 1))
        for term, place in enumerate(places):
            parts[:, :, place] += terms[:, :, term]
        parts[:, :, -1] = self.weights @ self.centre + self.intercepts
        return parts


@dataclass(frozen=True)
class Model:
    """A loaded model: the card, the transform that it was trained with, and the scorer."""

    card: Card
    transform: Transform
    scorer: Scorer

    def predictions(self, matrix: Matrix) -> Matrix:
        """Encoded rows to values or the positive class's probability [n, 1], or each class's probability [n, k]."""
        return link(self.card.task, self.scorer.raw(matrix))


def load_model(folder: Path) -> Model:
    """The model in a folder of ours: a trained model's, or a release's."""
    try:
        card = Card.model_validate_json((folder / "model.json").read_bytes())
        transform = Transform.model_validate_json((folder / "transform.json").read_bytes())
        text = (folder / FILES[card.family]).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise BadInput(
            f"The folder {folder} is not a tabular model: {error.filename} is missing; train or fetch it again."
        ) from None
    if card.family == "booster":
        return Model(card, transform, BoosterScorer(text, card.outputs))
    return Model(card, transform, LinearScorer(LinearFile.model_validate_json(text), transform))


def write_model(folder: Path, card: Card, transform: Transform, text: str) -> None:
    """The three files of a model, byte for byte the same for the same model."""
    for name, content in (("model.json", dump(card)), ("transform.json", dump(transform)), (FILES[card.family], text)):
        (folder / name).write_text(content, encoding="utf-8")


def dump(model: BaseModel) -> str:
    return json.dumps(model.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def labels(card: Card, predictions: Matrix) -> Sequence[Any]:
    """The value of a regression, or the likeliest class, per row."""
    if card.task == "regression":
        values: list[float] = predictions[:, 0].tolist()
        return values
    picked = predictions.argmax(axis=1) if card.task == "multiclass" else (predictions[:, 0] >= 0.5).astype(int)
    return [card.classes[place] for place in picked.tolist()]
