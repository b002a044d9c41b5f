"""Live quality: the recipe's metric on the answers whose truth is known by now, whole and by slice."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.statistics import Interval
from tasks.tables.metrics import higher_is_better, measure
from tasks.tables.specs import Label
from tasks.watching.windows import Quality, Slice

FEWEST = 30  # labelled rows, of a window or a slice
MOST = 12  # values of a column that are slices

Matrix = NDArray[np.float64]


def live(
    metric: str,
    truth: Matrix,
    said: Matrix,
    promised: Interval | None,
    slices: Mapping[str, Sequence[Any]] | None = None,
) -> Quality | None:
    """The metric of labelled rows, `truth` [n] and predictions `said` [n, k], beside what was promised.

    It is kept unless the whole interval lies on the wrong side of the whole promise. None: too few labels to say."""
    if not _measurable(metric, truth):
        return None
    found = measure([metric], truth, said)[metric]
    parts = [_slice(metric, column, values, truth, said) for column, values in (slices or {}).items()]
    return Quality(
        metric=metric,
        rows=len(truth),
        value=found,
        promised=promised,
        kept=promised is None or _kept(found, promised, higher_is_better(metric)),
        slices=tuple(one for part in parts for one in part),
    )


def encoded(labels: Sequence[Any], classes: Sequence[Label]) -> tuple[Matrix, NDArray[np.bool_]]:
    """Labels as the places of their classes, or as numbers where there are none; and which of them fit."""
    if classes:
        places = {str(one): float(place) for place, one in enumerate(classes)}
        found = [places.get(_text(label), np.nan) for label in labels]
    else:
        found = [float(label) if isinstance(label, int | float) else np.nan for label in labels]
    truth = np.array(found, dtype=np.float64)
    return truth, np.isfinite(truth)


def predictions(outputs: Sequence[dict[str, Any]], classes: Sequence[Label]) -> Matrix:
    """What answers of the log said, [n, k] in the order of the classes."""
    if len(classes) == 2:
        return np.array([[one["probability"]] for one in outputs], dtype=np.float64).reshape(-1, 1)
    if classes:
        return np.array([[one["probabilities"][str(name)] for name in classes] for one in outputs], dtype=np.float64)
    return np.array([[one["prediction"]] for one in outputs], dtype=np.float64).reshape(-1, 1)


def _text(label: Any) -> str:
    """A whole number is written as one, whether it came as 1 or 1.0."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


def _slice(metric: str, column: str, values: Sequence[Any], truth: Matrix, said: Matrix) -> list[Slice]:
    texts = np.array([str(value) for value in values])
    names, counts = np.unique(texts, return_counts=True)
    often = sorted(names[np.argsort(-counts, kind="stable")[:MOST]])
    inside = {str(name): texts == name for name in often}
    return [
        Slice(
            column=column,
            value=name,
            rows=int(rows.sum()),
            metric=measure([metric], truth[rows], said[rows])[metric],
        )
        for name, rows in inside.items()
        if _measurable(metric, truth[rows])
    ]


def _measurable(metric: str, truth: Matrix) -> bool:
    if metric == "auc" and min((truth == 0).sum(), (truth == 1).sum()) < 2:
        return False
    return len(truth) >= FEWEST


def _kept(found: Interval, promised: Interval, higher: bool) -> bool:
    return found.high >= promised.low if higher else found.low <= promised.high
