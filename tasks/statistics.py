"""Intervals for metrics and for paired differences: what lets the gate tell a better model from a lucky one.

All intervals are two-sided; `value` is the estimate on the rows as they are, and resampling is seeded.
"""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from tasks.errors import BadInput

Values = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]

MANY = 50_000  # beyond this many rows the normal interval replaces the bootstrap
ROUNDS = 2_000
GROUPS = 100  # of the delete-a-group jackknife
CELLS = 4_000_000  # resampled cells held at once
POWER = 0.8


class Interval(BaseModel):
    """An estimate between its confidence bounds."""

    model_config = ConfigDict(frozen=True)

    low: float
    value: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4g} ({self.low:.4g} to {self.high:.4g})"


def bootstrap_interval(losses: Values, confidence: float = 0.95, rounds: int = ROUNDS, seed: int = 0) -> Interval:
    """The mean of per-row losses (shape [n]) with a percentile interval (Efron & Tibshirani 1993, §13.3);
    beyond 50 000 rows mean ± z·s/√n (§1, the central limit theorem)."""
    losses = _rows_of(losses)
    rows, mean = len(losses), float(losses.mean())
    if rows > MANY:
        return _normal(mean, float(losses.std(ddof=1)) / math.sqrt(rows), confidence)
    generator, means = np.random.default_rng(seed), np.empty(rounds)
    step = max(1, CELLS // rows)
    for start in range(0, rounds, step):
        size = min(step, rounds - start)
        picked = generator.integers(0, rows, (size, rows), dtype=np.int32)
        means[start : start + size] = losses[picked].mean(axis=1)
    return _percentile(mean, means, confidence)


def paired_bootstrap(
    candidate: Values, opponent: Values, confidence: float = 0.95, rounds: int = ROUNDS, seed: int = 0
) -> Interval:
    """Mean of `opponent - candidate` per-row losses on the same rows: positive where the candidate is better.

    Resampling the difference keeps the pairing (Efron & Tibshirani 1993, §8.3)."""
    if len(candidate) != len(opponent):
        raise BadInput(
            f"A paired comparison needs the same rows on both sides; got {len(candidate)} and {len(opponent)}. "
            "Score both versions on one test part."
        )
    return bootstrap_interval(_rows_of(opponent) - _rows_of(candidate), confidence, rounds, seed)


def bootstrap_metric(
    metric: Callable[[Rows], float], rows: int, confidence: float = 0.95, rounds: int = ROUNDS, seed: int = 0
) -> Interval:
    """Any metric, as a function of row numbers, with a percentile interval; for a paired difference pass
    `lambda rows: score(truth[rows], new[rows]) - score(truth[rows], old[rows])`.

    Resamples on which the metric is undefined (NaN: one class only) are left out. Beyond 50 000 rows the
    delete-a-group jackknife (Kott 2001) with 100 groups: variance (g-1)/g · Σ(θ₋ⱼ - mean θ₋)²."""
    if rows < 2:
        raise BadInput(f"An interval needs at least 2 rows; got {rows}. Use a larger test part.")
    generator, everything = np.random.default_rng(seed), np.arange(rows)
    value = float(metric(everything))
    if rows > MANY:
        groups = generator.permutation(rows) % GROUPS
        left = np.array([metric(everything[groups != group]) for group in range(GROUPS)])
        return _normal(value, math.sqrt((GROUPS - 1) / GROUPS * float(((left - left.mean()) ** 2).sum())), confidence)
    values = np.array([metric(generator.integers(0, rows, rows)) for _ in range(rounds)])
    return _percentile(value, values, confidence)


def delong(truth: Values, score: Values, confidence: float = 0.95) -> Interval:
    """AUC of one score (truth 0/1) with the interval of DeLong, DeLong & Clarke-Pearson 1988."""
    areas, covariance = _delong(truth, np.asarray(score)[None, :])
    interval = _normal(float(areas[0]), math.sqrt(max(float(covariance[0, 0]), 0.0)), confidence)
    return Interval(low=max(interval.low, 0.0), value=interval.value, high=min(interval.high, 1.0))


def delong_difference(truth: Values, candidate: Values, opponent: Values, confidence: float = 0.95) -> Interval:
    """AUC(candidate) - AUC(opponent) on the same rows; variance V₁₁ + V₂₂ - 2·V₁₂ (DeLong et al. 1988)."""
    areas, covariance = _delong(truth, np.vstack([candidate, opponent]))
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    return _normal(float(areas[0] - areas[1]), math.sqrt(max(variance, 0.0)), confidence)


def rows_needed(difference: Interval, rows: int, margin: float, confidence: float = 0.95) -> int | None:
    """Rows that would settle an open comparison (not worse by more than `margin`, or worse) if the difference stays.

    The half-width shrinks as 1/√n, and must reach the distance to the nearer bound; the factor
    ((z + z_power) / z)² makes 4 of 5 such trials succeed (Chow, Shao & Wang 2008, §3.2). None: no number would do."""
    distance = max(difference.value + margin, -difference.value)
    half = (difference.high - difference.low) / 2
    if distance <= 0 or not math.isfinite(half):
        return None
    normal = NormalDist()
    z = normal.inv_cdf((1 + confidence) / 2)
    return math.ceil(rows * (half / distance) ** 2 * ((z + normal.inv_cdf(POWER)) / z) ** 2)


def _delong(truth: Values, scores: Values) -> tuple[Values, Values]:
    """Areas [k] and their covariance [k, k] by midranks (Sun & Xu 2014): O(n log n), not O(n²)."""
    positive = np.asarray(truth).astype(bool)
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if ones < 2 or zeros < 2:
        raise BadInput(
            f"AUC needs at least 2 rows of each class; got {ones} positive and {zeros} negative. Use more test rows."
        )
    if scores.shape[1] != len(positive):
        raise BadInput(f"AUC needs one score per row; got {scores.shape[1]} scores for {len(positive)} rows.")
    ranks = np.array([_midranks(row) for row in scores])
    of_ones = (ranks[:, positive] - np.array([_midranks(row) for row in scores[:, positive]])) / zeros
    of_zeros = 1 - (ranks[:, ~positive] - np.array([_midranks(row) for row in scores[:, ~positive]])) / ones
    covariance = np.atleast_2d(np.cov(of_ones)) / ones + np.atleast_2d(np.cov(of_zeros)) / zeros
    return of_ones.mean(axis=1), covariance


def _midranks(values: Values) -> Values:
    """Ranks from 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse])


def _rows_of(losses: Values) -> Values:
    losses = np.asarray(losses, dtype=np.float64)
    if losses.ndim != 1 or len(losses) < 2 or not np.isfinite(losses).all():
        raise BadInput(
            f"An interval needs at least 2 finite losses, one per row; got shape {losses.shape} with "
            f"{int((~np.isfinite(losses)).sum())} not finite. Use a larger test part, or mend the scores."
        )
    return losses


def _normal(value: float, error: float, confidence: float) -> Interval:
    half = NormalDist().inv_cdf((1 + confidence) / 2) * error
    return Interval(low=value - half, value=value, high=value + half)


def _percentile(value: float, values: Values, confidence: float) -> Interval:
    defined = values[np.isfinite(values)]
    if not math.isfinite(value) or len(defined) < len(values) / 2:
        raise BadInput(
            f"The metric is undefined on {len(values) - len(defined)} of {len(values)} resamples of the test rows "
            "(one class only?). Use a larger test part."
        )
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(low=float(low), value=value, high=float(high))
