"""A creative version as a bento: its encoder is inside, and nothing that trains."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks import artifacts
from tasks.artifacts import Artifact
from tests.bentos.conftest import ROOT, bentoml_serve, ready
from tests.creative.conftest import base, encoder, exported, shop, shop_root, tuned
from tests.creative.room import Room, released

__all__ = ["base", "encoder", "exported", "shop", "shop_root", "tuned"]  # fixtures

FORBIDDEN = {"prefect", "mlflow", "pandas", "pyarrow", "evidently", "scikit-learn", "torch", "transformers", "peft"}


@pytest.fixture(scope="module")
def built(
    shop_root: Path, shop: Room, encoder: Artifact, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any], list[dict[str, Any]]]:
    """Home of the bento, what its making told, and the golden requests."""
    home = tmp_path_factory.mktemp("bentos")
    with artifacts.opened(shop_root) as store:
        folder = store.path(released(encoder, shop))
    words = ["--release", "shop", "--version", "3", "--folder", str(folder)]
    known = os.environ | {"BENTOML_HOME": str(home), "PENSTOCK_ARTIFACTS": str(shop_root)}
    command = [sys.executable, "-m", "bentos.creative.package", *words]
    done = subprocess.run(command, cwd=ROOT, env=known, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    golden = json.loads((folder / "release.json").read_bytes())["golden"]
    return home, json.loads(done.stdout.splitlines()[-1]), golden


def test_the_image_holds_only_what_serves(built: tuple[Path, dict[str, Any], object]) -> None:
    path = Path(built[1]["path"])
    names = {line.partition("==")[0] for line in (path / "env/python/requirements.txt").read_text().split()}
    assert not names & FORBIDDEN and not [name for name in names if "nvidia-cu" in name]
    assert {"onnxruntime", "tokenizers", "fastembed", "openai", "uvloop"} <= names
    inside = {file.relative_to(path / "src").as_posix() for file in (path / "src").rglob("*.py")}
    assert {"bentos/creative/service.py", "tasks/creative/encoder.py", "tasks/sources/products.py"} <= inside
    trains = ("steps", "package", "training", "tuning", "fitting", "exporting", "torch")
    assert not [name for name in inside for word in trains if word in name]


@pytest.mark.timeout(120)
def test_a_bento_judges_without_the_store(
    built: tuple[Path, dict[str, Any], list[dict[str, Any]]], tmp_path: Path
) -> None:
    home, told, golden = built
    with bentoml_serve(tmp_path / "baked", told["bento"], cwd=tmp_path, BENTOML_HOME=str(home)) as child:
        for one in golden:
            answer = ready(child).post("/predict?words=false", json=one["request"]).json()
            assert answer["version"] == "3" and answer["prediction"] == one["answer"]["prediction"]
            assert answer["probability"] == pytest.approx(one["answer"]["probability"], abs=1e-6)
