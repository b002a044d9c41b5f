"""Which rows train, validate and test: by a stable hash of a row's content, by time, or by group."""

from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel

from tasks.artifacts import Artifact
from tasks.errors import BadInput
from tasks.sources.frames import put_table, read_table
from tasks.tables.arrays import classes_of, column_array, columns_of, target_of
from tasks.tables.requests import input_names
from tasks.tables.specs import SplitSpec, Subject

PARTS = ("train", "valid", "test")
FEWEST = 5  # rows of a part

Hashes = NDArray[np.uint64]


class PartReport(BaseModel, frozen=True):
    """One part: its rows, and the target's mean, or each class's share."""

    part: str
    rows: int
    share: float
    target: dict[str, float]


class Split(BaseModel, frozen=True):
    """`artifact`: a table aligned with the one that was split: `part`, `row` (hash of the whole row), `group`.

    A group is what the split column says, else rows with equal inputs: not independent, so drawn together."""

    artifact: Artifact
    report: tuple[PartReport, ...]


def split(table: Artifact, subject: Subject, spec: SplitSpec, drop: tuple[str, ...] = ()) -> Split:
    """A part for each row. By hash, rows with equal inputs land together, and new rows move no old one."""
    rows = read_table(table)
    inputs = input_names(rows.column_names, subject, drop)
    named = [spec.column] if spec.by == "group" and spec.column else inputs
    group = content_hash(columns_of(rows, named))
    if spec.by == "time" and spec.column:
        part = _by_time(column_array(rows, spec.column), spec)
    else:
        part = by_hash(group, spec)
    report = _report(part, column_array(rows, subject.target), subject)
    _check(report, subject, spec)
    whole = content_hash(columns_of(rows, rows.column_names))
    hashes = {"row": whole.view(np.int64), "group": group.view(np.int64)}
    stored = pa.table({"part": pa.array(np.take(PARTS, part), pa.string()), **hashes})
    return Split(artifact=put_table("splits", stored), report=report)


def content_hash(columns: dict[str, NDArray[Any]]) -> Hashes:
    """A 64-bit hash per row over named values: whatever the order of columns, and 1, 1.0 and True alike."""
    total = np.zeros(len(next(iter(columns.values()))), dtype=np.uint64)
    for name, values in columns.items():
        total += value_hash(name, values)
    return mixed(total)


def value_hash(name: str, values: NDArray[Any]) -> Hashes:
    """A 64-bit hash per value of a column; the sum over columns, `mixed`, is the hash of the row."""
    return mixed(_bits(values) ^ _digest(name))


def _bits(values: NDArray[Any]) -> Hashes:
    if values.dtype == object:
        known = {
            value: _digest(value) if isinstance(value, str) else _float_bits(value) for value in set(values.tolist())
        }
        return np.array([known[value] for value in values.tolist()], dtype=np.uint64)
    if values.dtype.kind == "M":
        values = np.where(np.isnat(values), np.nan, values.astype("datetime64[D]").astype(np.int64))
    numbers = values.astype(np.float64) + 0.0
    return np.where(np.isnan(numbers), np.nan, numbers).view(np.uint64)


def _float_bits(value: Any) -> np.uint64:
    return np.float64(np.nan if value is None else float(value)).view(np.uint64)


def _digest(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little"))


def mixed(values: Hashes) -> Hashes:
    """The finaliser of splitmix64 (Steele, Lea & Flood 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def by_hash(hashes: Hashes, spec: SplitSpec) -> NDArray[np.int64]:
    place = (hashes >> np.uint64(11)).astype(np.float64) / 2**53
    return np.where(place < spec.test, 2, np.where(place < spec.test + spec.valid, 1, 0))


def _by_time(times: NDArray[Any], spec: SplitSpec) -> NDArray[np.int64]:
    """The newest moments test, those before validate; a moment is never divided."""
    if any(value is None or value != value for value in times.tolist()):
        raise BadInput(
            f"The time column {spec.column!r} has empty rows, which no time split can place; fill or drop them."
        )
    moments, code, counts = np.unique(times, return_inverse=True, return_counts=True)
    newer = 1 - np.cumsum(counts) / counts.sum()  # share of the rows after each moment
    part = np.where(newer < spec.test - 1e-9, 2, np.where(newer < spec.test + spec.valid - 1e-9, 1, 0))
    if len(moments) < 3 or set(part) != {0, 1, 2}:
        raise BadInput(
            f"The time column {spec.column!r} has {len(moments)} moments, too few or too uneven for "
            f"test {spec.test:g} and valid {spec.valid:g}; change these shares, or split by hash."
        )
    return part[code]


def _report(part: NDArray[np.int64], target: NDArray[Any], subject: Subject) -> tuple[PartReport, ...]:
    classes = classes_of(target, subject)
    values = target_of(target, subject, classes)
    reports = []
    for place, name in enumerate(PARTS):
        inside = values[part == place]
        if subject.task == "regression":
            told = {"mean": float(inside.mean()), "sd": float(inside.std())} if len(inside) else {}
        else:
            told = (
                {str(label): float(np.mean(inside == code)) for code, label in enumerate(classes)}
                if len(inside)
                else {}
            )
        reports.append(PartReport(part=name, rows=len(inside), share=len(inside) / len(values), target=told))
    return tuple(reports)


def _check(report: tuple[PartReport, ...], subject: Subject, spec: SplitSpec) -> None:
    how = f"by {spec.by}" + (f" of {spec.column}" if spec.column else "")
    for part in report:
        if part.rows < FEWEST:
            raise BadInput(
                f"The split {how} leaves {part.rows} rows to {part.part}; add rows or groups, or change the shares."
            )
        absent = [label for label, share in part.target.items() if share == 0]
        if absent and (subject.task == "binary" or part.part == "train") and subject.task != "regression":
            raise BadInput(
                f"The split {how} leaves no row of the class {', '.join(absent)} of {subject.target!r} to {part.part}; "
                "add rows of it, or change the shares."
            )
