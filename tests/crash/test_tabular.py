"""The tabular flow, killed at random moments and run again: one version per seed, a whole ledger, nothing left over."""

import os
import random
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows import servers
from tasks.artifacts import Store
from tasks.registry import ledger, records
from tasks.registry.aliases import Registry
from tasks.registry.verify import verify
from tasks.settings import ROOT, Settings, load
from tests.crash.harness import Command, gone, strike, survives
from tests.flows.conftest import House
from tests.prefect_server import free_port

PENSTOCK = (sys.executable, "-m", "flows.cli")
RELEASE = "credit-risk"
KILLS = 10


def decided(store: Store, release: str) -> list[tuple[Any, ...]]:
    """What the gate said of each version, without the measured times."""
    found = [records.in_force(store, release, record.version) for record in records.versions(store, release)]
    decisions = [one.decision for one in found if one is not None]
    return [
        (said.verdict, [(why.name, why.ok, None if why.measured else why.number) for why in said.reasons])
        for said in decisions
    ]


def moves(store: Store, release: str) -> list[tuple[Any, ...]]:
    return [(one.number, one.action, one.from_version, one.to_version) for one in ledger.entries(store, release)]


@pytest.mark.timeout(300)
def test_two_kills_leave_no_trace(prefect_server: str, mlflow_url: str, tmp_path: Path) -> None:
    """Each attempt is the same training under another name and in another data root."""

    def house(attempt: int) -> House:
        return House(tmp_path / "project", f"killed-{attempt}", prefect_server, mlflow_url)

    def command(attempt: int) -> Command:
        house(attempt).furnish()
        own = {
            "PENSTOCK_PROJECT": str(tmp_path / "project"),
            "PENSTOCK_DATA_ROOT": str(tmp_path / str(attempt)),
            "PREFECT_API_URL": prefect_server,
            "MLFLOW_TRACKING_URI": mlflow_url,
        }
        line = [*PENSTOCK, "train", house(attempt).name]
        return Command(line, ROOT, os.environ | own, tmp_path / f"{attempt}.log")

    def state(attempt: int) -> dict[str, Any]:
        store, name = Store(tmp_path / str(attempt) / "store"), house(attempt).name
        with Registry(mlflow_url) as registry:
            assert verify(store, name, registry) == []
            aliases = registry.aliases(name)
        folders = [store.path(record.folder) for record in records.versions(store, name)]
        models = [{path.name: path.read_bytes() for path in folder.glob("[!r]*")} for folder in folders]
        return {"models": models, "moves": moves(store, name), "said": decided(store, name), "aliases": aliases}

    survives(command, state, kills=2, seed=5)
    assert len(state(1)["models"]) == 1 and state(1)["aliases"] == {"staging": 1, "champion": 1}
    assert gone(tmp_path / "1") == gone(tmp_path / "2") == []


@dataclass(frozen=True)
class Home:
    """A data root with servers of its own."""

    root: Path
    ports: tuple[int, int]

    @property
    def settings(self) -> Settings:
        named = {"data_root": self.root, "prefect_port": self.ports[0], "mlflow_port": self.ports[1]}
        return load().model_copy(update=named)

    def command(self, *words: str) -> Command:
        own = {
            "PENSTOCK_DATA_ROOT": str(self.root),
            "PENSTOCK_PREFECT_PORT": str(self.ports[0]),
            "PENSTOCK_MLFLOW_PORT": str(self.ports[1]),
        }
        return Command([*PENSTOCK, *words], ROOT, os.environ | own, self.root.with_suffix(".log"))

    def train(self, seed: int) -> Command:
        return self.command("train", RELEASE, "--seed", str(seed))

    def versions(self) -> list[tuple[int, str, str, int]]:
        found = records.versions(Store(self.settings.store), RELEASE)
        return [(record.version, record.key, record.release_digest, record.seed) for record in found]

    def state(self) -> dict[str, Any]:
        store = Store(self.settings.store)
        entries = [(one.subject, one.decision) for one in ledger.entries(store, RELEASE)]
        return {"versions": self.versions(), "moves": moves(store, RELEASE), "entries": entries}

    def strangers(self) -> list[str]:
        """What still runs for this data root beside its two servers."""
        living = [server.process() for server in servers.status(self.settings)]
        ours = [one.pid for process in living if process for one in (process, *process.children(recursive=True))]
        return gone(self.root, ours)


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[tuple[Home, Home]]:
    pair = tuple(Home(tmp_path / name, (free_port(), free_port())) for name in ("undisturbed", "killed"))
    try:
        yield pair[0], pair[1]
    finally:
        for home in pair:
            servers.down(home.settings)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_kills_end_where_an_undisturbed_root_does(
    homes: tuple[Home, Home], capsys: pytest.CaptureFixture[str]
) -> None:
    undisturbed, killed = homes
    for home in homes:
        home.train(0).finish(600)
    assert len(servers.status(killed.settings)) == 2
    took = statistics.median(undisturbed.train(seed).finish(600) for seed in range(1, KILLS + 1))
    servers.down(undisturbed.settings)

    dice, hits = random.Random(6), 0
    for seed in range(1, KILLS + 1):
        kill = strike(killed.train(seed), dice, took, "parent" if seed % 2 else "group")
        assert killed.strangers() == []
        at_once = len(killed.versions())
        again = killed.train(seed).finish(600)
        assert [found[3] for found in killed.versions()] == list(range(seed + 1)), kill
        killed.command("verify", RELEASE).finish(60)
        assert killed.strangers() == []
        hits += kill.hit
        seen = f"{kill.victim} after {kill.after:.1f} of {took:.1f} s ({'hit' if kill.hit else 'late'})"
        with capsys.disabled():
            sys.stdout.write(f"\nseed {seed}: {seen}, then {at_once - seed} new; again {again:.1f} s")
    assert hits >= KILLS // 2
    assert killed.state() == undisturbed.state()
