"""The house: what is pinned, what a service's image installs, what a test can reach, and the wrapper's own errors."""

import os
import re
import shutil
import socket
import subprocess
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tasks.planning import closure

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = (ROOT / "pyproject.toml").read_text()
PROJECT: dict[str, Any] = tomllib.loads(PYPROJECT)["project"]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def requirements(*extras: str) -> list[Requirement]:
    texts = [text for extra in extras for text in PROJECT["optional-dependencies"][extra]]
    return [requirement for requirement in map(Requirement, texts) if requirement.name != "penstock"]


def test_constraints_are_names_and_versions_only() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)] == []


def test_every_requirement_is_pinned_within_its_caps() -> None:
    found = [*map(Requirement, PROJECT["dependencies"]), *requirements(*PROJECT["optional-dependencies"])]
    loose = [str(one) for one in found if not one.specifier.contains(pins().get(canonicalize_name(one.name), "0"))]
    assert loose == []


def test_every_cap_says_why() -> None:
    capped = [line for line in PYPROJECT.splitlines() if re.match(r'    "[a-z0-9-]+[^"]*(<|==)', line)]
    assert len(capped) >= 5
    assert [line for line in capped if "#" not in line] == []


def test_the_image_of_a_service_installs_what_it_imports() -> None:
    names = packages_distributions()
    imported = {canonicalize_name(names[top][0]) for top in closure("bentos.tabular.service") if top in names}
    listed = {canonicalize_name(one.name) for one in requirements("serve-tabular")}
    # what others of the list bring by their own requirement
    brought = {"click", "pydantic-core", "starlette", "typing-extensions"}
    assert imported - {"penstock"} - listed - brought == set()


def test_the_network_is_out_of_reach_and_loopback_is_not() -> None:
    with pytest.warns(UserWarning, match="tried to use socket"), pytest.raises(RuntimeError):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()


def test_nothing_of_the_caller_reaches_a_test(data_root: Path) -> None:
    assert os.environ["PENSTOCK_DATA_ROOT"] == str(data_root)
    assert [name for name in os.environ if name.startswith(("PENSTOCK_", "AWS_", "MLFLOW_"))] == ["PENSTOCK_DATA_ROOT"]


def test_the_wrapper_says_which_python_it_needs(tmp_path: Path) -> None:
    place = tmp_path / "a folder"
    place.mkdir()
    for name in ("justw", "Justfile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, place)
    env = os.environ | {"PYTHON": "/bin/false", "HOME": str(tmp_path)}
    done = subprocess.run([place / "justw"], env=env, capture_output=True, text=True)
    assert done.returncode == 1 and "Python 3.11 or newer" in done.stderr
    assert not (place / ".venv").exists()
