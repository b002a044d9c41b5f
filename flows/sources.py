"""Data that changed starts a training: what the sources hold now against what the last training left."""

from importlib import import_module

from prefect import flow
from prefect.deployments import run_deployment
from prefect.runtime import deployment

from flows.kinds import KINDS
from flows.orders import Order, planned, prepare, recipe_of
from flows.receipts import say
from tasks.artifacts import opened
from tasks.errors import PenstockError, Refused
from tasks.registry.recipes import release_names
from tasks.settings import Settings, load

CHANGING = ("source", "golden questions")


@flow(name="check-sources")
def check_sources() -> list[str]:
    """Start the training of every release whose source or golden questions changed since it was trained; their names.

    The gate of such a training asks the champion again, too: on the new rows, or the new questions."""
    settings, started, failed = load(), [], []
    for release in release_names(settings.folders):
        try:
            if moved := moved_of(release, settings):
                say(f"{release}: {', '.join(moved)} changed since it was trained")
                begin(Order(release=release), settings)
                started.append(release)
        except PenstockError as error:
            failed.append(f"{release}: {error}")
    if failed:
        raise Refused("Some releases could not be looked at, or trained. " + " ".join(failed))
    return started


def moved_of(release: str, settings: Settings) -> list[str]:
    """What changed of the data of a release that was trained before."""
    with opened(settings.store):
        receipt, lines = planned(prepare(Order(release=release), settings))
    return [line.step for line in lines if line.step in CHANGING] if receipt else []


def begin(order: Order, settings: Settings) -> None:
    """Train by the release's own deployment, or here and now where this is no deployment's run."""
    training = import_module(KINDS[recipe_of(order.release, settings).kind].flow).train
    if deployment.id:
        run_deployment(f"{training.name}/{order.release}", timeout=0, as_subflow=False)
    else:
        training(order)
