"""One prediction served: our service against FastAPI by hand and against `mlflow models serve`, on the same booster."""

import json
import os
import sys
from pathlib import Path

from flows import servers
from tasks import settings
from tests.benchmarks import trained
from tests.benchmarks.harness import Benchmark, Goal
from tests.benchmarks.serving import Served, measures
from tests.prefect_server import free_port


def ours(folder: Path, body: str) -> Served:
    port = free_port()
    command = [str(trained.program("penstock")), "serve", trained.RELEASE, "--port", str(port)]
    return Served("penstock serve", command, port, "/predict", body, ready="/ready", folder=folder)


def fastapi(folder: Path, release: Path, body: str) -> Served:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "tests.benchmarks.fastapi_peer:create"]
    command += ["--port", str(port), "--no-access-log", "--log-level", "warning"]
    env = {"BENCHMARK_FOLDER": str(release), "PYTHONPATH": str(trained.ROOT)}
    return Served("FastAPI", command, port, "/predict", body, ready="/ready", folder=folder, env=env)


def mlflow(folder: Path) -> Served:
    """The champion's own MLflow model, asked with the example that MLflow keeps beside it."""
    env = servers.environment(settings.load())
    os.environ.update({name: value for name, value in env.items() if name.startswith("MLFLOW")})
    from mlflow.artifacts import download_artifacts

    model = Path(download_artifacts(f"models:/{trained.RELEASE}@champion", dst_path=str(folder)))
    if not list(model.glob("model.lgb*")):
        raise RuntimeError(
            f"The champion of {trained.RELEASE} is not a booster: the peers could not serve the same one."
        )
    body = (model / "serving_input_example.json").read_text()
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(model), "--env-manager", "local"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    return Served("mlflow serve", command, port, "/invocations", body, ready="/ping", folder=folder, env=env)


def benchmark(folder: Path, rounds: int | None) -> Benchmark:
    trained.train(folder / "train.log")
    servers.ready(settings.load())
    release = trained.champion_folder()
    body = json.dumps(json.loads((release / "release.json").read_bytes())["golden"][0]["request"])
    subjects = [ours(folder, body), fastapi(folder, release, body), mlflow(folder)]
    goals = [Goal("CPU per request", "FastAPI", 1.5), Goal("CPU per request", "mlflow serve", 0.1)]
    facts = {"single prediction": "far below 100 ms"}
    return Benchmark("tabular", measures(Served.clients, Served.shares), subjects, goals, rounds or 5, facts)
