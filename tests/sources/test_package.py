"""One file out of a real wheel, fetched by pip itself from a folder that stands in for the index."""

import zipfile
from pathlib import Path

import pytest

from tasks.artifacts import Store, sha256
from tasks.errors import BadInput, Unavailable
from tasks.sources.fetch import fetch, source_state
from tests.sources.projects import project

WEIGHTS = b"\x00\x01 weights"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index with one wheel that asks for a dependency which does not exist."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / "tiny_weights-1.0-py3-none-any.whl", "w") as wheel:
        info = "tiny_weights-1.0.dist-info"
        wheel.writestr("tiny_weights/model.bin", WEIGHTS)
        wheel.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\nRequires-Dist: no-such-thing\n",
        )
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def source(**changes: str) -> dict[str, str]:
    fields = {"distribution": "tiny-weights", "version": "1.0", "file": "tiny_weights/model.bin"}
    return {"type": "package", "sha256": sha256(WEIGHTS)} | fields | changes


def test_a_file_of_a_wheel_without_its_dependencies(tmp_path: Path, store: Store, index: Path) -> None:
    dataset, _ = project(tmp_path, source())
    raw = fetch(dataset, {})
    assert store.read_bytes(raw.files[0].artifact) == WEIGHTS
    (index / "tiny_weights-1.0-py3-none-any.whl").unlink()
    assert fetch(dataset, {}) == raw and source_state(dataset, {}, 0) == source_state(dataset, {})


@pytest.mark.parametrize(
    ("changes", "kind", "told"),
    [
        ({"file": "tiny_weights/other.bin"}, BadInput, "no file"),
        ({"sha256": "0" * 64}, BadInput, "has sha256"),
        ({"version": "2.0"}, Unavailable, r"tiny-weights==2\.0"),
    ],
)
def test_what_is_wrong_is_told(
    tmp_path: Path, store: Store, index: Path, changes: dict[str, str], kind: type[Exception], told: str
) -> None:
    dataset, _ = project(tmp_path, source(**changes))
    with pytest.raises(kind, match=told):
        fetch(dataset, {})
