"""Predictions per row of the parts that a model was not grown on: computed once per version and feature table."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.artifacts import Artifact, canonical, current
from tasks.sources.frames import put_table, read_table
from tasks.tables.arrays import column_array, columns_of, parts_of
from tasks.tables.models import load_model
from tasks.tables.transform import Matrix


def score(model: Artifact, features: Artifact, split: Artifact) -> Artifact:
    """A table (kind `scores`): `position` in the feature table, `part`, `group`, `p0`... (the value, or probabilities).

    `model` is a model folder or a release folder. `about` is JSON, in every row the same: the model's classes, and
    counts of the levels that it never saw. It decides what is made of the scores, so it belongs to their digest."""
    loaded = load_model(current().path(model))
    table = read_table(features, loaded.transform.names) if loaded.transform.names else read_table(features)
    positions = np.flatnonzero(parts_of(split) != "train")
    columns = columns_of(table.take(pa.array(positions)), loaded.transform.names)
    predictions = loaded.predictions(loaded.transform.encode_columns(columns))
    about = {"classes": list(loaded.card.classes), "unseen": loaded.transform.count_unseen(columns)}
    return put_scores(split, positions, predictions, about)


def put_scores(split: Artifact, positions: NDArray[np.int64], predictions: Matrix, about: dict[str, Any]) -> Artifact:
    """The table of `score`, for predictions [n, k] of these rows of the split."""
    rows = read_table(split, ["part", "group"])
    parts, groups = column_array(rows, "part"), column_array(rows, "group")
    stored = pa.table(
        {
            "position": pa.array(positions, pa.int64()),
            "part": pa.array(parts[positions], pa.string()),
            "group": pa.array(groups[positions], pa.int64()),
            "about": pa.repeat(canonical(about).decode(), len(positions)),
            **{f"p{place}": pa.array(column) for place, column in enumerate(predictions.T)},
        }
    )
    return put_table("scores", stored)
