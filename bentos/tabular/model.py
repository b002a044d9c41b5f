"""A tabular release as the kit serves it: validation and prediction of its rows."""

from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from bentos.kit.bodies import narrowed, parsed, parsed_object
from bentos.kit.errors import Problem, unfit
from bentos.kit.handle import ReleaseFile
from bentos.tabular.schemas import adapters
from tasks.tables.predictor import Predictor
from tasks.tables.schema import Field

Row = dict[str, Any]


class Predicts(Protocol):
    """What is served: rows in, JSON answers out."""

    @property
    def schema(self) -> list[Field]: ...

    def predict(self, rows: list[Row]) -> list[Row]: ...

    def explain(self, row: Row) -> Row: ...


class Tabular:
    """One loaded version; holds nothing that a request changes."""

    def __init__(self, predictor: Predicts) -> None:
        self.predictor = predictor
        self.columns = predictor.schema
        self._row, self._rows = adapters(self.columns)

    def row(self, body: bytes) -> Row:
        """One row from a request body; Problem 400, 413 or 422 where it is not one."""
        value = parsed_object(body, len(self.columns))
        try:
            return self._row.validate_python(value)
        except ValidationError as error:
            raise unfit(error) from None

    def rows(self, body: bytes, most: int) -> list[Row]:
        """The rows of a request body, counted before they are looked at; only the first bad row is told."""
        value = parsed(body)
        if isinstance(value, list):
            if len(value) > most:
                raise Problem(422, f"The list has {len(value)} rows; send at most {most}.", "batch_too_large")
            value = [narrowed(one, len(self.columns)) for one in value]
        try:
            return self._rows.validate_python(value)
        except ValidationError as error:
            raise unfit(error) from None

    def answers(self, body: bytes, most: int) -> tuple[list[Row], list[Row]]:
        """The rows of a request body and their answers: one piece of work, for a thread where it is long."""
        rows = self.rows(body, most)
        return rows, self.predictor.predict(rows)

    def answer(self, request: Row) -> Row:
        return self.predictor.predict([request])[0]

    def close(self) -> None:
        """Nothing to give back: memory goes with the last reference."""


def load_tabular(folder: Path, _release: ReleaseFile) -> Tabular:
    return Tabular(Predictor.load(folder))
