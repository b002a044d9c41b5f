"""Registration in MLflow: one run and one version per key, whatever was killed in between. The one door to mlflow."""

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import lightgbm
import mlflow
import mlflow.genai
import mlflow.lightgbm
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelStatus, Metric, Param, Run, RunTag
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from pydantic import BaseModel, ConfigDict, Field

from tasks.artifacts import canonical
from tasks.errors import Unavailable
from tasks.registry.aliases import Registry
from tasks.registry.lineage import environment
from tasks.registry.rest import RELEASE_DIGEST, release_digest
from tasks.statistics import Interval

KEY, TRAINING = "penstock.key", "penstock.training"
POINTS = 1000  # as many metrics as MLflow takes in one call
BATCH = 100  # as many parameters as MLflow takes in one call
REQUIRED = ("lightgbm", "numpy", "pandas")
TAKEN = "RESOURCE_ALREADY_EXISTS"
IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}  # a training does not wait


class Data(BaseModel):
    """The snapshot that a run is made of, as `mlflow.log_input` shows it."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: int
    digest: str
    rows: int
    columns: dict[str, str] = Field(default_factory=dict)
    source: str = ""


class Candidate(BaseModel):
    """What is registered: a release folder, its numbers and its lineage; `key` names it for ever.

    `booster` is the LightGBM text file in the folder, where it is one, with some encoded rows as example; `prompt` the
    messages of the prompt that travels in the folder, where there is one; `tables` are rows to look at, by name.
    `curve` is what was measured in the `training`, a row per `step`; a run in which that was watched is taken over."""

    model_config = ConfigDict(frozen=True)

    release: str
    key: str
    folder: Path
    params: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, Interval] = Field(default_factory=dict)
    tags: dict[str, str] = Field(default_factory=dict)
    data: Data
    plots: Path | None = None
    tables: dict[str, list[dict[str, Any]]] = Field(default_factory=dict)
    booster: str | None = None
    example: list[list[float]] = Field(default_factory=list)
    prompt: list[dict[str, str]] | None = None
    curve: list[dict[str, float]] = Field(default_factory=list)
    training: str | None = None


class Registered(BaseModel):
    model_config = ConfigDict(frozen=True)

    version: int
    run_id: str
    created: str
    release_digest: str


def register(url: str, candidate: Candidate) -> Registered:
    """The version of the candidate's key: found, or made with its run, files, data and lineage.

    The version comes last and with all its tags in one call, so a killed registration leaves none half-made."""
    with Registry(url) as reachable:
        reachable.aliases(candidate.release)  # mlflow's own client would retry for minutes
    try:
        with _tracking(url):
            return _register(MlflowClient(url), candidate)
    except MlflowException as error:
        raise Unavailable(f"MLflow at {url} did not take {candidate.release}: {error.message}") from error


def _register(client: MlflowClient, candidate: Candidate) -> Registered:
    query = f"name = '{candidate.release}' and tags.`{KEY}` = '{candidate.key}'"
    known = client.search_model_versions(query)
    if known:
        return _told(candidate, known[0])
    run = _run(client, candidate)
    _log(client, run.info.run_id, candidate)
    if candidate.prompt is not None:
        client.set_tag(run.info.run_id, "prompt", _prompt(f"{candidate.release}-prompt", candidate.prompt))
    model_id = _model(client, run, candidate) if candidate.booster else None
    client.set_terminated(run.info.run_id)
    try:
        client.create_registered_model(candidate.release)
    except MlflowException as error:
        if error.error_code != TAKEN:
            raise
    made = client.create_model_version(
        candidate.release,
        f"models:/{model_id}" if model_id else f"{run.info.artifact_uri}/release",
        run_id=run.info.run_id,
        model_id=model_id,
        await_creation_for=0,  # it is ready at once
        tags={**candidate.tags, KEY: candidate.key, RELEASE_DIGEST: release_digest(candidate.folder)},
    )
    return _told(candidate, made)


def _run(client: MlflowClient, candidate: Candidate) -> Run:
    """The run of the key in the release's experiment, made where there is none."""
    number = _experiment(client, candidate.release)
    known = list(client.search_runs([number], f"tags.`{KEY}` = '{candidate.key}'", max_results=1))
    name = f"{candidate.release} {candidate.key[:8]}"
    if not known and candidate.training:
        known = [run for run in _watched(client, number, candidate.training) if KEY not in run.data.tags]
        for tag, value in ((KEY, candidate.key), ("mlflow.runName", name)) if known else ():
            client.set_tag(known[0].info.run_id, tag, value)
    return known[0] if known else client.create_run(number, tags={KEY: candidate.key}, run_name=name)


def _experiment(client: MlflowClient, name: str) -> str:
    known = client.get_experiment_by_name(name)
    return str(known.experiment_id if known else client.create_experiment(name))


