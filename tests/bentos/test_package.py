"""A version as a bento: built once, only what serves, pinned, and serving its baked version."""

import ast
import json
import os
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from tests.bentos.conftest import ROOT, ROW, Registry, bentoml_serve, ready, write_release
from tests.bentos.test_follow import until

FORBIDDEN = {"prefect", "mlflow", "pandas", "pyarrow", "evidently", "torch", "scikit-learn"}


def package(folder: Path, home: Path, version: int = 3, release: str = "wine") -> subprocess.CompletedProcess[str]:
    words = ["--release", release, "--version", str(version), "--folder", str(folder)]
    command = [sys.executable, "-m", "bentos.tabular.package", *words]
    known = os.environ | {"BENTOML_HOME": str(home)}
    return subprocess.run(command, cwd=ROOT, env=known, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    root = tmp_path_factory.mktemp("built")
    folder = write_release(root / "release")
    done = package(folder, root / "home")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return folder, root / "home", told


def test_a_second_call_finds_the_first(built: tuple[Path, Path, dict[str, Any]]) -> None:
    folder, home, told = built
    assert told["model"] == "wine:v3"
    assert told["bento"].startswith("wine:v3-")
    assert 0 < told["size_mb"] < 5
    before = sorted(path.stat().st_mtime_ns for path in home.rglob("*") if path.is_file())
    assert json.loads(package(folder, home).stdout.splitlines()[-1]) == told
    assert sorted(path.stat().st_mtime_ns for path in home.rglob("*") if path.is_file()) == before


def test_only_what_serves_is_inside(built: tuple[Path, Path, dict[str, Any]]) -> None:
    path = Path(built[2]["path"])
    inside = {file.relative_to(path / "src").as_posix() for file in (path / "src").rglob("*") if file.is_file()}
    python = {name for name in inside if name.endswith(".py")}
    assert inside - python == {"bentofile.yaml"}
    assert {"bentos/kit/challenger.py", "bentos/tabular/service.py", "tasks/tables/predictor.py"} <= python
    assert not [name for name in python if "steps" in name or "package" in name or "versions" in name]
    dockerfile = (path / "env/docker/Dockerfile").read_text()
    assert "FROM python:3.11-slim" in dockerfile
    assert "libgomp1" in dockerfile
    assert "build-essential" not in dockerfile


def test_its_packages_are_pinned_and_enough(built: tuple[Path, Path, dict[str, Any]]) -> None:
    path = Path(built[2]["path"])
    lines = (path / "env/python/requirements.txt").read_text().split()
    assert all("==" in line for line in lines)
    names = {line.partition("==")[0] for line in lines}
    assert not names & FORBIDDEN
    assert {"uvloop", "httptools", "lightgbm"} <= names
    owners = packages_distributions()
    for file in (path / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            found = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            found += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for top in {one.partition(".")[0] for one in found} - set(sys.stdlib_module_names) - {"tasks", "bentos"}:
                assert {canonicalize_name(owner) for owner in owners[top]} & names, f"{file}: {top}"


def test_another_release_under_the_same_version_is_refused(
    built: tuple[Path, Path, dict[str, Any]], tmp_path: Path
) -> None:
    done = package(write_release(tmp_path / "other", intercept=9.0), built[1])
    assert (done.returncode, done.stdout) == (1, "")
    assert "bentoml models delete wine:v3" in done.stderr
    assert "Traceback" not in done.stderr
    assert "holds the release wine" in package(built[0], built[1], release="beer").stderr


@pytest.mark.timeout(120)
def test_it_serves_its_baked_version_and_follows_when_told(
    built: tuple[Path, Path, dict[str, Any]], tmp_path: Path, registry: Registry
) -> None:
    _, home, told = built
    with bentoml_serve(tmp_path / "baked", told["bento"], cwd=tmp_path, BENTOML_HOME=str(home)) as child:
        assert ready(child).post("/predict", json=ROW).json()["version"] == "3"
        assert child.get("/info").json()["follow"] is None
    registry.add(4, intercept=4.0)
    registry.move("champion", 4)
    registry.down = True
    settings = {"PENSTOCK_FOLLOW": "champion", "MLFLOW_TRACKING_URI": registry.url}
    with bentoml_serve(tmp_path / "follow", "wine:latest", cwd=tmp_path, BENTOML_HOME=str(home), **settings) as child:
        assert ready(child).post("/predict", json=ROW).json()["version"] == "3"
        assert child.get("/ready").json()["status"] == "degraded"
        registry.down = False
        until(lambda: child.post("/predict", json=ROW).json()["version"] == "4", 20)
