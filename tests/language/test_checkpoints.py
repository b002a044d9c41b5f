"""Which checkpoints are whole, and which one a training goes on from."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.language.checkpoints import LIST, UNUSED, last_whole, seal, whole

FILES = ("adapter_model.safetensors", "optimizer.pt", "trainer_state.json")


def checkpoint(work: Path, number: int, sealed: bool = True) -> Path:
    folder = work / f"checkpoint-{number}"
    folder.mkdir(parents=True)
    for name in (*FILES, UNUSED):
        (folder / name).write_bytes(f"{name} {number}".encode())
    if sealed:
        seal(folder)
    return folder


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def test_a_sealed_checkpoint_is_whole_and_has_no_pickle(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, 7)
    assert whole(folder) and sorted(path.name for path in folder.iterdir()) == sorted([*FILES, LIST])
    seal(folder)
    assert whole(folder) and set(json.loads((folder / LIST).read_bytes())) == set(FILES)


HARMS: dict[str, Callable[[Path], object]] = {
    "unsealed": lambda folder: (folder / LIST).unlink(),
    "a list that was being written": lambda folder: (folder / LIST).replace(folder / f"{LIST}.new"),
    "half a list": lambda folder: cut(folder / LIST),
    "half a file": lambda folder: cut(folder / "optimizer.pt"),
    "a file that is gone": lambda folder: (folder / "trainer_state.json").unlink(),
    "altered": lambda folder: (folder / "optimizer.pt").write_bytes(b"OPTIMIZER.PT 12"),
}


@pytest.mark.parametrize("harm", HARMS)
def test_what_is_not_whole_is_removed_and_the_one_before_is_taken(tmp_path: Path, harm: str) -> None:
    older, newer = checkpoint(tmp_path, 9), checkpoint(tmp_path, 12)
    HARMS[harm](newer)
    assert not whole(newer)
    assert last_whole(tmp_path) == older
    assert not newer.exists() and whole(older)


def test_the_newest_is_that_of_most_steps(tmp_path: Path) -> None:
    for number in (100, 9, 20):
        checkpoint(tmp_path, number)
    assert last_whole(tmp_path) == tmp_path / "checkpoint-100"
    assert len(list(tmp_path.iterdir())) == 3


def test_where_none_is_whole_training_begins_anew(tmp_path: Path) -> None:
    assert last_whole(tmp_path) is None
    checkpoint(tmp_path, 1, sealed=False)
    (tmp_path / "checkpoint-2").mkdir()
    assert last_whole(tmp_path) is None and list(tmp_path.iterdir()) == []
