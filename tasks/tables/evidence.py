"""The evidence that the gate decides on: candidate and opponent on the same rows, which neither was trained on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel

from tasks.artifacts import Artifact, current
from tasks.errors import BadInput
from tasks.registry.gate import BASELINE, Check, Evidence, floor_check
from tasks.sources.frames import read_table
from tasks.statistics import Interval
from tasks.tables.arrays import column_array, columns_of, parts_of
from tasks.tables.behaviour import behave
from tasks.tables.budgets import check_budgets
from tasks.tables.evaluation import FEWEST, MOST, Scored, measurable, members, scored
from tasks.tables.metrics import difference, higher_is_better, measure
from tasks.tables.predictor import Predictor
from tasks.tables.requests import request_rows
from tasks.tables.specs import METRICS, Subject, TabularRecipe
from tasks.tables.splits import content_hash

ROWS = 200  # real requests for behaviour and latency
FEWEST_FAIR = 5
RECENT = 0.1  # least share of the test rows in the newest window


class Side(BaseModel, frozen=True):
    """A version, or the baseline: its scores on the newest split, and the split (of `table`) it was trained with."""

    version: str
    scores: Artifact
    trained: Artifact | None = None
    table: Artifact | None = None


class Ground(BaseModel, frozen=True):
    """Where the comparison takes place: the newest snapshot's checked table and its split."""

    snapshot: str
    table: Artifact
    split: Artifact
    time: str | None = None


class Facts(BaseModel, frozen=True):
    """What the flow knows: what changed since the champion, and why the choice of model would be refused."""

    data_changed: bool = False
    code_changed: bool = False
    rolled_back: bool = False
    refusal: str | None = None


def gather(
    recipe: TabularRecipe,
    subject: Subject,
    ground: Ground,
    candidate: Side,
    opponent: Side,
    release: Artifact,
    facts: Facts,
    rivals: Sequence[Side] = (),
) -> Evidence:
    """Everything that the gate asks of a tabular candidate; `release` is its folder, `rivals` the last champions."""
    ours, theirs = _fair(ground, subject, candidate, opponent)
    names = METRICS[recipe.task]
    checks = [
        *_choice(facts.refusal),
        *_floors(recipe, ours),
        *_slices(recipe, ground, ours),
        *_newest(recipe, ground, opponent, ours, theirs),
        *_built(recipe, ground, release, ours),
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
        data_changed=facts.data_changed,
        code_changed=facts.code_changed,
        rolled_back=facts.rolled_back,
        against_best=_against_best(recipe, subject, ground, candidate, rivals),
        measured={check.name: check.number for check in checks if check.measured},
    )


def _fair(ground: Ground, subject: Subject, candidate: Side, opponent: Side) -> tuple[Scored, Scored]:
    """Both sides on the test rows that neither has in its own training or validation part, by content."""
    ours = scored(candidate.scores, ground.table, subject)
    theirs = scored(opponent.scores, ground.table, subject)
    if not np.array_equal(ours.positions, theirs.positions):
        raise BadInput(
            f"{candidate.version} and {opponent.version} were scored on different rows; score both on one split."
        )
    fair = _untrained(ground, ours.positions, [candidate, opponent])
    if fair.sum() < FEWEST_FAIR:
        raise BadInput(
            f"Only {int(fair.sum())} of {len(fair)} test rows are new to both {candidate.version} and "
            f"{opponent.version}; keep the split of the recipe as it was, or add rows."
        )
    return ours.only(fair), theirs.only(fair)


def _gap(recipe: TabularRecipe, ours: Scored, theirs: Scored) -> Interval:
    return difference(recipe.metric, ours.target, ours.predictions, theirs.predictions, ours.groups)


def _untrained(ground: Ground, positions: NDArray[Any], sides: Sequence[Side]) -> NDArray[np.bool_]:
    fair = np.ones(len(positions), dtype=bool)
    for side in sides:
        if side.trained is not None and side.trained.digest != ground.split.digest:
            here, there = _hashes(ground, side.trained, side.table)
            fair &= ~np.isin(here[positions], there[parts_of(side.trained) != "test"])
    return fair


def _hashes(ground: Ground, trained: Artifact, table: Artifact | None) -> tuple[NDArray[Any], NDArray[Any]]:
    """What names a row here and where a side was trained: its content, in the columns that both tables have."""
    names = _names(ground.table)
    common = [] if table is None else sorted(names & _names(table))
    if table is None or not common or names == _names(table):
        here, there = (column_array(read_table(split, ["row"]), "row") for split in (ground.split, trained))
        return here, there
    here, there = (content_hash(columns_of(read_table(one, common), common)) for one in (ground.table, table))
    return here, there


def _names(table: Artifact) -> set[str]:
    return set(pq.read_schema(current().path(table)).names)


def _against_best(
    recipe: TabularRecipe, subject: Subject, ground: Ground, candidate: Side, rivals: Sequence[Side]
) -> Interval | None:
    """The difference to the rival that is hardest to beat on these rows."""
    gaps = []
    for rival in rivals:
        ours, theirs = _fair(ground, subject, candidate, rival)
        gaps.append(_gap(recipe, ours, theirs))
    return min(gaps, key=lambda gap: gap.value, default=None)


def _choice(refusal: str | None) -> list[Check]:
    if refusal is None:
        return []
    return [Check(name="beats the baseline", number=None, bound="better on validation", ok=False, text=refusal)]


def _floors(recipe: TabularRecipe, ours: Scored) -> list[Check]:
    found = measure(list(recipe.floors), ours.target, ours.predictions, ours.groups) if recipe.floors else {}
    return [floor_check(name, found[name], bound, higher_is_better(name)) for name, bound in recipe.floors.items()]


def _slices(recipe: TabularRecipe, ground: Ground, ours: Scored) -> list[Check]:
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


def _newest(recipe: TabularRecipe, ground: Ground, opponent: Side, ours: Scored, theirs: Scored) -> list[Check]:
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


def _built(recipe: TabularRecipe, ground: Ground, release: Artifact, ours: Scored) -> list[Check]:
    """The release as it will be served: behaviour, size, latency."""
    folder = current().path(release)
    predictor = Predictor.load(folder)
    picked = ours.positions[np.linspace(0, len(ours.positions) - 1, min(ROWS, len(ours.positions))).astype(int)]
    names = [field.name for field in predictor.schema]
    rows = request_rows(read_table(ground.table, names).take(picked), names)
    return behave(predictor, rows, recipe.behaviour) + check_budgets(folder, predictor, rows, recipe.budgets)
