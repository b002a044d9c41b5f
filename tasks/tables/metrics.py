"""The metrics: their direction, their value, and 95 % intervals alone or as a paired difference.

All but AUC are smooth functions of means of per-row terms, so that one resampling serves them all at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.errors import BadInput
from tasks.statistics import Interval, delong, delong_difference, intervals, unseen
from tasks.tables.transform import Matrix

BINS = 10
TINY = 1e-15


@dataclass(frozen=True)
class Metric:
    """`terms`: target [n], predictions [n, k] to per-row terms [n, m]; `finish`: their means [..., m] to [...]."""

    higher_is_better: bool
    terms: Callable[[Matrix, Matrix], Matrix]
    finish: Callable[[Matrix], Matrix]


def _first(means: Matrix) -> Matrix:
    return np.asarray(means[..., 0])


def _spread(probabilities: Matrix) -> Matrix:
    """Probabilities of every class: two columns of the one that a binary model gives."""
    return np.hstack([1 - probabilities, probabilities]) if probabilities.shape[1] == 1 else probabilities


def _hot(target: Matrix, predictions: Matrix) -> Matrix:
    return np.asarray(target[:, None] == np.arange(_spread(predictions).shape[1]), dtype=np.float64)


def _picked(predictions: Matrix) -> Matrix:
    return (predictions[:, 0] >= 0.5).astype(np.float64) if predictions.shape[1] == 1 else predictions.argmax(axis=1)


def _absolute(target: Matrix, predictions: Matrix) -> Matrix:
    return np.abs(target - predictions[:, 0])[:, None]


def _squared(target: Matrix, predictions: Matrix) -> Matrix:
    return ((target - predictions[:, 0]) ** 2)[:, None]


def _explained(target: Matrix, predictions: Matrix) -> Matrix:
    return np.column_stack([(target - predictions[:, 0]) ** 2, target, target**2])


def _r2(means: Matrix) -> Matrix:
    return 1 - means[..., 0] / np.maximum(means[..., 2] - means[..., 1] ** 2, TINY)


def _within_one(target: Matrix, predictions: Matrix) -> Matrix:
    """The rounded prediction is at most one grade off."""
    return (np.abs(target - np.rint(predictions[:, 0])) <= 1).astype(np.float64)[:, None]


def _grades(target: Matrix, predictions: Matrix) -> Matrix:
    grade = np.rint(predictions[:, 0])
    return np.column_stack([(target - grade) ** 2, target, grade, target**2, grade**2])


def _kappa(means: Matrix) -> Matrix:
    """Quadratic weighted kappa (Cohen 1968) of rounded predictions, 1 - E(t-g)² / E by chance."""
    by_chance = means[..., 3] + means[..., 4] - 2 * means[..., 1] * means[..., 2]
    return 1 - means[..., 0] / np.maximum(by_chance, TINY)


def _log_loss(target: Matrix, predictions: Matrix) -> Matrix:
    chance = np.take_along_axis(_spread(predictions), target.astype(np.int64)[:, None], axis=1)
    return np.asarray(-np.log(np.clip(chance, TINY, 1)))


def _brier(target: Matrix, predictions: Matrix) -> Matrix:
    """Binary: squared error of the probability; several classes: summed over them (Brier 1950)."""
    if predictions.shape[1] == 1:
        return _squared(target, predictions)
    return np.asarray(((predictions - _hot(target, predictions)) ** 2).sum(axis=1, keepdims=True))


def _gaps(target: Matrix, predictions: Matrix) -> Matrix:
    """Confidence minus truth, in the column of the confidence's bin."""
    confidence = predictions[:, 0] if predictions.shape[1] == 1 else predictions.max(axis=1)
    truth = target if predictions.shape[1] == 1 else (target == _picked(predictions)).astype(np.float64)
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    return np.asarray((bins[:, None] == np.arange(BINS)) * (confidence - truth)[:, None])


def _ece(means: Matrix) -> Matrix:
    """Expected calibration error over ten equal bins (Naeini et al. 2015)."""
    return np.asarray(np.abs(means).sum(axis=-1))


def _right(target: Matrix, predictions: Matrix) -> Matrix:
    return np.asarray(target == _picked(predictions), dtype=np.float64)[:, None]


def _hits(target: Matrix, predictions: Matrix) -> Matrix:
    """Per class: truly it and said, said, truly it."""
    truth = _hot(target, predictions)
    said = (_picked(predictions)[:, None] == np.arange(truth.shape[1])).astype(np.float64)
    return np.hstack([truth * said, said, truth])


