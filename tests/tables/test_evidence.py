from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tasks.artifacts import Artifact, Store
from tasks.errors import BadInput
from tasks.registry.gate import BASELINE, Evidence, decide
from tasks.sources.frames import put_table, read_table
from tasks.statistics import Interval
from tasks.tables import features, plots, scoring, splits
from tasks.tables.evaluation import scored
from tasks.tables.evidence import as_served, gather
from tasks.tables.fairness import Ground, Side, compared, met, seen
from tasks.tables.metrics import measure
from tasks.tables.specs import SplitSpec, TabularRecipe
from tests.tables.conftest import METRIC, Trained, houses, train


def recipe(made: Trained, **own: Any) -> TabularRecipe:
    common = {"name": "houses", "dataset": "houses", "target": "target", "task": made.subject.task, "drop": ["id"]}
    return TabularRecipe.model_validate(common | {"metric": METRIC[made.subject.task], "slices": ["town"], **own})


def first(made: Trained, **own: Any) -> Evidence:
    """The evidence of a first version."""
    ground = Ground(snapshot="v1", table=made.table, split=made.split, time="month")
    return gather(
        recipe(made, **own),
        made.subject,
        ground,
        Side(version="1", scores=made.scores, trained=made.split),
        Side(version=BASELINE, scores=made.baseline_scores, trained=made.split),
        as_served(recipe(made, **own), ground, made.release),
        refusal=made.choice.refusal,
    )


def against(champion: Trained, candidate: Trained, **own: Any) -> Evidence:
    """The evidence of a candidate beside a champion that was trained on an earlier snapshot."""
    rebuilt = features.rebuild(candidate.table, champion.release)
    side = Side(
        version="champion v1",
        scores=scoring.score(champion.release, rebuilt, candidate.split),
        trained=champion.split,
        table=champion.table,
    )
    ground = Ground(snapshot="v2", table=candidate.table, split=candidate.split, time="month")
    return gather(
        recipe(candidate, **own),
        candidate.subject,
        ground,
        Side(version="2", scores=candidate.scores, trained=candidate.split),
        side,
        as_served(recipe(candidate, **own), ground, candidate.release),
        [side],
    )


def test_a_first_version_stands_beside_the_baseline(store: Store, trained: Trained) -> None:
    evidence = first(trained)
    assert evidence.difference.low > 0 and evidence.against_best is None
    assert evidence.rows == trained.evaluation.rows
    assert evidence.candidate_metrics == trained.evaluation.metrics
    assert decide(evidence, recipe(trained)).promote


def test_floors_slices_behaviour_and_budgets_are_checked(store: Store) -> None:
    made = train(houses(900), "regression")
    own = {
        "floors": {"mae": 1.0, "r2": 0.99},
        "slice_floors": {"mae": 1.0},
        "budgets": {"latency_ms": 50, "size_mb": 0.001},
        "behaviour": [
            {"kind": "direction", "column": "size", "add": 60, "expect": "up"},
            {"kind": "direction", "column": "rooms", "add": 2, "expect": "down"},
            {"kind": "invariance", "column": "town", "values": ["Bath", "York"], "tolerance": 0.1},
            {
                "kind": "minimum",
                "name": "a palace",
                "row": {"size": 199, "rooms": 6, "town": "Bath", "new": True},
                "low": 5,
            },
        ],
    }
    found = {check.name: check.ok for check in first(made, **own).checks}
    assert found == {
        "floor mae": True,
        "floor r2": False,
        "slice town=Bath mae": True,
        "slice town=Ely mae": True,
        "slice town=York mae": True,
        "slices town": True,
        "direction size": True,
        "direction rooms": False,
        "invariance town": False,
        "minimum a palace": True,
        "size": False,
        "latency": True,
    }


def test_a_behaviour_test_of_no_input_is_told(store: Store) -> None:
    made = train(houses(300), "regression")
    with pytest.raises(BadInput, match="direction names 'town', which is not a number among the inputs"):
        first(made, behaviour=[{"kind": "direction", "column": "town", "add": 1, "expect": "up"}])


def test_a_version_beside_itself_is_not_called_better(store: Store) -> None:
    made = train(houses(600, "binary"), "binary")
    decision = decide(against(made, made), recipe(made))
    assert decision.verdict != "better"


