"""Behavioural tests of a built release: what must not matter, what must push which way, what is plainly so."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks.errors import BadInput
from tasks.registry.gate import Check
from tasks.tables.predictor import Predictor
from tasks.tables.requests import Row
from tasks.tables.specs import Behaviour, Direction, Invariance, Minimum
from tasks.tables.transform import Matrix

EQUAL = 1e-9


def behave(predictor: Predictor, rows: list[Row], tests: Sequence[Behaviour]) -> list[Check]:
    """One check per test; `rows` are real requests, and scores are predictions or the positive class's probability."""
    return [_one(predictor, rows, test) for test in tests]


def _one(predictor: Predictor, rows: list[Row], test: Behaviour) -> Check:
    if isinstance(test, Minimum):
        return _minimum(predictor, test)
    numbers = {field.name: field.dtype in ("float", "int") for field in predictor.schema}
    if test.column not in numbers or (isinstance(test, Direction) and not numbers[test.column]):
        wanted = "a number among the inputs" if isinstance(test, Direction) else "an input"
        raise BadInput(
            f"The behaviour test {test.kind} names {test.column!r}, which is not {wanted}; correct the recipe."
        )
    return _invariance(predictor, rows, test) if isinstance(test, Invariance) else _direction(predictor, rows, test)


def _invariance(predictor: Predictor, rows: list[Row], test: Invariance) -> Check:
    before = scores(predictor, rows)
    moves = [np.abs(scores(predictor, [{**row, test.column: value} for row in rows]) - before) for value in test.values]
    worst = max(float(move.mean()) for move in moves)
    return Check(
        name=f"invariance {test.column}",
        number=worst,
        bound=f"<= {test.tolerance:g}",
        ok=worst <= test.tolerance,
        text=f"Changing {test.column} moves the score by {worst:.3g} on average over {len(rows)} rows.",
    )


def _direction(predictor: Predictor, rows: list[Row], test: Direction) -> Check:
    known = [row for row in rows if row[test.column] is not None]
    sign = 1 if test.expect == "up" else -1
    changed = [{**row, test.column: row[test.column] + test.add} for row in known]
    moved = scores(predictor, changed) - scores(predictor, known)
    share = float(np.mean(sign * moved >= -EQUAL)) if known else 0.0
    return Check(
        name=f"direction {test.column}",
        number=share,
        bound=f">= {test.share:g}",
        ok=share >= test.share,
        text=f"{test.add:+g} {test.column} moves the score {test.expect}, or not, in {share:.1%} of {len(known)} rows.",
    )


def _minimum(predictor: Predictor, test: Minimum) -> Check:
    score = float(scores(predictor, [test.row])[0])
    low, high = (-np.inf if test.low is None else test.low), (np.inf if test.high is None else test.high)
    return Check(
        name=f"minimum {test.name}",
        number=score,
        bound=f"{low:g} to {high:g}",
        ok=low <= score <= high,
        text=f"The plain case {test.name!r} scores {score:.3g}.",
    )


def scores(predictor: Predictor, rows: list[Row]) -> Matrix:
    """A number per row: the value, the positive class's probability, or the likeliest class's."""
    answers = predictor.predict(rows)
    return np.array([_number(answer) for answer in answers], dtype=np.float64)


def _number(answer: dict[str, Any]) -> float:
    if "probabilities" in answer:
        return float(max(answer["probabilities"].values()))
    return float(answer.get("probability", answer["prediction"]))
