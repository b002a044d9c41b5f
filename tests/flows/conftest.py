"""A small project of a user's own, and a house to train it in: real servers, a data root per test."""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.settings import PREFECT_API_URL, PREFECT_LOCAL_STORAGE_PATH, temporary_settings

from flows import servers, tabular
from flows.orders import Order, planned, prepare
from tasks import settings
from tasks.artifacts import Store, opened
from tasks.caching import records as records_folder
from tasks.planning import Line, Receipt, load_receipt
from tasks.registry import history, ledger, records, verify
from tasks.registry.aliases import Registry
from tasks.registry.road import Outcome
from tasks.settings import Settings
from tasks.sources import snapshots
from tasks.sources.snapshots import Snapshot
from tasks.tables.predictor import Predictor
from tests import prefect_server as test_server

numbers = itertools.count(1)

CONTRACT = {
    "schema_type": "dataframe",
    "api": "pandas",
    "columns": {
        "quarter": {"dtype": "string[pyarrow]", "str_matches": r"^\d{4}-Q[1-4]$"},
        "trade": {"dtype": "string[pyarrow]", "isin": ["baker", "mason", "tailor"]},
        "age": {"dtype": "Int64", "in_range": {"min_value": 18, "max_value": 99}},
        "income": {"dtype": "float64", "nullable": True, "in_range": {"min_value": 0, "max_value": 1000}},
        "debt": {"dtype": "float64", "in_range": {"min_value": 0, "max_value": 1}},
        "late": {"dtype": "Int64", "isin": [0, 1]},
    },
    "strict": True,
    "metadata": {"max_quarantine": 0.05, "null_share": {"income": 0.2}},
}
RECIPE = {
    "kind": "tabular",
    "dataset": "loans",
    "target": "late",
    "task": "binary",
    "positive": 1,
    "metric": "auc",
    "margin": 0.05,
    "floors": {"auc": 0.6},
    "slices": ["trade"],
    "parameters": {"learning_rate": 0.1},
}


def loans(rows: int = 1500, seed: int = 0, quarter: str = "2024-Q1", turned: bool = False) -> pd.DataFrame:
    """Who pays late: by debt, another way for masons, and by income. `turned`: the rule is the other way round."""
    dice = np.random.default_rng(seed)
    trade, debt = dice.choice(["baker", "mason", "tailor"], rows), dice.uniform(0, 1, rows).round(3)
    income = dice.uniform(10, 90, rows).round(1)
    odds = 5 * np.where(trade == "mason", 0.5 - debt, debt - 0.5) + (50 - income) / 25
    late = dice.random(rows) < 1 / (1 + np.exp(odds if turned else -odds))
    table = pd.DataFrame({"quarter": quarter, "trade": trade, "age": dice.integers(18, 80, rows), "income": income})
    return table.assign(debt=debt, late=late.astype(int))


def spoilt(table: pd.DataFrame) -> pd.DataFrame:
    """With empty fields, with rows that break the contract (1 %) and with rows that come twice."""
    table = table.astype({"income": object, "age": object}).reset_index(drop=True)
    table.loc[3::40, "income"] = ""
    table.loc[7::200, "age"] = 7
    table.loc[11::200, "age"] = "unknown"
    return pd.concat([table, table[100:130]], ignore_index=True)


