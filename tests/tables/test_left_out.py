"""A candidate whose data leave out rows that the champion knows is asked about these, too."""

import pyarrow as pa
import pyarrow.compute as pc

from tasks.artifacts import Artifact, Store
from tasks.registry.gate import Check
from tasks.tables import features, scoring
from tasks.tables.fairness import Ground, Side
from tasks.tables.left_out import left_out, left_out_check
from tasks.tables.specs import TabularRecipe
from tests.tables.conftest import Trained, houses, train


def turned(rows: int) -> pa.Table:
    """A later month in which dear houses are cheap."""
    late = houses(rows, seed=5)
    late = late.set_column(7, "target", pa.array((10 - late["target"].to_numpy()).tolist()))
    late = late.set_column(0, "id", pa.array([f"n{number}" for number in range(rows)]))
    return late.set_column(1, "month", pa.array(["2025-01"] * rows))


def ground(made: Trained, time: str | None = "month") -> Ground:
    return Ground(snapshot="v1", table=made.table, split=made.split, time=time)


def scores(made: Trained, on: Trained) -> Artifact:
    return scoring.score(made.release, features.rebuild(on.table, made.release), on.split)


def checked(candidate: Trained, champion: Trained) -> list[Check]:
    recipe = TabularRecipe.model_validate(
        {"name": "houses", "dataset": "houses", "target": "target", "task": "regression", "metric": "mae"}
    )
    sides = [
        Side(version=name, scores=scores(made, champion))
        for name, made in (("2", candidate), ("champion v1", champion))
    ]
    return left_out_check(recipe, candidate.subject, ground(candidate), ground(champion), *sides)


def test_a_training_without_the_newest_rows_is_found_out(store: Store) -> None:
    whole = train(pa.concat_tables([houses(800), turned(800)]), "regression")
    old = train(houses(800), "regression")
    (check,) = checked(old, whole)
    assert not check.ok and check.number is not None and check.number < 0
    missing = int(left_out(ground(old), ground(whole)).sum())
    assert missing > 100 and f"leaves out {missing} rows" in check.text


def test_nothing_is_left_out_where_rows_came(store: Store) -> None:
    whole = train(pa.concat_tables([houses(800), turned(800)]), "regression")
    assert checked(whole, train(houses(800), "regression")) == []


def test_months_that_are_past_may_go(store: Store) -> None:
    every = houses(800)
    recent = train(every.filter(pc.greater(every["month"], "2024-02")), "regression")
    assert left_out(ground(recent), ground(train(every, "regression"))).sum() == 0


def test_without_a_time_or_with_other_values_nobody_can_tell(store: Store) -> None:
    whole = train(pa.concat_tables([houses(800), turned(800)]), "regression")
    old = train(houses(800), "regression")
    assert left_out(ground(old, None), ground(whole)).sum() == 0
    other = train(houses(800, seed=9), "regression")
    assert left_out(ground(other), ground(old)).sum() == 0
