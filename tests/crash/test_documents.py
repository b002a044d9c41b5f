"""The documents flow, killed at random moments and run again, while a service answers from what is published."""

import json
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bentos.kit.config import Config
from bentos.kit.desk import Desk
from bentos.rag import routes
from bentos.rag.model import load_rag
from tasks.artifacts import Store
from tasks.registry import records
from tasks.registry.aliases import Registry
from tasks.registry.verify import verify
from tasks.settings import ROOT
from tests.bentos.conftest import Client
from tests.bentos.test_follow import until
from tests.crash.harness import Command, gone, strike
from tests.crash.test_tabular import PENSTOCK, decided, moves
from tests.flows.papers import PDFS, Shelf, environment, moved_in, primed, texts

KILLS = 10
QUESTION = "How many lockers has the cloakroom?"


def lockers(attempt: int) -> str:
    return f"{40 + attempt} lockers"


@dataclass
class Home:
    """A data root with a release of its own; both homes share project and servers."""

    shelf: Shelf
    root: Path

    def command(self, *words: str) -> Command:
        temporary = self.root / "temporary"  # so that what a sandbox works in names this place
        temporary.mkdir(exist_ok=True)
        own = environment(self.shelf, self.root) | {"TMPDIR": str(temporary)}
        return Command([*PENSTOCK, *words], ROOT, own, self.root.with_suffix(".log"))

    def train(self) -> Command:
        return self.command("train", self.shelf.name)

    def edited(self, attempt: int) -> None:
        """What the attempt finds: a sentence that tells the attempts apart, and another one anywhere."""
        if attempt == 0:
            self.shelf.furnish()
        found = texts()
        anywhere = random.Random(attempt).choice(sorted(found))
        found[anywhere] += f"\n\n## Notice\n\nNotice {attempt} hangs on the blue board beside the stairs.\n"
        found["opening"] += f"\n\n## Cloakroom\n\nThe cloakroom has {lockers(attempt)}.\n"
        for name in {anywhere, "opening", *PDFS}:
            self.shelf.write_paper(name, found[name])

    @property
    def store(self) -> Store:
        return Store(self.root / "store")

    @property
    def kept(self) -> list[dict[str, Any]]:
        """The release.json of each version."""
        found = records.versions(self.store, self.shelf.name)
        return [json.loads((self.store.path(one.folder) / "release.json").read_bytes()) for one in found]

    def state(self) -> dict[str, Any]:
        store, name = self.store, self.shelf.name
        with Registry(self.shelf.mlflow) as registry:
            assert verify(store, name, registry) == []
            aliases = registry.aliases(name)
        made = [{part: told[part]["digest"] for part in ("index", "chunks", "weights", "pages")} for told in self.kept]
        measured = [(told["metrics"], told["threshold"], told["golden"]) for told in self.kept]
        return {
            "made": made,
            "measured": measured,
            "moves": moves(store, name),
            "said": decided(store, name),
            "aliases": aliases,
        }


@dataclass
class Asking:
    """Asks a service that follows the champion, again and again, until told to stop."""

    client: Client
    stop: threading.Event = field(default_factory=threading.Event)
    seen: list[tuple[int, str, str]] = field(default_factory=list)

    def ask(self) -> tuple[int, str, str]:
        answer = self.client.post("/v1/ask", json={"question": QUESTION})
        told = answer.json()
        return answer.status_code, str(told.get("version")), str(told.get("answer"))

    def run(self) -> None:
        while not self.stop.wait(0.2):
            self.seen.append(self.ask())


@contextmanager
def asking(home: Home) -> Iterator[Asking]:
    shelf = home.shelf
    known: dict[str, Any] = {
        "root": home.root,
        "store": str(home.store.root),
        "mlflow_url": shelf.mlflow,
        "release": shelf.name,
    }
    desk = Desk(load_rag, Config(**known, follow="champion", poll_s=0.2, timeout_s=60.0))
    told = Asking(Client(routes.app(desk), desk))
    thread = threading.Thread(target=told.run)
    try:
        until(lambda: told.ask()[0] == 200, 60)
        thread.start()
        yield told
    finally:
        told.stop.set()
        if thread.is_alive():
            thread.join()
        told.client.stop()


@pytest.fixture
def homes(
    prefect_server: str,
    mlflow_url: str,
    tmp_path: Path,
    pytestconfig: pytest.Config,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[Home, Home]:
    assert pytestconfig.cache is not None
    monkeypatch.setenv("PENSTOCK_PROJECT", str(tmp_path / "project"))
    monkeypatch.setenv("PENSTOCK_DATA_ROOT", str(tmp_path / "killed"))  # where the service's parts come from
    ready = primed(pytestconfig.cache.mkdir("documents"), pytestconfig.cache.mkdir("minilm"))
    made = []
    for name in ("undisturbed", "killed"):
        moved_in(tmp_path / name, ready)
        made.append(Home(Shelf(tmp_path / "project", name, prefect_server, mlflow_url), tmp_path / name))
    return made[0], made[1]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_kills_end_where_an_undisturbed_root_does_and_nobody_notices(
    homes: tuple[Home, Home], capsys: pytest.CaptureFixture[str]
) -> None:
    undisturbed, killed = homes
    for home in homes:
        home.edited(0)
        home.train().finish(600)
    dice, hits = random.Random(8), 0
    with asking(killed) as service:
        for attempt in range(1, KILLS + 1):
            killed.edited(attempt)
            usual = undisturbed.train().finish(600)
            kill = strike(killed.train(), dice, usual, "parent" if attempt % 2 else "group")
            assert gone(killed.root) == []
            at_once = len(killed.kept) - attempt
            before = len(service.seen)
            again = killed.train().finish(600)
            killed.command("verify", killed.shelf.name).finish(60)
            assert len(killed.kept) == attempt + 1, kill
            assert gone(killed.root) == []
            until(lambda attempt=attempt: service.ask()[1] == str(attempt + 1), 60)
            hits += kill.hit
            seen = f"{kill.victim} after {kill.after:.1f} of {usual:.1f} s ({'hit' if kill.hit else 'late'})"
            with capsys.disabled():
                told = f"then {at_once} new; again {again:.1f} s, {len(service.seen) - before} answers meanwhile"
                sys.stdout.write(f"\nattempt {attempt}: {seen}, {told}")
    assert hits >= KILLS // 2
    assert killed.state() == undisturbed.state()
    assert {status for status, _, _ in service.seen} == {200}
    wrong = [one for one in service.seen if lockers(int(one[1]) - 1) not in one[2]]
    assert wrong == [] and len({version for _, version, _ in service.seen}) >= KILLS
    left = [path.name for path in (killed.root / "temporary").iterdir()]
    with capsys.disabled():
        sys.stdout.write(f"\n{len(service.seen)} answers, none failed; left in TMPDIR: {len(left)} {left[:3]}")
