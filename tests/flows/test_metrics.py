"""`penstock metrics`: series of releases and runs as Prometheus reads them; a part that is down hides no other."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Crashed, Running, Scheduled
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from flows.metrics import Gathered
from flows.release_series import RELEASES
from flows.run_series import RUNS
from tasks.artifacts import Store
from tasks.registry.ledger import Move, append
from tasks.settings import load
from tasks.statistics import Interval
from tasks.watching.replicas import Heartbeat, beat
from tasks.watching.windows import Quality, Window, keep, keep_quality, windows
from tests.prefect_server import free_port

INTERVAL = Interval(low=0.7, value=0.8, high=0.9)
PROMISED = Interval(low=0.8, value=0.85, high=0.9)
KNOWN = {"method": "KS D", "floor": 0.05, "p": 0.0, "corrected": 0.0, "told": ""}
TESTS = [
    KNOWN | {"column": "income", "of": "values", "effect": 0.1},
    KNOWN | {"column": "income", "of": "nulls", "effect": 0.01},
]
VERDICT = {
    "reference_rows": 600, "window_rows": 640, "enough": True, "needed": 0, "exceeds": True, "drifted": ["income"],
    "missing": [], "new": [], "void": [], "untested": {}, "tests": TESTS, "joint": None, "reasons": [],
}  # fmt: skip
WINDOW: dict[str, Any] = {
    "release": "loans", "number": 10, "champion": 1, "reference": "r", "parts": [], "rows": 640, "since": 1.0,
    "until": 1_700_000_000.0, "alarm": True, "verdict": VERDICT, "metric": "auc", "estimate": INTERVAL, "made": 2.0,
}  # fmt: skip


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store of a project with the release `loans`, beside those of the box."""
    recipes = tmp_path / "project" / "releases"
    recipes.mkdir(parents=True)
    (recipes / "loans.yaml").write_text(yaml.safe_dump({"kind": "tabular"}))
    monkeypatch.setenv("PENSTOCK_PROJECT", str(tmp_path / "project"))
    return Store(load().store)


def window(store: Store, **fields: Any) -> None:
    assert keep(store, Window.model_validate(WINDOW | fields))


