"""The mean, the median or the classes' shares: what any model must beat, in the files of a linear one."""

import tempfile
from pathlib import Path

import numpy as np

from tasks.artifacts import Artifact, current
from tasks.tables.arrays import encoded, parts_of
from tasks.tables.link import link
from tasks.tables.metrics import value
from tasks.tables.models import Card, LinearFile, dump, write_model
from tasks.tables.specs import Subject, Training
from tasks.tables.transform import Matrix


def fit(features: Artifact, split: Artifact, transform: Artifact, subject: Subject, training: Training) -> Artifact:
    """The best constant for the metric, as a model folder (family `baseline`)."""
    learned, _, target, classes = encoded(features, subject, transform)
    parts = parts_of(split)
    valid = target[parts == "valid"]
    first = _constant(target[parts == "train"], subject, training.metric, len(classes))
    score = value(training.metric, valid, link(subject.task, np.tile(first, (len(valid), 1))))
    final = _constant(target[parts != "test"], subject, training.metric, len(classes))
    names = tuple(name for _, name in learned.expanded)
    zeros = (0.0,) * len(names)
    text = dump(
        LinearFile(terms=names, centre=zeros, intercepts=tuple(final.tolist()), coefficients=(zeros,) * len(final))
    )
    card = Card(family="baseline", task=subject.task, classes=classes, metric=training.metric, validation=score)
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder), card, learned, text)
        return current().put_folder("models", Path(folder), {"family": "baseline", "validation": score})


def _constant(target: Matrix, subject: Subject, metric: str, classes: int) -> Matrix:
    """Raw scores [outputs]: the median for the absolute error, else the mean; log-odds of the shares for classes."""
    if subject.task == "regression":
        return np.array([np.median(target) if metric == "mae" else target.mean()])
    shares = (np.bincount(target.astype(np.int64), minlength=classes) + 0.5) / (len(target) + classes / 2)
    return np.log(shares[1:] / shares[:1]) if subject.task == "binary" else np.log(shares)
