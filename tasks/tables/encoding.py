"""Learns the transform (kinds, levels, medians, scales) from the training part of a feature table."""

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.artifacts import Artifact, current
from tasks.sources.frames import read_table
from tasks.tables.arrays import column_array, input_names, kind_of, parts_of
from tasks.tables.specs import Subject
from tasks.tables.transform import Column, Kind, Transform

MOST_LEVELS = 500  # rarer ones count as unseen; beyond this a column is closer to an identifier


def learn(features: Artifact, split: Artifact, subject: Subject) -> Artifact:
    """The transform as JSON (kind `transforms`); the rows that validate and test are not looked at."""
    names = input_names(features, subject)
    table = read_table(features, names)
    train = parts_of(split) == "train"
    columns = tuple(_column(name, table, train) for name in names)
    return current().put_json("transforms", Transform(columns=columns).model_dump(mode="json"))


def _column(name: str, table: pa.Table, train: NDArray[np.bool_]) -> Column:
    kind = kind_of(name, table.schema.field(name).type)
    values = column_array(table, name)[train]
    return Column(name=name, kind=kind, levels=_levels(values)) if kind == "level" else _number(name, kind, values)


def _levels(values: NDArray[Any]) -> tuple[str, ...]:
    counts = Counter(value for value in values.tolist() if value is not None)
    common = sorted(counts, key=lambda level: (-counts[level], level))[:MOST_LEVELS]
    return tuple(sorted(common))


def _number(name: str, kind: Kind, values: NDArray[Any]) -> Column:
    """Median and standard deviation of the values that are there; a constant keeps the scale 1."""
    floats = Transform(columns=(Column(name=name, kind=kind),)).encode_columns({name: values})[:, 0]
    known = floats[~np.isnan(floats)]
    if not len(known):
        return Column(name=name, kind=kind, missing=True)
    median, scale = float(np.median(known)), float(known.std())
    return Column(name=name, kind=kind, median=median, scale=scale or 1.0, missing=len(known) < len(floats))
