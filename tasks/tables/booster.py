"""LightGBM: native categories and missing values, stopped early on the validation part, then refitted on both parts."""

import re
import tempfile
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from tasks.artifacts import Artifact, current
from tasks.tables.arrays import encoded, parts_of
from tasks.tables.link import link
from tasks.tables.metrics import value
from tasks.tables.models import Card, write_model
from tasks.tables.specs import Subject, Training
from tasks.tables.transform import Matrix

SMALL = 50_000  # rows up to which LightGBM's own defaults overfit
SMALL_PROFILE = {
    "learning_rate": 0.03,
    "num_leaves": 7,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
}
LARGE_PROFILE = {
    "learning_rate": 0.05,
    "num_leaves": 63,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
}
FEW = 8  # inputs below which half of them per tree would hide what only two together say
MOST_ROUNDS = 3000
ROUNDS = (  # the names that LightGBM takes for the number of rounds; in the parameters they win over the argument
    "num_iterations",
    "num_iteration",
    "n_iter",
    "num_tree",
    "num_trees",
    "num_round",
    "num_rounds",
    "nrounds",
    "num_boost_round",
    "n_estimators",
    "max_iter",
)
PATIENCE = 100
OBJECTIVES = {"mae": ("regression_l1", "l1"), "auc": ("binary", "auc")}
BY_TASK = {
    "regression": ("regression", "l2"),
    "binary": ("binary", "binary_logloss"),
    "multiclass": ("multiclass", "multi_logloss"),
}


def fit(features: Artifact, split: Artifact, transform: Artifact, subject: Subject, training: Training) -> Artifact:
    """A booster as a model folder (kind `models`); its validation score is of the fit that had not seen those rows."""
    learned, inputs, target, classes = encoded(features, subject, transform)
    parts = parts_of(split)
    train, valid = parts == "train", parts == "valid"
    options = profile((int((train | valid).sum()), inputs.shape[1]), subject, training, len(classes))
    first = stopped_early((inputs[train], target[train]), (inputs[valid], target[valid]), options, learned.categorical)
    raw = np.asarray(first.predict(inputs[valid], raw_score=True)).reshape(int(valid.sum()), -1)
    score = value(training.metric, target[valid], link(subject.task, raw))
    whole = _dataset(inputs[train | valid], target[train | valid], learned.categorical)
    final = lightgbm.train(bounded(options)[0], whole, first.best_iteration)
    card = Card(
        family="booster",
        task=subject.task,
        classes=classes,
        metric=training.metric,
        validation=score,
        rounds=first.best_iteration,
        seed=training.seed,
        parameters=options,
    )
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder), card, learned, text_of(final))
        return current().put_folder("models", Path(folder), {"family": "booster", "validation": score})


def profile(shape: tuple[int, int], subject: Subject, training: Training, classes: int) -> dict[str, Any]:
    """The parameters of a fit to [rows, inputs]: the metric's objective, the size's profile, the recipe's own last."""
    objective, metric = OBJECTIVES.get(training.metric, BY_TASK[subject.task])
    fixed = {"objective": objective, "metric": metric, "verbosity": -1, "seed": training.seed}
    same = {"deterministic": True, "force_row_wise": True}
    several = {"num_class": classes} if subject.task == "multiclass" else {}
    size = SMALL_PROFILE if shape[0] <= SMALL else LARGE_PROFILE
    whole = {"feature_fraction": 1.0} if shape[1] < FEW else {}
    return {**size, **whole, **fixed, **same, **several, **training.parameters}


def stopped_early(
    train: tuple[Matrix, Matrix], valid: tuple[Matrix, Matrix], options: dict[str, Any], categorical: list[int]
) -> lightgbm.Booster:
    """Grown until the validation metric has not improved for a while; `best_iteration` says where it was best."""
    data = _dataset(*train, categorical)
    held = lightgbm.Dataset(valid[0], valid[1], reference=data, categorical_feature=categorical, free_raw_data=False)
    stop = lightgbm.early_stopping(PATIENCE, first_metric_only=True, verbose=False)
    left, rounds = bounded(options)
    return lightgbm.train(left, data, rounds, valid_sets=[held], callbacks=[stop])


def bounded(options: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The parameters without the number of rounds, and that number: an upper bound, early stopping decides below it."""
    given = [int(value) for name, value in options.items() if name in ROUNDS]
    return {name: value for name, value in options.items() if name not in ROUNDS}, min(given, default=MOST_ROUNDS)


def text_of(booster: lightgbm.Booster) -> str:
    """LightGBM's text; the number of threads, the one line that differs between machines, is set to the service's."""
    return re.sub(r"\[num_threads: \d+\]", "[num_threads: 1]", booster.model_to_string())


def _dataset(inputs: Matrix, target: Matrix, categorical: list[int]) -> lightgbm.Dataset:
    return lightgbm.Dataset(inputs, target, categorical_feature=categorical, free_raw_data=False)
