"""Rows to be scored, in the files that people have."""

import csv
from pathlib import Path

import pyarrow as pa

from tasks.sources.layout import Expected
from tasks.tables import batch_sources, batches
from tasks.tables.batch_sources import Rows
from tasks.tables.predictor import Predictor
from tasks.tables.requests import request_rows
from tests.tables.conftest import houses


def opened(path: Path, predictor: Predictor) -> Rows:
    needed = tuple(field.name for field in predictor.schema if not field.nullable)
    return batch_sources.open_rows(path, path.name, Expected(needed=needed))


def scored(path: Path, predictor: Predictor, to: Path) -> batches.Scored:
    return batches.score(predictor, 3, opened(path, predictor), to)


def some_houses(rows: int = 300) -> pa.Table:
    """New rows, some with a level that no house in training had."""
    table = houses(rows, seed=7)
    towns = ["Hove" if number % 50 == 1 else town for number, town in enumerate(table["town"].to_pylist())]
    return table.set_column(table.column_names.index("town"), "town", pa.array(towns))


def as_csv(table: pa.Table, path: Path, separator: str = ",") -> Path:
    """As people write it: dates without a time of day, an empty cell for what is unknown."""
    rows = request_rows(table, table.column_names)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, table.column_names, delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)
    return path
