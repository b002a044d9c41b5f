"""What a training in a child tells: shown as it comes, and passed on to whoever listens."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from tasks.documents.pieces import Progress, progress
from tasks.language.apart import Tell, logger

LEFT_S = 7 * 86_400.0
Heard = Callable[[int, dict[str, float]], None]  # told the step, and what was measured there
_heard: ContextVar[Heard | None] = ContextVar("heard", default=None)


@contextmanager
def heard_by(listener: Heard) -> Iterator[None]:
    """Let somebody hear of losses while a training runs; what he does is no part of the result."""
    token = _heard.set(listener)
    try:
        yield
    finally:
        _heard.reset(token)


@contextmanager
def shown() -> Iterator[Tell]:
    """Notes as lines, steps as a bar, losses to whoever listens."""
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


def sweep(work: Path) -> None:
    """Remove what killed trainings left that nobody took up again for a week."""
    for folder in work.glob("*"):
        if time.time() - folder.stat().st_mtime > LEFT_S:
            shutil.rmtree(folder)
