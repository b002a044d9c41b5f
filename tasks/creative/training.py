"""Fine-tuning of an encoder in a process of its own: the plain Trainer, resumed from the last whole checkpoint.

Its `predict` is not used: with batches of like length it answers in another order than it was asked."""

import shutil
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact, current
from tasks.creative.encoder import TOKENIZER, About, tokenizer, write_about
from tasks.creative.fitting import Part, material
from tasks.creative.specs import EncoderOptions
from tasks.errors import OverBudget
from tasks.language.apart import Tell, first
from tasks.language.batches import grouped
from tasks.language.callbacks import callbacks
from tasks.language.checkpoints import last_whole
from tasks.language.estimate import Shape, check_memory, free_memory, told
from tasks.language.trainer import Pace, arguments, curve, in_plain_words, resumed, time_needed
from tasks.processes import locked
from tasks.tables.specs import Subject

Row = dict[str, Any]


class Order(BaseModel):
    """What is learned from, with settled options; `seconds` it may take, `work` names a folder of its own."""

    model_config = ConfigDict(frozen=True)

    base: Artifact
    texts: Artifact
    split: Artifact
    subject: Subject
    options: EncoderOptions
    work: str
    seconds: float | None = None


class Learned(BaseModel):
    """The encoder as transformers saves it (kind `encoders`), and how it was learned."""

    encoder: Artifact
    curve: Artifact
    steps: int
    epochs: float
    tokens: int
    stopped_early: bool


def train(order: Order, tell: Tell) -> Learned:
    """OverBudget: it would take too long. BadInput: no memory for it. Unavailable: a disk that is full."""
    work = current().place(order.work)
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(work / "lock") if first() else nullcontext(), in_plain_words(work):
        return _train(order, work, tell)


def _train(order: Order, work: Path, tell: Tell) -> Learned:
    import transformers

    options, given = order.options, material(order.texts, order.split, order.subject)
    assert options.rate is not None, "options are settled before"
    transformers.set_seed(options.seed)
    model = loaded(current().path(order.base), ignore_mismatched_sizes=True)  # it may bring a head for other classes
    with tempfile.TemporaryDirectory() as name:
        words = _with_tokenizer(Path(name), current().path(order.base), options)
        train, valid = (rows(part, words) for part in (given.train, given.valid))
    longest = max(len(row["input_ids"]) for row in (*train, *valid))
    check_memory(Shape.of(model, options.batch, longest, options.checkpointing), tell, free_memory())
    tokens = sum(len(row["input_ids"]) for row in train)
    pace = Pace(
        batch=options.batch,
        accumulate=options.accumulate,
        epochs=options.epochs,
        rate=options.rate,
        checkpointing=options.checkpointing,
        seed=options.seed,
        warmup=options.warmup,
        weight_decay=options.weight_decay,
    )
    trainer: Any = grouped(
        [len(row["input_ids"]) for row in train],
        None,
        model=model,
        args=arguments(pace, work, len(train), True),
        train_dataset=train,
        eval_dataset=valid,
        data_collator=padded,
        compute_loss_func=weighted(given.train.target) if options.balanced else None,
        callbacks=callbacks(tell, tokens, options.patience, True),
    )
    took = time_needed(trainer, train, tell)
    if order.seconds is not None and took > order.seconds and last_whole(work) is None:
        raise OverBudget(f"it would take about {told(took)}, and {told(order.seconds)} are left of the budget")
    state = resumed(trainer, work, tell)
    return Learned(
        encoder=_stored(trainer.model, current().path(order.base), options),
        curve=current().put_json("curves", curve(state.log_history)),
        steps=state.global_step,
        epochs=round(state.epoch or 0, 2),
        tokens=round(tokens * (state.epoch or 0)),
        stopped_early=state.global_step < state.max_steps,
    )


def loaded(folder: Path, attention: str = "sdpa", **more: Any) -> Any:
    """With its own head for two classes, or a new one, which the seed decides."""
    from transformers import AutoModelForSequenceClassification

    return AutoModelForSequenceClassification.from_pretrained(
        folder,
        num_labels=2,
        problem_type="single_label_classification",
        attn_implementation=attention,
        local_files_only=True,
        use_safetensors=True,
        trust_remote_code=False,
        **more,
    )


def rows(part: Part, words: Any) -> list[Row]:
    encoded = words.encode_batch(part.texts)
    return [{"input_ids": one.ids, "labels": int(label)} for one, label in zip(encoded, part.target, strict=True)]


def padded(batch: list[Row]) -> dict[str, Any]:
    """Rows of one batch, as long as the longest of them."""
    import torch

    longest = max(len(row["input_ids"]) for row in batch)
    gaps = [longest - len(row["input_ids"]) for row in batch]
    return {
        "input_ids": torch.tensor([row["input_ids"] + [0] * gap for row, gap in zip(batch, gaps, strict=True)]),
        "attention_mask": torch.tensor([[1] * (longest - gap) + [0] * gap for gap in gaps]),
        "labels": torch.tensor([row["labels"] for row in batch]),
    }


def weighted(target: Any) -> Any:
    """The loss with classes of equal weight, however many rows each has."""
    import torch

    share = float(target.mean())
    weights = torch.tensor([0.5 / (1 - share), 0.5 / share])

    def loss(outputs: Any, labels: Any, num_items_in_batch: Any = None) -> Any:
        return torch.nn.functional.cross_entropy(outputs.logits, labels, weights.to(outputs.logits))

    return loss


def _with_tokenizer(folder: Path, base: Path, options: EncoderOptions) -> Any:
    """The base's tokenizer, cut at the length that is trained."""
    shutil.copyfile(base / TOKENIZER, folder / TOKENIZER)
    write_about(folder, About(max_tokens=options.max_tokens))
    return tokenizer(folder)


def _stored(model: Any, base: Path, options: EncoderOptions) -> Artifact:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model.save_pretrained(folder)
        _with_tokenizer(folder, base, options)
        return current().put_folder("encoders", folder)