def _log(client: MlflowClient, run_id: str, candidate: Candidate) -> None:
    """Everything of the run in few calls; all of them may be repeated."""
    moment = int(datetime.now(UTC).timestamp() * 1000)
    bounds = [
        (name, part, getattr(value, part)) for name, value in candidate.metrics.items() for part in ("low", "high")
    ]
    values = [(name, estimate.value) for name, estimate in candidate.metrics.items()]
    values += [(f"{name}_{part}", bound) for name, part, bound in bounds]
    metrics = [Metric(name.replace("@", "_at_"), value, moment, 0) for name, value in values]  # it takes no @
    params = [Param(name, str(value)) for name, value in candidate.params.items()]
    tags = [RunTag(name, value) for name, value in candidate.tags.items()]
    for start in range(0, max(len(metrics), len(params), len(tags)), BATCH):
        part = slice(start, start + BATCH)
        client.log_batch(run_id, metrics=metrics[part], params=params[part], tags=tags[part])
    log_curve(client, run_id, candidate.curve)
    client.log_inputs(run_id, [_input(candidate.data)])
    client.log_artifacts(run_id, str(candidate.folder), "release")
    client.log_text(run_id, environment(), "environment.txt")
    if candidate.plots is not None:
        client.log_artifacts(run_id, str(candidate.plots), "plots")
    there = {item.path for item in client.list_artifacts(run_id, "tables")} if candidate.tables else set()
    for name, rows in candidate.tables.items():
        if f"tables/{name}.json" not in there:  # a table that is there would grow
            client.log_table(run_id, pd.DataFrame(rows, dtype=object), f"tables/{name}.json")


def log_curve(client: MlflowClient, run_id: str, curve: list[dict[str, float]]) -> None:
    """Each number at its step, those that are not there yet."""
    names = {name for row in curve for name in row} - {"step"}
    there = {(name, one.step) for name in names for one in client.get_metric_history(run_id, name)}
    moment = int(datetime.now(UTC).timestamp() * 1000)
    found = [(name, value, int(row["step"])) for row in curve for name, value in row.items() if name in names]
    metrics = [Metric(name, value, moment, step) for name, value, step in found if (name, step) not in there]
    for start in range(0, len(metrics), POINTS):
        client.log_batch(run_id, metrics=metrics[start : start + POINTS])


def watch(url: str, release: str, training: str, curve: list[dict[str, float]]) -> None:
    """Add to the curve of a training while it runs, in a run of its own until a version takes that over."""
    with Registry(url) as reachable:
        reachable.aliases(release)
    try:
        with _tracking(url, IMPATIENT):
            client = MlflowClient(url)
            number, tags = _experiment(client, release), {TRAINING: training}
            known = [run for run in _watched(client, number, training) if KEY not in run.data.tags]
            run = known[0] if known else client.create_run(number, tags=tags, run_name=f"{release} in training")
            log_curve(client, run.info.run_id, curve)
    except MlflowException as error:
        raise Unavailable(f"MLflow at {url} did not take the losses of {release}: {error.message}") from error


def attach(url: str, run_id: str, path: Path, folder: str) -> None:
    """Add a file to a run's artifacts, or replace it. Unavailable: MLflow does not take it."""
    try:
        with _tracking(url, IMPATIENT):
            MlflowClient(url).log_artifact(run_id, str(path), folder)
    except MlflowException as error:
        raise Unavailable(f"MLflow at {url} did not take {path.name}: {error.message}") from error


def _watched(client: MlflowClient, experiment: str, training: str) -> list[Run]:
    return list(client.search_runs([experiment], f"tags.`{TRAINING}` = '{training}'"))


def _input(data: Data) -> DatasetInput:
    dataset = Dataset(
        name=data.name,
        digest=data.digest[:36],  # as long as MLflow takes; the whole one is the tag data.digest
        source_type="penstock",
        source=canonical({"source": data.source, "version": data.version, "digest": data.digest}).decode(),
        schema=canonical(data.columns).decode(),
        profile=canonical({"num_rows": data.rows}).decode(),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def _model(client: MlflowClient, run: Run, candidate: Candidate) -> str:
    """The booster as a plain MLflow model, so that `models:/NAME@champion` works without Penstock; its id."""
    for output in run.outputs.model_outputs if run.outputs else []:
        if client.get_logged_model(output.model_id).status == LoggedModelStatus.READY:
            return str(output.model_id)
    booster = lightgbm.Booster(model_file=candidate.folder / str(candidate.booster))
    example = pd.DataFrame(candidate.example, columns=booster.feature_name(), dtype="float64")
    with mlflow.start_run(run_id=run.info.run_id), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*Any type hint is inferred")  # mlflow about types of its own
        logged = mlflow.lightgbm.log_model(
            booster,
            name="model",
            signature=infer_signature(example, booster.predict(example)),
            input_example=example,
            pip_requirements=[f"{name}=={installed(name)}" for name in REQUIRED],
        )
    return str(logged.model_id)


def _prompt(name: str, messages: list[dict[str, str]]) -> str:
    """The URI of these messages in the prompt registry: its newest version where it is the same, else a new one."""
    logging.getLogger("mlflow.store.model_registry").setLevel(logging.WARNING)  # it tells that it waits
    newest = mlflow.genai.load_prompt(name, allow_missing=True, link_to_model=False)
    if newest is None or newest.template != messages:
        newest = mlflow.genai.register_prompt(name, template=messages)
    return str(newest.uri)


def _told(candidate: Candidate, made: ModelVersion) -> Registered:
    created = datetime.fromtimestamp(made.creation_timestamp / 1000, UTC).isoformat(timespec="seconds")
    digest = made.tags.get(RELEASE_DIGEST) or release_digest(candidate.folder)
    return Registered(version=int(made.version), run_id=made.run_id, created=created, release_digest=digest)


@contextmanager
def _tracking(url: str, more: Mapping[str, str] = {}) -> Iterator[None]:
    """`url` for mlflow's own functions, which print nothing meanwhile; `more` are variables that they read.

    They write the variable that means "no local server" to us, so that is undone."""
    ours = {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true", **more}
    before = {name: os.environ[name] for name in ("MLFLOW_TRACKING_URI", *ours) if name in os.environ}
    mlflow.set_tracking_uri(url)
    os.environ.update(ours)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
        for name in ours:
            os.environ.pop(name)
        os.environ.update(before)
