"""Joint drift: can a classifier tell rows of the window from rows of the reference? What single columns cannot show."""

from collections.abc import Sequence

import lightgbm
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from tasks.statistics import Interval, delong
from tasks.watching.columns import Pair, Values

MOST = 10_000  # rows a side
FOLDS = 3
ROUNDS = 50
FLOOR = 0.52
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
    "feature_fraction": 0.7,
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
        return f"the columns together tell the sides apart: AUC {self.auc}, mostly by {', '.join(self.columns)}"


def joint(pairs: Sequence[Pair]) -> Joint:
    """Out-of-fold AUC of a small LightGBM with the interval of DeLong.

    Rows are ordered and put into folds by a hash of their content: the answer does not depend on their order, and
    equal rows never stand on both sides of a fold."""
    sides = [np.column_stack([getattr(pair, side) for pair in pairs]) for side in ("reference", "window")]
    hashes = [_hashes(side) for side in sides]
    kept = [np.argsort(keys, kind="stable")[:MOST] for keys in hashes]
    rows = np.vstack([side[keep] for side, keep in zip(sides, kept, strict=True)])
    keys = np.concatenate([found[keep] for found, keep in zip(hashes, kept, strict=True)])
    truth = np.repeat([0.0, 1.0], [len(keep) for keep in kept])
    order = np.argsort(keys, kind="stable")
    names = [pair.name for pair in pairs for _ in range(pair.reference[:1].size)]
    levels = [index for index, name in enumerate(names) for pair in pairs if pair.name == name and pair.kind == "level"]
    scores, gains = _out_of_fold(rows[order], truth[order], (keys[order] >> np.uint64(7)) % FOLDS, levels)
    by_column = {pair.name: float(gains[[name == pair.name for name in names]].sum()) for pair in pairs}
    first = sorted(by_column, key=lambda name: (-by_column[name], name))[:SOME]
    return Joint(auc=delong(truth[order], scores, confidence=CONFIDENCE), columns=tuple(first))


def _out_of_fold(rows: Values, truth: Values, folds: NDArray[np.uint64], levels: list[int]) -> tuple[Values, Values]:
    """A score of each row by a model that was not trained on it, and the gain of each feature over all models."""
    scores, gains = np.zeros(len(rows)), np.zeros(rows.shape[1])
    for fold in range(FOLDS):
        rest, held = folds != fold, folds == fold
        data = lightgbm.Dataset(rows[rest], truth[rest], categorical_feature=levels, params=PARAMETERS)
        model = lightgbm.train(PARAMETERS, data, ROUNDS)
        scores[held] = model.predict(rows[held], num_threads=1)
        gains += model.feature_importance("gain")
    return scores, gains


def _hashes(rows: Values) -> NDArray[np.uint64]:
    """64 bits of each row's content (FNV-1a over 64-bit words, with a shift that mixes high bits down)."""
    words = np.ascontiguousarray(rows + 0.0).view(np.uint64)  # + 0.0: -0.0 is 0.0
    found = np.full(len(rows), 14695981039346656037, np.uint64)
    for column in words.T:
        found = (found ^ column) * np.uint64(1099511628211)
        found ^= found >> np.uint64(29)
    return found
