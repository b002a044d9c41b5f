"""The probability of each text of the parts that a model did not learn from: computed once per version and data."""

from collections.abc import Iterator

import numpy as np

from tasks.artifacts import Artifact, current
from tasks.creative.classifier import Classifier
from tasks.documents.pieces import Progress, progress
from tasks.errors import NotFound
from tasks.sources.frames import read_table
from tasks.tables.arrays import parts_of
from tasks.tables.scoring import put_scores
from tasks.tables.transform import Matrix

AT_ONCE = 64


def score(model: Artifact, texts: Artifact, split: Artifact) -> Artifact:
    """A table (kind `scores`) as that of a table model. `model` is a classifier's folder or a release folder; the texts
    are read from the columns that it names itself."""
    classifier = Classifier.load(current().path(model), current().path)
    columns = list(classifier.card.texts)
    there = read_table(texts)
    if gone := [name for name in columns if name not in there.column_names]:
        raise NotFound(f"It reads the columns {', '.join(gone)}, which the data has no more.")
    rows = there.select(columns).to_pylist()
    positions = np.flatnonzero(parts_of(split) != "train")
    said = [classifier.text(rows[place]) for place in positions.tolist()]
    with progress("scoring", -(-len(said) // AT_ONCE), "texts", "batches") as told:
        found = np.concatenate([*_scored(classifier, said, told)])
    return put_scores(split, positions, found[:, None], {"classes": list(classifier.card.classes), "unseen": {}})


def _scored(classifier: Classifier, texts: list[str], told: Progress) -> Iterator[Matrix]:
    for start in range(0, len(texts), AT_ONCE):
        part = texts[start : start + AT_ONCE]
        yield classifier.probabilities(part)
        told(len(part))
