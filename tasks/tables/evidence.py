"""The evidence that the gate decides on: candidate and opponent on the same rows, which neither was trained on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.artifacts import Artifact, current
from tasks.registry.budgets import latency_check, size_check
from tasks.registry.gate import BASELINE, Check, Evidence, floor_check
from tasks.registry.recipes import Recipe
from tasks.sources.frames import read_table
from tasks.statistics import Interval
from tasks.tables.arrays import column_array
from tasks.tables.behaviour import behave
from tasks.tables.evaluation import FEWEST, MOST, Scored, measurable, members
from tasks.tables.fairness import Fair, Ground, Side, compared, tested
from tasks.tables.metrics import difference, higher_is_better, measure
from tasks.tables.predictor import Predictor
from tasks.tables.requests import request_rows
from tasks.tables.specs import METRICS, Subject, TabularRecipe

ROWS = 200  # real requests for behaviour and latency
RECENT = 0.1  # least share of the test rows in the newest window


def gather(
    recipe: Recipe,
    subject: Subject,
    ground: Ground,
    candidate: Side,
    opponent: Side,
    built: Sequence[Check] = (),
    rivals: Sequence[Side] = (),
    refusal: str | None = None,
) -> Evidence:
    """Everything that the gate asks of a candidate that is made of rows; `built` is what the release itself was asked,
    `rivals` are the last champions, `refusal` says why no model of the search is good enough."""
    fair = compared(ground, subject, recipe.metric, candidate, opponent)
    ours, theirs = fair.ours, fair.theirs
    against_best, unfair = _against_best(recipe, subject, ground, candidate, rivals, {opponent.version: fair})
    names = METRICS[subject.task]
    checks = [
        *fair.checks,
        *unfair,
        *_choice(refusal),
        *_floors(recipe, ours),
        *_slices(recipe, ground, ours),
        *([] if fair.doubt else _newest(recipe, ground, opponent, ours, theirs)),
        *built,
    ]
    return Evidence(
        release=recipe.name,
        candidate=candidate.version,
        opponent=opponent.version,
        snapshot=ground.snapshot,
        metric=recipe.metric,
        higher_is_better=higher_is_better(recipe.metric),
        margin=recipe.margin,
        rows=len(ours.target),
        candidate_metrics=measure(names, ours.target, ours.predictions, ours.groups),
        opponent_metrics=measure(names, theirs.target, theirs.predictions, theirs.groups),
        difference=_gap(recipe, ours, theirs),
        checks=checks,
        against_best=against_best,
        doubt=fair.doubt,
        measured={check.name: check.number for check in checks if check.measured},
    )


def _gap(recipe: Recipe, ours: Scored, theirs: Scored) -> Interval:
    return difference(recipe.metric, ours.target, ours.predictions, theirs.predictions, ours.groups)


def _against_best(
    recipe: Recipe,
    subject: Subject,
    ground: Ground,
    candidate: Side,
    rivals: Sequence[Side],
    known: dict[str, Fair],
) -> tuple[Interval | None, list[Check]]:
    """The difference to the rival that is hardest to beat on these rows; those that know the rows are left out."""
    gaps, checks = [], []
    for rival in rivals:
        fair = known.get(rival.version) or compared(ground, subject, recipe.metric, candidate, rival)
        if fair.doubt is None:
            gaps.append(_gap(recipe, fair.ours, fair.theirs))
        else:
            name = f"best of the last without {rival.version}"
            checks.append(Check(name=name, number=None, bound="none", ok=True, text=fair.doubt))
    return min(gaps, key=lambda gap: gap.value, default=None), checks


def _choice(refusal: str | None) -> list[Check]:
    if refusal is None:
        return []
    return [Check(name="beats the baseline", number=None, bound="better on validation", ok=False, text=refusal)]


def _floors(recipe: Recipe, ours: Scored) -> list[Check]:
    found = measure(list(recipe.floors), ours.target, ours.predictions, ours.groups) if recipe.floors else {}
    return [floor_check(name, found[name], bound, higher_is_better(name)) for name, bound in recipe.floors.items()]


def _slices(recipe: Recipe, ground: Ground, ours: Scored) -> list[Check]:
    """The floors of each slice; what cannot be held to them is said in one line per column."""
    checks, left = [], {column: len(ours.target) for column in recipe.slices}
    for column, value, inside in members(ground.table, tuple(recipe.slices), ours.positions):
        rows = ours.only(inside)
        names = [name for name in recipe.slice_floors if measurable(name, rows)]
        found = measure(names, rows.target, rows.predictions, rows.groups)
        left[column] -= len(rows.target) if len(names) == len(recipe.slice_floors) else 0
        checks += [
            floor_check(name, found[name], recipe.slice_floors[name], higher_is_better(name), f"{column}={value}")
            for name in names
        ]
    return checks + [_unmeasured(column, rows) for column, rows in left.items() if rows and recipe.slice_floors]


def _unmeasured(column: str, rows: int) -> Check:
    why = f"values with under {FEWEST} rows, of one class, or beyond the {MOST} commonest"
    text = f"Slices of {column} not measured: {rows} rows of {why}."
    return Check(name=f"slices {column}", number=rows, bound="none", ok=True, text=text)


def _newest(recipe: Recipe, ground: Ground, opponent: Side, ours: Scored, theirs: Scored) -> list[Check]:
    """On the newest window of a dataset with a time the candidate must not be shown to be worse than the champion."""
    if ground.time is None or opponent.version == BASELINE:
        return []
    times = column_array(read_table(ground.table, [ground.time]), ground.time)[ours.positions]
    inside, since = _window(times)
    if inside.sum() < FEWEST or not measurable(recipe.metric, ours.only(inside)):
        return []
    gap = _gap(recipe, ours.only(inside), theirs.only(inside))
    return [
        Check(
            name=f"newest {ground.time}",
            number=gap.high,
            bound=f">= {-recipe.margin:g}",
            ok=gap.high >= -recipe.margin,
            text=f"From {ground.time} {since} on, {recipe.metric} differs by {gap} on {int(inside.sum())} rows.",
        )
    ]


def _window(times: NDArray[Any]) -> tuple[NDArray[np.bool_], str]:
    """Whole moments from the newest back, until they hold a tenth of the rows."""
    known = np.array([value is not None and value == value for value in times.tolist()])
    moments, counts = np.unique(times[known], return_counts=True)
    if not len(moments):
        return known, ""
    place = int(np.searchsorted(np.cumsum(counts[::-1]), RECENT * counts.sum()))
    since = moments[::-1][min(place, len(moments) - 1)]
    inside = known.copy()
    inside[known] = times[known] >= since
    return inside, str(since)


def as_served(recipe: TabularRecipe, ground: Ground, release: Artifact) -> list[Check]:
    """The release folder as it will be served: behaviour, size, latency, on real rows of the test part."""
    folder = current().path(release)
    predictor = Predictor.load(folder)
    names = [field.name for field in predictor.schema]
    rows = request_rows(read_table(ground.table, names).take(tested(ground, ROWS)), names)
    return [
        *behave(predictor, rows, recipe.behaviour),
        *size_check("release", [folder], recipe.budgets),
        *latency_check("prediction", lambda row: predictor.predict([row]), rows, recipe.budgets),
    ]
