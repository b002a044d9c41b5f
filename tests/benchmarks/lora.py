"""`just bench lora`: fine-tuning as our flow does it against a Trainer whose examples are all padded to one length."""

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tasks import artifacts
from tasks.artifacts import Artifact
from tasks.language.apart import Tell, apart
from tasks.language.base import weight_bytes
from tasks.language.chats import learned
from tasks.language.options import LoraOptions, Tiny
from tasks.language.rendering import Chat
from tasks.language.tiny_base import tiny
from tests.benchmarks import lora_examples, lora_work
from tests.benchmarks.harness import Benchmark, Goal, Measure
from tests.benchmarks.lora_work import Order, Trained

RATE, WALL, LOSS = "real tokens/CPU-s", "real tokens/s", "loss"
PEER = "padded"
FASTER, NEAR = 4.0, 1.01
BASE = Tiny(steps=100)
TRAIN, VALID, HELD = 1000, 64, 256


class Training:
    """One training a round, with one thread, in a process of its own."""

    def __init__(
        self, name: str, work: Callable[[Order, Tell], Trained], store: Path, order: Order, facts: dict[str, object]
    ) -> None:
        self.name, self.work, self.store, self.order, self.facts = name, work, store, order, facts
        self.rates: list[float] = []

    def __enter__(self) -> Self:
        with artifacts.opened(self.store) as store:
            chat = Chat(store.path(self.order.base))
            self.tokens = sum(lengths(chat, self.order.examples))
        return self

    def __exit__(self, *_: object) -> None: ...

    def measure(self) -> dict[str, float]:
        with artifacts.opened(self.store):
            found, _ = apart(self.work, self.order, Trained)
        tokens = self.tokens * found.epochs
        self.rates.append(tokens / found.cpu)
        self.facts |= {
            f"steps, {self.name}": found.steps,
            f"median, {self.name}": round(statistics.median(self.rates)),
            "loss of the base": round(found.before, 3),
        }
        return {RATE: self.rates[-1], WALL: tokens / found.wall, LOSS: found.loss}


def benchmark(folder: Path, rounds: int | None) -> Benchmark:
    return made(folder, BASE, LoraOptions(epochs=4), (TRAIN, VALID, HELD), rounds or 3)


def made(folder: Path, base: Tiny, options: LoraOptions, counts: tuple[int, int, int], rounds: int) -> Benchmark:
    """The base and the examples of both; `counts` of those that are learned, looked at and asked."""
    place = folder / "store"
    with artifacts.opened(place) as store:
        made = tiny(base)
        chat = Chat(store.path(made.artifact))
        given = lora_examples.examples(chat, *counts)
        order = Order(base=made.artifact, examples=given, options=options.settled(weight_bytes(made.artifact)))
        sizes = lengths(chat, given)
    facts: dict[str, object] = {
        "weights": made.parameters,
        "examples": len(sizes),
        "tokens of an example": f"{min(sizes)} to {max(sizes)}, median {statistics.median(sizes):.0f}",
        "epochs": order.options.epochs,
        "batch": order.options.batch,
        "threads": 1,
    }
    works = {"penstock": lora_work.ours, PEER: lora_work.padded}
    subjects = [Training(name, work, place, order, facts) for name, work in works.items()]
    measures = [Measure(RATE, "", "more"), Measure(WALL, "", "more"), Measure(LOSS, "")]
    return Benchmark("lora", measures, subjects, [Goal(RATE, PEER, FASTER), Goal(LOSS, PEER, NEAR)], rounds, facts)


def lengths(chat: Chat, examples: Artifact) -> list[int]:
    """The tokens of each example that is learned."""
    return [len(chat.example(one.messages)[0]) for one in learned(examples) if one.part == "train"]
