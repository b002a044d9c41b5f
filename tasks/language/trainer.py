"""What all trainings under the plain Trainer have in common: arguments, the time they need, resuming, plain words."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.errors import Unavailable
from tasks.language.apart import Tell
from tasks.language.checkpoints import last_whole
from tasks.language.estimate import told

OFTEN = 100  # steps at most between two checkpoints
UNWRITTEN = ("PytorchStreamWriter", "unexpected pos")  # what torch says of a file that it cannot write


@dataclass(frozen=True)
class Pace:
    """How fast it learns; `batch` times `accumulate` examples make a step, `warmup` is a share of all steps."""

    batch: int
    accumulate: int
    epochs: float
    rate: float
    checkpointing: bool
    seed: int
    warmup: float = 0.05
    weight_decay: float = 0.0


def arguments(pace: Pace, work: Path, rows: int, looks: bool) -> Any:
    """bf16 where the hardware has it; everything said that has a harmful default."""
    import torch
    from transformers import TrainingArguments

    gpu = torch.cuda.is_available()
    alone = pace.accumulate // int(os.environ.get("WORLD_SIZE", "1"))  # the same step, however many share it
    often = min(OFTEN, max(1, -(-rows // (pace.batch * pace.accumulate))))
    return TrainingArguments(
        output_dir=str(work),
        per_device_train_batch_size=pace.batch,
        per_device_eval_batch_size=pace.batch,
        gradient_accumulation_steps=alone,
        num_train_epochs=pace.epochs,
        learning_rate=pace.rate,
        lr_scheduler_type="cosine",
        warmup_steps=pace.warmup,  # below 1 it is a share of all steps
        weight_decay=pace.weight_decay,
        bf16=gpu and torch.cuda.is_bf16_supported(),
        use_cpu=not gpu,
        activation_checkpointing=pace.checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if pace.checkpointing else None,
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
        seed=pace.seed,
        data_seed=pace.seed,
    )


def time_needed(trainer: Any, rows: list[Any], tell: Tell) -> float:
    """Time one batch forth and back, and tell what all of them will take; seconds."""
    import torch

    size = trainer.args.per_device_train_batch_size
    middle = sorted(rows, key=lambda row: len(row["input_ids"]))[len(rows) // 2 :][:size]
    batch = {name: value.to(trainer.args.device) for name, value in trainer.data_collator(middle).items()}
    state = torch.random.get_rng_state()
    started = time.perf_counter()
    trainer.model(**batch).loss.backward()
    took = time.perf_counter() - started
    trainer.model.zero_grad()
    torch.random.set_rng_state(state)
    batches = -(-len(rows) // size) * trainer.args.num_train_epochs
    tell({"note": f"about {told(took * batches)} for {batches:.0f} batches of {size} on {trainer.args.device}"})
    return float(took * batches)


def resumed(trainer: Any, work: Path, tell: Tell) -> Any:
    """From the last whole checkpoint on, where an earlier run left one; the Trainer's state at the end."""
    found = last_whole(work)
    if found is not None:
        tell({"note": f"goes on from {found.name}, which an earlier run left"})
    trainer.train(resume_from_checkpoint=str(found) if found else None)
    return trainer.state


@contextmanager
def in_plain_words(work: Path) -> Iterator[None]:
    """What torch raises where memory or the disk runs out, as what it is. Unavailable: no checkpoint can be written."""
    import torch
    from safetensors import SafetensorError

    try:
        yield
    except (RuntimeError, SafetensorError, OSError) as error:
        said = str(error).partition("\n")[0][:200]
        if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in said:
            raise MemoryError(said) from error
        if isinstance(error, SafetensorError | OSError) or any(one in said for one in UNWRITTEN):
            raise Unavailable(
                f"The checkpoints in {work} cannot be written ({said}). Free some space and run again: the training "
                "goes on from the last whole one."
            ) from error
        raise


def curve(history: list[dict[str, Any]]) -> list[dict[str, float]]:
    """What was logged at each step, without what the clock says."""
    kept = {"step", "epoch", "loss", "eval_loss", "learning_rate", "grad_norm"}
    rows = [{name: value for name, value in row.items() if name in kept} for row in history]
    return [row for row in rows if "loss" in row or "eval_loss" in row]
