"""Optuna's search for a booster's parameters, when `trials` asks for it; judged by the recipe's metric."""

from typing import Any, Literal

import numpy as np
from pydantic import BaseModel

from tasks.artifacts import Artifact
from tasks.tables.arrays import encoded, parts_of
from tasks.tables.booster import profile, stopped_early
from tasks.tables.link import link
from tasks.tables.metrics import higher_is_better, value
from tasks.tables.specs import Subject, Training


class Found(BaseModel, frozen=True):
    """The best parameters, their score on the validation part, and every trial in order."""

    parameters: dict[str, float | int | str | bool]
    score: float
    trials: tuple[dict[str, float | int], ...]


def search(
    features: Artifact, split: Artifact, transform: Artifact, subject: Subject, training: Training, trials: int
) -> Found:
    """`trials` fits by a seeded TPE; the first is the default profile, so that the search never ends below it."""
    import optuna

    learned, inputs, target, classes = encoded(features, subject, transform)
    parts = parts_of(split)
    train, valid = parts == "train", parts == "valid"
    options = profile((int((train | valid).sum()), inputs.shape[1]), subject, training, len(classes))

    def score(trial: optuna.Trial) -> float:
        tried = {**options, **_suggest(trial), **training.parameters}
        booster = stopped_early(
            (inputs[train], target[train]), (inputs[valid], target[valid]), tried, learned.categorical
        )
        raw = np.asarray(booster.predict(inputs[valid], raw_score=True)).reshape(int(valid.sum()), -1)
        return value(training.metric, target[valid], link(subject.task, raw))

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    direction: Literal["maximize", "minimize"] = "maximize" if higher_is_better(training.metric) else "minimize"
    study = optuna.create_study(direction=direction, sampler=optuna.samplers.TPESampler(seed=training.seed))
    study.enqueue_trial({name: options[name] for name in _ranges() if name in options})
    study.optimize(score, n_trials=trials)
    told = tuple({**trial.params, "score": float(trial.value or 0.0)} for trial in study.trials)
    return Found(parameters=study.best_params, score=study.best_value, trials=told)


def _ranges() -> dict[str, tuple[float, float, bool]]:
    """Low, high and whether the scale is logarithmic."""
    return {
        "learning_rate": (0.01, 0.1, True),
        "num_leaves": (4, 64, True),
        "min_data_in_leaf": (5, 100, True),
        "feature_fraction": (0.3, 1.0, False),
        "bagging_fraction": (0.5, 1.0, False),
        "lambda_l2": (0.01, 50.0, True),
    }


def _suggest(trial: Any) -> dict[str, float | int]:
    whole = ("num_leaves", "min_data_in_leaf")
    return {
        name: trial.suggest_int(name, low, high, log=log)
        if name in whole
        else trial.suggest_float(name, low, high, log=log)
        for name, (low, high, log) in _ranges().items()
    }
