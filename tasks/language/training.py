"""Fine-tuning in a process of its own: peft's LoRA under the plain Trainer, resumed from the last whole checkpoint.

TRL's SFTTrainer is not used: its defaults are several times slower on a CPU, and labels by prefix suit any template."""

import os
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact, current
from tasks.errors import BadInput, Unavailable
from tasks.language.adapter import put_adapter
from tasks.language.apart import Tell, first
from tasks.language.base import load
from tasks.language.batches import grouped
from tasks.language.callbacks import callbacks
from tasks.language.chats import Example, learned
from tasks.language.checkpoints import last_whole
from tasks.language.estimate import Shape, check_memory, told
from tasks.language.options import LoraOptions
from tasks.language.rendering import Chat
from tasks.processes import locked

OFTEN = 100  # steps at most between two checkpoints
LOOKED_AT = 200  # valid examples at each look
UNWRITTEN = ("PytorchStreamWriter", "unexpected pos")  # what torch says of a file that it cannot write
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
    with locked(work / "lock") if first() else nullcontext():
        try:
            return _train(order, work, tell)
        except OSError as error:
            raise Unavailable(
                f"The checkpoints in {work} cannot be written ({error}). Free some space and run again: the training "
                "goes on from the last whole one."
            ) from error


def _train(order: Order, work: Path, tell: Tell) -> Learned:
    import torch
    import transformers
    from safetensors import SafetensorError

    transformers.set_seed(order.options.seed)
    folder = current().path(order.base)
    chat = Chat(folder)
    data = encoded(learned(order.examples), chat, order.options)
    model = adapted(load(folder), order.options)
    check_memory(Shape.of(model, order.options, data.longest), tell, free_memory())
    trainer = made_trainer(model, chat, data, order.options, work, tell)
    try:
        time_needed(trainer, data, tell)
        found = last_whole(work)
        if found is not None:
            tell({"note": f"goes on from {found.name}, which an earlier run left"})
        trainer.train(resume_from_checkpoint=str(found) if found else None)
    except (RuntimeError, SafetensorError) as error:
        said = str(error).partition("\n")[0][:200]
        if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in said:
            raise MemoryError(said) from error
        if isinstance(error, SafetensorError) or any(one in said for one in UNWRITTEN):
            raise OSError(said) from error
        raise
    state = trainer.state
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
    given = arguments(options, work, len(data.rows), bool(data.looked_at))
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


def arguments(options: LoraOptions, work: Path, rows: int, looks: bool) -> Any:
    """bf16 where the hardware has it; everything said that has a harmful default."""
    import torch
    from transformers import TrainingArguments

    gpu = torch.cuda.is_available()
    batch = options.batch or 1
    alone = options.accumulate // int(os.environ.get("WORLD_SIZE", "1"))  # the same step, however many share it
    often = min(OFTEN, max(1, -(-rows // (batch * options.accumulate))))
    return TrainingArguments(
        output_dir=str(work),
        per_device_train_batch_size=batch,
        per_device_eval_batch_size=batch,
        gradient_accumulation_steps=alone,
        num_train_epochs=options.epochs or 1,
        learning_rate=options.rate or 1e-3,
        lr_scheduler_type="cosine",
        warmup_steps=0.05,  # below 1 it is a share of all steps
        weight_decay=0.0,
        bf16=gpu and torch.cuda.is_bf16_supported(),
        use_cpu=not gpu,
        activation_checkpointing=options.checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if options.checkpointing else None,
        save_strategy="steps",
        save_steps=often,
        save_total_limit=3,
        eval_strategy="steps" if looks else "no",
        eval_steps=often,
        load_best_model_at_end=looks,
        metric_for_best_model="eval_loss" if looks else None,
        greater_is_better=False,
        restore_callback_states_from_checkpoint=True,
        logging_steps=max(1, often // 10),
        logging_nan_inf_filter=False,
        dataloader_pin_memory=False,
        disable_tqdm=True,
        report_to="none",
        seed=options.seed,
        data_seed=options.seed,
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


def free_memory() -> float | None:
    """Bytes that are free on the GPU; None without one."""
    import torch

    return float(torch.cuda.mem_get_info()[0]) if torch.cuda.is_available() else None


def time_needed(trainer: Any, data: Data, tell: Tell) -> None:
    """Time one batch forth and back, and tell what all of them will take."""
    import torch

    size = trainer.args.per_device_train_batch_size
    middle = sorted(data.rows, key=lambda row: len(row["input_ids"]))[len(data.rows) // 2 :][:size]
    batch = {name: value.to(trainer.args.device) for name, value in Padded(0)(middle).items()}
    state = torch.random.get_rng_state()
    started = time.perf_counter()
    trainer.model(**batch).loss.backward()
    took = time.perf_counter() - started
    trainer.model.zero_grad()
    torch.random.set_rng_state(state)
    batches = -(-len(data.rows) // size) * trainer.args.num_train_epochs
    tell({"note": f"about {told(took * batches)} for {batches:.0f} batches of {size} on {trainer.args.device}"})


def curve(history: list[dict[str, Any]]) -> list[dict[str, float]]:
    """What was logged at each step, without what the clock says."""
    kept = {"step", "epoch", "loss", "eval_loss", "learning_rate", "grad_norm"}
    rows = [{name: value for name, value in row.items() if name in kept} for row in history]
    return [row for row in rows if "loss" in row or "eval_loss" in row]
