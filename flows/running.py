"""Runs flows from the command line: nothing where nothing changed, else the servers first and then the flow."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import httpx

from flows import console, servers
from flows.kinds import KINDS
from flows.orders import Order, prepare, recipe_of
from tasks.artifacts import opened, store_at
from tasks.errors import BadInput
from tasks.registry import records
from tasks.registry.road import Outcome, Road
from tasks.settings import Settings
from tasks.watching.replicas import replicas

SETTLING = 15  # seconds in which a service should have loaded the version that it follows


def train(order: Order, settings: Settings) -> Outcome:
    """Train a release up to its decision. Local files are looked at before anything is started."""
    with opened(settings.store) as store:
        prepared = prepare(order, settings)
        prepared.check(settings)
        connect(settings)
        flow = import_module(KINDS[prepared.recipe.kind].flow)
        servers.wait(settings)
        outcome: Outcome = flow.train(order)
        record = records.version(store, order.release, outcome.version) if outcome.version else None
    console.show_outcome(outcome, record)
    return outcome


def connect(settings: Settings) -> None:
    """Make this process a client of the profile's servers, and start those that are local (see `servers.wait`).

    Before Prefect or MLflow are imported: they read the environment then."""
    os.environ.update(servers.environment(settings))
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")  # the console has our own lines
    os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "penstock")
    servers.start(settings)


def up(settings: Settings) -> None:
    """Servers, deployments and one worker."""
    connect(settings)
    servers.wait(settings)
    deploy(settings)
    servers.start_worker(settings)
    console.out.print(f"Prefect {settings.prefect_url.removesuffix('/api')}   MLflow {settings.mlflow_url}")


def deploy(settings: Settings) -> None:
    """Tell the Prefect server of every deployment."""
    connect(settings)
    servers.wait(settings)
    from flows import automations, deploying

    names = deploying.deploy(settings)
    console.out.print(f"deployed: {', '.join(names)}")
    console.out.print(automations.tell_of_runs(settings))


def metrics(settings: Settings) -> None:
    """Metrics of releases and runs for Prometheus, until Ctrl-C; no server is started for them."""
    os.environ.update(servers.environment(settings))  # Prefect reads it when it is imported
    from flows.metrics import serve

    serve(settings)


def move(settings: Settings, name: str, act: Callable[[Road], Outcome]) -> Outcome:
    """One step on a release's road, told on the console."""
    recipe_of(name, settings)
    connect(settings)
    servers.wait(settings)
    from flows.incidents import tell_outcome
    from flows.release import road

    with road(name, settings) as way:
        outcome = act(way)
    tell_outcome(outcome, settings)
    console.out.print(outcome.text)
    return outcome


def roll_back(settings: Settings, name: str, note: str, patience: float = SETTLING) -> None:
    """Roll back, then ask the services that sent a heartbeat which version answers."""
    outcome = move(settings, name, lambda way: way.roll_back(note))
    for beat in replicas(store_at(settings.store), name):
        console.out.print(f"  {beat.url} answers with version {settled_version(beat.url, outcome.champion, patience)}")


def settled_version(url: str, wanted: int | None, patience: float = SETTLING) -> str:
    """The version that a service answers with, as soon as it is the wanted one or patience ends."""
    deadline, version = time.monotonic() + patience, "none: it cannot be reached"
    while time.monotonic() < deadline and version != str(wanted):
        with suppress(httpx.HTTPError, ValueError, KeyError):
            version = str(httpx.get(f"{url}/info", timeout=2, trust_env=False).json()["version"])
        time.sleep(0.2)
    return version


def package(settings: Settings, name: str, version: int | None) -> None:
    """Build the bento of a version (default: the champion)."""
    recipe_of(name, settings)
    connect(settings)
    servers.wait(settings)
    from flows.packaging import package as build

    told = build(name, version, settings)
    console.out.print(f"{told['bento']}  {told['size_mb']:.1f} MB  {told['path']}")


def score(name: str, source: str, to: Path, query: str | None, settings: Settings) -> None:
    """Score the rows of a file or a query with the champion; what cannot work is said before a server starts."""
    from tasks.tables import batch_sources, batches

    if (kind := recipe_of(name, settings).kind) != "tabular":
        raise BadInput(
            f"{name} is of kind {kind} and has no rows to score: only tables are scored. "
            f"It is asked while it is served: `penstock serve {name}`, as its page and API say."
        )
    batch_sources.check(source, query, to)
    batches.champion(store_at(settings.store), name)
    connect(settings)
    servers.wait(settings)
    from flows.score import score as flow

    here = source if batch_sources.is_address(source) else str(Path(source).absolute())
    done = flow(name, here, str(to.absolute()), query)
    told = f"{done.rows} rows scored with version {done.version} of {name} in {done.seconds:.1f} s"
    console.out.print(f"{told}: {done.to}" + (f" ({done.unseen} with unseen levels)" if done.unseen else ""))
