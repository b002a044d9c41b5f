"""What MLflow, Prefect and BentoML know of versions and traces; whoever is down is not asked, and that is said."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from uuid import UUID

import httpx
from pydantic import BaseModel

from flows import servers
from tasks.errors import NotFound
from tasks.registry.aliases import Registry
from tasks.registry.rest import ABSENT
from tasks.settings import Settings
from tasks.watching.tracing import Origin

Version = tuple[str, int]


class Elsewhere(BaseModel):
    """Pages and `bentos` by release and version, pages of traces by trace id, and what was not asked, in sentences."""

    runs: dict[Version, str] = {}
    flow_runs: dict[Version, str] = {}
    states: dict[Version, str] = {}
    bentos: dict[Version, list[str]] = {}
    traces: dict[str, str] = {}
    silent: list[str] = []

    def of(self, release: str, version: int) -> dict[str, object]:
        """For a program that reads it."""
        place = (release, version)
        return {
            "mlflow_run": self.runs.get(place),
            "prefect_run": self.flow_runs.get(place),
            "prefect_state": self.states.get(place),
            "bentos": self.bentos.get(place, []),
        }


def ask(origins: Sequence[Origin], traces: Iterable[str], settings: Settings) -> Elsewhere:
    found = Elsewhere()
    for one in origins:
        place = (one.release, one.version)
        found.runs[place] = f"{settings.mlflow_url}/#/runs/{one.run_id}"
        found.bentos[place] = sorted(built(one, settings))
    ask_mlflow(found, origins, traces, settings)
    ask_prefect(found, [one for one in origins if one.flow_run_id], settings)
    return found


def built(one: Origin, settings: Settings) -> Iterator[str]:
    """The bentos of a version on this machine."""
    folder = Path(servers.environment(settings)["BENTOML_HOME"]) / "bentos" / one.release
    yield from (f"{one.release}:{path.name}" for path in folder.glob(f"v{one.version}-*"))


def ask_mlflow(found: Elsewhere, origins: Iterable[Origin], traces: Iterable[str], settings: Settings) -> None:
    if not servers.healthy(f"{settings.mlflow_url}/health"):
        told = "bentos built on other machines, and whether the request was traced, are not known"
        found.silent.append(f"MLflow at {settings.mlflow_url} does not answer: {told}.")
        return
    with Registry(settings.mlflow_url) as registry:
        for one in origins:
            try:
                tag = registry.version(one.release, one.version).tags.get("bento.tag")
            except NotFound:
                found.silent.append(f"MLflow has no version {one.version} of {one.release} any more.")
                continue
            place = found.bentos[one.release, one.version]
            place += [tag] if tag and tag not in place else []
        for trace in traces:
            answer = registry.call("GET", f"traces/{trace}", {}, ABSENT, api="3.0")
            if answer:
                where = answer["trace"]["trace_info"]["trace_location"]["mlflow_experiment"]["experiment_id"]
                found.traces[trace] = f"{settings.mlflow_url}/#/experiments/{where}/traces/{trace}"


def ask_prefect(found: Elsewhere, origins: Sequence[Origin], settings: Settings) -> None:
    """By its own client, which knows profiles and keys; it is imported late, since it reads the environment then."""
    if not origins:
        return
    os.environ.update(servers.environment(settings))
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
    from prefect.utilities.urls import url_for

    for one in origins:
        found.flow_runs[one.release, one.version] = str(url_for("flow-run", obj_id=one.flow_run_id))
    try:
        with get_client(httpx_settings={"timeout": 5.0}, sync_client=True) as client:
            for one in origins:
                try:
                    run = client.read_flow_run(UUID(one.flow_run_id))
                    found.states[one.release, one.version] = f"{run.name}: {run.state_name}"
                except ObjectNotFound:
                    found.silent.append(f"Prefect has no flow run {one.flow_run_id} any more.")
    except (httpx.TransportError, PrefectHTTPStatusError) as error:
        found.silent.append(f"Prefect does not answer ({type(error).__name__}): how flow runs ended is not known.")
