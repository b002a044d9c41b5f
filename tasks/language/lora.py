"""Fine-tuning as a step: the options are settled by the base, the work is done by a child, progress is shown."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from tasks.artifacts import Artifact, canonical, current, sha256
from tasks.documents.pieces import Progress, progress
from tasks.language.apart import Cost, Tell, apart, cores, logger
from tasks.language.base import weight_bytes
from tasks.language.options import LoraOptions
from tasks.language.training import Learned, Order, train
from tasks.planning import closure

LEFT_S = 7 * 86_400.0
Heard = Callable[[int, dict[str, float]], None]  # told the step, and what was measured there
_heard: ContextVar[Heard | None] = ContextVar("heard", default=None)


class Tuned(Learned):
    """What was learned, with which options, and what it took: of this run alone, where it went on from another."""

    options: LoraOptions
    cost: Cost


@contextmanager
def heard_by(listener: Heard) -> Iterator[None]:
    """Let somebody hear of losses while a training runs; what he does is no part of the result."""
    token = _heard.set(listener)
    try:
        yield
    finally:
        _heard.reset(token)


def fine_tune(base: Artifact, examples: Artifact, options: LoraOptions) -> Tuned:
    """The adapter of a base for these examples. A run that was killed goes on from its last whole checkpoint."""
    order = Order(base=base, examples=examples, options=options, work=work_of(base, examples, options))
    sweep(current().place("work"))
    with _shown() as told:
        learned, cost = apart(train, order, Learned, cores(weight_bytes(base)), told, shared=True)
    current().remove(order.work)
    return Tuned(**learned.model_dump(), options=options, cost=cost)


def work_of(base: Artifact, examples: Artifact, options: LoraOptions) -> str:
    """The place of its checkpoints; what other code has left is not gone on from."""
    name = sha256(canonical([training_of(base, examples, options), closure("tasks.language.training")]))
    return f"work/lora-{name[:32]}"


def sweep(work: Path) -> None:
    """Remove what killed trainings left that nobody took up again for a week."""
    for folder in work.glob("lora-*"):
        if time.time() - folder.stat().st_mtime > LEFT_S:
            shutil.rmtree(folder)


def training_of(base: Artifact, examples: Artifact, options: LoraOptions) -> str:
    """What tells a training from others; `options` are settled."""
    return sha256(canonical([base.digest, examples.digest, options.model_dump(mode="json")]))


@contextmanager
def _shown() -> Iterator[Tell]:
    """What the child tells: notes as lines, steps as a bar, losses to whoever listens."""
    with ExitStack() as stack:
        bar: Progress | None = None

        def told(fact: dict[str, Any]) -> None:
            nonlocal bar
            if "note" in fact:
                logger.info("%s", fact["note"])
            elif "metrics" in fact and (listener := _heard.get()):
                listener(fact["step"], fact["metrics"])
            elif "tokens" in fact:
                bar = bar or stack.enter_context(progress("fine-tuning", fact["of"] - fact["step"], "tokens", "steps"))
                bar(fact["tokens"])

        yield told
