"""Rows that the champion was tested on and newer data leaves out: what a candidate never learned shows only there."""

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.registry.gate import Check
from tasks.registry.recipes import Recipe
from tasks.sources.frames import read_table
from tasks.tables.arrays import column_array, parts_of
from tasks.tables.evaluation import FEWEST, measurable, scored
from tasks.tables.fairness import Ground, Side
from tasks.tables.metrics import difference
from tasks.tables.specs import Subject

SAME = 0.5  # share of the champion's rows below which other values, and not other rows, make the difference


def left_out(newest: Ground, older: Ground) -> NDArray[np.bool_]:
    """By their content: test rows of the older data that the newest has in no part, and should have by its time span.

    None without a time, where nobody can tell rows that are missing from rows that are past."""
    there, here = (column_array(read_table(ground.split, ["row"]), "row") for ground in (older, newest))
    gone: NDArray[np.bool_] = ~np.isin(there, here)
    if newest.time is None or gone.mean() > SAME:
        return np.zeros(len(there), dtype=bool)
    before, now = (read_table(ground.table, [newest.time])[newest.time] for ground in (older, newest))
    start = pc.min(now).as_py()
    past = np.array([value is None or start is None or value < start for value in before.to_pylist()])
    return np.asarray(gone & ~past & (parts_of(older.split) == "test"))


def left_out_check(
    recipe: Recipe, subject: Subject, newest: Ground, older: Ground, candidate: Side, champion: Side
) -> list[Check]:
    """Both on the left-out rows, by their scores of the `older` ground: the candidate must not be shown to be worse."""
    ours, theirs = (scored(side.scores, older.table, subject) for side in (candidate, champion))
    inside = left_out(newest, older)[ours.positions]
    ours, theirs = ours.only(inside), theirs.only(inside)
    if inside.sum() < FEWEST or not measurable(recipe.metric, ours):
        return []
    gap = difference(recipe.metric, ours.target, ours.predictions, theirs.predictions, ours.groups)
    text = (
        f"The data leaves out {int(inside.sum())} rows that {champion.version} was tested on, though its times reach "
        f"as far back; on these {recipe.metric} differs by {gap}."
    )
    return [
        Check(
            name="rows left out",
            number=gap.high,
            bound=f">= {-recipe.margin:g}",
            ok=gap.high >= -recipe.margin,
            text=text,
        )
    ]
