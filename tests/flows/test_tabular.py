"""The tabular flow from end to end, on real servers: what runs again, what is promoted, what is refused."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from flows.release import promote, road, roll_back
from flows.tabular_candidate import Model
from tasks import settings
from tasks.errors import BadInput, Refused
from tasks.registry.aliases import Registry
from tasks.settings import ROOT
from tasks.tables.predictor import Predictor
from tests.flows.conftest import CONTRACT, House, loans, spoilt
from tests.receivers import receiving

pytestmark = pytest.mark.timeout(120)

STEPS = [
    "sources.reading.read",
    "tables.contracts.check",
    "tables.features.build",
    "tables.splits.split",
    "tables.encoding.learn",
    "tables.booster.fit",
    "tables.linear.fit",
    "tables.baseline.fit",
    "tables.choose.choose",
    "tables.scoring.score",
    "tables.evaluation.evaluate",
    "tables.plots.draw",
    "tables.scoring.score",
    "tables.release_folder.assemble",
]
CACHED = 12  # cached steps of a run
OUTSIDE = {"fetch": "Completed", "snapshot": "Completed"}  # looked at on every run


def lines(house: House) -> dict[str, str]:
    return {line.step.removeprefix("tasks."): line.state for line in house.plan()}


def more(rows: int = 600) -> pd.DataFrame:
    return pd.concat([spoilt(loans()), loans(rows, seed=1)], ignore_index=True)


def child(house: House, *words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A command as typed."""
    command = [sys.executable, "-m", "flows.cli", *words]
    env = os.environ | {"PREFECT_API_URL": house.prefect, "PYTHONPATH": str(cwd)}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)


@pytest.fixture
def first(house: House) -> House:
    """Version 1 is champion."""
    assert house.train().state == "promoted"
    return house


def test_the_first_run_promotes_and_the_second_does_nothing(first: House) -> None:
    assert first.ran == STEPS
    assert [record.version for record in first.versions] == [1] and first.champion == 1
    assert first.actions == ["stage", "promote"]
    assert first.snapshots[0].rows == 1530 and first.faults() == []
    assert set(lines(first).values()) == {"cached"}

    assert first.train().state == "champion"
    assert first.ran == []
    states = first.task_states(CACHED + len(OUTSIDE))
    assert {name: states.pop(name) for name in OUTSIDE} == OUTSIDE
    assert len(states) == CACHED and set(states.values()) == {"Cached"}
    assert len(first.versions) == 1 and first.actions == ["stage", "promote"] and len(first.snapshots) == 1


