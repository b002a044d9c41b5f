"""Intervals for metrics and for paired differences: what lets the gate tell a better model from a lucky one.

All intervals are two-sided; `value` is the estimate on the rows as they are, and resampling is seeded.
"""

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from tasks.errors import BadInput

Values = npt.NDArray[Any]
Finish = Callable[[Values], Values]  # means of terms [..., m] to the metric [...]

MANY = 50_000  # beyond this many groups the normal interval replaces the bootstrap
ROUNDS = 2_000
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


def intervals(terms: Values, finishes: Sequence[Finish], groups: Values | None = None, seed: int = 0) -> list[Interval]:
    """95 % intervals of functions of the means of per-row terms [n, m]; one resampling serves them all.

    Rows of one group are not independent: whole groups are drawn, and a mean is the sum of their terms by the sum of
    their rows (Davison & Hinkley 1997, §3.8). Percentiles (Efron & Tibshirani 1993, §13.3); beyond 50 000 groups the
    delta method on the groups' sums (the ratio estimator of Cochran 1977, §9A.1)."""
    sums, sizes = _by_group(terms, alike(groups))
    if len(sizes) < 2:
        raise BadInput(
            f"An interval needs at least 2 rows that are not of one group; this part has {len(terms)} rows in "
            f"{len(sizes)} groups. Use a larger test part."
        )
    if not np.isfinite(sums).all():
        raise BadInput("The predictions give losses that are not finite; mend the scores, or the target.")
    centre = terms.mean(axis=0)
    if len(sizes) > MANY:
        return [_delta(sums - sizes[:, None] * centre, len(terms), centre, finish) for finish in finishes]
    means = _resampled(sums, sizes, seed)
    return [_percentiles(float(finish(centre)), finish(means)) for finish in finishes]


def alike(groups: Values | None) -> Values | None:
    """The number of each row's group; None where every row stands alone, and needs no grouping."""
    if groups is None:
        return None
    codes = np.asarray(np.unique(groups, return_inverse=True)[1])
    return None if len(codes) and codes.max() + 1 == len(codes) else codes


def delong(truth: Values, score: Values, groups: Values | None = None, confidence: float = 0.95) -> Interval:
    """AUC of one score (truth 0/1) with the interval of DeLong, DeLong & Clarke-Pearson 1988; where rows come in
    groups, of Obuchowski 1997."""
    areas, covariance = _delong(truth, np.asarray(score)[None, :], alike(groups))
    interval = _normal(float(areas[0]), math.sqrt(max(float(covariance[0, 0]), 0.0)), confidence)
    return Interval(low=max(interval.low, 0.0), value=interval.value, high=min(interval.high, 1.0))


def delong_difference(
    truth: Values, candidate: Values, opponent: Values, groups: Values | None = None, confidence: float = 0.95
) -> Interval:
    """AUC(candidate) - AUC(opponent) on the same rows; variance V₁₁ + V₂₂ - 2·V₁₂ (DeLong et al. 1988)."""
    areas, covariance = _delong(truth, np.vstack([candidate, opponent]), alike(groups))
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    return _normal(float(areas[0] - areas[1]), math.sqrt(max(variance, 0.0)), confidence)


def unseen(interval: Interval, rows: int) -> Interval:
    """The interval where not one of so many rows told the sides apart: what is never seen in n rows happens in up to
    3/n of them, with 95 % confidence (Hanley & Lippman-Hand 1983)."""
    return Interval(low=interval.low - 3 / rows, value=interval.value, high=interval.high + 3 / rows)


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


def wilson(hits: int, count: int, confidence: float = 0.95) -> Interval:
    """A share with the score interval of Wilson 1927; `count` ≥ 1."""
    z, share = _quantile(confidence), hits / count
    middle = (hits + z**2 / 2) / (count + z**2)
    half = z / (count + z**2) * math.sqrt(count * share * (1 - share) + z**2 / 4)
    return Interval(low=max(middle - half, 0.0), value=share, high=min(middle + half, 1.0))


def newcombe(hits: int, count: int, other_hits: int, other_count: int, confidence: float = 0.95) -> Interval:
    """The difference of two shares of independent samples, first - other: the hybrid score interval (Newcombe 1998,
    Statistics in Medicine 17:873, method 10)."""
    one, other = wilson(hits, count, confidence), wilson(other_hits, other_count, confidence)
    value = one.value - other.value
    low = value - math.hypot(one.value - one.low, other.high - other.value)
    high = value + math.hypot(one.high - one.value, other.value - other.low)
    return Interval(low=low, value=value, high=high)


