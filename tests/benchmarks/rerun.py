"""`penstock train` against `dvc repro`, both with nothing to do: same stages, same bytes, whole commands."""

import shutil
import subprocess
from pathlib import Path
from typing import Self

import yaml

from tasks.artifacts import Artifact
from tasks.planning import ROOT, Receipt, Step, locate
from tests.benchmarks import trained
from tests.benchmarks.harness import Benchmark, Goal, Measure, run

MEASURES = (Measure("wall", "s"), Measure("CPU", "s"))


class Ours:
    name = "penstock train"

    def __init__(self, log: Path) -> None:
        self.log = log

    def __enter__(self) -> Self:
        trained.train(self.log)
        return self

    def __exit__(self, *_: object) -> None: ...

    def measure(self) -> dict[str, float]:
        said = self.log.stat().st_size
        found = trained.train(self.log)
        if b"nothing to do" not in self.log.read_bytes()[said:]:
            raise RuntimeError(f"`penstock train {trained.RELEASE}` did not say that there was nothing to do.")
        return found


class Dvc:
    """The same graph as a dvc.yaml: each stage depends on its code and its inputs, and puts out the same bytes."""

    name = "dvc repro"

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder.parent / "dvc.log"

    def __enter__(self) -> Self:
        self.folder.mkdir()
        subprocess.run(["git", "init", "-q", self.folder], check=True)
        self.dvc("init", "-q")
        for reporting in ("analytics", "check_update"):
            self.dvc("config", f"core.{reporting}", "false")
        stages = describe(trained.receipt(), self.folder)
        (self.folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))
        self.dvc("repro")
        return self

    def __exit__(self, *_: object) -> None: ...

    def measure(self) -> dict[str, float]:
        return self.dvc("repro")

    def dvc(self, *command: str) -> dict[str, float]:
        return run([trained.program("dvc"), *command], self.folder, self.log)


def describe(receipt: Receipt, folder: Path) -> dict[str, dict[str, object]]:
    """A dvc stage for each step of ours that puts something out; its command copies the artifacts that ours stored."""
    shutil.copytree(ROOT / "tasks", folder / "tasks", ignore=shutil.ignore_patterns("__pycache__"))
    made: dict[str, str] = {}
    stages: dict[str, dict[str, object]] = {}
    for number, step in enumerate(receipt.steps):
        copies = {made_name(artifact): artifact for artifact in step.artifacts if artifact.digest not in made}
        if not copies:
            continue
        command = " && ".join(f"mkdir -p out && cp -r '{trained.store().path(a)}' 'out/{n}'" for n, a in copies.items())
        inputs = [made[digest] for digest in digests(step.inputs) if digest in made]
        stages[f"{number:02}-{step.task.rpartition('.')[2]}"] = {
            "cmd": command,
            "deps": sorted({*code(step), *inputs}),
            "outs": [f"out/{name}" for name in copies],
        }
        made |= {artifact.digest: f"out/{name}" for name, artifact in copies.items()}
    return stages


def made_name(artifact: Artifact) -> str:
    return f"{artifact.kind}-{Path(artifact.uri).name}"


def code(step: Step) -> list[str]:
    """The project files in the step's key."""
    paths = (locate(module, (ROOT,)) for module in step.code)
    return [str(path.relative_to(ROOT)) for path in paths if path]


def digests(value: object) -> list[str]:
    """The digests of the artifacts among a step's inputs."""
    if isinstance(value, dict):
        own = [str(value["digest"])] if {"kind", "digest"} <= value.keys() else []
        return own + [digest for item in value.values() for digest in digests(item)]
    if isinstance(value, list):
        return [digest for item in value for digest in digests(item)]
    return []


def benchmark(folder: Path, rounds: int | None) -> Benchmark:
    ours, dvc = Ours(folder / "ours.log"), Dvc(folder / "dvc")
    goals = [Goal("wall", dvc.name, 1.0)]
    return Benchmark("rerun", MEASURES, [ours, dvc], goals, rounds or 7)
