"""Adapters as files: the same bytes twice, and never on another base."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.artifacts import Artifact, Store
from tasks.errors import BadInput, PenstockError, Refused
from tasks.language.adapter import CONFIG, MADE_FOR, WEIGHTS, check_adapter, put_adapter, with_adapter
from tasks.language.base import load
from tasks.language.lora import Tuned
from tasks.language.options import LoraOptions
from tasks.language.training import adapted
from tests.language.room import Room, copied

OTHER = Artifact(uri="bases/none", digest="f" * 64, kind="bases")


def test_an_adapter_is_two_files_and_the_same_bytes_twice(room: Room, room_store: Store) -> None:
    import torch

    made = []
    for _ in range(2):
        torch.manual_seed(1)
        model = adapted(load(room_store.path(room.base.artifact)), LoraOptions(rank=4))
        made.append(put_adapter(model, room.base.artifact))
    assert made[0] == made[1]
    folder = room_store.path(made[0])
    assert sorted(path.name for path in folder.iterdir()) == [CONFIG, WEIGHTS]
    told = json.loads((folder / CONFIG).read_bytes())
    assert told["base_model_name_or_path"] == f"{MADE_FOR}{room.base.artifact.digest}"
    assert (told["r"], told["lora_alpha"]) == (4, 8) and told["target_modules"] == sorted(told["target_modules"])
    assert "lm_head" not in told["target_modules"] and len(told["target_modules"]) == 7


def test_an_adapter_changes_what_its_base_says(room: Room, tuned: Tuned, room_store: Store) -> None:
    import torch

    base = load(room_store.path(room.base.artifact))
    model = with_adapter(room.base.artifact, tuned.adapter)
    tokens = torch.tensor([[5, 6, 7]])
    with torch.inference_mode():
        assert not torch.allclose(model(input_ids=tokens).logits, base(input_ids=tokens).logits, atol=0.1)
    assert not model.training


def test_an_adapter_for_another_base_is_refused(room: Room, tuned: Tuned, room_store: Store) -> None:
    folder = room_store.path(tuned.adapter)
    check_adapter(folder, room.base.artifact)
    with pytest.raises(Refused, match=f"trained for the base {room.base.artifact.digest[:12]}, not for {'f' * 12}"):
        check_adapter(folder, OTHER)
    with pytest.raises(Refused, match="Train it again"):
        with_adapter(OTHER, tuned.adapter)


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


HARMS: dict[str, tuple[Callable[[Path], object], type[PenstockError], str]] = {
    "half its weights": (lambda folder: cut(folder / WEIGHTS, 6000), BadInput, "cannot be loaded"),
    "a part of the header": (lambda folder: cut(folder / WEIGHTS, 30), BadInput, "cannot be loaded"),
    "no weights": (lambda folder: (folder / WEIGHTS).unlink(), BadInput, f"holds no {WEIGHTS}"),
    "half its configuration": (lambda folder: cut(folder / CONFIG, 40), BadInput, f"no readable {CONFIG}"),
    "no configuration": (lambda folder: (folder / CONFIG).unlink(), BadInput, f"no readable {CONFIG}"),
    "a pickle beside": (lambda folder: (folder / "adapter_model.bin").write_bytes(b"x"), Refused, "can run code"),
    "a pickle alone": (
        lambda folder: (folder / WEIGHTS).rename(folder / "adapter_model.bin"),
        Refused,
        r"adapter_model\.bin, which can run code",
    ),
}


@pytest.mark.parametrize("harm", HARMS)
def test_what_is_no_whole_adapter_is_told(
    room: Room, tuned: Tuned, room_store: Store, tmp_path: Path, harm: str
) -> None:
    change, kind, words = HARMS[harm]
    folder = copied(tuned.adapter, tmp_path / "adapter", change)
    with pytest.raises(kind, match=words):
        with_adapter(room.base.artifact, room_store.put_folder("adapters", folder))


def test_an_adapter_of_another_shape_is_told(room: Room, tuned: Tuned, room_store: Store, tmp_path: Path) -> None:
    """Its configuration promises another rank than its weights have."""
    folder = Path(shutil.copytree(room_store.path(tuned.adapter), tmp_path / "adapter"))
    told = json.loads((folder / CONFIG).read_bytes())
    (folder / CONFIG).write_text(json.dumps(told | {"r": told["r"] + 1}))
    with pytest.raises(BadInput, match=r"cannot be loaded: .*size mismatch"):
        with_adapter(room.base.artifact, room_store.put_folder("adapters", folder))
