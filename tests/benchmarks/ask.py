"""`just bench ask`: /v1/search of our service on 10 000 and 100 000 chunks, against FastAPI with torch and numpy."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tasks import artifacts
from tasks.artifacts import Artifact, Store
from tasks.errors import NotFound
from tasks.retrieval.building import GRAPH_ABOVE
from tasks.retrieval.embedding import Embedder
from tasks.settings import ROOT
from tests.benchmarks import material
from tests.benchmarks.ask_release import Made, Synthetic, agreement, questions, write_release
from tests.benchmarks.harness import Benchmark, Bound, Goal
from tests.benchmarks.serving import Served, measures
from tests.prefect_server import free_port

COUNTS = (10_000, 100_000)
TEXTS = 2000  # embedded for real
QUESTIONS = 200
CLIENTS, SHARES = (1, 8), ("p50", "p95")
P95 = 40.0  # ms, of the larger index on a machine with nothing else to do
SECONDS = 4.0


@dataclass(frozen=True)
class Case:
    """One size: what is in the store at `root`, and the folder of the release."""

    root: Path
    made: Made
    weights: Artifact
    release: Path
    asked: list[str]

    @property
    def bodies(self) -> list[str]:
        return [json.dumps({"query": question, "top_k": 5}) for question in self.asked]


class Share:
    """How much of a request's CPU time is the embedding of its question, told among the facts."""

    def __init__(self, facts: dict[str, object]) -> None:
        self.facts = facts
        self.least: dict[str, float] = {}

    def saw(self, who: str, cpu: float) -> None:
        self.least[who] = min(cpu, self.least.get(who, cpu))
        if len(self.least) == 2:
            part, whole = self.least[Embedding.name], self.least["penstock"]
            self.facts["share of the embedding in the CPU"] = f"{part / whole:.0%}"


class Searching(Served):
    """A service under searches, each with a question of its own."""

    clients, shares = CLIENTS, SHARES
    share: Share | None = None

    def measure(self) -> dict[str, float]:
        found = super().measure()
        if self.share:
            self.share.saw(self.name, found["CPU per request"])
        return found


class Embedding:
    """The embedding of the questions and nothing else, in this process: its share of what an answer takes."""

    name = "embedding alone"

    def __init__(self, embedder: Embedder, asked: Sequence[str], share: Share) -> None:
        self.embedder, self.asked, self.share = embedder, asked, share

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def measure(self) -> dict[str, float]:
        cpu, times = time.process_time(), []
        for question in self.asked:
            started = time.perf_counter()
            self.embedder.query(question)
            times.append((time.perf_counter() - started) * 1000)
        cpu = (time.process_time() - cpu) * 1000 / len(times)
        self.share.saw(self.name, cpu)
        times.sort()
        at = {f"p{share}, 1 client": times[len(times) * share // 100] for share in (50, 95)}
        return at | {"CPU per request": cpu}


def ours(case: Case, folder: Path) -> Searching:
    asked = ("penstock", "bentos.rag.service:Rag", case.release, "/v1/search", case.bodies, folder)
    return Searching.bento(*asked, store=case.root, seconds=SECONDS)


def by_hand(case: Case, raw: Path, folder: Path) -> Searching:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "tests.benchmarks.ask_peer:create"]
    command += ["--port", str(port), "--no-access-log", "--log-level", "warning"]
    with artifacts.opened(case.root) as store:
        env = {
            "BENCHMARK_MODEL": str(raw),
            "BENCHMARK_VECTORS": str(store.path(case.made.vectors)),
            "BENCHMARK_CHUNKS": str(store.path(case.made.chunks)),
            "PYTHONPATH": str(ROOT),
        }
    served = partial(Searching, ready="/ready", folder=folder, env=env, seconds=SECONDS)
    return served("torch and numpy", command, port, "/v1/search", case.bodies)


def prepared(corpus: Synthetic, weights: Artifact, root: Path, folder: Path) -> tuple[Case, dict[str, object]]:
    """The release of a corpus, and what is known of its index before anybody asks."""
    facts: dict[str, Any] = {"chunks": corpus.count, "questions": QUESTIONS, "embedding threads": 1}
    with artifacts.opened(root) as store:
        made = corpus.made(weights)
        facts["index built in s"] = made.seconds
        release = write_release(folder / f"release-{corpus.count}", made, weights)
        asked = questions(corpus.texts, QUESTIONS)
        if corpus.count > corpus.graph_above:
            facts["recall@10 against exact"] = recall(store, made, weights, asked, folder)
    return Case(root, made, weights, release, asked), facts


def recall(store: Store, made: Made, weights: Artifact, asked: Sequence[str], folder: Path) -> float:
    """How far the graph agrees with exact search; kept beside the index, because it reads all of it twice."""
    name = f"synthetic/recall-{made.index.digest}.json"
    try:
        return float(json.loads(store.read(name)))
    except NotFound:
        embedder = Embedder(store.path(weights), weights.digest)
        pairs = [(question, embedder.query(question)) for question in asked]
        found = round(agreement(made, pairs, folder / "exact"), 4)
        store.write(name, json.dumps(found).encode())
        return found


def size(case: Case, facts: dict[str, object], model: material.Model, folder: Path, rounds: int) -> Benchmark:
    service, embedder, share = ours(case, folder), Embedder(model.exported["fp32"], case.weights.digest), Share(facts)
    service.share = share
    subjects: list[Any] = [service, by_hand(case, model.raw, folder)]
    subjects.append(Embedding(embedder, case.asked, share))
    goals = []
    if case.made.index.meta["count"] == max(COUNTS):
        subjects.append(Bound("bound", {"p95, 1 client": P95}))
        goals.append(Goal("p95, 1 client", "bound", 1.0))
    return Benchmark(f"ask-{case.made.index.meta['count']}", measures(CLIENTS, SHARES), subjects, goals, rounds, facts)


def benchmark(folder: Path, rounds: int | None) -> Iterator[Benchmark]:
    model = material.all_minilm(folder, "fp32")
    texts = material.paragraphs(TEXTS)
    for count in COUNTS:
        place = folder / str(count)
        place.mkdir()
        corpus = Synthetic(texts, count, GRAPH_ABOVE)
        case, facts = prepared(corpus, model.artifacts["fp32"], material.kept(), place)
        yield size(case, facts, model, place, rounds or 5)
