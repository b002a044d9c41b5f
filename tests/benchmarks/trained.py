"""What the benchmarks stand on: a release of this data root, trained where it is not yet."""

import sys
from pathlib import Path

from flows.orders import Order, prepare
from tasks import settings
from tasks.artifacts import Store, opened
from tasks.planning import Receipt, load_receipt
from tasks.registry import ledger, records
from tasks.registry.history import champion
from tests.benchmarks.harness import run

ROOT = Path(__file__).resolve().parents[2]
RELEASE = "credit-risk"


def program(name: str) -> Path:
    """A console script of this environment."""
    return Path(sys.executable).with_name(name)


def train(log: Path) -> dict[str, float]:
    """`penstock train`, as typed: wall and CPU time."""
    return run([program("penstock"), "train", RELEASE], ROOT, log)


def store() -> Store:
    return Store(settings.load().store)


def receipt() -> Receipt:
    """What the last finished training left."""
    with opened(store().root) as here:
        found = load_receipt(here, prepare(Order(release=RELEASE), settings.load()).receipt)
    if found is None:
        raise RuntimeError(f"penstock train {RELEASE} left no receipt in {here.root}; does it end without an error?")
    return found


def champion_folder() -> Path:
    """The release folder of the version that serves."""
    version = champion(ledger.entries(store(), RELEASE))
    if version is None:
        raise RuntimeError(f"{RELEASE} has no champion: see `penstock history {RELEASE}` for what the gate said.")
    return store().path(records.version(store(), RELEASE, version).folder)
