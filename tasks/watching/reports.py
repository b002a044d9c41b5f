"""Evidently's summary of a snapshot as one HTML page that needs no network."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.artifacts import Artifact
from tasks.sources.frames import read_table

MOST = 50_000  # rows; a page of a million says no more, and takes half a minute
FEW = 40  # levels of a column
REST = "(other values)"


def summary(table: Artifact, path: Path) -> None:
    """Write Evidently's page about a table (a seeded sample of a large one) to `path`, whole or not at all."""
    os.environ["DO_NOT_TRACK"] = "1"
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataSummaryPreset

    rows = shown(sampled(read_table(table)))
    numbers = [field.name for field in rows.schema if not pa.types.is_string(field.type)]
    levels = [name for name in rows.column_names if name not in numbers]
    # stated, since Evidently's own guess silently drops columns
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=levels)
    report = Report([DataSummaryPreset()])
    told = report.run(Dataset.from_pandas(rows.to_pandas(), data_definition=definition), None)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as aside:
        page = Path(aside) / path.name
        told.save_html(str(page))
        page.replace(path)


def sampled(table: pa.Table) -> pa.Table:
    """At most `MOST` rows, always the same ones, in their order."""
    if table.num_rows <= MOST:
        return table
    picked = np.random.default_rng(0).choice(table.num_rows, MOST, replace=False)
    return table.take(pa.array(np.sort(picked)))


def shown(table: pa.Table) -> pa.Table:
    """Numbers as they are, all else as a few levels: Evidently omits dates and texts, and many levels take long."""
    return pa.table({inert(name): _shown(table[name]) for name in table.column_names})


def inert(text: str) -> str:
    """Evidently writes names and values into a script of its page as they are: none may end the script."""
    return text.replace("<", "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}")


def _shown(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_temporal(column.type):
        months = pc.utf8_slice_codeunits(column.cast(pa.string()), 0, 7)
        return months if pc.count_distinct(months).as_py() <= FEW else _few(pc.utf8_slice_codeunits(months, 0, 4))
    number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    if number and column.null_count < len(column):
        return column
    return _few(pc.replace_substring(column.cast(pa.string()), "<", inert("<")))


def _few(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """The most frequent levels; the others count as one."""
    counts = sorted(pc.value_counts(text.drop_null()).to_pylist(), key=lambda one: (-one["counts"], one["values"]))
    kept = pa.array([one["values"] for one in counts[:FEW]], pa.string())
    return pc.if_else(pc.or_(pc.is_null(text), pc.is_in(text, kept)), text, REST)
