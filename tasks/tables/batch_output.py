"""The file that batch scoring writes: Parquet or CSV, whole or not at all."""

import csv
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.errors import BadInput, Refused
from tasks.processes import acquire

Write = Callable[[pa.Table], object]


@contextmanager
def written(to: Path, schema: pa.Schema) -> Iterator[Write]:
    """Takes tables for a file that appears when all are written; what a killed run left aside, the next overwrites."""
    to.parent.mkdir(parents=True, exist_ok=True)
    aside = to.with_name(f".{to.name}.part")
    lock = acquire(aside, wait=False)
    if lock is None:
        raise Refused(f"Another run is writing {to}; wait for its end, or name another file.")
    try:
        with parquet_writer(aside, schema) if to.suffix == ".parquet" else csv_writer(aside, schema) as write:
            yield write
        aside.replace(to)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    finally:
        os.close(lock)


@contextmanager
def parquet_writer(path: Path, schema: pa.Schema) -> Iterator[Write]:
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        yield lambda table: writer.write_table(table.cast(schema))


@contextmanager
def csv_writer(path: Path, schema: pa.Schema) -> Iterator[Write]:
    """Quotes only where they are needed, which pyarrow's own writer cannot do; null is an empty cell."""
    for one in schema:
        if pa.types.is_nested(one.type) or pa.types.is_binary(one.type):
            raise BadInput(
                f"The column {one.name!r} holds {one.type}, which a CSV cell cannot; write to .parquet instead."
            )
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(schema.names)
        yield lambda table: writer.writerows(zip(*(_cells(column) for column in table.columns), strict=True))


def _cells(column: pa.ChunkedArray) -> list[str | None]:
    cells: list[str | None] = column.cast(pa.string()).to_pylist()
    return cells