def _f1_per_class(means: Matrix) -> Matrix:
    hits, said, truth = np.split(means, 3, axis=-1)
    return np.asarray(2 * hits / np.maximum(said + truth, TINY))


METRICS: dict[str, Metric] = {
    "mae": Metric(False, _absolute, _first),
    "rmse": Metric(False, _squared, lambda means: np.sqrt(means[..., 0])),
    "r2": Metric(True, _explained, _r2),
    "within_one": Metric(True, _within_one, _first),
    "qwk": Metric(True, _grades, _kappa),
    "log_loss": Metric(False, _log_loss, _first),
    "brier": Metric(False, _brier, _first),
    "ece": Metric(False, _gaps, _ece),
    "accuracy": Metric(True, _right, _first),
    "f1": Metric(True, _hits, lambda means: _f1_per_class(means)[..., 1]),
    "macro_f1": Metric(True, _hits, lambda means: _f1_per_class(means).mean(axis=-1)),
}

OF_CLASSES = {"auc", "accuracy", "f1", "macro_f1"}
COUNTING = OF_CLASSES | {"within_one", "qwk"}  # they count rows or pairs, so that few rows can hide a difference


def higher_is_better(name: str) -> bool:
    return name == "auc" or METRICS[name].higher_is_better


def value(name: str, target: Matrix, predictions: Matrix) -> float:
    """The metric on these rows: target [n], predictions [n, 1] or [n, classes]."""
    if name == "auc":
        return delong(target, predictions[:, 0]).value
    return float(METRICS[name].finish(METRICS[name].terms(target, predictions).mean(axis=0)))


def measure(
    names: Sequence[str], target: Matrix, predictions: Matrix, groups: Matrix | None = None, seed: int = 0
) -> dict[str, Interval]:
    """Each metric with its 95 % interval: DeLong for AUC, else the bootstrap; rows of one of `groups` go together."""
    if len(target) < 2:
        raise BadInput(f"Metrics need at least 2 rows; this part has {len(target)}. Add rows, or change the split.")
    smooth = [name for name in names if name != "auc"]
    terms = [METRICS[name].terms(target, predictions) for name in smooth]
    ends = np.cumsum([0, *(term.shape[1] for term in terms)])
    finishes = [_slice(METRICS[name].finish, ends[place], ends[place + 1]) for place, name in enumerate(smooth)]
    found = dict(zip(smooth, intervals(np.hstack(terms), finishes, groups, seed), strict=True)) if smooth else {}
    return {name: delong(target, predictions[:, 0], groups) if name == "auc" else found[name] for name in names}


def difference(
    name: str, target: Matrix, candidate: Matrix, opponent: Matrix, groups: Matrix | None = None, seed: int = 0
) -> Interval:
    """How much better the candidate is on the same rows, with its 95 % interval; positive is better in any metric.

    Both sides' terms are drawn together, which keeps the pairing (Efron & Tibshirani 1993, §8.3). Sides that answer
    otherwise and yet differ in no resample differ by chance as much as the rule of three allows."""
    found = _difference(name, target, candidate, opponent, groups, seed)
    if found.high - found.low > TINY or name not in COUNTING or np.array_equal(candidate, opponent):
        return found
    units = target if groups is None else target[np.unique(groups, return_index=True)[1]]
    return unseen(found, int(np.unique(units, return_counts=True)[1].min()) if name in OF_CLASSES else len(units))


def _difference(
    name: str, target: Matrix, candidate: Matrix, opponent: Matrix, groups: Matrix | None, seed: int
) -> Interval:
    if name == "auc":
        return delong_difference(target, candidate[:, 0], opponent[:, 0], groups)
    metric = METRICS[name]
    ours, theirs = metric.terms(target, candidate), metric.terms(target, opponent)
    sign, half = (1.0 if metric.higher_is_better else -1.0), ours.shape[1]

    def gain(means: Matrix) -> Matrix:
        return np.asarray(sign * (metric.finish(means[..., :half]) - metric.finish(means[..., half:])))

    return intervals(np.hstack([ours, theirs]), [gain], groups, seed)[0]


def _slice(finish: Callable[[Matrix], Matrix], start: int, end: int) -> Callable[[Matrix], Matrix]:
    return lambda means: finish(means[..., start:end])