@dataclass
class House:
    """A project with one dataset and one recipe, and what became of its trainings by `flow`."""

    flow: ClassVar[Any] = tabular
    project: Path
    name: str
    prefect: str
    mlflow: str
    ran: list[str] = field(default_factory=list)

    # what the user does

    def furnish(self) -> None:
        """The project's files."""
        self.project.mkdir(exist_ok=True)
        source = {"type": "file", "path": "loans.csv"}
        self.write("datasets", {"title": "Loans", "licence": "CC0-1.0", "source": source, "time": "quarter"})
        self.write("contracts", CONTRACT)
        self.recipe()
        self.give(spoilt(loans()))

    def give(self, table: pd.DataFrame) -> None:
        table.to_csv(self.project / "loans.csv", index=False)

    def aside(self, table: pd.DataFrame) -> str:
        """Another file, as `--file` names it."""
        path = self.project / "other.csv"
        table.to_csv(path, index=False)
        return str(path)

    def recipe(self, **fields: Any) -> None:
        self.write("releases", RECIPE | fields)

    def write(self, kind: str, value: Any) -> None:
        (self.project / kind).mkdir(exist_ok=True)
        name = self.name if kind == "releases" else "loans"
        (self.project / kind / f"{name}.yaml").write_text(yaml.safe_dump(value))

    def train(self, **order: Any) -> Outcome:
        """The flow, whatever the plan says; `ran` are then the cached steps that computed something."""
        before = self._records()
        outcome: Outcome = self.flow.train(Order(release=self.name, **order))
        now = self._records()
        told = {step.key: step.task.removeprefix("tasks.") for step in self.receipt(**order).steps}
        self.ran = [task for key, task in told.items() if before.get(key) != now.get(key)]
        return outcome

    def _records(self) -> dict[str, int]:
        """The record of each result, with the moment of its writing."""
        folder = records_folder()
        return {path.name: path.stat().st_mtime_ns for path in folder.glob("*")} if folder.is_dir() else {}

    # what is there then

    @property
    def store(self) -> Store:
        return Store(settings.load().store)

    def plan(self, **order: Any) -> list[Line]:
        with opened(self.store.root):
            return planned(prepare(Order(release=self.name, **order), settings.load()))[1]

    def receipt(self, **order: Any) -> Receipt:
        with opened(self.store.root) as store:
            found = load_receipt(store, prepare(Order(release=self.name, **order), settings.load()).receipt)
        assert found is not None
        return found

    @property
    def versions(self) -> list[records.VersionRecord]:
        return records.versions(self.store, self.name)

    @property
    def actions(self) -> list[str]:
        return [entry.action for entry in ledger.entries(self.store, self.name)]

    @property
    def champion(self) -> int | None:
        """By the ledger; the alias must say the same."""
        now = history.champion(ledger.entries(self.store, self.name))
        with Registry(self.mlflow) as registry:
            assert registry.aliases(self.name).get("champion") == now
        return now

    @property
    def snapshots(self) -> list[Snapshot]:
        with opened(self.store.root):
            return snapshots.history("loans")

    def faults(self) -> list[str]:
        with Registry(self.mlflow) as registry:
            return verify.verify(self.store, self.name, registry)

    def predictor(self, version: int) -> Predictor:
        return Predictor.load(self.store.path(records.version(self.store, self.name, version).folder))

    def task_states(self, count: int, patience: float = 60) -> dict[str, str]:
        """So many tasks of the newest flow run as Prefect's server shows them; it hears of them a moment later."""
        deadline = time.monotonic() + patience
        with get_client(sync_client=True) as client:
            runs = client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate({"name": {"any_": [self.name]}}))
            newest = max(runs, key=lambda run: str(run.created))
            here = FlowRunFilter.model_validate({"id": {"any_": [newest.id]}})
            while True:
                found = client.read_task_runs(flow_run_filter=here)
                states = {run.name.rpartition("-")[0]: str(run.state_name) for run in found}
                known = len(states) >= count and not {"Pending", "Running"} & set(states.values())
                if known or time.monotonic() > deadline:
                    return states
                time.sleep(0.2)


def failed(outcome: Outcome) -> set[str]:
    """The reasons that speak against a candidate."""
    assert outcome.decision is not None
    return {reason.name for reason in outcome.decision.failed}


@pytest.fixture
def house(
    prefect_server: str, mlflow_url: str, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[House]:
    """The flow runs in the test's process, under a name of its own: the tests share one MLflow."""
    project = tmp_path / "project"
    monkeypatch.setenv("PENSTOCK_PROJECT", str(project))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_url)
    house = House(project, f"loans-{next(numbers)}", prefect_server, mlflow_url)
    house.furnish()
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: data_root / "records"}):
        yield house


@pytest.fixture
def whole_server(
    pytestconfig: pytest.Config, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """The local Prefect server as users have it, under the `settings` of the test; there is no MLflow."""
    assert pytestconfig.cache is not None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    test_server.copy(test_server.template(pytestconfig.cache.mkdir("prefect")), tmp_path / "prefect.db")
    for name, value in test_server.database(tmp_path / "prefect.db").items():
        monkeypatch.setenv(name, value)
    try:
        servers.ready(settings)
        monkeypatch.delenv("MLFLOW_TRACKING_URI")
        with temporary_settings({PREFECT_API_URL: settings.local_prefect}):
            yield settings
    finally:
        servers.down(settings)
