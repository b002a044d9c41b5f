"""A first catalog entry, contract and recipe from a user's own file, with every guess said aloud."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pydantic import BaseModel

from tasks.errors import BadInput
from tasks.sources import values
from tasks.sources.contracts import Contract, dump
from tasks.sources.formats import open_table
from tasks.sources.layout import SEPARATORS, Expected, Layout, decoded, header_hint
from tasks.tables.guesses import LEVELS, Found, found, is_free_text, ruled
from tasks.tables.specs import METRICS, Task

FEWEST = 50  # rows
SLACK = 0.02  # of the baseline's error
CLASSES = 20  # whole numbers 0, 1, 2 ... up to this many are classes
POSITIVE = {"1", "yes", "true", "y", "t", "positive", "bad", "default", "defaulted", "churn", "churned", "fraud"}
METRIC: dict[Task, str] = {"regression": "mae", "binary": "auc", "multiclass": "log_loss"}


class Proposal(BaseModel):
    """The three files as plain values, and what was assumed, one sentence each."""

    dataset: dict[str, Any]
    contract: dict[str, Any]
    recipe: dict[str, Any]
    assumptions: list[str]


def infer(path: Path, name: str, target: str) -> Proposal:
    """Look at all rows of a CSV, Parquet or Excel file; BadInput where nothing can be learned from it."""
    table, layout, encoding = opened(path, target)
    if table.num_rows < FEWEST:
        raise BadInput(f"{path} has {table.num_rows} rows; at least {FEWEST} are needed to train and test. Add rows.")
    columns = {column: found(column, table[column]) for column in table.column_names}
    label = columns[target]
    task, told, positive = kind_of_target(label, table[target], str(path))
    start, bars = first_bars(label, task)
    empty = [column.name for column in columns.values() if column.empty]
    kept = [column for column in columns.values() if not column.empty]
    free = [column.name for column in kept if is_free_text(column) and column.name != target]
    identifiers = [column.name for column in kept if column.identifier and column.name != target]
    contract = Contract(
        columns={column.name: ruled(column, task if column.name == target else None) for column in kept},
        max_quarantine=max(0.05, math.ceil(label.nulls * 150) / 100) if label.nulls < 0.5 else 1.0,
    )
    return Proposal(
        dataset=dataset_of(path, name, layout, encoding, empty),
        contract=yaml.safe_load(dump(contract)),
        recipe=recipe_of(name, target, task, positive, [*identifiers, *free]) | start,
        assumptions=[
            *said_of_file(layout, encoding, table.num_rows),
            told,
            bars,
            *([f"{listed(identifiers)}: names rows, so it is unique in the contract and no input"] * bool(identifiers)),
            *([f"{listed(free)}: free text or too many levels, so it is no input"] * bool(free)),
            *([f"{listed(empty)}: empty in every row, so it is not read (`drop` in the dataset)"] * bool(empty)),
            *(sentence for column in kept for sentence in column.said),
            *said_of_ranges(contract, label),
        ],
    )


# the file


def opened(path: Path, target: str) -> tuple[pa.Table, Layout, str]:
    """The table, how it is laid out, and its encoding: UTF-8, else Windows-1252."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}; check the path.") from None
    encoding = "utf-8"
    if data[:4] != b"PAR1" and b"\0" not in data[: 1 << 16]:
        encoding = encoding_of(data, str(path))
    expected = Expected(encoding=encoding)
    table, layout = open_table(data, expected, str(path))
    if target not in table.column_names:
        raise BadInput(
            f"{path} has no column {target!r} to be the target; its columns are {listed(table.column_names)}. "
            f"{header_hint(target, table.column_names)}"
        )
    return table, layout, encoding


def encoding_of(data: bytes, origin: str) -> str:
    for encoding in ("utf-8", "cp1252"):
        try:
            decoded(data, encoding, origin, whole=True)
        except BadInput:
            continue
        return encoding
    raise BadInput(f"{origin} is neither UTF-8 nor Windows-1252 text; save it as UTF-8.")


def said_of_file(layout: Layout, encoding: str, rows: int) -> list[str]:
    said = [f"{rows} rows, {len(layout.columns)} columns, {layout.format} file"]
    if layout.format == "csv":
        said[0] += f" separated by {SEPARATORS[layout.separator]}, {encoding}" + " with a BOM" * layout.bom
    if layout.skip > 1:
        said.append(f"the header stands in line {layout.skip}")
    return said


# the target


