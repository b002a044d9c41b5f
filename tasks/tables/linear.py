"""Ridge or logistic regression over the same transform: on small tables often the better model."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tasks.artifacts import Artifact, current
from tasks.tables.arrays import encoded, parts_of
from tasks.tables.link import link
from tasks.tables.metrics import higher_is_better, value
from tasks.tables.models import Card, LinearFile, dump, write_model
from tasks.tables.specs import Subject, Training
from tasks.tables.transform import Matrix

STRENGTHS = (0.1, 1.0, 10.0, 100.0)  # of the L2 penalty

Weights = tuple[Matrix, Matrix]  # coefficients [outputs, terms], intercepts [outputs]


def fit(features: Artifact, split: Artifact, transform: Artifact, subject: Subject, training: Training) -> Artifact:
    """The penalty that validates best, refitted on both parts, as a model folder; the seed changes nothing here."""
    learned, inputs, target, classes = encoded(features, subject, transform)
    parts = parts_of(split)
    train, valid = parts == "train", parts == "valid"
    terms = learned.expand(inputs)
    solve = _ridge if subject.task == "regression" else _logistic

    def score(strength: float) -> float:
        raw = _raw(terms[valid], solve(terms[train], target[train], strength))
        return value(training.metric, target[valid], link(subject.task, raw))

    scores = {strength: score(strength) for strength in STRENGTHS}
    best = (max if higher_is_better(training.metric) else min)(scores, key=lambda strength: scores[strength])
    both = train | valid
    text = dump(
        linear_file([name for _, name in learned.expanded], terms[both], solve(terms[both], target[both], best))
    )
    card = Card(
        family="linear",
        task=subject.task,
        classes=classes,
        metric=training.metric,
        validation=scores[best],
        seed=training.seed,
        parameters={"l2": best},
    )
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder), card, learned, text)
        return current().put_folder("models", Path(folder), {"family": "linear", "validation": scores[best]})


def linear_file(names: list[str], terms: Matrix, weights: Weights) -> LinearFile:
    coefficients, intercepts = weights
    return LinearFile(
        terms=tuple(names),
        centre=tuple(terms.mean(axis=0).tolist()),
        intercepts=tuple(intercepts.tolist()),
        coefficients=tuple(tuple(row) for row in coefficients.tolist()),
    )


def _raw(terms: Matrix, weights: Weights) -> Matrix:
    return np.asarray(terms @ weights[0].T + weights[1])


def _ridge(terms: Matrix, target: Matrix, strength: float) -> Weights:
    from sklearn.linear_model import Ridge

    return _weights(Ridge(alpha=strength), terms, target)


def _logistic(terms: Matrix, target: Matrix, strength: float) -> Weights:
    from sklearn.linear_model import LogisticRegression

    return _weights(LogisticRegression(C=1 / strength, max_iter=1000, tol=1e-5), terms, target)


def _weights(model: Any, terms: Matrix, target: Matrix) -> Weights:
    model.fit(terms, target)
    return np.atleast_2d(model.coef_).astype(np.float64), np.atleast_1d(model.intercept_).astype(np.float64)
