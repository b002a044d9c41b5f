"""The assistant's flow, killed again and again between base and decision, and run on until it is done."""

import json
import random
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

import pytest

from tasks.artifacts import Store
from tasks.language.town import COLUMNS, courses, names
from tasks.registry import records
from tasks.registry.aliases import Registry
from tasks.registry.verify import verify
from tasks.settings import ROOT
from tests.crash.harness import Command, Kill, Victim, gone, kill
from tests.crash.test_tabular import PENSTOCK, decided, moves
from tests.flows.papers import Shelf, environment, moved_in, primed

GOES_ON = "goes on from checkpoint-"
RECIPE = {
    "kind": "assistant",
    "dataset": "lectures",
    "base": "tiny",
    "tiny": {"hidden": 64, "inner": 128, "courses": 12, "steps": 300, "batch": 8},
    "lora": {"epochs": 40, "rate": 5e-3, "dropout": 0.05, "patience": 1000},
    "judged": 60,
    "answer_tokens": 24,
    "measure": False,
}
TOWN = 6  # courses of the catalogue


@dataclass(frozen=True)
class Part:
    """A part of the flow by what is said where it begins, and how many kills it gets; `kept`: what it did is kept."""

    name: str
    said: str
    kills: int
    kept: bool = False


PARTS = (
    Part("training", " batches of ", 4, kept=True),
    Part("merging", "learned after", 1),
    Part("asking", "asking base and tuned model", 2),
    Part("exporting", "perplexity", 2),
    Part("deciding", "registered as version", 1),
)
END = "decision:"
EARLY = 0.8  # of a part is where kills fall


class School(Shelf):
    """A house whose only document is the catalogue of a few courses."""

    def furnish(self) -> None:
        self.put("datasets/lectures.yaml", {"title": "Lectures", "licence": "CC0-1.0", "source": self.source()})
        self.put(f"releases/{self.name}.yaml", RECIPE)
        rows = [[one.name, *one.facts.values()] for one in courses(names()[:TOWN], seed=3)]
        table = [["course", *COLUMNS], ["---"] * (1 + len(COLUMNS)), *rows]
        lines = "\n".join(f"| {' | '.join(row)} |" for row in table)
        self.paper("lectures.md").write_text(f"# Lectures\n\n## Courses\n\n{lines}\n")


@dataclass
class Home:
    """A data root with a release of its own; both homes share project and servers."""

    school: School
    root: Path

    def command(self, *words: str) -> Command:
        temporary = self.root / "temporary"  # so that the children's command lines name this place
        temporary.mkdir(exist_ok=True)
        own = environment(self.school, self.root) | {"TMPDIR": str(temporary)}
        return Command([*PENSTOCK, *words], ROOT, own, self.root.with_suffix(".log"))

    def train(self) -> Command:
        return self.command("train", self.school.name)

    @property
    def store(self) -> Store:
        return Store(self.root / "store")

    @property
    def kept(self) -> list[dict[str, Any]]:
        """The release.json of each version."""
        found = records.versions(self.store, self.school.name)
        return [json.loads((self.store.path(one.folder) / "release.json").read_bytes()) for one in found]

    def state(self) -> dict[str, Any]:
        store, name = self.store, self.school.name
        with Registry(self.school.mlflow) as registry:
            assert verify(store, name, registry) == []
            aliases = registry.aliases(name)
        return {
            "made": [(told["base"]["digest"], told["merged"]["digest"], told["files"]) for told in self.kept],
            "measured": [(told["metrics"], told["merging"], told["golden"]) for told in self.kept],
            "moves": moves(store, name),
            "said": decided(store, name),
            "aliases": aliases,
        }


@dataclass
class Listener:
    """What a command says from now on."""

    command: Command

    def __post_init__(self) -> None:
        self.start = self.command.log.stat().st_size if self.command.log.exists() else 0

    def hears(self, said: str) -> bool:
        if not self.command.log.exists():
            return False
        with self.command.log.open("rb") as log:
            log.seek(self.start)
            return said.encode() in log.read()


