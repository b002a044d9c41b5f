"""A release folder as a predictor: request rows in, JSON answers out.

Kept to numpy and lightgbm: this is the service's request path.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from tasks.artifacts import Store
from tasks.errors import BadInput
from tasks.tables.models import Model, labels, load_model
from tasks.tables.own_features import Row, RowFunction, load
from tasks.tables.schema import Field
from tasks.tables.transform import Matrix


class Predictor:
    """Loaded once, then read by any number of requests; nothing in it changes."""

    def __init__(self, release: dict[str, Any], model: Model, features: RowFunction | None) -> None:
        self.release = release
        self.schema = [Field.model_validate(field) for field in release["input_schema"]]
        self.model = model
        self._features = features
        self._floats = {field.name for field in self.schema if field.dtype == "float"}

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The release in `folder`; BadInput where it is not one."""
        try:
            release = json.loads((folder / "release.json").read_bytes())
        except (FileNotFoundError, json.JSONDecodeError):
            raise BadInput(f"The folder {folder} has no readable release.json; name the folder of a release.") from None
        own = release.get("features")
        return cls(release, load_model(folder), load(folder / own["file"], own["function"]) if own else None)

    def predict(self, rows: list[Row]) -> list[dict[str, Any]]:
        """One answer per row, in order; `unseen` names levels that training never saw, which count as missing."""
        if not rows:
            return []
        rows = self._prepared(rows)
        predictions = self.model.predictions(self.model.transform.encode_rows(rows))
        return [
            self._answer(*pair) for pair in zip(rows, labels(self.model.card, predictions), predictions, strict=True)
        ]

    def explain(self, row: Row) -> dict[str, Any]:
        """The answer, and what each column adds to the base: base + contributions = score, before link and rounding.

        For several classes the contributions are those to the predicted class's score."""
        prepared = self._prepared([row])
        matrix = self.model.transform.encode_rows(prepared)
        predictions = self.model.predictions(matrix)
        output = int(predictions[0].argmax()) if self.model.card.task == "multiclass" else 0
        *parts, base = self.model.scorer.contributions(matrix)[0, output].tolist()
        ranked = sorted(zip(self.model.transform.names, parts, strict=True), key=lambda part: -abs(part[1]))
        answer = self._answer(prepared[0], labels(self.model.card, predictions)[0], predictions[0])
        return {**answer, "score": base + sum(parts), "base": base, "contributions": dict(ranked)}

    def encode(self, rows: list[Row]) -> Matrix:
        """The rows as the model sees them [n, columns]."""
        return self.model.transform.encode_rows(self._prepared(rows))

    def _prepared(self, rows: list[Row]) -> list[Row]:
        """The rows as the features of training saw them: every field there, floats as floats."""
        if self._features is None:
            return rows
        names = [field.name for field in self.schema]
        return [self._features({name: self._value(name, row.get(name)) for name in names}) for row in rows]

    def _value(self, name: str, value: Any) -> Any:
        return float(value) if name in self._floats and isinstance(value, int) else value

    def _answer(self, row: Row, label: Any, predictions: Matrix) -> dict[str, Any]:
        answer: dict[str, Any] = {"prediction": label}
        if self.model.card.task == "binary":
            answer["probability"] = float(predictions[0])
        elif self.model.card.task == "multiclass":
            classes = map(str, self.model.card.classes)
            answer["probabilities"] = dict(zip(classes, predictions.tolist(), strict=True))
        unseen = self.model.transform.unseen(row)
        return answer | {"unseen": unseen} if unseen else answer


@contextmanager
def answering(folder: Path, _store: Store) -> Iterator[Callable[[dict[str, Any]], Any]]:
    """The release in `folder`, ready for golden requests; it holds all of its parts."""
    predictor = Predictor.load(folder)
    yield lambda row: predictor.predict([row])[0]
