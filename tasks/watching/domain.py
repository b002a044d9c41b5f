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
MOST_PRODUCTS = 100
FOLDS = 3
ROUNDS = 50
FLOOR = 0.51
CONFIDENCE = 0.98  # two-sided: the lower bound alone is at 99 %
SOME = 3
# coarse bins: a finer decimal grid alone is no drift
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
    """Out-of-fold AUC of a small LightGBM with the interval of DeLong."""
    before, after = (np.column_stack([getattr(pair, side) for pair in pairs]) for side in ("reference", "window"))
    rows, truth, folds = mixed(before, after, most)
    owners = [(pair.name,) for pair in pairs]
    kinds = {pair.name: pair.kind for pair in pairs}
    levels = [index for index, (name,) in enumerate(owners) if kinds[name] == "level"]
    single = [index for index, (name,) in enumerate(owners) if kinds[name] in ("number", "text")]
    products, made_of = _products(rows[:, single])
    scores, gains = _out_of_fold(np.hstack([rows, products]), truth, folds, levels)
    every = owners + [(owners[single[a]][0], owners[single[b]][0]) for a, b in made_of]
    return Joint(auc=delong(truth, scores, confidence=CONFIDENCE), columns=_foremost(every, gains))


def mixed(reference: Values, window: Values, most: int) -> tuple[Values, Values, NDArray[np.uint64]]:
    """At most so many rows of each, whether each is the window's (1.0), and the fold of each.

    Rows are ordered and put into folds by a hash of their content: the answer does not depend on their order, and
    equal rows never stand on both sides of a fold."""
    sides = [_lowest(side, most) for side in (reference, window)]
    rows = np.vstack(sides)
    truth, hashes = np.repeat([0.0, 1.0], [len(side) for side in sides]), _hashes(rows)
    order = np.argsort(hashes, kind="stable")
    return rows[order], truth[order], hashes[order] % np.uint64(FOLDS)


def _lowest(rows: Values, most: int) -> Values:
    """The rows with the lowest hashes: as good as drawn by chance, and the same ones in any order."""
    return rows[np.argsort(_hashes(rows), kind="stable")[:most]]


def _products(columns: Values) -> tuple[Values, list[tuple[int, int]]]:
    """Products of centred ranks of two columns, the most correlated pairs first.

    A correlation that changes moves the mean of a product, and trees find means far sooner than interactions. The
    pairs are chosen on both sides together, so that the choice tells nothing about the sides."""
    ranks = stats.rankdata(columns, axis=0, nan_policy="omit") / len(columns)
    ranks -= np.nanmean(ranks, axis=0)
    filled = np.nan_to_num(ranks)
    lengths = np.maximum(np.linalg.norm(filled, axis=0), 1e-12)
    related = np.abs(filled.T @ filled / np.outer(lengths, lengths)).round(6)
    pairs = sorted(combinations(range(columns.shape[1]), 2), key=lambda pair: -related[pair])[:MOST_PRODUCTS]
    first, second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return ranks[:, first] * ranks[:, second], pairs


def _out_of_fold(rows: Values, truth: Values, folds: NDArray[np.uint64], levels: list[int]) -> tuple[Values, Values]:
    """A score of each row by a model that was not trained on it, and the gain of each feature over all models."""
    scores, gains = np.zeros(len(rows)), np.zeros(rows.shape[1])
    for fold in range(FOLDS):
        rest, held = folds != fold, folds == fold
        if not held.any() or not 0 < truth[rest].sum() < rest.sum():  # a few rows, again and again
            continue
        data = lightgbm.Dataset(rows[rest], truth[rest], categorical_feature=levels, params=PARAMETERS)
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