def test_a_retraining_on_shifted_rows_is_better_on_the_newest_snapshot(store: Store) -> None:
    old = houses(800)
    late = houses(800, seed=5)
    turned = pa.array((10 - late["target"].to_numpy()).tolist())
    late = late.set_column(7, "target", turned).set_column(1, "month", pa.array(["2025-01"] * 800))
    late = late.set_column(0, "id", pa.array([f"n{number}" for number in range(800)]))
    champion, candidate = train(old, "regression"), train(pa.concat_tables([old, late]), "regression")
    evidence = against(champion, candidate, margin=0.01)
    assert decide(evidence, recipe(candidate, margin=0.01)).verdict == "better"
    newest = next(check for check in evidence.checks if check.name == "newest month")
    assert newest.ok and newest.number is not None and newest.number > 0 and "From month 2025-01 on" in newest.text
    back = against(
        candidate,
        replace(champion, table=candidate.table, split=candidate.split, scores=old_scores(champion, candidate)),
    )
    assert not next(check for check in back.checks if check.name == "newest month").ok
    assert decide(back, recipe(champion)).verdict == "worse"


def old_scores(champion: Trained, candidate: Trained) -> Artifact:
    return scoring.score(champion.release, features.rebuild(candidate.table, champion.release), candidate.split)


def test_rows_that_the_champion_was_trained_on_are_left_out(store: Store) -> None:
    made = train(houses(900), "regression")
    other = put_table("splits", flipped(read_table(made.split)))
    evidence = against(replace(made, split=other), made)
    test = np.array(read_table(made.split)["part"].to_pylist()) == "test"
    shared = test & (np.array(read_table(other)["part"].to_pylist()) == "test")
    assert evidence.rows == shared.sum() < test.sum()


def test_they_are_left_out_after_a_column_was_added_or_removed(store: Store) -> None:
    one, two = (train(table, "regression") for table in (houses(900).drop_columns(["rooms"]), houses(900)))
    parts = [np.array(read_table(made.split)["part"].to_pylist()) for made in (one, two)]
    both = ((parts[0] == "test") & (parts[1] == "test")).sum()
    assert against(one, two).rows == both < (parts[1] == "test").sum()
    side = Side(version="1", scores=two.scores, trained=two.split, table=two.table)
    found = met(Ground(snapshot="v2", table=one.table, split=one.split), side)
    assert (~seen(found, scored(one.scores, one.table, one.subject))).sum() == both


def ground_of(made: Trained) -> Ground:
    return Ground(snapshot="v2", table=made.table, split=made.split, time="month")


def rounded(table: pa.Table) -> pa.Table:
    """The table after an edit of one input, without the column that names its rows."""
    values = pa.array([None if value is None else round(value, -1) for value in table["size"].to_pylist()])
    return table.set_column(table.schema.get_field_index("size"), "size", values)


def test_edited_rows_that_the_champion_was_trained_on_are_left_out(store: Store) -> None:
    table = houses(2000).set_column(0, "id", pa.array(["x"] * 2000))
    one, two = train(table, "regression"), train(rounded(table), "regression")
    parts = [np.array(read_table(made.split)["part"].to_pylist()) for made in (one, two)]
    new = (parts[0] == "test") & (parts[1] == "test")
    evidence = against(one, two)
    assert new.sum() <= evidence.rows <= 1.1 * new.sum() < 0.3 * (parts[1] == "test").sum()
    line = next(check for check in evidence.checks if check.name == "known to champion v1")
    assert line.number == (parts[1] == "test").sum() - evidence.rows and line.bound == "by all columns but size"
    assert "test rows are left out: champion v1 was trained on them" in line.text


def test_by_an_identifier_they_are_left_out_to_the_row(store: Store) -> None:
    one, two = train(houses(2000), "regression"), train(rounded(houses(2000)), "regression")
    parts = [np.array(read_table(made.split)["part"].to_pylist()) for made in (one, two)]
    evidence = against(one, two)
    assert evidence.rows == ((parts[0] == "test") & (parts[1] == "test")).sum()
    assert "by identifier id" in [check.bound for check in evidence.checks]


def test_where_nothing_new_is_left_the_champion_is_not_called_better(store: Store) -> None:
    """It knows the rows, so that it wins on them shows nothing; that it loses would."""
    random = np.random.default_rng(3)
    table = houses(900)
    noise = table.set_column(7, "target", pa.array(random.permutation(table["target"].to_numpy())))
    champion, candidate = train(table, "regression"), train(noise, "regression")
    everywhere = read_table(champion.split).set_column(0, "part", pa.array(["train"] * 900))
    old = replace(champion, table=candidate.table, split=put_table("splits", same_rows(everywhere, candidate)))
    evidence = against(old, replace(candidate, scores=candidate.baseline_scores))
    assert evidence.rows == (np.array(read_table(candidate.split)["part"].to_pylist()) == "test").sum()
    assert evidence.doubt is not None and evidence.doubt.startswith("Only 0 of")
    lost = evidence.model_copy(update={"difference": Interval(low=-2, value=-1, high=-0.5)})
    decision = decide(lost, recipe(candidate))
    assert (decision.verdict, decision.promote, decision.needed_rows) == ("inconclusive", False, None)
    assert "penstock approve" in decision.reasons[0].text
    won = evidence.model_copy(update={"difference": Interval(low=0.5, value=1, high=2)})
    assert decide(won, recipe(candidate)).verdict == "better"


