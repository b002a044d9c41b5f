"""Tests of one column between two samples; each gives an effect, which has a floor, and a p-value, which is corrected.

The floor keeps large windows from exceeding by trifles, the p-value small ones from exceeding by chance.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy import stats

from tasks.watching.columns import Pair, Values

KS_FLOOR = 0.05
PSI_FLOOR = 0.02
RATE = 0.01  # of false discoveries among the columns that exceed


class ColumnTest(BaseModel):
    """One question about one column: did its values move, or its share of nulls?"""

    model_config = ConfigDict(frozen=True)

    column: str
    of: str  # values, nulls
    method: str
    effect: float
    floor: float
    p: float
    corrected: float
    told: str

    @property
    def exceeds(self) -> bool:
        return self.effect >= self.floor and self.corrected <= RATE

    def __str__(self) -> str:
        return f"{self.column}: {self.told} ({self.method} {self.effect:.3g}, corrected p {small(self.corrected)})"


def small(p: float) -> str:
    return f"{p:.2g}" if p >= 1e-9 else "below 1e-9"


def of_values(pair: Pair) -> ColumnTest:
    """Two-sample Kolmogorov-Smirnov for numbers and lengths of text, chi-square of the counts for levels."""
    reference, window = (side[~np.isnan(side)] for side in (pair.reference, pair.window))
    if pair.kind != "level":
        found = stats.ks_2samp(reference, window, method="asymp")
        told = ("length, " if pair.kind == "text" else "") + _moved(reference, window)
        return _test(pair.name, "values", "KS D", float(found.statistic), KS_FLOOR, float(found.pvalue), told)
    counts = np.array([np.bincount(side.astype(int), minlength=len(pair.levels)) for side in (reference, window)])
    shares = counts / counts.sum(axis=1, keepdims=True)
    most = int(np.abs(shares[1] - shares[0]).argmax())
    told = f"{pair.levels[most]!r} {shares[0, most]:.1%} → {shares[1, most]:.1%}"
    return _test(pair.name, "values", "PSI", psi(counts), PSI_FLOOR, independence(counts), told)


def _moved(reference: Values, window: Values) -> str:
    """The medians, or where both are the same the means."""
    name, centre = ("median", np.median) if np.median(reference) != np.median(window) else ("mean", np.mean)
    return f"{name} {centre(reference):.4g} → {centre(window):.4g}"


def of_nulls(name: str, nulls: tuple[int, int], rows: tuple[int, int]) -> ColumnTest:
    counts = np.array([[null, total - null] for null, total in zip(nulls, rows, strict=True)])
    told = f"nulls {nulls[0] / rows[0]:.1%} → {nulls[1] / rows[1]:.1%}"
    return _test(name, "nulls", "PSI", psi(counts), PSI_FLOOR, independence(counts), told)


def _test(column: str, of: str, method: str, effect: float, floor: float, p: float, told: str) -> ColumnTest:
    return ColumnTest(column=column, of=of, method=method, effect=effect, floor=floor, p=p, corrected=p, told=told)


def psi(counts: NDArray[np.int64]) -> float:
    """Population stability index of counts [2, k]: Σ (q - p)·ln(q / p); half a row more in each cell, so that none is
    empty (Siddiqi 2006, §6; Jeffreys' prior)."""
    smooth = counts + 0.5
    shares = smooth / smooth.sum(axis=1, keepdims=True)
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def independence(counts: NDArray[np.int64]) -> float:
    """The p-value of Pearson's chi-square of counts [2, k], cells that are empty on both sides left out."""
    held = counts[:, counts.sum(axis=0) > 0]
    return float(stats.chi2_contingency(held).pvalue) if held.shape[1] > 1 else 1.0


def corrected(tests: Sequence[ColumnTest]) -> tuple[ColumnTest, ...]:
    """Benjamini & Hochberg 1995: `corrected` at most q holds the share of false discoveries to q."""
    if not tests:
        return ()
    values: Values = stats.false_discovery_control([test.p for test in tests])
    return tuple(test.model_copy(update={"corrected": float(p)}) for test, p in zip(tests, values, strict=True))
