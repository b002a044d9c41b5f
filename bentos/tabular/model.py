"""A tabular release as the kit serves it: validation and prediction of its rows."""

from pathlib import Path
from typing import Protocol

from bentos.kit.handle import ReleaseFile
from bentos.kit.rows import Reader, Row
from tasks.tables.predictor import Predictor
from tasks.tables.schema import Field


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
        self.reader = Reader(self.columns)

    def answers(self, body: bytes, most: int) -> tuple[list[Row], list[Row]]:
        """The rows of a request body and their answers: one piece of work, for a thread where it is long."""
        rows = self.reader.rows(body, most)
        return rows, self.predictor.predict(rows)

    def answer(self, request: Row) -> Row:
        return self.predictor.predict([request])[0]

    def close(self) -> None:
        """Nothing to give back: memory goes with the last reference."""


def load_tabular(folder: Path, _release: ReleaseFile) -> Tabular:
    return Tabular(Predictor.load(folder))
