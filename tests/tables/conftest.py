"""A small table with every kind of column, and what a flow makes of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tasks.artifacts import Artifact, Store
from tasks.sources.contracts import Column, Contract
from tasks.sources.frames import put_table
from tasks.tables import (
    baseline,
    booster,
    choose,
    encoding,
    evaluation,
    features,
    linear,
    release_folder,
    scoring,
    splits,
)
from tasks.tables.evaluation import Evaluation
from tasks.tables.specs import SplitSpec, Subject, Task, Training

CONTRACT = Contract(
    columns={
        "id": Column(dtype="str", unique=True),
        "month": Column(dtype="str"),
        "size": Column(dtype="float", nullable=True),
        "rooms": Column(dtype="int", min=0),
        "town": Column(dtype="str", nullable=True, levels=["Ely", "Bath", "York", "Hove"]),
        "new": Column(dtype="bool"),
        "built": Column(dtype="date"),
        "target": Column(dtype="float"),
    }
)
METRIC: dict[Task, str] = {"regression": "mae", "binary": "auc", "multiclass": "log_loss"}


def houses(rows: int = 600, task: Task = "regression", seed: int = 0) -> pa.Table:
    """Prices that follow size, rooms, town and age; by task also dear or not, or one of three bands."""
    random = np.random.default_rng(seed)
    size, rooms = random.uniform(30, 200, rows).round(1), random.integers(1, 7, rows)
    town, new = random.choice(["Ely", "Bath", "York"], rows), random.random(rows) < 0.3
    built = np.datetime64("1970-01-01") + random.integers(0, 18_000, rows).astype("timedelta64[D]")
    worth = size / 40 + 0.3 * rooms + 1.2 * (town == "Bath") + 0.5 * new + 0.5 * random.standard_normal(rows)
    bands = np.digitize(worth, [3.5, 5.0])
    target = {"regression": worth, "binary": worth > 4.5, "multiclass": np.array(["low", "mid", "high"])[bands]}[task]
    return pa.table(
        {
            "id": [f"{number:05}" for number in range(rows)],
            "month": [f"2024-{1 + number * 6 // rows:02}" for number in range(rows)],
            "size": pa.array([None if number % 25 == 3 else value for number, value in enumerate(size.tolist())]),
            "rooms": pa.array(rooms, pa.int64()),
            "town": pa.array([None if number % 40 == 5 else value for number, value in enumerate(town.tolist())]),
            "new": pa.array(new),
            "built": pa.array(built.astype("datetime64[us]")),
            "target": pa.array(target.tolist()),
        }
    )


@dataclass(frozen=True)
class Trained:
    """A release and everything on its way."""

    table: Artifact
    subject: Subject
    features: Artifact
    split: Artifact
    booster: Artifact
    linear: Artifact
    baseline: Artifact
    choice: choose.Choice
    scores: Artifact
    baseline_scores: Artifact
    evaluation: Evaluation
    release: Artifact


def train(table: pa.Table, task: Task, seed: int = 0, **own: Any) -> Trained:
    """The flow's steps in order, without Prefect; `own` may be `function` and `code`."""
    stored, subject = put_table("tables", table), Subject(target="target", task=task, carried=("month",))
    training = Training(metric=METRIC[task], seed=seed)
    made = features.build("houses", stored, subject, ("id",), **own)
    split = splits.split(stored, subject, SplitSpec(), ("id",)).artifact
    transform = encoding.learn(made, split, subject)
    boosted = booster.fit(made, split, transform, subject, training)
    line = linear.fit(made, split, transform, subject, training)
    floor = baseline.fit(made, split, transform, subject, training)
    choice = choose.choose([boosted, line], floor)
    scores = scoring.score(choice.model, made, split)
    evaluated = evaluation.evaluate(scores, stored, subject, ("town",))
    folder = release_folder.assemble(
        release_folder.Made(
            release="houses",
            key="k1",
            model=choice.model,
            table=stored,
            split=split,
            contract=CONTRACT,
            subject=subject,
            drop=("id",),
            **own,
        ),
        evaluated,
    )
    below = scoring.score(floor, made, split)
    return Trained(stored, subject, made, split, boosted, line, floor, choice, scores, below, evaluated, folder)


@pytest.fixture(params=["regression", "binary", "multiclass"])
def trained(store: Store, request: pytest.FixtureRequest) -> Trained:
    return train(houses(task=request.param), request.param)
