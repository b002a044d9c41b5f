"""Two versions on the same rows, which neither was trained on: what a comparison may stand on, and what is left out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel

from tasks.artifacts import Artifact, current
from tasks.errors import BadInput
from tasks.registry.gate import Check
from tasks.sources.frames import read_table
from tasks.tables.arrays import column_array, columns_of, parts_of
from tasks.tables.evaluation import Scored, measurable, scored
from tasks.tables.identity import LOST, Mask, Match, match
from tasks.tables.specs import Subject

FEWEST = 5


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


@dataclass(frozen=True)
class Fair:
    """Both sides on the rows that are new to both; with a `doubt`, on rows that may favour the opponent."""

    ours: Scored
    theirs: Scored
    checks: list[Check] = field(default_factory=list)
    doubt: str | None = None


def compared(ground: Ground, subject: Subject, metric: str, candidate: Side, opponent: Side) -> Fair:
    """The test rows that neither side has in its own training or validation part.

    Where too few are left, all of them, with a doubt: the opponent knows some, so only what speaks against it counts.
    """
    ours = scored(candidate.scores, ground.table, subject)
    theirs = scored(opponent.scores, ground.table, subject)
    if not np.array_equal(ours.positions, theirs.positions):
        raise BadInput(
            f"{candidate.version} and {opponent.version} were scored on different rows; score both on one split."
        )
    mine, other = (met(ground, side) for side in (candidate, opponent))
    checks = [line for side, found in ((candidate, mine), (opponent, other)) for line in told(side, found, ours)]
    new = [~seen(found, ours) for found in (mine, other)]
    if _enough(ours.only(new[0] & new[1]), metric):
        fair = new[0] & new[1]
        return Fair(ours.only(fair), theirs.only(fair), checks, _doubt(ground, opponent, other))
    if not _enough(ours.only(new[0]), metric):
        raise BadInput(
            f"Only {int(new[0].sum())} of {len(new[0])} test rows are new to {candidate.version} itself; "
            "keep the split of the recipe as it was, or add rows."
        )
    few = f"only {int(new[1].sum())} of {len(new[1])} test rows are new to {opponent.version}"
    doubt = f"{few[0].upper()}{few[1:]}, too few, so those that it was trained on count too: {ADVICE}"
    return Fair(ours.only(new[0]), theirs.only(new[0]), checks, doubt)


ADVICE = (
    "what speaks for it on them shows nothing. Add rows; give the data a column that names its rows, and split by it "
    "(`split: {by: group, column: NAME}`); or decide yourself, with `penstock approve ... --override`."
)


def met(ground: Ground, side: Side) -> Match:
    """What of the newest table a side was trained or validated on; the tables are read only where rows are missing."""
    if side.trained is None or side.trained.digest == ground.split.digest:
        return Match()
    trained = parts_of(side.trained) != "test"
    held = side.table if side.table is not None and current().whole(side.table) else None
    if held is None or _names(ground.table) == _names(held):
        here, there = (column_array(read_table(split, ["row"]), "row") for split in (ground.split, side.trained))
        kept = float(np.isin(there[trained], here).mean())
        if held is None or kept == 1:
            gone = "the table that it was trained on is gone from the store" if kept < 1 - LOST else None
            return Match({"exact content": np.isin(here, there[trained])}, gone)
    common = sorted(_names(ground.table) & _names(held))
    if not common:
        return Match()
    newer, older = (columns_of(read_table(table, common), common) for table in (ground.table, held))
    return match(newer, older, trained)


def seen(found: Match, test: Scored) -> Mask:
    """Which test rows are among those that were met."""
    inside = np.zeros(len(test.positions), dtype=bool)
    for rows in found.known.values():
        inside |= rows[test.positions]
    return inside


def told(side: Side, found: Match, test: Scored) -> Sequence[Check]:
    """How many rows are left out for a side, and what they were known by."""
    left = int(seen(found, test).sum())
    if not left:
        return []
    ways = {way: int(rows[test.positions].sum()) for way, rows in found.known.items()}
    ranked = sorted((way for way in ways if ways[way]), key=lambda way: -ways[way])
    said = ", ".join(f"{ways[way]} by {way}" for way in ranked[:3])
    more = sum(ways[way] for way in ranked[3:])
    said += f", {more} by other columns" if more else ""
    text = f"{left} of {len(test.positions)} test rows are left out: {side.version} was trained on them ({said})."
    return [Check(name=f"known to {side.version}", number=left, bound=f"by {ranked[0]}", ok=True, text=text)]


def _doubt(ground: Ground, side: Side, found: Match) -> str | None:
    if found.doubtful is None:
        return None
    return (
        f"It cannot be told which rows of {ground.snapshot} {side.version} was trained on: {found.doubtful}; {ADVICE}"
    )


def _enough(rows: Scored, metric: str) -> bool:
    return len(rows.target) >= FEWEST and measurable(metric, rows)


def tested(ground: Ground, most: int) -> NDArray[np.int64]:
    """The places of so many rows of the test part, spread over it."""
    places: NDArray[np.int64] = np.flatnonzero(parts_of(ground.split) == "test")
    return np.asarray(places[np.linspace(0, len(places) - 1, min(most, len(places))).astype(int)])


def _names(table: Artifact) -> set[str]:
    return set(pq.read_schema(current().path(table)).names)
