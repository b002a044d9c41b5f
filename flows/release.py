"""Promote, roll back, compare: the road as Prefect flows, for schedules, automations and calls of its API."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.input import RunInput
from prefect.runtime import deployment, flow_run

from flows import asking, console
from flows.incidents import tell_outcome
from flows.kinds import KINDS
from flows.orders import Prepared, recipe_of
from tasks.artifacts import Store, store_at
from tasks.errors import Refused
from tasks.registry import compare as comparing
from tasks.registry.aliases import Registry
from tasks.registry.gate import Evidence
from tasks.registry.golden import disagreements
from tasks.registry.road import Outcome, Road
from tasks.settings import Settings, load


class Approval(RunInput):
    """The form of a suspended run: whether the pending version becomes champion."""

    approve: bool
    note: str = ""


@contextmanager
def road(release: str, settings: Settings) -> Iterator[Road]:
    """The road of a release under these settings; the servers must be up."""
    moved = KINDS[recipe_of(release, settings).kind].moved
    with Registry(settings.mlflow_url) as registry:
        store = store_at(settings.store)
        smoke = partial(answers, registry, store, release, settings.root / "downloads" / release)
        lock = settings.root / "locks" / f"road-{release}"
        yield Road(store, release, registry, lock, traveller(), smoke)
    if moved is not None:
        import_module(moved).follow(store, release, settings)


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
    if wrong := disagreeing(folder, store):
        raise Refused(f"Version {version} of {release} fails its own golden requests: {'; '.join(wrong)}.")


def disagreeing(folder: Path, store: Store) -> list[str]:
    """What a release answers otherwise today than when it was made."""
    record = json.loads((folder / "release.json").read_bytes())
    with import_module(KINDS[record["kind"]].loader).answering(folder, store) as answer:
        return disagreements(record["golden"], answer)


@flow(name="promote", flow_run_name="{release}")
def promote(release: str, version: int, override: bool = False, note: str = "") -> Outcome:
    """Promote a pending version; with `override` any version, recorded as such."""
    settings = load()
    with road(release, settings) as way:
        return published(way.approve(version, override, note), settings)


@flow(name="roll-back", flow_run_name="{release}")
def roll_back(release: str, note: str = "") -> Outcome:
    """Back to the last known good version."""
    settings = load()
    with road(release, settings) as way:
        return published(way.roll_back(note), settings)


@flow(name="compare", flow_run_name="{release}")
def compare(release: str, first: int, second: int) -> comparing.Comparison:
    """Two versions side by side, as an artifact of the run."""
    found = comparing.compare(store_at(load().store), release, first, second)
    lines = [f"| | version {first} | version {second} |", "|---|---|---|"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in found.rows()]
    lines += ["", found.gate] if found.gate else []
    create_markdown_artifact("\n".join(lines), key=f"compare-{release}", description=f"{release}: {first} and {second}")
    return found


def asked(way: Road, outcome: Outcome, days: int) -> Outcome:
    """Ask about a pending version in the Prefect UI, where this run is a deployment's: only those can be suspended.

    The run ends here, and after the answer starts anew: its cached steps and the decision are found."""
    if outcome.state != "pending" or outcome.version is None or not deployment.id:
        return outcome
    question = Approval.with_initial_data(description=console.markdown(outcome), approve=False)
    key = f"approve-{outcome.release}-{outcome.version}"
    answer = asking.asked(question, key, days)
    return (
        way.approve(outcome.version, note=answer.note) if answer.approve else way.decline(outcome.version, answer.note)
    )


def published(outcome: Outcome, settings: Settings) -> Outcome:
    """The outcome, with its table of reasons on the page of the run; a refusal and a back-out are alerts too."""
    create_markdown_artifact(console.markdown(outcome), key=f"decision-{outcome.release}", description=outcome.text)
    tell_outcome(outcome, settings)
    return outcome