def welch(values: Values, others: Values, confidence: float = 0.95) -> Interval:
    """The difference of the means of two independent samples of at least 2 each, values - others, whose variances may
    differ (Welch 1947; degrees of freedom by Satterthwaite 1946)."""
    from scipy.special import stdtrit

    parts = [float(np.var(side, ddof=1)) / len(side) for side in (values, others)]
    value, variance = float(np.mean(values) - np.mean(others)), sum(parts)
    if not variance:
        return Interval(low=value, value=value, high=value)
    degrees = variance**2 / sum(p**2 / (len(side) - 1) for p, side in zip(parts, (values, others), strict=True))
    half = float(stdtrit(degrees, (1 + confidence) / 2)) * math.sqrt(variance)
    return Interval(low=value - half, value=value, high=value + half)


def _quantile(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _delong(truth: Values, scores: Values, codes: Values | None) -> tuple[Values, Values]:
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
    if codes is not None:
        return of_ones.mean(axis=1), _clustered(of_ones, of_zeros, codes[positive], codes[~positive])
    covariance = np.atleast_2d(np.cov(of_ones)) / ones + np.atleast_2d(np.cov(of_zeros)) / zeros
    return of_ones.mean(axis=1), covariance


def _clustered(of_ones: Values, of_zeros: Values, groups_of_ones: Values, groups_of_zeros: Values) -> Values:
    """The covariance from sums of the placements by group (Obuchowski 1997, eq. 3 to 5); a group may hold both."""
    held = [len(np.unique(groups)) for groups in (groups_of_ones, groups_of_zeros)]
    if min(held) < 2:
        raise BadInput(
            f"AUC needs at least 2 groups with rows of each class; got {held[0]} and {held[1]}. Use more test rows."
        )
    every = np.concatenate([groups_of_ones, groups_of_zeros])
    count, (ones, zeros) = len(np.unique(every)), (of_ones.shape[1], of_zeros.shape[1])
    x, y = np.zeros((2, every.max() + 1, len(of_ones)))
    np.add.at(x, groups_of_ones, (of_ones - of_ones.mean(axis=1, keepdims=True)).T / ones)
    np.add.at(y, groups_of_zeros, (of_zeros - of_zeros.mean(axis=1, keepdims=True)).T / zeros)
    both = x.T @ y
    own = [n / (n - 1) * side.T @ side for n, side in zip(held, (x, y), strict=True)]
    return np.asarray(own[0] + own[1] + count / (count - 1) * (both + both.T))


def _midranks(values: Values) -> Values:
    """Ranks from 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse])


def _normal(value: float, error: float, confidence: float) -> Interval:
    half = NormalDist().inv_cdf((1 + confidence) / 2) * error
    return Interval(low=value - half, value=value, high=value + half)


def _by_group(terms: Values, codes: Values | None) -> tuple[Values, Values]:
    """The sum of the terms [g, m] and the number of rows [g] of each group."""
    if codes is None:
        return terms, np.ones(len(terms))
    sums = np.zeros((codes.max() + 1, terms.shape[1]))
    np.add.at(sums, codes, terms)
    return sums, np.bincount(codes).astype(np.float64)


def _resampled(sums: Values, sizes: Values, seed: int) -> Values:
    """Means of the terms over resamples of the groups, [rounds, m]: a product with the counts of each one's draws."""
    held, generator = len(sizes), np.random.default_rng(seed)
    step, means = max(1, CELLS // held), []
    for start in range(0, ROUNDS, step):
        size = min(step, ROUNDS - start)
        drawn = generator.integers(0, held, (size, held)) + np.arange(size)[:, None] * held
        counts = np.bincount(drawn.ravel(), minlength=size * held).reshape(size, held).astype(np.float64)
        means.append(counts @ sums / (counts @ sizes)[:, None])
    return np.vstack(means)


def _percentiles(centre: float, values: Values) -> Interval:
    low, high = np.quantile(values, [0.025, 0.975])
    return _rounded(float(low), centre, float(high))


def _delta(residuals: Values, rows: int, centre: Values, finish: Finish) -> Interval:
    """value ± 1.96·√(Σ(rg)²)/n over the groups' residuals r, the gradient g by central differences."""
    step = 1e-6 * np.maximum(np.abs(centre), 1e-3)
    moves = np.diag(step)
    gradient = (finish(centre + moves) - finish(centre - moves)) / (2 * step)
    half = 1.959964 * float((residuals @ gradient).std()) * math.sqrt(len(residuals)) / rows
    middle = float(finish(centre))
    return _rounded(middle - half, middle, middle + half)


def _rounded(low: float, centre: float, high: float) -> Interval:
    """To twelve digits: the last ones of a product depend on the number of threads, and digests must not."""
    low, centre, high = (float(f"{number:.12g}") for number in (low, centre, high))
    return Interval(low=low, value=centre, high=high)
