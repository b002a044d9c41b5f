"""Chunks to vectors: our ONNX export through fastembed against transformers and torch, on the same weights."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Self

import numpy as np

from tasks.retrieval.embedding import Embedder
from tasks.retrieval.store import Vector
from tests.benchmarks import by_hand
from tests.benchmarks.harness import Benchmark, Goal, Measure
from tests.benchmarks.material import Model, timed

PRECISIONS = ("fp32", "int8")
LEAST = 0.9999  # cosine


class Ours:
    """Both precisions in turn; how near their vectors are to the peer's is measured beside the speed."""

    name = "penstock"

    def __init__(self, model: Model, texts: Sequence[str], peer: "Plain", facts: dict[str, object]) -> None:
        self.model, self.texts, self.peer, self.facts = model, texts, peer, facts

    def __enter__(self) -> Self:
        weights = self.model.artifacts
        self.embedders = {
            name: Embedder(self.model.exported[name], weights[name].digest, by_hand.threads()) for name in PRECISIONS
        }
        return self

    def __exit__(self, *_: object) -> None: ...

    def measure(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, embedder in self.embedders.items():
            vectors, numbers = speed(partial(all_of, embedder, self.texts), self.texts, name)
            found |= numbers | {nearness(name): float((vectors * self.peer.vectors).sum(1).min())}
            self.facts[nearness(name)] = f"{found[nearness(name)]:.7f}"
        return found


class Plain:
    name = "torch"

    def __init__(self, model: Model, texts: Sequence[str]) -> None:
        self.texts, self.torch = texts, by_hand.Torch(model.raw, by_hand.threads())
        self.vectors = self.torch.embed(texts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def measure(self) -> dict[str, float]:
        found = {nearness(name): 1.0 for name in PRECISIONS}
        _, numbers = speed(partial(self.torch.embed, self.texts), self.texts, PRECISIONS[0])
        for name in PRECISIONS:  # it has one precision, which both of ours are measured against
            found |= dict(zip((rate(name), cost(name)), numbers.values(), strict=True))
        return found


def all_of(embedder: Embedder, texts: Sequence[str]) -> Vector:
    return np.stack(list(embedder.passages(texts)))


def speed(embed: Callable[[], Vector], texts: Sequence[str], precision: str) -> tuple[Vector, dict[str, float]]:
    times: dict[str, float] = {}
    with timed(times):
        vectors = embed()
    count = len(texts)
    return vectors, {rate(precision): count / times["wall"], cost(precision): times["CPU"] / count * 1000}


def rate(precision: str) -> str:
    return f"chunks/s, {precision}"


def cost(precision: str) -> str:
    return f"CPU per chunk, {precision}"


def nearness(precision: str) -> str:
    return f"smallest cosine, {precision}"


def benchmark(model: Model, texts: Sequence[str], tokens: float, rounds: int) -> Benchmark:
    peer = Plain(model, texts)
    measures = [Measure(what(name), "", "more") for what in (rate, nearness) for name in PRECISIONS]
    measures += [Measure(cost(name), "ms") for name in PRECISIONS]
    goals = [Goal(rate("fp32"), "torch", 1.0), Goal(rate("int8"), "torch", 1.5), Goal(nearness("fp32"), "torch", LEAST)]
    facts: dict[str, object] = {"chunks": len(texts), "tokens of a chunk": round(tokens), "threads": by_hand.threads()}
    return Benchmark("index-embedding", measures, [Ours(model, texts, peer, facts), peer], goals, rounds, facts)
