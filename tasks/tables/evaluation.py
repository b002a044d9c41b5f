"""What a version is worth: metrics with intervals, per slice, and how far its probabilities can be trusted."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel

from tasks.artifacts import Artifact, current
from tasks.errors import BadInput, NotFound
from tasks.sources.frames import read_table
from tasks.statistics import Interval
from tasks.tables.arrays import classes_of, column_array, target_of
from tasks.tables.metrics import BINS, measure
from tasks.tables.specs import METRICS, Subject
from tasks.tables.transform import Matrix

FEWEST = 30  # rows of a slice that is worth a number
MOST = 12  # values of a column that are slices


class Slice(BaseModel, frozen=True):
    """The metrics on the rows where `column` is `value`."""

    column: str
    value: str
    rows: int
    metrics: dict[str, Interval]

    @property
    def name(self) -> str:
        return f"{self.column}={self.value}"


class Bin(BaseModel, frozen=True):
    """Rows whose probability of the positive class lies in one tenth: what was said, and what happened."""

    said: float
    happened: float
    rows: int


class Evaluation(BaseModel, frozen=True):
    """All on the test part."""

    rows: int
    metrics: dict[str, Interval]
    slices: tuple[Slice, ...]
    reliability: tuple[Bin, ...]
    unseen: dict[str, int]


@dataclass(frozen=True)
class Scored:
    """The rows of a part with their truth [n] and predictions [n, k]; `positions` are rows of the checked table.

    Rows with the same number in `groups` are not independent; `unseen` counts levels that the model never saw."""

    positions: NDArray[Any]
    target: Matrix
    predictions: Matrix
    groups: NDArray[Any]
    unseen: dict[str, int]

    def only(self, inside: NDArray[np.bool_]) -> "Scored":
        """Some of the rows."""
        rows = (self.target[inside], self.predictions[inside], self.groups[inside])
        return Scored(self.positions[inside], *rows, self.unseen)


def evaluate(scores: Artifact, table: Artifact, subject: Subject, slices: tuple[str, ...] = ()) -> Evaluation:
    """Every metric of the task on the test part, whole and per value of the `slices` columns of the checked table."""
    test = scored(scores, table, subject)
    metrics = measure(METRICS[subject.task], test.target, test.predictions, test.groups)
    parts = tuple(
        _measured(column, value, test.only(inside), subject)
        for column, value, inside in members(table, slices, test.positions)
    )
    bins = _reliability(test) if subject.task == "binary" else ()
    return Evaluation(rows=len(test.target), metrics=metrics, slices=parts, reliability=bins, unseen=test.unseen)


def scored(scores: Artifact, table: Artifact, subject: Subject, part: str = "test") -> Scored:
    """A part of the scores beside the truth, which any table aligned with the split has."""
    said = read_table(scores)
    about = json.loads(said["about"][0].as_py())
    inside = column_array(said, "part") == part
    positions = column_array(said, "position")[inside]
    target = column_array(read_table(table, [subject.target]), subject.target)
    classes = classes_of(target, subject)
    if subject.task != "regression" and list(classes) != about["classes"]:
        known, wanted = (", ".join(map(repr, some)) for some in (about["classes"], classes))
        raise NotFound(f"It tells {known} apart, the positive one last, and now {wanted} are to be told apart.")
    names = [name for name in said.column_names if name.startswith("p") and name[1:].isdigit()]
    predictions = np.column_stack([column_array(said, name)[inside] for name in names])
    return Scored(
        positions=positions,
        target=target_of(target, subject, classes)[positions],
        predictions=predictions,
        groups=column_array(said, "group")[inside],
        unseen=about["unseen"],
    )


def members(
    table: Artifact, columns: tuple[str, ...], positions: NDArray[Any]
) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Column, value and members among `positions` of every slice with enough rows, the values in order."""
    known = pq.read_schema(current().path(table)).names
    if unknown := [column for column in columns if column not in known]:
        raise BadInput(
            f"The recipe's `slices` name {', '.join(unknown)}, which the data does not have; correct the recipe."
        )
    for column in dict.fromkeys(columns):
        values = column_array(read_table(table, [column]), column)[positions]
        texts = np.array([_text(value) for value in values.tolist()], dtype=object)
        found, counts = np.unique(texts, return_counts=True)
        common = found[np.argsort(-counts, kind="stable")[:MOST]]
        for value in sorted(common):
            inside = texts == value
            if inside.sum() >= FEWEST:
                yield column, str(value), inside


def measurable(metric: str, side: Scored) -> bool:
    """An interval needs two groups of rows; AUC two of each class."""
    parts = [side.groups[side.target == label] for label in (0, 1)] if metric == "auc" else [side.groups]
    return all(len(np.unique(groups)) >= 2 for groups in parts)


def _measured(column: str, value: str, rows: Scored, subject: Subject) -> Slice:
    names = [name for name in METRICS[subject.task] if measurable(name, rows)]
    metrics = measure(names, rows.target, rows.predictions, rows.groups)
    return Slice(column=column, value=value, rows=len(rows.target), metrics=metrics)


def _reliability(test: Scored) -> tuple[Bin, ...]:
    said = test.predictions[:, 0]
    bins = np.minimum((said * BINS).astype(int), BINS - 1)
    groups = [(bins == place) for place in range(BINS) if (bins == place).any()]
    return tuple(
        Bin(said=float(said[group].mean()), happened=float(test.target[group].mean()), rows=int(group.sum()))
        for group in groups
    )


def _text(value: Any) -> str:
    return "missing" if value is None or value != value else str(value)
