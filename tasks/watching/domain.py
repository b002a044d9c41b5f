"""Joint drift: can a classifier tell rows of the window from rows of the reference? What single columns cannot show."""

from collections.abc import Sequence
from itertools import combinations

import lightgbm
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy import stats

from tasks.statistics import Interval, delong
from tasks.watching.columns import Pair, Values

MOST = 10_000  # rows a side
MOST_LEVELS = 20  # of a column
MOST_PRODUCTS = 100
FOLDS = 3
ROUNDS = 50
FLOOR = 0.51
CONFIDENCE = 0.98  # two-sided: the lower bound alone is at 99 %
SOME = 3
PARAMETERS = {
    "objective": "binary",
    "num_leaves": 7,
    "learning_rate": 0.1,
    "max_bin": 31,
    "min_data_in_leaf": 20,
    "lambda_l2": 1.0,
    "feature_fraction": 0.5,
    "seed": 0,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


class Joint(BaseModel):
    """How well the two are told apart on rows that the classifier has not seen, and by which columns mostly."""

    model_config = ConfigDict(frozen=True)

    auc: Interval
    floor: float = FLOOR
    columns: tuple[str, ...]

    @property
    def exceeds(self) -> bool:
        return self.auc.low >= self.floor

    def __str__(self) -> str:
        if len(self.columns) == 1:
            return f"{self.columns[0]} tells the sides apart: AUC {self.auc}"
        return f"the columns together tell the sides apart: AUC {self.auc}, mostly by {', '.join(self.columns)}"


def joint(pairs: Sequence[Pair], most: int = MOST) -> Joint:
    """Out-of-fold AUC of a small LightGBM with the interval of DeLong; it finds other rounding, too."""
    before, after = (
        np.hstack([_features(pair, getattr(pair, side)) for pair in pairs]) for side in ("reference", "window")
    )
    rows, truth = mixed(before, after, most)
    owners = [pair.name for pair in pairs for _ in range(_features(pair, pair.reference[:1]).shape[1])]
    products, made_of = _products(rows, owners)
    scores, gains = _out_of_fold(np.hstack([rows, products]), truth)
    every = [(name,) for name in owners] + [(owners[a], owners[b]) for a, b in made_of]
    return Joint(auc=delong(truth, scores, confidence=CONFIDENCE), columns=_foremost(every, gains))


def mixed(reference: Values, window: Values, most: int) -> tuple[Values, Values]:
    """At most so many rows of each, and whether each is the window's (1.0).

    Rows are ordered by a hash of their content, to be dealt into the folds in turn: their own order does not matter."""
    sides = [_lowest(side, most) for side in (reference, window)]
    rows = np.vstack(sides)
    order = np.argsort(_hashes(rows), kind="stable")
    return rows[order], np.repeat([0.0, 1.0], [len(side) for side in sides])[order]


def _features(pair: Pair, side: Values) -> Values:
    """[n, k]: a number as it is, one column of 0 and 1 for each frequent level."""
    if pair.kind != "level":
        return side.reshape(len(side), -1)
    codes = side[:, None]
    return np.where(np.isnan(codes), np.nan, codes == np.arange(len(pair.levels))[:MOST_LEVELS])


def _lowest(rows: Values, most: int) -> Values:
    """The rows with the lowest hashes: as good as drawn by chance, and the same ones in any order."""
    return rows[np.argsort(_hashes(rows), kind="stable")[:most]]


def _products(columns: Values, owners: Sequence[str]) -> tuple[Values, NDArray[np.int64]]:
    """Products [n, m] of centred ranks of two columns, the most correlated pairs first, and those pairs [m, 2].

    A correlation that changes moves the mean of a product, and trees find means far sooner than interactions. The
    pairs are chosen on both sides together, so that the choice tells nothing about the sides."""
    ranks = stats.rankdata(columns, axis=0, nan_policy="omit") / len(columns)
    ranks -= np.nanmean(ranks, axis=0)
    filled = np.nan_to_num(ranks)
    lengths = np.maximum(np.linalg.norm(filled, axis=0), 1e-12)
    related = np.abs(filled.T @ filled / np.outer(lengths, lengths)).round(6)
    pairs = np.array([pair for pair in combinations(range(len(owners)), 2) if owners[pair[0]] != owners[pair[1]]], int)
    pairs = pairs.reshape(-1, 2)
    chosen = pairs[np.argsort(-related[pairs[:, 0], pairs[:, 1]], kind="stable")[:MOST_PRODUCTS]]
    return ranks[:, chosen[:, 0]] * ranks[:, chosen[:, 1]], chosen


def _out_of_fold(rows: Values, truth: Values) -> tuple[Values, Values]:
    """A score of each row by a model that was not trained on it, and the gain of each feature over all models."""
    scores, gains, folds = np.zeros(len(rows)), np.zeros(rows.shape[1]), np.arange(len(rows)) % FOLDS
    for fold in range(FOLDS):
        rest, held = folds != fold, folds == fold
        data = lightgbm.Dataset(rows[rest], truth[rest], params=PARAMETERS)
        model = lightgbm.train(PARAMETERS, data, ROUNDS)
        scores[held] = model.predict(rows[held], num_threads=1)
        gains += model.feature_importance("gain")
    return scores, gains


def _foremost(owners: Sequence[tuple[str, ...]], gains: Values) -> tuple[str, ...]:
    """The columns with the largest gain; a product's counts half for each of its two."""
    total = dict.fromkeys((name for names in owners for name in names), 0.0)
    for names, gain in zip(owners, gains, strict=True):
        for name in names:
            total[name] += float(gain) / len(names)
    return tuple(sorted(total, key=lambda name: (-total[name], name))[:SOME])


def _hashes(rows: Values) -> NDArray[np.uint64]:
    """64 bits of each row's content (FNV-1a over 64-bit words, with a shift that mixes high bits down)."""
    plain = np.where(np.isnan(rows), np.nan, rows + 0.0)  # one NaN; -0.0 is 0.0
    found = np.full(len(rows), 14695981039346656037, np.uint64)
    for column in np.ascontiguousarray(plain).view(np.uint64).T:
        found = (found ^ column) * np.uint64(1099511628211)
        found ^= found >> np.uint64(29)
    return found
