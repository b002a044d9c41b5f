"""Stored tables as numpy arrays: the one place where Arrow columns become what a transform and a fit take."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tasks.artifacts import Artifact, current
from tasks.errors import BadInput
from tasks.sources.frames import read_table
from tasks.tables.specs import Label, Subject
from tasks.tables.transform import Kind, Matrix, Transform

Columns = dict[str, NDArray[Any]]


def input_names(features: Artifact, subject: Subject) -> list[str]:
    """The model's inputs in the table's order: whatever is neither target nor carried along."""
    names: list[str] = pq.read_schema(current().path(features)).names
    return [name for name in names if name != subject.target and name not in subject.carried]


def kind_of(name: str, dtype: pa.DataType) -> Kind:
    """How a column is encoded, by its Arrow type; text and dictionaries of text are levels."""
    if pa.types.is_dictionary(dtype):
        return kind_of(name, dtype.value_type)
    if pa.types.is_string(dtype) or pa.types.is_large_string(dtype):
        return "level"
    if pa.types.is_boolean(dtype):
        return "flag"
    if pa.types.is_temporal(dtype):
        return "date"
    if pa.types.is_integer(dtype) or pa.types.is_floating(dtype):
        return "number"
    raise BadInput(
        f"The column {name} has the type {dtype}, which no model takes; drop it or turn it into numbers or text."
    )


def column_array(table: pa.Table, name: str) -> NDArray[Any]:
    """One column: text as objects with None, dates as datetime64, numbers with NaN for null."""
    column = table[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    values: NDArray[Any] = column.to_numpy()
    return values


def columns_of(table: pa.Table, names: list[str]) -> Columns:
    return {name: column_array(table, name) for name in names}


def parts_of(split: Artifact) -> NDArray[Any]:
    """The part of each row, aligned with the table that was split."""
    return column_array(read_table(split, ["part"]), "part")


def classes_of(values: NDArray[Any], subject: Subject) -> tuple[Label, ...]:
    """The labels in order; of two, the positive one (by default the greater) comes last."""
    if subject.task == "regression":
        return ()
    found: list[Label] = sorted(
        {_label(value) for value in values.tolist()}, key=lambda label: (str(type(label)), label)
    )
    if subject.task == "binary" and subject.positive is not None:
        if subject.positive not in found:
            known = ", ".join(map(repr, found[:5]))
            raise BadInput(f"`positive` is {subject.positive!r}, and {subject.target!r} holds {known}; see the recipe.")
        found.sort(key=lambda label: label == subject.positive)
    return tuple(found)


def target_of(values: NDArray[Any], subject: Subject, classes: tuple[Label, ...]) -> Matrix:
    """The target as floats: the value itself, or the position of the label in `classes`."""
    if subject.task == "regression":
        return values.astype(np.float64)
    codes = {label: float(code) for code, label in enumerate(classes)}
    return np.array([codes[_label(value)] for value in values.tolist()], dtype=np.float64)


def encoded(
    features: Artifact, subject: Subject, transform: Artifact
) -> tuple[Transform, Matrix, Matrix, tuple[Label, ...]]:
    """The transform, the encoded inputs, the encoded target and its classes, for all rows of a feature table."""
    learned = Transform.model_validate_json(current().read_bytes(transform))
    table = read_table(features, [*learned.names, subject.target])
    target = column_array(table, subject.target)
    classes = classes_of(target, subject)
    return (
        learned,
        learned.encode_columns(columns_of(table, learned.names)),
        target_of(target, subject, classes),
        classes,
    )


def _label(value: Label | float) -> Label:
    """A whole number that nulls once made a float is the integer that it was."""
    return int(value) if isinstance(value, float) and value.is_integer() else value  # type: ignore[return-value]
