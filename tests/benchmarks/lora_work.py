"""The same adapter trained in our way and in the straightforward one; each runs in a child (`tasks.language.apart`)."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from tasks.artifacts import Artifact, current
from tasks.language.apart import Tell
from tasks.language.base import load
from tasks.language.chats import Example, judged, learned
from tasks.language.evaluation import losses_of
from tasks.language.options import LoraOptions
from tasks.language.rendering import Chat
from tasks.language.training import IGNORED, adapted, encoded, made_trainer

PADDED = 512  # tokens
WARM = 32  # examples that are learned before anything is measured
BATCH = 32


class Order(BaseModel):
    base: Artifact
    examples: Artifact
    options: LoraOptions


class Trained(BaseModel):
    """CPU and wall seconds of `Trainer.train` alone, and the loss for a token of the held answers, then and before."""

    cpu: float
    wall: float
    steps: int
    epochs: float
    loss: float
    before: float


Prepare = Callable[[list[Example], LoraOptions, Path], Any]  # a Trainer


def ours(order: Order, tell: Tell) -> Trained:
    """The pieces of `tasks.language.training.train` as it uses them, looks and checkpoints among them."""
    folder = current().path(order.base)

    def prepared(examples: list[Example], options: LoraOptions, work: Path) -> Any:
        chat = Chat(folder)
        data = encoded(examples, chat, options)
        return made_trainer(adapted(load(folder), options), chat, data, options, work, tell)

    return measured(order, prepared)


def padded(order: Order, _tell: Tell) -> Trained:
    """As one would write it: every example filled up to the same length; no looks, no checkpoints."""
    from transformers import AutoTokenizer, Trainer, TrainingArguments

    folder = current().path(order.base)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)

    def prepared(examples: list[Example], options: LoraOptions, work: Path) -> Any:
        arguments = TrainingArguments(
            output_dir=str(work),
            per_device_train_batch_size=options.batch or 1,
            num_train_epochs=options.epochs or 1,
            learning_rate=options.rate or 1e-3,
            lr_scheduler_type="cosine",
            warmup_steps=0.05,
            weight_decay=0.0,
            use_cpu=True,
            bf16=False,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=False,
            seed=options.seed,
            data_seed=options.seed,
        )
        rows = [row(tokenizer, one) for one in examples if one.part == "train"]
        return Trainer(model=adapted(load(folder), options), args=arguments, train_dataset=rows)

    return measured(order, prepared)


def row(tokenizer: Any, example: Example) -> dict[str, list[int]]:
    """Tokens and labels of an example, the loss on the answer alone."""
    messages = [message.model_dump() for message in example.messages]
    whole = tokenizer.apply_chat_template(messages, tokenize=False).rstrip("\n")
    before = tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True)
    found = tokenizer(whole, padding="max_length", truncation=True, max_length=PADDED)
    ids, mask, start = found["input_ids"], found["attention_mask"], len(tokenizer(before)["input_ids"])
    labels = [id if mask[place] and place >= start else IGNORED for place, id in enumerate(ids)]
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def measured(order: Order, prepare: Prepare) -> Trained:
    """A short training first, for all that a process does once; then the one that counts."""
    import transformers

    examples = learned(order.examples)
    short = [one for one in examples if one.part == "train"][:WARM]
    with tempfile.TemporaryDirectory() as name:
        prepare(short, order.options.model_copy(update={"epochs": 1}), Path(name) / "warm").train()
        transformers.set_seed(order.options.seed)
        trainer = prepare(examples, order.options, Path(name) / "work")
        before = loss_of(trainer.model, order)
        wall, cpu = time.perf_counter(), time.process_time()
        trainer.train()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    steps, epochs = trainer.state.global_step, trainer.state.epoch
    loss = loss_of(trainer.model, order)
    return Trained(cpu=cpu, wall=wall, steps=steps, epochs=epochs, loss=loss, before=before)


def loss_of(model: Any, order: Order) -> float:
    """Of each token of the answers that nobody learned; a Trainer's own would depend on the batches."""
    chat, some = Chat(current().path(order.base)), judged(order.examples)
    was, losses = model.training, list[tuple[float, int]]()
    model.eval()
    for start in range(0, len(some), BATCH):
        losses += losses_of(model, chat, some[start : start + BATCH])
    model.train(was)
    return sum(loss for loss, _ in losses) / sum(tokens for _, tokens in losses)
