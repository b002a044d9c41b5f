"""The merged model says what base and adapter say together."""

import json
import math
from pathlib import Path

import pytest

from tasks.artifacts import Artifact, Store
from tasks.errors import Refused
from tasks.language.adapter import WEIGHTS, with_adapter
from tasks.language.base import KEPT, load, parameters
from tasks.language.chats import judged
from tasks.language.lora import Tuned
from tasks.language.merging import NEAR, Merged, Order, logits, merging
from tasks.language.rendering import Chat
from tests.language.room import Room, copied


def test_the_difference_is_recorded_and_small(merged: Merged) -> None:
    assert 0 < merged.difference < NEAR / 10 and merged.agreement == 1 and merged.prompts == 16
    assert merged.cost.cpu_seconds > 0


def test_merged_and_adapted_choose_the_same_tokens(room: Room, tuned: Tuned, merged: Merged, room_store: Store) -> None:
    adapted, made = with_adapter(room.base.artifact, tuned.adapter), load(room_store.path(merged.artifact))
    base, chat = load(room_store.path(room.base.artifact)), Chat(room_store.path(merged.artifact))
    others = 0
    for example in judged(room.examples.artifact)[:4]:
        tokens = chat.prompt(example.asked)
        for _ in range(4):
            one, other = logits(adapted, tokens), logits(made, tokens)
            assert float((one - other).abs().max()) < NEAR and int(one.argmax()) == int(other.argmax())
            others += int(logits(base, tokens).argmax()) != int(one.argmax())
            tokens = [*tokens, int(one.argmax())]
    assert others  # the adapter has a say in it


def test_the_folder_is_a_model_like_its_base(room: Room, merged: Merged, room_store: Store) -> None:
    base, made = (room_store.path(one) for one in (room.base.artifact, merged.artifact))
    assert {path.name for path in made.iterdir()} == {path.name for path in base.iterdir()}
    assert all((made / name).read_bytes() == (base / name).read_bytes() for name in KEPT if (base / name).is_file())
    assert parameters(made) == room.base.parameters
    assert "quantization_config" not in json.loads((made / "config.json").read_bytes())


def changed(room_store: Store, tuned: Tuned, folder: Path, factor: float) -> Artifact:
    """The adapter with its second matrices times a factor."""
    from safetensors.numpy import load_file, save_file

    copied(tuned.adapter, folder)
    weights = load_file(folder / WEIGHTS)
    save_file({name: one * (factor if "lora_B" in name else 1) for name, one in weights.items()}, folder / WEIGHTS)
    return room_store.put_folder("adapters", folder)


def test_an_adapter_whose_numbers_ran_away_is_no_model(
    room: Room, tuned: Tuned, room_store: Store, tmp_path: Path
) -> None:
    before = room_store.list("models")
    for factor in (math.nan, 1e38):
        adapter = changed(room_store, tuned, tmp_path / str(factor), factor)
        with pytest.raises(Refused, match=r"(cannot be merged|no numbers).*lower `lora\.rate`"):
            merging(Order(base=room.base.artifact, adapter=adapter, examples=room.examples.artifact), print)
    assert room_store.list("models") == before