class Scrape:
    """One look at the exporter."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(Gathered(load()))

    def __call__(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"penstock_{name}", labels)


@pytest.fixture
def nowhere() -> Any:
    """No Prefect server answers."""
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        yield


@pytest.mark.usefixtures("nowhere")
def test_the_last_window_tells_drift_and_quality(store: Store) -> None:
    append(store, "loans", "bob", lambda _: Move(action="promote", alias="champion", to_version=3))
    window(store, number=9, alarm=False, rows=1)
    window(store)
    keep_quality(store, windows(store, "loans")[-1], Quality(metric="auc", rows=50, value=INTERVAL, promised=PROMISED))
    seen = Scrape()
    assert (seen("up", part="store"), seen("up", part="prefect")) == (1, 0)
    assert seen("champion_version", release="loans") == 3
    assert (seen("window_number", release="loans"), seen("window_rows", release="loans")) == (10, 640)
    assert seen("window_end_timestamp_seconds", release="loans") == WINDOW["until"]
    assert [seen(f"drift_{name}", release="loans") for name in ("alarm", "exceeds", "columns")] == [1, 1, 1]
    assert seen("drift_effect_ratio", release="loans", column="income") == pytest.approx(2)
    assert seen("quality", release="loans", metric="auc", bound="low") == 0.7
    assert seen("quality_promised", release="loans", metric="auc", bound="high") == 0.9
    assert seen("quality_estimate", release="loans", bound="value") == 0.8


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("torn", [b"{", b"[]", b'{"rows": "many"}'])
def test_a_window_that_cannot_be_read_hides_nothing_else(
    store: Store, torn: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    append(store, "loans", "bob", lambda _: Move(action="promote", alias="champion", to_version=3))
    store.write("watch/loans/windows/000011.json", torn)
    seen = Scrape()
    assert (seen("up", part="store"), seen("champion_version", release="loans")) == (1, 3)
    assert seen("window_rows", release="loans") is None
    assert "the windows of loans cannot be read" in caplog.text


@pytest.mark.usefixtures("nowhere")
def test_a_window_without_labels_or_verdict(store: Store) -> None:
    window(store, estimate=None, verdict=VERDICT | {"drifted": [], "tests": []})
    window(store, number=11, estimate=None, verdict=None)
    seen = Scrape()
    assert (seen("drift_exceeds", release="loans"), seen("drift_columns", release="loans")) == (0, 0)
    assert seen("quality", release="loans", metric="auc", bound="low") is None


@pytest.mark.usefixtures("nowhere")
def test_a_silent_replica_keeps_its_last_heartbeat(store: Store) -> None:
    beat(store, Heartbeat("here-3000", "loans", "2", "http://127.0.0.1:3000", 1_700_000_000.0, 1))
    labels = {"release": "loans", "replica": "here-3000", "version": "2"}
    assert Scrape()("replica_heartbeat_timestamp_seconds", **labels) == 1_700_000_000


@pytest.mark.usefixtures("nowhere")
def test_what_was_gathered_is_shown_again_for_a_while(store: Store) -> None:
    window(store)
    seen = Scrape()
    assert seen("window_number", release="loans") == 10
    window(store, number=11)
    assert seen("window_number", release="loans") == 10
    assert Scrape()("window_number", release="loans") == 11


# runs


@task(cache_key_fn=lambda _context, inputs: f"metrics-{inputs['word']}", persist_result=True)
def step(word: str) -> str:
    return word


@flow(name="counted")
def counted(words: list[str]) -> None:
    for word in words:
        step(word)


@pytest.mark.usefixtures("prefect_server", "store")
def test_each_deployment_has_its_series(tmp_path: Path) -> None:
    from prefect.flow_engine import run_flow
    from prefect.settings import PREFECT_LOCAL_STORAGE_PATH

    with get_client(sync_client=True) as client, temporary_settings({PREFECT_LOCAL_STORAGE_PATH: tmp_path / "kept"}):
        made = client.create_deployment(client.create_flow(counted), "counted", paused=True)
        for _ in range(2):
            one = client.create_flow_run_from_deployment(made, parameters={"words": ["a", "b"]})
            run_flow(counted, flow_run=one, parameters={"words": ["a", "b"]})
            wait_for_tasks(client, one.id, 2)
        late = client.create_flow_run_from_deployment(made)
        client.set_flow_run_state(late.id, Scheduled(name="Late"), force=True)
        seen = Scrape()
        assert seen("up", part="prefect") == 1
        assert (seen("run_tasks", deployment="counted"), seen("run_cached_tasks", deployment="counted")) == (2, 2)
        assert seen("run_state", deployment="counted", state="Completed") == 1
        assert seen("runs_recent", deployment="counted", state="Completed") == 2
        assert (seen("runs_late", deployment="counted"), seen("deployment_paused", deployment="counted")) == (1, 1)
        assert seen("run_retries", deployment="counted") == 0
        duration, lateness = (seen(f"run_{name}_seconds", deployment="counted") for name in ("duration", "lateness"))
        assert duration is not None and duration > 0
        assert lateness is not None and lateness >= 0
        ended = seen("run_end_timestamp_seconds", deployment="counted")
        assert ended is not None and abs(ended - time.time()) < 300
        assert seen("run_success_timestamp_seconds", deployment="counted") == ended

        going = client.create_flow_run_from_deployment(made)
        client.set_flow_run_state(going.id, Running(), force=True)
        now = Scrape()
        assert now("run_state", deployment="counted", state="Running") == 1
        assert now("run_end_timestamp_seconds", deployment="counted") == ended, "of the last one that ended"

        killed = client.create_flow_run_from_deployment(made)
        client.set_flow_run_state(killed.id, Crashed(), force=True)
        assert Scrape()("run_state", deployment="counted", state="Crashed") == 1, "though it never started"


def wait_for_tasks(client: Any, run: Any, count: int) -> None:
    """Prefect's server hears of tasks a moment later."""
    from prefect.client.schemas.filters import FlowRunFilter

    this, deadline = FlowRunFilter.model_validate({"id": {"any_": [run]}}), time.monotonic() + 60
    while True:
        states = [one.state_name for one in client.read_task_runs(flow_run_filter=this)]
        if len(states) == count and not {"Pending", "Running"} & set(states):
            return
        assert time.monotonic() < deadline, states
        time.sleep(0.2)


@pytest.mark.usefixtures("store")
def test_the_command_answers_until_it_is_interrupted() -> None:
    port = free_port()
    env = os.environ | {"PENSTOCK_METRICS_PORT": str(port), "PENSTOCK_PREFECT_PORT": str(free_port())}
    command = [sys.executable, "-m", "flows.cli", "metrics"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            text = answered(f"http://127.0.0.1:{port}/metrics")
            again = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        finally:
            process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=30)[0]
    assert {one.name for one in text_string_to_metric_families(text)} == {"penstock_up", *RELEASES}
    assert 'penstock_up{part="prefect"} 0.0' in text
    assert process.returncode == 0 and said.endswith("ended\n")
    assert again.returncode == 1 and "PENSTOCK_METRICS_PORT" in again.stderr


def test_names_are_told_once() -> None:
    assert not RELEASES.keys() & RUNS.keys()


def answered(url: str, patience: float = 60) -> str:
    deadline = time.monotonic() + patience
    while True:
        try:
            return httpx.get(url, timeout=30, trust_env=False).text
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
