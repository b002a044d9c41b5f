"""Predictions per row of the parts that a model was not grown on: computed once per version and feature table."""

import numpy as np
import pyarrow as pa

from tasks.artifacts import Artifact, current
from tasks.sources.frames import put_table, read_table
from tasks.tables.arrays import columns_of, parts_of
from tasks.tables.models import load_model


def score(model: Artifact, features: Artifact, split: Artifact) -> Artifact:
    """A table (kind `scores`): `position` in the feature table, `part`, and `p0`... (the value, or probabilities).

    `model` is a model folder or a release folder; meta counts the levels that it never saw."""
    loaded = load_model(current().path(model))
    table = read_table(features, loaded.transform.names) if loaded.transform.names else read_table(features)
    parts = parts_of(split)
    positions = np.flatnonzero(parts != "train")
    columns = columns_of(table.take(pa.array(positions)), loaded.transform.names)
    predictions = loaded.predictions(loaded.transform.encode_columns(columns))
    stored = pa.table(
        {
            "position": pa.array(positions, pa.int64()),
            "part": pa.array(parts[positions], pa.string()),
            **{f"p{place}": pa.array(column) for place, column in enumerate(predictions.T)},
        }
    )
    unseen = loaded.transform.count_unseen(columns)
    return put_table("scores", stored, {"unseen": unseen, "classes": list(loaded.card.classes)})
