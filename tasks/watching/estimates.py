"""What a classifier is worth before labels come, from its own probabilities: right as long as these stay calibrated."""

import numpy as np
from numpy.typing import NDArray

from tasks.statistics import Interval
from tasks.tables.metrics import value

ROUNDS = 200
FEWEST = 2  # rows of a class without which no draw of labels has an AUC

Matrix = NDArray[np.float64]


def calibrated(said: Matrix, truth: Matrix, now: Matrix) -> Matrix:
    """Probabilities [m, k] for the rows of `now`, by isotonic regression of the truth [n] on what was said [n, k].

    One binary column stays one; several classes are fitted one by one and made to sum to 1 (Zadrozny & Elkan 2002)."""
    from sklearn.isotonic import IsotonicRegression

    def fitted(column: int, hit: Matrix) -> Matrix:
        curve = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
        return np.asarray(curve.fit(said[:, column], hit).predict(now[:, column]))

    if now.shape[1] == 1:
        return fitted(0, truth)[:, None]
    every = np.column_stack([fitted(place, (truth == place).astype(float)) for place in range(now.shape[1])])
    sums = every.sum(axis=1, keepdims=True)
    return np.where(sums > 0, every / np.where(sums > 0, sums, 1), 1 / now.shape[1])


def estimate(metric: str, now: Matrix, chances: Matrix, seed: int = 0) -> Interval | None:
    """The metric that rows scored `now` [m, k] would have if labels fell as the calibrated `chances` [m, k] say.

    Rows and labels are drawn 200 times; the interval holds 95 % of the draws (the idea of confidence-based performance
    estimation, https://nannyml.readthedocs.io). It knows nothing of a target that came to depend on the inputs in
    another way. None: hardly a row would be of one of the classes."""
    generator = np.random.default_rng(seed)
    values = []
    for _ in range(ROUNDS):
        rows = generator.integers(0, len(now), len(now))
        labels = _drawn(chances[rows], generator)
        if metric != "auc" or FEWEST <= labels.sum() <= len(labels) - FEWEST:
            values.append(value(metric, labels, now[rows]))
    if len(values) < ROUNDS / 2:
        return None
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(low=float(low), value=float(np.mean(values)), high=float(high))


def _drawn(chances: Matrix, generator: np.random.Generator) -> Matrix:
    """A label for each row: 0 or 1, or the place of a class."""
    luck = generator.random((len(chances), 1))
    if chances.shape[1] == 1:
        return (luck < chances)[:, 0].astype(np.float64)
    return np.asarray((luck > chances.cumsum(axis=1)[:, :-1]).sum(axis=1), dtype=np.float64)
