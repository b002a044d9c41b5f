"""The drift verdict: does a window of served rows still look like the rows that the champion was trained on?

The floors were chosen by simulation on real tables (`just bench drift`; tests/benchmarks/README.md has the rates).
"""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from tasks.watching import domain
from tasks.watching.columns import paired
from tasks.watching.comparing import ColumnTest, corrected, of_nulls, of_values
from tasks.watching.counting import Counted, Rows, counted
from tasks.watching.domain import Joint, joint
from tasks.watching.vectors import apart

FEWEST = 500  # rows of a side
UNTESTED = {
    "time": "time moves on by itself: only its nulls are tested",
    "other": "of a type that is not compared, or of two types: only its nulls are tested",
    "void": "without a value on one side: only its nulls are tested",
}


class Verdict(BaseModel):
    """What was found; `vectors` is about columns of embeddings. Columns that are missing, new or void (without a value
    any more) are faults of the data, and not drift."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = 1
    reference_rows: int
    window_rows: int
    enough: bool
    needed: int
    exceeds: bool
    drifted: tuple[str, ...]
    missing: tuple[str, ...]
    new: tuple[str, ...]
    void: tuple[str, ...]
    untested: dict[str, str]
    tests: tuple[ColumnTest, ...]
    joint: Joint | None
    vectors: tuple[Joint, ...] = ()
    reasons: tuple[str, ...]


def verdict(reference: Rows, window: Rows, joint_rows: int = domain.MOST) -> Verdict:
    """Compare the columns that both have; tables, streams of batches, or what `counted` made of them.

    Rows and nulls are counted on all rows; tests see at most 50 000 seeded ones a side, the classifier `joint_rows` of
    them. The order of columns, and of rows up to so many, does not matter. A window exceeds where one column does, or
    all columns jointly."""
    before, after = counted(reference), counted(window)
    names = sorted({*before.nulls} & {*after.nulls})
    needed = max(0, FEWEST - min(before.rows, after.rows))
    pairs = [] if needed else [paired(name, before, after) for name in names]
    rows = before.rows, after.rows
    tests = [of_values(pair) for pair in pairs if pair.kind in ("number", "level", "text")]
    nulls = {pair.name: (before.nulls[pair.name], after.nulls[pair.name]) for pair in pairs if pair.kind != "vector"}
    tests += [of_nulls(name, counts, rows) for name, counts in nulls.items() if any(counts)]
    features = [pair for pair in pairs if pair.kind not in ("time", "other", "void", "vector")]
    together = [joint(features, joint_rows)] if features else []
    vectors = tuple(apart(pair) for pair in pairs if pair.kind == "vector")
    odd: dict[str, str] = {pair.name: pair.kind for pair in pairs if pair.kind in UNTESTED}
    return _judged(before, after, odd, corrected(tests), together, vectors)


def _judged(
    before: Counted,
    after: Counted,
    odd: Mapping[str, str],
    tests: tuple[ColumnTest, ...],
    together: list[Joint],
    vectors: tuple[Joint, ...],
) -> Verdict:
    exceeding = [test for test in tests if test.exceeds]
    joined = [one for one in (*together, *vectors) if one.exceeds]
    faults = _faults(before, after)
    needed = max(0, FEWEST - min(before.rows, after.rows))
    reasons = [f"columns {fault}: {', '.join(names)}" for fault, names in faults.items() if names]
    if needed:
        side = "window" if after.rows <= before.rows else "reference"
        reasons.append(f"not enough data: {needed} rows are missing to the {FEWEST} that the {side} needs")
    reasons += map(str, [*exceeding, *joined])
    return Verdict(
        reference_rows=before.rows,
        window_rows=after.rows,
        enough=not needed,
        needed=needed,
        exceeds=bool(exceeding or joined),
        drifted=tuple(sorted({test.column for test in exceeding})),
        **faults,
        untested={name: UNTESTED[kind] for name, kind in odd.items()},
        tests=tests,
        joint=together[0] if together else None,
        vectors=vectors,
        reasons=tuple(reasons),
    )


def _faults(before: Counted, after: Counted) -> dict[str, tuple[str, ...]]:
    void = [{name for name, count in side.nulls.items() if 0 < side.rows == count} for side in (before, after)]
    return {
        "missing": tuple(sorted({*before.nulls} - {*after.nulls})),
        "new": tuple(sorted({*after.nulls} - {*before.nulls})),
        "void": tuple(sorted(void[1] - void[0])),
    }


def alarm(exceeded: Sequence[bool], need: int = 2, of: int = 3) -> bool:
    """Whether the latest window and at least `need` of the last `of`, the latest one among them, exceed."""
    recent = list(exceeded)[-of:]
    return bool(recent) and recent[-1] and sum(recent) >= need