def kind_of_target(label: Found, column: pa.ChunkedArray, origin: str) -> tuple[Task, str, Any]:
    """What kind of task the target makes, said in a sentence, and its positive label where it has two."""
    where = f"the target {label.name!r} of {origin}"
    if len(label.levels) < 2:
        what = "is empty" if label.empty else f"has one value only ({label.levels[0]!r})"
        raise BadInput(f"T{where[1:]} {what}; there is nothing to learn. Choose another target, or add rows.")
    if label.identifier or is_free_text(label) or label.kind == "date":
        what = "dates" if label.kind == "date" else f"{len(label.levels)} values, too many or one per row"
        raise BadInput(f"T{where[1:]} holds {what}; choose a column of numbers or of at most {LEVELS} classes.")
    if len(label.levels) == 2:
        positive = positive_of(label)
        written = values.text_of(values.plain(column))[pc.index(label.typed, positive).as_py()]
        return "binary", f"{label.name}: two values, so binary; {written} is the positive one", positive
    if label.kind == "str":
        return "multiclass", f"{label.name}: {len(label.levels)} texts, so multiclass", None
    counted = sorted(label.levels) in (list(range(len(label.levels))), list(range(1, len(label.levels) + 1)))
    if label.kind == "int" and counted and len(label.levels) <= CLASSES:
        said = f"{label.name}: whole numbers from {min(label.levels)} to {max(label.levels)}, so multiclass"
        return "multiclass", said + "; set `task: regression` if their order counts", None
    return "regression", f"{label.name}: {len(label.levels)} different numbers, so regression", None


def positive_of(label: Found) -> Any:
    """The label that says yes, else the rarer one."""
    yes = [level for level in label.levels if str(level).lower() in POSITIVE]
    if len(yes) == 1:
        return yes[0]
    counts = {row["values"]: row["counts"] for row in pc.value_counts(label.typed.drop_null()).to_pylist()}
    return min(label.levels, key=lambda level: (counts[level], str(level)))


def first_bars(label: Found, task: Task) -> tuple[dict[str, Any], str]:
    """A margin and a first floor for the recipe: without a margin no equal model is ever "not worse"."""
    metric, reached = METRIC[task], constant(label, task)
    margin = 0.01 if metric == "auc" else float(f"{SLACK * reached:.2g}")
    best = {"mae": "the median", "auc": "a constant"}.get(metric, "the classes' shares")
    slack = f"{margin:g}" if metric == "auc" else f"{margin:g}, {SLACK:.0%} of that"
    said = (
        f"floor {metric} {reached:g}: what {best} alone reaches, raise it to what you need; margin {slack}: a new "
        "version may be that much worse and still count as not worse"
    )
    return {"margin": margin, "floors": {metric: reached}}, said


def constant(label: Found, task: Task) -> float:
    """The metric of the best constant prediction, to three digits."""
    if task == "binary":
        return 0.5
    known = label.typed.drop_null()
    if task == "regression":
        numbers = known.to_numpy().astype(float)
        return float(f"{np.abs(numbers - np.median(numbers)).mean():.3g}")
    shares = np.array([row["counts"] for row in pc.value_counts(known).to_pylist()]) / len(known)
    return float(f"{-(shares * np.log(shares)).sum():.3g}")


def said_of_ranges(contract: Contract, label: Found) -> list[str]:
    said = []
    if any(column.max is not None for column in contract.columns.values()):
        said.append("ranges in the contract: what was seen, with its width as room on both sides (none below 0 if so)")
    if any(column.levels for column in contract.columns.values()):
        said.append("levels in the contract: those that were seen; rows with others are quarantined")
    if label.nulls:
        rows = label.typed.null_count
        said.append(f"{label.name}: empty in {rows} rows, which are quarantined (up to {contract.max_quarantine:.0%})")
    return said


# the files


def dataset_of(path: Path, name: str, layout: Layout, encoding: str, empty: list[str]) -> dict[str, Any]:
    value: dict[str, Any] = {
        "title": path.name,
        "licence": "yours",
        "source": {"type": "file", "path": str(path.absolute())},
        "contract": name,
    }
    if layout.format == "csv":
        value["separator"] = layout.separator
    if encoding != "utf-8":
        value["encoding"] = encoding
    return value | ({"drop": empty} if empty else {})


def recipe_of(name: str, target: str, task: Task, positive: Any, drop: list[str]) -> dict[str, Any]:
    assert METRIC[task] in METRICS[task]
    value: dict[str, Any] = {"kind": "tabular", "dataset": name, "target": target, "task": task}
    if task == "binary":
        value["positive"] = positive
    value |= {"metric": METRIC[task], "approval": "auto"}
    return value | ({"drop": drop} if drop else {})


def listed(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
