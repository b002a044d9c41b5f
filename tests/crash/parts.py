"""A flow of several parts, each killed so often: for trainings that keep what they did and go on from there."""

import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

from tasks.artifacts import Store
from tasks.registry import records
from tasks.registry.aliases import Registry
from tasks.registry.verify import verify
from tasks.settings import ROOT
from tests.crash.harness import Command, Kill, Victim, gone, kill
from tests.crash.test_tabular import PENSTOCK, decided, moves
from tests.flows.conftest import House
from tests.flows.papers import environment

GOES_ON = "goes on from checkpoint-"
END = "decision:"
EARLY = 0.8  # of a part is where kills fall


@dataclass(frozen=True)
class Part:
    """A part of the flow by what is said where it begins, and how many kills it gets; `kept`: what it did is kept."""

    name: str
    said: str
    kills: int
    kept: bool = False


@dataclass
class Home:
    """A data root with a release of its own; both homes of a test share project and servers."""

    house: House
    root: Path

    def command(self, *words: str) -> Command:
        temporary = self.root / "temporary"  # so that the children's command lines name this place
        temporary.mkdir(parents=True, exist_ok=True)
        own = environment(self.house, self.root) | {"TMPDIR": str(temporary)}
        return Command([*PENSTOCK, *words], ROOT, own, self.root.with_suffix(".log"))

    def train(self) -> Command:
        return self.command("train", self.house.name)

    @property
    def store(self) -> Store:
        return Store(self.root / "store")

    @property
    def kept(self) -> list[dict[str, Any]]:
        """The release.json of each version."""
        found = records.versions(self.store, self.house.name)
        return [json.loads((self.store.path(one.folder) / "release.json").read_bytes()) for one in found]

    def state(self) -> dict[str, Any]:
        store, name = self.store, self.house.name
        with Registry(self.house.mlflow) as registry:
            assert verify(store, name, registry) == []
            aliases = registry.aliases(name)
        return {"moves": moves(store, name), "said": decided(store, name), "aliases": aliases}


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


def timed(command: Command, parts: Sequence[Part]) -> dict[str, float]:
    """Run it to its end; how many seconds each part took."""
    heard, begun = Listener(command), dict[str, float]()
    waiting = [*((part.name, part.said) for part in parts), ("end", END)]
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


def moments(parts: Sequence[Part], took: dict[str, float], dice: random.Random) -> list[tuple[Part, float]]:
    """When to kill, in the order of the parts. A part that keeps what it did is shorter each time: a share of it is
    waited for; another begins anew and gets further. Not near its end, which may come sooner."""
    found = []
    for part in parts:
        share = EARLY * took[part.name] / part.kills
        found += [(part, share * (dice.uniform(0.1, 0.9) + (0 if part.kept else turn))) for turn in range(part.kills)]
    return found


def survives(
    homes: tuple[Home, Home], parts: Sequence[Part], seed: int, made: Callable[[Home], object], work: str
) -> None:
    """Kill the training of the second home in each of its parts, run on, and find what the first made undisturbed; a
    further run must change nothing. It went on from its checkpoints, whose folders, called after `work`, are gone."""
    undisturbed, killed = homes
    took = timed(undisturbed.train(), parts)
    struck = []
    for number, (part, after) in enumerate(moments(parts, took, random.Random(seed))):
        struck.append(strike_in(killed.train(), part.said, after, "parent" if number % 2 else "group"))
        assert gone(killed.root, patience=5) == []
        assert len(killed.kept) <= 1
        seen = f"{struck[-1].victim} {after:.1f} s into {part.name} of {took[part.name]:.1f} s"
        sys.stdout.write(f"\nkill {number + 1}: {seen} ({'hit' if struck[-1].hit else 'late'})")
    for _ in range(2):
        again = killed.train().finish(600)
        killed.command("verify", killed.house.name).finish(60)
        assert len(killed.kept) == len(undisturbed.kept) == 1
        assert made(killed) == made(undisturbed)
        assert killed.state() == undisturbed.state()
    assert sum(one.hit for one in struck) >= len(struck) - 2
    assert killed.train().log.read_text().count(GOES_ON) >= 2
    assert [path for home in homes for path in (home.root / "store" / "work").glob(f"{work}-*")] == []
    assert gone(killed.root) == gone(undisturbed.root) == []
    left = [path.name for path in (killed.root / "temporary").iterdir()]
    sys.stdout.write(f"\nnothing to do: {again:.1f} s; left in TMPDIR: {len(left)} {left[:3]}")
