"""A tabular release as the kit serves it: validation and prediction of its rows."""

from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from bentos.kit.errors import unfit
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
        """One row from a request body; Problem 400 or 422 where it is not one."""
        try:
            return self._row.validate_json(body)
        except ValidationError as error:
            raise unfit(error) from None

    def rows(self, body: bytes) -> list[Row]:
        try:
            return self._rows.validate_json(body)
        except ValidationError as error:
            raise unfit(error) from None

    def answer(self, request: Row) -> Row:
        return self.predictor.predict([request])[0]

    def close(self) -> None:
        """Nothing to give back: memory goes with the last reference."""


def load_tabular(folder: Path, _release: ReleaseFile) -> Tabular:
    return Tabular(Predictor.load(folder))