def timed(command: Command) -> dict[str, float]:
    """Run it to its end; how many seconds each part took."""
    heard, begun = Listener(command), dict[str, float]()
    waiting = [*((part.name, part.said) for part in PARTS), ("end", END)]
    process = command.start()
    while waiting and process.poll() is None:
        if heard.hears(waiting[0][1]):
            begun[waiting.pop(0)[0]] = time.monotonic()
        time.sleep(0.02)
    assert process.wait(60) == 0 and not waiting, command.last_words()
    moments = list(begun.values())
    return {name: after - at for name, at, after in zip(begun, moments, moments[1:], strict=False)}


def strike_in(command: Command, said: str, after: float, victim: Victim) -> Kill:
    """Start the command, and kill it `after` seconds from where it said that."""
    heard, process = Listener(command), command.start()
    while process.poll() is None and not heard.hears(said):
        time.sleep(0.02)
    with suppress(TimeoutExpired):
        process.wait(after)
    return Kill(victim, after, kill(process, victim), command.last_words())


def moments(took: dict[str, float], dice: random.Random) -> list[tuple[Part, float]]:
    """When to kill, in the order of the parts. A part that keeps what it did is shorter each time: a share of it is
    waited for; another begins anew and gets further. Not near its end, which may come sooner."""
    found = []
    for part in PARTS:
        share = EARLY * took[part.name] / part.kills
        found += [(part, share * (dice.uniform(0.1, 0.9) + (0 if part.kept else turn))) for turn in range(part.kills)]
    return found


@pytest.fixture
def homes(
    prefect_server: str, mlflow_url: str, tmp_path: Path, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> tuple[Home, Home]:
    assert pytestconfig.cache is not None
    monkeypatch.setenv("PENSTOCK_PROJECT", str(tmp_path / "project"))
    ready = primed(pytestconfig.cache.mkdir("documents"), pytestconfig.cache.mkdir("minilm"))
    made = []
    for name in ("undisturbed", "killed"):
        moved_in(tmp_path / name, ready)
        made.append(Home(School(tmp_path / "project", name, prefect_server, mlflow_url), tmp_path / name))
        made[-1].school.furnish()
    return made[0], made[1]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_run_killed_ten_times_ends_where_an_undisturbed_one_does(
    homes: tuple[Home, Home], capsys: pytest.CaptureFixture[str]
) -> None:
    undisturbed, killed = homes
    took = timed(undisturbed.train())
    struck = []
    for number, (part, after) in enumerate(moments(took, random.Random(9))):
        struck.append(strike_in(killed.train(), part.said, after, "parent" if number % 2 else "group"))
        assert gone(killed.root, patience=5) == []
        assert len(killed.kept) <= 1
        seen = f"{struck[-1].victim} {after:.1f} s into {part.name} of {took[part.name]:.1f} s"
        with capsys.disabled():
            sys.stdout.write(f"\nkill {number + 1}: {seen} ({'hit' if struck[-1].hit else 'late'})")
    for _ in range(2):
        again = killed.train().finish(600)
        killed.command("verify", killed.school.name).finish(60)
        assert len(killed.kept) == len(undisturbed.kept) == 1
        assert killed.state() == undisturbed.state()
    assert sum(one.hit for one in struck) >= len(struck) - 2
    assert killed.train().log.read_text().count(GOES_ON) >= 2
    assert [path.name for home in homes for path in (home.root / "store" / "work").glob("lora-*")] == []
    assert gone(killed.root) == gone(undisturbed.root) == []
    left = [path.name for path in (killed.root / "temporary").iterdir()]
    with capsys.disabled():
        sys.stdout.write(f"\nnothing to do: {again:.1f} s; left in TMPDIR: {len(left)} {left[:3]}")
