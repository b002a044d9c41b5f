"""`just bench creative`: one text judged by our service and by FastAPI with `transformers.pipeline`, same weights."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx

from tasks import artifacts
from tasks.settings import ROOT
from tasks.sources.products import products
from tests.benchmarks import creative_releases, material
from tests.benchmarks.creative_releases import OPTIONS, Releases
from tests.benchmarks.harness import Benchmark, Bound, Goal, Measure
from tests.benchmarks.serving import Served, by, measures
from tests.prefect_server import free_port

TEXTS, SEED = 200, 7
CLIENTS, SHARES = (1, 16), ("p50", "p99")
PEER, NEAR, APART = "pipeline", 1e-3, "largest difference of a probability"
MEASURES = (
    Measure(APART, ""),
    *(Measure(f"CPU per request, {by(count)}", "ms") for count in CLIENTS),
    *measures(CLIENTS, SHARES)[1:],
)


class Judging(Served):
    """A service that judges one text a request; `said` are its probabilities in the order of the bodies."""

    clients, shares = CLIENTS, SHARES

    def __init__(self, *given: object, peer: "Judging | None" = None, **more: object) -> None:
        super().__init__(*given, **more)  # type: ignore[arg-type]
        self.peer = peer

    def measure(self) -> dict[str, float]:
        found = super().measure()
        if self.peer:
            pairs = zip(self.said(), self.peer.said(), strict=True)
            found[APART] = max(abs(one - other) for one, other in pairs)
        return found

    def said(self) -> list[float]:
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False) as http:
            answers = [http.post(self.path, json=json.loads(body)).raise_for_status() for body in self.body]
        return [answer.json()["probability"] for answer in answers]


def bodies() -> list[str]:
    asked = ("title", "category", "description", "price")
    return [json.dumps({name: getattr(one, name) for name in asked}) for one in products(TEXTS, SEED)]


def ours(name: str, release: Path, body: Sequence[str], folder: Path, peer: Judging) -> Judging:
    place = folder / name
    place.mkdir()
    path = "/predict?words=false&drafts=false"
    service = "bentos.creative.service:Creative"
    return Judging.bento(f"penstock {name}", service, release, path, body, place, store=material.kept(), peer=peer)


def pipeline(made: Releases, body: Sequence[str], folder: Path) -> Judging:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "tests.benchmarks.creative_peer:create"]
    command += ["--port", str(port), "--no-access-log", "--log-level", "warning"]
    env = {
        "BENCHMARK_ENCODER": str(made.encoder),
        "BENCHMARK_RELEASE": str(made.folders["fp32"]),
        "BENCHMARK_TOKENS": str(OPTIONS.max_tokens),
        "PYTHONPATH": str(ROOT),
    }
    return Judging(PEER, command, port, "/predict", body, ready="/ready", folder=folder, env=env)


def benchmark(folder: Path, rounds: int | None) -> Benchmark:
    embedding = material.all_minilm(folder, "fp32").artifacts["fp32"]
    with artifacts.opened(material.kept()):
        made = creative_releases.releases(embedding)
    body = bodies()
    peer = pipeline(made, body, folder)
    subjects = [ours(name, made.folders[name], body, folder, peer) for name in ("fp32", "int8", "embedding")]
    one, many = (f"CPU per request, {by(count)}" for count in CLIENTS)
    goals = [Goal(APART, "bound", 1.0), Goal(one, PEER, 1 / 1.5), Goal(many, PEER, 1.0)]
    return Benchmark("creative", MEASURES, [*subjects, peer, Bound("bound", {APART: NEAR})], goals, rounds or 5)
