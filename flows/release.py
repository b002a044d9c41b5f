"""Promote, roll back, compare: the road as Prefect flows, for schedules, automations and calls of its API."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.runtime import deployment, flow_run

from flows import console
from flows.orders import Prepared, recipe_of
from tasks.artifacts import Artifact, Store, store_at
from tasks.errors import Refused
from tasks.registry import compare as comparing
from tasks.registry import history, ledger, records
from tasks.registry.aliases import Registry
from tasks.registry.gate import Evidence
from tasks.registry.golden import disagreements
from tasks.registry.road import Outcome, Road
from tasks.retrieval.opening import Server
from tasks.settings import Settings, load
from tasks.tables.predictor import Predictor

DAY = 86_400
Answer = Callable[[dict[str, Any]], Any]


class Approval(RunInput):
    """The form of a suspended run: whether the pending version becomes champion."""

    approve: bool
    note: str = ""


@contextmanager
def road(release: str, settings: Settings) -> Iterator[Road]:
    """The road of a release under these settings; the servers must be up."""
    with Registry(settings.mlflow_url) as registry:
        store = store_at(settings.store)
        smoke = partial(answers, registry, store, release, settings.root / "downloads" / release)
        lock = settings.root / "locks" / f"road-{release}"
        yield Road(store, release, registry, lock, traveller(), smoke)
    if server := qdrant(settings):
        follow_champion(store, release, server, settings)


def qdrant(settings: Settings) -> Server | None:
    """The Qdrant server of the native variables; without them the index is embedded."""
    return Server(url=settings.qdrant[0], key=settings.qdrant[1]) if settings.qdrant else None


def follow_champion(store: Store, release: str, server: Server, settings: Settings) -> None:
    """Let the alias of a documents release on the Qdrant server name the champion's collection."""
    entries = ledger.entries(store, release)
    champion = history.champion(entries)
    if champion is None or recipe_of(release, settings).kind != "documents":
        return
    from tasks.retrieval.opening import publish_index, switch_alias
    from tasks.retrieval.served import read_release

    def index_of(version: int) -> Artifact:
        return read_release(store.path(records.version(store, release, version).folder)).index

    index = index_of(champion)
    publish_index(release, index, store.path(index), server)  # a rollback may lead to one that was dropped
    switch_alias(release, index, server, [index_of(version) for version in history.waiting(entries)])


def traveller() -> str:
    """Who moves: the deployment's run, else the user and the machine."""
    person = os.environ.get("USER") or f"uid {os.getuid()}"
    run = f"flow run {flow_run.flow_name}/{flow_run.name} {str(flow_run.id)[:8]}"
    return run if deployment.id else f"{person}@{socket.gethostname()}"


def decided(
    version: int, snapshot: str, prepared: Prepared, evidence: Callable[[], Evidence], settings: Settings
) -> Outcome:
    """What becomes of a candidate: the decision that was made before, or one on evidence gathered now."""
    with road(prepared.order.release, settings) as way:
        found = way.found(version, snapshot, prepared.recipe)
        return asked(way, found or way.offer(evidence(), prepared.recipe), prepared.recipe.approval_days)


def answers(registry: Registry, store: Store, release: str, downloads: Path, version: int) -> None:
    """The smoke test: fetch the version as a service would, load it, let it answer its golden requests."""
    folder = registry.download(registry.version(release, version), downloads / str(version))
    record = json.loads((folder / "release.json").read_bytes())
    with LOADED[record["kind"]](folder, store) as answer:
        wrong = disagreements(record["golden"], answer)
    if wrong:
        raise Refused(f"Version {version} of {release} fails its own golden requests: {'; '.join(wrong)}.")


@contextmanager
def table_model(folder: Path, _store: Store) -> Iterator[Answer]:
    predictor = Predictor.load(folder)
    yield lambda row: predictor.predict([row])[0]


@contextmanager
def index(folder: Path, store: Store) -> Iterator[Answer]:
    from tasks.retrieval.served import Served  # onnxruntime, which a table's release goes without

    with closing(Served.load(folder, store.path, 2)) as served:
        yield served.answer


LOADED = {"tabular": table_model, "documents": index}


@flow(name="promote", flow_run_name="{release}")
def promote(release: str, version: int, override: bool = False, note: str = "") -> Outcome:
    """Promote a pending version; with `override` any version, recorded as such."""
    with road(release, load()) as way:
        return published(way.approve(version, override, note))


@flow(name="roll-back", flow_run_name="{release}")
def roll_back(release: str, note: str = "") -> Outcome:
    """Back to the last known good version."""
    with road(release, load()) as way:
        return published(way.roll_back(note))


@flow(name="compare", flow_run_name="{release}")
def compare(release: str, first: int, second: int) -> comparing.Comparison:
    """Two versions side by side, as an artifact of the run."""
    found = comparing.compare(store_at(load().store), release, first, second)
    lines = [f"| | version {first} | version {second} |", "|---|---|---|"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in found.rows()]
    create_markdown_artifact("\n".join(lines), key=f"compare-{release}", description=f"{release}: {first} and {second}")
    return found


def asked(way: Road, outcome: Outcome, days: int) -> Outcome:
    """Ask about a pending version in the Prefect UI, where this run is a deployment's: only those can be suspended.

    The run ends here, and after the answer starts anew: its cached steps and the decision are found."""
    if outcome.state != "pending" or outcome.version is None or not deployment.id:
        return outcome
    question = Approval.with_initial_data(description=console.markdown(outcome), approve=False)
    key = f"approve-{outcome.release}-{outcome.version}"
    answer = suspend_flow_run(wait_for_input=question, timeout=days * DAY, key=key)
    return (
        way.approve(outcome.version, note=answer.note) if answer.approve else way.decline(outcome.version, answer.note)
    )


def published(outcome: Outcome) -> Outcome:
    """The outcome, with its table of reasons on the page of the run."""
    create_markdown_artifact(console.markdown(outcome), key=f"decision-{outcome.release}", description=outcome.text)
    return outcome
