"""The series of runs, one for each deployment, asked of Prefect's API."""

from collections import Counter
from collections.abc import Iterator

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort

from flows.samples import Sample, Table
from tasks.settings import Settings

RUNS: Table = {
    "penstock_run_state": ("1 for the state of the last run", ("deployment", "state")),
    "penstock_run_duration_seconds": ("Duration of the last run that ended", ("deployment",)),
    "penstock_run_end_timestamp_seconds": ("End of the last run that ended", ("deployment",)),
    "penstock_run_success_timestamp_seconds": ("End of the last run that completed", ("deployment",)),
    "penstock_run_start_timestamp_seconds": ("Start of the last run", ("deployment",)),
    "penstock_run_retries": ("Retries of the last run", ("deployment",)),
    "penstock_run_lateness_seconds": ("From when the last run should have started to its start", ("deployment",)),
    "penstock_run_tasks": ("Tasks of the last run", ("deployment",)),
    "penstock_run_cached_tasks": ("Tasks of the last run whose result was found", ("deployment",)),
    "penstock_runs_recent": ("Runs among the last 20, by state", ("deployment", "state")),
    "penstock_runs_late": ("Runs that should have started and did not", ("deployment",)),
    "penstock_deployment_paused": ("1 where the deployment is paused", ("deployment",)),
}
RECENT = 20  # runs of a deployment that are read
MOST = 200  # deployments, late runs, tasks of a run
PATIENCE_S = 5.0  # for one answer: Prometheus waits 10 s for all


def run_series(settings: Settings) -> Iterator[Sample]:
    """httpx.HTTPError where Prefect is out of reach."""
    with get_client(httpx_settings={"timeout": PATIENCE_S}, sync_client=True) as client:
        late = Counter(run.deployment_id for run in runs(client, {"state": {"name": {"any_": ["Late"]}}}, MOST))
        for one in client.read_deployments(limit=MOST):
            yield "penstock_deployment_paused", (one.name,), one.paused
            yield "penstock_runs_late", (one.name,), late[one.id]
            yield from deployment_series(client, one)


def deployment_series(client: SyncPrefectClient, one: DeploymentResponse) -> Iterator[Sample]:
    found = runs(client, {"deployment_id": {"any_": [one.id]}, "state": {"type": {"not_any_": ["SCHEDULED"]}}}, RECENT)
    for state, count in Counter(str(run.state_name) for run in found).items():
        yield "penstock_runs_recent", (one.name, state), count
    if found:
        yield from last_series(client, one.name, found[0])
    ended = next((run for run in found if run.end_time), None)
    if ended and ended.end_time and ended.start_time:
        yield "penstock_run_duration_seconds", (one.name,), (ended.end_time - ended.start_time).total_seconds()
        yield "penstock_run_end_timestamp_seconds", (one.name,), ended.end_time.timestamp()
    good = next((run for run in found if run.end_time and run.state_name == "Completed"), None)
    if good and good.end_time:
        yield "penstock_run_success_timestamp_seconds", (one.name,), good.end_time.timestamp()


def last_series(client: SyncPrefectClient, name: str, run: FlowRun) -> Iterator[Sample]:
    """Of the last run that was taken, ended or not; one that was killed early has no start."""
    yield "penstock_run_state", (name, str(run.state_name)), 1
    yield "penstock_run_retries", (name,), max(run.run_count - 1, 0)
    if run.start_time:
        yield "penstock_run_start_timestamp_seconds", (name,), run.start_time.timestamp()
    if run.start_time and run.expected_start_time:
        lateness = (run.start_time - run.expected_start_time).total_seconds()
        yield "penstock_run_lateness_seconds", (name,), max(lateness, 0.0)
    this = FlowRunFilter.model_validate({"id": {"any_": [run.id]}})
    tasks = client.read_task_runs(flow_run_filter=this, limit=MOST)
    yield "penstock_run_tasks", (name,), len(tasks)
    yield "penstock_run_cached_tasks", (name,), sum(task.state_name == "Cached" for task in tasks)


def runs(client: SyncPrefectClient, which: dict[str, object], most: int) -> list[FlowRun]:
    """Flow runs, the last that should start first."""
    chosen = FlowRunFilter.model_validate(which)
    return client.read_flow_runs(flow_run_filter=chosen, sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=most)
