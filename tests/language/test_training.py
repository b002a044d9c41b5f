"""Fine-tuning: what is learned, what counts, what is refused before anything is lost."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tasks.artifacts import Artifact, Store, current
from tasks.errors import BadInput
from tasks.language.adapter import WEIGHTS
from tasks.language.chats import Example, Message, learned
from tasks.language.estimate import LIBRARIES, Shape, check_memory
from tasks.language.examples import stored
from tasks.language.lora import Tuned, training_of
from tasks.language.options import LoraOptions
from tasks.language.rendering import Chat
from tasks.language.training import IGNORED, Order, Padded, encoded, train
from tests.language.room import LORA, Room, copied

SHAPE = Shape(weights=1000, layers=4, hidden=32, inner=64, vocabulary=400, batch=8, tokens=100)


def order(room: Room, work: str, options: LoraOptions = LORA, **other: Artifact) -> Order:
    parts = {"base": room.base.artifact, "examples": room.examples.artifact} | other
    return Order(**parts, options=options, work=f"work/{work}")


def quiet(_fact: dict[str, Any]) -> None: ...


def test_the_loss_falls_and_is_kept_as_a_curve(room: Room, tuned: Tuned, room_store: Store) -> None:
    curve = room_store.read_json(tuned.curve)
    losses = [row["loss"] for row in curve if "loss" in row]
    looks = [row["eval_loss"] for row in curve if "eval_loss" in row]
    assert sum(losses[-10:]) < 0.5 * sum(losses[1:11]) and len(looks) == 4 and looks[-1] < 0.7 * looks[0]
    assert tuned.steps == max(row["step"] for row in curve) == 4 * math.ceil(tuned.examples / LORA.batch)
    assert (tuned.epochs, tuned.skipped, tuned.stopped_early, tuned.options) == (4, 0, False, LORA)
    assert tuned.examples == room.examples.counts["train"]
    assert not any("runtime" in name for row in curve for name in row)  # the clock is no part of a result


def test_costs_are_plausible_and_nothing_is_left_behind(tuned: Tuned, room_store: Store) -> None:
    assert 1 < tuned.cost.cpu_seconds < 100 and 200 < tuned.cost.peak_mb < 2000 and tuned.cost.device == "cpu"
    assert room_store.list("work") == []


def test_only_the_tokens_of_the_answer_count(room: Room, room_store: Store) -> None:
    chat = Chat(room_store.path(room.base.artifact))
    examples = learned(room.examples.artifact)
    data = encoded(examples, chat, LORA)
    trained = [one for one in examples if one.part == "train"]
    assert len(data.rows) == len(trained) and len(data.looked_at) == len(examples) - len(trained)
    for example, row in zip(trained, data.rows, strict=True):
        counted = [label for label in row["labels"] if label != IGNORED]
        assert chat.decode(counted[:-1]) == example.answer and counted[-1] in chat.ends
        assert row["input_ids"][-len(counted) :] == counted and len(row["labels"]) == len(row["input_ids"])
        assert row["input_ids"][: -len(counted)] == chat.prompt(example.asked)
    assert data.tokens == sum(len(row["input_ids"]) for row in data.rows)


def test_padding_counts_for_nothing() -> None:
    batch = Padded(9)([{"input_ids": [1, 2, 3], "labels": [IGNORED, 2, 3]}, {"input_ids": [4], "labels": [4]}])
    assert batch["input_ids"].tolist() == [[1, 2, 3], [4, 9, 9]]
    assert batch["labels"].tolist() == [[IGNORED, 2, 3], [4, IGNORED, IGNORED]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]


def test_the_same_order_gives_the_same_adapter_and_another_seed_another(room: Room, tuned: Tuned) -> None:
    """Here, and in the process of its own that `tuned` comes of."""
    short = LORA.model_copy(update={"epochs": 1.0})
    assert train(order(room, "same"), quiet).adapter == tuned.adapter
    one = train(order(room, "one", short), quiet)
    assert train(order(room, "two", short.model_copy(update={"seed": 1})), quiet).adapter != one.adapter
    assert training_of(room.base.artifact, room.examples.artifact, short) != training_of(
        room.base.artifact, room.examples.artifact, LORA
    )


def test_checkpointing_and_accumulation_learn_nearly_the_same(room: Room) -> None:
    short = LORA.model_copy(update={"epochs": 1.0, "batch": 8})
    careful = short.model_copy(update={"checkpointing": True, "batch": 4, "accumulate": 2})
    losses = [
        current().read_json(train(order(room, name, options), quiet).curve)[-1]["eval_loss"]
        for name, options in (("whole", short), ("careful", careful))
    ]
    assert losses[1] == pytest.approx(losses[0], rel=0.25)


def spoiled(folder: Path) -> None:
    """Weights as a training that ran away leaves them."""
    from safetensors.numpy import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][0] = math.nan
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def test_a_loss_that_is_no_number_ends_the_training_and_leaves_no_adapter(
    room: Room, room_store: Store, tmp_path: Path
) -> None:
    before = room_store.list("adapters")
    base = room_store.put_folder("bases", copied(room.base.artifact, tmp_path / "base", spoiled))
    wild = LORA.model_copy(update={"rate": 1e38, "rank": 3})
    for name, told in (("nan", order(room, "nan", base=base)), ("wild", order(room, "wild", wild))):
        with pytest.raises(BadInput, match=r"loss is no number at step \d+.* Set a lower `rate`"):
            train(told, quiet)
        assert room_store.list(f"work/{name}") == [f"work/{name}/lock"]
    assert room_store.list("adapters") == before


def test_examples_that_are_too_long_are_left_out_and_not_cut(room: Room, room_store: Store) -> None:
    chat = Chat(room_store.path(room.base.artifact))
    examples = learned(room.examples.artifact)
    lengths = sorted(len(chat.example(one.messages)[0]) for one in examples)
    middle = lengths[len(lengths) // 2]
    data = encoded(examples, chat, LORA.model_copy(update={"max_tokens": middle}))
    assert data.skipped == sum(length > middle for length in lengths) > 0
    assert data.longest == middle
    with pytest.raises(
        BadInput, match=rf"nothing to learn: {len(examples)} examples are longer than `lora\.max_tokens`"
    ):
        train(order(room, "long", LORA.model_copy(update={"max_tokens": 16})), quiet)


def test_nothing_is_longer_than_the_base_takes(room: Room, room_store: Store) -> None:
    chat = Chat(room_store.path(room.base.artifact))
    long = (Message(role="user", content="Alpine " * 200), Message(role="assistant", content="Yes."))
    some = [*learned(room.examples.artifact)[:1], Example(id="long", messages=long, fact="long")]
    assert encoded(some, chat, LoraOptions(max_tokens=4096)).skipped == 1 and chat.context == 128
    made = stored(some[1:], 1).artifact
    with pytest.raises(BadInput, match="the base takes 128"):
        train(order(room, "context", LoraOptions(max_tokens=4096).settled(0), examples=made), quiet)


def test_the_estimate_of_memory_is_weights_layers_and_logits() -> None:
    layer = 4 * (14 * 32 + 6 * 64)
    assert SHAPE.bytes == LIBRARIES + 1000 + 800 * (4 * layer + 3 * 4 * 400)
    assert SHAPE.model_copy(update={"checkpointing": True}).bytes < SHAPE.bytes
    # measured on 135 million weights at 4 x 512 tokens: 6591 MB
    real = Shape(weights=538_000_000, layers=30, hidden=576, inner=1536, vocabulary=49152, batch=4, tokens=512)
    assert real.bytes == pytest.approx(6591e6, rel=0.25)
    assert real.model_copy(update={"checkpointing": True}).bytes < 0.6 * real.bytes


def test_a_training_that_needs_more_memory_than_is_free_is_refused_with_what_to_change(room: Room) -> None:
    told: list[dict[str, Any]] = []
    check_memory(SHAPE, told.append, free=SHAPE.bytes / 0.9 + 1)
    assert told[0]["note"].startswith("about 0.5 GB of memory at most, of 0.6 GB")
    with pytest.raises(
        BadInput, match=r"`batch: 2` with `accumulate: 4`.*`checkpointing: true`.*`max_tokens`.*100 tokens"
    ):
        check_memory(SHAPE, quiet, free=SHAPE.bytes)
    huge = LORA.model_copy(update={"batch": 10**9})
    with pytest.raises(BadInput, match=r"needs about \d+\.\d GB of memory"):
        train(order(room, "huge", huge), quiet)
    assert not list(current().place("work/huge").glob("checkpoint-*"))


def test_a_checkpoint_holds_what_is_needed_and_no_pickle(room: Room, room_store: Store) -> None:
    short = LORA.model_copy(update={"epochs": 1.0, "rank": 2})
    train(order(room, "kept", short), quiet)
    (folder,) = room_store.place("work/kept").glob("checkpoint-*")
    names = {path.name for path in folder.iterdir()}
    assert {WEIGHTS, "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", "whole.json"} <= names
    assert "training_args.bin" not in names
    assert json.loads((folder / "trainer_state.json").read_bytes())["global_step"] == int(folder.name.split("-")[1])