def test_an_edited_helper_runs_exactly_what_depends_on_it(first: House, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for name in ("flows", "tasks", "docker"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    helper = copy / "tasks" / "tables" / "features.py"
    assert "\nSOME = 5\n" in helper.read_text()
    helper.write_text(helper.read_text().replace("\nSOME = 5\n", "\nSOME = 6\n"))

    done = child(first, "plan", first.name, "--json", cwd=copy)
    assert done.returncode == 0 and done.stdout.count('"runs"') == 1, done.stderr
    assert '"edited: tasks.tables.features"' in done.stdout
    done = child(first, "train", first.name, cwd=copy)
    assert done.returncode == 0, done.stderr
    states = first.task_states(CACHED + len(OUTSIDE))
    assert {name: states.pop(name) for name in ("build", *OUTSIDE)} == OUTSIDE | {"build": "Completed"}
    assert set(states.values()) == {"Cached"}
    assert len(first.versions) == 1 and first.actions == ["stage", "promote"]


def test_a_deleted_artifact_is_rebuilt_by_its_step_alone(first: House) -> None:
    for step in ("tables.features.build", "tables.booster.fit"):
        made = next(one for one in first.receipt().steps if one.task == f"tasks.{step}").artifacts[0]
        delete(first.store.path(made))
        assert lines(first)[step] == "runs"
        first.train()
        assert first.ran == [step] and first.store.whole(made)
        assert set(lines(first).values()) == {"cached"}
    assert len(first.versions) == 1 and first.actions == ["stage", "promote"]


def test_a_lost_release_folder_comes_back_from_mlflow(first: House) -> None:
    for _ in range(2):  # the receipt of a run that found its version must name the folder too
        folder = first.store.path(first.versions[0].folder)
        delete(folder)
        assert lines(first)["register"] == "runs"
        first.train()
        assert folder.is_dir() and first.faults() == []
        assert first.ran == [] and set(lines(first).values()) == {"cached"}


def delete(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_the_same_model_that_answers_otherwise_is_another_version(
    first: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Predictor.predict
    monkeypatch.setattr(Predictor, "predict", lambda *given: [one | {"unseen": ["x"]} for one in plain(*given)])
    monkeypatch.setattr(Model, "code_digest", "of an upgraded library")
    outcome = first.train()
    assert outcome.version == 2 and outcome.state == "promoted", outcome.text
    keys = [record.key for record in first.versions]
    assert first.train().version == 2 and len(set(keys)) == len(first.versions) == 2
    assert first.versions[0].folder != first.versions[1].folder and first.faults() == []


def test_appended_rows_are_version_2_and_a_rollback_holds(first: House) -> None:
    first.give(more())
    assert lines(first)["source"] == "runs"
    assert first.train().state == "promoted"
    assert [one.rows for one in first.snapshots] == [1530, 2130]
    assert [record.snapshot for record in first.versions] == ["loans@1", "loans@2"] and first.champion == 2

    assert roll_back(first.name, "too kind").state == "moved"
    assert first.champion == 1
    again = first.train(refresh=True)  # as the schedule would
    assert again.state == "withdrawn" and again.champion == first.champion == 1
    assert again.decision is not None and "rolled back" in [reason.name for reason in again.decision.failed]
    assert len(first.versions) == 2 and first.actions[4:] == ["roll back"] and first.faults() == []


def test_shuffled_labels_are_refused_with_reasons(first: House) -> None:
    table = loans()
    table["late"] = table["late"].sample(frac=1, random_state=0).to_numpy()
    outcome = first.train(files=[first.aside(table)])
    assert outcome.state == "refused" and outcome.version == 2 and first.champion == 1
    assert outcome.decision is not None and "floor auc" in [reason.name for reason in outcome.decision.failed]
    assert all(reason.text for reason in outcome.decision.failed)
    assert first.actions == ["stage", "promote", "refuse"] and first.faults() == []


def test_a_refusal_is_told_and_a_receiver_that_is_down_fails_no_training(
    first: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as receiver:
        monkeypatch.setenv("PENSTOCK_ALERTS", receiver.url)
        receiver.refusing = True
        assert first.train(seed=1).state == "refused"
        receiver.refusing = False
        assert first.train(seed=1).state == "refused"  # the decision is found, and not told twice
    assert receiver.titles == [f"refused promotion: version 2 of {first.name}"]
    (told,) = receiver.taken
    assert "The champion is version 1." in told["message"] and "/runs/flow-run/" in told["message"]


def test_another_seed_is_another_version_and_not_called_better(first: House) -> None:
    outcome = first.train(seed=1)
    assert outcome.version == 2 and [record.seed for record in first.versions] == [0, 1]
    assert outcome.state == "refused" and first.champion == 1
    assert outcome.decision is not None and outcome.decision.verdict == "not worse"
    assert "change" in [reason.name for reason in outcome.decision.failed]
    assert first.train(seed=1).version == 2 and len(first.versions) == 2 and len(first.actions) == 3


def test_a_retraining_on_shifted_rows_is_promoted_though_worse_on_the_old_ones(first: House) -> None:
    turned = loans(6000, seed=1, quarter="2024-Q2", turned=True)
    first.give(pd.concat([spoilt(loans()), turned], ignore_index=True))
    outcome = first.train()
    assert outcome.state == "promoted" and first.champion == 2
    assert outcome.decision is not None and outcome.decision.verdict == "better"
    old, new = ([auc(first, version, loans(1000, seed=9, turned=side)) for version in (1, 2)] for side in (False, True))
    assert old[1] < old[0] - 0.1 and new[1] > new[0] + 0.1, (old, new)


def auc(house: House, version: int, table: pd.DataFrame) -> float:
    rows = table.drop(columns=["quarter", "late"]).to_dict("records")
    answers = house.predictor(version).predict([{str(name): value for name, value in row.items()} for row in rows])
    return float(roc_auc_score(table["late"], [answer["probability"] for answer in answers]))


def test_an_alias_moved_by_hand_stops_training_until_it_is_settled(first: House) -> None:
    first.train(seed=1)

    def by_hand() -> None:
        with Registry(first.mlflow) as registry:
            registry.set_alias(first.name, "champion", 2)

    by_hand()
    with pytest.raises(Refused, match="outside the ledger"):
        first.train()
    assert any("champion is at version 2" in fault for fault in first.faults())
    roll_back(first.name)
    assert first.champion == 1 and first.faults() == []

    by_hand()
    with road(first.name, settings.load()) as way:
        way.adopt("we like it")
    assert first.champion == 2 and first.faults() == []
    assert first.actions[3:] == ["roll back", "adopt"]


def test_what_is_asked_waits_for_an_answer(house: House) -> None:
    house.recipe(approval="ask")
    assert house.train().state == "pending" and house.champion is None
    assert house.train().state == "pending" and house.actions == ["stage", "ask"]
    assert promote(house.name, 1, note="fine").state == "promoted"
    assert house.champion == 1 and house.actions == ["stage", "ask", "promote"] and house.faults() == []


OWN = "def derive(row):\n    return {'debt': row['debt'], 'mason': row['trade'] == 'mason', 'load': %s}\n"


def test_features_of_the_users_own_are_used_and_an_edit_runs_what_follows(house: House) -> None:
    house.recipe(features="own.loans:derive")
    (house.project / "own").mkdir()
    file = house.project / "own" / "loans.py"
    file.write_text(OWN % "row['debt'] * row['age']")
    assert house.train().state == "promoted"
    columns = [column.name for column in house.predictor(1).model.transform.columns]
    assert columns == ["debt", "mason", "load"]

    file.write_text(OWN % "row['debt'] * 2")
    assert lines(house)["own features"] == "runs"
    house.train()
    assert house.ran[:2] == ["tables.features.build", "tables.encoding.learn"] and len(house.versions) == 2
    assert "tables.splits.split" not in house.ran

    file.write_text(OWN % "row['debt'] + row['debt']")  # the same values by other words: still another release
    house.train()
    assert house.ran[:2] == ["tables.features.build", "tables.release_folder.assemble"] and len(house.versions) == 3
    assert "tables.booster.fit" not in house.ran
    assert b"row['debt'] + row['debt']" in (house.store.path(house.versions[2].folder) / "features.py").read_bytes()


def test_a_wider_contract_reaches_the_service_though_no_row_changed(first: House) -> None:
    columns = CONTRACT["columns"] | {"debt": {"dtype": "float64", "nullable": True}}  # type: ignore[operator]
    first.write("contracts", CONTRACT | {"columns": columns})
    assert first.train().state == "promoted"
    nullable = {field.name: field.nullable for field in first.predictor(2).schema}
    assert nullable["debt"] and not nullable["age"] and first.champion == 2


WRONG: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "one class": (lambda table: table.assign(late=0), "late.* one class only"),
    "no target": (lambda table: table.drop(columns="late"), "late"),
    "an empty target": (lambda table: table.assign(late=""), "late"),
    "an empty column": (lambda table: table.assign(income=""), "income is empty in 1500 of 1500 rows"),
    "few rows": (lambda table: table[:49], "49 usable rows.* at least 50"),
    "too many bad rows": (lambda table: table.assign(age=table["age"].where(table.index % 10 > 0, 7)), "150 of 1500"),
    "no rows": (lambda table: table[:0], "no row"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_input_ends_in_a_paragraph_and_no_version(house: House, case: str) -> None:
    spoil, words = WRONG[case]
    house.give(spoil(loans()))
    with pytest.raises(BadInput, match=words) as told:
        house.train()
    assert "\n\n" not in str(told.value) and len(str(told.value)) < 1000
    assert house.versions == [] and house.actions == []


def test_a_mistake_inside_the_flow_is_a_paragraph_on_the_console(house: House) -> None:
    house.give(loans(49))
    done = child(house, "train", house.name)
    assert done.returncode == 1 and "Traceback" not in done.stderr + done.stdout
    assert done.stderr.splitlines()[-1].startswith("penstock: The table has 49 usable rows")
