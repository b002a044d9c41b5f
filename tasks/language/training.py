"""Fine-tuning in a process of its own: peft's LoRA under the plain Trainer, resumed from the last whole checkpoint.

TRL's SFTTrainer is not used: its defaults are several times slower on a CPU, and labels by prefix suit any template."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact, current
from tasks.errors import BadInput
from tasks.language.adapter import put_adapter
from tasks.language.apart import Tell, first
from tasks.language.base import load
from tasks.language.batches import grouped
from tasks.language.callbacks import callbacks
from tasks.language.chats import Example, learned
from tasks.language.estimate import Shape, check_memory, free_memory
from tasks.language.options import LoraOptions
from tasks.language.rendering import Chat
from tasks.language.trainer import Pace, arguments, curve, in_plain_words, resumed, time_needed
from tasks.processes import locked

LOOKED_AT = 200  # valid examples at each look
IGNORED = -100  # what torch's cross-entropy leaves out
Row = dict[str, list[int]]


class Order(BaseModel):
    """What is trained, with settled options; `work` names a folder of its own beside the store."""

    model_config = ConfigDict(frozen=True)

    base: Artifact
    examples: Artifact
    options: LoraOptions
    work: str


class Learned(BaseModel):
    """The adapter, and how it was learned: `curve` holds what was logged, `skipped` examples were too long."""

    adapter: Artifact
    curve: Artifact
    steps: int
    epochs: float
    tokens: int
    examples: int
    skipped: int
    stopped_early: bool


class Data(BaseModel):
    """Rows of tokens and labels; `looked_at` are the valid ones."""

    rows: list[Row]
    looked_at: list[Row]
    skipped: int

    @property
    def tokens(self) -> int:
        return sum(len(row["input_ids"]) for row in self.rows)

    @property
    def answers(self) -> int:
        """The tokens that are learned."""
        return sum(label != IGNORED for row in self.rows for label in row["labels"])

    @property
    def longest(self) -> int:
        return max(len(row["input_ids"]) for row in (*self.rows, *self.looked_at))


def train(order: Order, tell: Tell) -> Learned:
    """BadInput: nothing to learn, or a loss that is no number. Unavailable: a disk that is full."""
    work = current().place(order.work)
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(work / "lock") if first() else nullcontext(), in_plain_words(work):
        return _train(order, work, tell)


def _train(order: Order, work: Path, tell: Tell) -> Learned:
    import transformers

    options = order.options
    transformers.set_seed(options.seed)
    folder = current().path(order.base)
    chat = Chat(folder)
    data = encoded(learned(order.examples), chat, options)
    model = adapted(load(folder), options)
    check_memory(Shape.of(model, options.batch or 1, data.longest, options.checkpointing), tell, free_memory())
    trainer = made_trainer(model, chat, data, options, work, tell)
    time_needed(trainer, data.rows, tell)
    state = resumed(trainer, work, tell)
    return Learned(
        adapter=put_adapter(trainer.model, order.base),
        curve=current().put_json("curves", curve(state.log_history)),
        steps=state.global_step,
        epochs=round(state.epoch or 0, 2),
        tokens=round(data.tokens * (state.epoch or 0)),
        examples=len(data.rows),
        skipped=data.skipped,
        stopped_early=state.global_step < state.max_steps,
    )


def encoded(examples: list[Example], chat: Chat, options: LoraOptions) -> Data:
    """The loss counts on the tokens of the answer alone; an example beyond `max_tokens` is left out, not cut."""
    rows: dict[str, list[Row]] = {"train": [], "valid": []}
    skipped = 0
    for example in examples:
        ids, start = chat.example(example.messages)
        if len(ids) > min(options.max_tokens, chat.context):
            skipped += 1
            continue
        rows[example.part].append({"input_ids": ids, "labels": [IGNORED] * start + ids[start:]})
    if not rows["train"]:
        raise BadInput(
            f"There is nothing to learn: {skipped} examples are longer than `lora.max_tokens` "
            f"({options.max_tokens}; the base takes {chat.context})."
        )
    step = max(1, len(rows["valid"]) // LOOKED_AT)
    return Data(rows=rows["train"], looked_at=rows["valid"][::step][:LOOKED_AT], skipped=skipped)


def adapted(model: Any, options: LoraOptions) -> Any:
    """The model with new LoRA weights in every linear layer but the head."""
    from peft import LoraConfig, get_peft_model

    if options.checkpointing:
        model.enable_input_require_grads()
    config = LoraConfig(
        r=options.rank,
        lora_alpha=options.alpha or 2 * options.rank,
        lora_dropout=options.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)


def made_trainer(model: Any, chat: Chat, data: Data, options: LoraOptions, work: Path, tell: Tell) -> Any:
    pace = Pace(
        batch=options.batch or 1,
        accumulate=options.accumulate,
        epochs=options.epochs or 1,
        rate=options.rate or 1e-3,
        checkpointing=options.checkpointing,
        seed=options.seed,
    )
    given = arguments(pace, work, len(data.rows), bool(data.looked_at))
    return grouped(
        [len(row["input_ids"]) for row in data.rows],
        max(1, round(data.answers / len(data.rows) * given.train_batch_size * options.accumulate)),
        model=model,
        args=given,
        train_dataset=data.rows,  # a list is all that it needs
        eval_dataset=data.looked_at or None,
        data_collator=Padded(chat.pad),
        callbacks=callbacks(tell, data.tokens, options.patience, bool(data.looked_at)),
    )


class Padded:
    """Rows of one batch, as long as the longest of them."""

    def __init__(self, pad: int) -> None:
        self.pad = pad

    def __call__(self, rows: list[Row]) -> dict[str, Any]:
        import torch

        longest = max(len(row["input_ids"]) for row in rows)

        def padded(name: str, value: int) -> Any:
            return torch.tensor([row[name] + [value] * (longest - len(row[name])) for row in rows])

        mask = [[1] * len(row["input_ids"]) + [0] * (longest - len(row["input_ids"])) for row in rows]
        ids, labels = padded("input_ids", self.pad), padded("labels", IGNORED)
        return {"input_ids": ids, "labels": labels, "attention_mask": torch.tensor(mask)}