def same_rows(split: pa.Table, made: Trained) -> pa.Table:
    return split.set_column(1, "row", read_table(made.split)["row"])


def test_a_candidate_that_knows_the_test_rows_is_not_compared(store: Store) -> None:
    made = train(houses(600), "regression")
    all_of_it = put_table("splits", read_table(made.split).set_column(0, "part", pa.array(["train"] * 600)))
    knows = Side(version="2", scores=made.scores, trained=all_of_it, table=made.table)
    other = Side(version="champion v1", scores=made.scores)
    with pytest.raises(BadInput, match=r"Only 0 of .* test rows are new to 2 itself"):
        compared(ground_of(made), made.subject, "mae", knows, other)
    half = put_table("splits", flipped(read_table(made.split)))
    side = Side(version="2", scores=made.scores, trained=half, table=made.table)
    fair = compared(ground_of(made), made.subject, "mae", side, other)
    assert 5 < len(fair.ours.target) < made.evaluation.rows and fair.checks[0].name == "known to 2"


def test_slices_without_a_number_are_said_in_one_line(store: Store) -> None:
    made = train(houses(900), "regression")
    checks = first(made, slices=["id", "town"], slice_floors={"mae": 1.0}).checks
    line = next(check for check in checks if check.name == "slices id")
    assert line.ok and line.number == made.evaluation.rows and f"not measured: {made.evaluation.rows} rows" in line.text
    assert sum(check.name.startswith("slices ") for check in checks) == 2


def test_rows_with_equal_inputs_are_one_group_in_the_evidence(store: Store) -> None:
    table = houses(400)
    again = table.set_column(0, "id", pa.array([f"again {number}" for number in range(400)]))
    made = train(pa.concat_tables([table, again]), "regression")
    said = scored(made.scores, made.table, made.subject)
    assert len(said.groups) == 2 * len(np.unique(said.groups))
    blind = measure(["mae"], said.target, said.predictions)["mae"]
    found = first(made).candidate_metrics["mae"]
    assert found.value == blind.value
    assert (found.high - found.low) / (blind.high - blind.low) == pytest.approx(2**0.5, rel=0.1)


def flipped(split: pa.Table) -> pa.Table:
    """The same rows, half of the test part given to training."""
    parts = ["train" if part == "test" and place % 2 else part for place, part in enumerate(split["part"].to_pylist())]
    return split.set_column(0, "part", pa.array(parts))


def test_a_refused_choice_is_a_failed_check(store: Store) -> None:
    made = train(houses(300), "regression")
    refused = replace(made, choice=made.choice.model_copy(update={"refusal": "No model beats the baseline."}))
    decision = decide(first(refused), recipe(made))
    assert not decision.promote and decision.failed[0].text == "No model beats the baseline."


def test_a_time_over_the_budget_is_measured_and_outside_the_digest(store: Store) -> None:
    made = train(houses(300), "regression")
    evidence = first(made, budgets={"latency_ms": 1e-6})
    check = next(check for check in evidence.checks if check.name == "latency")
    assert not check.ok and check.measured and evidence.measured == {"latency": check.number}


def test_an_unknown_slice_is_told(store: Store) -> None:
    made = train(houses(300), "regression")
    with pytest.raises(BadInput, match="`slices` name county, which the data does not have"):
        first(made, slices=["county"])


def test_another_split_of_the_same_rows_is_no_trouble(store: Store) -> None:
    made = train(houses(900), "regression")
    spec = SplitSpec(by="time", column="month")
    moved = splits.split(made.table, made.subject, spec, ("id",)).artifact
    scores = scoring.score(made.choice.model, made.features, moved)
    evidence = against(made, replace(made, split=moved, scores=scores))
    assert 5 <= evidence.rows < 300


def test_the_pictures_of_each_task(store: Store, trained: Trained) -> None:
    folder = store.path(
        plots.draw(trained.choice.model, trained.features, trained.scores, trained.evaluation, trained.subject)
    )
    own = {
        "regression": {"residuals"},
        "binary": {"reliability", "roc", "precision_recall"},
        "multiclass": {"confusion"},
    }
    names = {path.stem for path in folder.glob("*.png")}
    assert names == {"effects", "effect_shapes"} | own[trained.subject.task]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in folder.glob("*.png"))
    again = plots.draw(trained.choice.model, trained.features, trained.scores, trained.evaluation, trained.subject)
    assert store.path(again) == folder
